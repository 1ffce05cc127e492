"""How help goes on over several messages: told as conversations."""

import re

import pytest

from bot.safety import answers
from bot.safety.assess import Level, Risk, assess
from bot.safety.course import Exchange, Help, follow, highest, risen_in
from bot.safety.replies import answer, situations, words

ACTIVE, IMMINENT, SOFT = "자살 충동이 들어요", "오늘 밤에 죽으려고요. 유서도 썼어요", "왜 태어났는지 모르겠어요"
ORDINARY = "오늘 회사에서 또 혼났어요"


def talk(*texts: str) -> list[Help | None]:
    """Say one text after the other; what has no fixed words is answered with something ordinary."""
    earlier: list[Exchange] = []
    helped = []
    for text in texts:
        helped.append(follow(text, earlier))
        earlier.append(Exchange(text, helped[-1].words if helped[-1] else "그러셨군요."))
    return helped


def situation(helped: Help | None) -> str:
    assert helped
    return situations()[helped.words][0]


def test_the_samples_are_what_they_are_taken_for() -> None:
    assert (assess(SOFT).tier, assess(ACTIVE).tier, assess(IMMINENT).tier, assess(ORDINARY).tier) == (1, 2, 3, 0)


def test_the_text_alone_is_answered_with_the_first_words() -> None:
    assert follow(ACTIVE) == Help(assess(ACTIVE), words(assess(ACTIVE)))
    assert follow(ORDINARY) is None


