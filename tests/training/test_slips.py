import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.slips import slip

TEXT = "요즘은 아무것도 하기 싫고 그냥 누워만 있었어요. 왜 이럴까요?"


def test_no_finger_slips_where_none_may() -> None:
    assert slip(TEXT, random.Random(1), 0) == TEXT


def test_about_that_share_of_letters_slips() -> None:
    text = "가나다라마바사아자차" * 200
    slipped = slip(text, random.Random(1), 0.1)
    lost = len(text) - len(slipped)
    other = sum(letter not in "가나다라마바사아자차" for letter in slipped)
    assert 0.05 * len(text) < lost + other < 0.15 * len(text)


@given(st.text(max_size=50), st.integers())
def test_only_syllables_slip(text: str, seed: int) -> None:
    kept = "".join(letter for letter in text if not "가" <= letter <= "힣")
    slipped = slip(text, random.Random(seed), 1)
    assert "".join(letter for letter in slipped if not "가" <= letter <= "힣") == kept


@pytest.mark.parametrize(("typed", "meant"), [("잇어", "있어"), ("안은", "않은")])
def test_a_tail_of_two_keys_becomes_one(typed: str, meant: str) -> None:
    assert any(slip(meant, random.Random(seed), 0.5) == typed for seed in range(300))
