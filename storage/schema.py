"""How a database comes to have the tables that this version knows: the migrations, run at every start."""

from dataclasses import dataclass
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, MetaData, text

from bot.conversation.model import Mendable
from storage.database import Database
from storage.tables import key_metadata, metadata

_MIGRATIONS = Path(__file__).parent / "migrations"
_LOCK = "mentos_migrate"
_LOCK_SECONDS = 60


class NewerSchema(Mendable, RuntimeError):
    """The database was made by a later version of Mentos than this one."""


@dataclass(frozen=True, slots=True)
class Schema:
    """Tables and the folder of the migrations that lead to them."""

    metadata: MetaData
    versions: Path


ROWS = Schema(metadata, _MIGRATIONS / "versions")
KEYS = Schema(key_metadata, _MIGRATIONS / "keys")


async def migrate(database: Database, schema: Schema = ROWS) -> None:
    """Bring a database up to date. Raises `NewerSchema` before anything is written."""
    if not await is_current(database, schema):
        await database.write(lambda connection: _upgrade(connection, _config(schema)))


async def is_current(database: Database, schema: Schema) -> bool:
    """Say whether nothing has to be upgraded. Raises `NewerSchema`."""
    script = ScriptDirectory.from_config(_config(schema))
    current = set(await database.read(_current))
    if unknown := current - {revision.revision for revision in script.walk_revisions()}:
        raise NewerSchema(
            f"The database {database.where} has the newer schema {', '.join(sorted(unknown))}, which this version of "
            "Mentos does not know: update Mentos, or restore the backup made before the update. Nothing was changed."
        )
    return current == set(script.get_heads())


def _current(connection: Connection) -> tuple[str, ...]:
    return MigrationContext.configure(connection).get_current_heads()


def _upgrade(connection: Connection, config: Config) -> None:
    config.attributes["connection"] = connection
    if connection.dialect.name != "mysql":  # SQLite's transaction keeps others out, and undoes a broken upgrade
        command.upgrade(config, "head")
        return
    if connection.scalar(text("SELECT GET_LOCK(:name, :seconds)"), {"name": _LOCK, "seconds": _LOCK_SECONDS}) != 1:
        raise TimeoutError(f"Another process has been upgrading the database for {_LOCK_SECONDS} s: see what it does.")
    try:
        command.upgrade(config, "head")
        connection.execute(text("COMMIT"))  # seen by whoever gets the lock next
    finally:
        connection.execute(text("SELECT RELEASE_LOCK(:name)"), {"name": _LOCK})


def _config(schema: Schema) -> Config:
    config = Config(attributes={"metadata": schema.metadata})
    config.set_main_option("script_location", _escaped(_MIGRATIONS))
    config.set_main_option("version_locations", _escaped(schema.versions))
    config.set_main_option("path_separator", "newline")
    return config


def _escaped(path: Path) -> str:
    return str(path).replace("%", "%%")
