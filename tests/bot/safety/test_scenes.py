"""What is happening right now is answered first: a wound, smoke, an edge, an attacker, a friend out of reach."""

import pytest

from bot.safety.assess import Route, assess, told_by_signs
from bot.safety.course import Exchange, follow
from bot.safety.replies import situations, words

NOW = [
    ("손목 그었는데 피가 안 멈춰요", "bleeding"),
    ("너무 깊게 그은 것 같아 피가 계속 나", "bleeding"),
    ("차 안에 연기가 가득해요 이제 끝이에요", "smoke"),
    ("지금 난간에 앉아 있어요", "edge"),
    ("다리 위에 서 있어요", "edge"),
    ("전남친이 지금 문 앞에 와 있어요", "attacker"),
    ("남편이 칼 들고 방문을 두드려요", "attacker"),
    ("이상한 남자가 집까지 따라왔어요", "attacker"),
    ("동생이 약을 먹은 것 같은데 안 깨어나요", "unconscious"),
    ("친구가 죽겠다고 하고 연락이 안 돼요", "out_of_reach"),
    ("친구가 옥상에 있대요", "out_of_reach"),
    ("엄마가 스스로 떠나셨어요. 저도 따라가고 싶어요", "bereaved"),
    ("선임이 밤마다 때려요", "barracks"),
    ("생활관에서 선임들이 돌아가면서 때려요", "barracks"),
    ("학교 애들이 매일 때려요", "school"),
    ("같은 반 애들이 돈 뺏고 때려요", "school"),
]


def situation(text: str, earlier: list[Exchange] | None = None) -> str | None:
    helped = follow(text, earlier or [])
    return situations()[helped.words][0] if helped else None


@pytest.mark.parametrize(("text", "scene"), NOW)
def test_what_happens_now_has_the_first_word(text: str, scene: str) -> None:
    assert situation(text) == scene


@pytest.mark.parametrize(("text", "scene"), NOW)
def test_then_help_goes_on_as_for_the_danger(text: str, scene: str) -> None:
    first = follow(text)
    assert first
    said = [first.words]
    for _ in range(4):
        helped = follow(text, [Exchange(text, reply) for reply in said])
        assert helped
        said.append(helped.words)
    assert len(set(said)) >= 4
    assert situations()[said[-1]][0] not in {None, scene}


@pytest.mark.parametrize(
    "text",
    [
        "친구가 문 앞에 와 있어요",
        "택배 아저씨가 문 앞에 놓고 갔어요",
        "강아지가 자꾸 따라와요",
        "번개탄 피워서 고기 구웠어요",
        "가스 틀어놓고 나왔나 걱정돼요",
        "코피가 계속 나요",
        "동생이 감기약 먹고 안 일어나요",
        "다리 위에서 야경 봤어요",
    ],
)
def test_the_same_words_in_everyday_life_are_no_sign_of_danger(text: str) -> None:
    assert told_by_signs(text).tier == 0


def test_a_wound_told_later_is_answered_as_a_wound() -> None:
    told = "또 팔을 그었어요"
    helped = follow(told)
    assert helped
    assert situation("근데 피가 계속 나요", [Exchange(told, helped.words)]) == "bleeding"


@pytest.mark.parametrize(
    "text",
    [
        "아빠가 자살하셨어요",
        "작년에 오빠가 스스로 목숨을 끊었어요",
        "친구가 자살했대요 방금 들었어요",
        "저는 자살 유족이에요",
    ],
)
def test_whoever_lost_somebody_to_suicide_is_met_with_condolence_and_asked(text: str) -> None:
    assert assess(text).route is Route.BEREAVEMENT
    assert assess(text).tier <= 1
    assert situation(text) == "bereavement"


def test_condolence_is_said_once_and_then_it_is_a_talk() -> None:
    text = "아빠가 자살하셨어요"
    helped = follow(text)
    assert helped
    assert follow(text, [Exchange(text, helped.words)]) is None


