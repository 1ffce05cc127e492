"""That the classifier learns: from some authors' messages it reads another's, in the production code."""

from pathlib import Path

import numpy as np
import pytest

from bot.safety.classifier import LEVELS, Weights, sense
from bot.safety.normalise import readings
from training import risk


def chance(text: str, weights: Weights) -> float:
    return max(sense(reading, weights).chance for reading in readings(text))


def test_messages_of_authors_unread_are_told_apart(tmp_path: Path) -> None:
    unread = {"danger_05", "harmless_01"}
    rows = risk.read_danger(risk.DANGER)
    weights = risk.train([row for row in rows if row.source not in unread][::5])
    weights.save(tmp_path / "risk.npz")
    again = Weights.load(tmp_path / "risk.npz")
    scores = {
        is_danger: np.array(
            [chance(row.text, again) for row in rows if row.source in unread and row.is_danger is is_danger]
        )
        for is_danger in (True, False)
    }
    above = np.mean(scores[True][:, None] > scores[False][None, :])
    assert above > 0.8


def test_a_line_that_is_no_row_is_named(tmp_path: Path) -> None:
    path = tmp_path / "danger_99.tsv"
    path.write_text("passive\tburden\t나는 짐이에요\nsad\tx\t슬퍼요\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"danger_99.tsv:2"):
        risk.read_danger([path])


def test_there_are_enough_messages_by_enough_authors() -> None:
    rows = risk.read_danger(risk.DANGER)
    assert sum(row.is_danger for row in rows) >= 4_000
    assert sum(not row.is_danger for row in rows) >= 6_000
    assert len({row.source for row in rows}) >= 20
    assert {row.label for row in rows} >= set(LEVELS)
