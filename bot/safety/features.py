"""What a classifier sees of a text: every few letters in a row, hashed, of the syllables and of their jamo.

The hash is polynomial over code points with a multiplicative finish (Knuth, TAOCP 3, 6.4), so that all of a text is
hashed at once: a few steps a letter, whatever the text.
"""

import unicodedata

import numpy as np
import numpy.typing as npt

Buckets = npt.NDArray[np.uint32]

SYLLABLES, JAMO = (1, 2, 3), (4, 5, 6, 7)
"""How many letters in a row are seen together."""
BITS = 20

_STEP, _FINISH = np.uint32(0x01000193), np.uint32(0x9E3779B1)
_SALTED = np.uint32(0x85EBCA6B)


def hashed(text: str) -> list[Buckets]:
    """Return the buckets of each kind of letters in a row, by where they begin. `text` is one of `readings`."""
    return [*_rows(text, SYLLABLES, np.uint32(1)), *_rows(unicodedata.normalize("NFD", text), JAMO, _SALTED)]


def _rows(text: str, sizes: tuple[int, ...], salt: np.uint32) -> list[Buckets]:
    letters = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32) * salt + np.uint32(1)
    rows = []
    seen = np.zeros(len(letters), np.uint32)
    for size in range(1, max(sizes) + 1):
        if size > len(letters):
            break
        seen = seen[: len(letters) - size + 1] * _STEP + letters[size - 1 :]
        if size in sizes:
            mixed = (seen ^ (seen >> np.uint32(15))) * (_FINISH + np.uint32(2 * size))
            rows.append(mixed >> np.uint32(32 - BITS))
    return rows
