"""Server-sent events of a chat-completions server -> what the model says: whole characters, up to a stop string."""

import json
from collections.abc import AsyncGenerator, Sequence
from typing import Any

import aiohttp

from bot.backends.faults import ChatFault, Fault, of_message

LONGEST_LINE = 1 << 20
"""Bytes after which a line that does not end is no event."""
REPLACEMENT = "\ufffd"
DONE = b"[DONE]"

_NO_CHUNK = "an event that is not a chat completion chunk"


async def said_in(content: aiohttp.StreamReader, *, stop: Sequence[str] = ()) -> AsyncGenerator[str]:
    """Yield what the model says, as much at a time as arrives at a time. Raises `ChatFault`.

    A good stream has a finish_reason; `[DONE]` alone is no end, and not every server says it. What a server sends
    after a stop string, or with it, is cut off: TGI matches stop strings at the ends of tokens, and sends them too.
    """
    cut = Cut(stop)
    reason = None
    async for events in _events(content):
        words, ends, fault = _read_all(events)
        reason = ends or reason
        if words and (shown := cut.feed(words)):
            yield shown
        if cut.is_over:
            return
        if fault:
            raise fault
        if events[-1] == DONE:
            break
    if reason is None:
        raise ChatFault(Fault.CUT, "the stream ended without a finish_reason")
    if shown := cut.rest():
        yield shown
    if reason == "length":
        raise ChatFault(Fault.ENDLESS)


class Cut:
    """Holds back what may be the beginning of a stop string, or half of a character whose rest is still to come."""

    def __init__(self, stop: Sequence[str] = ()) -> None:
        self._stop = [text for text in stop if text]
        self._held = ""
        self.is_over = False

    def feed(self, words: str) -> str:
        """Return what can be shown by now."""
        text = self._held + words
        ends = [at for stop in self._stop if (at := text.find(stop)) >= 0]
        if ends:
            self._held, self.is_over = "", True
            return text[: min(ends)].rstrip(REPLACEMENT)
        keep = max((self._overlap(text, stop) for stop in self._stop), default=0)
        shown = text[: len(text) - keep].rstrip(REPLACEMENT)
        self._held = text[len(shown) :]
        return shown

    def rest(self) -> str:
        """Return what was held back and turned out to be no stop string. Half a character stays away."""
        return self._held.rstrip(REPLACEMENT)

    @staticmethod
    def _overlap(text: str, stop: str) -> int:
        longest = min(len(stop) - 1, len(text))
        return next((length for length in range(longest, 0, -1) if text.endswith(stop[:length])), 0)


async def _events(content: aiohttp.StreamReader) -> AsyncGenerator[list[bytes]]:
    """Yield the data of the events that arrive together; comments, by which a server shows that it lives, are none."""
    rest = b""
    async for block in content.iter_any():
        *lines, rest = (rest + block).split(b"\n")
        if len(rest) > LONGEST_LINE:
            raise ChatFault(Fault.MALFORMED, f"a line of more than {LONGEST_LINE} bytes")
        if events := _data(lines):
            yield events
    if events := _data([rest]):
        yield events


def _data(lines: Sequence[bytes]) -> list[bytes]:
    """Return what stands behind `data:`, up to the end where it is marked."""
    events = [event for line in lines if line.startswith(b"data:") and (event := line[5:].strip())]
    return events[: events.index(DONE) + 1] if DONE in events else events


def _read_all(events: Sequence[bytes]) -> tuple[str, str | None, ChatFault | None]:
    """Return what events say together, why the last one is the last, and the fault that ended them."""
    words, reason = "", None
    for event in events:
        if event == DONE:
            break
        try:
            said, ends = _read(event)
        except ChatFault as fault:
            return words, reason, fault
        words += said
        reason = ends or reason
    return words, reason, None


def _read(event: bytes) -> tuple[str, str | None]:
    """Return what one event says and why it is the last, if it is."""
    try:
        chunk: dict[str, Any] = json.loads(event)
        if error := chunk.get("error"):
            raise of_message(str(error.get("message") if isinstance(error, dict) else error))
        if not chunk["choices"]:
            return "", None  # the usage chunk
        choice = chunk["choices"][0]
        said, reason = (choice.get("delta") or {}).get("content") or "", choice.get("finish_reason")
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError) as error:
        raise ChatFault(Fault.MALFORMED, _NO_CHUNK) from error
    if not isinstance(said, str):
        raise ChatFault(Fault.MALFORMED, _NO_CHUNK)
    return said, str(reason) if reason else None
