"""The playful manners of speech, held to sentences whose restyling was written by hand before the rules ran."""

import csv
from itertools import count
from pathlib import Path

import pytest

from inference_server.korean import morphemes
from inference_server.tone import RuleTone

TONE = RuleTone()
STYLES = ("azae", "enfp", "sosim")
GOLDEN = Path(__file__).with_name("playful_golden.tsv")
NEGATIONS = {"안/MAG", "못/MAG", "않/VX", "못하/VX", "말/VX", "없/VA", "아니/VCN"}


def rows() -> list[dict[str, str]]:
    with GOLDEN.open(encoding="utf-8", newline="") as table:
        return list(csv.DictReader(table, delimiter="\t", quoting=csv.QUOTE_NONE))


SENTENCES = [row["haeyo"] for row in rows()]


def negations(text: str) -> int:
    return sum(f"{token.form}/{token.tag}" in NEGATIONS for token in morphemes(text))


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("row", rows(), ids=count(1))
def test_a_sentence_is_restyled_as_a_native_ear_expects(row: dict[str, str], style: str) -> None:
    assert TONE.restyle(row["haeyo"], style) in row[style].split(" | ")


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("sentence", SENTENCES, ids=count(1))
def test_what_was_restyled_is_not_restyled_again(sentence: str, style: str) -> None:
    once = TONE.restyle(sentence, style)

    assert TONE.restyle(once, style) == once


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("sentence", SENTENCES, ids=count(1))
def test_no_negation_is_lost_or_added(sentence: str, style: str) -> None:
    assert negations(TONE.restyle(sentence, style)) == negations(sentence)


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("number", ["109", "119", "1388", "02-735-8994"])
def test_a_sentence_with_a_helpline_number_is_never_restyled(number: str, style: str) -> None:
    sentence = f"많이 힘드셨겠어요. 지금 {number}로 전화해 주세요."

    assert TONE.restyle(sentence, style) == sentence


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize(
    "word", ["저는 사람이 아니라 AI예요.", "저는 상담사가 아니에요.", "멘토스라는 AI 프로그램이에요."]
)
def test_what_it_is_stays_said_without_a_doubt(word: str, style: str) -> None:
    assert TONE.restyle(word, style).removesuffix(".").endswith(("야", "예요", "에요"))


@pytest.mark.parametrize("style", ["azae", "enfp"])
@pytest.mark.parametrize("sentence", SENTENCES, ids=count(1))
def test_a_friend_is_not_half_polite(sentence: str, style: str) -> None:
    assert "요." not in TONE.restyle(sentence, style)


def test_tears_are_only_shed_over_what_is_sad() -> None:
    assert TONE.restyle("정말 많이 힘드셨겠어요.", "enfp") == "진짜 많이 힘들었겠다ㅠㅠ"
    assert "ㅠ" not in TONE.restyle("정말 많이 기쁘셨겠어요.", "enfp")


@pytest.mark.parametrize(
    ("sentence", "style", "restyled"),
    [
        ("아버지께서도 걱정하고 계셨을지 몰라요.", "azae", "아버지도 걱정하고 계셨을지 몰라."),
        ("아버지께서도 걱정하고 계셨을지 몰라요.", "enfp", "아버지도 걱정하구 계셨을지 몰라."),
        ("먼저 연락해 보는 건 어때요?", "sosim", "먼저 연락해 보는 건 어떨까요?"),
        ("저도요.", "sosim", "저도요."),
        ("어서 오세요.", "sosim", "어서 오세요."),
        ("안녕히 주무세요.", "sosim", "안녕히 주무세요."),
        ("오늘은 그만 쉬어요.", "sosim", "오늘은 그만 쉬셨으면 해요."),
        ("여행 이야기를 들으니 저까지 설레네요.", "azae", "여행 얘기를 들으니 나까지 설레는구만."),
        ("울고 계셨나 봐요.", "azae", "울고 있었나 보구만."),
        ("그 말을 안고 있었군요.", "enfp", "그 말을 안고 있었구나."),
        ("얼마나 힘드셨겠어요.", "enfp", "얼마나 힘들었겠어ㅠㅠ"),
    ],
)
def test_what_went_wrong_once_is_said_right(sentence: str, style: str, restyled: str) -> None:
    assert TONE.restyle(sentence, style) == restyled
