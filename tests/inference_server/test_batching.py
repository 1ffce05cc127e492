"""Many callers and one model, with real threads; the model works only when a test lets it."""

import asyncio
import gc
import logging
import math
import selectors
import threading
import weakref
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from itertools import count

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import REGISTRY

from inference_server.batching import Batcher, Expired, Miscounted, Overloaded

PATIENCE_S = 30
A_BLINK_S = 0.02
NEVER_S = 3_600.0

_numbers = count()


@pytest.fixture(autouse=True, scope="module")
def _quick_collections() -> Iterator[None]:
    """Nearly every test here collects garbage: only its own, not what other suites left."""
    gc.freeze()
    yield
    gc.unfreeze()


def doubled(numbers: Sequence[int]) -> list[int]:
    return [2 * number for number in numbers]


class HeldModel:
    """Works only when it is let, and keeps what it was asked together."""

    def __init__(self, work: Callable[[Sequence[int]], Sequence[int]] = doubled) -> None:
        self._work = work
        self._starts, self._permits = threading.Semaphore(0), threading.Semaphore(0)
        self.asked: list[list[int]] = []

    def __call__(self, numbers: Sequence[int]) -> Sequence[int]:
        self.asked.append([*numbers])
        self._starts.release()
        assert self._permits.acquire(timeout=PATIENCE_S)
        return self._work(numbers)

    async def has_started(self) -> None:
        assert await asyncio.to_thread(self._starts.acquire, timeout=PATIENCE_S)

    def let(self, times: int = 1_000) -> None:
        self._permits.release(times)


@asynccontextmanager
async def batching(
    work: Callable[[Sequence[int]], Sequence[int]] = doubled,
    *,
    name: str | None = None,
    at_most: int = 8,
    waiting_at_most: int = 256,
    length: Callable[[int], int] | None = None,
) -> AsyncIterator[Batcher[int, int]]:
    """Open a batcher, and see at the end that it left no task, no thread and no error that nobody heard."""
    loop, unheard = asyncio.get_running_loop(), list[dict[str, object]]()
    loop.set_exception_handler(lambda _, context: unheard.append(context))
    name = name or new_name()
    batcher = Batcher(work, name=name, at_most=at_most, waiting_at_most=waiting_at_most, length=length)
    try:
        async with asyncio.timeout(PATIENCE_S):
            yield batcher
    finally:
        if isinstance(work, HeldModel):
            work.let()
        await batcher.close()
    await turn()
    gc.collect()
    await turn()
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert not threads_of(name)
    assert not unheard


def new_name() -> str:
    return f"model-{next(_numbers)}-"


def threads_of(name: str) -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith(name)]


async def turn() -> None:
    """Let what is ready on the loop go one step: a task that was just made has then asked."""
    await asyncio.sleep(0)


async def ask(batcher: Batcher[int, int], *numbers: int, within_s: float | None = None) -> list[asyncio.Task[int]]:
    tasks = [asyncio.create_task(batcher(number, within_s=within_s)) for number in numbers]
    await turn()
    return tasks


async def occupy(batcher: Batcher[int, int], model: HeldModel, number: int = 0) -> asyncio.Task[int]:
    [task] = await ask(batcher, number)
    await model.has_started()
    return task


async def outcomes(tasks: Sequence[asyncio.Task[int]]) -> list[int | BaseException]:
    return await asyncio.gather(*tasks, return_exceptions=True)


def sample(metric: str, name: str) -> float:
    value = REGISTRY.get_sample_value(metric, {"name": name})
    assert value is not None
    return value


def rejected(name: str) -> dict[str, float]:
    """Return how many items had no result, by why; what is zero is left out."""
    whys = ("full", "closing", "expired", "failed")
    counts = {why: REGISTRY.get_sample_value("mentos_rejected_total", {"name": name, "why": why}) for why in whys}
    assert None not in counts.values()
    return {why: count for why, count in counts.items() if count}


async def test_everybody_gets_the_result_of_their_own_item() -> None:
    async with batching() as batcher:

        async def caller(first: int) -> None:
            for number in range(first, first + 20):
                assert await batcher(number, within_s=PATIENCE_S) == 2 * number

        await asyncio.gather(*(caller(1_000 * number) for number in range(64)))


