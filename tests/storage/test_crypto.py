import pytest

from bot.conversation.model import UserId
from storage.crypto import DataKey, Unreadable

KEY = bytes(32)
MINA = UserId("mina")


@pytest.fixture
def key() -> DataKey:
    return DataKey(KEY, user_id=MINA)


@pytest.mark.parametrize("text", ["", "힘들었어", "😀", "앞\0뒤", "\ud800"], ids=ascii)
def test_whatever_was_encrypted_can_be_read(key: DataKey, text: str) -> None:
    assert key.decrypt(key.encrypt(text, column="dialog.u_message"), column="dialog.u_message") == text


def test_the_same_text_never_looks_the_same(key: DataKey) -> None:
    assert key.encrypt("힘들었어", column="dialog.u_message") != key.encrypt("힘들었어", column="dialog.u_message")


def test_ciphertext_says_its_version(key: DataKey) -> None:
    assert key.encrypt("힘들었어", column="dialog.u_message")[0] == 1


@pytest.mark.parametrize("place", [0, 1, 12, 13, -1])
def test_an_altered_byte_is_noticed(key: DataKey, place: int) -> None:
    altered = bytearray(key.encrypt("힘들었어", column="dialog.u_message"))
    altered[place] ^= 1

    with pytest.raises(Unreadable):
        key.decrypt(bytes(altered), column="dialog.u_message")


@pytest.mark.parametrize("length", [0, 1, 5, 13, 28])
def test_cut_ciphertext_is_noticed(key: DataKey, length: int) -> None:
    with pytest.raises(Unreadable):
        key.decrypt(key.encrypt("힘들었어", column="dialog.u_message")[:length], column="dialog.u_message")


def test_text_does_not_open_in_another_column(key: DataKey) -> None:
    with pytest.raises(Unreadable, match=r"dialog\.ai_message"):
        key.decrypt(key.encrypt("힘들었어", column="dialog.u_message"), column="dialog.ai_message")


def test_text_does_not_open_for_another_person_even_under_the_same_key(key: DataKey) -> None:
    with pytest.raises(Unreadable):
        DataKey(KEY, user_id=UserId("jun")).decrypt(
            key.encrypt("힘들었어", column="dialog.u_message"), column="dialog.u_message"
        )


def test_text_does_not_open_under_another_key(key: DataKey) -> None:
    with pytest.raises(Unreadable):
        DataKey(b"k" * 32, user_id=MINA).decrypt(
            key.encrypt("힘들었어", column="dialog.u_message"), column="dialog.u_message"
        )


def test_no_error_quotes_what_was_written(key: DataKey) -> None:
    with pytest.raises(Unreadable) as error:
        key.decrypt("힘들었어".encode(), column="dialog.u_message")

    assert "힘들" not in str(error.value)
