import asyncio
import base64
import hashlib
import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import select

from bot.conversation.model import UserId
from storage.database import open_database
from storage.keys import (
    BadMasterKey,
    KeyStore,
    NoKey,
    WrongMasterKey,
    create_master_key,
    parse_master_key,
    read_master_key,
)
from storage.schema import KEYS, migrate
from storage.tables import data_key
from tests.storage.conftest import Place, Storage, opened
from tests.storage.examples import FRIEND, JUN, MASTER_KEY, MINA, yes

ANOTHER_MASTER_KEY = bytes(32)
COLUMN = "dialog.u_message"


async def test_somebody_keeps_their_key(place: Place) -> None:
    async with opened(place) as storage:
        await storage.keys.create(MINA.user_id)
        ciphertext = (await storage.keys.of(MINA.user_id)).encrypt("안녕", column=COLUMN)

    async with opened(place) as storage:
        await storage.keys.create(MINA.user_id)
        assert (await storage.keys.of(MINA.user_id)).decrypt(ciphertext, column=COLUMN) == "안녕"


async def test_everybody_has_a_key_of_their_own(storage: Storage) -> None:
    for talker in MINA, JUN:
        await storage.keys.create(talker.user_id)

    wrapped = await storage.keys_at.read(lambda connection: connection.scalars(select(data_key.c.wrapped)).all())

    assert len(set(wrapped)) == 2


async def test_a_key_that_is_made_twenty_times_at_once_is_one_key(place: Place) -> None:
    async with opened(place) as here, opened(place) as there:
        await asyncio.gather(*(each.keys.create(MINA.user_id) for each in (here, there) * 10))

        ciphertext = (await here.keys.of(MINA.user_id)).encrypt("안녕", column=COLUMN)
        assert (await there.keys.of(MINA.user_id)).decrypt(ciphertext, column=COLUMN) == "안녕"


async def test_nobody_gets_a_key_by_asking(storage: Storage) -> None:
    with pytest.raises(NoKey, match=MINA.user_id):
        await storage.keys.of(MINA.user_id)


async def test_an_erased_key_is_gone_and_the_others_stay(storage: Storage) -> None:
    for talker in MINA, JUN:
        await storage.keys.create(talker.user_id)
        await storage.keys.of(talker.user_id)

    await storage.keys.erase(MINA.user_id)

    with pytest.raises(NoKey):
        await storage.keys.of(MINA.user_id)
    await storage.keys.of(JUN.user_id)


async def test_an_erased_key_is_in_no_file(tmp_path: Path) -> None:
    keys_at = open_database(f"sqlite:///{tmp_path / 'keys.sqlite3'}")
    keys = await KeyStore.open(keys_at, master_key=MASTER_KEY)
    await keys.create(MINA.user_id)
    wrapped = await keys_at.read(lambda connection: connection.scalars(select(data_key.c.wrapped)).one())
    assert wrapped in everything_in(tmp_path)

    await keys.erase(MINA.user_id)

    assert wrapped not in everything_in(tmp_path)
    await keys_at.close()
    assert wrapped not in everything_in(tmp_path)


async def test_more_people_than_keys_at_hand_are_all_served(storage: Storage) -> None:
    keys = KeyStore(database=storage.keys_at, master=AESGCM(MASTER_KEY), keys_at_hand=2)
    people = [UserId(f"person-{i}") for i in range(5)]
    for user_id in people:
        await keys.create(user_id)
    ciphertexts = [(await keys.of(user_id)).encrypt("안녕", column=COLUMN) for user_id in people]

    texts = [
        (await keys.of(user_id)).decrypt(ciphertext, column=COLUMN)
        for user_id, ciphertext in zip(people, ciphertexts, strict=True)
    ]

    assert texts == ["안녕"] * 5


async def test_a_key_store_that_is_opened_by_several_for_the_first_time_is_one(place: Place) -> None:
    databases = [open_database(place.keys) for _ in range(8)]
    await asyncio.gather(*(migrate(each, KEYS) for each in databases))

    stores = await asyncio.gather(*(KeyStore.open(each, master_key=MASTER_KEY) for each in databases))

    await stores[0].create(MINA.user_id)
    ciphertext = (await stores[0].of(MINA.user_id)).encrypt("안녕", column=COLUMN)
    for store in stores:
        assert (await store.of(MINA.user_id)).decrypt(ciphertext, column=COLUMN) == "안녕"
    for each in databases:
        await each.close()


async def test_a_wrong_master_key_is_refused(place: Place) -> None:
    async with opened(place):
        pass
    keys_at = open_database(place.keys)

    with pytest.raises(WrongMasterKey, match="another master key") as refusal:
        await KeyStore.open(keys_at, master_key=ANOTHER_MASTER_KEY)

    await keys_at.close()
    assert base64.b64encode(ANOTHER_MASTER_KEY).decode() not in str(refusal.value)
    async with opened(place):  # with the right one all is well, still
        pass


async def test_a_wrong_master_key_changes_no_byte(tmp_path: Path) -> None:
    place = Place(f"sqlite:///{tmp_path / 'rows.sqlite3'}", f"sqlite:///{tmp_path / 'keys.sqlite3'}")
    async with opened(place) as storage:
        await storage.people.consent(MINA.account, MINA.person, yes())
        await storage.counsels.hear(MINA.user_id, MINA.says("안녕"), character=FRIEND)
    before = digests(tmp_path)

    keys_at = open_database(place.keys)
    with pytest.raises(WrongMasterKey):
        await KeyStore.open(keys_at, master_key=ANOTHER_MASTER_KEY)
    await keys_at.close()

    assert digests(tmp_path) == before


def test_a_new_master_key_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "master.key"

    key = create_master_key(path)

    assert read_master_key(path) == key
    assert len(key) == 32
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_master_key_is_never_written_over(tmp_path: Path) -> None:
    path = tmp_path / "master.key"
    key = create_master_key(path)

    with pytest.raises(FileExistsError):
        create_master_key(path)

    assert read_master_key(path) == key


def test_a_missing_master_key_is_missed(tmp_path: Path) -> None:
    with pytest.raises(BadMasterKey):
        read_master_key(tmp_path / "master.key")


def test_a_master_key_may_end_in_a_line_break() -> None:
    assert parse_master_key(base64.b64encode(MASTER_KEY).decode() + "\n") == MASTER_KEY


@pytest.mark.parametrize("text", ["", "s3cret", "비밀", base64.b64encode(bytes(31)).decode(), "A" * 43 + "!"])
def test_a_bad_master_key_is_one_sentence_that_does_not_quote_it(text: str) -> None:
    with pytest.raises(ValueError, match="32 random bytes") as error:
        parse_master_key(text)

    assert "\n" not in str(error.value)
    assert not text or text not in str(error.value)


def test_a_file_that_is_no_master_key_is_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "master.key"
    path.write_bytes(b"\xff" * 32)

    with pytest.raises(ValueError, match="holds no readable master key"):
        read_master_key(path)


def everything_in(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.iterdir()))


def digests(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}