async def test_what_waits_is_worked_on_together_but_no_more_than_may_be() -> None:
    model = HeldModel()
    async with batching(model, at_most=4) as batcher:
        first = await occupy(batcher, model)
        tasks = await ask(batcher, *range(1, 11))
        model.let()

        assert await outcomes([first, *tasks]) == doubled(range(11))
        assert model.asked == [[0], [1, 2, 3, 4], [5, 6, 7, 8], [9, 10]]


async def test_work_is_done_one_batch_at_a_time_in_one_thread_that_is_not_the_loops() -> None:
    seen: set[int] = set()

    def work(numbers: Sequence[int]) -> list[int]:
        seen.add(threading.get_ident())
        return doubled(numbers)

    async with batching(work, at_most=1) as batcher:
        await outcomes(await ask(batcher, *range(20)))

    assert len(seen) == 1
    assert threading.get_ident() not in seen


async def test_an_idle_model_waits_for_nobody() -> None:
    async with batching(at_most=64) as batcher:
        assert await batcher(21) == 42


async def test_items_go_with_those_of_like_length_and_the_oldest_first() -> None:
    model = HeldModel()
    async with batching(model, length=abs) as batcher:
        await occupy(batcher, model)
        tasks = await ask(batcher, 10, 100, 15, 300, 20, 21, 150, 5, 4)
        model.let()
        await outcomes(tasks)

    assert model.asked == [[0], [10, 15, 20, 5], [100, 150], [300], [21], [4]]


async def test_a_long_item_does_not_starve_among_short_ones_that_keep_coming() -> None:
    model = HeldModel()
    async with batching(model, at_most=2, length=abs) as batcher:
        tasks = [await occupy(batcher, model)]
        tasks += await ask(batcher, 1, 500, 1, 1)
        for _ in range(3):
            tasks += await ask(batcher, 1, 1)
            model.let(1)
            await model.has_started()
        model.let()
        await outcomes(tasks)

    assert model.asked[:3] == [[0], [1, 1], [500]]


@settings(max_examples=60, deadline=None)
@given(lengths=st.lists(st.integers(0, 50), min_size=1, max_size=40), at_most=st.integers(1, 9))
def test_however_long_items_are_each_is_worked_on_once_and_the_oldest_is_next(lengths: list[int], at_most: int) -> None:
    model = HeldModel()

    async def everybody() -> None:
        batcher = Batcher(model, name="model", at_most=at_most, length=lambda number: lengths[number])
        first = await occupy(batcher, model)
        tasks = await ask(batcher, *range(len(lengths)))
        model.let()
        assert await outcomes([first, *tasks]) == [0, *doubled(range(len(lengths)))]
        await batcher.close()

    asyncio.run(everybody())

    left = list(range(len(lengths)))
    for batch in model.asked[1:]:
        assert batch[0] == left[0]
        assert len(batch) <= at_most
        for number in batch:
            shorter, longer = sorted((lengths[batch[0]], lengths[number]))
            assert longer <= 2 * shorter
            left.remove(number)
    assert not left


async def test_an_item_whose_caller_left_is_not_worked_on() -> None:
    model = HeldModel()
    async with batching(model) as batcher:
        await occupy(batcher, model)
        stays, leaves, stays_too = await ask(batcher, 1, 2, 3)
        leaves.cancel()
        model.let()

        assert await outcomes([stays, stays_too]) == [2, 6]
        assert leaves.cancelled()
        assert model.asked == [[0], [1, 3]]


async def test_whoever_leaves_makes_room() -> None:
    model = HeldModel()
    async with batching(model, waiting_at_most=1) as batcher:
        await occupy(batcher, model)
        [leaves] = await ask(batcher, 1)
        leaves.cancel()
        await outcomes([leaves])
        [comes] = await ask(batcher, 2)
        model.let()

        assert await comes == 4


async def test_a_caller_who_leaves_during_the_work_takes_nothing_from_the_others() -> None:
    model = HeldModel()
    async with batching(model) as batcher:
        await occupy(batcher, model)
        stays, leaves = await ask(batcher, 1, 2)
        model.let(1)
        await model.has_started()
        leaves.cancel()
        model.let()

        assert await stays == 2
        assert leaves.cancelled()
        assert await batcher(5) == 10


def fails(_: Sequence[int]) -> list[int]:
    raise OSError("disk")


