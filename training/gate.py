"""Train the classifier of sentences that must never be said, on sentences written for Mentos.

    python -m training.gate [--out FILE]

What the scripted counsellor says is learnt as fine besides. Half a minute on one core.
"""

import argparse
import hashlib
import re
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot.resources import toml
from bot.safety.gate import FINE, Fault
from bot.safety.linear import Linear
from bot.safety.replies import numbers
from training.letters import buckets_of, fit

DATA = sorted((Path(__file__).parent / "data" / "gate").glob("*.tsv"))
SCRIPT = sorted(
    path
    for folder in ("scripted", "skills")
    for path in (Path(__file__).parents[1] / "bot" / "resources" / folder).rglob("*.toml")
)
SHIPPED = Path(__file__).parents[1] / "bot" / "safety" / "weights" / "gate.npz"
NAMES = (FINE, *(fault for fault in Fault if fault is not Fault.NUMBER))
BITS, COST, STEPS = 18, 100.0, 200


@dataclass(frozen=True, slots=True)
class Row:
    """A sentence, the fault that it has or `fine`, and the file that it came from."""

    label: str
    text: str
    source: str


def main() -> None:
    parser = argparse.ArgumentParser(description="Train the classifier of sentences that must never be said.")
    parser.add_argument("--out", type=Path, default=SHIPPED, help="where the weights go (default: %(default)s)")
    chosen = parser.parse_args()
    rows = read(DATA)
    print(f"{len(rows)} sentences, {sum(row.label == FINE for row in rows)} of them fine, and what the script says")
    train([*rows, *scripted()]).save(chosen.out)
    print(f"{chosen.out}: sha256 {hashlib.sha256(chosen.out.read_bytes()).hexdigest()}")


def read(paths: Sequence[Path]) -> list[Row]:
    """Read `label TAB sentence` files, each by one author."""
    rows = []
    for path in paths:
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            label, _, text = line.partition("\t")
            if label not in NAMES or not text:
                raise ValueError(f"{path}:{number}: want {', '.join(NAMES)} and a sentence, with a tab between")
            rows.append(Row(label, text, path.stem))
    return rows


def scripted() -> list[Row]:
    """Return the sentences that Mentos has ready: the script's, and those that stand in for others."""
    told = [tomllib.loads(path.read_text("utf-8")) for path in SCRIPT]
    stand_ins = [line.format(**numbers()) for line in toml("crisis.toml")["ko"]["gate"].values()]
    found = sorted({*filter(_is_sentence, _strings(told)), *stand_ins})
    return [Row(FINE, text, "script") for text in found]


def train(rows: Sequence[Row]) -> Linear:
    return fit(
        NAMES, [row.label for row in rows], [buckets_of(row.text) for row in rows], bits=BITS, cost=COST, steps=STEPS
    )


def _strings(value: Any) -> Iterator[str]:  # noqa: ANN401 - whatever TOML holds
    match value:
        case str():
            yield value
        case dict():
            yield from _strings(list(value.values()))
        case list():
            for each in value:
                yield from _strings(each)


def _is_sentence(text: str) -> bool:
    return bool(re.search("[가-힣] [가-힣].*[.?!]$", text))


if __name__ == "__main__":
    main()
