"""Many callers, one model: what waits together is worked on together, and no more waits than has room."""

import asyncio
import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Generic, TypeVar

from prometheus_client import Counter, Histogram

Item = TypeVar("Item")
Result = TypeVar("Result")

BATCH_SIZE = Histogram(
    "mentos_batch_size", "Items worked on together", ["name"], buckets=(1, 2, 4, 8, 16, 32, 64, 128, math.inf)
)
QUEUE_WAIT = Histogram("mentos_queue_wait_seconds", "From an item's arrival to its work", ["name"])
WORK = Histogram("mentos_work_seconds", "One call of the model, failed ones too", ["name"])
REJECTED = Counter("mentos_rejected", "Items turned away: no room to wait, or closing", ["name"])


class Overloaded(Exception):
    """There is no room to wait, or the model is closing. One sentence, never an item."""


class Expired(Exception):
    """The time that a caller had given is over. One sentence, never an item."""


class Miscounted(Exception):
    """The work gave more or fewer results than it had items, so that nobody knows whose are whose."""


@dataclass(frozen=True, slots=True)
class _Waiting(Generic[Item, Result]):
    """An item in the queue; times are the event loop's, in seconds."""

    item: Item
    length: int
    since: float
    until: float
    answer: asyncio.Future[Result]

    def is_like(self, other: "_Waiting[Item, Result]") -> bool:
        return self.length <= 2 * other.length and other.length <= 2 * self.length

    def give(self, result: Result) -> None:
        if not self.answer.done():
            self.answer.set_result(result)

    def fail(self, error: BaseException) -> None:
        if not self.answer.done():
            self.answer.set_exception(error)


