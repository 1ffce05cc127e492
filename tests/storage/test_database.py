import asyncio
import socket
import stat
import traceback
import uuid
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import Connection, func, insert, make_url, select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.util import await_only

from storage.database import Database, DatabaseUnreachable, open_database
from storage.named_locks import NamedLocks
from storage.schema import migrate
from storage.tables import account, character
from tests.mysql import mortal_mysql
from tests.storage.conftest import Place, place_on

FRIEND = {"character_id": "mentos", "character_name": "멘토스", "character_model": "rule:friend"}


@pytest.fixture
async def database(place: Place) -> AsyncIterator[Database]:
    database = open_database(place.rows)
    await migrate(database)
    yield database
    await database.close()


@pytest.fixture
async def mysql_place(request: pytest.FixtureRequest) -> AsyncIterator[Place]:
    async with place_on("mysql", request) as place:
        yield place


@pytest.fixture
async def mysql(mysql_place: Place) -> AsyncIterator[Database]:
    database = open_database(mysql_place.rows)
    await migrate(database)
    yield database
    await database.close()


@pytest.fixture
async def other(mysql_place: Place) -> AsyncIterator[Database]:
    database = open_database(mysql_place.rows)
    yield database
    await database.close()


def add_friend(connection: Connection) -> None:
    connection.execute(insert(character), FRIEND)


def count_characters(connection: Connection) -> int:
    return connection.scalars(select(func.count()).select_from(character)).one()


@pytest.mark.parametrize(
    "url",
    [
        "",
        "rows.sqlite3",
        "sqlite://",
        "sqlite:///:memory:",
        "postgresql://mentos:s3cret@db/mentos",
        "mysql://u:s3cret@db/m",
    ],
)
def test_a_url_that_cannot_be_used_is_one_sentence_with_the_remedy(url: str) -> None:
    with pytest.raises(ValueError, match=r"write sqlite:///path or mysql\+asyncmy://") as error:
        open_database(url)

    assert "\n" not in str(error.value)
    assert "s3cret" not in str(error.value)


async def test_what_is_written_can_be_read(database: Database) -> None:
    await database.write(add_friend)

    assert await database.read(count_characters) == 1


async def test_a_write_that_fails_leaves_nothing(database: Database) -> None:
    def add_and_fail(connection: Connection) -> None:
        add_friend(connection)
        raise RuntimeError("in the middle")

    with pytest.raises(RuntimeError):
        await database.write(add_and_fail)

    assert await database.read(count_characters) == 0


async def test_a_row_cannot_belong_to_nobody(database: Database) -> None:
    row = {"messenger": "web", "address": "1", "user_id": "nobody"}

    with pytest.raises(IntegrityError):
        await database.write(lambda connection: connection.execute(insert(account), row))


async def test_no_error_holds_what_was_to_be_stored(database: Database) -> None:
    row = {"messenger": "web", "address": "a-secret-address", "user_id": "nobody"}

    with pytest.raises(IntegrityError) as error:
        await database.write(lambda connection: connection.execute(insert(account), row))

    assert "a-secret-address" not in "".join(traceback.format_exception(error.value))


async def test_writes_to_one_file_never_lose_each_other(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'rows.sqlite3'}"
    here, there = open_database(url), open_database(url)
    await here.write(lambda connection: connection.execute(text("CREATE TABLE counter AS SELECT 0 AS n")))

    def count_on(connection: Connection) -> None:
        n = connection.scalar(text("SELECT n FROM counter"))
        connection.execute(text("UPDATE counter SET n = :n"), {"n": n + 1})

    await asyncio.gather(*(database.write(count_on) for database in (here, there) * 25))

    assert await here.read(lambda connection: connection.scalar(text("SELECT n FROM counter"))) == 50
    await here.close()
    await there.close()


async def test_a_file_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    database = open_database(f"sqlite:///{tmp_path / 'rows.sqlite3'}")
    await migrate(database)

    assert modes_in(tmp_path) == {"rows.sqlite3": 0o600, "rows.sqlite3-wal": 0o600, "rows.sqlite3-shm": 0o600}
    await database.close()


async def test_a_file_is_written_as_promised(tmp_path: Path) -> None:
    database = open_database(f"sqlite:///{tmp_path / 'rows.sqlite3'}")

    def pragma(connection: Connection, name: str) -> object:
        return connection.exec_driver_sql(f"PRAGMA {name}").scalar()

    pragmas = {
        name: await database.read(partial(pragma, name=name))
        for name in ("journal_mode", "synchronous", "foreign_keys", "secure_delete")
    }

    assert pragmas == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "secure_delete": 1}
    await database.close()


def no_folder(folder: Path) -> Path:
    return folder / "nowhere" / "rows.sqlite3"


def no_database(folder: Path) -> Path:
    (folder / "rows.sqlite3").write_bytes(b"something else" * 1000)
    return folder / "rows.sqlite3"


def a_folder(folder: Path) -> Path:
    (folder / "rows.sqlite3").mkdir()
    return folder / "rows.sqlite3"


