"""A linear classifier over hashed letters, in 8 bits, read with numpy."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from bot.safety.features import BITS, Buckets, buckets_of

SMOOTHING = 30
"""Features that every text is taken to have besides its own and that say nothing: a few letters prove little."""


@dataclass(frozen=True, slots=True)
class Linear:
    """Weights per bucket and name (2^bits x names, int8, times `scale`), and a bias per name."""

    names: tuple[str, ...]
    weights: npt.NDArray[np.int8]
    scale: float
    bias: npt.NDArray[np.float32]

    @classmethod
    def load(cls, path: Path) -> "Linear":
        with np.load(path) as file:
            return cls(tuple(file["names"].tolist()), file["weights"], float(file["scale"]), file["bias"])

    def save(self, path: Path) -> None:
        np.savez_compressed(
            path, names=np.array(self.names), weights=self.weights, scale=np.float32(self.scale), bias=self.bias
        )

    def read(self, reading: str) -> dict[str, float]:
        """Return how likely each name is for one of the `readings` of a text."""
        return dict(zip(self.names, self.chances(buckets_of(reading)), strict=True))

    def chances(self, buckets: Buckets) -> tuple[float, ...]:
        """Return how likely each name is for a text of these buckets of `BITS`; they sum up to 1."""
        coarse = buckets >> np.uint32(BITS + 1 - len(self.weights).bit_length())
        sums = self.weights[coarse].sum(axis=0, dtype=np.int64)
        scores = sums * self.scale * (len(buckets) + SMOOTHING) ** -0.5 + self.bias
        raised = np.exp(scores - scores.max())
        return tuple((raised / raised.sum()).tolist())
