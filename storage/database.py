"""Where rows lie: MySQL, or one SQLite file. The same plain functions on a `Connection` run on both."""

import asyncio
import hashlib
import sqlite3
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from pathlib import Path
from time import monotonic, sleep
from typing import Protocol, TypeVar

from sqlalchemy import URL, Connection, create_engine, make_url
from sqlalchemy.exc import ArgumentError, DataError, DBAPIError, IntegrityError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import NullPool

from bot.conversation.model import Mendable
from storage.named_locks import NamedLocks

T = TypeVar("T")

PATIENCE = 5
"""Seconds until a server that does not accept a connection counts as unreachable."""

ANSWER_PATIENCE = 20
"""Seconds until a server that accepted a statement and says nothing counts as unreachable."""

LOCK_PATIENCE = 30
"""Seconds that one process waits for another to let go of a SQLite file; a migration on a slow disk takes some."""

_PRAGMAS = ("synchronous=FULL", "foreign_keys=ON", "secure_delete=ON")
_OUR_MISTAKES = (DataError, IntegrityError, ProgrammingError)
_ROLLED_BACK = {1205, 1213}  # waited too long for a lock; deadlock


class BadUrl(Mendable, ValueError):
    """A URL that names no database that we know how to use."""


class DatabaseUnreachable(Mendable, ConnectionError):
    """The database cannot be used at all. Says where it was looked for and what to do, never a password or a value."""


class Database(Protocol):
    """Runs functions in transactions: committed when they return, rolled back when they raise."""

    where: str
    """The place in words, for people: a path, or host, port and database."""

    async def read(self, fn: Callable[[Connection], T]) -> T: ...

    async def write(self, fn: Callable[[Connection], T], *, idempotent: bool = False) -> T:
        """Run `fn` alone (SQLite) or beside other writers (MySQL).

        An idempotent function is run once more when the connection broke, since the first commit may have succeeded.
        """
        ...

    def alone(self, what: str) -> AbstractAsyncContextManager[bool]:
        """Keep other processes from doing `what` meanwhile; says whether there may be any.

        Tasks of one process are not kept apart.
        """
        ...

    async def discard_log(self) -> None:
        """Empty SQLite's write-ahead log, which still holds what was deleted. Elsewhere the server decides."""
        ...

    async def close(self) -> None: ...


def open_database(url: str) -> Database:
    """Return the database at `sqlite:///path` or `mysql+asyncmy://user:password@host:port/name`. Opens nothing yet."""
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise BadUrl("not a database URL: write sqlite:///path or mysql+asyncmy://user:password@host/name") from error
    if parsed.drivername == "mysql+asyncmy" and parsed.database:
        return MysqlDatabase(parsed)
    if parsed.drivername == "sqlite" and parsed.database not in {None, "", ":memory:"}:
        return SqliteDatabase(Path(str(parsed.database)))
    raise BadUrl(
        f"cannot keep rows at {parsed.drivername}://…: write sqlite:///path or mysql+asyncmy://user:password@host/name"
    )


