"""The engines over HTTP: what may be asked, what is answered, and what is said when there is no answer."""

import asyncio
import logging
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from fastapi import Depends, FastAPI, Header, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, model_validator
from pydantic_core import PydanticCustomError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from inference_server.batching import Expired, Overloaded
from inference_server.emotion import LABELS, Ranking
from inference_server.engines import About, Embedding, Engines, UnknownStyle

log = logging.getLogger(__name__)

MOST_TEXTS = 64
LONGEST_TEXT = 20_000
LONGEST_STYLE = 64
LONGEST_BODY = 2 * 1024 * 1024
DEADLINE_MS = 10_000
LONGEST_DEADLINE_MS = 600_000

ErrorType = Literal["overloaded", "expired", "invalid", "too_large", "failed", "unavailable"]

# `fail_fast`, because a body has room for a million wrong items, and each would become an error of its own
Texts = Annotated[
    list[Annotated[str, Field(max_length=LONGEST_TEXT)]],
    Field(min_length=1, max_length=MOST_TEXTS, fail_fast=True, description="What people wrote, in any order."),
]


class _Asked(BaseModel):
    """What a caller sends: the fields named here and no others."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _is_known(cls, asked: object) -> object:
        """Refuse unknown fields together and without their names, which are the caller's words."""
        if isinstance(asked, dict) and not asked.keys() <= cls.model_fields.keys():
            known = ", ".join(cls.model_fields)
            raise PydanticCustomError("unknown_field", "Only these fields are taken: {known}", {"known": known})
        return asked


class EmotionRequest(_Asked):
    texts: Texts

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"texts": ["오늘 면접에 붙어서 정말 기뻐요", "요즘 잠이 안 와서 지쳐요"]}]}
    )


class ToneRequest(_Asked):
    texts: Texts
    style: Annotated[str, Field(max_length=LONGEST_STYLE, description="One of the styles that /v1/models names.")]

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"texts": ["오늘 하루는 어떠셨어요?"], "style": "seonbi"}]}
    )


class EmbedRequest(_Asked):
    texts: Texts

    model_config = ConfigDict(json_schema_extra={"examples": [{"texts": ["고양이가 밥을 안 먹어서 걱정이에요"]}]})


class Score(BaseModel):
    label: str
    score: FiniteFloat


class Emotion(BaseModel):
    """All labels, likeliest first; scores sum to 1. What is not confident should not be named to a person."""

    scores: list[Score]
    is_confident: bool

    @classmethod
    def of(cls, ranking: Ranking) -> Self:
        return cls(
            scores=[Score(label=label, score=score) for label, score in ranking.scores],
            is_confident=ranking.is_confident,
        )


class EmotionResponse(BaseModel):
    """One result for each text, in the order of the texts."""

    model: str
    results: list[Emotion]

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "model": "embedded-emotion",
                    "results": [
                        {
                            "scores": [
                                {"label": label, "score": 0.01 if place else 0.9} for place, label in enumerate(LABELS)
                            ],
                            "is_confident": True,
                        }
                    ],
                }
            ]
        }
    )


class ToneResponse(BaseModel):
    """The texts in the style, in their order; one that cannot safely be said so is as it was."""

    model: str
    texts: list[str]

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"model": "embedded-tone", "texts": ["오늘 하루는 어떠셨소?"]}]}
    )


class EmbedResponse(BaseModel):
    """By text: `dense`, a vector of length 1 and `size` numbers, or null; `sparse`, the weights of its terms."""

    model: str
    size: int | None
    dense: list[list[FiniteFloat]] | None
    sparse: list[dict[str, FiniteFloat]]

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"model": "an/encoder", "size": 2, "dense": [[0.6, 0.8]], "sparse": [{"고양이/N": 1.0}]}]
        }
    )

    @classmethod
    def of(cls, embeddings: list[Embedding], about: About) -> Self:
        dense = [one.dense.tolist() for one in embeddings if one.dense is not None]
        return cls(
            model=about.name,
            size=about.size,
            dense=dense if about.size is not None else None,
            sparse=[dict(one.sparse) for one in embeddings],
        )


class ModelsResponse(BaseModel):
    models: list[About]


class Status(BaseModel):
    status: Literal["ok"] = "ok"


class Problem(BaseModel):
    type: ErrorType
    message: str


class ErrorResponse(BaseModel):
    """Why there is no answer: one sentence with the remedy, which never quotes what was sent."""

    error: Problem

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"error": {"type": "overloaded", "message": "tone has 256 of 256 items waiting; ask again soon."}}
            ]
        }
    )


_REFUSALS: dict[int | str, dict[str, Any]] = {
    413: {"model": ErrorResponse, "description": "The body is longer than 2 MiB."},
    422: {"model": ErrorResponse, "description": "The request is not as it must be; the message says where."},
    429: {"model": ErrorResponse, "description": "Too many texts wait already; `Retry-After` says for how long."},
    500: {"model": ErrorResponse, "description": "The model failed on these texts."},
    503: {"model": ErrorResponse, "description": "The server is stopping."},
    504: {"model": ErrorResponse, "description": "There was no answer within the deadline."},
}


async def _patience(
    x_deadline_ms: Annotated[
        int,
        Header(alias="X-Deadline-Ms", ge=1, le=LONGEST_DEADLINE_MS, description="For how long the caller waits."),
    ] = DEADLINE_MS,
) -> float:
    return x_deadline_ms / 1000


Patience = Annotated[float, Depends(_patience)]


