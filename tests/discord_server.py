"""A loopback stand-in for Discord, as far as a bot for direct messages sees it: REST v10 and the gateway.

Its rules are those of docs.discord.com, read in 2026: a nonce is enforced for each channel, a message has at most 2,000
UTF-16 units, an interaction is edited only after it was deferred.
"""

import asyncio
import json
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from typing import Any

import discord
import pytest
import yarl
from aiohttp import web
from discord.gateway import DiscordWebSocket
from discord.http import Route

BOT = {"id": "900", "username": "mentos", "discriminator": "0", "avatar": None, "bot": True, "global_name": None}
HANEUL = "42"
PATIENCE = 30.0

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong with one request: None cuts the connection, `is_done` makes it a lost answer and no refusal."""

    status: int | None
    code: int = 0
    is_done: bool = False


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    path: str
    body: Any


class DiscordServer:
    """What the bot asked for and what people see, and ways to write to the bot and to fail it.

    `messages` is what stands in each channel, oldest first; `interactions` the answers by token, None while "thinking";
    `faults` those to come, by the last word of a path: `messages`, `typing`, `channels`, `commands`, `callback`.
    """

    def __init__(self) -> None:
        self.url = yarl.URL()
        self.requests: list[Request] = []
        self.messages: defaultdict[str, list[Json]] = defaultdict(list)
        self.commands: list[Json] = []
        self.interactions: dict[str, list[str | None]] = {}
        self.faults: defaultdict[str, deque[Fault]] = defaultdict(deque)
        self.identifies: list[Json] = []
        self.resumes: list[Json] = []

        self._socket: web.WebSocketResponse | None = None
        self._is_listening = False
        self._sequence = count(1)
        self._ids = count(discord.utils.time_snowflake(datetime(2026, 11, 22, tzinfo=UTC)))
        self._changed = asyncio.Condition()

    # What a test does.

    async def write(
        self, text: str, *, by: str = HANEUL, message_id: str | None = None, but: Json | None = None
    ) -> str:
        """A person writes to the bot; `but` replaces fields of the message. Returns the message's id."""
        message_id = message_id or self.new_id()
        written = _message(message_id, channel_of(by), _user(by), text) | {"channel_type": 1} | (but or {})
        await self._emit("MESSAGE_CREATE", written)
        return message_id

    async def command(self, name: str, *, by: str = HANEUL, **options: str) -> str:
        """A person uses a slash command in the bot's direct messages. Returns the interaction's token."""
        interaction_id = self.new_id()
        token = f"token-{interaction_id}"
        channel = {"id": channel_of(by), "type": 1, "recipients": [_user(by)]}
        used = {
            "id": interaction_id,
            "application_id": BOT["id"],
            "type": 2,
            "token": token,
            "version": 1,
            "channel_id": channel["id"],
            "channel": channel,
            "user": _user(by),
            "locale": "ko",
            "app_permissions": "0",
            "entitlements": [],
            "authorizing_integration_owners": {"1": by},
            "context": 1,
            "attachment_size_limit": 10 * 2**20,
            "data": {
                "id": "1000",
                "name": name,
                "type": 1,
                "options": [{"name": option, "type": 3, "value": value} for option, value in options.items()],
            },
        }
        await self._emit("INTERACTION_CREATE", used)
        return token

    async def ask_to_reconnect(self) -> None:
        await self._send(7, None)

    async def invalidate_session(self) -> None:
        await self._send(9, data=False)

    async def until(self, is_so: Callable[[], object]) -> None:
        """Wait for something that a request or a gateway message brings about."""
        async with asyncio.timeout(PATIENCE), self._changed:
            await self._changed.wait_for(is_so)

    def seen_by(self, person: str = HANEUL) -> list[str]:
        """What stands in a person's channel, in words."""
        return [message["content"] for message in self.messages[channel_of(person)]]

    def asked(self, method: str, last: str) -> list[Request]:
        return [r for r in self.requests if r.method == method and r.path.rpartition("/")[2] == last]

    def new_id(self) -> str:
        return str(next(self._ids))

    # REST.

    async def rest(self, request: web.Request) -> web.StreamResponse:
        body = await request.json() if request.content_type == "application/json" and request.can_read_body else None
        path = request.path.removeprefix("/api/v10")
        asked = Request(request.method, path, body)

        faults = self.faults[path.rpartition("/")[2]]
        fault = faults.popleft() if faults else None
        answer = self._answer(asked) if fault is None or fault.is_done else None
        self.requests.append(asked)
        await self._tell()

        if fault is None:
            return answer or _json({"message": "404: Not Found", "code": 0}, 404)
        if fault.status is None:
            if request.transport:
                request.transport.close()
            return web.Response()
        return _json({"message": "fault", "code": fault.code}, fault.status)

    def _answer(self, asked: Request) -> web.Response | None:
        match [asked.method, *asked.path.strip("/").split("/")]:
            case ["GET", "users", "@me"]:
                return _json(BOT)
            case ["GET", "oauth2", "applications", "@me"]:
                return _json(_APPLICATION)
            case ["PUT", "applications", _, "commands"]:
                self.commands = [
                    command | {"id": str(1000 + i), "application_id": BOT["id"], "version": "1"}
                    for i, command in enumerate(asked.body)
                ]
                return _json(self.commands)
            case ["POST", "users", "@me", "channels"]:
                person = asked.body["recipient_id"]
                return _json({"id": channel_of(person), "type": 1, "recipients": [_user(person)]})
            case ["POST", "channels", _, "typing"]:
                return web.Response(status=204)
            case ["POST", "channels", channel_id, "messages"]:
                return self._post(channel_id, asked.body)
            case ["POST", "interactions", interaction_id, token, "callback"]:
                return self._defer(interaction_id, token, asked.body)
            case ["PATCH", "webhooks", _, token, "messages", "@original"]:
                return self._say(token, asked.body, is_first=True)
            case ["POST", "webhooks", _, token]:
                return self._say(token, asked.body, is_first=False)
        return None

    def _post(self, channel_id: str, body: Json) -> web.Response:
        if refusal := _refusal(body):
            return refusal
        channel = self.messages[channel_id]
        nonce = body.get("nonce")
        posted = next((m for m in channel if body.get("enforce_nonce") and m["nonce"] == nonce), None)
        if posted is None:
            posted = _message(self.new_id(), channel_id, BOT, body["content"]) | {"nonce": nonce}
            channel.append(posted)
        return _json(posted)

    def _defer(self, interaction_id: str, token: str, body: Json) -> web.Response:
        if token in self.interactions:
            return _json({"message": "Interaction has already been acknowledged.", "code": 40060}, 400)
        if body["type"] != 5:
            return _json({"message": "only deferring is known here", "code": 50035}, 400)
        self.interactions[token] = [None]
        return _json({"interaction": {"id": interaction_id, "type": 2}})

    def _say(self, token: str, body: Json, *, is_first: bool) -> web.Response:
        if token not in self.interactions:
            return _json({"message": "Unknown Webhook", "code": 10015}, 404)
        if refusal := _refusal(body):
            return refusal
        if is_first:
            self.interactions[token][0] = body["content"]
        else:
            self.interactions[token].append(body["content"])
        return _json(_message(self.new_id(), "31", BOT, body["content"]))

    # The gateway.

    async def gateway(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self._socket, self._is_listening = socket, False
        await self._send(10, {"heartbeat_interval": 41_250})
        async for frame in socket:
            heard = json.loads(frame.data)
            match heard["op"]:
                case 1:
                    await self._send(11, None)
                case 2:
                    self.identifies.append(heard["d"])
                    await self._begin("READY", self._session())
                case 6:
                    self.resumes.append(heard["d"])
                    await self._begin("RESUMED", {})
        return socket

    async def _begin(self, event: str, data: Json) -> None:
        await self._send(0, data, event)
        self._is_listening = True
        await self._tell()

    def _session(self) -> Json:
        return {
            "v": 10,
            "user": BOT,
            "guilds": [],
            "session_id": "session",
            "resume_gateway_url": str(self.gateway_url),
            "application": {"id": BOT["id"], "flags": 0},
            "shard": [0, 1],
        }

    async def _emit(self, event: str, data: Json) -> None:
        await self.until(lambda: self._is_listening)
        await self._send(0, data, event)

    async def _send(self, op: int, data: object, event: str | None = None) -> None:
        assert self._socket is not None, "no bot has connected yet"
        if op in {7, 9}:
            self._is_listening = False
        sequence = next(self._sequence) if op == 0 else None
        await self._socket.send_json({"op": op, "d": data, "s": sequence, "t": event})

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    @property
    def gateway_url(self) -> yarl.URL:
        return self.url.with_scheme("ws") / "gateway/"


@asynccontextmanager
async def discord_server() -> AsyncIterator[DiscordServer]:
    """Serve on a free loopback port and send every discord.py client of this process there, until the block is left."""
    server = DiscordServer()
    app = web.Application()
    app.router.add_get("/gateway/", server.gateway)
    app.router.add_route("*", "/api/v10/{path:.*}", server.rest)
    runner = web.AppRunner(app, shutdown_timeout=1.0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0]
    server.url = yarl.URL.build(scheme="http", host=host, port=port)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Route, "BASE", str(server.url / "api/v10"))
        patch.setattr(DiscordWebSocket, "DEFAULT_GATEWAY", server.gateway_url)
        try:
            yield server
        finally:
            await runner.cleanup()


