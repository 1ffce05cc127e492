"""Several bots over the same rows, behind any load balancer: each request is answered where its person is at home.

What is off the record, the reply that is being said and what an open page shows lie in the memory of one process.
"""

import asyncio
import io
import logging
import re
import socket
import uuid
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from ipaddress import ip_address
from time import monotonic

import aiohttp
from prometheus_client import Counter
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from yarl import URL

from bot.conversation.model import Mendable

log = logging.getLogger(__name__)

FAILED = Counter("mentos_peers_failed", "Requests that another bot did not take, and that were answered elsewhere")
LOOK_EVERY_S = 5
REST_S = 5
"""How long a bot that failed is passed over."""
CONNECT_S = 0.5
SILENCE_S = 45
"""How long a stream may be silent: Gradio's have a heartbeat every 15 s."""
KEPT_S = 2
"""How long an idle connection is kept: uvicorn closes its own after 5 s."""
LONGEST_BODY = 2 << 20
"""Bytes; what is longer is nobody's message, and is refused by whoever got it."""

_ADDRESS = re.compile(r"http://(?P<host>[\w.-]+|\[[0-9a-fA-F:]+\])(?::(?P<port>[0-9]{1,5}))?/?")
_HOPPED = b"x-mentos-hopped"
_REQUEST_ID = b"x-request-id"
_ID = re.compile(rb"[ -~]{1,128}")
_OF_ONE_HOP = frozenset(
    b"connection keep-alive proxy-authenticate proxy-authorization te trailer transfer-encoding upgrade".split()
)  # RFC 9110, section 7.6.1
_OURS_TO_SAY = _OF_ONE_HOP | {b"date", b"server"}
_TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S, sock_read=SILENCE_S)


class BadPeers(Mendable):
    """MENTOS_PEERS names nobody who could be asked."""


@dataclass(frozen=True, slots=True)
class Asker:
    """Whose a request is, and for how many seconds their home may keep silent before it is answered here."""

    whose: str
    patience_s: float
    is_stream: bool = False
    """Whether the answer goes on for as long as a page is open, and ends when its person's home is another."""


async def _look_up(host: str) -> Sequence[str]:
    found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return [str(at[0]) for *_, at in found]


class Peers:
    """The bots, this one among them, by the addresses that names have right now.

    Each person is at home at one of them, found by rendezvous hashing (Thaler and Ravishankar, 1998): when a bot comes
    or goes only its own people move.
    """

    def __init__(self, urls: Sequence[str], *, look_up: Callable[[str], Awaitable[Sequence[str]]] = _look_up) -> None:
        """Raises `BadPeers`."""
        self._names = [_name(url) for url in urls]
        self._look_up = look_up
        self._addresses: frozenset[str] = frozenset()
        self._rests_until: dict[str, float] = {}
        self.looked = asyncio.Event()
        """Whether the names were looked up, found or not: until then nobody's home is known."""

    async def look(self) -> None:
        """Look up the names, all or none. Whoever is outside the network is never asked."""
        found: set[str] = set()
        try:
            for host, port in self._names:
                found |= {_origin(at, port) for at in await self._look_up(host) if not ip_address(at).is_global}
            self._addresses = frozenset(found)
        except OSError as error:
            log.warning("the bots at %s cannot be looked up: %s", host, type(error).__name__)
        finally:
            self.looked.set()

    def homes_of(self, whose: str) -> Sequence[str]:
        """Return who is to be asked for somebody, their home first."""
        now = monotonic()
        awake = [each for each in self._addresses if self._rests_until.get(each, 0) <= now]
        return sorted(awake, key=lambda each: blake2b(f"{whose} {each}".encode()).digest(), reverse=True)

    def pass_over(self, peer: str) -> None:
        """Ask another for a while."""
        FAILED.inc()
        self._rests_until[peer] = monotonic() + REST_S


def _name(url: str) -> tuple[str, int]:
    found = _ADDRESS.fullmatch(url.strip())
    try:
        if found and (port := int(found["port"] or 80)) <= 65_535:
            return found["host"].strip("[]").encode("idna").decode(), port
    except UnicodeError:
        pass
    raise BadPeers(f"MENTOS_PEERS: {url} is no address of bots; write http://name:port, or several with commas")


