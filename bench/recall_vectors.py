"""Time of a search among the vectors of many people, and how long the event loop stands still meanwhile.

    .venv/bin/python bench/recall_vectors.py [--dense 768] > bench/results/recall_vectors.json

Words are drawn as language draws them, a few common and most rare, about twelve a turn. `twenty_at_once`
searches for twenty people together, `compacting` one after another while the folder is compacted.
"""

import argparse
import asyncio
import json
import random
import resource
import statistics
import tempfile
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from itertools import cycle
from pathlib import Path
from time import perf_counter

from bot.conversation.model import EmotionLabel, TurnId, UserId
from storage.vectors import Embedding, Point
from storage.vectors_edge import EdgeVectors

AT = datetime(2026, 11, 22, tzinfo=UTC)
TURN_TERMS = 12
AT_ONCE = 20


def embedding(chance: random.Random, dense: int) -> Embedding:
    words = {int(chance.paretovariate(0.7) * 2_654_435_761) % 2**32: chance.random() + 0.5 for _ in range(TURN_TERMS)}
    return Embedding(words, tuple(chance.gauss(0, 1) for _ in range(dense)) if dense else None)


class Watch:
    """Notes by how much the event loop is late."""

    async def run(self) -> None:
        self.worst_ms = 0.0
        while True:
            before = perf_counter()
            await asyncio.sleep(0.001)
            self.worst_ms = max(self.worst_ms, (perf_counter() - before) * 1_000 - 1)


async def watched(deed: Callable[[], Awaitable[list[float]]]) -> dict[str, float]:
    watch = Watch()
    watching = asyncio.create_task(watch.run())
    await asyncio.sleep(0.01)
    spent = await deed()
    watching.cancel()
    return {
        "searches": len(spent),
        "p50_ms": round(statistics.median(spent), 3),
        "p95_ms": round(statistics.quantiles(spent, n=20)[-1], 3),
        "worst_ms": round(max(spent), 3),
        "event_loop_late_at_most_ms": round(watch.worst_ms, 1),
    }


async def measure(folder: Path, points: int, people: int, dense: int, searches: int) -> dict[str, object]:
    chance = random.Random(7)
    owners = [UserId(f"person-{number:04}-5e47f1c0") for number in range(people)]
    vectors = await EdgeVectors.open(folder, dense_size=dense or None)

    queries = cycle([embedding(chance, dense) for _ in range(200)])

    async def search() -> float:
        query = next(queries)
        without = [TurnId(chance.randrange(points)) for _ in range(20)]
        start = perf_counter()
        await vectors.search(chance.choice(owners), query, without=without, limit=8)
        return (perf_counter() - start) * 1_000

    async def one_by_one() -> list[float]:
        return [await search() for _ in range(searches)]

    async def at_once() -> list[float]:
        rounds = [await asyncio.gather(*(search() for _ in range(AT_ONCE))) for _ in range(searches // AT_ONCE)]
        return [spent for each in rounds for spent in each]

    async def while_compacting() -> list[float]:
        compacting = asyncio.create_task(vectors.compact())
        spent = []
        while not compacting.done():
            spent.append(await search())
        await compacting
        return spent

    start = perf_counter()
    for first in range(0, points, 1_000):
        last = min(points, first + 1_000)
        await vectors.upsert(
            [
                Point(TurnId(number), owners[number % people], AT, EmotionLabel.SAD, embedding(chance, dense))
                for number in range(first, last)
            ]
        )
    upserted = points / (perf_counter() - start)
    await vectors.flush()
    await vectors.close()

    start = perf_counter()
    vectors = await EdgeVectors.open(folder, dense_size=dense or None)
    opened = perf_counter() - start
    results = {
        "one_by_one": await watched(one_by_one),
        "twenty_at_once": await watched(at_once),
        "compacting": await watched(while_compacting),
    }
    await vectors.close()
    return {
        "points": points,
        "people": people,
        "dense": dense,
        "upserted_per_s": round(upserted),
        "opened_s": round(opened, 2),
        "peak_rss_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        **results,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points", type=int, default=50_000)
    parser.add_argument("--people", type=int, default=250)
    parser.add_argument("--dense", type=int, default=0)
    parser.add_argument("--searches", type=int, default=2_000)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        measured = measure(Path(folder) / "vectors", args.points, args.people, args.dense, args.searches)
        print(json.dumps(asyncio.run(measured), indent=2))


if __name__ == "__main__":
    main()
