"""How much a moment weighs."""

import pytest

from bot.conversation.gravity import weigh
from bot.conversation.model import CounselId, EmotionLabel, Gravity, Turn, TurnId
from tests.fakes import START


def turn(text: str) -> Turn:
    return Turn(TurnId(1), CounselId(1), text, START)


@pytest.mark.parametrize(
    "text",
    [
        "지난주에 할머니가 돌아가셨어요",
        "강아지가 무지개다리를 건넜어",
        "갑자기 숨이 안 쉬어지고 공황이 왔어요",
        "아빠가 또 때렸어요",
        "반에서 왕따를 당하고 있어요",
        "그냥 사라지고 싶다",
    ],
)
def test_grief_panic_and_hurt_are_grave_whatever_the_emotion_seems(text: str) -> None:
    assert weigh(text, EmotionLabel.JOYFUL, ()) is Gravity.GRAVE


@pytest.mark.parametrize(
    ("text", "emotion", "gravity"),
    [
        ("오늘 날씨가 좋아요", EmotionLabel.JOYFUL, Gravity.LIGHT),
        ("밥 먹었어요", EmotionLabel.EVERYDAY, Gravity.LIGHT),
        ("요즘 잠이 안 와요", EmotionLabel.ANXIOUS, Gravity.HEAVY),
        ("친구랑 다퉜어요", EmotionLabel.SAD, Gravity.HEAVY),
        ("게임에서 상대를 때려눕혔다 ㅋㅋ 재밌어", EmotionLabel.JOYFUL, Gravity.GRAVE),
        ("오늘 최고인 하루였어", EmotionLabel.JOYFUL, Gravity.LIGHT),
        ("공부고 뭐고 다 잊고 놀았어", EmotionLabel.JOYFUL, Gravity.LIGHT),
        ("네가 행복해고 좋아해고 다 기뻐", EmotionLabel.JOYFUL, Gravity.LIGHT),
        ("시험에서 어려운 문제를 다 맞았어요", EmotionLabel.JOYFUL, Gravity.LIGHT),
        ("여름 내내 공부했는데 떨어지니까 그게 제일 허무해", EmotionLabel.HAPPY, Gravity.HEAVY),
        ("엄마한테 미안해서 말을 못 했어ㅠㅠ", EmotionLabel.LOVING, Gravity.HEAVY),
        ("하나도 안 힘들었어요", EmotionLabel.JOYFUL, Gravity.LIGHT),
        ("회사에서 해고됐어요", EmotionLabel.EVERYDAY, Gravity.GRAVE),
        ("어제 형한테 맞았어요", EmotionLabel.EVERYDAY, Gravity.GRAVE),
        ("오늘이 할머니 기일이에요", EmotionLabel.EVERYDAY, Gravity.GRAVE),
    ],
)
def test_the_rest_weighs_as_the_emotion_does(text: str, emotion: EmotionLabel, gravity: Gravity) -> None:
    """A word that may be grave is taken to be so: to joke less is no harm."""
    assert weigh(text, emotion, ()) is gravity


def test_a_grave_word_weighs_for_five_turns() -> None:
    said = [turn("할머니가 돌아가셨어요"), *[turn("네") for _ in range(4)]]

    assert weigh("네", EmotionLabel.EVERYDAY, said) is Gravity.GRAVE
    assert weigh("네", EmotionLabel.EVERYDAY, [*said, turn("네")]) is Gravity.LIGHT
