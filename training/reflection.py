"""Learn from readers' marks what is worth giving back, and print it as `[worth]` for `scripted/reflection.toml`.

    python -m training.reflection

`data/reflections.tsv` holds marks, by authors of the messages: author, mark (good, awkward, bad), message, and what was
given back. What the script would not say any more is passed over.
"""

import csv
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bot import resources
from bot.backends.scripted.reflection import Reflector
from inference_server.korean import kiwi, morphemes

MARKS = Path(__file__).parent / "data" / "reflections.tsv"
FRAME = "{told}는 말씀이시군요."
RIDGE, STEPS = 3.0, 30
BAD_COUNTS = 2.0
SAID = 0.55
"""Of how many of the messages of which something can be given back something is: of fewer, more would be good."""

ANSWER = 1.2
"""What an answer to a question of ours is worth besides, set by hand: the marked messages stand alone."""


@dataclass(frozen=True, slots=True)
class Marked:
    author: str
    message: str
    mark: str
    features: Mapping[str, float]


def main() -> None:
    marked = read(MARKS)
    print(f"# authors unread: {told(said_of_authors_unread(marked))}\n")
    weights = fit(marked)
    print("[worth]")
    for name, weight in weights.items():
        print(f'"{name}" = {weight:.2f}')


def read(path: Path) -> Sequence[Marked]:
    reflector = Reflector(lexicon=resources.toml("scripted/reflection.toml"), join=kiwi().join)
    marks: dict[str, dict[str, str]] = defaultdict(dict)
    authors: dict[str, str] = {}
    with path.open(encoding="utf-8", newline="") as file:
        for author, mark, message, line in csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
            marks[message][line] = mark
            authors[message] = author
    return [
        Marked(authors[message], message, marks[message][reflection.says[0]], features)
        for message in marks
        for features, reflection in reflector.candidates(message, morphemes(message), frames=lambda _: [FRAME])
        if reflection.says[0] in marks[message]
    ]


def fit(marked: Sequence[Marked]) -> dict[str, float]:
    """Fit a logistic regression by Newton's method; `all`, its bias, is moved to where the share `SAID` is said."""
    names = sorted({name for one in marked for name in one.features})
    values = np.array([[one.features.get(name, 0.0) for name in names] for one in marked])
    good = np.array([one.mark == "good" for one in marked], dtype=float)
    counts = np.array([BAD_COUNTS if one.mark == "bad" else 1.0 for one in marked])
    weights = np.zeros(len(names))
    for _ in range(STEPS):
        chances = 1 / (1 + np.exp(-values @ weights))
        slope = values.T @ (counts * (good - chances)) - weights / RIDGE
        curve = (values.T * (counts * chances * (1 - chances))) @ values + np.eye(len(names)) / RIDGE
        weights += np.linalg.solve(curve, slope)
    learnt = dict(zip(names, weights.tolist(), strict=True))
    worths = sorted((worth(one, learnt) for one in best(marked, learnt)), reverse=True)
    learnt["all"] -= worths[int(SAID * len(worths))]
    return {**learnt, "answer": ANSWER}


def said_of_authors_unread(marked: Sequence[Marked]) -> Sequence[Marked]:
    """Return what would be said to each author, as the marks of what the others wrote have it."""
    said: list[Marked] = []
    for author in sorted({one.author for one in marked}):
        weights = fit([one for one in marked if one.author != author])
        said += chosen([one for one in marked if one.author == author], weights)
    return said


def worth(one: Marked, weights: Mapping[str, float]) -> float:
    return sum(weights.get(name, 0.0) * value for name, value in one.features.items())


def best(marked: Iterable[Marked], weights: Mapping[str, float]) -> Sequence[Marked]:
    """Return for each message what is worth most of it."""
    by_message: dict[str, list[Marked]] = defaultdict(list)
    for one in marked:
        by_message[one.message].append(one)
    return [max(ones, key=lambda one: worth(one, weights)) for ones in by_message.values()]


def chosen(marked: Sequence[Marked], weights: Mapping[str, float]) -> Sequence[Marked]:
    return [one for one in best(marked, weights) if worth(one, weights) > 0]


def told(said: Sequence[Marked]) -> str:
    share = {mark: sum(one.mark == mark for one in said) / len(said) for mark in ("good", "awkward", "bad")}
    return f"{len(said)} said, " + ", ".join(f"{mark} {part:.2f}" for mark, part in share.items())


if __name__ == "__main__":
    main()
