"""What happens when a language model or the memories are slow, silent or gone."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Collection, Sequence
from contextlib import aclosing

from bot.conversation.model import Memory, Situation, TurnId, UserId
from bot.conversation.ports import Memories, NoMemory, NoReply, Responder
from bot.conversation.sentences import sentences

log = logging.getLogger(__name__)


class Deadline:
    """Gives up on a responder whose first whole sentence or whole reply takes too long. Seconds."""

    def __init__(self, responder: Responder, *, first_s: float, total_s: float) -> None:
        self._responder = responder
        self._first_s = first_s
        self._total_s = total_s

    async def draft(self, situation: Situation) -> AsyncGenerator[str]:
        now = asyncio.get_running_loop().time
        begun = now()
        ends = begun + min(self._first_s, self._total_s)
        async with aclosing(sentences(self._responder.draft(situation))) as whole:
            while True:
                try:
                    # one sentence at a time: a timeout around a `yield` would cancel whoever listens
                    async with asyncio.timeout_at(ends):
                        sentence = await anext(whole)
                except StopAsyncIteration:
                    return
                except TimeoutError:
                    raise NoReply(f"nothing more within {ends - begun:.1f} s") from None
                yield f"{sentence}\n"
                ends = begun + self._total_s


class Fallback:
    """Answers with `second` when `first` fails before its first whole sentence; after it, ends where it was cut."""

    def __init__(self, first: Responder, second: Responder, *, on_fallback: Callable[[], None]) -> None:
        self._first = first
        self._second = second
        self._on_fallback = on_fallback

    async def draft(self, situation: Situation) -> AsyncGenerator[str]:
        has_spoken = False
        try:
            async with aclosing(sentences(self._first.draft(situation))) as whole:
                async for sentence in whole:
                    has_spoken = True
                    yield f"{sentence}\n"
        except NoReply as reason:
            log.warning("the language model failed %s: %s", "midway" if has_spoken else "at once", reason)
        if not has_spoken:
            self._on_fallback()
            async with aclosing(self._second.draft(situation)) as pieces:
                async for piece in pieces:
                    yield piece


class Discreet:
    """Answers by `near`, which sends nothing anywhere, where nobody has been told yet where words would go."""

    def __init__(self, far: Responder, near: Responder) -> None:
        self._far = far
        self._near = near

    def draft(self, situation: Situation) -> AsyncGenerator[str]:
        return (self._near if situation.stays_here else self._far).draft(situation)


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
            log.warning("answered without memories: %s", str(reason) or f"nothing within {self._within_s} s")
            self._on_failure()
            return ()


class Amnesia:
    """Fulfils `Memories` where nothing is kept."""

    async def recall(self, user_id: UserId, text: str, *, without: Collection[TurnId], limit: int) -> Sequence[Memory]:
        return ()
