"""What holds in danger while the parts of a running Mentos die: a real MariaDB, vector store and model's wire."""

import asyncio
import random
import re
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path

import pytest
from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import create_async_engine

from bot.app import Mentos, now, open_mentos
from bot.conversation.model import Account, Kind, Message, Part
from bot.safety.assess import assess
from bot.safety.replies import numbers
from bot.settings import LanguageModel, Settings, Url
from tests.bot.safety.test_assess import IN_DANGER
from tests.chat_server import ChatServer, chat_server
from tests.mysql import mortal_mysql

GENERATED = "모델이 지어낸 말이에요."
DANGERS = random.Random(9).sample([case.text for case in IN_DANGER if assess(case.text).is_urgent], 30)
AT_ONCE_S = 3
"""What KakaoTalk leaves of its five seconds for a reply."""

Process = subprocess.Popen[bytes]


@pytest.fixture
def mysql() -> Iterator[tuple[str, Process]]:
    with mortal_mysql() as server:
        yield server


@pytest.fixture
async def model() -> AsyncIterator[ChatServer]:
    async with chat_server(ChatServer(pieces=(GENERATED, GENERATED))) as server:
        yield server


async def say(mentos: Mentos, said: str, account: Account) -> Sequence[Part]:
    message = Message(account, f"{said} {now()}", said, now())
    return [part async for part in mentos.conversation.respond(message)]


async def check_all(mentos: Mentos, model: ChatServer, account: Account) -> None:
    asked = len(model.asked)
    for danger in DANGERS:
        async with asyncio.timeout(AT_ONCE_S):
            [part] = await say(mentos, danger, account)
        assert part.kind is Kind.CRISIS
        assert "109" in part.text
        assert GENERATED not in part.text
        if assess(danger).tier == 3:
            assert {"119", "112"} <= set(re.findall(r"\d+", part.text))
        assert {*re.findall(r"(?<![\d-])1\d{2,3}(?:-\d{4})?(?![\d-])", part.text)} <= set(numbers().values())
    assert len(model.asked) == asked


async def test_danger_is_answered_at_once_while_everything_dies(
    mysql: tuple[str, Process], model: ChatServer, tmp_path: Path
) -> None:
    url, process = mysql
    engine = create_async_engine(url, isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        await connection.execute(text("CREATE DATABASE mentos CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci"))
    await engine.dispose()
    rows = make_url(url).set(database="mentos").render_as_string(hide_password=False)
    settings = Settings(home=tmp_path, database=Url(url=rows), llm=LanguageModel(url=model.url))
    account = Account("web", "haneul")
    async with open_mentos(settings) as mentos:
        await say(mentos, "안녕하세요", account)
        await say(mentos, "네", account)
        assert model.asked

        await check_all(mentos, model, account)

        shutil.rmtree(tmp_path / "vectors")
        await check_all(mentos, model, account)

        process.send_signal(signal.SIGSTOP)
        await check_all(mentos, model, account)

        process.kill()
        await check_all(mentos, model, account)
        model.status = 503
        await check_all(mentos, model, Account("web", "a stranger"))
