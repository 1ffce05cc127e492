import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import bot.resources
from bot.resources import strings, toml
from bot.safety.assess import Level, Risk, Route, assess
from bot.safety.replies import (
    answer,
    in_language,
    is_crisis,
    language_of,
    line,
    numbers,
    situations,
    unable,
    words,
)

SUICIDE, RESCUE, POLICE, WOMEN = "109", "119", "112", "1366"
RISKS = [
    Risk(Level.PASSIVE, 1),
    Risk(Level.PASSIVE, 1, Route.JAILBREAK),
    Risk(Level.ACTIVE, 1),
    Risk(Level.PLAN, 1),
    Risk(Level.PLAN, 2),
    Risk(Level.THIRD_PARTY, 1),
    Risk(Level.ABUSE, 1),
    Risk(Level.PASSIVE, 2),
    Risk(Level.ACTIVE, 2),
    Risk(Level.ACTIVE, 2, Route.PSYCHOSIS),
    Risk(Level.PLAN, 3),
    Risk(Level.PLAN, 3, Route.OVERDOSE),
    Risk(Level.NONE, 3, Route.OVERDOSE),
    Risk(Level.SELF_HARM, 1),
    Risk(Level.SELF_HARM, 2),
    Risk(Level.THIRD_PARTY, 2),
    Risk(Level.ABUSE, 2),
]
every_risk = pytest.mark.parametrize("risk", RISKS, ids=str)
every_language = pytest.mark.parametrize("language", ["ko", "en"])


@every_language
@every_risk
def test_every_urgent_reply_names_the_suicide_line_before_a_messenger_folds_it(risk: Risk, language: str) -> None:
    said = words(risk, language)
    assert SUICIDE in said
    assert len(said) <= 500


@every_language
@pytest.mark.parametrize("risk", [risk for risk in RISKS if risk.tier == 3], ids=str)
def test_imminent_danger_names_ambulance_police_and_suicide_line(risk: Risk, language: str) -> None:
    said = words(risk, language)
    assert {RESCUE, POLICE, SUICIDE} <= set(re.findall(r"\d+", said))


def test_an_overdose_is_answered_with_the_ambulance_first() -> None:
    assert words(Risk(Level.PLAN, 3, Route.OVERDOSE)).startswith(RESCUE)


@every_language
def test_abuse_names_the_police_and_the_line_for_violence(language: str) -> None:
    assert {POLICE, WOMEN} <= set(re.findall(r"\d+", words(Risk(Level.ABUSE, 2), language)))


@every_language
def test_self_harm_cares_for_the_wound(language: str) -> None:
    assert RESCUE in words(Risk(Level.SELF_HARM, 2), language)


@every_risk
def test_a_reply_puts_the_manner_of_speech_down_and_says_that_it_is_an_ai_once(risk: Risk) -> None:
    said = words(risk)
    assert said.count("말투") == 1
    assert said.count("AI") == 1


@every_risk
def test_a_reply_is_five_short_sentences_and_its_lines_of_help(risk: Risk) -> None:
    spoken = " ".join(line for line in words(risk).splitlines() if not line.startswith("·"))
    sentences = [sentence for sentence in re.split(r"(?<=[.?])\s+", spoken) if sentence]
    assert len(sentences) <= 5
    assert max(map(len, sentences)) <= 80


@every_language
@every_risk
def test_a_reply_asks_so_that_the_person_goes_on_talking(risk: Risk, language: str) -> None:
    assert "?" in words(risk, language)


@pytest.mark.parametrize("risk", [Risk(Level.PASSIVE, 1), Risk(Level.SELF_HARM, 1)], ids=str)
def test_a_soft_reply_asks_directly_about_the_wish_to_die(risk: Risk) -> None:
    assert re.search("죽고 싶다는 생각[^.]*\\?", words(risk))


MUST_NOT = ["힘내", "나쁜 생각", "극단적", "왜 그러", "약속", "비밀", "토하", "1393", "상담사", "사람이에요"]


@every_risk
@pytest.mark.parametrize("phrase", MUST_NOT)
def test_a_reply_never_says_what_harms(risk: Risk, phrase: str) -> None:
    assert phrase not in words(risk)


