"""What the classifier reads: all of a text, whatever stands between its letters."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.safety import classifier
from bot.safety.assess import assess, told_by_signs
from bot.safety.classifier import LEVELS, STRIDE, WINDOW, sense, shipped
from bot.safety.features import JAMO, SYLLABLES, hashed, jamo_before, said
from bot.safety.normalise import readings

TOLD = "내일 아침이 안 왔으면 하는 마음으로 누워요. 식구들은 나 없는 편이 나을 거예요"
ORDINARY = "오늘은 점심에 된장찌개를 먹고 공원을 한 바퀴 걸었어요. "


def chance(text: str) -> float:
    return max(sense(reading, shipped()).chance for reading in readings(text))


def test_the_shipped_weights_are_small() -> None:
    assert (Path(classifier.__file__).parent / "weights" / "risk.npz").stat().st_size <= 8_000_000


def test_danger_is_likelier_than_an_ordinary_day() -> None:
    assert chance(TOLD) > 0.8
    assert chance(ORDINARY) < 0.1


@pytest.mark.parametrize("before", [0, 1, STRIDE - 1, WINDOW, 1_000, 20_000])
def test_danger_is_found_wherever_in_a_long_text_it_stands(before: int) -> None:
    around = (ORDINARY * (before // len(ORDINARY) + 1))[:before]
    assert chance(f"{around}{TOLD}{ORDINARY * 40}") > 0.5


@pytest.mark.parametrize(
    "otherwise",
    [
        TOLD.replace(" ", ""),
        TOLD.replace(" ", "... "),
        TOLD.replace(" ", "   "),
        f"{TOLD} ㅋㅋㅋㅋ",
        f"ㅠㅠ {TOLD} ㅠㅠㅠㅠ",
        "\u200b".join(TOLD),
    ],
)
def test_blanks_marks_laughter_and_tears_change_nothing(otherwise: str) -> None:
    assert chance(otherwise) == pytest.approx(chance(TOLD), abs=1e-6)


@pytest.mark.parametrize("text", ["", " ", "가", "ㅋㅋㅋ", "1234", "?"])
def test_hardly_anything_is_no_danger(text: str) -> None:
    assert chance(text) < 0.3


@given(st.text(max_size=300))
def test_every_text_has_a_chance_and_levels_that_add_up(text: str) -> None:
    for reading in readings(text):
        felt = sense(reading, shipped())
        assert 0 <= felt.chance <= 1
        assert sum(felt.levels) == pytest.approx(1)
        assert felt.level in LEVELS


@given(st.text(alphabet="가각뷁힣abㄱㅏ", max_size=50))
def test_jamo_are_counted_as_they_are_decomposed(text: str) -> None:
    rows = hashed(text)
    assert len(rows) == len(SYLLABLES) + len(JAMO)
    assert [len(row) for row in rows[: len(SYLLABLES)]] == [max(len(text) - n + 1, 0) for n in SYLLABLES]
    assert len(rows[-1]) == max(jamo_before(text)[-1] - JAMO[-1] + 1, 0)


@settings(deadline=None, max_examples=200)
@given(st.text(max_size=60), st.text(max_size=60))
def test_it_only_raises_what_the_wordings_say(before: str, after: str) -> None:
    text = f"{before} 자살 충동이 들어요 {after}"
    assert assess(text).tier >= told_by_signs(text).tier


def test_what_is_said_has_neither_blanks_nor_breaks() -> None:
    assert said("나 는|이제? 12 ㅋㅋ 간다ㅠㅠ") == "나는이제간다"
