"""The models of `inference_server`, in this process or behind HTTP, as the conversation and the memories ask for them.

They may fail: then what is embedded answers. What means danger is read here and sent nowhere.
"""

import logging
import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Any, Protocol, TypeVar

import aiohttp

from bot.conversation.model import Emotion, EmotionLabel, shorten
from bot.conversation.ports import EmotionReader, NoEncoding, Stylist
from bot.safety.assess import means_danger
from inference_server.batching import Expired, Miscounted, Overloaded
from inference_server.emotion import Ranking
from inference_server.engines import Engines

log = logging.getLogger(__name__)

T = TypeVar("T")

EMOTION_S, TONE_S, EMBEDDING_S = 1.0, 4.0, 10.0
"""Seconds within which a model answers, or what is embedded does."""
RESTS_S = 5.0, 60.0
"""How long a model that failed is left alone: at first, and at most after it failed again and again."""


class NoAnswer(Exception):
    """A model gives no answer. Says why, never a text."""


class Refused(NoAnswer):
    """A model broke at these texts, or will not have them. Whether they are at fault or it is, other texts tell."""


@dataclass(frozen=True, slots=True)
class Model:
    """A model at work: what it is called, and what it can do that what is embedded cannot."""

    name: str
    is_embedded: bool
    styles: tuple[str, ...] = ()


class Inference(Protocol):
    """Models that answer lists of texts, in their order. Each method raises `NoAnswer`."""

    where: str

    async def models(self) -> Mapping[str, Model]:
        """Return what does each of the tasks emotion, tone and embedding."""
        ...

    async def emotion(self, texts: Sequence[str]) -> Sequence[Ranking]: ...

    async def tone(self, texts: Sequence[str], style: str) -> Sequence[str]: ...

    async def embed(self, texts: Sequence[str], *, model: str) -> Sequence[tuple[float, ...]]:
        """Return a vector for each text. Another model than the one that is wanted is no answer."""
        ...


class InProcess:
    """Fulfils `Inference` with engines of this process."""

    where = "this process"

    def __init__(self, engines: Engines) -> None:
        self._engines = engines

    async def models(self) -> Mapping[str, Model]:
        return {
            task: Model(about.name, about.runtime in {"numpy", "rules"}, about.styles or ())
            for task, about in self._engines.about.items()
        }

    async def emotion(self, texts: Sequence[str]) -> Sequence[Ranking]:
        return await self._answer(self._engines.emotion(texts, within_s=EMOTION_S))

    async def tone(self, texts: Sequence[str], style: str) -> Sequence[str]:
        return await self._answer(self._engines.tone(texts, style, within_s=TONE_S))

    async def embed(self, texts: Sequence[str], *, model: str) -> Sequence[tuple[float, ...]]:
        _check_model(self._engines.about["embedding"].name, model)
        found = await self._answer(self._engines.embed(texts, within_s=EMBEDDING_S))
        return [tuple(each.dense.tolist()) if each.dense is not None else () for each in found]

    async def _answer(self, asked: Awaitable[T]) -> T:
        try:
            return await asked
        except (Expired, Overloaded, Miscounted) as error:
            raise NoAnswer(str(error)) from None
        except (ValueError, RuntimeError, ArithmeticError, LookupError) as error:  # a model's words may quote the text
            raise Refused(type(error).__name__) from None


class OverHttp:
    """Fulfils `Inference` with a server, as inference_server/app.py describes it."""

    def __init__(self, url: str, *, session: aiohttp.ClientSession) -> None:
        self.where = url.rstrip("/")
        self._session = session

    async def models(self) -> Mapping[str, Model]:
        found = await self._ask("GET", "/v1/models", within_s=EMOTION_S)
        return _read(
            lambda: {
                each["task"]: Model(
                    str(each["name"]), each["runtime"] in {"numpy", "rules"}, tuple(each["styles"] or ())
                )
                for each in found["models"]
            }
        )

    async def emotion(self, texts: Sequence[str]) -> Sequence[Ranking]:
        found = await self._ask("POST", "/v1/emotion", {"texts": list(texts)}, within_s=EMOTION_S)
        return _read_each(
            lambda: [
                Ranking(tuple((s["label"], float(s["score"])) for s in each["scores"]), bool(each["is_confident"]))
                for each in found["results"]
            ],
            texts,
        )

    async def tone(self, texts: Sequence[str], style: str) -> Sequence[str]:
        found = await self._ask("POST", "/v1/tone", {"texts": list(texts), "style": style}, within_s=TONE_S)
        return _read_each(lambda: [str(text) for text in found["texts"]], texts)

    async def embed(self, texts: Sequence[str], *, model: str) -> Sequence[tuple[float, ...]]:
        found = await self._ask("POST", "/v1/embed", {"texts": list(texts)}, within_s=EMBEDDING_S)
        _check_model(str(found.get("model")), model)
        return _read_each(lambda: [tuple(map(float, row)) for row in found["dense"]], texts)

    async def _ask(self, method: str, path: str, body: object = None, *, within_s: float) -> dict[str, Any]:
        headers = {"X-Deadline-Ms": str(int(within_s * 1000))}
        timeout = aiohttp.ClientTimeout(total=within_s, connect=within_s / 2)
        try:
            async with self._session.request(
                method, self.where + path, json=body, headers=headers, timeout=timeout, allow_redirects=False
            ) as response:
                if response.status != 200:
                    kind = Refused if response.status in {413, 422, 500} else NoAnswer
                    raise kind(f"status {response.status}")
                found = await response.json()
        except TimeoutError:
            raise NoAnswer(f"nothing within {within_s} s") from None
        except (aiohttp.ClientError, OSError, ValueError, RecursionError) as error:
            raise NoAnswer(type(error).__name__) from None
        if not isinstance(found, dict):
            raise NoAnswer("no JSON object")
        return found


