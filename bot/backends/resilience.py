"""Responders around responders: what happens when a language model is slow, silent or gone."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from time import monotonic

from bot.conversation.model import Situation
from bot.conversation.ports import NoReply, Responder
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
