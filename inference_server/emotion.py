"""What a text seems to feel: eleven labels from a small linear model over characters and morphemes."""

import re
import unicodedata
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from inference_server.korean import morphemes
from inference_server.texts import without_middle

LABELS = (
    "기쁨(행복한)",
    "고마운",
    "설레는(기대하는)",
    "사랑하는",
    "즐거운(신나는)",
    "일상적인",
    "생각이 많은",
    "슬픔(우울한)",
    "힘듦(지침)",
    "짜증남",
    "걱정스러운(불안한)",
)
BUCKETS = 1 << 18
SHIPPED = Path(__file__).parent / "weights" / "emotion.npz"

# Kiwi needs 17 ms for a thousand characters
_LONGEST = 800
_HANGUL = re.compile("[가-힣]")
_REPEATED = re.compile(r"(.)\1{2,}")
_BLANKS = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class Ranking:
    """All labels with their probabilities, likeliest first, summing to 1. What is not confident should not be named."""

    scores: tuple[tuple[str, float], ...]
    is_confident: bool


@dataclass(frozen=True, slots=True)
class Weights:
    """The model as it is stored: int8 `values` (buckets x labels), each label's `scale` and `bias`, both float32."""

    values: npt.NDArray[np.int8]
    scale: npt.NDArray[np.float32]
    bias: npt.NDArray[np.float32]
    temperature: float
    threshold: float

    @classmethod
    def load(cls, path: Path) -> "Weights":
        with np.load(path, allow_pickle=False) as file:
            if tuple(file["labels"]) != LABELS:
                raise ValueError(
                    f"{path} has the labels {file['labels']}; rebuild it with `python -m training.emotion`"
                )
            return cls(
                values=file["values"],
                scale=file["scale"],
                bias=file["bias"],
                temperature=float(file["temperature"]),
                threshold=float(file["threshold"]),
            )

    def save(self, path: Path) -> None:
        np.savez_compressed(
            path,
            labels=np.array(LABELS),
            values=self.values,
            scale=self.scale,
            bias=self.bias,
            temperature=np.float32(self.temperature),
            threshold=np.float32(self.threshold),
        )


class EmbeddedEmotion:
    """Reads emotions in process, without torch: about a millisecond a message."""

    def __init__(self, *, path: Path = SHIPPED) -> None:
        self._weights = Weights.load(path)

    def read(self, texts: Sequence[str]) -> list[Ranking]:
        """Rank the labels for each text. Texts without Hangul are ranked too, but never with confidence."""
        return [self._rank(text) for text in texts]

    def _rank(self, text: str) -> Ranking:
        weights = self._weights
        buckets, amounts = features(text)
        sums = amounts @ weights.values[buckets].astype(np.float32)
        scores = np.asarray((weights.bias + weights.scale * sums) / weights.temperature, dtype=np.float32)
        chances = softmax(scores)
        order = np.argsort(-chances, kind="stable")
        return Ranking(
            scores=tuple((LABELS[i], float(chances[i])) for i in order),
            is_confident=bool(chances[order[0]] >= weights.threshold and _HANGUL.search(_readable(text))),
        )


def features(text: str) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
    """Return the buckets that a text falls into and how much each counts, two arrays of one length, buckets ascending.

    Characters (1-4 grams) and morphemes (1-2 grams) are hashed by crc32, which is the same in every process, and each
    kind has length 1 (Weinberger et al. 2009, "Feature hashing for large scale multitask learning").
    """
    readable = _readable(text)
    amounts: dict[int, float] = {}
    for grams in (set(_characters(readable)), set(_words(readable))):
        for gram in sorted(grams):
            bucket = zlib.crc32(gram.encode("utf-8", "replace")) % BUCKETS
            amounts[bucket] = amounts.get(bucket, 0.0) + len(grams) ** -0.5
    buckets = np.array(sorted(amounts), dtype=np.int64)
    return buckets, np.array([amounts[b] for b in buckets.tolist()], dtype=np.float32)


def softmax(scores: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Turn scores (… x labels) into probabilities that sum to 1 along the last axis."""
    raised = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=-1, keepdims=True), dtype=np.float32)


def _readable(text: str) -> str:
    text = unicodedata.normalize("NFC", without_middle(text, _LONGEST)).lower().strip()
    return _REPEATED.sub(r"\1\1", _BLANKS.sub(" ", text))


def _characters(text: str) -> Iterator[str]:
    framed = f" {text} "
    for length in (1, 2, 3, 4):
        for start in range(len(framed) - length + 1):
            yield "c" + framed[start : start + length]


def _words(text: str) -> Iterator[str]:
    before = "^"
    for form, tag, _, _ in morphemes(text):
        word = f"{form}/{tag.partition('-')[0]}"
        yield "m" + word
        yield f"b{before} {word}"
        before = word
