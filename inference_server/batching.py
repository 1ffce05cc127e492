"""Many callers, one model: what waits together is worked on together, and no more waits than has room."""

import asyncio
import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar, get_args

from prometheus_client import Counter, Histogram

Item = TypeVar("Item")
Result = TypeVar("Result")
Error = TypeVar("Error", bound=BaseException)
Why = Literal["full", "closing", "expired", "failed"]

BATCH_SIZE = Histogram(
    "mentos_batch_size", "Items worked on together", ["name"], buckets=(1, 2, 4, 8, 16, 32, 64, 128, math.inf)
)
QUEUE_WAIT = Histogram("mentos_queue_wait_seconds", "From an item's arrival to its work or its deadline", ["name"])
WORK = Histogram("mentos_work_seconds", "One call of the model, failed ones too", ["name"])
REJECTED = Counter("mentos_rejected", "Items without a result: full, closing, expired or failed", ["name", "why"])


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


class Batcher(Generic[Item, Result]):
    """Answers one item at a time by working on up to `at_most` together, in one thread of its own.

    `work` takes items and gives their results in the same order. The oldest item always goes next, with those that wait
    and are at most twice as long or as short, by `length`. An idle model starts at once. Up to `waiting_at_most` wait
    while it works. Belongs to the event loop that first calls it.
    """

    def __init__(
        self,
        work: Callable[[Sequence[Item]], Sequence[Result]],
        *,
        name: str,
        at_most: int = 8,
        waiting_at_most: int = 256,
        length: Callable[[Item], int] | None = None,
    ) -> None:
        if min(at_most, waiting_at_most) < 1:
            raise ValueError(f"at_most={at_most} and waiting_at_most={waiting_at_most}: both must be 1 or more")
        self._work = work
        self._name = name
        self._at_most = at_most
        self._waiting_at_most = waiting_at_most
        self._length = length
        # in order of arrival; a dict, because whoever gives up leaves from the middle, and takes the item along
        self._waiting: dict[asyncio.Future[Result], _Waiting[Item, Result]] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._runner: asyncio.Task[None] | None = None
        self._is_closed = False
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)
        self._batch_size, self._queue_wait = BATCH_SIZE.labels(name), QUEUE_WAIT.labels(name)
        self._work_seconds = WORK.labels(name)
        self._rejected = {why: REJECTED.labels(name, why) for why in get_args(Why)}

    async def __call__(self, item: Item, *, within_s: float | None = None) -> Result:
        """Return the result of this item. Raises what `work` raised for it, `Overloaded`, `Expired` or `Miscounted`."""
        with self._queued([item], within_s) as [answer]:
            return await answer

    async def together(self, items: Sequence[Item], *, within_s: float | None = None) -> list[Result]:
        """Return the results of all items in order. Raises as for one; `Overloaded` where not all of them find room.

        A failure, or the caller's leaving, takes the other items out of the queue.
        """
        with self._queued(items, within_s) as answers:
            return await asyncio.gather(*answers)

    @contextmanager
    def _queued(self, items: Sequence[Item], within_s: float | None) -> Iterator[Sequence[asyncio.Future[Result]]]:
        """Let all items wait, or none of them."""
        loop = asyncio.get_running_loop()
        self._loop = self._loop or loop
        if loop is not self._loop:
            raise RuntimeError(f"the batcher {self._name!r} belongs to another event loop: make one for each loop")
        if self._is_closed:
            raise self._counted("closing", self._closing(), len(items))
        if len(self._waiting) + len(items) > self._waiting_at_most:
            full = f"has {len(self._waiting)} of {self._waiting_at_most} items waiting; ask again soon"
            raise self._counted("full", Overloaded(f"{self._name} {full}."), len(items))
        if within_s is not None and not within_s > 0:
            raise self._counted("expired", self._late(within_s), len(items))

        since = loop.time()
        until = math.inf if within_s is None else since + within_s
        asked = [
            _Waiting(item, self._length(item) if self._length else 0, since, until, loop.create_future())
            for item in items
        ]
        self._waiting |= {one.answer: one for one in asked}
        alarm = loop.call_at(until, self._expire, asked) if within_s is not None else None
        if self._runner is None or self._runner.done():
            self._runner = loop.create_task(self._run(), name=f"batches of {self._name}")
        try:
            yield [one.answer for one in asked]
        finally:
            if alarm:
                alarm.cancel()
            for one in asked:
                self._waiting.pop(one.answer, None)
                one.answer.cancel()

    async def close(self) -> None:
        """Let what runs finish, fail what waits with `Overloaded`, and end the thread. May be called again."""
        self._is_closed = True
        for one in self._waiting.values():
            self._fail(one, "closing", self._closing())
        self._waiting.clear()
        if self._runner and not self._runner.done():
            await asyncio.wait([self._runner])
        await asyncio.to_thread(self._thread.shutdown)

    async def _run(self) -> None:
        """Work until nothing waits: an idle batcher has no task."""
        batch: list[_Waiting[Item, Result]] = []
        try:
            while batch := self._next():
                await self._answer(batch)
        finally:
            # when the loop ends under it, nobody is left to wait for ever
            for answer in (*(one.answer for one in batch), *self._waiting):
                answer.cancel()

    def _next(self) -> list[_Waiting[Item, Result]]:
        """Take the oldest that somebody still wants, and what is like it."""
        now = asyncio.get_running_loop().time()
        batch: list[_Waiting[Item, Result]] = []
        for one in self._waiting.values():
            if one.until <= now:
                # the loop was late, and so is the alarm
                self._expire([one])
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

    async def _answer(self, batch: Sequence[_Waiting[Item, Result]]) -> None:
        """Give everybody who still waits a result or an error; when several fail together, each is tried alone."""
        loop = asyncio.get_running_loop()
        working = loop.run_in_executor(self._thread, self._results, [one.item for one in batch])
        [outcome] = await asyncio.gather(working, return_exceptions=True)
        if isinstance(outcome, BaseException):
            if len(batch) == 1:
                self._fail(batch[0], "failed", outcome)
                return
            for one in batch:
                if not one.answer.done():
                    await self._answer([one])
        elif len(outcome) != len(batch):
            for one in batch:
                miscounted = f"the work of {self._name!r} gave {len(outcome)} results for {len(batch)} items"
                self._fail(one, "failed", Miscounted(miscounted))
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

    def _expire(self, late: Sequence[_Waiting[Item, Result]]) -> None:
        for one in late:
            if one.answer in self._waiting and not one.answer.done():
                self._queue_wait.observe(one.until - one.since)
            self._fail(one, "expired", self._late(one.until - one.since))

    def _fail(self, one: _Waiting[Item, Result], why: Why, error: BaseException) -> None:
        if not one.answer.done():
            one.answer.set_exception(self._counted(why, error, 1))

    def _counted(self, why: Why, error: Error, items: int) -> Error:
        self._rejected[why].inc(items)
        return error

    def _late(self, within_s: float) -> Expired:
        return Expired(f"{self._name} had no answer within {within_s:g} s; ask again, or give it longer.")

    def _closing(self) -> Overloaded:
        return Overloaded(f"{self._name} is closing; ask again when it is back.")
