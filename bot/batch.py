"""One text a line in, one JSON object a line out: what operators pipe through a single part of Mentos."""

import json
from collections.abc import Awaitable, Callable, Iterator
from typing import BinaryIO

from bot.conversation.model import clean
from bot.conversation.ports import EmotionReader, Stylist
from bot.safety.assess import assess


def label_with(emotions: EmotionReader) -> Callable[[str], Awaitable[dict[str, object]]]:
    async def label(text: str) -> dict[str, object]:
        emotion = await emotions.read(clean(text))
        ranking = [[label.value, round(score, 4)] for label, score in emotion.ranking]
        return {"text": text, "emotion": emotion.label.value, "score": round(emotion.score, 4), "ranking": ranking}

    return label


def restyle_with(stylist: Stylist, renderer: str) -> Callable[[str], Awaitable[dict[str, object]]]:
    async def restyle(text: str) -> dict[str, object]:
        return {"text": text, "restyled": await stylist.restyle(clean(text), renderer)}

    return restyle


async def assess_line(text: str) -> dict[str, object]:
    risk = assess(clean(text))
    return {"text": text, "level": risk.level.value, "tier": risk.tier, "route": risk.route and risk.route.value}


async def run(make: Callable[[str], Awaitable[dict[str, object]]], *, lines: BinaryIO, out: BinaryIO) -> None:
    r"""Write an object per line, in order, as soon as it is made. A line ends at \n only; bytes may be anything."""
    for text in _texts(lines):
        out.write(json.dumps(await make(text), ensure_ascii=False).encode() + b"\n")
        out.flush()


def _texts(lines: BinaryIO) -> Iterator[str]:
    for raw in iter(lines.readline, b""):
        yield raw.removesuffix(b"\n").decode("utf-8", errors="replace")