@pytest.mark.parametrize(
    "text", ["아빠가 자살했어요 저도 이제 갈 준비를 해요", "작년에 오빠가 자살했는데 이번엔 동생이 옥상에 올라갔어요"]
)
def test_condolence_hides_no_danger_of_the_living(text: str) -> None:
    told = "아빠가 자살하셨어요"
    first = follow(told)
    assert first
    helped = follow(text, [Exchange(told, first.words)])
    assert helped
    assert helped.risk.is_urgent


@pytest.mark.parametrize(
    ("text", "scene"),
    [
        ("피곤해서 계속 나쁜 생각만 나고 죽고 싶어", "bleeding"),
        ("피부가 계속 나빠져서 죽고 싶어요", "bleeding"),
        ("가스비가 많이 나와서 죽고 싶어", "smoke"),
        ("다리에 쥐가 나서 앉아 있어 자살하고 싶어", "edge"),
        ("친구가 우울해서 아침에 못 일어나요 죽고 싶대요", "unconscious"),
        ("아빠가 지금 안 때려요 예전에 때렸어요", "attacker"),
    ],
)
def test_what_only_sounds_like_a_scene_is_none(text: str, scene: str) -> None:
    assert situation(text) != scene


@pytest.mark.parametrize(
    "text", ["언니가 수면제 먹은 것 같은데 숨소리가 이상해요", "엄마가 약을 먹고 안 깨어나요", "아빠가 농약을 마셨어요"]
)
def test_what_another_swallowed_is_answered_for_the_other(text: str) -> None:
    assert situation(text) == "unconscious"


def test_a_yes_to_whether_the_bereaved_wants_to_follow_is_a_wish_to_die() -> None:
    text = "아빠가 자살하셨어요"
    helped = follow(text)
    assert helped
    assert situation("네 가끔요", [Exchange(text, helped.words)]) == "active"


@pytest.mark.parametrize(
    "text", ["뉴스에서 연예인이 자살했대요", "친구가 자살할까 봐 무서워요", "드라마에서 친구가 자살했어요"]
)
def test_neither_news_nor_fear_is_bereavement(text: str) -> None:
    assert assess(text).route is not Route.BEREAVEMENT


def test_what_bars_the_way_is_not_asked_again_after_the_answer() -> None:
    told = "자살 충동이 들어요"
    first = follow(told)
    assert first
    earlier = [Exchange(told, first.words)]
    barred = follow("전화하기 무서워요", earlier)
    assert barred
    assert situations()[barred.words][0] == "barrier"
    after = follow("오늘도 회사에서 혼났어요", [*earlier, Exchange("전화하기 무서워요", barred.words)])
    assert after
    assert after.words not in {words(after.risk, said=[first.words]), barred.words}


@pytest.mark.parametrize(
    "text",
    [
        "갓난아기를 제가 해칠까 봐 무서워요",
        "아기를 던져버릴 것 같은 생각이 자꾸 들어요",
        "애 낳고 나서 아기 얼굴을 베개로 누르는 상상이 떠올라요",
        "아기를 안고 있으면 떨어뜨리는 장면이 자꾸 떠올라서 무서워요",
    ],
)
def test_a_parent_who_fears_to_hurt_the_baby_gets_words_of_its_own(text: str) -> None:
    assert situation(text) == "perinatal"
    first = follow(text)
    assert first
    yes = follow("네", [Exchange(text, first.words)])
    assert yes
    assert yes.risk.tier == 2


@pytest.mark.parametrize(
    "text",
    [
        "아기가 장난감을 던져요",
        "아기 때문에 잠을 못 자요",
        "조카 아기를 떨어뜨릴까 봐 안아 보지도 못했어",
        "남편이 아기를 던질까 봐 무서워요",
    ],
)
def test_other_words_about_a_baby_are_not_meant(text: str) -> None:
    assert assess(text).route is not Route.PERINATAL
