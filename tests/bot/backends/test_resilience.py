"""What an operator reads when memories are slow or gone."""

import asyncio
from collections.abc import Collection, Sequence

import pytest

from bot.backends.resilience import Forgetful
from bot.conversation.model import Memory, TurnId, UserId
from bot.conversation.ports import NoMemory


class Failing:
    """Memories that are never found: for a reason, or because the search does not end."""

    def __init__(self, reason: str | None) -> None:
        self._reason = reason

    async def recall(self, user_id: UserId, text: str, *, without: Collection[TurnId], limit: int) -> Sequence[Memory]:
        if self._reason is None:
            await asyncio.Event().wait()
        raise NoMemory(self._reason)


@pytest.mark.parametrize(
    ("reason", "said"), [("Qdrant does not answer; start it",) * 2, (None, "nothing within 0.01 s")]
)
async def test_why_there_are_no_memories_is_said(
    caplog: pytest.LogCaptureFixture, reason: str | None, said: str
) -> None:
    failures: list[None] = []
    memories = Forgetful(Failing(reason), within_s=0.01, on_failure=lambda: failures.append(None))

    assert await memories.recall(UserId("somebody"), "나의 비밀", without=(), limit=3) == ()

    assert [record.getMessage() for record in caplog.records] == [f"answered without memories: {said}"]
    assert len(failures) == 1
