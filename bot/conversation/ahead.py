"""Work on a stream ahead of whoever takes its results, in order."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import aclosing
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


async def ahead(
    items: AsyncGenerator[Item], work: Callable[[Item], Coroutine[None, None, Result]], *, at_most: int
) -> AsyncGenerator[Result]:
    """Yield the result of each item in order; from the first on, up to `at_most` later ones are worked on meanwhile.

    What fails is raised in its place, after the results before it. Closing this ends all work and closes `items`.
    """
    room = asyncio.Semaphore(at_most)
    tasks: list[asyncio.Task[Result]] = []
    waiting: asyncio.Queue[asyncio.Task[Result] | None] = asyncio.Queue()

    async def read() -> None:
        async for item in items:
            await room.acquire()
            tasks.append(asyncio.create_task(work(item)))
            waiting.put_nowait(tasks[-1])

    async with aclosing(items):
        async for item in items:
            result = await work(item)  # in no task, whose turn would come after all that is ready to run
            break
        else:
            return
        reading = asyncio.create_task(read())
        reading.add_done_callback(lambda _: waiting.put_nowait(None))
        try:
            yield result
            while task := await waiting.get():
                room.release()
                yield await task
            await reading
        finally:
            for each in (reading, *tasks):
                each.cancel()
            await asyncio.gather(reading, *tasks, return_exceptions=True)