def app_of(engines: Engines, *, arrives_within_s: float = DEADLINE_MS / 1000) -> FastAPI:
    """Serve the engines, which stay the caller's to close. A body that has not arrived in time is refused.

    No pages for browsers: theirs come from elsewhere, and a page of another origin cannot send JSON here.
    """
    app = FastAPI(title="Mentos' local models", docs_url=None, redoc_url=None, redirect_slashes=False)
    app.add_middleware(_Edge, at_most=LONGEST_BODY, arrives_within_s=arrives_within_s)
    for error in (RequestValidationError, UnknownStyle, Overloaded, Expired, HTTPException):
        app.add_exception_handler(error, _refuse)

    @app.post("/v1/emotion", responses=_REFUSALS)
    async def emotion(asked: EmotionRequest, within_s: Patience) -> EmotionResponse:
        rankings = await engines.emotion(asked.texts, within_s=within_s)
        return EmotionResponse(model=engines.about["emotion"].name, results=[Emotion.of(one) for one in rankings])

    @app.post("/v1/tone", responses=_REFUSALS)
    async def tone(asked: ToneRequest, within_s: Patience) -> ToneResponse:
        texts = await engines.tone(asked.texts, asked.style, within_s=within_s)
        return ToneResponse(model=engines.about["tone"].name, texts=texts)

    @app.post("/v1/embed", responses=_REFUSALS)
    async def embed(asked: EmbedRequest, within_s: Patience) -> EmbedResponse:
        return EmbedResponse.of(await engines.embed(asked.texts, within_s=within_s), engines.about["embedding"])

    @app.get("/v1/models")
    async def models() -> ModelsResponse:
        return ModelsResponse(models=list(engines.about.values()))

    @app.get("/health")
    async def health() -> Status:
        return Status()

    @app.get("/ready", response_model=Status, responses={503: {"model": ErrorResponse}})
    async def ready() -> Response | Status:
        """Say whether every configured model is at work; where one is not, the embedded one answers in its place."""
        return _error(503, "unavailable", " ".join(engines.missing)) if engines.missing else Status()

    @app.get("/metrics")
    async def metrics() -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    return app


async def _refuse(_: Request, error: Exception) -> JSONResponse:
    match error:
        case RequestValidationError():
            return _error(422, "invalid", _fault(error))
        case UnknownStyle():
            return _error(422, "invalid", str(error))
        case Overloaded():
            return _error(429, "overloaded", str(error), {"Retry-After": "1"})
        case Expired():
            return _error(504, "expired", str(error))
        case HTTPException(status_code=404 | 405):
            return _error(error.status_code, "invalid", "There is no such route; see /openapi.json.", error.headers)
        case _:  # FastAPI's word for bytes that end its JSON parser: not UTF-8, or nested too deeply
            return _error(422, "invalid", "The body cannot be read; send JSON in UTF-8 as /openapi.json shows.")


def _fault(error: RequestValidationError) -> str:
    """Say where the first fault is and what is expected there, without the input, which FastAPI's own answer quotes."""
    fault = error.errors()[0]
    where = ".".join(map(str, fault["loc"]))
    return f"{where}: {fault['msg']}; send JSON, with that Content-Type, as /openapi.json shows."


def _error(status: int, type_: ErrorType, message: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    body = ErrorResponse(error=Problem(type=type_, message=message))
    return JSONResponse(body.model_dump(), status_code=status, headers=headers)


class _Edge:
    """Reads a body up to a limit before anything else does, ends the work of a caller who has left, and keeps what
    broke from the log: the server's own trace would hold the error's words, which may be a person's.
    """

    def __init__(self, app: ASGIApp, *, at_most: int, arrives_within_s: float) -> None:
        self._app = app
        self._at_most = at_most
        self._arrives_within_s = arrives_within_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            answer = await self._answer(scope, receive, send)
        except asyncio.CancelledError:  # the server stops, and has waited for this request long enough
            answer = _error(503, "unavailable", "The server is stopping; ask again when it is back.")
        if answer:
            await answer(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> JSONResponse | None:
        """Let the routes answer; return what to say in their place, or None when they did or nobody listens."""
        try:
            async with asyncio.timeout(self._arrives_within_s):
                body = await _body(receive, at_most=self._at_most)
        except ClientDisconnect:
            return None
        except TimeoutError:
            late = f"The body did not arrive within {self._arrives_within_s:g} s; send it faster."
            return _error(504, "expired", late, {"Connection": "close"})
        if body is None:
            long = f"The body is longer than {self._at_most} bytes; send fewer texts at once."
            return _error(413, "too_large", long, {"Connection": "close"})

        async def arrived() -> Message:
            return {"type": "http.request", "body": body, "more_body": False}

        working = asyncio.ensure_future(self._app(scope, arrived, send))
        leaving = asyncio.ensure_future(_departure(receive))
        try:
            await asyncio.wait((working, leaving), return_when=asyncio.FIRST_COMPLETED)
            has_left = not working.done()
        finally:
            working.cancel()
            leaving.cancel()
        outcome, _ = await asyncio.gather(working, leaving, return_exceptions=True)
        if outcome is None or has_left:
            return None
        log.error("%s failed: %s", scope["path"], type(outcome).__name__)
        return _error(500, "failed", "The model failed on this request; ask again, or leave out a text at a time.")


async def _body(receive: Receive, *, at_most: int) -> bytes | None:
    """Return the body, or None when it has more bytes than `at_most`. Raises `ClientDisconnect`."""
    pieces: list[bytes] = []
    size, is_whole = 0, False
    # somewhat more is taken from the wire, so that a caller who is still sending can see the answer
    while not is_whole and size <= 4 * at_most:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        piece = message.get("body", b"")
        size += len(piece)
        if size <= at_most:
            pieces.append(piece)
        is_whole = not message.get("more_body", False)
    return b"".join(pieces) if size <= at_most else None


async def _departure(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
