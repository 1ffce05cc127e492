"""Several bots over one MySQL: what a person experiences, whichever of them a load balancer picks."""

import asyncio
import base64
import signal
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import httpx
import pytest
from sqlalchemy import text

from bot.peers import Peers
from bot.resources import strings
from storage.database import open_database
from tests.chat_server import ChatServer, chat_server
from tests.mysql import fresh_mysql
from tests.ports import free_port
from tests.served import Served, serving
from tests.storage.examples import MASTER_KEY
from tests.web_door import ARRIVE, SAY, event, told

ASSUMED = {"MENTOS_CONSENT__ASSUME": "storage,memory"}
CONTINUE = strings("ko")["kakao"]["continue"]
YES = strings("ko")["core"]["consent_yes"]
IN_DANGER = "오늘 죽으려고 해. 유서도 썼어"
KAKAO_WAITS_S = 5


@dataclass(frozen=True, slots=True)
class Rows:
    """The databases of all processes."""

    url: str
    keys: str

    @property
    def variables(self) -> dict[str, str]:
        master = base64.b64encode(MASTER_KEY).decode()
        return {"MENTOS_DATABASE__URL": self.url, "MENTOS_KEYS__URL": self.keys, "MENTOS_KEYS__MASTER": master}

    async def answered(self) -> list[bool]:
        database = open_database(self.url)
        found = await database.read(
            lambda c: c.scalars(text("SELECT dt_answered IS NOT NULL FROM dialog ORDER BY dialog_id")).all()
        )
        await database.close()
        return [bool(each) for each in found]

    async def hold(self, turns: int) -> None:
        """Wait until so many are heard."""
        while True:
            if len(await self.answered()) == turns:
                return
            await asyncio.sleep(0.05)


@pytest.fixture
async def rows(mysql_server: str | None) -> AsyncIterator[Rows]:
    async with fresh_mysql(mysql_server) as url, fresh_mysql(mysql_server) as keys:
        yield Rows(url, keys)


@pytest.fixture
async def model() -> AsyncIterator[ChatServer]:
    async with chat_server(ChatServer()) as model:
        yield model


class Bots:
    """Starts processes over the same rows."""

    def __init__(self, stack: AsyncExitStack, folder: Path, variables: dict[str, str]) -> None:
        self._stack = stack
        self._folder = folder
        self._variables = variables

    async def start(self, *arguments: str, **variables: str) -> Served:
        home = self._folder / uuid.uuid4().hex
        served = serving(home, *arguments, **{**self._variables, **variables})
        return await self._stack.enter_async_context(served)

    async def start_peers(self, **variables: str) -> list[Served]:
        ports = [free_port() for _ in range(2)]
        peers = ",".join(f"http://127.0.0.1:{port}" for port in ports)
        started = (self.start("--port", str(port), MENTOS_PEERS=peers, **variables) for port in ports)
        return list(await asyncio.gather(*started))

    async def start_two(self) -> list[Served]:
        return list(await asyncio.gather(*(self.start(**ASSUMED) for _ in range(2))))


@pytest.fixture
async def bots(tmp_path: Path, rows: Rows, model: ChatServer) -> AsyncIterator[Bots]:
    async with AsyncExitStack() as stack:
        yield Bots(stack, tmp_path, {**rows.variables, "MENTOS_LLM__URL": model.url})


async def test_a_message_that_two_processes_get_at_once_is_answered_once(
    bots: Bots, rows: Rows, model: ChatServer
) -> None:
    one, other = await bots.start_two()
    await one.kakao("안녕하세요")

    told = await asyncio.gather(*(bot.kakao("요즘 잠이 안 와요", **{"X-Request-Id": "7"}) for bot in (one, other)))

    assert [status for status, _ in told] == [200, 200]
    assert any("언제부터" in words for _, words in told)
    assert len(model.asked) == 2
    assert await rows.answered() == [True, True]


async def test_a_person_gets_one_reply_at_a_time_whichever_processes_hear_them(
    bots: Bots, rows: Rows, model: ChatServer
) -> None:
    one, other = await bots.start_two()
    await one.kakao("안녕하세요")
    model.hold_before = 1
    model.was_asked.clear()

    first = asyncio.create_task(one.kakao("요즘 잠이 안 와요"))
    await asyncio.wait_for(model.was_asked.wait(), 30)
    second = asyncio.create_task(other.kakao("내일 시험이에요"))
    await rows.hold(3)
    assert len(model.asked) == 2
    model.released.set()
    await asyncio.gather(first, second)

    assert await rows.answered() == [True, True, True]
    *_, reply, _ = model.asked[-1]["messages"]
    assert reply == {"role": "assistant", "content": "그러셨군요. 언제부터 그러셨어요?"}


async def test_who_talked_to_a_process_that_dies_goes_on_with_another(
    bots: Bots, rows: Rows, model: ChatServer
) -> None:
    doomed, other = await bots.start_two()
    model.hold_before = 1
    asked = asyncio.create_task(doomed.kakao("요즘 잠이 안 와요"))
    await asyncio.wait_for(model.was_asked.wait(), 30)
    doomed.process.kill()
    with pytest.raises(aiohttp.ClientError):
        await asked
    model.released.set()

    _, words = await other.kakao("내일 시험이에요")

    assert "언제부터" in words
    assert await rows.answered() == [False, True]
    assert "언제부터" in (await other.kakao(CONTINUE))[1]
    assert await rows.answered() == [True, True]


