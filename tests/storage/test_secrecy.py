"""What people wrote and were answered is nowhere to be read: not in a column, not in a file."""

import secrets
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, MetaData, select

from bot.conversation.model import EmotionLabel
from storage.database import Database
from tests.storage.conftest import Storage
from tests.storage.examples import FRIEND, GUEST, MINA, Talker, an_answer, yes

FIRST_SYLLABLE, SYLLABLES = 0xAC00, 11_172


def a_secret() -> str:
    return "".join(chr(FIRST_SYLLABLE + secrets.randbelow(SYLLABLES)) for _ in range(8)) + secrets.token_hex(8)


async def confide(storage: Storage, talker: Talker, secret: str) -> None:
    await storage.people.consent(talker.account, talker.person, yes())
    turn = await storage.counsels.hear(
        talker.user_id, talker.says(f"{secret} 때문에 힘들어", message_id="a-known-message-id"), character=FRIEND
    )
    await storage.counsels.answer(talker.user_id, turn.id, an_answer(f"{secret}… 그랬군요.", emotion=EmotionLabel.SAD))


def written_forms(text: str) -> Iterator[bytes]:
    for form in text, unicodedata.normalize("NFD", text):
        for encoding in "utf-8", "utf-16-le", "utf-16-be":
            yield form.encode(encoding)


def is_in(text: str, content: bytes) -> bool:
    return any(form in content for form in written_forms(text))


async def every_column_of(database: Database) -> bytes:
    def read(connection: Connection) -> bytes:
        tables = MetaData()
        tables.reflect(connection)
        cells = [cell for table in tables.sorted_tables for row in connection.execute(select(table)) for cell in row]
        return b"\n".join(cell if isinstance(cell, bytes) else str(cell).encode() for cell in cells)

    return await database.read(read)


def every_file_in(folder: Path) -> bytes:
    return b"\n".join(path.read_bytes() for path in folder.iterdir() if path.is_file())


@pytest.mark.parametrize("talker", [MINA, GUEST], ids=["member", "guest"])
async def test_no_column_holds_what_was_said(storage: Storage, talker: Talker) -> None:
    secret = a_secret()
    await confide(storage, talker, secret)
    await storage.counsels.end(talker.user_id, at=talker.says("").at)

    rows, keys = await every_column_of(storage.rows), await every_column_of(storage.keys_at)

    assert is_in("a-known-message-id", rows)  # the search does find what is there
    assert is_in("슬픔(우울한)", rows)
    assert is_in(talker.user_id, keys)
    assert not is_in(secret, rows + keys)
    assert not is_in(secret[:8], rows + keys)
    assert not is_in(secret[8:], rows + keys)


@pytest.mark.parametrize("place", ["sqlite"], indirect=True)
async def test_no_file_holds_what_was_said(storage: Storage, tmp_path: Path) -> None:
    secret = a_secret()
    await confide(storage, MINA, secret)

    names = {path.name for path in tmp_path.iterdir()}  # noqa: ASYNC240 - nothing else runs meanwhile
    content = every_file_in(tmp_path)

    assert names == {f"{name}.sqlite3{part}" for name in ("rows", "keys") for part in ("", "-wal", "-shm")}
    assert is_in("a-known-message-id", content)
    assert not is_in(secret, content)
    assert not is_in(secret[:8], content)
    assert not is_in(secret[8:], content)
