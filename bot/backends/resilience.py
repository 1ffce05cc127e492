"""What happens when a language model or the memories are slow, silent or gone."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from time import monotonic

from bot.conversation.model import Memory, Situation, TurnId, UserId
from bot.conversation.ports import Memories, NoMemory, NoReply, Responder
from bot.conversation.sentences import sentences

log = logging.getLogger(__name__)


class Deadline:
    """Gives up on a responder whose first piece or whole reply takes too long. Seconds."""

    def __init__(self, responder: Responder, *, first_s: float, total_s: float) -> None:
        self._responder = responder
        self._first_s = first_s
        self._total_s = total_s

    async def draft(self, situation: Situation) -> AsyncIterator[str]:
        pieces = aiter(self._responder.draft(situation))
        end = monotonic() + self._total_s
        wait_s = min(self._first_s, self._total_s)
        while True:
            try:
                # one piece at a time: a timeout around a `yield` would cancel whoever listens
                piece = await asyncio.wait_for(anext(pieces), wait_s)
            except StopAsyncIteration:
                return
            except TimeoutError:
                raise NoReply(f"nothing more within {wait_s:.1f} s") from None
            yield piece
            wait_s = max(end - monotonic(), 0)


class Fallback:
    """Answers with `second` when `first` fails before its first whole sentence; after it, ends where it was cut."""

    def __init__(self, first: Responder, second: Responder, *, on_fallback: Callable[[], None]) -> None:
        self._first = first
        self._second = second
        self._on_fallback = on_fallback

    async def draft(self, situation: Situation) -> AsyncIterator[str]:
        has_spoken = False
        try:
            async for sentence in sentences(self._first.draft(situation)):
                has_spoken = True
                yield f"{sentence}\n"
        except NoReply as reason:
            log.warning("the language model failed %s: %s", "midway" if has_spoken else "at once", reason)
            self._on_fallback()
        if not has_spoken:
            async for piece in self._second.draft(situation):
                yield piece


class Forgetful:
    """Fulfils `Memories` around others: recalls nothing where they cannot be searched in time. Seconds."""

    def __init__(self, memories: Memories, *, within_s: float, on_failure: Callable[[], None]) -> None:
        self._memories = memories
        self._within_s = within_s
        self._on_failure = on_failure

    async def recall(self, user_id: UserId, text: str, *, without: Collection[TurnId], limit: int) -> Sequence[Memory]:
        try:
            async with asyncio.timeout(self._within_s):
                return await self._memories.recall(user_id, text, without=without, limit=limit)
        except (NoMemory, TimeoutError) as reason:
            log.warning("answered without memories: %s", reason or f"nothing within {self._within_s} s")
            self._on_failure()
            return ()


class Amnesia:
    """Fulfils `Memories` where nothing is kept."""

    async def recall(self, user_id: UserId, text: str, *, without: Collection[TurnId], limit: int) -> Sequence[Memory]:
        return ()
