"""Which bot a request is answered by, and that it arrives there as it was sent."""

import asyncio
import io
import json
import re
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import aiohttp
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Scope

from bot.peers import LONGEST_BODY, Asker, AtHome, BadPeers, Peers
from bot.serve import asker_of

IN_DANGER = "오늘 밤에 죽으려고 해. 유서도 썼어"
PEOPLE = [f"person-{number}" for number in range(300)]


def of(scope: Scope, body: bytes) -> Asker | None:
    whose = dict(scope["headers"]).get(b"x-whose", b"").decode()
    return Asker(whose, 2.0, is_stream=scope["path"] == "/stream") if whose else None


class Bot:
    """A bot that says which one it is and what it got, or says nothing while it `is_hung`."""

    def __init__(self) -> None:
        self.is_hung = False
        self.asked: list[str] = []
        self.let_go = asyncio.Event()
        self.app = Starlette(
            routes=[
                Route("/stream", self._stream),
                Route("/cookies", self._cookies),
                Route("/{path:path}", self._echo, methods=["GET", "POST", "HEAD"]),
            ]
        )

    async def _echo(self, request: Request) -> Response:
        self.asked.append(request.headers.get("x-request-id", ""))
        if self.is_hung:
            await asyncio.Event().wait()
        assert request.scope["server"]
        return JSONResponse(
            {
                "port": request.scope["server"][1],
                "path": request.scope["raw_path"].decode(),
                "query": request.url.query,
                "method": request.method,
                "headers": [[name, value] for name, value in request.headers.items()],
                "body": (await request.body()).decode("latin-1"),
            },
            status_code=201,
        )

    async def _stream(self, request: Request) -> Response:
        async def pieces() -> AsyncIterator[bytes]:
            try:
                while True:
                    yield b"piece"
                    await asyncio.sleep(0.01)
            except asyncio.CancelledError:
                yield b"a last word, as Gradio has one"
                raise
            finally:
                self.let_go.set()

        return StreamingResponse(pieces(), media_type="text/event-stream")

    async def _cookies(self, request: Request) -> Response:
        response = Response(b"packed", headers={"Content-Encoding": "odd"})
        response.set_cookie("one", "1")
        response.set_cookie("two", "2")
        return response


class Town:
    """Two bots that know of each other; `peers` are those that the first knows."""

    def __init__(self, bots: list[Bot], doors: list[AtHome], ports: list[int], peers: Peers) -> None:
        self.bots = bots
        self.doors = doors
        self.ports = ports
        self.peers = peers
        self.urls = [f"http://127.0.0.1:{port}" for port in ports]

    def at_home_in(self, index: int) -> str:
        return next(person for person in PEOPLE if self.peers.homes_of(person)[0] == self.urls[index])


@asynccontextmanager
async def listening(app: AtHome, on: socket.socket) -> AsyncIterator[None]:
    server = uvicorn.Server(uvicorn.Config(app, lifespan="off", log_level="error", timeout_graceful_shutdown=1))
    serving = asyncio.create_task(server.serve(sockets=[on]))
    try:
        yield
    finally:
        server.should_exit = True
        await serving


@pytest.fixture
async def town() -> AsyncIterator[Town]:
    async with AsyncExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(2)]
        ports = [each.getsockname()[1] for each in sockets]
        bots = [Bot(), Bot()]
        known = [Peers([f"http://127.0.0.1:{port}" for port in ports]) for _ in bots]
        doors = []
        for bot, peers, on in zip(bots, known, sockets, strict=True):
            await peers.look()
            doors.append(AtHome(bot.app, peers=peers, asker=of))
            stack.push_async_callback(doors[-1].close)
            await stack.enter_async_context(listening(doors[-1], on))
        yield Town(bots, doors, ports, known[0])


@pytest.fixture
async def outsider() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(auto_decompress=False) as session:
        yield session


