"""The rules of tone, held to sentences whose restyling was written by hand before the rules ran."""

import csv
import re
from itertools import count
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference_server.korean import morphemes
from inference_server.tone import RuleTone

TONE = RuleTone()
STYLES = ("banmal", "munche", "seonbi")
GOLDEN = Path(__file__).with_name("tone_golden.tsv")
NEGATIONS = {"안/MAG", "못/MAG", "않/VX", "못하/VX", "말/VX", "없/VA", "아니/VCN"}
IMPLIES_NEGATION = re.compile("잖아|아니요|죠\\?|같죠|밖에요")


def rows() -> list[dict[str, str]]:
    with GOLDEN.open(encoding="utf-8", newline="") as table:
        return list(csv.DictReader(table, delimiter="\t", quoting=csv.QUOTE_NONE))


SENTENCES = [row["haeyo"] for row in rows()]


def negations(text: str) -> int:
    return sum(f"{token.form}/{token.tag}" in NEGATIONS for token in morphemes(text))


def beside_words(text: str) -> str:
    return re.sub(r"[가-힣\s]", "", text)


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("row", rows(), ids=count(1))
def test_a_sentence_is_restyled_as_a_native_ear_expects(row: dict[str, str], style: str) -> None:
    assert TONE.restyle(row["haeyo"], style) in row[style].split(" | ")


@pytest.mark.parametrize("sentence", SENTENCES, ids=count(1))
def test_haeyo_is_left_as_it_is(sentence: str) -> None:
    assert TONE.restyle(sentence, "haeyo") == sentence


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("sentence", SENTENCES, ids=count(1))
def test_what_was_restyled_is_not_restyled_again(sentence: str, style: str) -> None:
    once = TONE.restyle(sentence, style)

    assert TONE.restyle(once, style) == once


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("sentence", [s for s in SENTENCES if not IMPLIES_NEGATION.search(s)], ids=count(1))
def test_no_negation_is_lost_or_added(sentence: str, style: str) -> None:
    assert negations(TONE.restyle(sentence, style)) == negations(sentence)


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("number", ["109", "119", "112", "1366", "1388", "1577-0199", "02-735-8994"])
def test_a_sentence_with_a_helpline_number_is_never_restyled(number: str, style: str) -> None:
    sentence = f"지금 많이 위험하시면 {number}로 전화해 주세요. 혼자가 아니에요."

    assert TONE.restyle(sentence, style) == sentence


@pytest.mark.parametrize("quoted", ['"괜찮아요"', "'괜찮아요'", "“괜찮아요”", "「괜찮아요」", "(괜찮아요)"])
def test_what_stands_in_quotes_keeps_its_own_tone(quoted: str) -> None:
    assert TONE.restyle(f"{quoted} 하고 말해 보세요.", "seonbi") == f"{quoted} 하고 말해 보시오."


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("sentence", ["어서 들어오시게나.", "그리하겠나이다, 저는.", "제가 할랑가 몰라유."])
def test_an_ending_outside_the_table_leaves_the_sentence_untouched(sentence: str, style: str) -> None:
    assert TONE.restyle(sentence, style) == sentence


def test_untouched_words_keep_their_spacing_and_spelling() -> None:
    sentence = "음…  그니까  그 얘긴 담에 해도 괜찮아요 :)  ㅎㅎ"

    assert TONE.restyle(sentence, "banmal") == sentence.replace("괜찮아요", "괜찮아")


@pytest.mark.parametrize(
    "said", ["드셨어요?", "드세요?", "드시나요?", "드실 수 있어요.", "드시는군요.", "드셨을 텐데요."]
)
@pytest.mark.parametrize(
    "felt", ["그런 생각이 ", "외로운 마음이 자꾸 ", "죄책감까지 ", "나이가 ", "이 방법이 마음에 ", "그래서 힘"]
)
def test_what_arises_in_a_mind_is_not_eaten(felt: str, said: str) -> None:
    restyled = TONE.restyle(felt + said, "banmal")

    assert restyled != felt + said
    assert not re.search("먹|마[시셔셨실]", restyled)


@pytest.mark.parametrize(
    "said", ["드셨어요?", "드세요?", "드시나요?", "드실 수 있어요.", "드시는군요.", "드셨을 텐데요."]
)
@pytest.mark.parametrize(
    ("taken", "verb"), [("밥은 잘 ", "먹"), ("약을 ", "먹"), ("물 한 잔 ", "마"), ("술을 자주 ", "마")]
)
def test_what_is_eaten_or_drunk_is(taken: str, verb: str, said: str) -> None:
    assert TONE.restyle(taken + said, "banmal").startswith(taken + verb)


def test_the_honour_due_to_a_parent_stays_when_the_listener_is_spoken_to_as_a_friend() -> None:
    restyled = TONE.restyle("할머니께서 편찮으셔서 마음이 무거우시겠어요.", "banmal")

    assert restyled == "할머니가 편찮으셔서 마음이 무겁겠어."


@pytest.mark.parametrize("style", ["munche", "seonbi"])
@pytest.mark.parametrize("sentence", ["그 사람도 힘들까요?", "다른 이유가 있을까요?", "그게 정말 사실일까요?"])
def test_an_honest_question_is_not_made_to_expect_a_no(sentence: str, style: str) -> None:
    assert "겠" not in TONE.restyle(sentence, style)


