"""Small models that work, as the conversation may be given: in this process, and behind HTTP on loopback."""

import asyncio
import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

import aiohttp
import numpy as np
import uvicorn

from bot.backends.inference import InProcess, Model, NoAnswer, OverHttp, Patient, Refused
from inference_server.app import app_of
from inference_server.batching import Batcher
from inference_server.emotion import LABELS, Ranking
from inference_server.engines import About, Embedding, Engines
from tests.ports import free_port

GLAD = Ranking(((LABELS[0], 0.9), *((label, 0.01) for label in LABELS[1:])), is_confident=True)
STYLES = ("선비", "나루토")
REFUSED = "벡터가 없는 말"


def patient(task: str) -> Patient:
    """Of a model that is at work."""
    return Patient(task, model=Model("some model", is_embedded=False))


def vector_of(text: str) -> tuple[float, ...]:
    """Return a direction in the plane that depends on the length of a text."""
    return (float(np.cos(len(text))), float(np.sin(len(text))))


class FakeInference:
    """Fulfils `Inference` without engines. While it is `broken`, nothing is answered."""

    where = "nowhere"

    def __init__(self) -> None:
        self.is_broken = False
        self.heard: list[str] = []

    async def models(self) -> Mapping[str, Model]:
        self._hear([])
        return {
            "emotion": Model("glad", is_embedded=False),
            "tone": Model("chanting", is_embedded=False, styles=STYLES),
            "embedding": Model("turning", is_embedded=False),
        }

    async def emotion(self, texts: Sequence[str]) -> Sequence[Ranking]:
        return [GLAD for _ in self._hear(texts)]

    async def tone(self, texts: Sequence[str], style: str) -> Sequence[str]:
        if style not in STYLES:
            raise NoAnswer("no such style")
        return [f"{text} ({style})" for text in self._hear(texts)]

    async def embed(self, texts: Sequence[str], *, model: str) -> Sequence[tuple[float, ...]]:
        if model != "turning":
            raise NoAnswer("another model")
        if REFUSED in texts:
            raise Refused("it will not")
        return [vector_of(text) for text in self._hear(texts)]

    def _hear(self, texts: Sequence[str]) -> Sequence[str]:
        if self.is_broken:
            raise NoAnswer("it is broken")
        self.heard += texts
        return texts


def engines(
    *, heard: list[str] | None = None, styles: Sequence[str] = STYLES, breaking: Exception | None = None
) -> Engines:
    """The same models as engines, as a server or a process would have opened them; what they `heard` is kept.

    The encoder breaks at `REFUSED`, and all of them at whatever they are asked where they are `breaking`.
    """
    kept = heard if heard is not None else []

    def hear(texts: Sequence[str]) -> None:
        if breaking:
            raise breaking
        kept.extend(texts)

    def read(texts: Sequence[str]) -> Sequence[Ranking]:
        hear(texts)
        return [GLAD for _ in texts]

    def speak(asked: Sequence[tuple[str, str]]) -> Sequence[str]:
        hear([])
        return [f"{text} ({style})" for text, style in asked]

    def embed(texts: Sequence[str]) -> Sequence[Embedding]:
        hear(texts)
        if REFUSED in texts:
            raise IndexError("index out of range in self")  # torch's, for a token that its model has not
        return [Embedding(np.array(vector_of(text), np.float32), {}) for text in texts]

    return Engines(
        reading=Batcher(read, name="emotion"),
        restyling=Batcher(speak, name="tone"),
        embedding=Batcher(embed, name="embedding"),
        about={
            "emotion": About("emotion", "glad", None, "torch", labels=LABELS),
            "tone": About("tone", "chanting", None, "ct2", styles=tuple(styles)),
            "embedding": About("embedding", "turning", None, "onnx", size=2),
        },
    )


LOST = RuntimeError("CUDA error: device-side assert triggered")
"""What is raised for every text once a card is lost."""


@asynccontextmanager
async def in_process(*, breaking: Exception | None = None) -> AsyncIterator[InProcess]:
    at_work = engines(breaking=breaking)
    try:
        yield InProcess(at_work)
    finally:
        await at_work.close()


@asynccontextmanager
async def over_http(*, breaking: Exception | None = None) -> AsyncIterator[OverHttp]:
    async with served(engines(breaking=breaking)) as url, aiohttp.ClientSession() as session:
        yield OverHttp(url, session=session)


@asynccontextmanager
async def served(at_work: Engines, *, port: int = 0) -> AsyncIterator[str]:
    """The real application of the inference server in this loop, at the address that is returned."""
    with socket.socket() as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(("127.0.0.1", port or free_port()))
        server = uvicorn.Server(uvicorn.Config(app_of(at_work), lifespan="off", log_config=None, access_log=False))
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        while not server.started:  # noqa: ASYNC110 - uvicorn tells nobody
            await asyncio.sleep(0.005)
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            await serving
            await at_work.close()
