"""What is let through to the page: its own hosts and origin, the few paths that it needs, and nobody else's events."""

import json
import re
from collections.abc import Collection
from ipaddress import ip_address
from urllib.parse import parse_qs, urlencode, urlsplit

from starlette.datastructures import MutableHeaders
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bot.messengers.web.visitors import browser_of

BODY_AT_MOST = 2 << 20

_JOIN = "/gradio_api/queue/join"
_DATA = "/gradio_api/queue/data"
_READ = re.compile(
    r"(?:/en)?(?:/|/assets/[\w.-]+|/static/js/iframeResizer\.contentWindow\.min\.js|/theme\.css"
    r"|/gradio_api/(?:queue/data|app_id)|/(?:mood|days)\.png)|/en|/web\.css|/font\.ttf|/favicon\.(?:ico|svg)"
    r"|/guest|/known|/language/(?:ko|en)"
)
_WRITTEN = re.compile(rf"(?:/en)?{_JOIN}")
_SESSION = re.compile(r"[\w-]{1,64}")
_EVENT_KEYS = ("data", "event_data", "fn_index", "trigger_id")
_AUTHORITY = re.compile(r"(?P<name>\[[0-9a-fA-F:.]+\]|[^:\[\]@/\s]+)(?::[0-9]{1,5})?")

_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; img-src 'self'; style-src 'self'; font-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}


def host_of(authority: str) -> str | None:
    """Return the plain name or address of `name:port` or `[::1]:port`, or None where it is neither."""
    found = _AUTHORITY.fullmatch(authority.strip())
    if found is None:
        return None
    name = found["name"].strip("[]").rstrip(".").lower()
    try:
        return str(ip_address(name))
    except ValueError:
        return name


class Guard:
    """An ASGI application around another."""

    def __init__(self, app: ASGIApp, *, hosts: Collection[str], origin: str | None = None) -> None:
        """`hosts` may ask for the page beside this machine's own names; `origin` is where a proxy serves it."""
        self._app = app
        self._hosts = {host_of(host) for host in hosts}
        self._origin = urlsplit(origin).netloc.lower() if origin else ""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        request = Request(scope, receive)

        async def closed(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        if refusal := self._refusal(request):
            await refusal(scope, receive, closed)
        elif request.method == "POST":
            await self._join(request, closed)
        else:
            await self._app(_within_own_sessions(request), receive, closed)

    def _refusal(self, request: Request) -> Response | None:
        path, headers = request.scope["path"], request.headers
        names = [headers.get("host", ""), *filter(None, [_forwarded_host(request)])]
        if not all(self._is_ours(name) for name in names):
            return PlainTextResponse(_STRANGE_HOST, 400)
        if request.method in {"GET", "HEAD"}:
            return None if _READ.fullmatch(path) else PlainTextResponse("404", 404)
        if request.method != "POST" or not _WRITTEN.fullmatch(path):
            return PlainTextResponse("404", 404)
        is_same = headers.get("sec-fetch-site", "same-origin") == "same-origin"
        origin = headers.get("origin")
        ours = {*map(str.lower, names), self._origin} - {""}
        is_same &= origin is None or origin.partition("://")[2].lower() in ours
        return None if is_same else PlainTextResponse("403", 403)

    def _is_ours(self, authority: str) -> bool:
        host = host_of(authority)
        if host is None:
            return False
        try:
            return host in self._hosts or ip_address(host).is_loopback
        except ValueError:
            return host == "localhost" or host.endswith(".localhost")

    async def _join(self, request: Request, send: Send) -> None:
        """Let an event in, with nothing but what an event needs, into the visitor's own sessions."""
        event = await _read(request)
        if event is None:
            await PlainTextResponse("400", 400)(request.scope, request.receive, send)
            return
        body = json.dumps(
            {**{key: event.get(key) for key in _EVENT_KEYS}, "session_hash": _own(request, str(event["session_hash"]))}
        ).encode()
        scope = {
            **request.scope,
            "headers": [
                *((name, value) for name, value in request.scope["headers"] if name != b"content-length"),
                (b"content-length", str(len(body)).encode()),
            ],
        }
        is_sent = False

        async def receive() -> Message:
            nonlocal is_sent
            if is_sent:
                return await request.receive()
            is_sent = True
            return {"type": "http.request", "body": body, "more_body": False}

        await self._app(scope, receive, send)


def said_in(body: bytes) -> str:
    """Return the words that an event brings, nothing where there are none."""
    try:
        event = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    data = event.get("event_data") if isinstance(event, dict) else None
    return str(data.get("text", "")) if isinstance(data, dict) else ""


_STRANGE_HOST = (
    "이 주소로는 멘토스를 열 수 없어요. 운영하시는 분은 MENTOS_WEB__HOSTS에 이 이름을 더하거나 "
    "MENTOS_PUBLIC_URL을 정해 주세요.\n"
    "This address is not one of Mentos. To allow it, add its name to MENTOS_WEB__HOSTS or set MENTOS_PUBLIC_URL.\n"
)


def _forwarded_host(request: Request) -> str:
    return request.headers.get("x-forwarded-host", "").partition(",")[0].strip()


def _own(request: Request, session: str) -> str:
    """Name a session so that only who holds the same cookie can name it too: browsers make them up at random."""
    return f"{browser_of(request.cookies)}-{session}"


def _within_own_sessions(request: Request) -> Scope:
    """Take from a query all but the name of a session."""
    query = b""
    if request.scope["path"].endswith(_DATA):
        [session, *_] = parse_qs(request.scope["query_string"].decode("latin-1")).get("session_hash", [""])
        query = urlencode({"session_hash": _own(request, session)}).encode()
    return {**request.scope, "query_string": query}


async def _read(request: Request) -> dict[str, object] | None:
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > BODY_AT_MOST:
                return None
        event = json.loads(body)
    except (ClientDisconnect, ValueError, RecursionError):
        return None
    is_event = isinstance(event, dict) and _SESSION.fullmatch(str(event.get("session_hash")))
    return event if is_event else None
