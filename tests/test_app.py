"""What holds when a part fails under a running Mentos."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence

import pytest

from bot.app import Apologising, now
from bot.conversation.model import Account, Kind, Mendable, Message, Part
from bot.messengers.relay import RelayedConversation
from tests.fakes import message


class Broken:
    """Fulfils `Conversation` badly: every call fails, in words that quote the person."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    async def respond(self, message: Message) -> AsyncIterator[Part]:
        yield Part("첫 문장은 했어요.")
        raise self._error

    async def delivered(self, message: Message) -> None:
        raise self._error

    async def unanswered(self, messenger: str, address: str | None = None) -> Sequence[Message]:
        raise self._error


async def hear(text: str, error: Exception) -> list[Part]:
    conversation = Apologising(Broken(error), language="ko")
    return [part async for part in conversation.respond(message(text))]


@pytest.mark.parametrize(
    "error", [RuntimeError("나의 비밀"), KeyError("나의 비밀"), Mendable("MySQL is away; start it")]
)
async def test_whatever_breaks_becomes_a_kind_sentence(error: Exception) -> None:
    said, apology = await hear("요즘 힘들어요", error)
    assert said.text == "첫 문장은 했어요."
    assert apology.kind is Kind.NOTICE
    assert "미안" in apology.text


async def test_whatever_breaks_somebody_in_danger_is_helped() -> None:
    *_, helped = await hear("나 오늘 죽으려고 해. 유서도 썼어", RuntimeError())
    assert helped.kind is Kind.CRISIS
    assert "109" in helped.text
    assert "119" in helped.text


async def test_the_log_names_the_error_and_its_place_but_none_of_its_words(caplog: pytest.LogCaptureFixture) -> None:
    await hear("나의 비밀", RuntimeError("나의 비밀"))
    assert "RuntimeError" in caplog.text
    assert "Broken.respond" in caplog.text
    assert "비밀" not in caplog.text


async def test_an_error_that_people_can_mend_is_logged_with_its_remedy(caplog: pytest.LogCaptureFixture) -> None:
    await hear("안녕", Mendable("MySQL is away; start it"))
    assert "start it" in caplog.text


async def test_a_confirmation_that_cannot_be_stored_ends_nothing(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR)
    conversation = Apologising(Broken(Mendable("MySQL is away; start it")), language="ko")
    await conversation.delivered(message("안녕"))
    assert await conversation.unanswered("discord") == ()
    assert caplog.text.count("start it") == 2


async def test_a_terminal_whose_server_is_gone_still_gives_help(unused_tcp_port: int) -> None:
    account = Account("terminal", "haneul")
    relayed = RelayedConversation(port=unused_tcp_port, token="token", account=account, now=now)
    conversation = Apologising(relayed, language="ko")
    [helped] = [part async for part in conversation.respond(message("나 죽고 싶어", account=account))]
    assert helped.kind is Kind.CRISIS
    assert "109" in helped.text
    await conversation.delivered(message("안녕", account=account))


async def test_an_answer_that_breaks_off_is_no_whole_answer() -> None:
    async def break_off(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write('{"kind": "said", "text": "첫 문장이에요."}\n{"kind": "sa'.encode())
        writer.close()

    server = await asyncio.start_server(break_off, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        relayed = RelayedConversation(port=port, token="token", account=Account("terminal", "haneul"), now=now)
        parts = [part async for part in Apologising(relayed, language="ko").respond(message("안녕"))]
    assert [part.kind for part in parts] == [Kind.SAID, Kind.NOTICE]