@pytest.mark.parametrize("home", [0, 1])
async def test_a_request_arrives_where_its_person_is_at_home_as_it_was_sent(
    town: Town, outsider: aiohttp.ClientSession, home: int
) -> None:
    sent = {"X-Whose": town.at_home_in(home), "Host": "talk.example", "Cookie": "a=b; c=d", "X-Request-Id": "7"}
    path = "/en/%EA%B0%80%2F?x=1&x=%202"
    for url in town.urls:
        async with outsider.post(f"{url}{path}", data="가".encode(), headers=sent) as response:
            got = await response.json()
        assert response.status == 201
        assert got["port"] == town.ports[home]
        assert (got["method"], f"{got['path']}?{got['query']}") == ("POST", path)
        assert got["body"].encode("latin-1").decode() == "가"
        headers = [(name, value) for name, value in got["headers"] if name != "x-mentos-hopped"]
        assert {name.lower(): value for name, value in sent.items()}.items() <= dict(headers).items()
        assert len(headers) == len(dict(headers))


async def test_whose_request_nobody_knows_is_answered_where_it_arrives(
    town: Town, outsider: aiohttp.ClientSession
) -> None:
    for url, port in zip(town.urls, town.ports, strict=True):
        async with outsider.get(f"{url}/healthz") as response:
            assert (await response.json())["port"] == port


@pytest.mark.parametrize(
    "given", [{}, {"X-Request-Id": ""}, {"X-Request-Id": "7" * 129}], ids=["none", "empty", "long"]
)
async def test_a_message_keeps_its_id_when_another_answers_it_in_the_end(
    town: Town, outsider: aiohttp.ClientSession, given: dict[str, str]
) -> None:
    town.bots[1].is_hung = True
    async with outsider.get(f"{town.urls[0]}/", headers={"X-Whose": town.at_home_in(1), **given}) as response:
        got = await response.json()

    assert got["port"] == town.ports[0]
    [id_] = {*town.bots[0].asked, *town.bots[1].asked}
    assert re.fullmatch(r"[!-~]{1,128}", id_)
    assert [name for name, _ in got["headers"]].count("x-request-id") == 1


async def test_cookies_and_packed_bodies_come_back_as_they_were(town: Town, outsider: aiohttp.ClientSession) -> None:
    async with outsider.get(f"{town.urls[0]}/cookies", headers={"X-Whose": town.at_home_in(1)}) as response:
        assert [each.partition(";")[0] for each in response.headers.getall("Set-Cookie")] == ["one=1", "two=2"]
        assert response.headers["Content-Encoding"] == "odd"
        assert await response.read() == b"packed"


async def test_a_stream_comes_piece_by_piece_and_ends_there_when_nobody_listens(
    town: Town, outsider: aiohttp.ClientSession
) -> None:
    async with outsider.get(f"{town.urls[0]}/stream", headers={"X-Whose": town.at_home_in(1)}) as response:
        assert await response.content.readexactly(5) == b"piece"
        response.close()

    await asyncio.wait_for(town.bots[1].let_go.wait(), 10)


async def test_a_request_goes_where_its_person_is_at_home_and_nowhere_else(town: Town) -> None:
    inner = Bot()
    with socket.create_server(("127.0.0.2", 0)) as elsewhere:
        server = uvicorn.Server(uvicorn.Config(inner.app, lifespan="off", log_level="error"))
        serving = asyncio.create_task(server.serve(sockets=[elsewhere]))
        port = elsewhere.getsockname()[1]
        for target in (
            f"@127.0.0.2:{port}/secret",
            f"http://127.0.0.2:{port}/",
            f"//127.0.0.2:{port}/",
            "*",
            "@127.0.0.1:1/",
        ):
            reader, writer = await asyncio.open_connection("127.0.0.1", town.ports[0])
            whose = town.at_home_in(1)
            writer.write(f"GET {target} HTTP/1.1\r\nHost: a\r\nX-Whose: {whose}\r\nConnection: close\r\n\r\n".encode())
            assert await asyncio.wait_for(reader.read(), 10)
            writer.close()
        server.should_exit = True
        await serving
    assert inner.asked == []
    assert len(town.peers.homes_of("anybody")) == 2