@every_language
@every_risk
def test_a_reply_has_no_emoji_and_no_unfilled_name(risk: Risk, language: str) -> None:
    said = words(risk, language)
    assert not re.search("[\U00010000-\U0010ffff\u2600-\u27bf{}]", said)


def test_a_language_without_words_is_answered_in_korean() -> None:
    risk = Risk(Level.ACTIVE, 2)
    assert words(risk, "fr") == words(risk, "ko")


@every_language
@pytest.mark.parametrize("tier", [1, 2, 3])
@pytest.mark.parametrize("route", [None, *Route])
@pytest.mark.parametrize("level", Level)
def test_there_are_words_for_whatever_may_be_found(level: Level, tier: int, route: Route | None, language: str) -> None:
    assert SUICIDE in words(Risk(level, tier, route), language)


def test_what_is_not_urgent_has_no_fixed_words() -> None:
    with pytest.raises(ValueError, match="has_words"):
        words(Risk())


def test_a_failure_is_answered_with_an_apology_and_where_help_is() -> None:
    assert unable("오늘 날씨 어때?", "ko") == f"{strings('ko')['core']['unable']} {line('meanwhile')}"
    assert "109" in line("meanwhile")


def test_a_failure_under_a_message_of_danger_still_gives_help() -> None:
    text = "나 죽고 싶어"
    assert unable(text, "ko") == words(assess(text))


# What follows the first words: every variant of every situation.


def all_words(risk: Risk, language: str) -> list[str]:
    said: list[str] = []
    while (following := words(risk, language, said)) not in said:
        said.append(following)
    return said


@every_language
@every_risk
def test_the_words_move_on_and_repeat_only_when_all_are_said_the_oldest_first(risk: Risk, language: str) -> None:
    said = all_words(risk, language)
    assert len(said) >= 2
    assert words(risk, language, said) == said[0]
    assert words(risk, language, [*said, said[0]]) == said[1]


def test_there_are_words_for_more_turns_where_more_are_likely() -> None:
    assert len(all_words(Risk(Level.ACTIVE, 2), "ko")) >= 8
    assert len(all_words(Risk(Level.PLAN, 3), "ko")) >= 6


@every_language
@every_risk
def test_every_later_reply_keeps_what_the_first_must_have(risk: Risk, language: str) -> None:
    needed = {SUICIDE, RESCUE, POLICE} if risk.tier == 3 else {SUICIDE}
    for said in all_words(risk, language):
        assert needed <= set(re.findall(r"\d+", said)), said
        assert len(said) <= 500
        assert "?" in said
        assert not re.search("[\U00010000-\U0010ffff\u2600-\u27bf{}]", said)


FIXED = sorted(situations())
every_fixed = pytest.mark.parametrize("said", FIXED, ids=lambda said: "{}-{}".format(*situations()[said]))


@every_fixed
def test_no_fixed_text_says_what_harms_or_is_longer_than_people_read(said: str) -> None:
    assert not [phrase for phrase in MUST_NOT if phrase in said and phrase not in {"약속", "비밀"}]
    assert len(said) <= 500
    spoken = " ".join(line for line in said.splitlines() if not line.startswith("·"))
    assert len([sentence for sentence in re.split(r"(?<=[.?])\s+", spoken) if sentence]) <= 6


@every_fixed
def test_every_fixed_text_has_its_counterpart_in_the_other_language(said: str) -> None:
    is_korean = bool(re.search("[가-힣]", said.replace("마들랜", "")))
    other = in_language(said, "en" if is_korean else "ko")
    assert situations()[other] == situations()[said]
    assert other != said
    assert in_language(other, "ko" if is_korean else "en") == said


@every_language
@pytest.mark.parametrize("route", Route)
def test_every_other_route_has_words_and_asks_on(route: Route, language: str) -> None:
    said = all_words(Risk(route=route), language) if route is not Route.OVERDOSE else []
    assert all("?" in each for each in said)
    assert len(set(said)) == len(said)
    assert all(is_crisis(each) is (route is Route.PERINATAL) for each in said)


