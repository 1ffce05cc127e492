"""Working ahead: in order, within bounds, and with nothing left behind."""

import asyncio
import gc
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import pytest

from bot.conversation.ahead import ahead

PATIENCE_S = 5


class Numbers:
    """Counts from 0; before `falls_silent_at` it waits for ever, and knows when it is closed."""

    def __init__(self, *, falls_silent_at: int | None = None, fails_at: int | None = None, ends_at: int = 20) -> None:
        self.falls_silent_at = falls_silent_at
        self.fails_at = fails_at
        self.ends_at = ends_at
        self.given = 0
        self.is_closed = False

    async def __call__(self) -> AsyncGenerator[int]:
        try:
            for number in range(self.ends_at):
                if number == self.falls_silent_at:
                    await asyncio.Event().wait()
                if number == self.fails_at:
                    raise ConnectionError
                self.given += 1
                yield number
        finally:
            self.is_closed = True


class Work:
    """Doubles numbers when it may: those in `held` wait for ever, the one in `broken` fails."""

    def __init__(self, *, held: range = range(0), broken: int | None = None) -> None:
        self.held = held
        self.broken = broken
        self.begun: list[int] = []
        self.left: list[int] = []
        self.changed = asyncio.Condition()

    async def __call__(self, number: int) -> int:
        async with self.changed:
            self.begun.append(number)
            self.changed.notify_all()
        if number == self.broken:
            raise ZeroDivisionError
        try:
            while number in self.held:
                await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.left.append(number)
            raise
        return 2 * number

    async def until_begun(self, count: int) -> None:
        async with asyncio.timeout(PATIENCE_S), self.changed:
            await self.changed.wait_for(lambda: len(self.begun) >= count)


async def test_what_is_ready_first_does_not_overtake_what_came_first() -> None:
    third_is_done = asyncio.Event()

    async def work(number: int) -> int:
        if number == 1:
            await third_is_done.wait()
        if number == 2:
            third_is_done.set()
        return number

    async with asyncio.timeout(PATIENCE_S):
        assert [each async for each in ahead(Numbers(ends_at=5)(), work, at_most=2)] == [0, 1, 2, 3, 4]


async def test_of_nothing_there_is_no_result() -> None:
    assert [each async for each in ahead(Numbers(ends_at=0)(), Work(), at_most=2)] == []


async def test_the_first_result_waits_for_no_other_item() -> None:
    async with asyncio.timeout(PATIENCE_S), aclosing(ahead(Numbers(falls_silent_at=1)(), Work(), at_most=3)) as results:
        assert await anext(results) == 0


async def test_others_are_worked_on_while_the_first_is_in_the_takers_hands() -> None:
    work = Work(held=range(1, 20))
    async with asyncio.timeout(PATIENCE_S), aclosing(ahead(Numbers()(), work, at_most=2)) as results:
        await anext(results)
        await work.until_begun(3)


@pytest.mark.parametrize("at_most", [1, 3])
async def test_no_more_are_begun_than_there_is_room_for(at_most: int) -> None:
    taken, work = 0, Work()
    async for _ in ahead(Numbers(ends_at=20)(), work, at_most=at_most):
        taken += 1
        for _ in range(10):
            await asyncio.sleep(0)  # whoever can go on does
        assert len(work.begun) == min(taken + at_most, 20)


@pytest.mark.parametrize(
    ("numbers", "work", "error"),
    [
        (Numbers(fails_at=2), {}, ConnectionError),
        (Numbers(fails_at=3), {"broken": 2}, ZeroDivisionError),
        (Numbers(), {"broken": 2}, ZeroDivisionError),
        (Numbers(), {"broken": 2, "held": range(3, 20)}, ZeroDivisionError),
    ],
)
async def test_what_fails_fails_in_its_place(numbers: Numbers, work: dict[str, Any], error: type[Exception]) -> None:
    results = ahead(numbers(), Work(**work), at_most=4)
    assert [await anext(results), await anext(results)] == [0, 2]
    with pytest.raises(error):
        async with asyncio.timeout(PATIENCE_S):
            await anext(results)
    assert numbers.is_closed
    assert asyncio.all_tasks() == {asyncio.current_task()}


@pytest.mark.parametrize("numbers", [Numbers(), Numbers(falls_silent_at=3)])
async def test_closing_it_ends_all_work_and_closes_what_it_reads(numbers: Numbers) -> None:
    work = Work(held=range(1, 20))
    results = ahead(numbers(), work, at_most=2)
    await anext(results)
    await work.until_begun(3)
    async with asyncio.timeout(PATIENCE_S):
        await results.aclose()

    assert work.left == [1, 2]
    assert numbers.is_closed
    assert asyncio.all_tasks() == {asyncio.current_task()}


@pytest.mark.parametrize("at_work", [[0], [1, 2]])
async def test_a_taker_who_is_cancelled_leaves_nothing_behind(at_work: list[int]) -> None:
    numbers, work = Numbers(), Work(held=range(at_work[0], 20))

    async def take() -> None:
        async for _ in ahead(numbers(), work, at_most=1):
            pass

    taking = asyncio.create_task(take())
    await work.until_begun(at_work[-1] + 1)
    taking.cancel()
    await asyncio.wait([taking], timeout=PATIENCE_S)

    assert taking.cancelled()
    assert work.left == at_work
    assert numbers.is_closed
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_failure_that_nobody_waited_for_is_not_reported() -> None:
    reported: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context))
    work = Work(held=range(1, 2), broken=2)
    async with asyncio.timeout(PATIENCE_S), aclosing(ahead(Numbers(fails_at=3)(), work, at_most=4)) as results:
        await anext(results)
        await work.until_begun(3)

    gc.collect()
    assert reported == []
