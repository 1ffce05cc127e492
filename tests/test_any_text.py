"""Whatever is written passes through every local stage unharmed."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.backends.embedded import load_embedder, load_emotions, load_scripted, load_stylist
from bot.conversation.gravity import weigh
from bot.conversation.model import Character, CharacterId, EmotionLabel, Situation, clean, shorten
from bot.safety.assess import assess
from bot.safety.gate import gate

SCHOLAR = Character(CharacterId("seonbi"), "선비", "Scholar", "rule:seonbi", "", "", "", "rule:seonbi")
SCRIPT = load_scripted()
ODD = [
    "for (let i = 0; i < 10; i++) { console.log(`${i}`); }  // 힘들다",
    "SELECT * FROM dialog; DROP TABLE user; -- 슬퍼요",
    "!?!?...~~~^^;;;((()))[[[]]]",
    "오늘は本当に疲れたよ 正直 很累 I am so tired 힘드네",
    "مرحبا بالعالم שלום",
    "👩‍👩‍👧‍👦🏳️‍🌈😭" * 30,
    "ㅋ" * 3_000 + "ㅠ" * 3_000,
    "가나다라마바사 " * 1_250,
    "요.\n" * 2_500,
    "\u200b\u202e\ufeff\ud800\x00힘들어요",
]


async def through_every_stage(text: str) -> list[str]:
    text = clean(text)
    assess(text)
    emotion = await load_emotions().read(text)
    assert [label for label, _ in emotion.ranking] == sorted(EmotionLabel, key=dict(emotion.ranking).__getitem__)[::-1]
    load_embedder().document("어떠세요?", shorten(text), before=shorten(text))
    load_embedder().query(shorten(text))
    weigh(text, emotion.label, ())
    drafts = [gate(s) for s in SCRIPT.sentences(Situation(shorten(text), SCHOLAR, emotion, ()))]
    return [await load_stylist().restyle(draft, SCHOLAR.renderer) for draft in drafts]


@pytest.mark.parametrize("text", ODD, ids=range(len(ODD)))
async def test_odd_texts_get_a_reply_that_repeats_nothing_odd(text: str) -> None:
    said = await through_every_stage(text)

    assert said
    assert not re.search(r"[<>{}\[\]`;*]|DROP|console|[\u0590-\u06ff]|😭|요\.\n", " ".join(said))


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=300))
async def test_any_text_gets_whole_sentences(text: str) -> None:
    said = await through_every_stage(text)

    assert said
    assert all(line.endswith((".", "?", "!", "…")) for line in said)
