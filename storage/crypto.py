"""What makes a person's words unreadable to all who lack their key: AES-256-GCM (NIST SP 800-38D).

Ciphertext is `0x01 | nonce (12 bytes) | ciphertext and tag`, bound to its place: the table, column and person.
"""

import os
from functools import cached_property

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from bot.conversation.model import UserId

KEY_BYTES = 32
_NONCE_BYTES = 12
_VERSION = b"\x01"


class Unreadable(ValueError):
    """Ciphertext that this key does not open: altered, moved from another place, or made with another key."""


def encrypt(key: AESGCM, content: bytes, *, place: str) -> bytes:
    nonce = os.urandom(_NONCE_BYTES)
    return _VERSION + nonce + key.encrypt(nonce, content, place.encode())


def decrypt(key: AESGCM, ciphertext: bytes, *, place: str) -> bytes:
    """Undo `encrypt`. Raises `Unreadable`, which names the place only."""
    nonce, sealed = ciphertext[1 : 1 + _NONCE_BYTES], ciphertext[1 + _NONCE_BYTES :]
    if not ciphertext.startswith(_VERSION) or len(nonce) < _NONCE_BYTES:
        raise Unreadable(f"{place} holds no ciphertext of a version that is known here")
    try:
        return key.decrypt(nonce, sealed, place.encode())
    except InvalidTag:
        raise Unreadable(f"{place} does not open: altered, moved, or made with another key") from None


class DataKey:
    """A person's own key. `column` is written `table.column`."""

    def __init__(self, key: bytes, *, user_id: UserId) -> None:
        self._secret = key
        self._key = AESGCM(key)
        self._user_id = user_id

    @cached_property
    def memory_key(self) -> bytes:
        """The key under which this person's memories are looked for (HKDF, RFC 5869): gone with the data key."""
        return HKDF(hashes.SHA256(), KEY_BYTES, salt=None, info=b"mentos memory").derive(self._secret)

    def encrypt(self, text: str, *, column: str) -> bytes:
        # surrogatepass: whatever arrived can be kept, and no error quotes it
        return encrypt(self._key, text.encode("utf-8", "surrogatepass"), place=f"{column}:{self._user_id}")

    def decrypt(self, ciphertext: bytes, *, column: str) -> str:
        return decrypt(self._key, ciphertext, place=f"{column}:{self._user_id}").decode("utf-8", "surrogatepass")
