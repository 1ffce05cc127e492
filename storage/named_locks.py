"""MySQL's named locks: what one process may do at a time, for no longer than it lives."""

import asyncio
import logging
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager

from sqlalchemy import TextClause, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

log = logging.getLogger(__name__)

ASK_EVERY_S = 0.05
"""How often a lock that another process holds is asked for."""

PATIENCE_S = 120
"""How long a lock is waited for: a process that holds one for longer than any reply takes hangs."""

_TAKE = text("SELECT GET_LOCK(:name, 0)")
_LET_GO = text("SELECT RELEASE_LOCK(:name)")


class NamedLocks:
    """All locks of this process, on one connection: they are free when it breaks, and so when the process dies.

    They hold on one server (https://dev.mysql.com/doc/refman/8.4/en/locking-functions.html); the nodes of a Galera
    cluster do not share them. One connection may take the same lock twice, so that two tasks of a process are not
    kept apart.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._connection: AsyncConnection | None = None
        self._speaking = asyncio.Lock()
        self._asked: set[asyncio.Task[bool]] = set()

    @asynccontextmanager
    async def hold(self, name: str) -> AsyncIterator[None]:
        """Keep other processes out. Goes ahead without the lock where it cannot be had within `PATIENCE_S`."""
        try:
            try:
                async with asyncio.timeout(PATIENCE_S):
                    await self._take(name)
            except (SQLAlchemyError, TimeoutError) as error:
                log.warning("other processes were not kept out: %s", type(error).__name__)
            yield
        finally:  # of a lock that is not ours this is no more than a question
            self._start(self._let_go(name))

    async def close(self) -> None:
        if self._asked:
            await asyncio.wait(self._asked)
        await self._hang_up()

    async def _take(self, name: str) -> None:
        while True:
            if await asyncio.shield(self._start(self._ask(_TAKE, name))):
                return
            await asyncio.sleep(ASK_EVERY_S)

    def _start(self, work: Coroutine[None, None, bool]) -> asyncio.Task[bool]:
        """Begin what must be finished whoever is cancelled: half an answer left unread spoils a connection."""
        task = asyncio.create_task(work)
        self._asked.add(task)
        task.add_done_callback(self._forget)
        return task

    def _forget(self, task: asyncio.Task[bool]) -> None:
        self._asked.discard(task)
        if not task.cancelled():
            task.exception()  # who asked may no longer be there to see it

    async def _let_go(self, name: str) -> bool:
        try:
            return self._connection is not None and await self._ask(_LET_GO, name)
        except SQLAlchemyError:
            return False  # the lock went with the connection

    async def _ask(self, statement: TextClause, name: str) -> bool:
        async with self._speaking:
            try:
                return await self._answer(statement, name)
            except DBAPIError:
                await self._hang_up()
                return await self._answer(statement, name)  # the server may have closed it long ago

    async def _answer(self, statement: TextClause, name: str) -> bool:
        if self._connection is None:
            connection = await self._engine.connect()
            self._connection = await connection.execution_options(isolation_level="AUTOCOMMIT")
        return bool(await self._connection.scalar(statement, {"name": name}))

    async def _hang_up(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.invalidate()
            await connection.close()