def _origin(host: str, port: int) -> str:
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class AtHome:
    """An ASGI application around another: passes a request on, once, and answers it here where nobody else does."""

    def __init__(self, app: ASGIApp, *, peers: Peers, asker: Callable[[Scope, bytes], Asker | None]) -> None:
        """`asker` is None for what anybody may answer."""
        self._app = app
        self._peers = peers
        self._asker = asker
        self._session = aiohttp.ClientSession(
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=KEPT_S),
        )
        self._streams: dict[asyncio.Task[None], tuple[str, str]] = {}

    async def watch(self) -> None:
        """Go on looking for the bots, and end the streams of those whose home is another by now."""
        while True:
            await self._peers.look()
            self._follow()
            await asyncio.sleep(LOOK_EVERY_S)

    async def drain(self) -> None:
        """End all streams: a page has another bot tell it the rest."""
        for stream in self._streams:
            stream.cancel()

    async def close(self) -> None:
        await self._session.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["raw_path"].startswith(b"/"):
            await self._app(scope, receive, send)
            return
        read = await _read(receive)
        body = b"".join(each.get("body", b"") for each in read)
        if not _ID.fullmatch(_header(scope, _REQUEST_ID)):  # whoever answers in the end, it is the same message
            others = [(name, value) for name, value in scope["headers"] if name != _REQUEST_ID]
            scope = {**scope, "headers": [*others, (_REQUEST_ID, uuid.uuid4().hex.encode())]}
        asker = self._asker(scope, body) if len(body) <= LONGEST_BODY else None
        here = _origin(*scope["server"])
        home, answer = here, None
        if asker and not _header(scope, _HOPPED):
            home, answer = await self._at_home(asker, scope, body, here)
        receive = _again(read, receive)

        async def work(send: Send) -> None:
            await (_relay(answer, receive, send) if answer else self._app(scope, receive, send))

        if asker and asker.is_stream:
            await self._stream(work, send, asker.whose, home)
        else:
            await work(send)

    async def _at_home(
        self, asker: Asker, scope: Scope, body: bytes, here: str
    ) -> tuple[str, aiohttp.ClientResponse | None]:
        """Return who answers and what, nothing where that is this bot."""
        asked = ""
        is_new = not self._peers.looked.is_set()
        try:
            async with asyncio.timeout(asker.patience_s):
                await self._peers.looked.wait()
                for asked in self._peers.homes_of(asker.whose):
                    if asked == here:
                        break
                    try:
                        return asked, await self._ask(asked, scope, body)
                    except UnicodeDecodeError:  # aiohttp writes nothing that is not UTF-8: answered here, for good
                        return asked, None
                    except (aiohttp.ClientError, OSError) as error:
                        self._pass_over(asked, error)
        except TimeoutError as error:
            if not is_new:  # else it was not the bot that was waited for
                self._pass_over(asked, error)
        return here, None

    def _pass_over(self, peer: str, error: Exception) -> None:
        log.warning("the bot at %s does not answer: %s", peer, type(error).__name__)
        self._peers.pass_over(peer)
        self._follow()

    async def _ask(self, home: str, scope: Scope, body: bytes) -> aiohttp.ClientResponse:
        dropped = {
            *_OF_ONE_HOP,
            b"content-length",
            *_header(scope, b"connection").lower().replace(b" ", b"").split(b","),
        }
        headers = [(name, value) for name, value in scope["headers"] if name not in dropped]
        path = scope["raw_path"].decode("ascii")
        query = scope["query_string"].decode("ascii")
        return await self._session.request(
            scope["method"],
            URL(f"{home}{path}{'?' if query else ''}{query}", encoded=True),
            headers=[(name.decode(), value.decode()) for name, value in [*headers, (_HOPPED, b"1")]],
            data=io.BytesIO(body) if body else None,
            allow_redirects=False,
            skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
            timeout=_TIMEOUT,
        )

    async def _stream(
        self, work: Callable[[Send], Coroutine[None, None, None]], send: Send, whose: str, home: str
    ) -> None:
        """Let a stream go on for as long as its person is at home there, and then break it off."""

        async def tell(message: Message) -> None:
            if not stream.cancelling():  # after a last word a page would not know that it was cut
                await send(message)

        stream = asyncio.create_task(work(tell))
        self._streams[stream] = whose, home
        try:
            await asyncio.wait([stream])
        finally:
            del self._streams[stream]
            stream.cancel()
        if not stream.cancelled():
            stream.result()

    def _follow(self) -> None:
        for stream, (whose, home) in self._streams.items():
            homes = self._peers.homes_of(whose)
            if homes and homes[0] != home:
                stream.cancel()


def _header(scope: Scope, name: bytes) -> bytes:
    return next((value for found, value in scope["headers"] if found == name), b"")


async def _read(receive: Receive) -> list[Message]:
    """Read a request, or as much of it as shows that it is too long."""
    read, size = [], 0
    while size <= LONGEST_BODY:
        read.append(await receive())
        size += len(read[-1].get("body", b""))
        if not read[-1].get("more_body"):
            break
    return read


def _again(read: Sequence[Message], receive: Receive) -> Receive:
    left = list(read)

    async def receive_again() -> Message:
        return left.pop(0) if left else await receive()

    return receive_again


async def _relay(answer: aiohttp.ClientResponse, receive: Receive, send: Send) -> None:
    """Send an answer on as it comes, for as long as somebody listens. One that breaks off is left without its end."""
    saying = asyncio.create_task(_say(answer, send))
    leaving = asyncio.create_task(_until_gone(receive))
    try:
        await asyncio.wait([saying, leaving], return_when=asyncio.FIRST_COMPLETED)
    finally:
        leaving.cancel()
        saying.cancel()
        answer.close()
    if saying.done() and not saying.cancelled():
        saying.result()


async def _say(answer: aiohttp.ClientResponse, send: Send) -> None:
    headers = [(name.lower(), value) for name, value in answer.raw_headers if name.lower() not in _OURS_TO_SAY]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    try:
        async for piece in answer.content.iter_any():
            await send({"type": "http.response.body", "body": piece, "more_body": True})
    except (aiohttp.ClientError, TimeoutError) as error:
        log.warning("an answer of another bot broke off: %s", type(error).__name__)
    else:
        await send({"type": "http.response.body", "body": b""})


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