def _check_model(found: str, wanted: str) -> None:
    if found != wanted:
        raise NoAnswer(f"there is {found}, where MENTOS_EMBEDDING__MODEL wants {wanted}")


def _read(read: Callable[[], T]) -> T:
    try:
        return read()
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise NoAnswer(f"an answer of another shape ({type(error).__name__})") from None


def _read_each(read: Callable[[], list[T]], texts: Sequence[str]) -> list[T]:
    found = _read(read)
    if len(found) != len(texts):
        raise NoAnswer("an answer for another number of texts")
    return found


class Patient:
    """Lets a model that failed alone for a while, so that nobody waits for it in vain.

    `model` is what does the task there, None while that is not known or is no better than what is embedded.
    """

    def __init__(self, what: str, *, model: Model | None = None, on_failure: Callable[[], None] = lambda: None) -> None:
        self.model = model
        self._what = what
        self._on_failure = on_failure
        self.has_failed = False
        self._failures = 0
        self._rests_until = 0.0

    @property
    def is_resting(self) -> bool:
        return monotonic() < self._rests_until

    async def ask(self, call: Awaitable[T]) -> T:
        """Return the answer. Raises `NoAnswer`. Many that fail at once are one failure."""
        try:
            found = await call
        except NoAnswer as reason:
            self.has_failed = True
            if not self.is_resting:
                first_s, most_s = RESTS_S
                self._rests_until = monotonic() + min(first_s * 2**self._failures, most_s)
                self._failures = min(self._failures + 1, 16)
                self._on_failure()
                log.warning("%s is embedded for now: %s", self._what, reason)
            raise
        self.has_failed, self._failures = False, 0
        return found


class ModelEmotions:
    """Fulfils `EmotionReader` with a model, and with `near` for what means danger and while the model fails."""

    def __init__(self, inference: Inference, *, near: EmotionReader, patient: Patient) -> None:
        self._inference = inference
        self._near = near
        self._patient = patient

    async def read(self, text: str) -> Emotion:
        if self._patient.model is None or self._patient.is_resting or means_danger(text):
            return await self._near.read(text)
        try:
            return await self._patient.ask(self._read(text))
        except NoAnswer:
            return await self._near.read(text)

    async def _read(self, text: str) -> Emotion:
        [ranking] = await self._inference.emotion([shorten(text)])
        try:
            scores = tuple((EmotionLabel(label), score) for label, score in ranking.scores)
        except ValueError:
            raise NoAnswer("labels that are not ours") from None
        if len(scores) != len(EmotionLabel) or not all(math.isfinite(score) for _, score in scores):
            raise NoAnswer("scores that are none")
        return Emotion(scores, is_confident=ranking.is_confident)


class ModelStylist:
    """Fulfils `Stylist` for `kobart:…` renderers, with `near` and another renderer `instead` while the model fails."""

    def __init__(self, inference: Inference, *, near: Stylist, instead: Mapping[str, str], patient: Patient) -> None:
        self._inference = inference
        self._near = near
        self._instead = instead
        self._patient = patient

    async def restyle(self, text: str, renderer: str) -> str:
        kind, _, style = renderer.partition(":")
        if kind != "kobart":
            return await self._near.restyle(text, renderer)
        if not self._patient.is_resting:
            try:
                [said] = await self._patient.ask(self._inference.tone([text], style))
            except NoAnswer:
                pass
            else:
                if said.strip():
                    return said
        return await self._near.restyle(text, self._instead[renderer]) if renderer in self._instead else text


class ModelEncoder:
    """Fulfils the `Encoder` of the memories. What means danger gets no vector: it is found by its words alone."""

    def __init__(self, inference: Inference, *, name: str, size: int, patient: Patient) -> None:
        self.name = name
        self.size = size
        self._inference = inference
        self._patient = patient

    async def encode(self, texts: Sequence[str]) -> Sequence[tuple[float, ...]]:
        calm = [text for text in texts if not means_danger(text)]
        try:
            vectors = await self._patient.ask(self._vectors(calm)) if calm else ()
        except NoAnswer as error:
            raise NoEncoding(f"{self._inference.where}: {error}") from None
        found = dict(zip(calm, vectors, strict=True))
        return [found.get(text, ()) for text in texts]

    async def _vectors(self, texts: Sequence[str]) -> Sequence[tuple[float, ...]]:
        """Return a vector for each text, an empty one for a text that is at fault. Raises `NoAnswer`."""
        try:
            return await self._inference.embed(texts, model=self.name)
        except Refused:
            found = [await self._alone(text) for text in texts] if len(texts) > 1 else []
            if not any(found):  # it is the model
                raise
            return found

    async def _alone(self, text: str) -> tuple[float, ...]:
        try:
            [vector] = await self._inference.embed([text], model=self.name)
        except Refused:
            return ()
        return vector
