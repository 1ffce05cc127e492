"""What was learnt from messages written for Mentos: how likely a text tells of danger, and of which.

A logistic regression over hashed letters in a row (`features`), in 8 bits, read with numpy: `training/risk.py` makes
it, `weights/risk.md` is its card. A long text is read in windows, the likeliest of which counts.
"""

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from bot.safety.features import SYLLABLES, hashed, jamo_before, said
from bot.safety.linear import SMOOTHING, Linear

LEVELS = ("passive", "active", "plan", "self_harm", "third_party", "abuse")
WINDOW, STRIDE = 90, 30
"""Letters of a long text that are read together, and from one window to the next."""
Bytes = npt.NDArray[np.int8]


class Thresholds(NamedTuple):
    """Chances of danger, 0 to 1, at which a text is taken otherwise."""

    figure: float
    """Below it a wish in so many words is a figure of speech,"""
    doubted: float
    """below this it is only asked about."""
    hint: float
    """From here on a text hints at danger,"""
    asked: float
    """is asked about,"""
    planned: float
    """is answered with help where it tells of a plan,"""
    helped: float
    """and where it tells of anything else."""


@dataclass(frozen=True, slots=True)
class Weights:
    """Danger per bucket (2^20, int8, times its scale) and levels per coarser bucket (2^18 x 6)."""

    danger: Bytes
    danger_scale: float
    bias: float
    levels: Linear
    thresholds: Thresholds

    @classmethod
    def load(cls, path: Path) -> "Weights":
        """Read what `save` wrote. ValueError where the file is for other levels."""
        with np.load(path) as file:
            if tuple(file["names"]) != LEVELS:
                raise ValueError(f"{path} has the levels {file['names']}; rebuild it with `python -m training.risk`")
            return cls(
                danger=file["danger"],
                danger_scale=float(file["danger_scale"]),
                bias=float(file["bias"]),
                levels=Linear(LEVELS, file["levels"], float(file["levels_scale"]), file["level_bias"]),
                thresholds=Thresholds(*file["thresholds"].tolist()),
            )

    def save(self, path: Path) -> None:
        np.savez_compressed(
            path,
            names=np.array(LEVELS),
            danger=self.danger,
            danger_scale=np.float32(self.danger_scale),
            bias=np.float32(self.bias),
            levels=self.levels.weights,
            levels_scale=np.float32(self.levels.scale),
            level_bias=self.levels.bias,
            thresholds=np.array(self.thresholds, np.float32),
        )


@dataclass(frozen=True, slots=True)
class Sense:
    """How likely a text tells of danger (0 to 1), and how likely each level is if it does."""

    chance: float
    levels: tuple[float, ...]

    @property
    def level(self) -> str:
        return LEVELS[int(np.argmax(self.levels))]


def sense(reading: str, weights: Weights) -> Sense:
    """Read one of the `readings` of a text. Linear in its length."""
    text = said(reading)
    rows = hashed(text)
    kept = rows if len(text) <= WINDOW else _likeliest(text, rows, weights)
    buckets = np.unique(np.concatenate(kept))
    length = (len(buckets) + SMOOTHING) ** -0.5
    score = float(weights.danger[buckets].sum(dtype=np.int64)) * weights.danger_scale * length + weights.bias
    return Sense(1 / (1 + float(np.exp(-score))), weights.levels.chances(buckets))


@cache
def shipped() -> Weights:
    return Weights.load(Path(str(files(__package__).joinpath("weights/risk.npz"))))


def _likeliest(text: str, rows: list[npt.NDArray[np.uint32]], weights: Weights) -> list[npt.NDArray[np.uint32]]:
    """Return what the likeliest window of a long text holds."""
    starts = np.arange(0, len(text) - WINDOW + STRIDE, STRIDE)
    ends = np.minimum(starts + WINDOW, len(text))
    jamo = jamo_before(text)
    edges = [(starts, ends) if at < len(SYLLABLES) else (jamo[starts], jamo[ends]) for at in range(len(rows))]
    sums, counts = np.zeros(len(starts), np.int64), np.zeros(len(starts), np.int64)
    spans = []
    for row, (begin, end) in zip(rows, edges, strict=True):
        before = np.concatenate([[0], np.cumsum(weights.danger[row], dtype=np.int64)])
        first, last = np.minimum(begin, len(row)), np.minimum(end, len(row))
        sums += before[last] - before[first]
        counts += last - first
        spans.append((first, last))
    best = int(np.argmax(sums * (counts + SMOOTHING) ** -0.5))
    return [row[first[best] : last[best]] for row, (first, last) in zip(rows, spans, strict=True)]
