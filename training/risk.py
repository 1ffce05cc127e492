"""Train the classifier of danger on messages written for Mentos, with film reviews as text that means no harm.

    python -m training.risk --data DIR [--out FILE]
    python -m training.risk --own-only --out FILE

DIR holds `nsmc_reviews.txt.gz`, the raw reviews of github.com/e9t/nsmc (CC0), one a line. Neither KOTE nor
Chatbot_data is read: they measure false alarms (`bench/safety.py`). Six minutes on two cores.
"""

import argparse
import gzip
import hashlib
import random
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression

from bot.safety.assess import Level, told_by_signs
from bot.safety.classifier import LEVELS, Thresholds, Weights
from bot.safety.features import BITS
from training import slips
from training.letters import buckets_of, each, fit, matrix, quantised, rarity_of

DATA = Path(__file__).parent / "data"
DANGER = sorted((DATA / "danger").glob("*.tsv"))
ORDINARY = [*((path, 1) for path in sorted(DATA.glob("emotion_messages*.tsv"))), (DATA / "reflections.tsv", 2)]
SHIPPED = Path(__file__).parents[1] / "bot" / "safety" / "weights" / "risk.npz"
NSMC_SHA256 = "baa6c334b416e06dd516abaa8c7b4433b6d41ffc32b13cea4ec797471b5aaeff"
REVIEWS, HARDEST, SEED = 100_000, 40_000, 20261128
"""How many reviews are learnt first, and how many of the others that were then taken for danger the likeliest."""
REVIEW_COUNTS, DANGER_COUNTS = 0.5, 3.0
"""What a review and a message of danger weigh beside a harmless message."""
C, STEPS, LEVEL_BITS = 15.0, 100, 18
THRESHOLDS = Thresholds(figure=0.002, doubted=0.05, hint=0.35, asked=0.5, planned=0.65, helped=0.985)
SLIPS, SLIP, SLIPPED_COUNTS = 2, 0.1, 0.3
"""How often each of our messages is learnt with slips of the fingers besides, the share of letters that slip, and what
such a copy weighs beside the message."""


@dataclass(frozen=True, slots=True)
class Row:
    """A message, its label, the file that it came from, and what it weighs."""

    label: str
    text: str
    source: str
    weight: float = 1.0

    @property
    def is_danger(self) -> bool:
        return self.label in LEVELS


def main() -> None:
    parser = argparse.ArgumentParser(description="Train the classifier of danger.")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--data", type=Path, help="the folder that holds nsmc_reviews.txt.gz")
    source.add_argument("--own-only", action="store_true", help="learn from the messages in training/data alone")
    parser.add_argument("--out", type=Path, default=SHIPPED, help="where the weights go (default: %(default)s)")
    chosen = parser.parse_args()
    reviews = [] if chosen.own_only else read_reviews(chosen.data / "nsmc_reviews.txt.gz")
    ours = [*read_danger(DANGER), *read_ordinary(ORDINARY)]
    print(f"{len(ours)} messages of ours, {sum(row.is_danger for row in ours)} of danger", flush=True)
    train([*ours, *slipped(ours), *reviews[:REVIEWS]], reviews[REVIEWS:]).save(chosen.out)
    digest = hashlib.sha256(chosen.out.read_bytes()).hexdigest()
    print(f"{chosen.out}: {chosen.out.stat().st_size / 1e6:.2f} MB, sha256 {digest}")


def read_danger(paths: Sequence[Path]) -> list[Row]:
    """Read `label TAB phenomenon TAB message` files, each by one author."""
    rows = []
    for path in paths:
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            label, _, text = (*line.split("\t"), "", "")[:3]
            if label not in {*LEVELS, "none", "none_soft"} or not text:
                raise ValueError(f"{path}:{number}: want a level, a phenomenon and a message between tabs")
            rows.append(Row(label, text, path.stem, DANGER_COUNTS if label in LEVELS else 1.0))
    return rows


def read_ordinary(paths: Sequence[tuple[Path, int]]) -> list[Row]:
    """Read what other parts learn from, by file and column, without what the signs take for danger."""
    texts = [line.split("\t")[column] for path, column in paths for line in path.read_text("utf-8").splitlines()]
    return [Row("none", text, "ordinary") for text in sorted(set(texts)) if _is_harmless(text)]


def read_reviews(path: Path) -> list[Row]:
    """Read the film reviews in any order; whoever writes of wanting to die there may mean it, and is left out."""
    found = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "no file"
    if found != NSMC_SHA256:
        sys.exit(
            f"{path} must be the raw reviews of github.com/e9t/nsmc of SHA-256 {NSMC_SHA256}, but there is {found}"
        )
    with gzip.open(path, "rt", encoding="utf-8") as file:
        lines = [text for text in dict.fromkeys(line.strip() for line in file) if text]
    random.Random(SEED).shuffle(lines)  # noqa: S311 - the same every time
    return [
        Row("none", text, "review", REVIEW_COUNTS)
        for text, is_harmless in zip(lines, each(_is_harmless, lines), strict=True)
        if is_harmless
    ]


def slipped(rows: Sequence[Row]) -> list[Row]:
    """Return the rows as people with hasty fingers would have typed them."""
    dice = random.Random(SEED)  # noqa: S311 - the same every time
    return [
        replace(row, text=slips.slip(row.text, dice, SLIP), weight=row.weight * SLIPPED_COUNTS)
        for row in rows
        for _ in range(SLIPS)
    ]


def train(rows: Sequence[Row], harmless: Sequence[Row] = ()) -> Weights:
    """Fit danger against none over all rows, and the levels over those of danger.

    Of further harmless rows those that are taken for danger the likeliest are learnt in a second round.
    """
    seen = each(buckets_of, [row.text for row in rows])
    further = each(buckets_of, [row.text for row in harmless])
    danger, rarity = _danger(rows, seen)
    if further:
        print("a first round is learnt", flush=True)
        hardest = np.argsort(-danger.decision_function(matrix(further, rarity)), kind="stable")[:HARDEST]
        rows, seen = [*rows, *(harmless[at] for at in hardest)], [*seen, *(further[at] for at in hardest)]
        danger, rarity = _danger(rows, seen)

    told = [at for at, row in enumerate(rows) if row.is_danger]
    by_bucket, danger_scale = quantised(danger.coef_[0] * rarity)
    return Weights(
        danger=by_bucket,
        danger_scale=danger_scale,
        bias=float(danger.intercept_[0]),
        levels=fit(LEVELS, [rows[at].label for at in told], [seen[at] for at in told], bits=LEVEL_BITS),
        thresholds=THRESHOLDS,
    )


def _danger(
    rows: Sequence[Row], seen: Sequence[npt.NDArray[np.int64]]
) -> tuple[LogisticRegression, npt.NDArray[np.float64]]:
    rarity = rarity_of(seen, BITS)
    weights, is_danger = np.array([row.weight for row in rows]), np.array([row.is_danger for row in rows])
    fitted = LogisticRegression(C=C, max_iter=STEPS).fit(matrix(seen, rarity), is_danger, sample_weight=weights)
    return fitted, rarity


def _is_harmless(text: str) -> bool:
    return told_by_signs(text).level is Level.NONE


if __name__ == "__main__":
    main()
