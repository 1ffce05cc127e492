"""The way from `mentos chat` to a running `mentos serve`: a JSON line per message in, one per part out, then `{}`.

The token lies in the data folder's lock file, readable by its owner alone.
"""

import asyncio
import hmac
import json
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime
from typing import Any

from bot.conversation.model import Account, Kind, Mendable, Message, Part
from bot.conversation.ports import Conversation

MESSENGER = "terminal"
LONGEST_LINE = 8 * 2**20


class Relay:
    """The serving end."""

    def __init__(self, conversation: Conversation, *, token: str, now: Callable[[], datetime]) -> None:
        self._conversation = conversation
        self._token = token
        self._now = now
        self._server: asyncio.Server | None = None
        self._serving: set[asyncio.Task[None]] = set()

    async def open(self) -> int:
        """Listen on a free loopback port and return it."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=LONGEST_LINE)
        return int(self._server.sockets[0].getsockname()[1])

    async def drain(self) -> None:
        """Let nobody new in, and wait for the answers under way."""
        if self._server:
            self._server.close()
        if self._serving:
            await asyncio.wait(self._serving)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if task := asyncio.current_task():
            self._serving.add(task)
            task.add_done_callback(self._serving.discard)
        try:
            asked = json.loads(await reader.readline())
            if not hmac.compare_digest(str(asked["token"]).encode(), self._token.encode()):
                return
            async for line in self._answers(asked):
                writer.write(json.dumps(line).encode() + b"\n")
                await writer.drain()
            writer.write(b"{}\n")
        except (ValueError, KeyError, TypeError, ConnectionError):
            return  # not one of our terminals, or one that has gone
        finally:
            writer.close()

    async def _answers(self, asked: dict[str, Any]) -> AsyncIterator[dict[str, str]]:
        account = Account(MESSENGER, asked["address"], is_guest=asked["is_guest"])
        if asked["ask"] == "unanswered":
            for message in await self._conversation.unanswered(MESSENGER, account.address):
                yield {"id": message.id, "text": message.text}
            return

        message = Message(account, asked["id"], asked["text"], self._now())
        if asked["ask"] == "delivered":
            await self._conversation.delivered(message)
            return
        async for part in self._conversation.respond(message):
            yield {"kind": part.kind, "text": part.text}


class ServerGone(Mendable):
    """The server that a terminal talks to does not answer any more."""


class RelayedConversation:
    """The terminal's end. Fulfils `Conversation` for one account."""

    def __init__(self, *, port: int, token: str, account: Account, now: Callable[[], datetime]) -> None:
        self._port = port
        self._token = token
        self._account = account
        self._now = now

    async def respond(self, message: Message) -> AsyncIterator[Part]:
        async for line in self._ask("respond", message):
            yield Part(line["text"], Kind(line["kind"]))

    async def delivered(self, message: Message) -> None:
        async for _ in self._ask("delivered", message):
            pass

    async def unanswered(self, messenger: str, address: str | None = None) -> Sequence[Message]:
        nothing = Message(self._account, "", "", self._now())
        return [
            Message(self._account, line["id"], line["text"], self._now())
            async for line in self._ask("unanswered", nothing)
        ]

    async def _ask(self, ask: str, message: Message) -> AsyncIterator[dict[str, str]]:
        asked = {
            "token": self._token,
            "ask": ask,
            "address": message.account.address,
            "is_guest": message.account.is_guest,
            "id": message.id,
            "text": message.text,
        }
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", self._port, limit=LONGEST_LINE)
            try:
                writer.write(json.dumps(asked).encode() + b"\n")
                while answer := json.loads(await reader.readline()):
                    yield answer
            finally:
                writer.close()
        except (OSError, ValueError) as error:  # a line that breaks off is the end of the server too
            raise ServerGone("mentos serve no longer answers; start it again, then open this chat anew") from error
