"""What holds in danger whatever is broken: over many turns, characters, language models and stores, drawn by dice."""

import asyncio
import random
import re
from collections.abc import AsyncGenerator, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from bot.app import Apologising
from bot.conversation.counsellor import Counsellor
from bot.conversation.model import (
    Account,
    Answer,
    Character,
    Consent,
    Kind,
    Message,
    Part,
    Person,
    Scope,
    Situation,
    Turn,
    TurnId,
    UserId,
)
from bot.conversation.off_record import OffTheRecord
from bot.conversation.ports import NoReply
from bot.resources import strings
from bot.safety.assess import assess
from bot.safety.replies import numbers
from tests.bot.safety.test_assess import IN_DANGER, ORDINARY
from tests.fakes import CHARACTERS, Clock, FixedEmotions, InMemoryMemories, InMemoryPeople, MarkingStylist
from training import data

TURNS = 10_000
PEOPLE = 200
OURS = [
    line.split("\t")[2]
    for path in sorted((Path(data.__file__).parent / "danger").glob("*.tsv"))
    for line in path.read_text("utf-8").splitlines()
]
DANGERS = [text for text in (*(case.text for case in IN_DANGER), *OURS) if assess(text).is_urgent]
NUMBER = re.compile(r"(?<![\d.,:~-])(?:0\d{1,2}-\d{3,4}-\d{4}|1[5-9]\d\d-\d{4}|1[0-4]\d{1,2}|988)(?![\d.,:~-]*\d)")
GENERATED = "모델이 지어낸 말이에요."


class Model:
    """A language model that is up, down, slow or broken, and remembers what it was asked."""

    def __init__(self, mood: str) -> None:
        self.mood = mood
        self.asked: list[Situation] = []

    async def draft(self, situation: Situation) -> AsyncGenerator[str]:
        self.asked.append(situation)
        match self.mood:
            case "down":
                raise NoReply("unreachable")
            case "broken":
                raise RuntimeError
            case "slow":
                await asyncio.sleep(0)
        yield GENERATED
        yield GENERATED


class Store(OffTheRecord):
    """A store that works, cannot be written, cannot be read, or never answers."""

    def __init__(self, mood: str, *, now: Clock) -> None:
        super().__init__(now=now)
        self.mood = mood

    async def hear(self, user_id: UserId, message: Message, *, character: Character) -> Turn:
        if self.mood in {"unwritable", "dead"}:
            raise ConnectionError
        return await super().hear(user_id, message, character=character)

    async def lately(self, user_id: UserId, *, since: datetime, limit: int) -> Sequence[Turn]:
        if self.mood in {"unreadable", "dead"}:
            raise ConnectionError
        if self.mood == "silent":
            await asyncio.Event().wait()
        return await super().lately(user_id, since=since, limit=limit)

    async def answer(self, user_id: UserId, turn_id: TurnId, answer: Answer, *, anew: bool = False) -> None:
        if self.mood == "dead":
            raise ConnectionError
        await super().answer(user_id, turn_id, answer, anew=anew)


async def test_danger_is_always_answered_with_numbers_and_nothing_generated() -> None:
    dice = random.Random(5)
    for number in range(PEOPLE):
        store = dice.choice(["works", "works", "works", "unwritable", "unreadable", "dead"] + ["silent"] * (number < 5))
        await converse(dice, number, store=store, turns=5 if store == "silent" else TURNS // PEOPLE)


async def converse(dice: random.Random, number: int, *, store: str, turns: int) -> None:
    clock, people = Clock(), InMemoryPeople()
    model = Model(dice.choice(["up", "down", "slow", "broken"]))
    account = Account("test", str(number))
    counsellor = Counsellor(
        people=people,
        counsels=Store(store, now=clock),
        off_record=OffTheRecord(now=clock),
        memories=InMemoryMemories(),
        emotions=FixedEmotions(),
        responder=model,
        stylist=MarkingStylist(),
        characters=CHARACTERS,
        words=strings("ko"),
        language="ko",
        now=clock,
    )
    conversation = Apologising(counsellor, language="ko")
    if dice.random() < 0.7:
        stranger = Person(UserId(f"user-{number}"), dice.choice(list(CHARACTERS)), consent=None)
        await people.consent(account, stranger, Consent(frozenset(Scope), "1", clock()))

    for turn in range(turns):
        clock.advance(timedelta(seconds=dice.choice([1, 30, 4_000])))
        is_danger = dice.random() < 0.5
        text = dice.choice(DANGERS) if is_danger else dice.choice(ORDINARY).text
        asked = len(model.asked)
        parts = [part async for part in conversation.respond(Message(account, str(turn), text, clock()))]
        assert parts
        named = {found for part in parts for found in NUMBER.findall(part.text)}
        assert named <= set(numbers().values())
        if is_danger:
            check(parts, tier=assess(text).tier)
            assert len(model.asked) == asked
    await counsellor.drain()


def check(parts: Sequence[Part], *, tier: int) -> None:
    [first, *others] = parts
    assert first.kind is Kind.CRISIS
    assert not others
    assert "109" in first.text
    assert "<rule" not in first.text
    assert GENERATED not in first.text
    assert tier < 3 or {"119", "112"} <= set(NUMBER.findall(first.text))
