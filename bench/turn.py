"""CPU of a whole durable turn with the script, for somebody with memories, and the memory of a process without the web.

    .venv/bin/python bench/turn.py [--turns 300] [--memories 1000] > bench/results/turn.json

The turn is `respond` and `delivered` through the composition root, SQLite with synchronous=FULL, every thread counted.
Every eighth turn also works off the outbox, which the mean holds and the median does not. The ratio is against the
bare minimum measured in the same run: one durable insert through the standard library.
"""

import argparse
import asyncio
import json
import os
import random
import resource
import sqlite3
import statistics
import sys
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path
from time import process_time

from recall import invented, learn, live

from bot.app import now, open_mentos
from bot.conversation.model import Account, Message, UserId
from bot.settings import Settings

SAID = [
    "요즘 잠이 잘 안 와요",
    "내일 면접이 있는데 너무 떨려요. 준비는 많이 했는데도 자꾸 걱정이 돼요.",
    "친구가 응원해 줘서 고마웠어요",
    "팀장님이 제 의견을 또 무시했어요 ㅠㅠ",
    "오늘은 그냥 집에서 쉬었어요",
    "어떻게 해야 할까요?",
    "강아지가 아파서 병원에 다녀왔어요",
    "고마워요. 이야기하니까 좀 나아졌어요!",
]


async def measure(turns: int, memories: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        settings = Settings(home=home, consent={"assume": "storage,memory"})  # type: ignore[arg-type]
        async with AsyncExitStack() as stack:
            mentos = await stack.enter_async_context(open_mentos(settings))
            account = Account("bench", "haneul")
            if memories:
                dice = random.Random(7)
                told = [f"{invented(dice)}. {SAID[number % len(SAID)]}" for number in range(memories)]
                await live(mentos, account, UserId("haneul"), told)
                await learn(mentos)

            async def turn(number: int) -> float:
                message = Message(account, str(number), SAID[number % len(SAID)], now())
                start = process_time()
                async for _ in mentos.conversation.respond(message):
                    pass
                await mentos.conversation.delivered(message)
                return (process_time() - start) * 1_000

            for number in range(20):
                await turn(-number - 1)
            idle_mb = resident_mb()
            spent = [await turn(number) for number in range(turns)]

        insert = durable_insert_ms(home / "plain.sqlite3", turns)
    median = statistics.median(spent)
    return {
        "turns": turns,
        "memories": memories,
        "turn_cpu_ms_median": round(median, 2),
        "turn_cpu_ms_mean": round(statistics.fmean(spent), 2),
        "turn_cpu_ms_p95": round(statistics.quantiles(spent, n=20)[-1], 2),
        "plain_insert_cpu_ms_median": round(insert, 3),
        "ratio_turn_to_plain_insert": round(median / insert, 1),
        "idle_rss_mb": idle_mb,
        "peak_rss_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }


def durable_insert_ms(path: Path, times: int) -> float:
    rows = sqlite3.connect(path, isolation_level=None)
    rows.executescript(
        "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; CREATE TABLE t (id INTEGER PRIMARY KEY, b BLOB)"
    )
    spent = []
    for _ in range(times):
        start = process_time()
        rows.execute("INSERT INTO t (b) VALUES (?)", (os.urandom(200),))
        spent.append((process_time() - start) * 1_000)
    rows.close()
    return statistics.median(spent)


def resident_mb() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return round(pages * os.sysconf("SC_PAGE_SIZE") / 2**20)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=300)
    parser.add_argument("--memories", type=int, default=1_000)
    asked = parser.parse_args()
    json.dump(asyncio.run(measure(asked.turns, asked.memories)), sys.stdout, indent=2)
    print()
