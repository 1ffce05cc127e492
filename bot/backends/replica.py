"""One chat-completions server: asked for replies, and how it is."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from time import monotonic
from typing import Any

import aiohttp
from aiohttp.http_exceptions import HttpProcessingError

from bot.backends.dialects import About, Kind, told_apart
from bot.backends.faults import SUSPECT, ChatFault, Fault, of_status
from bot.backends.stream import said_in

log = logging.getLogger(__name__)

SUSPECT_FOR_S = 1.0, 30.0
"""How long a server that failed is left alone: at first, and at most after it failed again and again."""
ANSWERS_WITHIN_S = 2.0
"""How long a server may take to say how it is."""
ERROR_BYTES = 4096
"""How much of an error is read."""

# the whole time is the Deadline's business; keep-alive comments come every 15 s
_TIMEOUT = aiohttp.ClientTimeout(total=None, connect=3, sock_read=20)
_BRIEF = aiohttp.ClientTimeout(total=ANSWERS_WITHIN_S)


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked of a server. Without a `model` it is the server's own; `sampling` is in the API's terms."""

    messages: Sequence[Mapping[str, str]]
    sampling: Mapping[str, float]
    model: str | None = None
    stop: Sequence[str] = ()
    is_of_adapter: bool = False
    """Whether the `model` is an adapter, which the server may lack and be well."""