async def test_a_secret_of_any_letters_arrives_as_it_was_typed(town: Town) -> None:
    _, port = town.ports
    reader, writer = await asyncio.open_connection("127.0.0.1", town.ports[0])
    head = f"GET / HTTP/1.1\r\nHost: a\r\nX-Whose: {town.at_home_in(1)}\r\nConnection: close\r\nX-Key: "
    writer.write(head.encode() + "열려라".encode() + b"\r\n\r\n")
    answer = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    got = json.loads(
        answer.partition(b"\r\n\r\n")[2].split(b"\r\n")[-1] or answer[answer.index(b"{") : answer.rindex(b"}") + 1]
    )
    assert got["port"] == port
    assert dict(got["headers"])["x-key"].encode("latin-1").decode() == "열려라"


async def test_a_stream_is_broken_off_when_its_person_is_at_home_elsewhere(
    town: Town, outsider: aiohttp.ClientSession
) -> None:
    person = town.at_home_in(1)
    for url, door in zip(town.urls, town.doors, strict=True):  # relayed, and at home
        async with outsider.get(f"{url}/stream", headers={"X-Whose": person}) as response:
            await response.content.readexactly(5)
            door._pass_over(town.urls[1], OSError())
            assert b"last" not in await broken_off(response)


async def broken_off(response: aiohttp.ClientResponse) -> bytes:
    """Read the rest of a stream that is not ended but cut."""
    rest = b""
    try:
        while piece := await asyncio.wait_for(response.content.readany(), 10):
            rest += piece
    except aiohttp.ClientPayloadError:
        return rest
    pytest.fail("the stream was ended")


async def test_a_stop_ends_streams(town: Town, outsider: aiohttp.ClientSession) -> None:
    async with outsider.get(f"{town.urls[0]}/stream", headers={"X-Whose": town.at_home_in(1)}) as response:
        await response.content.readexactly(5)
        await town.doors[0].drain()
        assert b"last" not in await broken_off(response)


async def test_what_is_too_long_is_left_to_whoever_got_it_and_loses_nothing(
    town: Town, outsider: aiohttp.ClientSession
) -> None:
    body = b"a" * (LONGEST_BODY + 100_000)
    async with outsider.post(
        f"{town.urls[0]}/", data=io.BytesIO(body), headers={"X-Whose": town.at_home_in(1)}
    ) as response:
        got = await response.json()

    assert got["port"] == town.ports[0]
    assert len(got["body"]) == len(body)


async def test_when_a_bot_comes_only_its_own_people_move() -> None:
    three = [f"http://127.0.0.{number}:8000" for number in (1, 2, 3)]
    before, after = Peers(three[:2]), Peers(three)
    await before.look()
    await after.look()

    moved = [person for person in PEOPLE if before.homes_of(person)[0] != after.homes_of(person)[0]]

    assert {after.homes_of(person)[0] for person in moved} == {three[2]}
    assert 50 < len(moved) < 150
    assert {before.homes_of(person)[0] for person in PEOPLE} == set(three[:2])


async def test_a_bot_that_failed_is_passed_over_and_the_next_one_asked() -> None:
    peers = Peers(["http://127.0.0.1:8000", "http://127.0.0.2:8000"])
    await peers.look()
    first, second = peers.homes_of("haneul")

    peers.pass_over(first)

    assert peers.homes_of("haneul") == [second]


async def test_nobody_outside_the_network_is_ever_asked() -> None:
    peers = Peers(["http://93.184.215.14:8000", "http://127.0.0.1:8000"])
    await peers.look()
    assert peers.homes_of("haneul") == ["http://127.0.0.1:8000"]


class Names:
    """Who stands under any name: told once it `answers`, and not at all while it `is_down`."""

    def __init__(self) -> None:
        self.answers = asyncio.Event()
        self.is_down = False

    async def addresses(self, _: str) -> list[str]:
        await self.answers.wait()
        if self.is_down:
            raise socket.gaierror
        return ["127.0.0.1"]


async def test_who_was_found_is_kept_while_names_cannot_be_looked_up(caplog: pytest.LogCaptureFixture) -> None:
    names = Names()
    names.answers.set()
    peers = Peers(["http://bots:8000"], look_up=names.addresses)
    await peers.look()
    names.is_down = True
    await peers.look()

    assert peers.homes_of("haneul") == ["http://127.0.0.1:8000"]
    assert "bots" in caplog.text


