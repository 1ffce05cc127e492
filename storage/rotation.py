"""A person's own rotation of sentence vectors: likeness is kept among their own texts, and lost between people.

`docs/decisions/0012-dense-memory.md` says what this protects from, and from what it does not.
"""

import hashlib
from collections.abc import Sequence

import numpy as np

ROUNDS = 3
"""As in structured orthogonal features (Yu et al. 2016, "Orthogonal Random Features"): after three rounds of flipping
and mixing, each number of the outcome depends on all that went in."""


def rotated(vector: Sequence[float], *, key: bytes, encoder: str) -> tuple[float, ...]:
    """Turn a vector of any size as only this key does for this encoder: lengths and angles stay what they were.

    A round flips signs and permutes, both by the key, and mixes by Hartley's transform (Bracewell 1983), which is
    orthogonal at every size and takes n log n steps. The key's bits are drawn by SHAKE-256, so that neither another
    version of numpy nor another machine turns otherwise.
    """
    turned = np.asarray(vector, dtype=np.float64)
    size = len(turned)
    bits = hashlib.shake_256(key + b"rotation" + encoder.encode()).digest(8 * ROUNDS * size)
    for drawn in np.frombuffer(bits, dtype="<u8").reshape(ROUNDS, size):
        flipped = np.where(drawn & 1, -turned, turned)
        waves = np.fft.fft(flipped[np.argsort(drawn, kind="stable")], norm="ortho")
        turned = waves.real - waves.imag
    return tuple(turned.tolist())