@pytest.mark.parametrize("text", [ACTIVE, IMMINENT, SOFT, "또 손목을 그었어요", "아빠가 매일 때려요"])
def test_nothing_is_said_twice_before_everything_was_said(text: str) -> None:
    said = [helped.words for helped in talk(*[text] * 9) if helped]
    assert len(said) == 9
    texts = [fixed for fixed, (name, _) in situations().items() if name == situations()[said[0]][0]]
    assert len(set(said)) >= min(9, len(texts) // 2)


def test_after_danger_help_goes_on_whatever_is_said_and_then_lets_go() -> None:
    helped = talk(ACTIVE, *[ORDINARY] * 6)
    assert [each is not None for each in helped] == [True, True, True, True, True, False, False]
    assert len({each.words for each in helped if each}) == 5


def test_imminent_danger_is_not_let_go_so_soon() -> None:
    helped = talk(IMMINENT, *[ORDINARY] * 6)
    assert all(each and {"119", "112", "109"} <= set(re.findall(r"\d+", each.words)) for each in helped)


def test_a_weaker_sign_does_not_lower_what_was_told() -> None:
    *_, last = talk(IMMINENT, SOFT)
    assert last
    assert last.risk.tier == 3
    assert situation(last) == "imminent"


@pytest.mark.parametrize("yes", ["네", "응..", "네 가끔요", "있어요", "그런 것 같아요", "ㅇㅇ", "예"])
def test_a_yes_to_the_gentle_question_is_a_wish_to_die(yes: str) -> None:
    *_, last = talk(SOFT, yes)
    assert last
    assert last.risk == Risk(Level.PASSIVE, 2)


@pytest.mark.parametrize(
    "no", ["아니요", "아뇨 그런 건 아니에요", "그 정도는 아니에요", "아니", "그런 생각은 안 해요", "죽고 싶지는 않아요"]
)
def test_a_no_to_the_gentle_question_is_believed(no: str) -> None:
    _, last, after = talk(SOFT, no, ORDINARY)
    assert situation(last) == "denied"
    assert after is None


def test_a_yes_to_the_question_about_a_plan_is_imminent() -> None:
    *_, last = talk(ACTIVE, "네 정해 뒀어요")
    assert last
    assert last.risk.tier == 3
    assert {"119", "112", "109"} <= set(re.findall(r"\d+", last.words))


@pytest.mark.parametrize("yes", ["네", "응", "있어요"])
def test_a_yes_to_nothing_in_particular_is_no_danger(yes: str) -> None:
    assert follow(yes) is None
    assert follow(yes, [Exchange(ORDINARY, "그러셨군요. 많이 속상하셨어요?")]) is None


@pytest.mark.parametrize(
    "barred", ["전화하는 게 무서워요", "말을 못 하겠어요", "다 소용없어요", "엄마가 알게 될까 봐요", "돈이 없어요"]
)
def test_what_bars_the_way_is_answered(barred: str) -> None:
    *_, last = talk(ACTIVE, barred)
    assert situation(last) == "barrier"


@pytest.mark.parametrize(
    "safe",
    [
        "지금 언니가 옆에 있어요",
        "109에 전화했어요",
        "병원에 왔어요",
        "엄마랑 같이 있어요",
        "이제 좀 괜찮아졌어요",
        "다 치웠어요",
    ],
)
def test_whoever_says_that_they_are_safe_is_not_pressed_on(safe: str) -> None:
    _, answered, after = talk(ACTIVE, safe, ORDINARY)
    assert situation(answered) == "safe"
    assert after is None


@pytest.mark.parametrize(
    "unsafe",
    [
        "옆에 아무도 없어요",
        "전화했어요 근데 안 받아요",
        "109에 전화 안 할게요",
        "다 못 치웠어요",
        "같이 있어 주세요",
        "친구랑 같이 있어도 혼자인 것 같아요",
        "집에 왔어요",
        "안 괜찮아졌어요",
        "병원에 갈게요 그래도 죽고 싶어요",
    ],
)
def test_what_only_sounds_safe_is_not(unsafe: str) -> None:
    *_, last = talk(IMMINENT, unsafe)
    assert situation(last) != "safe"


@pytest.mark.parametrize(
    "back",
    ["근데 엄마가 잠들었어요", "약을 못 버렸어요", "옆에 아무도 없어요", "이젠 안전하지 않은 것 같아요", "혼자 있어요"],
)
def test_safety_that_is_gone_again_is_danger_again(back: str) -> None:
    *_, last = talk(IMMINENT, "엄마랑 같이 있어요", back)
    assert situation(last) == "imminent"


@pytest.mark.parametrize(
    "prepared", ["통장이랑 물건들도 다 정리해 놨어요", "엄마한테 편지도 써 뒀어요", "칼 들고 있어요"]
)
def test_what_is_prepared_after_a_wish_was_told_is_imminent(prepared: str) -> None:
    for told in (ACTIVE, "자해하고 싶어요"):
        *_, last = talk(told, prepared)
        assert last
        assert last.risk.tier == 3


def test_what_was_swallowed_meanwhile_is_poisoning() -> None:
    *_, first, second = talk(IMMINENT, "이미 스무 알 먹었어요", "괜찮아요 졸려요")
    assert situation(first) == situation(second) == "overdose"


def test_to_mean_to_call_is_not_yet_safe_where_danger_is_imminent() -> None:
    *_, last = talk(IMMINENT, "109에 전화해 볼게요")
    assert situation(last) == "imminent"


def test_whoever_hurts_themselves_is_helped_on_though_they_do_not_wish_to_die() -> None:
    *_, last = talk("자해하고 싶어요", "죽고 싶지는 않아요")
    assert situation(last) == "self_harm"


@pytest.mark.parametrize(
    "unsafe",
    [
        "칼이 옆에 있어요",
        "약이 옆에 있어요",
        "I'm with my gun",
        "엄마한테 마지막 문자 보냈어요",
        "엄마한테 미안하다고 문자 보냈어요",
        "강아지는 친구한테 맡겼어요",
        "물건은 다 버렸어요",
        "이제 괜찮아요 다 정리했어요",
        "마음이 한결 편해졌어요 결심했거든요",
        "아직 안버렸어요",
        "안치웠어요",
        "I don't think I'm safe",
        "병원에 갈게요 다음 생에",
        "병원에 왔는데 그냥 돌려보냈어요",
        "같이 가기로 한 사람이 있어요",
        "내려왔다가 다시 올라왔어요",
        "엄마가 옆에 있으면 좋겠어요",
        "그런 생각이 없어지질 않아요",
        "그런 생각이 안 들 때가 없어요",
        "그런 생각 안 하려고 해도 자꾸 나요",
        "죽고 싶지 않은 날이 없어요",
    ],
)
def test_what_sounds_like_safety_or_denial_does_not_end_help(unsafe: str) -> None:
    *_, last = talk(IMMINENT, unsafe)
    assert situation(last) in {"imminent", "barrier"}


@pytest.mark.parametrize(
    "shrug",
    [
        "I don't know",
        "no point anymore",
        "전혀 안 괜찮아요",
        "전혀 모르겠어요 무서워요",
        "아니 맞아요",
        "그런 마음은 전혀 없지 않아요",
    ],
)
def test_a_shrug_is_no_denial(shrug: str) -> None:
    *_, last = talk(SOFT, shrug)
    assert last is None or situation(last) != "denied"


@pytest.mark.parametrize(
    "other", ["어제 회사에서 혼났어요", "어떻게 해야 돼요?", "응급실 갈까요", "네 없어요", "네, 계획은 없어요"]
)
def test_what_only_begins_like_a_yes_is_none(other: str) -> None:
    *_, last = talk(ACTIVE, other)
    assert last
    assert last.risk.tier == 2


@pytest.mark.parametrize("planned", ["이미 준비했어요", "준비해 뒀어요", "방법은 찾아놨어요", "네"])
def test_a_plan_that_is_told_when_asked_is_imminent(planned: str) -> None:
    *_, last = talk(ACTIVE, planned)
    assert last
    assert last.risk.tier == 3


def test_nobody_is_safe_from_abuse_because_somebody_is_beside_them() -> None:
    *_, last = talk("남편이 매일 때려요", "남편이 옆에 있어요")
    assert situation(last) == "abuse"


def test_whoever_is_in_danger_again_is_helped_again() -> None:
    *_, last = talk(ACTIVE, "이제 좀 괜찮아졌어요", ORDINARY, IMMINENT)
    assert last
    assert last.risk.tier == 3


def test_a_denial_that_goes_on_with_the_wish_is_none() -> None:
    *_, last = talk(SOFT, "죽고 싶지는 않은데 살고 싶지도 않아요")
    assert last
    assert last.risk.tier >= 1


def test_what_is_denied_is_still_known_for_the_next_time() -> None:
    exchanges = [Exchange(ACTIVE, words(assess(ACTIVE))), Exchange("이제 좀 괜찮아졌어요", answer("safe"))]
    assert risen_in(exchanges) == Risk()
    assert highest(exchanges) == assess(ACTIVE)


def test_english_goes_on_in_english() -> None:
    first = follow("I want to kill myself", language="en")
    assert first
    second = follow("i want to kill myself", [Exchange("I want to kill myself", first.words)], "en")
    assert second
    assert second.words != first.words
    assert not re.search("[가-힣]", (first.words + second.words).replace("마들랜", ""))


def test_other_matters_have_words_of_their_own() -> None:
    *_, first, second = talk("나 우울증 맞지? 진단 내려줘", "진단서 써줘")
    assert situation(first) == situation(second) == "diagnosis"
    assert first
    assert second
    assert first.words != second.words


FRIEND, OWN, HURT = "친구가 죽겠다고 하는데 어떡해요", "나 진짜 죽고 싶어", "남편이 매일 때려요"
QUESTIONS = [
    (OWN, "109가 뭐하는 데야?", "helpline"),
    (OWN, "거기 전화하면 누가 받아요?", "helpline"),
    (OWN, "109에 전화하면 뭐라고 말해야 돼요", "helpline"),
    (OWN, "109는 돈 들어?", "helpline"),
    (OWN, "전화하면 기록 남아요?", "helpline"),
    (OWN, "119 부르면 강제로 입원시키나요?", "reporting"),
    (FRIEND, "신고하면 친구가 잡혀가나요?", "reporting_other"),
    (FRIEND, "경찰에 신고하면 어떻게 돼요", "reporting_other"),
    (OWN, "119에 전화하면 뭐라고 말해요?", "reporting"),
    (OWN, "전화하면 경찰 와요?", "reporting"),
    (OWN, "구급차 부르면 집에 와요?", "reporting"),
    (OWN, "강제 입원 되나요?", "reporting"),
    (OWN, "신고하면 부모님한테 연락 가요?", "reporting"),
    (OWN, "상담 전화 비밀이에요?", "helpline"),
    (OWN, "문자하면 누가 받아요", "helpline"),
    (OWN, "1366이 뭐 하는 데예요?", "other_line"),
    (HURT, "112는 비밀 지켜 주나요", "other_line"),
    (OWN, "1388은 무료예요?", "other_line"),
    (OWN, "1577-0199는 어떤 데예요?", "other_line"),
    (HURT, "117에 전화하면 누가 받아요", "other_line"),
    (HURT, "신고하면 남편 감옥 가요?", "reporting_abuse"),
    (HURT, "경찰 부르면 집에 와서 뭐 해요?", "reporting_abuse"),
    ("동생이 약을 잔뜩 먹고 안 깨어나요", "토하게 할까요?", "first_aid"),
    ("약을 한 통 다 먹었어", "물 많이 마시면 괜찮아?", "first_aid"),
    ("약을 한 통 다 먹었어", "토하면 괜찮을까요", "first_aid"),
    ("친구가 수면제를 30알 먹었어요", "의식이 없는데 토하게 할까요", "first_aid"),
    (FRIEND, "친구가 약을 먹었대요 토하게 해야 해요?", "first_aid"),
    ("동생이 약을 잔뜩 먹고 안 깨어나요", "우유를 먹여도 돼요?", "first_aid"),
    (OWN, "네가 대신 전화해 줘", "unable_to_come"),
    (HURT, "신고 좀 해주세요", "unable_to_come"),
    (FRIEND, "대신 신고해 줄 수 있어요?", "unable_to_come"),
    (OWN, "여기로 와 줄 수 있어?", "unable_to_come"),
    (OWN, "엄마한테 전화해 줘", "unable_to_come"),
    (OWN, "can you call my mom", "unable_to_come"),
    (OWN, "what happens if I call", "reporting"),
    (OWN, "will they lock me up if I call 119", "reporting"),
    (OWN, "is 109 free", "helpline"),
    (HURT, "신고해도 돼요?", "reporting_abuse"),
    (OWN, "what should I say when I call", "helpline"),
]


@pytest.mark.parametrize(("told", "asked", "answered"), QUESTIONS)
def test_a_question_about_help_is_answered(told: str, asked: str, answered: str) -> None:
    first = follow(told)
    assert first
    helped = follow(asked, [Exchange(told, first.words)])
    assert helped
    assert situations()[helped.words][0] == answered
    assert helped.risk.tier == first.risk.tier


@pytest.mark.parametrize(
    "text",
    ["오늘 밤에 죽을 거야. 109는 뭐 하는 데야", "유서 다 썼어 신고하면 어떻게 돼"],
)
def test_graver_danger_goes_before_a_question(text: str) -> None:
    first = follow("사는 게 너무 힘들어서 사라지고 싶어")
    assert first
    helped = follow(text, [Exchange("사는 게 너무 힘들어서 사라지고 싶어", first.words)])
    assert helped
    assert situations()[helped.words][0] == "imminent"


@pytest.mark.parametrize("text", ["109동이 어디야?", "토하게 할까요?", "신고하면 돈 돌려받나요"])
def test_without_danger_a_question_is_a_question(text: str) -> None:
    assert follow(text) is None


@pytest.mark.parametrize("text", ["고마웠어요", "그동안 고마웠어", "정말 고마웠습니다 다들"])
def test_thanks_that_are_over_are_a_farewell_after_danger(text: str) -> None:
    first = follow(OWN)
    assert first
    helped = follow(text, [Exchange(OWN, first.words)])
    assert helped
    assert helped.risk.tier == 3
    assert follow(text) is None


def test_thanks_for_now_are_none() -> None:
    first = follow(OWN)
    assert first
    helped = follow("들어줘서 고마워요", [Exchange(OWN, first.words)])
    assert helped
    assert helped.risk.tier == 2


@pytest.mark.parametrize("told", [OWN, IMMINENT, SOFT, HURT])
@pytest.mark.parametrize(
    ("text", "answered"),
    [
        ("지금 뛰어내릴 건데 신고하면 어떻게 돼요?", "imminent"),
        ("내일 죽을 건데 대신 엄마한테 연락해 줘요", "imminent"),
        ("이제 목 매달 거예요 신고하면 벌 받아요?", "imminent"),
        ("난간에 서 있는데 신고하면 벌 받아요?", "edge"),
        ("옥상에 올라왔는데 109에 전화하면 누가 받아요", "edge"),
        ("지금 문 부수고 있는데 경찰 부르면 어떻게 돼요", "attacker"),
    ],
)
def test_danger_of_this_minute_goes_before_a_question(told: str, text: str, answered: str) -> None:
    *_, last = talk(told, text)
    assert situation(last) == answered


@pytest.mark.parametrize(
    ("told", "text", "answered"),
    [
        ("또 손목을 그었어요", "피가 안 멈추는데 119 부르면 입원해요?", "bleeding"),
        (HURT, "문 앞에 와 있는데 신고하면 어떻게 돼요", "attacker"),
        (FRIEND, "연락이 안 되는데 신고하면 어떻게 돼요", "out_of_reach"),
        (FRIEND, "친구가 옥상에 있는데 112에 전화하면 뭐라고 해요", "out_of_reach"),
    ],
)
def test_a_scene_goes_before_a_question(told: str, text: str, answered: str) -> None:
    *_, last = talk(told, text)
    assert situation(last) == answered


@pytest.mark.parametrize("told", [ACTIVE, IMMINENT])
@pytest.mark.parametrize(
    "safe",
    [
        "엄마가 대신 전화해 줘서 지금 응급실에 왔어요",
        "엄마가 대신 전화해 줬어요",
        "친구가 우리 집에 와 줘서 같이 있어요",
        "친구가 와 줘서 지금 옆에 있어요",
        "동생이 119에 신고해 줬어요",
        "친구랑 같이 있어요 109에 전화하면 누가 받아요?",
        "아빠가 구급차 불러 줬어요",
    ],
)
def test_safety_goes_before_a_question(told: str, safe: str) -> None:
    *_, last = talk(told, safe)
    assert situation(last) == "safe"


@pytest.mark.parametrize(
    "unsafe",
    [
        "엄마가 대신 전화해 줬으면 좋겠어요",
        "엄마가 대신 전화해 줬는데 아무도 안 받아요",
        "친구가 와 줘서 같이 있어도 혼자인 것 같아요",
        "누가 나한테 와 줄 수 있을까",
        "여자친구가 전화 좀 해 달라고 했는데 못 했어요",
    ],
)
def test_whoever_was_not_helped_is_not_safe(unsafe: str) -> None:
    *_, last = talk(IMMINENT, unsafe)
    assert situation(last) not in {"safe", "unable_to_come"}


@pytest.mark.parametrize("told", [ACTIVE, IMMINENT])
@pytest.mark.parametrize(
    "hopeless",
    [
        "대신 전화해 줄 사람이 없어요",
        "아무도 나한테 와 주지 않아요",
        "상담사가 무슨 말을 해도 소용없어요",
        "나한테 와 줄 사람도 없어요",
        "신고해 봤자 소용없어요",
    ],
)
def test_hopelessness_is_no_question(told: str, hopeless: str) -> None:
    *_, last = talk(told, hopeless)
    assert situation(last) == "barrier"


@pytest.mark.parametrize("told", [ACTIVE, IMMINENT, HURT, FRIEND, "약을 한 통 다 먹었어"])
@pytest.mark.parametrize(
    "text",
    [
        "토를 해야 속이 편해요 폭식했거든요",
        "우유를 먹여야 하는데 아기가 안 먹어요",
        "커피 마시면 괜찮아질까요",
        "상담사 이름이 기억 안 나",
        "거기 가면 어떻게 해요",
        "거기 어디예요",
        "거기에 아는 사람 있으면 어떻게 하죠",
        "세금 신고를 안 해서 벌 받을까요",
        "보험 신고하면 돈 나와요",
        "보험 신고하면 어떻게 돼요",
        "회사 그만두면 처벌될까",
        "아빠가 경찰에 잡혀 갔어요",
        "경찰이 집에 와서 그냥 갔어요",
        "경찰이 어떻게 됐는지 말을 안 해줘요",
        "학교에서 처벌받을까 봐 무서워요",
        "엄마한테 전화하면 뭐라고 해야 할지 모르겠어요",
        "친구한테 문자를 했는데 뭐라고 답이 왔어요",
        "엄마한테 전화해 줘서 고맙다고 했어요",
        "상담사가 저한테 어떻게 그런 말을 해요",
        "109동에 누가 받아 줬어요",
        "I make myself throw up after meals",
        "should I throw up after a meal",
        "who is the line manager",
        "what should I say to my mom",
        "can you call me Sam",
        "will I get punished at work",
        "장학금 받으려면 독하게 해야돼",
    ],
)
def test_ordinary_talk_after_danger_is_no_question_about_help(told: str, text: str) -> None:
    *_, last = talk(told, text)
    assert last is None or situation(last) not in answers.QUESTIONS.keys() | {"reporting_other", "reporting_abuse"}


def test_first_aid_is_for_what_was_swallowed() -> None:
    for told in (ACTIVE, SOFT, HURT):
        *_, last = talk(told, "토하게 할까요?")
        assert last is None or situation(last) != "first_aid"


@pytest.mark.parametrize(("told", "asked", "answered"), QUESTIONS)
def test_a_question_is_not_answered_twice_with_the_same(told: str, asked: str, answered: str) -> None:
    _, first, second = talk(told, asked, asked)
    assert situation(first) == situation(second) == answered
    assert first != second


def test_a_question_is_a_question_again_once_enough_was_said() -> None:
    helped = talk(ACTIVE, *[ORDINARY] * 4, "신고하면 어떻게 돼요?", "신고하면 어떻게 돼요?")
    assert [each is not None for each in helped] == [True, True, True, True, True, False, False]


@pytest.mark.parametrize(
    "text",
    [
        "이야기 들어 줘서 너무 고마웠어요",
        "엄마가 밥해줘서 정말 고마웠어요",
        "선생님 정말 고마웠습니다 이제 자러 갈게요",
        "오늘 상담 고마웠어요",
        "정말 고마웠어 오늘 얘기 들어줘서",
        "어제 친구가 와 줘서 진짜 고마웠어요",
    ],
)
def test_thanks_for_a_reason_are_no_farewell(text: str) -> None:
    *_, last = talk(OWN, text)
    assert last
    assert last.risk.tier == 2


@pytest.mark.parametrize(
    "text", ["지금까지 고마웠어요", "다들 고마웠다", "고마웠어", "모두 고마웠습니다", "엄마 고마웠어 잘 있어"]
)
def test_a_farewell_after_danger_is_imminent(text: str) -> None:
    *_, last = talk(OWN, text)
    assert situation(last) == "imminent"


def test_a_gentle_doubt_does_not_unsay_that_somebody_is_there() -> None:
    first = follow(OWN)
    assert first
    helped = follow("엄마가 옆에 있어요", [Exchange(OWN, first.words)])
    assert helped
    assert situations()[helped.words][0] == "safe"


@pytest.mark.parametrize(
    "text", ["아니 죽고 싶다는 건 아니에요", "죽고 싶다는 말은 아니었어요", "죽고 싶다는 뜻은 아니에요"]
)
def test_a_wish_that_is_denied_in_so_many_words_is_denied(text: str) -> None:
    told = "나 같은 건 없어지는 게 낫겠지"
    first = follow(told)
    assert first
    helped = follow(text, [Exchange(told, first.words)])
    assert helped
    assert situations()[helped.words][0] == "denied"


@pytest.mark.parametrize("text", ["죽고 싶다는 게 아니라 죽을 거라고요", "죽고 싶다는 건 아닌데 오늘 밤에 끝내려고요"])
def test_a_denial_that_leads_to_worse_is_none(text: str) -> None:
    first = follow(OWN)
    assert first
    helped = follow(text, [Exchange(OWN, first.words)])
    assert helped
    assert situations()[helped.words][0] != "denied"
