"""Several bots over the same rows, behind any load balancer: each request is answered where its person is at home.

What is off the record, the reply that is being said and what an open page shows lie in the memory of one process.
"""

import asyncio
import logging
import re
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from ipaddress import ip_address
from time import monotonic

import aiohttp
from prometheus_client import Counter
from starlette.responses import StreamingResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from yarl import URL

from bot.conversation.model import Mendable

log = logging.getLogger(__name__)

FAILED = Counter("mentos_peers_failed", "Requests that another bot did not take, and that were answered elsewhere")
LOOK_EVERY_S = 5
REST_S = 5
"""How long a bot that failed is passed over."""
CONNECT_S = 0.5
LONGEST_BODY = 1 << 20
"""Bytes; what is longer is nobody's message, and is refused by whoever got it."""

_ADDRESS = re.compile(r"http://(?P<host>[\w.-]+|\[[0-9a-fA-F:]+\])(?::(?P<port>[0-9]{1,5}))?/?")
_HOPPED = b"x-mentos-hopped"
_REQUEST_ID = b"x-request-id"
_OF_ONE_HOP = frozenset(
    b"connection keep-alive proxy-authenticate proxy-authorization te trailer transfer-encoding upgrade".split()
)  # RFC 9110, section 7.6.1
_TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S)


class BadPeers(Mendable):
    """MENTOS_PEERS names nobody who could be asked."""


@dataclass(frozen=True, slots=True)
class Asker:
    """Whose a request is, and for how many seconds their home may keep silent before it is answered here."""

    whose: str
    patience_s: float


class Peers:
    """The bots, this one among them, by the addresses that names have right now.

    Each person is at home at one of them, found by rendezvous hashing (Thaler and Ravishankar, 1998): when a bot comes
    or goes only its own people move.
    """

    def __init__(self, urls: Sequence[str]) -> None:
        """Raises `BadPeers`."""
        self._names = [_name(url) for url in urls]
        self._addresses: frozenset[str] = frozenset()
        self._rests_until: dict[str, float] = {}

    async def watch(self) -> None:
        """Go on looking for them."""
        while True:
            await self.look()
            await asyncio.sleep(LOOK_EVERY_S)

    async def look(self) -> None:
        """Look up the names, all or none. Whoever is outside the network is never asked."""
        loop = asyncio.get_running_loop()
        found: set[str] = set()
        for host, port in self._names:
            try:
                addresses = await loop.getaddrinfo(host, port, type=1)
            except OSError as error:
                log.warning("the bots at %s cannot be looked up: %s", host, type(error).__name__)
                return
            found |= {_origin(str(at[0]), port) for *_, at in addresses if not ip_address(at[0]).is_global}
        self._addresses = frozenset(found)

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
    if found is None:
        raise BadPeers(f"MENTOS_PEERS: {url} is no address of bots; write http://name:port, or several with commas")
    return found["host"].strip("[]"), int(found["port"] or 80)


def _origin(host: str, port: int) -> str:
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class AtHome:
    """An ASGI application around another: passes a request on, once, and answers it here where nobody else does."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        peers: Peers,
        session: aiohttp.ClientSession,
        asker: Callable[[Scope, bytes], Asker | None],
    ) -> None:
        """`session` neither follows cookies nor unpacks what it reads; `asker` is None for what anybody may answer."""
        self._app = app
        self._peers = peers
        self._session = session
        self._asker = asker

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or _header(scope, _HOPPED):
            await self._app(scope, receive, send)
            return
        read = await _read(receive)
        body = b"".join(each.get("body", b"") for each in read)
        if not _header(scope, _REQUEST_ID):  # whoever answers in the end, it is the same message
            scope = {**scope, "headers": [*scope["headers"], (_REQUEST_ID, uuid.uuid4().hex.encode())]}
        asker = self._asker(scope, body) if len(body) <= LONGEST_BODY else None
        if asker and (response := await self._at_home(asker, scope, body)):
            await response(scope, receive, send)
        else:
            await self._app(scope, _again(read, receive), send)

    async def _at_home(self, asker: Asker, scope: Scope, body: bytes) -> StreamingResponse | None:
        """Return what their home answers, None where that is here, or is nowhere."""
        here = _origin(*scope["server"])
        for home in self._peers.homes_of(asker.whose):
            if home == here:
                break
            try:
                async with asyncio.timeout(asker.patience_s):
                    return _relayed(await self._ask(home, scope, body))
            except (aiohttp.ClientError, OSError) as error:
                log.warning("the bot at %s does not answer: %s", home, type(error).__name__)
                self._peers.pass_over(home)
                if isinstance(error, TimeoutError):  # there is no time left for another
                    break
        return None

    async def _ask(self, home: str, scope: Scope, body: bytes) -> aiohttp.ClientResponse:
        headers = [(name, value) for name, value in scope["headers"] if name not in _OF_ONE_HOP | {b"content-length"}]
        path = scope["raw_path"].decode("latin-1")
        query = scope["query_string"].decode("latin-1")
        return await self._session.request(
            scope["method"],
            URL(f"{home}{path}{'?' if query else ''}{query}", encoded=True),
            headers=[(name.decode("latin-1"), value.decode("latin-1")) for name, value in [*headers, (_HOPPED, b"1")]],
            data=body,
            allow_redirects=False,
            skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
            timeout=_TIMEOUT,
        )


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


def _relayed(response: aiohttp.ClientResponse) -> StreamingResponse:
    async def pieces() -> AsyncIterator[bytes]:
        try:
            async for piece in response.content.iter_any():
                yield piece
        except aiohttp.ClientError as error:
            log.warning("an answer of another bot broke off: %s", type(error).__name__)
        finally:
            response.close()

    relayed = StreamingResponse(pieces(), response.status)
    relayed.raw_headers = [(k.lower(), v) for k, v in response.raw_headers if k.lower() not in _OF_ONE_HOP]
    return relayed
