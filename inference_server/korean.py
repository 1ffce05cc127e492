"""The one Kiwi of this process, and the morphemes it finds."""

import functools
import threading
from collections.abc import Sequence
from typing import NamedTuple

from kiwipiepy import Kiwi  # type: ignore[import-untyped]

from inference_server.texts import SURROGATE

_building = threading.Lock()


class Morpheme(NamedTuple):
    """A morpheme and where it stands: `text[start:end]`. Tags are Kiwi's Sejong tags (`NNG`, `VV-I`, `EF` …)."""

    form: str
    tag: str
    start: int
    end: int


def kiwi() -> Kiwi:
    """Return the process's analyser, built on the first call (about 1.2 s and 330 MB).

    Analysing may happen in several threads at once; changing its dictionary or its settings may not.
    """
    # The lock, because `functools.cache` alone would let two first callers build one each.
    with _building:
        return _build()


@functools.cache
def _build() -> Kiwi:
    # The multi-word dictionary holds titles and names of people (17 of 2,000 comments differ without it);
    # it costs 190 MB and 2 s.
    built = Kiwi(num_workers=1, load_multi_dict=False)
    built.tokenize("")  # Kiwi reads its model at the first analysis
    return built


@functools.lru_cache(maxsize=64)  # emotion, script and memory read the same messages, one soon after the other
def morphemes(text: str) -> Sequence[Morpheme]:
    """Return the morphemes of a text in order. Lone surrogates, which Kiwi cannot take, are read as U+FFFD."""
    return tuple(Morpheme(t.form, t.tag, t.start, t.end) for t in kiwi().tokenize(SURROGATE.sub("\ufffd", text)))