async def test_an_error_for_a_caller_that_was_put_away_without_being_cancelled_is_dropped() -> None:
    model = HeldModel(fails)
    async with batching(model) as batcher:
        caller = batcher(1)
        caller.send(None)
        await model.has_started()
        caller.close()
        model.let()


async def test_an_error_that_nobody_waits_for_any_more_is_dropped() -> None:
    model = HeldModel(fails)
    async with batching(model) as batcher:
        task = await occupy(batcher, model)
        task.cancel()
        await outcomes([task])
        model.let()


async def test_a_caller_hears_at_the_deadline_though_the_model_is_busy_and_the_item_is_not_worked_on() -> None:
    model = HeldModel()
    async with batching(model, name="emotion") as batcher:
        busy = await occupy(batcher, model)
        with pytest.raises(Expired, match=r"^emotion had no answer within 0\.02 s; .+\.$"):
            await batcher(1, within_s=A_BLINK_S)
        model.let()

        assert await busy == 0
        assert await batcher(2, within_s=PATIENCE_S) == 4
        assert model.asked == [[0], [2]]


async def test_a_deadline_that_passes_during_the_work_takes_nothing_from_the_others() -> None:
    model = HeldModel()
    async with batching(model) as batcher:
        patient, hasty = asyncio.create_task(batcher(1)), asyncio.create_task(batcher(2, within_s=20 * A_BLINK_S))
        await model.has_started()
        assert model.asked == [[1, 2]]
        with pytest.raises(Expired):
            await hasty
        assert not patient.done()
        model.let()

        assert await patient == 2


async def test_whoever_expires_makes_room() -> None:
    model = HeldModel()
    async with batching(model, waiting_at_most=1) as batcher:
        await occupy(batcher, model)
        with pytest.raises(Expired):
            await batcher(1, within_s=A_BLINK_S)
        [comes] = await ask(batcher, 2)
        model.let()

        assert await comes == 4


async def test_an_item_is_not_worked_on_after_its_deadline_even_when_the_loop_was_late() -> None:
    model = HeldModel()
    model.let()
    loop = asyncio.get_running_loop()
    async with batching(model) as batcher:
        task = asyncio.create_task(batcher(1, within_s=A_BLINK_S))
        await turn()
        end = loop.time() + 2 * A_BLINK_S
        while loop.time() < end:
            pass

        with pytest.raises(Expired):
            await task
        assert await batcher(2) == 4
        assert model.asked == [[2]]


@pytest.mark.parametrize("within_s", [0, -1.0, math.nan])
async def test_no_time_at_all_is_over_at_once(within_s: float) -> None:
    model = HeldModel()
    async with batching(model) as batcher:
        with pytest.raises(Expired):
            await batcher(1, within_s=within_s)
    assert model.asked == []


async def test_a_full_queue_turns_away_at_once_and_serves_those_it_let_in() -> None:
    model, name = HeldModel(), new_name()
    async with batching(model, name=name, waiting_at_most=3) as batcher:
        busy = await occupy(batcher, model)
        *let_in, first_out, second_out = await ask(batcher, 1, 2, 3, 4, 5)

        assert not any(task.done() for task in (busy, *let_in))
        for task in (first_out, second_out):
            assert task.done()
            with pytest.raises(Overloaded, match=rf"^{name} has 3 of 3 items waiting; .+\.$"):
                await task
        model.let()
        assert await outcomes([busy, *let_in]) == [0, 2, 4, 6]
    assert rejected(name) == {"full": 2}


async def test_one_bad_item_fails_alone() -> None:
    def work(numbers: Sequence[int]) -> list[int]:
        if 13 in numbers:
            raise ArithmeticError("a number that nobody likes")
        return doubled(numbers)

    model = HeldModel(work)
    async with batching(model) as batcher:
        await occupy(batcher, model)
        one, bad, other = await ask(batcher, 1, 13, 2)
        model.let()

        assert await outcomes([one, other]) == [2, 4]
        with pytest.raises(ArithmeticError, match="nobody likes"):
            await bad
        assert model.asked == [[0], [1, 13, 2], [1], [13], [2]]
        assert await batcher(3) == 6


