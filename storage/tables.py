"""The tables, named as in the ERD, with what is added beside.

`Ciphertext` columns hold AES-256-GCM ciphertext under the person's own key: what they wrote and were answered, their
safety plan, name, date of birth and gender. In the clear are opaque ids, times, labels of emotions, names of
characters, consent. What belongs to a person goes with their row in `user`.
"""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.dialects import mysql
from sqlalchemy.types import TypeDecorator, TypeEngine


class UTCDateTime(TypeDecorator[datetime]):
    """Aware times, to the microsecond, kept in UTC. Refuses naive ones."""

    impl = DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return mysql.DATETIME(fsp=6) if dialect.name == "mysql" else DateTime()

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without its time zone cannot be stored: give an aware datetime")
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else value.replace(tzinfo=UTC)


Id = BigInteger().with_variant(Integer(), "sqlite")
Key = String(64)
Address = String(255)
Ciphertext = LargeBinary().with_variant(mysql.LONGBLOB(), "mysql")

NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
}
OPTIONS: dict[str, Any] = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_bin",  # others hold that 😀 = 😢, or that a = A
    "sqlite_autoincrement": True,  # a deleted row's id is never given to another
}

metadata = MetaData(naming_convention=NAMES)

user = Table(
    "user",
    metadata,
    Column("user_id", Key, primary_key=True),
    Column("password", String(128)),
    Column("name", Ciphertext),
    Column("dt_birth", Ciphertext),
    Column("gender", Ciphertext),
    Column("language", String(16), nullable=False),
    Column("character_id", Key, nullable=False),
    Column("is_guest", Boolean, nullable=False),
    Column("dt_created", UTCDateTime, nullable=False),
    Column("safety_plan", Ciphertext),
    **OPTIONS,
)

account = Table(
    "account",
    metadata,
    Column("messenger", Key, primary_key=True),
    Column("address", Address, primary_key=True),
    Column("user_id", ForeignKey(user.c.user_id, ondelete="CASCADE"), nullable=False, index=True),
    **OPTIONS,
)

consent = Table(
    "consent",
    metadata,
    Column("consent_id", Id, primary_key=True),
    Column("user_id", ForeignKey(user.c.user_id, ondelete="CASCADE"), nullable=False, index=True),
    Column("scopes", String(255), nullable=False),
    Column("version", Key, nullable=False),
    Column("dt_consent", UTCDateTime, nullable=False),
    Column("messenger", Key, nullable=False),
    **OPTIONS,
)

character = Table(
    "character",
    metadata,
    Column("character_id", Key, primary_key=True),
    Column("character_name", String(255), nullable=False),
    Column("character_model", String(255), nullable=False),
    **OPTIONS,
)

counsel = Table(
    "counsel",
    metadata,
    Column("counsel_id", Id, primary_key=True),
    Column("character_id", ForeignKey(character.c.character_id), nullable=False, index=True),
    Column("user_id", ForeignKey(user.c.user_id, ondelete="CASCADE"), nullable=False),
    Column("dt_start", UTCDateTime, nullable=False),
    Column("dt_end", UTCDateTime),
    Column("character_model", String(255), nullable=False),
    Index(None, "user_id", "dt_end"),
    **OPTIONS,
)

dialog = Table(
    "dialog",
    metadata,
    Column("dialog_id", Id, primary_key=True),
    Column("counsel_id", ForeignKey(counsel.c.counsel_id, ondelete="CASCADE"), nullable=False, index=True),
    Column("dt_dialog", UTCDateTime, nullable=False),
    Column("u_message", Ciphertext, nullable=False),
    Column("ai_message", Ciphertext),
    Column("dialog_emotion", Key),
    Column("past_dialog", Text),
    Column("change_dialog", Ciphertext),
    Column("user_id", ForeignKey(user.c.user_id, ondelete="CASCADE"), nullable=False),
    Column("dt_answered", UTCDateTime),
    Column("dt_delivered", UTCDateTime, index=True),
    Column("guessed_emotion", Key),
    Index(None, "user_id", "dt_dialog"),
    **OPTIONS,
)

emotion_log = Table(
    "emotion_log",
    metadata,
    Column("emotion_id", Id, primary_key=True),
    Column("counsel_id", ForeignKey(counsel.c.counsel_id, ondelete="CASCADE"), nullable=False),
    Column("counsel_emotion", Text, nullable=False),
    Column("dt_emotion_log", UTCDateTime, nullable=False),
    UniqueConstraint("counsel_id"),
    **OPTIONS,
)

inbound = Table(
    "inbound",
    metadata,
    Column("messenger", Key, primary_key=True),
    Column("address", Address, primary_key=True),
    Column("message_id", Address, primary_key=True),
    Column("dialog_id", ForeignKey(dialog.c.dialog_id, ondelete="CASCADE"), nullable=False, index=True),
    **OPTIONS,
)

outbox = Table(  # no foreign keys: a row may outlive what it speaks of, which is then forgotten
    "outbox",
    metadata,
    Column("outbox_id", Id, primary_key=True),
    Column("user_id", Key, nullable=False, index=True),
    Column("dialog_id", Id, nullable=False),
    Column("op", Key, nullable=False),
    Column("dt_outbox", UTCDateTime, nullable=False),
    **OPTIONS,
)

key_metadata = MetaData(naming_convention=NAMES)
"""The key store's tables: another database, which no query joins with the rows."""

data_key = Table(
    "data_key",
    key_metadata,
    Column("user_id", Key, primary_key=True),
    Column("wrapped", Ciphertext, nullable=False),
    **OPTIONS,
)

master_key = Table(
    "master_key",
    key_metadata,
    Column("master_key_id", Id, primary_key=True),
    Column("check_value", Ciphertext, nullable=False),
    **OPTIONS,
)