@pytest.mark.parametrize(
    ("sentence", "style", "restyled"),
    [
        (
            "습관은 하루아침에 안 없어지잖아요, 그렇죠?",
            "munche",
            "습관은 하루아침에 안 없어지지 않습니까, 그렇지 않습니까?",
        ),
        ("함부로 말하지는 않을게요.", "seonbi", "함부로 말하지는 않겠소."),
        ("그런 건 아닐까요?", "munche", "그런 것은 아닙니까?"),
        ("말하지 말라고 해요.", "munche", "말하지 말라고 합니다."),
    ],
)
def test_what_is_denied_stays_denied(sentence: str, style: str, restyled: str) -> None:
    assert TONE.restyle(sentence, style) == restyled


@pytest.mark.parametrize(
    ("sentence", "style", "restyled"),
    [
        ("잘하고 계세요.", "munche", "잘하고 계십니다."),
        ("편히 계세요.", "munche", "편히 계십시오."),
        ("그렇게 말하는 분들도 계세요.", "munche", "그렇게 말하는 분들도 계십니다."),
        ("행복하세요.", "munche", "행복하십시오."),
        ("정말 대단하세요.", "munche", "정말 대단하십니다."),
        ("그 친구는 잘 지내세요.", "munche", "그 친구는 잘 지내세요."),
        ("그 마음을 조심스럽게 여쭤봐요.", "munche", "그 마음을 조심스럽게 여쭤봅니다."),
        ("비가 오려나 봐요.", "munche", "비가 오려나 봅니다."),
        ("곧 오겠네요.", "munche", "곧 올 것 같습니다."),
        ("몸은 좀 어떠세요?", "munche", "몸은 좀 어떠십니까?"),
        ("물 좀 주세요.", "munche", "물 좀 주십시오."),
        ("이제 좀 더 쉬세요.", "munche", "이제 조금 더 쉬십시오."),
        ("요즘 들어 더 그러세요?", "banmal", "요즘 들어 더 그래?"),
        ("그 시간은 얼마쯤일까요?", "seonbi", "그 시간은 얼마쯤이오?"),
        ("방법을 알려 드려요.", "banmal", "방법을 알려 줄게."),
        ("어떻게 지내세요, 아니면 아직 힘드세요?", "munche", "어떻게 지내십니까, 아니면 아직 힘드십니까?"),
    ],
)
def test_a_request_a_statement_and_a_guess_are_told_apart(sentence: str, style: str, restyled: str) -> None:
    assert TONE.restyle(sentence, style) == restyled


@pytest.mark.parametrize(
    ("style", "restyled"),
    [
        ("banmal", "나는 네가 오늘만큼은 실컷 울었으면 좋겠어."),
        ("halbae", "나는 자네가 오늘만큼은 실컷 울었으면 좋겠네."),
    ],
)
def test_a_wish_for_the_listener_does_not_become_a_wish_for_myself(style: str, restyled: str) -> None:
    assert TONE.restyle("저는 오늘만큼은 실컷 우셨으면 좋겠어요.", style) == restyled


def test_an_unknown_style_is_answered_with_those_there_are() -> None:
    with pytest.raises(ValueError, match=r"no style 'pirate'; have .*'banmal'"):
        TONE.restyle("괜찮아요.", "pirate")


@pytest.mark.parametrize("style", STYLES)
def test_a_very_long_text_is_left_as_it_is(style: str) -> None:
    text = "괜찮아요. " * 200

    assert TONE.restyle(text, style) == text


KOREAN = st.text(
    st.sampled_from("가나다요어세습니까?!.,…~ㅋㅠ힘들시었겠죠네군고싶않안못말주세게요 \n\"'()1٣😊👩‍👩‍👧ᆫᆯabz"),
    max_size=60,
)
PASTED = st.lists(st.sampled_from([word for sentence in SENTENCES for word in sentence.split()]), max_size=25).map(
    " ".join
)


@settings(max_examples=300, deadline=None)
@given(text=st.one_of(st.text(max_size=120), KOREAN, PASTED), style=st.sampled_from(STYLES))
def test_no_text_makes_it_stumble(text: str, style: str) -> None:
    assert isinstance(TONE.restyle(text, style), str)


@settings(max_examples=200, deadline=None)
@given(
    sentence=st.sampled_from(SENTENCES),
    before=st.sampled_from(["", "😊 ", "- ", "2. ", "(웃음) ", "https://a.kr/b?c=1 ", "OK, "]),
    after=st.sampled_from(["", " 🌙", "ㅠㅠ", " ^^", "~!", "\n", " (3/5)", "👩‍👩‍👧"]),
    style=st.sampled_from(STYLES),
)
def test_numbers_marks_and_emoji_come_through_unchanged(sentence: str, before: str, after: str, style: str) -> None:
    text = f"{before}{sentence}{after}"

    said = TONE.restyle(text, style)

    assert re.sub("[?!]", ".", beside_words(said)) == re.sub(
        "[?!]", ".", beside_words(text)
    )  # endings may bring their own
