"""What the classifiers over hashed letters are trained with: buckets, rarity, a sparse matrix, weights in 8 bits."""

from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix
from sklearn.linear_model import LogisticRegression

from bot.safety import features
from bot.safety.features import BITS
from bot.safety.linear import SMOOTHING, Linear
from bot.safety.normalise import readings

CHUNK = 2_000
T = TypeVar("T")


def buckets_of(text: str) -> npt.NDArray[np.int64]:
    return features.buckets_of(next(iter(readings(text)))).astype(np.int64)


def rarity_of(seen: Sequence[npt.NDArray[np.int64]], bits: int) -> npt.NDArray[np.float64]:
    """Return how much more a rare bucket says than a common one, looking at no label."""
    counts = np.bincount(np.concatenate(seen), minlength=1 << bits)
    return np.asarray(np.maximum(np.log(len(seen) / (counts + 1.0)) / 6, 0.0))


def matrix(seen: Sequence[npt.NDArray[np.int64]], rarity: npt.NDArray[np.float64]) -> csr_matrix:
    """Return texts x buckets, each text of the length that `sense` gives it."""
    sizes = np.array([len(buckets) for buckets in seen])
    columns = np.concatenate(seen)
    amounts = np.repeat((sizes + SMOOTHING) ** -0.5, sizes) * rarity[columns]
    return csr_matrix((amounts, (np.repeat(np.arange(len(seen)), sizes), columns)), shape=(len(seen), len(rarity)))


def fit(
    names: Sequence[str],
    labels: Sequence[str],
    seen: Sequence[npt.NDArray[np.int64]],
    *,
    bits: int,
    cost: float = 15.0,
    steps: int = 100,
) -> Linear:
    """Fit names to texts of these buckets, each name counting the same, over coarser buckets of `bits`."""
    coarse = [buckets >> (BITS - bits) for buckets in seen]
    rarity = rarity_of(coarse, bits)
    model = LogisticRegression(C=cost, max_iter=steps, class_weight="balanced")
    model.fit(matrix(coarse, rarity), np.array([names.index(label) for label in labels]))
    weights, scale = quantised((model.coef_ * rarity).T)
    return Linear(tuple(names), weights, scale, model.intercept_.astype(np.float32))


def quantised(values: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.int8], float]:
    scale = float(np.abs(values).max()) / 127
    return np.rint(values / scale).astype(np.int8), scale


def each(work: Callable[[str], T], texts: Sequence[str]) -> list[T]:
    """Do the work for each text, on every core where there is much of it."""
    if len(texts) < 10 * CHUNK:
        return list(map(work, texts))
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
        return list(pool.map(work, texts, chunksize=CHUNK))
