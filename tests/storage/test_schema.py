import asyncio
import hashlib
from functools import partial
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, Engine, event, inspect, text
from sqlalchemy.util import await_only

from storage.database import open_database
from storage.schema import KEYS, ROWS, NewerSchema, Schema, migrate
from tests.mysql import fresh_mysql
from tests.storage.conftest import Place, Storage
from tests.storage.examples import NOON

ERD = {
    "user": ["user_id", "password", "name", "dt_birth", "gender", "language"],
    "counsel": ["counsel_id", "character_id", "user_id", "dt_start", "dt_end"],
    "dialog": [
        "dialog_id",
        "counsel_id",
        "dt_dialog",
        "u_message",
        "ai_message",
        "dialog_emotion",
        "past_dialog",
        "change_dialog",
    ],
    "emotion_log": ["emotion_id", "counsel_id", "counsel_emotion", "dt_emotion_log"],
    "character": ["character_id", "character_name", "character_model"],
}

FLYING_CARS = text("UPDATE alembic_version SET version_num = '2099_01_01_flying_cars'")


async def test_tables_and_columns_bear_the_names_of_the_erd(storage: Storage) -> None:
    def columns(connection: Connection, table: str) -> list[str]:
        return [column["name"] for column in inspect(connection).get_columns(table)]

    for table, names in ERD.items():
        found = await storage.rows.read(partial(columns, table=table))
        assert found[: len(names)] == names


@pytest.mark.parametrize("schema", [ROWS, KEYS], ids=["rows", "keys"])
async def test_the_migrations_lead_to_the_tables_that_the_code_knows(storage: Storage, schema: Schema) -> None:
    def differences(connection: Connection) -> list[object]:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "target_metadata": schema.metadata}
        )
        return list(compare_metadata(context, schema.metadata))

    database = storage.rows if schema is ROWS else storage.keys_at

    assert await database.read(differences) == []


async def test_migrating_again_changes_nothing(storage: Storage) -> None:
    await migrate(storage.rows)
    await migrate(storage.keys_at, KEYS)


async def test_processes_that_start_at_once_migrate_once(place: Place) -> None:
    databases = [open_database(place.rows) for _ in range(3)]

    await asyncio.gather(*(migrate(database) for database in databases))

    for database in databases:
        await database.close()


def commit_late(_: Connection) -> None:
    await_only(asyncio.sleep(0.5))


async def test_who_waited_for_another_to_migrate_sees_what_it_did(mysql_server: str | None) -> None:
    async with fresh_mysql(mysql_server) as url:
        databases = [open_database(url) for _ in range(2)]
        event.listen(Engine, "commit", commit_late)
        try:
            await asyncio.gather(*(migrate(database) for database in databases))
        finally:
            event.remove(Engine, "commit", commit_late)
        for database in databases:
            await database.close()


async def test_a_newer_schema_is_refused(storage: Storage) -> None:
    await storage.rows.write(lambda connection: connection.execute(FLYING_CARS))

    with pytest.raises(NewerSchema, match=r"2099_01_01_flying_cars.*update Mentos") as refusal:
        await migrate(storage.rows)

    assert "\n" not in str(refusal.value)


async def test_a_newer_schema_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "rows.sqlite3"
    database = open_database(f"sqlite:///{path}")
    await migrate(database)
    await database.write(lambda connection: connection.execute(FLYING_CARS))
    await database.close()
    before = hashlib.sha256(path.read_bytes()).digest()

    database = open_database(f"sqlite:///{path}")
    with pytest.raises(NewerSchema):
        await migrate(database)
    await database.close()

    assert hashlib.sha256(path.read_bytes()).digest() == before


async def test_the_id_of_a_deleted_turn_is_never_given_again(storage: Storage) -> None:
    def first_and_next(connection: Connection) -> list[int]:
        ids = []
        for _ in range(2):
            ids.append(
                connection.execute(
                    ROWS.metadata.tables["outbox"].insert(),
                    {"user_id": "u", "dialog_id": 1, "op": "upsert", "dt_outbox": NOON},
                ).lastrowid
            )
            connection.execute(text("DELETE FROM outbox"))
        return ids

    first, second = await storage.rows.write(first_and_next)

    assert second > first
