"""Where the rows of a test lie, on each engine in turn, and the storage opened over them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from storage.counsels import SqlCounsels, SqlPeople
from storage.database import Database, open_database
from storage.keys import KeyStore
from storage.schema import migrate
from tests.mysql import fresh_mysql
from tests.storage.examples import FRIEND, MASTER_KEY, SCHOLAR


@dataclass(frozen=True, slots=True)
class Place:
    """The URLs of the rows and of the key store."""

    rows: str
    keys: str


@dataclass(frozen=True, slots=True)
class Storage:
    rows: Database
    keys: KeyStore
    keys_at: Database
    people: SqlPeople
    counsels: SqlCounsels


@asynccontextmanager
async def opened(place: Place) -> AsyncIterator[Storage]:
    rows, keys_at = open_database(place.rows), open_database(place.keys)
    try:
        keys = await KeyStore.open(keys_at, master_key=MASTER_KEY)
        await migrate(rows)
        counsels = SqlCounsels(database=rows, keys=keys)
        await counsels.write_characters([FRIEND, SCHOLAR])
        yield Storage(rows, keys, keys_at, SqlPeople(database=rows, keys=keys), counsels)
    finally:
        await rows.close()
        await keys_at.close()


@asynccontextmanager
async def place_on(engine: str, request: pytest.FixtureRequest) -> AsyncIterator[Place]:
    if engine == "sqlite":
        folder: Path = request.getfixturevalue("tmp_path")
        yield Place(f"sqlite:///{folder / 'rows.sqlite3'}", f"sqlite:///{folder / 'keys.sqlite3'}")
    else:
        server = request.getfixturevalue("mysql_server")
        async with fresh_mysql(server) as rows, fresh_mysql(server) as keys:
            yield Place(rows, keys)


@pytest.fixture(params=["sqlite", "mysql"])
async def place(request: pytest.FixtureRequest) -> AsyncIterator[Place]:
    async with place_on(request.param, request) as place:
        yield place


@pytest.fixture
async def storage(place: Place) -> AsyncIterator[Storage]:
    async with opened(place) as storage:
        yield storage
