import tomllib
import unicodedata
from collections import Counter
from pathlib import Path

import pytest

from inference_server import embedding
from inference_server.embedding import document, query, terms


def fit(message: str, remembered: dict[str, float]) -> float:
    return sum(weight * remembered.get(term, 0.0) for term, weight in query(message).items())


@pytest.mark.parametrize(
    ("said", "later"),
    [
        ("남자친구랑 헤어졌어요", "헤어진 지 벌써 한 달이에요"),
        ("팀장님이 비웃었어요", "또 비웃더라"),
        ("고양이가 아파요", "아픈 고양이를 보고 왔어"),
        ("MBTI 검사를 했어요", "mbti 다시 해 볼까"),
        (unicodedata.normalize("NFD", "고양이가 아파요"), "고양이"),
        ("시험에 떨어졌어요", "시험 또떨어졋어ㅠㅠ"),
    ],
)
def test_a_word_is_the_same_word_in_every_ending_case_and_encoding(said: str, later: str) -> None:
    assert set(terms(said)) & set(terms(later))


def test_homographs_of_other_classes_are_other_words() -> None:
    assert set(terms("눈이 예쁘다")) != set(terms("눈다"))
    assert "신/N" in terms("신을 믿어요")
    assert "신/V" in terms("구두를 신었어요")


@pytest.mark.parametrize("text", ["", "  \n", "ㅋㅋㅋㅋ", "?!", "네", "저 그거 했어요", "\ud83d", "😂"])
def test_what_says_nothing_looks_for_nothing_and_is_not_found(text: str) -> None:
    assert query(text) == {}
    assert document("고양이는 좀 어때요?", text) == {}


def test_a_turn_is_found_by_the_question_that_it_answers_but_less_than_by_its_own_words() -> None:
    turn = document("고양이는 좀 어때요?", "병원에서 수액을 맞았어요")

    assert turn["수액/N"] > turn["고양이/N"] > 0


def test_a_turn_is_found_by_what_was_said_before_it_but_less_than_by_its_own_words() -> None:
    turn = document("", "구석에 숨어만 있어요", before="신부전이래요")

    assert turn["구석/N"] > turn["신부전/N"] > 0


def test_a_word_said_twice_counts_more_but_not_double() -> None:
    once, twice = document("", "고양이 사진"), document("", "고양이 고양이 사진")

    assert once["고양이/N"] < twice["고양이/N"] < 2 * once["고양이/N"]


def test_a_word_counts_less_in_a_long_turn() -> None:
    assert document("", "고양이")["고양이/N"] > document("", "고양이 강아지 병원 회사 시험 여행 수영")["고양이/N"]


def test_a_turn_is_found_by_a_kindred_word_but_better_by_its_own() -> None:
    turn, other = document("", "아내와 다퉜어요"), document("", "여행을 다녀왔어요")

    assert fit("아내", turn) > fit("마누라", turn) > fit("마누라", other) == 0


def test_a_slip_in_a_noun_still_finds_the_turn() -> None:
    turn = document("", "프랜차이즈가 들어왔어요")

    assert fit("프렌차이즈 때문에 힘들어요", turn) > 0


def test_every_kindred_word_is_one_that_is_found_in_a_message() -> None:
    table = tomllib.loads(Path(embedding.__file__).with_name("kindred.toml").read_text("utf-8"))
    groups = [words.split() for section in table.values() for words in section.values()]
    verbs = ("{}고 싶어", "{}어요", "{}니까 그래", "{}는데", "{}게 됐어")
    nouns = (
        "{}를 생각했어",
        "{}가 있어요",
        "{} 때문에 힘들어",
        "{} 이야기",
        "{}하고 싶어",
        "{}해요",
        "{}한 사람",
        "{} 갔어요",
    )

    def is_found(word: str) -> bool:
        if stem := word.removesuffix("-") if word.endswith("-") else "":
            return any(f"{stem}/V" in terms(carrier.format(stem)) for carrier in verbs)
        return any(f"{word}/N" in terms(carrier.format(word)) for carrier in nouns)

    assert len(groups) >= 300
    assert min(map(len, groups)) >= 2
    assert sorted({word for words in groups for word in words if not is_found(word)}) == []


def test_words_of_another_language_are_weighed_the_same_way() -> None:
    def english(text: str) -> Counter[str]:
        return Counter(text.lower().split())

    turn = document("how is Nabi", "she hides", before="kidney", words=english)

    assert turn["hides"] > turn["nabi"] > turn["kidney"]
    assert query("Nabi", words=english) == {"nabi": 1.0}
