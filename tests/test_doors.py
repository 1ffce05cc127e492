"""One conversation, whichever door it comes through."""

import asyncio
import io
import secrets
import unicodedata
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from bot.app import Mentos, now, open_mentos
from bot.conversation.model import Account, Turn
from bot.messengers.discord import DiscordDoor
from bot.messengers.kakao import KakaoDoor
from bot.messengers.relay import Relay, RelayedConversation
from bot.messengers.terminal import answer_pipe
from bot.serve import http
from bot.settings import Settings
from tests.discord_server import HANEUL, DiscordServer, discord_server
from tests.mysql import fresh_mysql

SAID = [
    "/말투 선비",
    "요즘 잠이 안 와요",
    "내일 시험이라 너무 불안해요",
    "나 오늘 밤에 죽으려고 해. 유서도 썼어",
    "친구가 옆에 와 줬어요. 고마운 친구예요",
    "   ",
    "어떻게 해야 할까요?",
]


@pytest.fixture(params=["sqlite", "mysql"])
async def mentos(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Mentos]:
    async with AsyncExitStack() as stack:
        chosen: dict[str, Any] = {"home": tmp_path, "consent": {"assume": "storage,memory"}}
        if request.param == "mysql":
            server = request.getfixturevalue("mysql_server")
            chosen["database"] = {"url": await stack.enter_async_context(fresh_mysql(server))}
        yield await stack.enter_async_context(open_mentos(Settings.model_validate(chosen)))


async def through_the_terminal(mentos: Mentos) -> Account:
    account = Account("terminal", "haneul")
    relay = Relay(mentos.conversation, token="token", now=now)
    conversation = RelayedConversation(port=await relay.open(), token="token", account=account, now=now)
    lines = io.BytesIO("\n".join(SAID).encode())
    await answer_pipe(conversation, lines=lines, out=io.StringIO(), account=account, now=now)
    await relay.drain()
    return account


async def through_discord(mentos: Mentos) -> Account:
    async with discord_server() as server:
        door = DiscordDoor(
            conversation=mentos.conversation,
            characters=list(mentos.characters.values()),
            strings=mentos.words["discord"],
            now=now,
            sync_commands=False,
        )
        async with door:
            running = asyncio.create_task(door.start("token"))
            await server.until(lambda: server.identifies)
            for text in SAID:
                seen = len(server.seen_by())
                await server.write(text)
                await server.until(partial(has_more_than, server, seen))
                await door.drain(10)
        await running
    return Account("discord", HANEUL)


def has_more_than(server: DiscordServer, seen: int) -> bool:
    return len(server.seen_by()) > seen


async def through_kakaotalk(mentos: Mentos) -> Account:
    door = KakaoDoor(
        conversation=mentos.conversation,
        header="X-Mentos-Key",
        secret="secret",
        callback_hosts=[],
        strings=mentos.words["kakao"],
        tones=[],
        now=now,
    )
    transport = httpx.ASGITransport(http(mentos, door))
    async with httpx.AsyncClient(transport=transport, base_url="http://mentos") as client:
        for text in SAID:
            call: dict[str, Any] = {
                "bot": {"id": "b0t"},
                "userRequest": {"utterance": text, "user": {"id": "haneul", "type": "botUserKey", "properties": {}}},
            }
            answer = await client.post("/kakao/skill", json=call, headers={"X-Mentos-Key": "secret"})
            assert answer.status_code == 200
    await door.drain()
    return Account("kakao", "b0t:haneul")


async def stored(mentos: Mentos, account: Account) -> Sequence[Turn]:
    assert mentos.storage
    person = await mentos.storage.people.find(account)
    assert person
    return await mentos.storage.counsels.recent(person.user_id, limit=99)


async def test_the_same_conversation_leaves_the_same_turns_through_every_door(mentos: Mentos) -> None:
    accounts = [await through_the_terminal(mentos), await through_discord(mentos), await through_kakaotalk(mentos)]

    conversations = []
    for account in accounts:
        turns = await stored(mentos, account)
        assert all(turn.answer for turn in turns)
        conversations.append(
            [(turn.text, turn.answer.draft, turn.answer.reply, turn.answer.emotion) for turn in turns if turn.answer]
        )
    terminal, discord, kakao = conversations
    assert [text for text, *_ in terminal] == [text for text in SAID[1:] if text.strip()]
    assert terminal == discord == kakao


async def test_none_of_the_words_lie_open_in_the_data_folder(mentos: Mentos, tmp_path: Path) -> None:
    secret = "".join(secrets.choice("각난닫람밥샅앚찿캌탙팦핳") for _ in range(12))
    account = Account("terminal", "haneul")
    lines = io.BytesIO("\n".join([f"{secret} 때문에 너무 불안해요", "나 죽고 싶어 " + secret, *SAID[1:]]).encode())
    await answer_pipe(mentos.conversation, lines=lines, out=io.StringIO(), account=account, now=now)

    turns = await stored(mentos, account)
    replies = [turn.answer.reply for turn in turns if turn.answer]
    drafts = [turn.answer.draft for turn in turns if turn.answer]
    words = {secret, *(text[:12] for text in [*replies, *drafts, *SAID] if len(text.strip()) >= 12)}
    assert len(words) > 8
    assert files_that_hold(words, folder=tmp_path) == []


def files_that_hold(words: set[str], *, folder: Path) -> list[str]:
    spellings = [spelling for word in words for spelling in (word, unicodedata.normalize("NFD", word))]
    needles = [spelling.encode(coding) for spelling in spellings for coding in ("utf-8", "utf-16-le", "utf-16-be")]
    contents = {str(file): file.read_bytes() for file in folder.rglob("*") if file.is_file()}
    assert contents
    return [name for name, content in contents.items() if any(needle in content for needle in needles)]