@pytest.mark.parametrize("there", [no_folder, no_database, a_folder])
async def test_a_file_that_cannot_be_used_is_one_sentence(tmp_path: Path, there: Callable[[Path], Path]) -> None:
    path = there(tmp_path)
    database = open_database(f"sqlite:///{path}")

    with pytest.raises(DatabaseUnreachable, match=r"rows\.sqlite3") as error:
        await database.read(count_characters)

    assert "\n" not in str(error.value)
    await database.close()


async def test_a_server_that_is_not_there_is_one_sentence() -> None:
    with socket.socket() as nobody_listens:
        nobody_listens.bind(("127.0.0.1", 0))
        port = nobody_listens.getsockname()[1]
        database = open_database(f"mysql+asyncmy://mentos:s3cret@127.0.0.1:{port}/mentos")

        with pytest.raises(DatabaseUnreachable, match=f"127.0.0.1:{port}/mentos") as error:
            await database.read(count_characters)

    assert "\n" not in str(error.value)
    assert "s3cret" not in "".join(traceback.format_exception(error.value))
    await database.close()


async def test_a_server_that_hangs_up_is_one_sentence() -> None:
    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(hang_up, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        database = open_database(f"mysql+asyncmy://mentos:s3cret@127.0.0.1:{port}/mentos")

        with pytest.raises(DatabaseUnreachable, match=f"127.0.0.1:{port}/mentos"):
            await database.read(count_characters)

    await database.close()


async def test_a_refused_password_is_not_repeated(mysql_place: Place) -> None:
    url = make_url(mysql_place.rows).set(username="mentos", password="s3cret")
    database = open_database(url.render_as_string(hide_password=False))

    with pytest.raises(DatabaseUnreachable, match="user, password") as error:
        await database.read(count_characters)

    assert "s3cret" not in "".join(traceback.format_exception(error.value))
    await database.close()


async def test_a_connection_that_the_server_dropped_is_replaced(mysql: Database, other: Database) -> None:
    dropped = await mysql.read(own_id)
    await other.write(partial(kill, line=dropped))

    assert await mysql.write(own_id) != dropped


async def test_an_idempotent_write_survives_a_lost_connection(mysql: Database, other: Database) -> None:
    attempts = []

    def add_over_a_bad_line(connection: Connection) -> None:
        attempts.append(connection)
        add_friend(connection)
        if len(attempts) == 1:
            lose(connection, other)

    await mysql.write(add_over_a_bad_line, idempotent=True)

    assert len(attempts) == 2
    assert await mysql.read(count_characters) == 1


async def test_a_line_that_stays_bad_is_one_sentence(mysql: Database, other: Database) -> None:
    with pytest.raises(DatabaseUnreachable, match="see that the server runs"):
        await mysql.write(partial(lose, killer=other), idempotent=True)


async def test_any_other_write_is_not_repeated(mysql: Database, other: Database) -> None:
    attempts = []

    def add_over_a_bad_line(connection: Connection) -> None:
        attempts.append(connection)
        add_friend(connection)
        lose(connection, other)

    with pytest.raises(DatabaseUnreachable):
        await mysql.write(add_over_a_bad_line)

    assert len(attempts) == 1
    assert await mysql.read(count_characters) == 0


def modes_in(folder: Path) -> dict[str, int]:
    return {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}


def own_id(connection: Connection) -> int:
    return int(connection.scalars(text("SELECT CONNECTION_ID()")).one())


IS_THERE = text("SELECT COUNT(*) FROM information_schema.processlist WHERE id = :line")


def kill(connection: Connection, line: int) -> None:
    connection.execute(text(f"KILL {line}"))


def lose(connection: Connection, killer: Database) -> None:
    """Have the server drop this connection in the middle of its transaction."""
    await_only(killer.write(partial(kill, line=own_id(connection))))
    connection.execute(text("SELECT 1"))


REPLY = f"reply {uuid.uuid4()}"
"""A server's locks are the same to all of its databases, and so to tests that run beside these."""


class Watched:
    """Something that two tasks must not do at once, and what was seen of it."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.is_going_on = False
        self.has_begun, self.may_end = asyncio.Event(), asyncio.Event()

    async def do(self, database: Database, who: str, what: str = REPLY) -> None:
        async with database.alone(what):
            assert not self.is_going_on
            self.is_going_on = True
            self.begun.append(who)
            self.has_begun.set()
            try:
                await self.may_end.wait()
            finally:
                self.is_going_on = False


async def is_free(database: Database, what: str = REPLY) -> bool:
    try:
        async with asyncio.timeout(1), database.alone(what):
            return True
    except TimeoutError:
        return False


async def test_two_processes_never_do_the_same_at_once(mysql: Database, other: Database) -> None:
    watched = Watched()
    first = asyncio.create_task(watched.do(mysql, "first"))
    await watched.has_begun.wait()
    second = asyncio.create_task(watched.do(other, "second"))

    assert not await is_free(other)
    assert watched.begun == ["first"]
    assert await is_free(other, "something else")
    watched.may_end.set()

    await asyncio.gather(first, second)
    assert watched.begun == ["first", "second"]
    assert await is_free(other)


@pytest.mark.parametrize("moment", ["while it works", "while it waits"])
async def test_who_is_cancelled_keeps_nobody_waiting(mysql: Database, other: Database, moment: str) -> None:
    watched = Watched()
    first = asyncio.create_task(watched.do(mysql, "first"))
    await watched.has_begun.wait()
    second = asyncio.create_task(watched.do(other, "second"))
    await asyncio.sleep(0)
    cancelled, left = (first, second) if moment == "while it works" else (second, first)

    cancelled.cancel()
    watched.may_end.set()

    await left
    with pytest.raises(asyncio.CancelledError):
        await cancelled
    assert await is_free(mysql)
    assert await is_free(other)


async def test_a_process_that_dies_keeps_nobody_waiting(mysql: Database, mysql_place: Place) -> None:
    doomed = open_database(mysql_place.rows)
    watched = Watched()
    holding = asyncio.create_task(watched.do(doomed, "doomed"))
    await watched.has_begun.wait()
    assert not await is_free(mysql)

    await doomed.close()  # to the server no more than a connection that ends, as with any death

    assert await is_free(mysql)
    watched.may_end.set()
    await holding


async def test_a_lock_is_held_for_as_long_as_the_work_takes_though_nothing_else_is_asked(
    other: Database, mysql_place: Place
) -> None:
    engine = create_async_engine(mysql_place.rows, hide_parameters=True)
    locks = NamedLocks(engine, orphaned_s=3)
    async with locks.hold(REPLY), engine.connect() as silent:
        await silent.execute(text("SET SESSION wait_timeout = 3"))
        silent_one = await silent.run_sync(own_id)
        while await other.read(lambda c: c.scalar(IS_THERE, {"line": silent_one})):  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.1)
        await silent.invalidate()
        assert await other.read(lambda c: c.scalar(text("SELECT IS_USED_LOCK(:name) IS NOT NULL"), {"name": REPLY}))
    await locks.close()
    await engine.dispose()


async def test_a_lock_outlives_no_connection_and_is_taken_again_on_a_new_one(mysql: Database, other: Database) -> None:
    assert await is_free(mysql)
    await other.write(lambda connection: kill_all_but(connection))

    watched = Watched()
    holding = asyncio.create_task(watched.do(mysql, "first"))
    await watched.has_begun.wait()
    assert not await is_free(other)
    watched.may_end.set()
    await holding


async def test_a_lock_whose_connection_broke_is_taken_back_with_the_next_question(
    mysql: Database, other: Database, caplog: pytest.LogCaptureFixture
) -> None:
    watched = Watched()
    holding = asyncio.create_task(watched.do(mysql, "first"))
    await watched.has_begun.wait()
    await other.write(lambda connection: kill_all_but(connection))

    assert await is_free(mysql, "something else")

    assert "lost" in caplog.text
    assert not await is_free(other)
    watched.may_end.set()
    await holding
    assert await is_free(other)


async def test_who_waits_in_another_process_goes_before_the_next_of_the_same(mysql: Database, other: Database) -> None:
    watched = Watched()
    turnstile = asyncio.Lock()  # as the conversation has one for each person

    async def here(who: str) -> None:
        async with turnstile:
            await watched.do(mysql, who)

    first = asyncio.create_task(here("first"))
    await watched.has_begun.wait()
    there = asyncio.create_task(watched.do(other, "there"))
    next_ones = [asyncio.create_task(here(who)) for who in ("second", "third")]
    assert not await is_free(other, REPLY)
    watched.may_end.set()
    await asyncio.gather(first, there, *next_ones)

    assert watched.begun[:2] == ["first", "there"]


def kill_all_but(connection: Connection) -> None:
    """End every other connection to this database, as a proxy or a server that is tidied up does."""
    mine = connection.scalar(text("SELECT CONNECTION_ID()"))
    name = connection.scalar(text("SELECT DATABASE()"))
    for (id_,) in connection.execute(
        text("SELECT id FROM information_schema.processlist WHERE db = :db"), {"db": name}
    ):
        if id_ != mine:
            connection.execute(text(f"KILL {int(id_)}"))


async def test_where_no_lock_can_be_asked_for_work_goes_ahead(caplog: pytest.LogCaptureFixture) -> None:
    with mortal_mysql() as (url, process):
        database = open_database(url)
        process.kill()
        process.wait()
        assert await is_free(database, "나의 비밀")
        await database.close()
    assert "비밀" not in caplog.text


async def test_a_file_is_held_by_one_process_and_its_turns_are_nobody_elses(tmp_path: Path) -> None:
    database = open_database(f"sqlite:///{tmp_path / 'rows.sqlite3'}")
    async with database.alone(REPLY) as has_others:
        assert not has_others
    await database.close()