async def test_a_process_that_starts_leaves_to_others_what_they_are_answering(
    bots: Bots, rows: Rows, model: ChatServer
) -> None:
    one = await bots.start(**ASSUMED)
    model.hold_before = 1
    first = asyncio.create_task(one.kakao("요즘 잠이 안 와요"))
    await asyncio.wait_for(model.was_asked.wait(), 30)

    other = await bots.start(**ASSUMED)
    await other.kakao("안녕하세요", person="bada")
    model.released.set()
    told = [(await first)[1], (await one.kakao(CONTINUE))[1]]

    assert " ".join(told).count("언제부터") == 1
    assert [each["messages"][-1]["content"] for each in model.asked] == ["요즘 잠이 안 와요", "안녕하세요"]


async def test_a_stranger_is_the_same_to_every_peer(bots: Bots, rows: Rows, model: ChatServer) -> None:
    one, other = await bots.start_peers()

    asked = [(await bot.kakao(said))[1] for bot, said in ((one, "요즘 잠이 안 와요"), (other, "내일 시험이에요"))]
    assert await rows.answered() == []
    assert [words.count("저는 사람이 아니라 AI") for words in asked] == [1, 0]

    for person in ("bada", "byeol", "nuri", "sora"):  # some at home here, some there
        await one.kakao("안녕하세요", person=person)
        assert (await other.kakao("네", person=person))[1] == YES
        await one.kakao("이제 저장되죠?", person=person)
    assert await rows.answered() == [True] * 4
    assert [said["content"] for said in model.asked[-1]["messages"] if said["role"] == "user"] == [
        "안녕하세요",
        "이제 저장되죠?",
    ]


async def test_danger_heard_by_one_peer_silences_the_reply_that_another_was_asked_for(
    bots: Bots, model: ChatServer
) -> None:
    one, other = await bots.start_peers(**ASSUMED)
    model.hold_before = 1
    first = asyncio.create_task(one.kakao("요즘 잠이 안 와요"))
    await asyncio.wait_for(model.was_asked.wait(), 30)

    _, helped = await other.kakao(IN_DANGER)
    model.released.set()

    assert "109" in helped
    assert "언제부터" not in (await first)[1]


@pytest.mark.parametrize("way", [signal.SIGKILL, signal.SIGSTOP], ids=["dead", "hung"])
async def test_danger_is_answered_though_their_home_is_gone(bots: Bots, way: signal.Signals) -> None:
    one, other = await bots.start_peers(**ASSUMED)
    peers = Peers([one.url, other.url])
    await peers.look()
    anybody = [f"person{number}" for number in range(100)]
    people = [each for each in anybody if peers.homes_of(f"b0t:{each}")[0] == other.url][:3]
    for person in people:
        assert (await one.kakao("안녕하세요", person=person))[0] == 200
    other.process.send_signal(way)

    for person in people:
        async with asyncio.timeout(KAKAO_WAITS_S):
            assert "109" in (await one.kakao(IN_DANGER, person=person))[1]
    for person in people:  # nobody is asked in vain for long
        async with asyncio.timeout(KAKAO_WAITS_S):
            assert (await one.kakao("고마워요", person=person))[0] == 200
    assert "mentos_peers_failed_total 0.0" not in (await one.get("/metrics"))[1]


class Browser:
    """A browser without a screen that keeps its cookie."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self.http = http

    async def say(self, text: str, *, to: str) -> None:
        session = await self._join(to, SAY, {"text": text, "ticket": str(uuid.uuid4())})
        assert told((await self.http.get(f"{to}/gradio_api/queue/data?session_hash={session}")).text) == []

    async def shown(self, *, by: str, joined: str | None = None) -> str:
        """Return the conversation as a page that is opened now shows it, once everything is said."""
        session = await self._join(joined or by, ARRIVE)
        async with (
            asyncio.timeout(30),
            self.http.stream("GET", f"{by}/gradio_api/queue/data?session_hash={session}") as stream,
        ):
            async for line in stream.aiter_lines():
                if (shown := told(line)) and 'aria-busy="false"' in shown[-1]:
                    return shown[-1]
        raise AssertionError("the page was never quiet")

    async def _join(self, to: str, number: int, data: object = None) -> str:
        session = uuid.uuid4().hex[:10]
        joined = await self.http.post(f"{to}/gradio_api/queue/join", json=event(number, data, session=session))
        assert joined.status_code == 200, joined.text
        return session


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with httpx.AsyncClient(timeout=30) as http:
        yield Browser(http)


async def test_a_page_shows_the_reply_whichever_peer_its_requests_reach(bots: Bots, browser: Browser) -> None:
    one, other = [each.url for each in await bots.start_peers(**ASSUMED, MENTOS_WEB__ENABLED="true")]
    for here, there in ((one, other), (other, one)):
        assert (await browser.http.get(f"{here}/")).status_code == 200
        await browser.say("요즘 잠이 안 와요", to=there)
        assert "언제부터 그러셨어요?" in await browser.shown(joined=there, by=here)
        assert (await browser.http.get(f"{there}/mood.png")).headers["content-type"] == "image/png"
        browser.http.cookies.clear()


async def test_a_page_shows_what_a_process_that_died_had_heard(bots: Bots, browser: Browser, model: ChatServer) -> None:
    page = {**ASSUMED, "MENTOS_WEB__ENABLED": "true"}
    doomed = await bots.start(**page)
    await browser.http.get(f"{doomed.url}/")
    model.hold_before = 0
    await browser.say("요즘 잠이 안 와요", to=doomed.url)
    await asyncio.wait_for(model.was_asked.wait(), 30)
    doomed.process.kill()
    model.hold_before = None

    other = await bots.start(**page)
    await browser.say("내일 시험이에요", to=other.url)
    shown = await browser.shown(by=other.url)

    assert shown.index("요즘 잠이 안 와요") < shown.index("내일 시험이에요")
    assert shown.count("언제부터 그러셨어요?") == 2