def channel_of(person: str) -> str:
    return f"77{person}"


def _user(user_id: str) -> Json:
    return {"id": user_id, "username": f"person{user_id}", "discriminator": "0", "avatar": None, "global_name": None}


def _message(message_id: str, channel_id: str, author: Json, content: str) -> Json:
    return {
        "id": message_id,
        "channel_id": channel_id,
        "author": author,
        "content": content,
        "timestamp": discord.utils.snowflake_time(int(message_id)).isoformat(),
        "edited_timestamp": None,
        "tts": False,
        "mention_everyone": False,
        "mentions": [],
        "mention_roles": [],
        "attachments": [],
        "embeds": [],
        "pinned": False,
        "type": 0,
        "flags": 0,
        "components": [],
    }


_APPLICATION = {
    "id": BOT["id"],
    "name": "mentos",
    "description": "",
    "icon": None,
    "bot_public": True,
    "bot_require_code_grant": False,
    "verify_key": "0",
    "owner": _user("1"),
    "flags": 0,
    "team": None,
    "summary": "",
    "interactions_endpoint_url": None,
}


def _refusal(body: Json) -> web.Response | None:
    units = len(body["content"].encode("utf-16-le")) // 2
    if units == 0:
        return _json({"message": "Cannot send an empty message", "code": 50006}, 400)
    if units > 2_000 or len(body.get("nonce") or "") > 25:
        return _json({"message": "Invalid Form Body", "code": 50035}, 400)
    return None


def _json(content: object, status: int = 200) -> web.Response:
    # discord.py parses an answer only if its type is exactly this, without a charset
    return web.Response(body=json.dumps(content).encode(), status=status, headers={"Content-Type": "application/json"})
