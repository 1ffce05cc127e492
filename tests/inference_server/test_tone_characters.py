"""The characters' manners of speech, held to sentences whose restyling was written by hand before the rules ran."""

import csv
import re
from itertools import count
from pathlib import Path

import pytest

from inference_server.korean import morphemes
from inference_server.tone import RuleTone
from inference_server.tone_rules import Style

TONE = RuleTone()
STYLES = ("naruto", "halbae", "android", "expert")
GOLDEN = Path(__file__).with_name("tone_characters.tsv")
NEGATIONS = {"안/MAG", "못/MAG", "않/VX", "못하/VX", "말/VX", "없/VA", "아니/VCN"}
LIMITS = {"밖에/JX", "도/JX", "만/JX", "까지/JX", "조차/JX"}


def rows() -> list[dict[str, str]]:
    with GOLDEN.open(encoding="utf-8", newline="") as table:
        return list(csv.DictReader(table, delimiter="\t", quoting=csv.QUOTE_NONE))


SENTENCES = sorted({row["source"] for row in rows()})


def said(text: str, morpheme: set[str]) -> list[str]:
    """Return which of these morphemes a text has, in order."""
    return [form for token in morphemes(text) if (form := f"{token.form}/{token.tag}") in morpheme]


@pytest.mark.parametrize("row", rows(), ids=count(1))
def test_a_character_speaks_as_a_native_ear_expects(row: dict[str, str]) -> None:
    assert TONE.restyle(row["source"], row["style"]) in row["expected"].split(" | ")


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("sentence", SENTENCES, ids=count(1))
def test_what_a_character_said_is_not_restyled_again(sentence: str, style: str) -> None:
    once = TONE.restyle(sentence, style)

    assert TONE.restyle(once, style) == once


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("sentence", [s for s in SENTENCES if not re.search("잖아|같죠|밖에요", s)], ids=count(1))
def test_no_character_drops_a_denial_or_a_limit(sentence: str, style: str) -> None:
    restyled = TONE.restyle(sentence, style)

    assert len(said(restyled, NEGATIONS)) == len(said(sentence, NEGATIONS))
    assert said(restyled, LIMITS) == said(sentence, LIMITS)


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("number", ["109", "112", "119", "1388", "1577-0199", "02-735-8994"])
def test_no_character_says_a_helpline_number_its_own_way(number: str, style: str) -> None:
    sentence = f"지금 많이 위험하시면 {number}로 전화해 주세요. 혼자가 아니에요."

    assert TONE.restyle(sentence, style) == sentence


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize(
    "shielded",
    ["“괜찮아요”", "(괜찮아요)", "https://a.kr/b?c=1", "1. ", "- ", "3/5", "😊", "👩‍👩‍👧", "ㅠㅠ", "^^"],
)
@pytest.mark.parametrize("sentence", SENTENCES[::3], ids=count(1))
def test_quotes_numbers_marks_and_emoji_come_through(sentence: str, shielded: str, style: str) -> None:
    restyled = TONE.restyle(f"{shielded} {sentence} {shielded}", style)

    assert re.findall(re.escape(shielded), restyled) == [shielded, shielded]


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("sentence", ["어서 들어오시게나.", "그리하겠나이다, 저는.", "제가 할랑가 몰라유."])
def test_a_character_leaves_an_ending_outside_the_table_untouched(sentence: str, style: str) -> None:
    assert TONE.restyle(sentence, style) == sentence


@pytest.mark.parametrize("style", ["halbae", "android"])
def test_a_character_without_words_for_both_leaves_what_may_ask_or_tell(style: str) -> None:
    assert TONE.restyle("그 친구는 잘 지내세요.", style) == "그 친구는 잘 지내세요."


def test_a_style_takes_over_its_base_and_says_its_own_first(tmp_path: Path) -> None:
    (tmp_path / "plain.toml").write_text(
        'honorific = false\n[swaps]\n"저/NP" = "나/NP"\n"예/IC" = "응/IC"\n[endings]\ntell = "어/EF"\nask = "어/EF"\n',
        encoding="utf-8",
    )
    (tmp_path / "old.toml").write_text(
        'based_on = "plain"\n'
        '[swaps]\n"저/NP >NNG" = "이/MM 몸/NNG"\n"예/IC" = ""\n'
        '[endings]\ntell = "네/EF"\nask = ""\n',
        encoding="utf-8",
    )

    old = Style.load(tmp_path / "old.toml")

    assert not old.honorific
    assert old.endings == {"tell": "네/EF"}
    assert [swap.written[-1].form for swap in old.swaps["저/NP"]] == ["몸", "나"]
    assert "예/IC" not in old.swaps