class Replica:
    """One of the servers that hold the same model. Leaving a stream closes its socket, which stops the generation."""

    def __init__(
        self, url: str, *, session: aiohttp.ClientSession, api_key: str | None, at_once: int, kind: Kind | None
    ) -> None:
        self.url = url.rstrip("/").removesuffix("/v1")
        self.in_flight = 0
        self.about: About | None = None
        self.run = 0  # another number once it was gone: what comes back may have been started with other adapters
        self._session = session
        self._headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._kind = kind
        # and fewer than the server's own limit: one bot alone never has to hear that it is overloaded
        self._at_once = at_once
        self._turnstile = asyncio.Semaphore(at_once)
        self._is_doubted = False
        self._is_barred = False
        self._failures = 0
        self._rests_until = 0.0
        self._looking: asyncio.Task[bool] | None = None

    @property
    def is_resting(self) -> bool:
        """Whether it failed a moment ago, and is left alone."""
        return monotonic() < self._rests_until

    @property
    def is_suspect(self) -> bool:
        """Whether it is to be looked at before it is asked: it failed last, or nothing is known of it."""
        return self.about is None or self._is_doubted

    def look(self) -> asyncio.Future[bool]:
        """Ask how and what the server is; once for all who ask. Says whether it can be asked for replies."""
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())
        return asyncio.shield(self._looking)

    async def close(self) -> None:
        if self._looking and not self._looking.done():
            self._looking.cancel()
            await asyncio.wait([self._looking])

    async def say(self, asked: Asked, *, first_s: float) -> AsyncGenerator[str]:
        """Stream what the model says. Raises `ChatFault`.

        Neither a place among those who are answered nor the first word is waited for longer than `first_s` seconds.
        """
        turnstile = self._turnstile
        self.in_flight += 1
        try:
            await self._pass(turnstile, first_s)
            try:
                async with aclosing(self._said(asked, first_s)) as pieces:
                    async for piece in pieces:
                        yield piece
            finally:
                turnstile.release()
        except ChatFault as error:
            self._blame(asked, error.fault)
            raise
        finally:
            self.in_flight -= 1
        self._failures = 0

    async def ask(self, asked: Asked, *, within_s: float) -> str:
        """Return a whole answer, or its beginning up to `max_tokens`, that nobody waits for. Raises `ChatFault`.

        It takes no place of a person's, since the server has one more than those, and blames the server for nothing.
        """
        said: list[str] = []
        try:
            async with asyncio.timeout(within_s), aclosing(self._said(asked, within_s)) as pieces:
                async for piece in pieces:
                    said.append(piece)
        except TimeoutError:
            raise ChatFault(Fault.SLOW) from None
        except ChatFault as error:
            if error.fault is not Fault.ENDLESS:
                raise
        return "".join(said)

    async def speak(self, model: str | None = None, *, within_s: float) -> None:
        """Have the model say one token. Raises `ChatFault`."""
        await self.ask(Asked([{"role": "user", "content": "안녕하세요"}], {"max_tokens": 1}, model), within_s=within_s)

    async def _pass(self, turnstile: asyncio.Semaphore, first_s: float) -> None:
        try:
            async with asyncio.timeout(first_s):
                await turnstile.acquire()
        except TimeoutError:
            raise ChatFault(Fault.OVERLOADED, "every place is taken") from None

    async def _said(self, asked: Asked, first_s: float) -> AsyncGenerator[str]:
        try:
            async with aclosing(self._stream(asked)) as pieces:
                async with asyncio.timeout(first_s):
                    first = await anext(pieces, None)
                if first is None:
                    return
                yield first
                async for piece in pieces:
                    yield piece
        except aiohttp.ConnectionTimeoutError as error:
            raise ChatFault(Fault.UNREACHABLE, type(error).__name__) from error
        except TimeoutError as error:  # of the first word, or aiohttp's between two
            raise ChatFault(Fault.SLOW) from error
        except (aiohttp.ClientPayloadError, aiohttp.ServerDisconnectedError) as error:
            raise ChatFault(Fault.CUT, type(error).__name__) from error
        except (HttpProcessingError, aiohttp.ClientResponseError, ValueError) as error:
            raise ChatFault(Fault.MALFORMED, type(error).__name__) from error
        except (aiohttp.ClientError, OSError) as error:
            raise ChatFault(Fault.UNREACHABLE, type(error).__name__) from error

    async def _stream(self, asked: Asked) -> AsyncGenerator[str]:
        async with self._session.post(
            f"{self.url}/v1/chat/completions",
            json=self._request(asked),
            headers=self._headers,
            allow_redirects=False,
            timeout=_TIMEOUT,
        ) as response:
            if response.status != 200:
                raise of_status(response.status, await response.content.read(ERROR_BYTES))
            if response.content_type != "text/event-stream":
                raise ChatFault(Fault.MALFORMED, f"a body of {response.content_type}, not of events")
            async with aclosing(said_in(response.content, stop=asked.stop)) as pieces:
                async for piece in pieces:
                    yield piece

    def _request(self, asked: Asked) -> dict[str, Any]:
        # no presence_penalty (TGI reads it as a repetition penalty, even 0) and no top_p of 1 (TGI refuses it)
        request = {"messages": asked.messages, "stream": True, **asked.sampling}
        if model := asked.model or (self.about.base if self.about else None):
            request["model"] = model
        if asked.stop:
            request["stop"] = list(asked.stop)[: self.about.dialect.most_stops if self.about else 4]
        return request

    async def _look(self) -> bool:
        try:
            async with self._session.get(
                f"{self.url}/health", headers=self._headers, timeout=_BRIEF, allow_redirects=False
            ) as response:
                is_well = response.status < 500  # a hosted one has no such page, or does not show it
            if is_well:  # it may have been started anew, with another model
                self._learn(told_apart(await self._get("/info"), await self._get("/v1/models"), kind=self._kind))
            if is_well and self._is_barred:  # some show how they are to anybody
                await self.speak(within_s=ANSWERS_WITHIN_S)
        except (aiohttp.ClientError, HttpProcessingError, TimeoutError, OSError, ChatFault):
            is_well = False
        self._is_doubted = not is_well
        if not is_well:
            self.run += 1
            self._rest(2)
        return is_well

    async def _get(self, path: str) -> Mapping[str, Any]:
        """Return the JSON object at a path, an empty one where there is none."""
        async with self._session.get(
            self.url + path, headers=self._headers, timeout=_BRIEF, allow_redirects=False
        ) as response:
            if response.status != 200 or response.content_type != "application/json":
                return {}
            try:
                found = await response.json()
            except (ValueError, RecursionError):
                return {}
            return found if isinstance(found, dict) else {}

    def _learn(self, about: About) -> None:
        if about.max_at_once != (self.about.max_at_once if self.about else None):
            most = about.max_at_once or self._at_once + 1
            self._turnstile = asyncio.Semaphore(max(min(self._at_once, most - 1), 1))
        self.about = about

    def _blame(self, asked: Asked, fault: Fault) -> None:
        self._is_barred = fault is Fault.UNAUTHORISED
        if fault not in SUSPECT:
            return
        if fault is not Fault.SLOW:
            self.run += 1
        if asked.is_of_adapter and fault is Fault.UNKNOWN_MODEL:  # it lacks that, and is well
            return
        self._is_doubted = True
        if not self.is_resting:  # many streams may break at once, and are one failure
            self._rest(2 if fault is Fault.SLOW else 1)

    def _rest(self, failures: int) -> None:
        """Leave the server alone once it failed twice in a row; being slow, or not to be reached, counts twice."""
        first_s, most_s = SUSPECT_FOR_S
        self._failures = min(self._failures + failures, 16)
        if self._failures > 1:
            self._rests_until = monotonic() + min(first_s * 2 ** (self._failures - 2), most_s)
