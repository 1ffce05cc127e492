"""What is put before a language model."""

from dataclasses import replace

from bot.conversation.model import Answer, CounselId, Emotion, EmotionLabel, Situation, Turn, TurnId
from bot.conversation.prompt import compose, tokens_at_most
from tests.fakes import CHARACTERS, START

ANXIOUS = Emotion(((EmotionLabel.ANXIOUS, 0.9),), is_confident=True)


def turn(number: int) -> Turn:
    answer = Answer(f"{number}번째 초안", f"{number}번째 말투", EmotionLabel.SAD, (), START)
    return Turn(TurnId(number), CounselId(1), f"{number}번째 말", START, answer)


def situation(character: str, turns: int = 0) -> Situation:
    found = next(c for c in CHARACTERS.values() if c.id == character)
    return Situation("지금 한 말", found, ANXIOUS, tuple(turn(n) for n in range(turns)))


def test_instructions_first_then_turns_in_order_then_what_was_just_said() -> None:
    messages = compose(situation("mentos", 2), budget=3_000)
    assert [m.role for m in messages] == ["system", "user", "assistant", "user", "assistant", "user"]
    assert [m.content for m in messages[1:]] == ["0번째 말", "0번째 초안", "1번째 말", "1번째 초안", "지금 한 말"]


def test_the_model_sees_drafts_and_no_persona_when_a_stylist_renders_the_character() -> None:
    [system, *_] = compose(situation("seonbi"), budget=3_000)
    assert "seonbi의 성격" not in system.content
    assert "해요체" in system.content


def test_a_character_that_the_model_speaks_itself_is_described() -> None:
    [system, *_] = compose(situation("free"), budget=3_000)
    assert "free의 성격" in system.content


def test_a_feeling_is_named_only_when_the_reader_is_confident() -> None:
    unsure = replace(situation("mentos"), emotion=replace(ANXIOUS, is_confident=False))
    assert EmotionLabel.ANXIOUS.value in compose(situation("mentos"), budget=3_000)[0].content
    assert EmotionLabel.ANXIOUS.value not in compose(unsure, budget=3_000)[0].content


def test_the_newest_turns_stay_when_not_all_fit() -> None:
    everything = compose(situation("mentos", 40), budget=100_000)
    budget = 1_500
    messages = compose(situation("mentos", 40), budget=budget)
    assert 3 < len(messages) < len(everything)
    assert messages[-3:] == everything[-3:]
    assert sum(tokens_at_most(m.content) for m in messages) <= budget


def test_dollar_signs_and_braces_in_a_message_are_just_text() -> None:
    odd = replace(situation("mentos"), text="$persona {feeling} $$")
    assert compose(odd, budget=3_000)[-1].content == "$persona {feeling} $$"
