"""Whole conversations through a server that none of us wrote: `transformers serve`, with a model made on the spot."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest

pytest.importorskip("torch", reason="the parts with torch are asked by `make test-models`")
pytest.importorskip("transformers", reason="the parts with torch are asked by `make test-models`")

from bot.app import Mentos, now, open_mentos
from bot.backends.adapters import lacking_at
from bot.backends.dialects import Kind as ServerKind
from bot.backends.replica import Replica
from bot.conversation.model import Account, Kind
from bot.settings import Settings
from tests.fakes import message
from tests.models.llama import ANSWER, save
from tests.ports import free_port

STARTS_WITHIN_S = 120


@dataclass
class Server:
    """`transformers serve` in a process of its own, on loopback and without a hub."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes] | None = field(default=None)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        hub = self.folder.parent / "hub"
        (hub / "hub").mkdir(parents=True, exist_ok=True)  # /v1/models fails without it
        environment = {**os.environ, "HF_HOME": str(hub), "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
        program = Path(sys.executable).with_name("transformers")
        command = [program, "serve", self.folder, "--device", "cpu", "--host", "127.0.0.1", "--port", str(self.port)]
        self.process = subprocess.Popen(  # noqa: ASYNC220 - it does not wait
            [str(word) for word in command], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        async with aiohttp.ClientSession() as session, asyncio.timeout(STARTS_WITHIN_S):
            while True:
                assert self.process.poll() is None, "transformers serve ended at once"
                try:
                    async with session.get(f"{self.url}/health") as response:
                        if response.status == 200:
                            return
                except aiohttp.ClientError:
                    pass
                await asyncio.sleep(0.2)

    def kill(self) -> None:
        if self.process:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
            self.process = None


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("llama") / "model"
    save(folder)
    server = Server(folder, free_port())
    asyncio.run(server.start())
    yield server
    server.kill()


@pytest.fixture
def settings(server: Server, tmp_path: Path) -> Settings:
    if server.process is None:
        asyncio.run(server.start())
    return Settings(
        home=tmp_path,
        llm={"url": server.url, "first_token_s": 60, "total_s": 90},  # type: ignore[arg-type]
        consent={"assume": "storage,memory"},  # type: ignore[arg-type]
    )


async def said(mentos: Mentos, text: str, number: int) -> tuple[str, set[Kind]]:
    heard = message(text, id_=str(number), at=now())
    parts = [part async for part in mentos.conversation.respond(heard)]
    await mentos.conversation.delivered(heard)
    return " ".join(part.text for part in parts), {part.kind for part in parts}


async def test_a_whole_conversation_is_the_models(settings: Settings) -> None:
    async with open_mentos(settings) as mentos:
        for number, text in enumerate(["요즘 잠이 안 와요", "회사 일이 너무 많아요", "그래도 오늘은 좀 쉬었어요"]):
            reply, kinds = await said(mentos, text, number)
            assert reply == ANSWER
            assert kinds == {Kind.SAID}
        assert (await mentos.check())["llm"] == "ok"


async def test_it_speaks_in_the_manner_that_was_chosen(settings: Settings) -> None:
    async with open_mentos(settings) as mentos:
        await said(mentos, "/말투 친구", 0)
        reply, _ = await said(mentos, "요즘 잠이 안 와", 1)
    assert reply == "그랬구나. 오늘은 어떤 일이 있었어?"


async def test_danger_is_answered_without_it(settings: Settings) -> None:
    async with open_mentos(settings) as mentos:
        reply, kinds = await said(mentos, "나 진짜 죽고 싶어", 0)
        assert kinds == {Kind.CRISIS}
        assert "109" in reply
        assert ANSWER not in reply


async def test_when_the_server_dies_the_script_answers_and_when_it_is_back_the_model_does(
    settings: Settings, server: Server
) -> None:
    async with open_mentos(settings) as mentos:
        assert (await said(mentos, "요즘 잠이 안 와요", 0))[0] == ANSWER
        server.kill()
        reply, kinds = await said(mentos, "회사 일이 너무 많아요", 1)
        assert reply
        assert ANSWER not in reply
        assert kinds == {Kind.SAID}
        assert (await mentos.check())["llm"] == "unreachable"
        await server.start()
        async with asyncio.timeout(60):
            while (await mentos.check())["llm"] != "ok":  # noqa: ASYNC110 - of another process, which tells nobody
                await asyncio.sleep(0.2)
        assert (await said(mentos, "오늘은 좀 쉬었어요", 2))[0] == ANSWER


async def test_ten_people_at_once_are_answered(settings: Settings) -> None:
    async with open_mentos(settings) as mentos:
        replies = await asyncio.gather(*(said_by(mentos, f"person-{number}") for number in range(10)))
    assert replies == [ANSWER] * 10


async def said_by(mentos: Mentos, who: str) -> str:
    heard = message("요즘 잠이 안 와요", account=Account("terminal", who), at=now())
    return " ".join([part.text async for part in mentos.conversation.respond(heard) if part.kind is Kind.SAID])


async def test_what_it_is_and_which_adapters_it_lacks_is_found(server: Server) -> None:
    if server.process is None:
        await server.start()
    async with aiohttp.ClientSession() as session:
        replica = Replica(server.url, session=session, api_key=None, at_once=4, kind=None)
        assert await replica.look()
        assert await lacking_at(replica, ["expert"]) == frozenset({"expert"})
        assert replica.about
        assert replica.about.dialect.kind is ServerKind.TRANSFORMERS
        await replica.close()
