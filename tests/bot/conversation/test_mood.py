"""Moods, in blocks and in words."""

import re
import subprocess
import sys
from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.conversation.model import CounselId, EmotionLabel, Moment
from bot.conversation.mood import BLOCKS, HEAVY, LIGHT, WIDTH, described, emotion_called, flow, side, sparkline, valence
from bot.resources import strings
from tests.fakes import START

HAPPY, GRATEFUL, CALM, PENSIVE = (
    EmotionLabel.HAPPY,
    EmotionLabel.GRATEFUL,
    EmotionLabel.EVERYDAY,
    EmotionLabel.PENSIVE,
)
SAD, WEARY, ANXIOUS = EmotionLabel.SAD, EmotionLabel.WEARY, EmotionLabel.ANXIOUS

WORDS = {
    "too_few": "too few.",
    "rising": "from {first} up.",
    "falling": "from {first} to {last}.",
    "mixed": "up and down.",
    "level_light": "light: {most}.",
    "level_plain": "plain: {most}.",
    "level_heavy": "heavy: {most}.",
    "guess": "A guess.",
    "described": "{count}, {first} to {last}, mostly {most}",
    "described_none": "nothing",
    **{label.name.lower(): label.name for label in EmotionLabel},
    **{f"{label.name.lower()}_felt": label.name for label in EmotionLabel},
}

LANGUAGES = pytest.mark.parametrize("language", ["ko", "en"])
histories = st.lists(st.sampled_from(EmotionLabel), max_size=300)


def moments(*emotions: EmotionLabel) -> list[Moment]:
    return [Moment(START + timedelta(minutes=i), emotion, CounselId(1)) for i, emotion in enumerate(emotions)]


def test_pleasant_feelings_lie_above_an_ordinary_day_and_heavy_ones_below() -> None:
    signs = {label: (valence(label) > 0) - (valence(label) < 0) for label in EmotionLabel}

    assert {label for label in EmotionLabel if signs[label] > 0} == {
        EmotionLabel.HAPPY,
        EmotionLabel.GRATEFUL,
        EmotionLabel.EXPECTANT,
        EmotionLabel.LOVING,
        EmotionLabel.JOYFUL,
    }
    assert valence(CALM) == 0
    assert all(-1 <= valence(label) <= 1 for label in EmotionLabel)


def test_a_full_mind_is_a_little_below_an_ordinary_day_and_above_every_heavy_feeling() -> None:
    heavy = [label for label in EmotionLabel if side(label) == HEAVY]

    assert set(heavy) == {SAD, WEARY, EmotionLabel.ANNOYED, ANXIOUS}
    assert max(map(valence, heavy)) < valence(PENSIVE) < valence(CALM)


def test_no_two_emotions_share_a_row_of_a_picture() -> None:
    rows = sorted(map(valence, EmotionLabel))

    assert min(upper - lower for lower, upper in pairwise(rows)) > 0.1


def test_a_line_has_a_block_a_moment_the_newest_rightmost() -> None:
    assert sparkline(moments(SAD, CALM, HAPPY)) == "▁▅█"
    assert sparkline([]) == ""


