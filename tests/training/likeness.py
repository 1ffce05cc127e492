"""Messages that are too alike to be two."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from math import ceil

MOST_SHARED = 0.6
"""Jaccard index of character trigrams above which two messages count as one."""


def alike(texts: Sequence[str], *, above: float = MOST_SHARED) -> list[tuple[str, str]]:
    """Return the pairs that are; two that are alike share one of their rarest trigrams (prefix filtering, WWW 2007)."""
    grams = [trigrams(text) for text in texts]
    often = Counter(gram for mine in grams for gram in mine)
    holders: defaultdict[str, list[int]] = defaultdict(list)
    found = []
    for second, mine in enumerate(grams):
        rarest = sorted(mine, key=lambda gram: (often[gram], gram))[: len(mine) - ceil(above * len(mine)) + 1]
        for first in {first for gram in rarest for first in holders[gram]}:
            both = len(mine & grams[first])
            if both > above * (len(grams[first]) + len(mine) - both):
                found.append((texts[first], texts[second]))
        for gram in rarest:
            holders[gram].append(second)
    return found


def trigrams(text: str) -> set[str]:
    return {text[start : start + 3] for start in range(max(1, len(text) - 2))}