def test_only_words_for_danger_are_words_for_danger() -> None:
    assert is_crisis(words(Risk(Level.PASSIVE, 1)))
    assert is_crisis(answer("safe", "en"))
    assert is_crisis(words(Risk(route=Route.PERINATAL)))
    assert not is_crisis(words(Risk(route=Route.BEREAVEMENT)))
    assert not is_crisis(words(Risk(route=Route.MEDICATION)))
    assert not is_crisis("그러셨군요.")
    assert in_language("그러셨군요.", "en") == "그러셨군요."


@every_language
@pytest.mark.parametrize("kind", toml("crisis.toml")["ko"]["answers"])
def test_every_answer_has_a_second_text_and_names_where_help_is(kind: str, language: str) -> None:
    first = answer(kind, language)
    second = answer(kind, language, [first])
    assert first != second
    assert answer(kind, language, [first, second]) == first
    for said in (first, second):
        assert SUICIDE in said
        assert "?" in said
        assert not re.search("상담사|비밀|약속|counsellor|secret|promise", said)
        assert is_crisis(said)


@every_language
def test_whoever_fears_to_be_taken_to_hospital_is_told_honestly(language: str) -> None:
    for kind in ("reporting", "reporting_other"):
        assert re.search("3일|3 days", answer(kind, language))
        assert re.search("원하지 않아도|without (?:your|their) consent", answer(kind, language))


@every_language
def test_the_baby_is_laid_down_before_the_parent_calls(language: str) -> None:
    for said in all_words(Risk(route=Route.PERINATAL), language):
        order = [
            re.search(step, said)
            for step in ("눕히|lay the baby", "방에서 나와|leave the room", "119나 112|119 or 112")
        ]
        assert [each.start() for each in order if each] == sorted(each.start() for each in order if each)
        assert all(order)


@every_language
@pytest.mark.parametrize("name", ["footer", "check_in"])
def test_what_stands_beside_other_replies_names_the_suicide_line(name: str, language: str) -> None:
    assert SUICIDE in line(name, language)


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("I want to die", "en"),
        ("i dont want to wake up", "en"),
        ("wnrrh tlvek", "ko"),
        ("죽고 싶어 help me i am", "ko"),
        ("...", "ko"),
        ("ok", "ko"),
    ],
)
def test_somebody_is_answered_in_their_language(text: str, language: str) -> None:
    assert language_of(text, "ko") == language


@settings(deadline=None, max_examples=200)
@given(
    st.sampled_from(["죽고 싶어", "유서 썼어", "또 자해했어", "아빠가 매일 때려요", "수면제 한 통 먹었어"]), st.text()
)
def test_whatever_stands_beside_it_danger_is_answered_with_a_number(danger: str, rest: str) -> None:
    risk = assess(f"{danger}. {rest}")
    assert SUICIDE in words(risk)


PHONE = re.compile(r"(?<![\d.,:~-])(?:0\d{1,2}-\d{3,4}-\d{4}|1[5-9]\d\d-\d{4}|1[0-4]\d{1,2}|988)(?![\d.,:~-]*\d)")
RESOURCES = sorted(path for path in Path(bot.resources.__path__[0]).rglob("*.*") if path.suffix in {".toml", ".md"})


@pytest.mark.parametrize("path", RESOURCES, ids=lambda path: path.name)
def test_no_resource_names_a_phone_number_that_is_not_among_the_hotlines(path: Path) -> None:
    named = set(PHONE.findall(re.sub(r"(?m)^source = .*$", "", path.read_text(encoding="utf-8"))))
    assert named <= set(numbers().values())


def test_the_fixed_words_take_every_number_from_the_hotlines() -> None:
    assert not PHONE.findall(bot.resources.text("crisis.toml"))


@pytest.mark.parametrize("name", sorted(toml("hotlines.toml")))
def test_a_hotline_says_who_answers_when_and_how_it_was_verified(name: str) -> None:
    line = toml("hotlines.toml")[name]
    assert set(line) == {"number", "ko", "en", "hours", "source", "verified_on"}
    assert re.fullmatch(r"20\d\d(-\d\d){0,2}", line["verified_on"])


def test_the_former_suicide_line_is_nowhere() -> None:
    assert "1393" not in numbers().values()