def test_a_long_history_is_pooled_evenly() -> None:
    line = sparkline(moments(*[SAD] * 100, *[HAPPY] * 100))

    assert line == "▁" * (WIDTH // 2) + "█" * (WIDTH // 2)


@pytest.mark.parametrize(
    ("emotions", "said"),
    [
        ([ANXIOUS, CALM], "from ANXIOUS up."),
        ([ANXIOUS, ANXIOUS, SAD, PENSIVE, CALM, GRATEFUL], "from ANXIOUS up."),
        ([HAPPY, HAPPY, WEARY, ANXIOUS, HAPPY, HAPPY, HAPPY, HAPPY], "from WEARY up."),
        ([HAPPY, SAD], "from HAPPY to SAD."),
        ([HAPPY, GRATEFUL, GRATEFUL, HAPPY, ANXIOUS, ANXIOUS], "from GRATEFUL to ANXIOUS."),
        ([HAPPY, HAPPY, CALM, CALM], "from HAPPY to EVERYDAY."),
        ([HAPPY, SAD] * 6, "up and down."),
        ([SAD, HAPPY, SAD], "up and down."),
        ([*[HAPPY] * 6, SAD] * 2, "light: HAPPY."),
        ([HAPPY, GRATEFUL, GRATEFUL, HAPPY, GRATEFUL], "light: GRATEFUL."),
        ([CALM, PENSIVE, CALM, CALM], "plain: EVERYDAY."),
        ([SAD, ANXIOUS, ANXIOUS, ANXIOUS, WEARY, ANXIOUS], "heavy: ANXIOUS."),
    ],
)
def test_the_course_of_a_talk_is_told_as_a_guess(emotions: list[EmotionLabel], said: str) -> None:
    assert flow(moments(*emotions), words=WORDS) == f"{said} A guess."


@pytest.mark.parametrize("emotions", [[SAD, WEARY], [ANXIOUS, SAD, WEARY, WEARY], [SAD, SAD, ANXIOUS, ANXIOUS]])
def test_another_heavy_feeling_is_no_step_up_or_down(emotions: list[EmotionLabel]) -> None:
    assert flow(moments(*emotions), words=WORDS).startswith("heavy")


@pytest.mark.parametrize("emotions", [[], [SAD], [HAPPY]])
def test_fewer_than_two_moments_are_no_course_but_earn_a_kind_sentence(emotions: list[EmotionLabel]) -> None:
    assert flow(moments(*emotions), words=WORDS) == "too few."


def test_what_was_felt_is_named_from_the_side_that_the_sentence_is_about() -> None:
    early = [HAPPY, HAPPY, HAPPY, SAD, SAD, ANXIOUS, WEARY]

    assert flow(moments(*early, *[HAPPY] * 7), words=WORDS) == "from SAD up. A guess."


def test_a_picture_is_described_in_one_sentence() -> None:
    assert described(moments(SAD, CALM, CALM, HAPPY), WORDS) == "4, SAD to HAPPY, mostly EVERYDAY"
    assert described([], WORDS) == "nothing"


@given(histories)
def test_any_history_has_a_bounded_line_and_kind_words(emotions: list[EmotionLabel]) -> None:
    history = moments(*emotions)

    assert len(sparkline(history)) == min(len(history), WIDTH)
    assert set(sparkline(history)) <= set(BLOCKS)
    assert flow(history, words=WORDS).endswith(".")
    assert described(history, WORDS)


@given(histories)
def test_said_lighter_only_of_what_ended_lighter(emotions: list[EmotionLabel]) -> None:
    half = len(emotions) // 2
    said = flow(moments(*emotions), words=WORDS)

    if said.endswith("up. A guess."):
        assert sum(map(side, emotions[-half:])) > sum(map(side, emotions[:half]))
    if all(side(emotion) == LIGHT for emotion in emotions) and half:
        assert said.startswith("light")


@LANGUAGES
@given(emotions=histories)
def test_the_words_are_two_or_three_sentences_without_a_number_or_a_verdict(
    language: str, emotions: list[EmotionLabel]
) -> None:
    said = flow(moments(*emotions), words=strings(language)["mood"])

    assert 2 <= len(re.findall(r"[.?!](?: |$)", said)) <= 3
    assert not re.search(r"[\d{}%]|점수|진단|우울증|장애|증상|정상|score|diagnos|disorder|symptom|healthy", said)


@LANGUAGES
def test_every_word_of_a_mood_has_its_key(language: str) -> None:
    words = strings(language)["mood"]

    assert {*WORDS, *(f"{label.name.lower()}_also" for label in EmotionLabel)} <= set(words)
    assert len({words[label.name.lower()] for label in EmotionLabel}) == len(EmotionLabel)


@LANGUAGES
def test_every_name_of_an_emotion_is_the_name_of_no_other(language: str) -> None:
    words = strings(language)["mood"]

    for label in EmotionLabel:
        key = label.name.lower()
        for name in (words[key], *words[f"{key}_also"].split(","), label.value):
            assert emotion_called(name, words) is label, name


@pytest.mark.parametrize(
    ("said", "label"),
    [
        ("걱정", ANXIOUS),
        (" '슬픔' ", SAD),
        ("슬퍼요.", SAD),
        ("평온한하루", CALM),
        ("생각이  많음", PENSIVE),
        ("SADNESS", SAD),
        ("지쳤어요", WEARY),
        ("배고픔", None),
        ("", None),
        ("요", None),
        ("슬프지 않아요", None),
    ],
)
def test_an_emotion_is_found_by_what_people_call_it(said: str, label: EmotionLabel | None) -> None:
    assert emotion_called(said, strings("ko")["mood"]) is label


def test_moods_in_words_need_no_drawing_library() -> None:
    code = "import sys, bot.conversation.mood; print([m for m in sys.modules if m in ('matplotlib', 'numpy')])"

    assert subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout == "[]\n"
