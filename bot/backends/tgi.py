"""A language model behind Text Generation Inference, or any server with the same chat-completions API.

Wire: POST {url}/v1/chat/completions with `stream: true`, answered by server-sent events. What TGI does differently from
its documents is noted where it matters; read from its source at 3.3.7 (router/src/{lib,chat,server}.rs).
"""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
from aiohttp.http_exceptions import HttpProcessingError

from bot.conversation.model import Situation
from bot.conversation.ports import NoReply
from bot.conversation.prompt import compose

REPLACEMENT = "\ufffd"


class TGI:
    """Fulfils `Responder`. Leaving the stream closes the socket, which is how TGI is told to stop generating."""

    def __init__(
        self,
        *,
        session: aiohttp.ClientSession,
        url: str,
        model: str,
        api_key: str | None,
        max_input_tokens: int,
        max_tokens: int,
        temperature: float,
        top_p: float,
        at_once: int = 32,
    ) -> None:
        self._session = session
        self._url = url.rstrip("/").removesuffix("/v1") + "/v1/chat/completions"
        self._headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._model = model
        self._max_input_tokens = max_input_tokens
        # no presence_penalty (TGI reads it as a repetition penalty) and no top_p of 1 (TGI refuses it)
        self._sampling = {"max_tokens": max_tokens, "temperature": temperature, "top_p": top_p}
        # fewer than the server's own limit, so that it never has to say that it is overloaded
        self._turnstile = asyncio.Semaphore(at_once)

    async def draft(self, situation: Situation) -> AsyncIterator[str]:
        """Stream the model's words. Raises `NoReply` when it is unreachable, refuses, fails or is cut off."""
        body = {
            "model": self._model_for(situation.character.renderer),
            "messages": [
                {"role": message.role, "content": message.content}
                for message in compose(situation, budget=self._max_input_tokens)
            ],
            "stream": True,
            **self._sampling,
        }
        try:
            async with (
                self._turnstile,
                self._session.post(
                    self._url, json=body, headers=self._headers, allow_redirects=False, timeout=_TIMEOUT
                ) as response,
            ):
                if response.status != 200:
                    raise NoReply(f"status {response.status}")
                async for piece in _whole_characters(_contents(response.content)):
                    yield piece
        except (aiohttp.ClientError, HttpProcessingError, TimeoutError, OSError) as error:
            raise NoReply(type(error).__name__) from error

    def _model_for(self, renderer: str) -> str:
        kind, _, adapter = renderer.partition(":")
        return adapter if kind == "lora" else self._model


# the total is the Deadline's business; keep-alive comments come every 15 s
_TIMEOUT = aiohttp.ClientTimeout(total=None, connect=3, sock_read=20)


_KNOWN_ERRORS = (
    "Model is overloaded",
    "Input validation error",
    "Request failed during generation",
    "Incomplete generation",
)


async def _contents(lines: aiohttp.StreamReader) -> AsyncIterator[str]:
    """Yield what the model says; TGI ends a good stream with a finish_reason, and an overloaded one with HTTP 200."""
    is_finished = False
    while line := await lines.readline():
        event = line.removeprefix(b"data:").strip()
        if not line.startswith(b"data:") or event == b"[DONE]":
            continue  # comments, blank lines and the end, which not every server marks
        content, is_last = _read_event(event)
        is_finished = is_finished or is_last
        if content:
            yield content
    if not is_finished:
        raise NoReply("the stream was cut off")


def _read_event(event: bytes) -> tuple[str, bool]:
    try:
        chunk: dict[str, Any] = json.loads(event)
        if error := chunk.get("error"):
            said = str(error.get("message") if isinstance(error, dict) else error)
            # the rest of a message may quote the prompt
            raise NoReply(next(filter(said.startswith, _KNOWN_ERRORS), "the server reports an error"))
        if not chunk["choices"]:
            return "", False  # the usage chunk
        choice = chunk["choices"][0]
        return "" + ((choice.get("delta") or {}).get("content") or ""), bool(choice.get("finish_reason"))
    except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
        raise NoReply("an event that is not a chat completion chunk") from error


async def _whole_characters(pieces: AsyncIterator[str]) -> AsyncIterator[str]:
    """Hold back a trailing U+FFFD: half a syllable whose other half is still to come, or never will."""
    held = ""
    async for piece in pieces:
        text = held + piece
        whole = text.rstrip(REPLACEMENT)
        held = text[len(whole) :]
        if whole:
            yield whole
