"""The models at work, a batcher for each task: the embedded ones, or the transformers that are configured."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

import numpy as np
import numpy.typing as npt

from inference_server.bart import BartTone
from inference_server.batching import Batcher
from inference_server.electra import ElectraEmotion
from inference_server.embedding import query
from inference_server.emotion import LABELS, EmbeddedEmotion, Ranking
from inference_server.encoder import Encoder
from inference_server.korean import kiwi
from inference_server.models import Folder, Models, ModelUnavailable, Task
from inference_server.texts import without_middle
from inference_server.tone import RuleTone
from inference_server.transformer import chosen

Item = TypeVar("Item")
Result = TypeVar("Result")
Restyle = Callable[[Sequence[str], str], Sequence[str]]

AT_MOST, AT_MOST_ON_CUDA = 8, 64
"""Items in a batch: on a CPU more of them make each wait longer and none faster."""

# Kiwi needs 17 ms for a thousand characters
_LONGEST = 2_000


class UnknownStyle(ValueError):
    """The stylist has no such style. Names those it has, and not the one asked for, which is a caller's word."""


@dataclass(frozen=True, slots=True)
class About:
    """What callers may know of a model: who it is, what runs it, and what to expect of it."""

    task: Task
    name: str
    revision: str | None
    runtime: Literal["numpy", "torch", "onnx", "ct2", "rules"]
    labels: tuple[str, ...] | None = None
    styles: tuple[str, ...] | None = None
    size: int | None = None


@dataclass(frozen=True, slots=True)
class Embedding:
    """What to look for in a memory: a float32 vector of length 1, where there is an encoder, and weighted terms."""

    dense: npt.NDArray[np.float32] | None
    sparse: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Engines:
    """Answers lists of texts. Each method raises `Overloaded`, `Expired` after `within_s` seconds, or what broke.

    One text that fails fails its list: half an answer would have to be asked for again anyway.
    """

    reading: Batcher[str, Ranking]
    restyling: Batcher[tuple[str, str], str]
    embedding: Batcher[str, Embedding]
    about: Mapping[Task, About]
    missing: tuple[str, ...] = ()
    """A sentence for each configured model that could not be loaded."""

    async def emotion(self, texts: Sequence[str], *, within_s: float) -> list[Ranking]:
        return await self.reading.together(texts, within_s=within_s)

    async def tone(self, texts: Sequence[str], style: str, *, within_s: float) -> list[str]:
        """Return the texts in `style`. Raises `UnknownStyle`."""
        styles = self.about["tone"].styles or ()
        if style not in styles:
            raise UnknownStyle(f"There is no such style; name one of {', '.join(styles)}.")
        return await self.restyling.together([(text, style) for text in texts], within_s=within_s)

    async def embed(self, texts: Sequence[str], *, within_s: float) -> list[Embedding]:
        return await self.embedding.together(texts, within_s=within_s)

    async def close(self) -> None:
        """Let the batches at work finish and turn the others away."""
        await asyncio.gather(self.reading.close(), self.restyling.close(), self.embedding.close())


@dataclass(frozen=True, slots=True)
class _Part(Generic[Item, Result]):
    """What does the work of a task, and what callers may know of it."""

    work: Callable[[Sequence[Item]], Sequence[Result]]
    about: About
    at_most: int = AT_MOST

    def batcher(self, length: Callable[[Item], int]) -> Batcher[Item, Result]:
        return Batcher(self.work, name=self.about.task, at_most=self.at_most, length=length)


def open_engines(models: Models) -> Engines:
    """Load what is configured, and the embedded engine for each task where nothing is, or where it cannot be loaded.

    Takes from a second (Kiwi) to minutes (weights to be downloaded), and blocks.
    """
    kiwi()
    missing: list[str] = []

    def part(
        name: str | None,
        transformer: Callable[[Folder, Models], _Part[Item, Result]],
        embedded: Callable[[], _Part[Item, Result]],
    ) -> _Part[Item, Result]:
        if name is None:
            return embedded()
        try:
            return transformer(models.folder_of(name), models)
        except ModelUnavailable as error:
            why = str(error)
        except Exception as error:  # noqa: BLE001 - a broken model may fail in any way, and its task is answered still
            why = f"it cannot be loaded ({type(error).__name__}); fetch or export it again, or name another"
        instead = embedded()
        about = instead.about
        missing.append(f"The {about.task} model {name} is not at work, {about.name} answers for it: {why}.")
        return instead

    emotion = part(models.emotion, _electra, _embedded_emotion)
    tone = part(models.tone, _bart, _embedded_tone)
    embedding = part(models.embedding, _encoder, _embedded_terms)
    return Engines(
        reading=emotion.batcher(len),
        restyling=tone.batcher(lambda asked: len(asked[0])),
        embedding=embedding.batcher(len),
        about={part.about.task: part.about for part in (emotion, tone, embedding)},
        missing=tuple(missing),
    )


def _embedded_emotion() -> _Part[str, Ranking]:
    return _Part(EmbeddedEmotion().read, About("emotion", "embedded-emotion", None, "numpy", labels=LABELS))


def _electra(folder: Folder, models: Models) -> _Part[str, Ranking]:
    model = ElectraEmotion(folder, device=models.device, threads=models.threads)
    about = About("emotion", folder.name, folder.revision, folder.runtime, labels=model.labels)
    return _Part(model.read, about, _at_most(folder, models))


def _embedded_tone() -> _Part[tuple[str, str], str]:
    rules = RuleTone()

    def restyle(texts: Sequence[str], style: str) -> list[str]:
        return [rules.restyle(text, style) for text in texts]

    about = About("tone", "embedded-tone", None, "rules", styles=tuple(sorted(rules.styles)))
    return _Part(by_style(restyle), about)


def _bart(folder: Folder, models: Models) -> _Part[tuple[str, str], str]:
    model = BartTone(folder, device=models.device, threads=models.threads)
    about = About("tone", folder.name, folder.revision, folder.runtime, styles=tuple(sorted(model.styles)))
    return _Part(by_style(model.restyle), about, _at_most(folder, models))


def by_style(restyle: Restyle) -> Callable[[Sequence[tuple[str, str]]], list[str]]:
    """Let texts of several styles wait together: each style is one call, and the order is kept."""

    def work(asked: Sequence[tuple[str, str]]) -> list[str]:
        places: dict[str, list[int]] = defaultdict(list)
        for place, (_, style) in enumerate(asked):
            places[style].append(place)
        said: dict[int, str] = {}
        for style, mine in places.items():
            said |= zip(mine, restyle([asked[place][0] for place in mine], style), strict=True)
        return [said[place] for place in range(len(asked))]

    return work


def _embedded_terms() -> _Part[str, Embedding]:
    def work(texts: Sequence[str]) -> list[Embedding]:
        return [Embedding(None, query(without_middle(text, _LONGEST))) for text in texts]

    return _Part(work, About("embedding", "embedded-terms", None, "rules"))


def _encoder(folder: Folder, models: Models) -> _Part[str, Embedding]:
    model = Encoder(folder, device=models.device, threads=models.threads)

    def work(texts: Sequence[str]) -> list[Embedding]:
        dense = model.embed(texts)
        return [Embedding(row, query(without_middle(text, _LONGEST))) for row, text in zip(dense, texts, strict=True)]

    about = About("embedding", folder.name, folder.revision, folder.runtime, size=model.size)
    return _Part(work, about, _at_most(folder, models))


def _at_most(folder: Folder, models: Models) -> int:
    return AT_MOST_ON_CUDA if folder.runtime == "torch" and chosen(models.device) == "cuda" else AT_MOST
