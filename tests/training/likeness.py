"""Messages that are too alike to be two."""

from collections import Counter, defaultdict
from collections.abc import Sequence

MOST_SHARED = 0.6
"""Jaccard index of character trigrams above which two messages count as one."""


def alike(texts: Sequence[str]) -> list[tuple[str, str]]:
    grams = [trigrams(text) for text in texts]
    holders: defaultdict[str, list[int]] = defaultdict(list)
    found = []
    for second, mine in enumerate(grams):
        shared = Counter(first for gram in mine for first in holders[gram])
        found += [
            (texts[first], texts[second])
            for first, both in shared.items()
            if both > MOST_SHARED * (len(grams[first]) + len(mine) - both)
        ]
        for gram in mine:
            holders[gram].append(second)
    return found


def trigrams(text: str) -> set[str]:
    return {text[start : start + 3] for start in range(max(1, len(text) - 2))}