@pytest.fixture
async def new(town: Town) -> AsyncIterator[tuple[str, Names, asyncio.Event]]:
    """A bot that has not seen the town yet: its address, what tells it of the others, and that it is asked."""
    names, arrived = Names(), asyncio.Event()

    def arriving(scope: Scope, body: bytes) -> Asker | None:
        arrived.set()
        return of(scope, body)

    async with AsyncExitStack() as stack:
        on = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        door = AtHome(Bot().app, peers=Peers(town.urls, look_up=names.addresses), asker=arriving)
        stack.push_async_callback(door.close)
        await stack.enter_async_context(listening(door, on))
        looking = asyncio.create_task(door.watch())
        stack.callback(looking.cancel)
        yield f"http://127.0.0.1:{on.getsockname()[1]}", names, arrived


async def test_a_request_waits_until_its_home_is_known(
    town: Town, new: tuple[str, Names, asyncio.Event], outsider: aiohttp.ClientSession
) -> None:
    url, names, arrived = new
    asked = asyncio.create_task(outsider.get(f"{url}/", headers={"X-Whose": town.at_home_in(1)}))
    await arrived.wait()
    names.answers.set()

    assert (await (await asked).json())["port"] == town.ports[1]


async def test_a_request_whose_home_stays_unknown_is_answered_where_it_arrives(
    town: Town, new: tuple[str, Names, asyncio.Event], outsider: aiohttp.ClientSession, caplog: pytest.LogCaptureFixture
) -> None:
    url, *_ = new
    async with outsider.get(f"{url}/", headers={"X-Whose": town.at_home_in(1)}) as response:
        assert f":{(await response.json())['port']}" in url
    assert "does not answer" not in caplog.text


@pytest.mark.parametrize(
    "url",
    [
        "https://bots:8000",
        "bots:8000",
        "http://",
        "http://bots:8000/path",
        " ",
        "http://bots:x",
        "http://bots:99999",
        "http://a..b:80",
        f"http://{'a' * 64}:80",
        "http://bots@elsewhere:80",
    ],
)
def test_an_address_of_nobody_is_one_sentence(url: str) -> None:
    with pytest.raises(BadPeers, match="MENTOS_PEERS"):
        Peers([url])


COOKIE = [(b"cookie", b"mentos=" + b"a" * 43)]


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics", "/safety", "/font.ttf", "/assets/x.js", "/"])
def test_what_anybody_can_answer_is_answered_at_once(path: str) -> None:
    assert asker_of({"type": "http", "path": path, "headers": COOKIE}, b"") is None


@pytest.mark.parametrize("path", ["/gradio_api/queue/join", "/en/gradio_api/queue/data", "/mood.png", "/en/days.png"])
def test_what_lies_in_one_process_is_asked_of_that_by_who_has_a_cookie(path: str) -> None:
    scope = {"type": "http", "path": path, "headers": COOKIE}
    asker = asker_of(scope, b"")
    assert asker
    assert asker.is_stream == path.endswith("data")
    assert asker_of({**scope, "headers": []}, b"") is None


def test_words_that_mean_danger_wait_for_nobody_long() -> None:
    def patience(path: str, body: object) -> float:
        asker = asker_of({"type": "http", "path": path, "headers": COOKIE}, json.dumps(body).encode())
        assert asker
        return asker.patience_s

    def on_the_page(text: str) -> float:
        return patience("/gradio_api/queue/join", {"event_data": {"text": text}})

    def in_kakaotalk(text: str) -> float:
        said = {"bot": {"id": "b"}, "userRequest": {"utterance": text, "user": {"id": "u"}}}
        return patience("/kakao/skill", said)

    for in_danger, calm in ((f(IN_DANGER), f("요즘 잠이 안 와요")) for f in (on_the_page, in_kakaotalk)):
        assert in_danger <= 1.5 < calm < 5


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"bot": {"id": "b"}}', b"\xff", b"[" * 100_000])
def test_a_call_that_names_nobody_is_anybodys(body: bytes) -> None:
    assert asker_of({"type": "http", "path": "/kakao/skill", "headers": []}, body) is None