async def test_when_each_is_tried_alone_those_who_left_meanwhile_are_not() -> None:
    def work(numbers: Sequence[int]) -> list[int]:
        if len(numbers) > 1:
            raise MemoryError
        return doubled(numbers)

    model = HeldModel(work)
    async with batching(model) as batcher:
        await occupy(batcher, model)
        stays, leaves, stays_too = await ask(batcher, 1, 2, 3)
        model.let(2)
        await model.has_started()
        await model.has_started()
        leaves.cancel()
        model.let()

        assert await outcomes([stays, stays_too]) == [2, 6]
        assert model.asked == [[0], [1, 2, 3], [1], [3]]


@pytest.mark.parametrize("results", [[], [1], [1, 2, 3]])
async def test_results_that_cannot_be_told_apart_are_nobodys(results: list[int]) -> None:
    model = HeldModel(lambda numbers: results if len(numbers) == 2 else doubled(numbers))
    async with batching(model, name="tone") as batcher:
        await occupy(batcher, model)
        tasks = await ask(batcher, 1, 2)
        model.let()

        for task in tasks:
            with pytest.raises(Miscounted, match=rf"'tone' gave {len(results)} results for 2 items"):
                await task
        assert model.asked == [[0], [1, 2]]
        assert await batcher(3) == 6


async def test_work_that_gives_nothing_at_all_is_an_error_and_no_hang() -> None:
    async with batching(lambda _: None) as batcher:  # type: ignore[arg-type, return-value]
        for outcome in await outcomes(await ask(batcher, 1, 2)):
            assert isinstance(outcome, TypeError)


async def test_work_that_runs_off_the_end_of_an_iterator_is_an_error_and_no_hang() -> None:
    async with batching(lambda numbers: [next(iter([])) for _ in [0]] or numbers, name="tone") as batcher:
        with pytest.raises(RuntimeError, match="'tone' raised StopIteration"):
            await batcher(1)


async def test_results_may_come_as_an_array() -> None:
    def work(numbers: Sequence[int]) -> Sequence[int]:
        return np.array(numbers) * 2  # type: ignore[return-value]

    async with batching(work) as batcher:
        assert await outcomes(await ask(batcher, 1, 2, 3)) == [2, 4, 6]


async def test_an_item_whose_length_cannot_be_told_fails_alone() -> None:
    def length(number: int) -> int:
        return 100 // number

    async with batching(length=length) as batcher:
        one, bad, other = await ask(batcher, 1, 0, 2)

        assert await outcomes([one, other]) == [2, 4]
        with pytest.raises(ZeroDivisionError):
            await bad


async def test_closing_lets_what_runs_finish_and_fails_what_waits_and_what_comes() -> None:
    model, name = HeldModel(), new_name()
    async with batching(model, name=name) as batcher:
        runs = await occupy(batcher, model)
        waits = await ask(batcher, 1, 2)
        closing = asyncio.create_task(batcher.close())
        await turn()

        for task in (*waits, *await ask(batcher, 3)):
            with pytest.raises(Overloaded, match=rf"^{name} is closing; .+\.$"):
                await task
        assert not runs.done()
        assert not closing.done()
        model.let()
        await closing
        assert await runs == 0
        assert model.asked == [[0]]
        assert not threads_of(name)
    assert rejected(name) == {"closing": 3}


async def test_closing_may_be_given_up_and_tried_again() -> None:
    model = HeldModel()
    async with batching(model) as batcher:
        runs = await occupy(batcher, model)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(batcher.close(), A_BLINK_S)
        model.let()
        await batcher.close()
        await batcher.close()

        assert await runs == 0


async def test_one_that_was_never_asked_can_be_closed() -> None:
    async with batching() as batcher:
        await batcher.close()


async def test_an_idle_batcher_has_no_task() -> None:
    async with batching() as batcher:
        await batcher(1)
        await turn()

        assert asyncio.all_tasks() == {asyncio.current_task()}


def test_a_busy_model_does_not_keep_the_loop_busy() -> None:
    class CountingSelector(selectors.DefaultSelector):
        turns = 0

        def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
            self.turns += 1
            return super().select(timeout)

    model, selector = HeldModel(), CountingSelector()

    async def held() -> int:
        async with batching(model) as batcher:
            tasks = [await occupy(batcher, model), *await ask(batcher, *range(20))]
            before = selector.turns
            await asyncio.sleep(5 * A_BLINK_S)
            turns = selector.turns - before
            model.let()
            await outcomes(tasks)
            return turns

    with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(selector)) as runner:
        assert runner.run(held()) < 10


