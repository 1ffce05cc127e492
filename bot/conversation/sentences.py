"""A stream of text in pieces of any size -> whole sentences, each as soon as it is complete."""

import re
from collections.abc import AsyncGenerator
from contextlib import aclosing

_TAIL = r"[.!?…~。！？]+[\"'”’)\]」』]*(?:\s*(?:[ㅠㅜㅋㅎ]+|\^\^|:\)))?"
_BOUNDARY = re.compile(rf"(?:{_TAIL})(?=\s)|\n+")
_NOT_AN_END = re.compile(r"(?:^|\s)(?:\d{1,3}|[A-Za-z]|Dr|Mr|Mrs|Ms)\.$")
_QUOTES = {"“": "”", "‘": "’", "「": "」", "『": "』", "(": ")"}
LONGEST = 400
"""Characters after which a sentence that does not end is given up for lost, and cut at a blank."""


async def sentences(pieces: AsyncGenerator[str]) -> AsyncGenerator[str]:
    """Yield sentences, stripped. List numbers, initials and open quotes do not end one. Closes `pieces` when closed."""
    rest = ""
    async with aclosing(pieces):
        async for piece in pieces:
            rest += piece
            while (end := _end_of_first(rest)) is not None:
                if sentence := rest[:end].strip():
                    yield sentence
                rest = rest[end:]
    if sentence := rest.strip():
        yield sentence


def _end_of_first(text: str) -> int | None:
    for found in _BOUNDARY.finditer(text):
        head = text[: found.end()]
        if not _NOT_AN_END.search(head) and not _is_quote_open(head):
            return found.end()
    if len(text) > LONGEST:
        return text.rfind(" ", 1, LONGEST) + 1 or LONGEST
    return None


def _is_quote_open(head: str) -> bool:
    return head.count('"') % 2 == 1 or any(head.count(o) > head.count(c) for o, c in _QUOTES.items())