class SqliteDatabase:
    """One file, one connection, one thread: everything waits its turn, so no write is ever lost to another."""

    def __init__(self, path: Path) -> None:
        self.where = str(path)
        self._path = path
        self._engine = create_engine("sqlite://", creator=self._connect, poolclass=NullPool, hide_parameters=True)
        self._connection: Connection | None = None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="sqlite")

    async def read(self, fn: Callable[[Connection], T]) -> T:
        return await self._in_thread(lambda: self._transact("BEGIN", fn))

    async def write(self, fn: Callable[[Connection], T], *, idempotent: bool = False) -> T:
        return await self._in_thread(lambda: self._transact("BEGIN IMMEDIATE", fn))

    def alone(self, what: str) -> AbstractAsyncContextManager[bool]:
        return nullcontext(enter_result=False)  # the data folder is held by one process

    async def discard_log(self) -> None:
        await self._in_thread(self._discard_log)

    async def close(self) -> None:
        await self._in_thread(self._disconnect)
        self._thread.shutdown()

    async def _in_thread(self, fn: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, fn)

    def _transact(self, begin: str, fn: Callable[[Connection], T]) -> T:
        try:
            connection = self._connected()
            with connection.begin():
                connection.exec_driver_sql(begin)
                return fn(connection)
        except _OUR_MISTAKES:
            raise
        except DBAPIError as error:
            raise DatabaseUnreachable(
                f"Cannot use the database file {self.where} ({error.orig}): see that it is a SQLite database, "
                "that its disk has room, and that no other program holds it."
            ) from error

    def _connected(self) -> Connection:
        if self._connection is None:
            self._connection = self._engine.connect()
        return self._connection

    def _connect(self) -> sqlite3.Connection:
        try:
            self._path.touch(mode=0o600)
            self._path.chmod(0o600)
        except OSError as error:
            raise DatabaseUnreachable(
                f"Cannot open the database file {self.where} ({error.strerror}): create its folder and let this "
                "user write there, or name another path."
            ) from error
        driver = sqlite3.connect(self._path, timeout=LOCK_PATIENCE, isolation_level=None)  # no BEGIN but our own
        try:
            _keep_a_log(driver)
            for pragma in _PRAGMAS:
                driver.execute(f"PRAGMA {pragma}")
        except sqlite3.Error:
            driver.close()
            raise
        return driver

    def _discard_log(self) -> None:
        connection = self._connected()
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").close()
        connection.rollback()

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._engine.dispose()


def _keep_a_log(driver: sqlite3.Connection) -> None:
    """Turn on write-ahead logging. SQLite does not wait for a lock here, as it does elsewhere, so we do."""
    end = monotonic() + LOCK_PATIENCE
    while True:
        try:
            driver.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError:
            if monotonic() > end:
                raise
            sleep(0.01)
        else:
            return


class MysqlDatabase:
    """A MySQL or MariaDB server. No connection carries settings of its own, so any of the pool serves anybody."""

    def __init__(self, url: URL) -> None:
        self.where = f"{url.host or 'localhost'}:{url.port or 3306}/{url.database}"
        self._engine = create_async_engine(
            url,
            connect_args={"connect_timeout": PATIENCE, "read_timeout": ANSWER_PATIENCE},
            hide_parameters=True,
            isolation_level="READ COMMITTED",  # for all alike: no gap locks, so newcomers do not deadlock each other
            pool_pre_ping=True,
            pool_size=10,
            max_overflow=10,
        )
        self._locks = NamedLocks(self._engine)

    async def read(self, fn: Callable[[Connection], T]) -> T:
        return await self._run(fn, self._engine.connect, may_repeat=True)

    async def write(self, fn: Callable[[Connection], T], *, idempotent: bool = False) -> T:
        return await self._run(fn, self._engine.begin, may_repeat=idempotent)

    @asynccontextmanager
    async def alone(self, what: str) -> AsyncIterator[bool]:
        async with self._locks.hold(hashlib.blake2b(what.encode(), digest_size=24).hexdigest()):  # 64 letters at most
            yield True

    async def discard_log(self) -> None:
        pass

    async def close(self) -> None:
        await self._locks.close()
        await self._engine.dispose()

    async def _run(
        self,
        fn: Callable[[Connection], T],
        enter: Callable[[], AbstractAsyncContextManager[AsyncConnection]],
        *,
        may_repeat: bool,
        is_last: bool = False,
    ) -> T:
        try:
            async with enter() as connection:
                return await connection.run_sync(fn)
        except _OUR_MISTAKES:
            raise
        except PoolTimeout as error:
            raise DatabaseUnreachable(
                f"The database at {self.where} is too busy: no connection came free. Try again, or serve fewer people."
            ) from error
        except DBAPIError as error:
            code = _code(error)
            if not is_last and (code in _ROLLED_BACK or (may_repeat and error.connection_invalidated)):
                return await self._run(fn, enter, may_repeat=may_repeat, is_last=True)
            raise DatabaseUnreachable(
                f"Cannot use the database at {self.where} (error {code}): see that the server runs there, and that "
                "the URL's host, port, user, password and database name are right."
            ) from error


def _code(error: DBAPIError) -> int | None:
    """The server's error number. Its text is left out: it may quote a value."""
    number = error.orig.args[0] if error.orig and error.orig.args else None
    return number if isinstance(number, int) else None