class Batcher(Generic[Item, Result]):
    """Answers one item at a time by working on up to `at_most` together, in one thread of its own.

    `work` takes items and gives their results in the same order. The oldest item always goes next, with those that wait
    and are at most twice as long or as short, by `length`. An idle model starts at once, or after `linger_s`, so that
    others may join. Up to `waiting_at_most` wait while it works. Belongs to the event loop that first calls it.
    """

    def __init__(
        self,
        work: Callable[[Sequence[Item]], Sequence[Result]],
        *,
        name: str,
        at_most: int = 8,
        waiting_at_most: int = 256,
        linger_s: float = 0.0,
        length: Callable[[Item], int] | None = None,
    ) -> None:
        if min(at_most, waiting_at_most) < 1:
            raise ValueError(f"at_most={at_most} and waiting_at_most={waiting_at_most}: both must be 1 or more")
        self._work = work
        self._name = name
        self._at_most = at_most
        self._waiting_at_most = waiting_at_most
        self._linger_s = linger_s
        self._length = length
        # in order of arrival; a dict, because whoever gives up leaves from the middle, and takes the item along
        self._waiting: dict[asyncio.Future[Result], _Waiting[Item, Result]] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._runner: asyncio.Task[None] | None = None
        self._enough = asyncio.Event()
        self._is_closed = False
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)
        self._batch_size, self._queue_wait = BATCH_SIZE.labels(name), QUEUE_WAIT.labels(name)
        self._work_seconds, self._rejected = WORK.labels(name), REJECTED.labels(name)

    async def __call__(self, item: Item, *, within_s: float | None = None) -> Result:
        """Return the result of this item. Raises what `work` raised for it, `Overloaded`, `Expired` or `Miscounted`."""
        loop = asyncio.get_running_loop()
        self._loop = self._loop or loop
        if loop is not self._loop:
            raise RuntimeError(f"the batcher {self._name!r} belongs to another event loop: make one for each loop")
        if self._is_closed:
            raise self._turned_away("is closing; ask again when it is back")
        if len(self._waiting) >= self._waiting_at_most:
            raise self._turned_away(f"has {self._waiting_at_most} items waiting, its most; ask again in a moment")
        if within_s is not None and not within_s > 0:
            raise self._late(within_s)

        since = loop.time()
        until = math.inf if within_s is None else since + within_s
        length = self._length(item) if self._length else 0
        answer: asyncio.Future[Result] = loop.create_future()
        waiting = self._waiting[answer] = _Waiting(item, length, since, until, answer)
        alarm = loop.call_at(until, self._expire, waiting) if within_s is not None else None
        if len(self._waiting) >= self._at_most:
            self._enough.set()
        if self._runner is None or self._runner.done():
            self._runner = loop.create_task(self._run(), name=f"batches of {self._name}")
        try:
            return await answer
        finally:
            if alarm:
                alarm.cancel()
            self._waiting.pop(answer, None)
            answer.cancel()

    async def close(self) -> None:
        """Let what runs finish, fail what waits with `Overloaded`, and end the thread. May be called again."""
        self._is_closed = True
        for one in self._waiting.values():
            if not one.answer.done():
                one.fail(self._turned_away("is closing; ask again when it is back"))
        self._waiting.clear()
        self._enough.set()
        if self._runner and not self._runner.done():
            await asyncio.wait([self._runner])
        await asyncio.to_thread(self._thread.shutdown)

    async def _run(self) -> None:
        """Work until nothing waits: an idle batcher has no task."""
        batch: list[_Waiting[Item, Result]] = []
        try:
            while batch := await self._next():
                await self._answer(batch)
        finally:
            # when the loop ends under it, nobody is left to wait for ever
            for answer in (*(one.answer for one in batch), *self._waiting):
                answer.cancel()

    async def _next(self) -> list[_Waiting[Item, Result]]:
        """Take the oldest that somebody still wants, and what is like it."""
        if self._linger_s and self._waiting:
            await self._linger()
        now = asyncio.get_running_loop().time()
        batch: list[_Waiting[Item, Result]] = []
        for one in self._waiting.values():
            if one.until <= now:
                # the loop was late, and so is the alarm
                self._expire(one)
            if one.answer.done():
                continue
            if not batch or one.is_like(batch[0]):
                batch.append(one)
            if len(batch) == self._at_most:
                break
        for one in batch:
            del self._waiting[one.answer]
            self._queue_wait.observe(now - one.since)
        return batch

    async def _linger(self) -> None:
        """Wait until a batch may be full or the oldest has waited `linger_s`."""
        if len(self._waiting) < self._at_most:
            self._enough.clear()
        oldest = next(iter(self._waiting.values()))
        with suppress(TimeoutError):
            async with asyncio.timeout_at(oldest.since + self._linger_s):
                await self._enough.wait()

    async def _answer(self, batch: Sequence[_Waiting[Item, Result]]) -> None:
        """Give everybody who still waits a result or an error; when several fail together, each is tried alone."""
        loop = asyncio.get_running_loop()
        working = loop.run_in_executor(self._thread, self._results, [one.item for one in batch])
        [outcome] = await asyncio.gather(working, return_exceptions=True)
        if isinstance(outcome, BaseException):
            if len(batch) == 1:
                batch[0].fail(outcome)
                return
            for one in batch:
                if not one.answer.done():
                    await self._answer([one])
        elif len(outcome) != len(batch):
            for one in batch:
                one.fail(Miscounted(f"the work of {self._name!r} gave {len(outcome)} results for {len(batch)} items"))
        else:
            for one, result in zip(batch, outcome, strict=True):
                one.give(result)

    def _results(self, items: Sequence[Item]) -> list[Result]:
        self._batch_size.observe(len(items))
        with self._work_seconds.time():
            try:
                return list(self._work(items))
            except StopIteration as stop:
                # no future carries one: whoever waits would wait for ever
                raise RuntimeError(f"the work of {self._name!r} raised StopIteration") from stop

    def _expire(self, one: _Waiting[Item, Result]) -> None:
        one.fail(self._late(one.until - one.since))

    def _late(self, within_s: float) -> Expired:
        return Expired(f"{self._name} had no answer within {within_s:g} s; ask again, or give it longer.")

    def _turned_away(self, why: str) -> Overloaded:
        self._rejected.inc()
        return Overloaded(f"{self._name} {why}.")
