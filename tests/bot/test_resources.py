"""What people read from files: the bank of the scripted counsellor, and the characters."""

import itertools
import re
from collections.abc import Iterator

import pytest

from bot import resources
from bot.backends.scripted.bank import Bank, Mood
from bot.backends.scripted.topics import Stage
from bot.conversation.characters import load
from bot.conversation.model import Character, EmotionLabel
from inference_server.korean import morphemes
from tests.training.likeness import alike

SPOKEN = {"says", "then", "declined", "offers", "opening", "why", "left", "prompt", "hint", *Stage}
EMOTIONS = re.compile(
    "슬프|슬퍼|슬픔|우울|울적|힘드|힘들|지치|지쳤|불안|걱정|짜증|화가|화나|기쁘|기쁨|행복|설레|설렘|신나|즐거|사랑|속상|외로|두려|무서|답답|서러|괴로"
)
NEVER_SAID = re.compile(
    "힘내|파이팅|극복|치료|진단하|처방해|우울증|죽|자살|자해|사라지|없어지|약속해|약속드려요|반드시|무조건|비밀로|"
    "영원히|항상 곁|언제나 곁|저는 사람이에요|저는 상담사|내담자|당신|그녀|1393|https?:"
)
ENDINGS = {
    "어요", "아요", "여요", "에요", "예요", "이에요", "네요", "군요", "는군요", "죠", "지요",
    "세요", "으세요", "ᆯ까요", "을까요", "나요", "ᆫ가요", "던가요", "ᆯ래요", "ᆯ게요", "을게요",
    "ᆸ니다",
}  # fmt: skip


BANK = Bank(analyse=morphemes)


def said_in(table: object, key: str = "") -> Iterator[str]:
    match table:
        case dict():
            for name, value in table.items():
                if name == "words":  # what people say, not Mentos
                    continue
                yield from said_in(value, name)
        case list():
            for value in table:
                yield from said_in(value, key)
        case str() if key in SPOKEN or key.isupper() or key in BANK.questions:
            yield table


@pytest.fixture(scope="module")
def bank() -> Bank:
    return BANK


@pytest.fixture(scope="module")
def sentences() -> list[str]:
    files = [f"scripted/{name}.toml" for name in ("validations", "questions", "occasions", "exercises")]
    files += [f"scripted/topics/{area}.toml" for area in resources.names("scripted/topics")]
    files += [f"skills/{name}.toml" for name in resources.names("skills")]
    return [line for file in files for line in said_in(resources.toml(file))]


def test_the_bank_is_large_enough_not_to_run_dry(bank: Bank, sentences: list[str]) -> None:
    asked = {line for line in sentences if line.endswith("?")}

    assert len(set(sentences)) >= 1_500
    assert len(asked) >= 500
    assert sum(map(len, bank.neutral)) >= 20
    assert set(bank.validations) == set(EmotionLabel)
    assert min(map(len, bank.validations.values())) >= 5


def test_every_entry_is_one_sentence_in_polite_speech_that_the_rules_can_restyle(sentences: list[str]) -> None:
    for line in sentences:
        assert re.fullmatch(r"[^.?!\n]+[.?]", line), line
        assert line == line.strip()
        *_, before, final = [m for m in morphemes(line) if m.tag != "SF"]
        ending = before.form + final.form if (final.form, final.tag) == ("요", "JX") else final.form
        assert before.tag == "EF" or final.tag == "EF", line
        assert ending in ENDINGS or line.endswith("게요."), line


def test_nothing_is_said_that_mentos_never_says(sentences: list[str]) -> None:
    assert [line for line in sentences if NEVER_SAID.search(line)] == []


def test_no_two_sentences_of_the_bank_are_nearly_the_same(sentences: list[str]) -> None:
    assert alike(sorted(set(sentences)), above=0.7) == []


def test_lines_for_an_unread_emotion_name_none(bank: Bank) -> None:
    asked = [*bank.questions[Stage.EXPLORE], *bank.questions[Mood.PLAIN], *bank.questions["afresh"]]

    assert [line for line in (*itertools.chain(*bank.neutral), *asked) if EMOTIONS.search(line)] == []


def test_questions_ask_and_validations_do_not(bank: Bank) -> None:
    asked = itertools.chain.from_iterable(bank.questions.values())
    told = (
        *itertools.chain(*bank.neutral, *bank.untold.values()),
        *itertools.chain.from_iterable(bank.validations.values()),
    )

    assert all(line.endswith("?") for line in asked)
    assert all(line.endswith(".") for line in told)


def test_an_occasion_asks_at_most_once(bank: Bank) -> None:
    for occasion in bank.occasions:
        assert all(line.endswith(".") for line in occasion.says), occasion.name
        if occasion.asks != "never":
            assert all(line.endswith(".") for line in occasion.then), occasion.name
        if occasion.pool is not None:
            assert bank.questions[occasion.pool]


def test_every_answer_about_what_it_is_says_that_it_is_a_program(bank: Bank) -> None:
    identity = next(occasion for occasion in bank.occasions if occasion.name == "identity")

    assert all("AI" in line or "프로그램" in line for line in identity.says)


def test_the_counsellor_of_every_topic_has_words_for_each_stage(bank: Bank) -> None:
    assert len(bank.topics.all) >= 15
    for topic in bank.topics.all:
        assert topic.says
        assert all(topic.questions[stage] for stage in Stage), topic.name


@pytest.mark.parametrize("character", load(available={"rule"}).values(), ids=lambda character: character.id)
def test_a_packaged_character_is_honest_that_it_is_a_program_and_greets_in_one_breath(character: Character) -> None:
    assert "인공지능" in character.persona
    assert "상담사" in character.persona
    assert "멘토스" in character.greeting
    assert 10 <= len(character.greeting) <= 60
    assert 10 <= len(character.sample) <= 60
    assert not NEVER_SAID.search(character.greeting + character.sample)
