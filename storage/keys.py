"""The key store: each person's data key, wrapped by the master key, in a database of its own.

Deleting a key makes unreadable all that was written with it, in every old backup of the rows too.
"""

import base64
import binascii
import os
from collections import OrderedDict
from contextlib import suppress
from pathlib import Path
from typing import Self

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import Connection, bindparam, delete, insert, inspect, select
from sqlalchemy.exc import IntegrityError

from bot.conversation.model import Mendable, UserId
from storage.crypto import KEY_BYTES, DataKey, Unreadable, decrypt, encrypt
from storage.database import Database
from storage.schema import KEYS, migrate
from storage.tables import data_key, master_key

_CHECK = b"mentos"
_CHECK_PLACE = "master_key.check_value"

_WRAPPED = select(data_key.c.wrapped).where(data_key.c.user_id == bindparam("user_id"))
_ERASE = delete(data_key).where(data_key.c.user_id == bindparam("user_id"))


class WrongMasterKey(Mendable, ValueError):
    """The key store was made with another master key."""


class BadMasterKey(Mendable, ValueError):
    """What should be a master key is none."""


class NoKey(LookupError):
    """Nobody of this id has a key: erased, or never met."""


class KeyStore:
    """Gives each person's key to whoever reads or writes their rows."""

    def __init__(self, *, database: Database, master: AESGCM, keys_at_hand: int = 1_000) -> None:
        self._database = database
        self._master = master
        self._keys_at_hand = keys_at_hand
        self._at_hand: OrderedDict[UserId, DataKey] = OrderedDict()

    @classmethod
    async def open(cls, database: Database, *, master_key: bytes) -> Self:
        """Open the key store, or make it with this master key if it is new.

        Raises `WrongMasterKey` before anything is written, `NewerSchema` and `DatabaseUnreachable`.
        """
        master = AESGCM(master_key)
        while (check := await database.read(_find_check)) is None:
            await migrate(database, KEYS)
            with suppress(IntegrityError):  # left by another process meanwhile: that one counts
                await database.write(lambda connection: _leave_check(connection, master), idempotent=True)
        try:
            decrypt(master, check, place=_CHECK_PLACE)
        except Unreadable:
            raise WrongMasterKey(
                f"The key store {database.where} was made with another master key: start with that one, "
                "or restore it from where it is kept. Nothing was changed."
            ) from None
        await migrate(database, KEYS)
        return cls(database=database, master=master)

    async def create(self, user_id: UserId) -> None:
        """Make the key of somebody new. One that is there already stays."""
        wrapped = encrypt(self._master, os.urandom(KEY_BYTES), place=_place_of(user_id))

        def store(connection: Connection) -> None:
            if connection.scalar(_WRAPPED, {"user_id": user_id}) is None:
                connection.execute(insert(data_key), {"user_id": user_id, "wrapped": wrapped})

        try:
            await self._database.write(store, idempotent=True)
        except IntegrityError:  # made by another process meanwhile: that one counts
            return

    async def of(self, user_id: UserId) -> DataKey:
        """Return somebody's key. Raises `NoKey`."""
        if (key := self._at_hand.get(user_id)) is None:
            wrapped = await self._database.read(lambda connection: connection.scalar(_WRAPPED, {"user_id": user_id}))
            if wrapped is None:
                raise NoKey(f"no key of person {user_id}: erased, or never stored")
            key = DataKey(decrypt(self._master, wrapped, place=_place_of(user_id)), user_id=user_id)
            self._at_hand[user_id] = key
        self._at_hand.move_to_end(user_id)
        if len(self._at_hand) > self._keys_at_hand:
            self._at_hand.popitem(last=False)
        return key

    async def erase(self, user_id: UserId) -> None:
        """Delete somebody's key: what was written with it can be read by nobody any more."""
        await self._database.write(lambda connection: connection.execute(_ERASE, {"user_id": user_id}), idempotent=True)
        await self._database.discard_log()
        self._at_hand.pop(user_id, None)


def parse_master_key(text: str) -> bytes:
    """Return the 32 bytes that `text` says in base64. Raises `BadMasterKey`, which never quotes it."""
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        raise BadMasterKey(f"The master key is not base64: give {KEY_BYTES} random bytes, base64-encoded.") from None
    if len(key) != KEY_BYTES:
        raise BadMasterKey(f"The master key has {len(key)} bytes: give {KEY_BYTES} random bytes, base64-encoded.")
    return key


def create_master_key(path: Path) -> bytes:
    """Write a new master key durably to a file that only this user can read. Raises FileExistsError if one is there."""
    key = os.urandom(KEY_BYTES)
    with open(path, "xb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        file.write(base64.b64encode(key) + b"\n")
        file.flush()
        os.fsync(file.fileno())
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return key


def read_master_key(path: Path) -> bytes:
    """Return the master key in a file. Raises `BadMasterKey` when that is none, or cannot be read."""
    try:
        return parse_master_key(path.read_text("ascii"))
    except (OSError, UnicodeDecodeError, BadMasterKey):
        raise BadMasterKey(f"The file {path} holds no readable master key: put back the one that was there.") from None


async def has_master(database: Database) -> bool:
    """Whether a key store was made here before."""
    return await database.read(_find_check) is not None


def _find_check(connection: Connection) -> bytes | None:
    if not inspect(connection).has_table(master_key.name):
        return None
    return connection.scalar(select(master_key.c.check_value))


def _leave_check(connection: Connection, master: AESGCM) -> None:
    """Leave the value by which this master key is known again."""
    check = encrypt(master, _CHECK, place=_CHECK_PLACE)
    connection.execute(insert(master_key), {"master_key_id": 1, "check_value": check})


def _place_of(user_id: UserId) -> str:
    return f"data_key.wrapped:{user_id}"
