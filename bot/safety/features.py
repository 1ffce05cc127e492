"""What a classifier sees of a text: every few letters in a row, hashed, of the syllables and of their jamo.

The hash is polynomial over code points with a multiplicative finish (Knuth, TAOCP 3, 6.4), so that all of a text is
hashed at once: a few steps a letter, whatever the text.
"""

import re
import unicodedata

import numpy as np
import numpy.typing as npt

Buckets = npt.NDArray[np.uint32]

SYLLABLES, JAMO = (1, 2, 3, 4), (4, 5, 6, 7, 8)
"""How many letters in a row are seen together."""
BITS = 20

_STEP, _FINISH = np.uint32(0x01000193), np.uint32(0x9E3779B1)
_SALTED = np.uint32(0x85EBCA6B)


_COUNT = re.compile("(?<![0-9])[0-9]{1,6}(?= ?(?:살|시|명|년|월|일|번|개|분|점|만|원|층|회|주|대|학년|키로|kg|%))")
_UNSAID = re.compile("[ |?0-9ㅋㅎㅠㅜㅡ]+")


def said(reading: str) -> str:
    """Leave what is said of a reading: letters without blanks, breaks, laughter and tears, which come as they like.

    Of digits one sign is left where something is counted.
    """
    return _UNSAID.sub("", _COUNT.sub("#", reading))


def hashed(text: str) -> list[Buckets]:
    """Return the buckets of each kind of letters in a row, by where they begin. `text` is what is `said`."""
    return [*_rows(text, SYLLABLES, np.uint32(1)), *_rows(unicodedata.normalize("NFD", text), JAMO, _SALTED)]


def buckets_of(reading: str) -> Buckets:
    """Return the distinct buckets of one of the `readings` of a text."""
    return np.unique(np.concatenate(hashed(said(reading))))


def jamo_before(text: str) -> npt.NDArray[np.int64]:
    """Return how many jamo stand before each letter of a reading, and before its end."""
    letters = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32).astype(np.int64) - 0xAC00
    is_syllable = (letters >= 0) & (letters < 11_172)
    sizes = np.where(is_syllable, 2 + (letters % 28 > 0), 1)
    return np.concatenate([[0], np.cumsum(sizes)])


def _rows(text: str, sizes: tuple[int, ...], salt: np.uint32) -> list[Buckets]:
    letters = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32) * salt + np.uint32(1)
    rows = []
    seen = np.zeros(len(letters), np.uint32)
    for size in range(1, max(sizes) + 1):
        count = max(len(letters) - size + 1, 0)
        seen = seen[:count] * _STEP + letters[len(letters) - count :]
        if size in sizes:
            mixed = (seen ^ (seen >> np.uint32(15))) * (_FINISH + np.uint32(2 * size))
            rows.append(mixed >> np.uint32(32 - BITS))
    return rows