async def test_an_item_is_let_go_of_as_soon_as_its_caller_is_gone() -> None:
    class Text:
        pass

    let = threading.Event()

    def work(texts: Sequence[Text]) -> list[int]:
        assert let.wait(PATIENCE_S)
        return [0 for _ in texts]

    batcher = Batcher(work, name=new_name())

    def caller() -> tuple[asyncio.Task[int], weakref.ref[Text]]:
        text = Text()
        return asyncio.create_task(batcher(text, within_s=NEVER_S)), weakref.ref(text)

    runs, text_that_runs = caller()
    await turn()
    await turn()
    waits, text_that_waits = caller()
    await turn()
    assert text_that_waits()
    waits.cancel()
    await asyncio.wait([waits])
    del waits
    gc.collect()
    assert text_that_waits() is None

    let.set()
    await runs
    await batcher.close()
    gc.collect()
    assert text_that_runs() is None


async def test_errors_say_nothing_of_the_item() -> None:
    secret = "아무에게도 하지 않은 말"
    let = threading.Event()

    def work(_: Sequence[str]) -> list[str]:
        assert let.wait(PATIENCE_S)
        return []

    batcher = Batcher(work, name=new_name(), waiting_at_most=1)
    tasks = [asyncio.create_task(batcher(secret))]
    await turn()
    await turn()
    tasks += [asyncio.create_task(batcher(secret, within_s=A_BLINK_S)) for _ in range(2)]
    await asyncio.wait(tasks[1:])
    let.set()
    errors = await asyncio.gather(*tasks, return_exceptions=True)
    await batcher.close()

    assert [type(error) for error in errors] == [Miscounted, Expired, Overloaded]
    assert not any(secret in str(error) for error in errors)


async def test_what_happened_is_measured() -> None:
    model, name = HeldModel(), new_name()
    async with batching(model, name=name, at_most=4) as batcher:
        await occupy(batcher, model)
        tasks = await ask(batcher, 1, 2, 3, 4, 5)
        model.let()
        await outcomes(tasks)

    assert sample("mentos_batch_size_count", name) == 3
    assert sample("mentos_batch_size_sum", name) == 6
    assert sample("mentos_queue_wait_seconds_count", name) == 6
    assert sample("mentos_queue_wait_seconds_sum", name) > 0
    assert sample("mentos_work_seconds_count", name) == 3
    assert sample("mentos_work_seconds_sum", name) > 0
    assert rejected(name) == {}


async def test_items_that_expire_in_the_queue_are_counted_with_how_long_they_waited() -> None:
    model, name = HeldModel(), new_name()
    async with batching(model, name=name) as batcher:
        await occupy(batcher, model)
        for outcome in await outcomes(await ask(batcher, 1, 2, 3, within_s=A_BLINK_S)):
            assert isinstance(outcome, Expired)

        assert rejected(name) == {"expired": 3}
        assert sample("mentos_queue_wait_seconds_count", name) == 1 + 3
        assert sample("mentos_queue_wait_seconds_sum", name) >= 3 * A_BLINK_S


async def test_items_that_expire_under_work_are_counted_and_have_waited_once() -> None:
    model, name = HeldModel(), new_name()
    async with batching(model, name=name) as batcher:
        [hasty] = await ask(batcher, 1, within_s=20 * A_BLINK_S)
        await model.has_started()
        with pytest.raises(Expired):
            await hasty

    assert rejected(name) == {"expired": 1}
    assert sample("mentos_queue_wait_seconds_count", name) == 1


@pytest.mark.parametrize("work", [fails, lambda _: []])
async def test_items_that_fail_are_counted(work: Callable[[Sequence[int]], Sequence[int]]) -> None:
    model, name = HeldModel(work), new_name()
    async with batching(model, name=name) as batcher:
        tasks = [await occupy(batcher, model), *await ask(batcher, 1, 2)]
        model.let()
        await outcomes(tasks)

    assert rejected(name) == {"failed": 3}


async def test_a_list_is_answered_in_its_order() -> None:
    async with batching(at_most=3, length=abs) as batcher:
        assert await batcher.together([50, 1, 40, 2, 3, 4, 5]) == [100, 2, 80, 4, 6, 8, 10]
        assert await batcher.together([]) == []


