"""A chat-completions server on loopback that speaks Text Generation Inference's bytes."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.ports import free_port

TGI_INFO = {
    "model_id": "tiny",
    "max_concurrent_requests": 128,
    "max_input_tokens": 3072,
    "max_total_tokens": 4096,
    "router": "text-generation-router",
    "version": "3.3.7",
}
"""What a server of Text Generation Inference says of itself, as far as we read it."""


@dataclass
class ChatServer:
    """What to answer, and what was asked. `pieces` may hold bytes, which are written to the wire as they are."""

    pieces: Sequence[str | bytes] = ("그러셨군요. ", "언제부터 그러셨어요?")
    status: int = 200
    body: str = "Failed to deserialize the JSON body"
    content_type: str | None = None
    """Of what is answered; None for what TGI sends."""
    finish_reason: str | None = "stop"
    marks_end: bool = True
    hold_before: int | None = None
    """The index of the piece before which the server falls silent until `released`."""
    drips: bool = False
    """Whether silence is filled with keep-alive comments."""
    closes: bool = False
    """Whether the connection is cut where the reply would end."""
    first: "list[ChatServer]" = field(default_factory=list)
    """What answers before all of this, once each."""
    by_model: Mapping[str, "ChatServer"] = field(default_factory=dict)
    """What answers for an adapter. Without it every adapter there may be answers a canary, unseen, by its name."""
    info: Mapping[str, Any] | None = field(default_factory=lambda: TGI_INFO)
    """None for a server that has no such page."""
    models: Sequence[Mapping[str, Any]] = ({"id": "tiny", "object": "model", "owned_by": "tiny"},)
    key: str | None = None
    """Without which it says nothing of itself."""
    health: int = 200
    url: str = ""
    asked: list[dict[str, Any]] = field(default_factory=list)
    looked: int = 0
    """How often it was asked how it is."""
    open: int = 0
    left_early: asyncio.Event = field(default_factory=asyncio.Event)
    was_asked: asyncio.Event = field(default_factory=asyncio.Event)
    released: asyncio.Event = field(default_factory=asyncio.Event)

    async def complete(self, request: web.Request) -> web.StreamResponse:
        asked = await request.json()
        if asked.get("temperature") == 0 and not self.by_model:
            return await ChatServer(pieces=[f"{asked.get('model')}"])._answer(request)
        self.asked.append({"headers": dict(request.headers), **asked})
        self.was_asked.set()
        answering = self.first.pop(0) if self.first else self.by_model.get(asked.get("model"), self)
        self.open += 1
        try:
            return await answering._answer(request)
        except (ConnectionError, asyncio.CancelledError):
            self.left_early.set()
            raise
        finally:
            self.open -= 1

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        if self.status != 200:
            content_type = self.content_type or ("application/json" if self.body.startswith("{") else "text/plain")
            headers = {"Location": "/elsewhere"} if self.status in {307, 308} else {}
            return web.Response(status=self.status, text=self.body, content_type=content_type, headers=headers)

        response = web.StreamResponse(headers={"Content-Type": self.content_type or "text/event-stream"})
        await response.prepare(request)
        for index, piece in enumerate(self.pieces):
            while index == self.hold_before and not self.released.is_set():
                if self.drips:
                    await response.write(b":\n\n")
                await asyncio.sleep(0.01)
            await response.write(piece if isinstance(piece, bytes) else event(piece, None))
        if self.closes:
            assert request.transport
            request.transport.abort()
            return response
        if self.finish_reason:
            await response.write(event("", self.finish_reason))
        if self.marks_end:
            await response.write(b"data: [DONE]\n\n")
        return response

    async def get_health(self, _: web.Request) -> web.Response:
        self.looked += 1
        return web.Response(status=self.health)

    async def get_info(self, request: web.Request) -> web.Response:
        if not self._takes_key_of(request):
            return web.Response(status=401)
        return web.Response(status=404) if self.info is None else web.json_response(dict(self.info))

    async def get_models(self, request: web.Request) -> web.Response:
        if not self._takes_key_of(request):
            return web.Response(status=401)
        return web.json_response({"object": "list", "data": [dict(model) for model in self.models]})

    def _takes_key_of(self, request: web.Request) -> bool:
        return self.key is None or request.headers.get("Authorization") == f"Bearer {self.key}"


def event(content: str, finish_reason: str | None) -> bytes:
    choice = {"index": 0, "delta": {"role": "assistant", "content": content}, "finish_reason": finish_reason}
    chunk = {"object": "chat.completion.chunk", "id": "", "model": "tgi", "choices": [choice], "usage": None}
    return f"data: {json.dumps(chunk, ensure_ascii=False)}\n\n".encode()


def error_event(message: str) -> bytes:
    """What TGI sends inside a stream of status 200, whatever the cause (`into_openai_event`)."""
    error = {"error": {"message": message, "http_status_code": 422}}
    return f"data: {json.dumps(error, ensure_ascii=False)}\n\n".encode()


@asynccontextmanager
async def chat_server(server: ChatServer, *, port: int = 0) -> AsyncIterator[ChatServer]:
    app = web.Application(client_max_size=64 << 20)
    app.router.add_post("/v1/chat/completions", server.complete)
    app.router.add_get("/health", server.get_health)
    app.router.add_get("/info", server.get_info)
    app.router.add_get("/v1/models", server.get_models)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port or free_port(), reuse_address=True)
    await site.start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield server
    finally:
        await runner.cleanup()
