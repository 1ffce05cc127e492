"""What a batcher costs beside a thread asked item by item, and what it does with three times what its model can do.

    .venv/bin/python -m bench.batching [--json FILE]

Cost is CPU time of the whole process, every thread counted, with work that does nothing: 20,000 items of 64 callers who
each ask again when they are answered; the median of five turns, peers alternating. The load is 10,000 requests offered
at three times the rate that the model, which waits 8 ms for each batch of 8, was measured to reach just before; once
more with a queue that turns nobody away. Waits are wall time from the offer; memory is traced in a run of its own.
"""

import argparse
import asyncio
import json
import statistics
import tracemalloc
from array import array
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import perf_counter, process_time, sleep

from inference_server.batching import Batcher, Overloaded

CALLERS, ITEMS, TURNS = 64, 20_000, 5
REQUESTS, TIMES_CAPACITY = 10_000, 3
AT_MOST, WAITING_AT_MOST = 8, 256
BATCH_S = 0.008
DEADLINE_S = 60.0

Ask = Callable[[int], Awaitable[int]]


async def measure() -> dict[str, object]:
    return {
        "cpu_us_an_item": await costs(),
        "overload": await overload(waiting_at_most=WAITING_AT_MOST),
        "overload, nobody turned away": await overload(waiting_at_most=REQUESTS),
    }


async def costs() -> dict[str, float]:
    loop = asyncio.get_running_loop()
    eight = Batcher(unchanged, name="eight", at_most=8)
    all_at_once = Batcher(unchanged, name="all", at_most=CALLERS)
    alike = Batcher(unchanged, name="alike", at_most=8, length=lambda number: number % 100)
    with ThreadPoolExecutor(1) as thread:
        ways: dict[str, Ask] = {
            "batcher, 8 together": eight,
            "batcher, 8 together, with a deadline": lambda number: eight(number, within_s=DEADLINE_S),
            "batcher, 8 of like length, with a deadline": lambda number: alike(number, within_s=DEADLINE_S),
            "batcher, 64 together": all_at_once,
            "run_in_executor, one by one": lambda number: loop.run_in_executor(thread, same, number),
            "asyncio.to_thread, one by one": lambda number: asyncio.to_thread(same, number),
        }
        spent: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(TURNS):
            for name, way in ways.items():
                spent[name].append(await cpu_us(way))
    for batcher in (eight, all_at_once, alike):
        await batcher.close()
    return {name: round(statistics.median(times), 1) for name, times in spent.items()}


async def cpu_us(ask: Ask) -> float:
    async def caller(first: int) -> None:
        for number in range(first, ITEMS, CALLERS):
            assert await ask(number) == number

    start = process_time()
    await asyncio.gather(*map(caller, range(CALLERS)))
    return (process_time() - start) / ITEMS * 1e6


async def overload(*, waiting_at_most: int) -> dict[str, float | None]:
    batcher = Batcher(slow, name="slow", at_most=AT_MOST, waiting_at_most=waiting_at_most)
    a_second = await capacity(batcher)
    load = await Load(batcher).offer(TIMES_CAPACITY * a_second)

    traced = Load(batcher)
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    await traced.offer(TIMES_CAPACITY * a_second)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    await batcher.close()
    return {
        "capacity_a_second": round(a_second),
        "offered_a_second": round(load.offered_a_second),
        "served": len(load.served),
        "rejected": len(load.rejected),
        "largest_queue": load.largest_queue,
        "wait_of_the_served_s_median": round(statistics.median(load.served), 3),
        "wait_of_the_served_s_longest": round(max(load.served), 3),
        "told_of_rejection_us_median": round(statistics.median(load.rejected) * 1e6) if load.rejected else None,
        "told_of_rejection_us_longest": round(max(load.rejected) * 1e6) if load.rejected else None,
        "peak_extra_kib": round((peak - before) / 1024),
    }


async def capacity(batcher: Batcher[int, int]) -> float:
    """Return how many items a second are served to as many callers as keep every batch full."""
    start = perf_counter()
    for _ in range(10):
        await asyncio.gather(*map(batcher, range(10 * AT_MOST)))
    return 100 * AT_MOST / (perf_counter() - start)


class Load:
    """Callers who come at a fixed rate, whether or not others were answered."""

    def __init__(self, batcher: Batcher[int, int]) -> None:
        self._batcher = batcher
        self.largest_queue = 0
        self.offered_a_second = 0.0
        self.served, self.rejected = array("d"), array("d")

    async def offer(self, a_second: float) -> "Load":
        start = perf_counter()
        async with asyncio.TaskGroup() as group:
            for number in range(REQUESTS):
                if (early := start + number / a_second - perf_counter()) > 0:
                    await asyncio.sleep(early)
                group.create_task(self._caller(number, perf_counter()))
            self.offered_a_second = REQUESTS / (perf_counter() - start)
        return self

    async def _caller(self, number: int, offered: float) -> None:
        try:
            assert await self._batcher(number, within_s=DEADLINE_S) == number
        except Overloaded:
            self.rejected.append(perf_counter() - offered)
        else:
            self.served.append(perf_counter() - offered)
        self.largest_queue = max(self.largest_queue, len(self._batcher._waiting))


def same(number: int) -> int:
    return number


def unchanged(numbers: Sequence[int]) -> Sequence[int]:
    return numbers


def slow(numbers: Sequence[int]) -> Sequence[int]:
    sleep(BATCH_S)
    return numbers


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    table = json.dumps(asyncio.run(measure()), indent=2)
    print(table)
    if options.json:
        options.json.write_text(table + "\n", "utf-8")


if __name__ == "__main__":
    main()
