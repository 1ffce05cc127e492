"""That the gate learns: from some authors' sentences it knows another's, and lets the script speak."""

from pathlib import Path

import numpy as np
import pytest

from bot.safety.gate import FINE, FINE_FROM, fault_of
from bot.safety.normalise import readings
from training import gate


def test_sentences_of_an_author_unread_are_told_apart() -> None:
    rows = gate.read(gate.DATA)
    unread = rows[0].source
    learnt = gate.train([row for row in rows if row.source != unread])
    is_shown = {
        is_fine: np.mean(
            [
                learnt.read(next(iter(readings(row.text))))[FINE] >= FINE_FROM
                for row in rows
                if row.source == unread and (row.label == FINE) is is_fine
            ]
        )
        for is_fine in (True, False)
    }
    assert is_shown[True] > 0.85
    assert is_shown[False] < 0.4


def test_whatever_the_script_says_is_shown() -> None:
    assert [row.text for row in gate.scripted() if fault_of(row.text)] == []


def test_a_line_that_is_no_row_is_named(tmp_path: Path) -> None:
    path = tmp_path / "author_99.tsv"
    path.write_text("promise\t꼭 나아질 거예요.\nrude\t싫어요.\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"author_99.tsv:2"):
        gate.read([path])


def test_there_are_sentences_of_every_fault() -> None:
    assert {row.label for row in gate.read(gate.DATA)} == set(gate.NAMES)
