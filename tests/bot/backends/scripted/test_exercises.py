"""Exercises, as somebody goes through them."""

import itertools
from collections.abc import Sequence

import pytest

from bot import resources
from bot.backends.scripted.exercises import Exercise, Exercises
from bot.backends.scripted.responder import ScriptedCounsellor
from bot.conversation.model import EmotionLabel, Turn
from inference_server.korean import kiwi, morphemes
from tests.bot.backends.scripted.test_responder import answered, read_as, sentences, situation

ALL = Exercises().all
EACH = pytest.mark.parametrize("exercise", ALL, ids=lambda exercise: exercise.name)


@pytest.fixture(scope="module")
def counsellor() -> ScriptedCounsellor:
    return ScriptedCounsellor(analyse=morphemes, join=kiwi().join)


def talk(counsellor: ScriptedCounsellor, recent: list[Turn], *texts: str) -> list[str]:
    """Say texts one after the other; return the sentences of the last reply."""
    for text in texts:
        reply = counsellor.sentences(situation(text, read_as(EmotionLabel.ANXIOUS), recent[-20:]))
        recent.append(answered(text, " ".join(reply)))
    return sentences(" ".join(reply))


def offered(exercise: Exercise) -> list[Turn]:
    return [answered("너무 지쳤어요", " ".join(exercise.offers[0]))]


def prompts(reply: Sequence[str]) -> list[str]:
    return [line for line in reply if line.startswith("(")]


@EACH
def test_a_yes_begins_it_and_answers_lead_step_by_step_to_its_end(
    counsellor: ScriptedCounsellor, exercise: Exercise
) -> None:
    recent = offered(exercise)
    count = len(exercise.steps)

    for number in range(count):
        reply = talk(counsellor, recent, "네 해 볼게요" if number == 0 else "책상이랑 창문이 보여요")
        assert prompts(reply) == [f"({number + 1}/{count}) {exercise.steps[number].prompt[-1]}"]
    assert talk(counsellor, recent, "네, 조금 나아졌어요")[-1] in {close[-1] for close in exercise.closes}


@EACH
@pytest.mark.parametrize("words", ["그만할래요", "여기까지 할게", "다른 얘기 하고 싶어요"])
def test_it_can_be_left_at_any_step(counsellor: ScriptedCounsellor, exercise: Exercise, words: str) -> None:
    for steps in range(len(exercise.steps)):
        reply = talk(counsellor, offered(exercise), "네", *(["컵이요"] * steps), words)
        assert set(reply) & {line for left in exercise.left for line in left}
        assert prompts(reply) == []


@EACH
def test_who_does_not_know_gets_a_hint_once_and_who_asks_why_the_reason(
    counsellor: ScriptedCounsellor, exercise: Exercise
) -> None:
    recent = offered(exercise)
    assert talk(counsellor, recent, "네", "잘 모르겠어요") == list(exercise.steps[0].hint)
    assert prompts(talk(counsellor, recent, "모르겠어요"))[0].startswith("(2/")
    assert set(exercise.why) <= set(talk(counsellor, offered(exercise), "네", "이거 왜 해?"))


def test_it_stops_where_it_has_stopped_being_good_for_somebody(counsellor: ScriptedCounsellor) -> None:
    breathing = next(e for e in ALL if e.name == "breathing")
    reply = talk(counsellor, offered(breathing), "네", "좀 어지러워요")

    assert set(reply) & {line for left in breathing.left for line in left}
    assert prompts(reply) == []


DANGER = [
    "그냥 사라졌으면 좋겠어요",
    "손을 그었어요",
    "이제 진짜 마지막 인사예요",
    "집에 갇혀 있어요",
    "이 세상에 내가 필요 없는 것 같아요",
    "남편이 죽었으면 좋겠어요",
    "그만할래요 사는 거",
    "남편이 칼로 위협해요",
    "목을 졸라요",
    "뺨을 맞았어요",
]


@EACH
@pytest.mark.parametrize("danger", DANGER)
def test_danger_is_no_answer_to_an_exercise_or_to_its_offer(
    counsellor: ScriptedCounsellor, exercise: Exercise, danger: str
) -> None:
    heard = {line for step in exercise.steps for _, says in step.heard for line in says}
    for before in ([], ["네"]):
        reply = talk(counsellor, offered(exercise), *before, danger)
        assert prompts(reply) == []
        assert heard.isdisjoint(reply)


def test_after_danger_nobody_is_offered_an_exercise_or_asked_cheerfully(counsellor: ScriptedCounsellor) -> None:
    offers = {line for exercise in ALL for offer in exercise.offers for line in offer}
    pools = resources.toml("scripted/questions.toml")["pools"]
    cheerful = {*pools["plain"], *pools["glad"]}
    recent: list[Turn] = []
    talk(counsellor, recent, *["너무 불안해요"] * 3, "합격했어요 너무 기뻐요", "근데 그냥 사라질래")
    for text in ("아니요", "혼자요", "너무 떨리고 심장이 뛰어요"):
        assert not (offers | cheerful) & set(talk(counsellor, recent, text))


@pytest.mark.parametrize(
    "text", ["그만할래", "그만하고 싶어", "하고 싶지 않아요", "오늘 뭐 할래? 하고 물어서요", "네 아니요"]
)
def test_what_is_no_yes_begins_nothing(counsellor: ScriptedCounsellor, text: str) -> None:
    assert prompts(talk(counsellor, offered(ALL[0]), text)) == []


@pytest.mark.parametrize("text", ["당신 사람이에요?", "수면제 두 배로 먹어도 돼요?"])
def test_some_questions_are_answered_even_in_the_middle(counsellor: ScriptedCounsellor, text: str) -> None:
    assert prompts(talk(counsellor, offered(ALL[0]), "네", text)) == []


@pytest.mark.parametrize("no", ["아니요 괜찮아요", "다음에 할게요", "싫어"])
def test_a_no_to_an_offer_is_accepted(counsellor: ScriptedCounsellor, no: str) -> None:
    assert prompts(talk(counsellor, offered(ALL[0]), no)) == []


def test_it_is_offered_only_to_somebody_who_has_been_low_for_a_while(counsellor: ScriptedCounsellor) -> None:
    recent: list[Turn] = []
    offers = {line for exercise in ALL for offer in exercise.offers for line in offer}
    replies = [talk(counsellor, recent, text) for text in ["너무 불안하고 심장이 뛰어요"] * 9]

    assert [bool(offers & set(reply)) for reply in replies[:2]] == [False, False]
    assert sum(bool(offers & set(reply)) for reply in replies) == 1


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("호흡법 알려줘", "breathing"),
        ("숨 고르는 거 알려주세요", "breathing"),
        ("그라운딩 해 줘", "grounding"),
        ("생각 정리하고 싶어", "thought_record"),
    ],
)
def test_it_begins_at_once_for_who_asks_for_it(counsellor: ScriptedCounsellor, text: str, name: str) -> None:
    exercise = next(e for e in ALL if e.name == name)

    assert talk(counsellor, [], text)[: len(exercise.opening)] == list(exercise.opening)


def test_no_two_exercises_ask_with_the_same_words() -> None:
    asked = [
        *(step.prompt[-1] for e in ALL for step in e.steps),
        *(step.hint[-1] for e in ALL for step in e.steps),
        *(offer[-1] for e in ALL for offer in e.offers),
    ]
    assert len(ALL) == 10
    assert len(asked) == len(set(asked))
    assert max(len(lines) for e in ALL for lines in itertools.chain(e.offers, e.left, e.closes)) <= 3
