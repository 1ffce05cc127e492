"""MySQL's named locks: what one process may do at a time, for no longer than it lives."""

import asyncio
import logging
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from time import monotonic

from sqlalchemy import TextClause, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

log = logging.getLogger(__name__)

ASK_EVERY_S = 0.05
"""How often a lock that another process holds is asked for."""

PATIENCE_S = 50
"""How long a lock is waited for: longer than a reply takes, and less than the minute that KakaoTalk waits for one."""

ORPHANED_S = 60
"""How long the server keeps the locks of a machine that is gone without a word."""

_KEEP = text("SET SESSION wait_timeout = :seconds")
_TAKE = text("SELECT GET_LOCK(:name, 0)")
_LOOK = text("SELECT IS_USED_LOCK(:name)")
_LET_GO = text("SELECT RELEASE_LOCK(:name)")


class NamedLocks:
    """All locks of this process, on one connection: they are free when it breaks, and so when the process dies.

    They hold on one server (https://dev.mysql.com/doc/refman/8.4/en/locking-functions.html); the nodes of a Galera
    cluster do not share them. One connection may take the same lock twice, so that two tasks of a process are not
    kept apart.
    """

    def __init__(self, engine: AsyncEngine, *, orphaned_s: int = ORPHANED_S) -> None:
        self._engine = engine
        self._orphaned_s = orphaned_s
        self._connection: AsyncConnection | None = None
        self._speaking = asyncio.Lock()
        self._asked: set[asyncio.Task[bool]] = set()
        self._held: set[str] = set()
        self._let_go_at: dict[str, float] = {}

    @asynccontextmanager
    async def hold(self, name: str) -> AsyncIterator[None]:
        """Keep other processes out. Goes ahead without the lock where it cannot be had within `PATIENCE_S`.

        Whoever held it last lets a process that asks for it meanwhile go first.
        """
        staying = None
        try:
            try:
                async with asyncio.timeout(PATIENCE_S):
                    await asyncio.sleep(self._let_go_at.get(name, 0) + 2 * ASK_EVERY_S - monotonic())
                    await self._take(name)
                    self._held.add(name)
                    staying = asyncio.create_task(self._stay(name))
            except (SQLAlchemyError, TimeoutError) as error:
                log.warning("other processes were not kept out: %s", type(error).__name__)
            yield
        finally:  # of a lock that is not ours this is no more than a question
            if staying:
                staying.cancel()
            self._held.discard(name)
            self._let_go_at = {each: at for each, at in self._let_go_at.items() if monotonic() - at < 2 * ASK_EVERY_S}
            self._let_go_at[name] = monotonic()
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

    async def _stay(self, name: str) -> None:
        """Never be silent for so long that the server takes this machine for gone."""
        while True:
            await asyncio.sleep(self._orphaned_s / 3)
            with suppress(SQLAlchemyError):
                await asyncio.shield(self._start(self._ask(_LOOK, name)))

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
            await self._connection.execute(_KEEP, {"seconds": self._orphaned_s})
            for held in tuple(self._held):  # they were free since the connection before broke
                is_back = await self._connection.scalar(_TAKE, {"name": held})
                log.warning("a lock was lost: %s", "it is taken back" if is_back else "another process has it by now")
        return bool(await self._connection.scalar(statement, {"name": name}))

    async def _hang_up(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.invalidate()
            await connection.close()