async def test_a_list_that_finds_no_room_is_refused_whole_and_takes_none_from_others() -> None:
    model, name = HeldModel(), new_name()
    async with batching(model, name=name, waiting_at_most=4) as batcher:
        tasks = [await occupy(batcher, model), *await ask(batcher, 1, 2)]
        too_long = asyncio.create_task(batcher.together([10, 11, 12]))
        fitting = asyncio.create_task(batcher.together([3, 4]))
        await turn()

        with pytest.raises(Overloaded, match=rf"^{name} has 2 of 4 items waiting; .+\.$"):
            await too_long
        model.let()
        assert await outcomes(tasks) == [0, 2, 4]
        assert await fitting == [6, 8]
    assert model.asked == [[0], [1, 2, 3, 4]]
    assert rejected(name) == {"full": 3}


async def test_a_list_fails_as_soon_as_one_of_it_does_and_the_rest_leaves_the_queue() -> None:
    def work(numbers: Sequence[int]) -> list[int]:
        if 13 in numbers:
            raise ArithmeticError
        return doubled(numbers)

    model = HeldModel(work)
    async with batching(model, at_most=1) as batcher:
        await occupy(batcher, model)
        together = asyncio.create_task(batcher.together([13, 14, 15, 16]))
        await turn()
        [other] = await ask(batcher, 1)
        model.let()

        with pytest.raises(ArithmeticError):
            await together
        assert await other == 2
    assert [1] in model.asked
    assert [16] not in model.asked


async def test_whoever_leaves_takes_a_whole_list_along_at_once() -> None:
    model = HeldModel()
    async with batching(model, waiting_at_most=3) as batcher:
        busy = await occupy(batcher, model)
        together = asyncio.create_task(batcher.together([1, 2, 3]))
        await turn()
        together.cancel()
        await asyncio.wait([together])
        tasks = await ask(batcher, 4, 5, 6)
        model.let()

        assert await outcomes([busy, *tasks]) == [0, 8, 10, 12]
    assert model.asked == [[0], [4, 5, 6]]


def test_a_batcher_belongs_to_one_loop() -> None:
    batcher = Batcher(doubled, name="emotion")

    async def ask_and_close() -> None:
        assert await batcher(1) == 2
        await batcher.close()

    asyncio.run(ask_and_close())
    with pytest.raises(RuntimeError, match="'emotion' belongs to another event loop: make one for each"):
        asyncio.run(ask_and_close())


def test_a_loop_that_ends_under_a_working_model_ends_quietly(caplog: pytest.LogCaptureFixture) -> None:
    model, name = HeldModel(), new_name()
    batcher = Batcher(model, name=name)

    async def leave() -> list[asyncio.Task[int]]:
        return [await occupy(batcher, model), *await ask(batcher, 1, 2)]

    with caplog.at_level(logging.DEBUG, "concurrent"), caplog.at_level(logging.WARNING, "asyncio"):
        tasks = asyncio.run(leave())
        assert all(task.cancelled() for task in tasks)
        model.let()
        asyncio.run(batcher.close())
        assert not threads_of(name)
        del tasks
        gc.collect()
    assert not caplog.records
    assert model.asked == [[0]]


async def test_nobody_waits_for_ever_when_the_batches_are_stopped_from_outside() -> None:
    model, name = HeldModel(), new_name()
    async with batching(model, name=name) as batcher:
        tasks = [await occupy(batcher, model), *await ask(batcher, 1, 2)]
        [batches] = [task for task in asyncio.all_tasks() if task.get_name() == f"batches of {name}"]
        batches.cancel()

        for outcome in await outcomes(tasks):
            assert isinstance(outcome, asyncio.CancelledError)
        model.let()
        assert await batcher(3) == 6


@pytest.mark.parametrize(("at_most", "waiting_at_most"), [(0, 256), (8, 0), (-1, 256)])
def test_a_batcher_without_room_is_refused(at_most: int, waiting_at_most: int) -> None:
    with pytest.raises(ValueError, match=f"at_most={at_most} and waiting_at_most={waiting_at_most}"):
        Batcher(doubled, name="emotion", at_most=at_most, waiting_at_most=waiting_at_most)
