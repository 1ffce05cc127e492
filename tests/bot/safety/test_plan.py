"""A safety plan as somebody writes it, line by line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.resources import strings
from bot.safety.plan import LETTERS_AT_MOST, LINES_AT_MOST, PARTS, SafetyPlan, shown, written

KO, EN = strings("ko")["plan"], strings("en")["plan"]


def after(*said: str) -> SafetyPlan:
    plan = SafetyPlan()
    for each in said:
        changed = written(plan, each, KO)
        assert changed is not None
        plan = changed
    return plan


def test_an_empty_plan_shows_how_to_begin_and_where_help_is() -> None:
    assert "109" in shown(SafetyPlan(), KO)
    assert KO["signs_example"] in shown(SafetyPlan(), KO)


def test_what_was_written_is_shown_under_its_part_in_the_order_of_the_plan() -> None:
    page = shown(after("사람 언니", "신호 잠을 못 잔다", "사람 상담 선생님"), KO)
    at = [page.index(each) for each in (KO["signs"], "잠을 못 잔다", KO["people"], "언니", "상담 선생님", "109", "119")]
    assert at == sorted(at)


def test_a_part_or_everything_can_be_erased() -> None:
    plan = after("사람 언니", "신호 잠을 못 잔다", "지우기 사람")
    assert plan.lines == (("signs", "잠을 못 잔다"),)
    assert written(plan, "지우기", KO) == SafetyPlan()


@pytest.mark.parametrize("said", ["언니", "신호", "지우기 언니", "모르는것 언니"])
def test_what_names_no_part_changes_nothing(said: str) -> None:
    assert written(SafetyPlan(), said, KO) is None


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("words", [KO, EN], ids=["ko", "en"])
def test_the_examples_do_what_they_show(part: str, words: dict[str, str]) -> None:
    _, _, said = words[f"{part}_example"].partition(" ")
    plan = written(SafetyPlan(), said, words)
    assert plan is not None
    assert [each for each, _ in plan.lines] == [part]


def test_a_plan_stays_small() -> None:
    plan = after(*(f"사람 {number}" for number in range(20)), "이유 " + "가" * 1_000)
    assert [line for part, line in plan.lines if part == "people"] == [str(n) for n in range(20)][-LINES_AT_MOST:]
    assert max(len(line) for _, line in plan.lines) == LETTERS_AT_MOST


@given(st.lists(st.tuples(st.sampled_from(PARTS), st.text(max_size=50)), max_size=20))
def test_a_plan_comes_back_as_it_was_kept(lines: list[tuple[str, str]]) -> None:
    plan = SafetyPlan(tuple(lines))
    assert SafetyPlan.load(plan.dump()) == plan


def test_nothing_kept_is_an_empty_plan() -> None:
    assert SafetyPlan.load(None) == SafetyPlan()
