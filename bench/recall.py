"""Recall among 50,000 turns of 250 people, read-back from the rows included, and what it costs everybody else.

    .venv/bin/python bench/recall.py [--people 250] [--turns 200] > bench/results/recall.json

Everything is real but the texts: SQLite, keys, Qdrant Edge, Kiwi. The stall is how late the event loop wakes up while
twenty recalls are under way. Latencies are wall time in ms, one after another.
"""

import argparse
import asyncio
import json
import random
import statistics
import sys
import tempfile
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from pathlib import Path
from time import perf_counter

from sqlalchemy import insert

from bot.app import Mentos, now, open_mentos
from bot.backends.embedded import EmbeddedEmbedder
from bot.conversation.model import Account, CharacterId, Consent, Message, Person, Scope, UserId
from bot.settings import Settings
from storage.tables import dialog

WHO = ["엄마가", "아빠가", "동생이", "팀장님이", "친구가", "남편이", "아내가", "할머니가", "옆집이", "고양이가"]
WHERE = ["회사에서", "학교에서", "집에서", "병원에서", "카페에서", "지하철에서", "시험장에서", "여행지에서"]
WHAT = ["화를 냈어요", "아팠어요", "울었어요", "연락을 끊었어요", "칭찬해 줬어요", "약속을 어겼어요", "이사를 갔어요"]


class QuickEmbedder(EmbeddedEmbedder):
    """Leaves out what was said before, so that the bench waits for fewer analyses."""

    def document(self, question: str, text: str, *, before: str) -> Mapping[str, float]:
        return super().document(question, text, before="")


def invented(dice: random.Random) -> str:
    return f"{dice.choice(WHO)} {dice.choice(WHERE)} {dice.choice(WHAT)}"


async def measure(people: int, turns: int) -> dict[str, float]:
    dice = random.Random(7)
    with tempfile.TemporaryDirectory() as folder:
        async with open_mentos(Settings(home=Path(folder))) as mentos:
            assert mentos.storage
            memories = mentos.storage.memories
            ids = [UserId(f"person-{number}") for number in range(people)]
            for user_id in ids:
                await live(mentos, Account("bench", user_id), user_id, [invented(dice) for _ in range(turns)])
            await learn(mentos)

            async def recall() -> None:
                await memories.recall(dice.choice(ids), f"{invented(dice)} 왜 그럴까요?", without=(), limit=8)

            for _ in range(50):
                await recall()
            alone = [await timed(recall) for _ in range(400)]
            stalls = [await stall_during([recall] * 20) for _ in range(20)]
            return {
                "points": await mentos.storage.vectors.count(),
                "people": people,
                "recall_ms_median": round(statistics.median(alone), 2),
                "recall_ms_p95": round(statistics.quantiles(alone, n=20)[-1], 2),
                "stall_of_20_at_once_ms_median": round(statistics.median(stalls), 2),
                "stall_of_20_at_once_ms_worst": round(max(stalls), 2),
            }


async def live(mentos: Mentos, account: Account, user_id: UserId, texts: list[str]) -> None:
    """Write turns of an ended counsel straight into the rows of somebody who allowed everything."""
    assert mentos.storage
    counsels = mentos.storage.counsels
    stranger = Person(user_id, CharacterId("mentos"), None)
    await mentos.storage.people.consent(account, stranger, Consent(frozenset(Scope), "bench", now()))
    character = next(iter(mentos.characters.values()))
    turn = await counsels.hear(user_id, Message(account, "first", texts[0], now()), character=character)
    key = await counsels._keys.of(user_id)
    rows = [
        {
            "counsel_id": turn.counsel_id,
            "user_id": user_id,
            "dt_dialog": now() - timedelta(days=number),
            "u_message": key.encrypt(text, column="dialog.u_message"),
            "ai_message": key.encrypt("그랬군요.", column="dialog.ai_message"),
            "change_dialog": key.encrypt("그랬군요.", column="dialog.change_dialog"),
            "dialog_emotion": "슬픔(우울한)",
            "past_dialog": "[]",
            "dt_answered": now(),
        }
        for number, text in enumerate(texts)
    ]
    await mentos.storage.rows.write(lambda connection: connection.execute(insert(dialog), rows))
    await counsels.end(user_id, at=now())


async def learn(mentos: Mentos) -> None:
    """Make all memories from the rows."""
    assert mentos.storage
    mentos.storage.memories._embedder = QuickEmbedder()
    await mentos.storage.memories.rebuild()
    await mentos.remember()
    await mentos.settle()
    mentos.storage.memories._embedder = EmbeddedEmbedder()


async def timed(work: Callable[[], Awaitable[None]]) -> float:
    start = perf_counter()
    await work()
    return (perf_counter() - start) * 1_000


async def stall_during(works: list[Callable[[], Awaitable[None]]]) -> float:
    """Return by how many ms the event loop was late at worst while all of these ran at once."""
    worst, is_over = 0.0, asyncio.Event()

    async def watch() -> None:
        nonlocal worst
        while not is_over.is_set():
            start = perf_counter()
            await asyncio.sleep(0.001)
            worst = max(worst, (perf_counter() - start) * 1_000 - 1)

    watching = asyncio.create_task(watch())
    await asyncio.gather(*(work() for work in works))
    is_over.set()
    await watching
    return worst


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=250)
    parser.add_argument("--turns", type=int, default=200)
    asked = parser.parse_args()
    json.dump(asyncio.run(measure(asked.people, asked.turns)), sys.stdout, indent=2)
    print()
