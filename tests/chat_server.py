"""A chat-completions server on loopback that speaks Text Generation Inference's bytes."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web


@dataclass
class ChatServer:
    """What to answer, and what was asked. `pieces` may hold bytes, which are written to the wire as they are."""

    pieces: Sequence[str | bytes] = ("그러셨군요. ", "언제부터 그러셨어요?")
    status: int = 200
    finish_reason: str | None = "stop"
    marks_end: bool = True
    hold_before: int | None = None
    """The index of the piece before which the server falls silent until `released`."""
    url: str = ""
    asked: list[dict[str, Any]] = field(default_factory=list)
    left_early: asyncio.Event = field(default_factory=asyncio.Event)
    was_asked: asyncio.Event = field(default_factory=asyncio.Event)
    released: asyncio.Event = field(default_factory=asyncio.Event)

    async def complete(self, request: web.Request) -> web.StreamResponse:
        self.asked.append({"headers": dict(request.headers), **await request.json()})
        self.was_asked.set()
        if self.status != 200:
            return web.Response(
                status=self.status, text="Failed to deserialize the JSON body", content_type="text/plain"
            )

        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        try:
            for index, piece in enumerate(self.pieces):
                while index == self.hold_before and not self.released.is_set():
                    await response.write(b":\n\n")
                    await asyncio.sleep(0.01)
                await response.write(piece if isinstance(piece, bytes) else self._event(piece, None))
            if self.finish_reason:
                await response.write(self._event("", self.finish_reason))
            if self.marks_end:
                await response.write(b"data: [DONE]\n\n")
        except (ConnectionError, asyncio.CancelledError):
            self.left_early.set()
            raise
        return response

    def _event(self, content: str, finish_reason: str | None) -> bytes:
        choice = {"index": 0, "delta": {"role": "assistant", "content": content}, "finish_reason": finish_reason}
        chunk = {"object": "chat.completion.chunk", "id": "", "model": "tgi", "choices": [choice], "usage": None}
        return f"data: {json.dumps(chunk, ensure_ascii=False)}\n\n".encode()


@asynccontextmanager
async def chat_server(server: ChatServer) -> AsyncIterator[ChatServer]:
    app = web.Application()
    app.router.add_post("/v1/chat/completions", server.complete)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield server
    finally:
        await runner.cleanup()
