"""Working stand-ins for what the conversation needs: small, honest, and asked the same contracts as the real ones."""

import asyncio
import hashlib
import math
from collections import defaultdict
from collections.abc import AsyncGenerator, Callable, Collection, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from bot.conversation.model import (
    Account,
    Character,
    CharacterId,
    Consent,
    Decorations,
    Emotion,
    EmotionLabel,
    Memory,
    Message,
    Person,
    Situation,
    TurnId,
    UserId,
)
from bot.conversation.ports import NoEncoding, NoReply

START = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)


UNADORNED = Decorations()


class Clock:
    """A time that only moves when it is told to."""

    def __init__(self) -> None:
        self.time = START

    def __call__(self) -> datetime:
        return self.time

    def advance(self, by: timedelta) -> None:
        self.time += by


def character(
    id_: str,
    renderer: str,
    name: str | None = None,
    *,
    softened: str | None = None,
    decorations: Decorations = UNADORNED,
) -> Character:
    return Character(
        id=CharacterId(id_),
        name=name or id_,
        name_en=id_,
        renderer=renderer,
        persona=f"{id_}의 성격",
        greeting=f"{id_}의 인사",
        sample=f"{id_}의 보기",
        softened=softened or renderer,
        decorations=decorations,
    )


CHARACTERS = {
    found.id: found
    for found in (
        character("mentos", "rule:haeyo", "멘토스"),
        character("seonbi", "rule:seonbi", "선비"),
        character("free", "prompt"),
        character("joker", "rule:joke", softened="rule:haeyo", decorations=Decorations(openers=("허허,",))),
    )
}


class InMemoryPeople:
    """Fulfils `People`, and remembers every consent in order."""

    def __init__(self) -> None:
        self.people: dict[Account, Person] = {}
        self.consents: list[Consent] = []

    async def find(self, account: Account) -> Person | None:
        return self.people.get(account)

    async def consent(self, account: Account, person: Person, consent: Consent) -> Person:
        self.consents.append(consent)
        self.people[account] = replace(self.people.get(account, person), consent=consent)
        return self.people[account]

    async def choose(self, user_id: UserId, character_id: CharacterId) -> None:
        self.people = {
            account: replace(person, character_id=character_id) if person.user_id == user_id else person
            for account, person in self.people.items()
        }


class InMemoryMemories:
    """Fulfils `Memories`: recalls what shares a word with what is said."""

    def __init__(self) -> None:
        self.kept: defaultdict[UserId, list[Memory]] = defaultdict(list)

    def keep(self, user_id: UserId, text: str, *, turn_id: int) -> None:
        self.kept[user_id].append(Memory(TurnId(turn_id), text, START))

    async def recall(self, user_id: UserId, text: str, *, without: Collection[TurnId], limit: int) -> Sequence[Memory]:
        words = set(text.split())
        found = [m for m in self.kept[user_id] if m.turn_id not in without and words & set(m.text.split())]
        return found[:limit]


class HashingEncoder:
    """Fulfils `Encoder`: texts mean the same as far as they share letters and pairs of letters.

    While it `is_gone` it is out of reach, while it `is_silent` it never answers. It keeps what it was asked.
    """

    def __init__(self, name: str = "fakes/letters", *, size: int = 32) -> None:
        self.name = name
        self.size = size
        self.asked: list[Sequence[str]] = []
        self.is_gone = self.is_silent = False

    async def encode(self, texts: Sequence[str]) -> Sequence[tuple[float, ...]]:
        self.asked.append(texts)
        if self.is_gone:
            raise NoEncoding("the encoder is away; start it")
        if self.is_silent:
            await asyncio.Event().wait()
        return [self._meaning(text) for text in texts]

    def _meaning(self, text: str) -> tuple[float, ...]:
        letters = "".join(text.split())
        meaning = [0.0] * self.size
        for gram in (*letters, *map("".join, pairwise(letters))):
            drawn = hashlib.sha256(f"{self.name} {gram}".encode()).digest()
            meaning[drawn[0] % self.size] += 1 if drawn[1] & 1 else -1
        length = math.hypot(*meaning)
        return tuple(number / length for number in meaning) if length else ()


class SayingResponder:
    """Fulfils `Responder`: says the lines it was given, in order, and keeps what it was asked."""

    def __init__(self, *lines: str | NoReply) -> None:
        self._lines = list(lines)
        self.asked: list[Situation] = []

    async def draft(self, situation: Situation) -> AsyncGenerator[str]:
        self.asked.append(situation)
        line = self._lines.pop(0) if len(self._lines) > 1 else self._lines[0]
        if isinstance(line, NoReply):
            raise line
        yield line


class PiecewiseResponder:
    """Fulfils `Responder`: says pieces one by one; a callable among them is called, and may raise."""

    def __init__(self, *pieces: str | Callable[[], object]) -> None:
        self._pieces: Sequence[str | Callable[[], object]] = pieces

    async def draft(self, situation: Situation) -> AsyncGenerator[str]:
        for piece in self._pieces:
            if isinstance(piece, str):
                yield piece
            else:
                piece()


class FixedEmotions:
    """Fulfils `EmotionReader` with one confident label."""

    def __init__(self, label: EmotionLabel = EmotionLabel.ANXIOUS) -> None:
        self._label = label

    async def read(self, text: str) -> Emotion:
        others = [label for label in EmotionLabel if label is not self._label]
        return Emotion(((self._label, 0.9), *((label, 0.01) for label in others)), is_confident=True)


class MarkingStylist:
    """Fulfils `Stylist` visibly: every sentence it renders carries the renderer's name."""

    async def restyle(self, text: str, renderer: str) -> str:
        return f"<{renderer}>{text}"


def message(text: str, *, id_: str = "1", account: Account | None = None, at: datetime = START) -> Message:
    return Message(account or Account("terminal", "haneul"), id_, text, at)
