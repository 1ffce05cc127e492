"""How a character's sentences are adorned, and when they are not."""

import asyncio

import pytest

from bot.conversation.model import Character, Decorations, Gravity
from bot.conversation.voice import Voice
from tests.fakes import MarkingStylist, character

ADORNED = Decorations(openers=("허허,",), closers=(" ㅎㅎ",), until=Gravity.HEAVY)
UNCLE = character("uncle", "rule:uncle", softened="rule:banmal", decorations=ADORNED)
SENTENCES = ["그랬군요.", "어떤 일이 있었어요?", "많이 애썼네요."]
SEEDS = [str(number) for number in range(40)]


async def say(gravity: Gravity, seed: str, *, who: Character = UNCLE, sentences: list[str] = SENTENCES) -> list[str]:
    voice = Voice(who, gravity, stylist=MarkingStylist(), seed=seed)
    return [await voice.say(sentence) for sentence in sentences]


async def test_the_same_words_are_always_said_the_same_way() -> None:
    assert await say(Gravity.LIGHT, "a") == await say(Gravity.LIGHT, "a")


async def test_sentences_that_are_restyled_together_are_said_as_one_after_the_other() -> None:
    class LastFirst(MarkingStylist):
        """Is done with the last sentence before the others."""

        def __init__(self) -> None:
            self.last_is_done = asyncio.Event()

        async def restyle(self, text: str, renderer: str) -> str:
            if text == SENTENCES[-1]:
                self.last_is_done.set()
            await self.last_is_done.wait()
            return await super().restyle(text, renderer)

    for seed in SEEDS:
        voice = Voice(UNCLE, Gravity.LIGHT, stylist=LastFirst(), seed=seed)
        together = await asyncio.gather(*(voice.say(sentence) for sentence in SENTENCES))
        assert together == await say(Gravity.LIGHT, seed)


async def test_some_replies_open_with_a_small_word_and_no_later_sentence_does() -> None:
    replies = [await say(Gravity.LIGHT, seed) for seed in SEEDS]

    assert 5 < sum(reply[0].startswith("허허, ") for reply in replies) < 35
    assert not any(sentence.startswith("허허") for reply in replies for sentence in reply[1:])


async def test_some_statements_close_with_a_small_word_and_no_question_does() -> None:
    replies = [await say(Gravity.LIGHT, seed) for seed in SEEDS]

    assert 5 < sum(reply[2].endswith("네요 ㅎㅎ") for reply in replies) < 35
    assert all(reply[1].endswith("있었어요?") for reply in replies)


async def test_a_grave_moment_is_said_softly_and_without_adornment() -> None:
    for seed in SEEDS:
        assert await say(Gravity.GRAVE, seed) == [f"<rule:banmal>{sentence}" for sentence in SENTENCES]


@pytest.mark.parametrize(("gravity", "is_adorned"), [(Gravity.LIGHT, True), (Gravity.HEAVY, False)])
async def test_adornment_ends_where_the_character_says(gravity: Gravity, *, is_adorned: bool) -> None:
    light = character("light", "rule:light", decorations=Decorations(openers=("와,",)))

    replies = [await say(gravity, seed, who=light) for seed in SEEDS]

    assert any("와," in reply[0] for reply in replies) is is_adorned


async def test_a_number_is_never_adorned() -> None:
    for seed in SEEDS:
        assert await say(Gravity.LIGHT, seed, sentences=["109에 전화해 주세요."]) == [
            "<rule:uncle>109에 전화해 주세요."
        ]


async def test_what_a_model_says_in_character_stays_as_it_is() -> None:
    free = character("free", "prompt", decorations=ADORNED)
    assert await say(Gravity.LIGHT, "a", who=free) == SENTENCES
