"""What every implementer of `Counsels` promises."""

import asyncio
import unicodedata
from dataclasses import replace
from datetime import UTC, timedelta

import pytest

from bot.conversation.model import Account, EmotionLabel, Moment
from bot.conversation.ports import Counsels
from tests.storage.examples import FRIEND, JUN, MINA, NOON, SCHOLAR, Talker, an_answer

LATER = NOON + timedelta(hours=1)


async def talk(counsels: Counsels, talker: Talker, *texts: str, start: int = 1) -> None:
    for i, text in enumerate(texts, start):
        message = talker.says(text, message_id=str(i), at=NOON + timedelta(minutes=i))
        turn = await counsels.hear(talker.user_id, message, character=FRIEND)
        await counsels.answer(talker.user_id, turn.id, an_answer(f"{text} 답"))


@pytest.mark.parametrize(
    "text",
    [
        "오늘 좀 힘들었어",
        unicodedata.normalize("NFD", "힘들었어요"),
        "😀😢👩‍👩‍👧‍👦",
        "앞\0뒤",
        "'; DROP TABLE dialog; -- %s :name",
        "가" * 30_000,
    ],
    ids=["plain", "decomposed", "emoji", "nul", "sql", "90 KB"],
)
async def test_what_was_said_and_answered_comes_back_as_it_was(counsels: Counsels, text: str) -> None:
    turn = await counsels.hear(MINA.user_id, MINA.says(text), character=FRIEND)
    answer = an_answer(text, emotion=EmotionLabel.ANXIOUS, recalled=(turn.id,))
    await counsels.answer(MINA.user_id, turn.id, answer)

    (recent,) = await counsels.recent(MINA.user_id, limit=10)

    assert recent == replace(turn, answer=answer)
    assert (recent.text, recent.at) == (text, NOON)


async def test_times_come_back_aware_and_to_the_microsecond(counsels: Counsels) -> None:
    await talk(counsels, MINA, "안녕")

    (turn,) = await counsels.recent(MINA.user_id, limit=1)

    assert turn.at.astimezone(UTC) == (NOON + timedelta(minutes=1)).astimezone(UTC)
    assert turn.at.utcoffset() is not None


async def test_a_redelivered_message_is_the_turn_it_already_is(counsels: Counsels) -> None:
    message = MINA.says("안녕")
    turn = await counsels.hear(MINA.user_id, message, character=FRIEND)
    assert await counsels.hear(MINA.user_id, message, character=FRIEND) == turn

    answer = an_answer()
    await counsels.answer(MINA.user_id, turn.id, answer)
    assert (await counsels.hear(MINA.user_id, message, character=FRIEND)).answer == answer

    await counsels.deliver(MINA.user_id, message, at=NOON)
    assert (await counsels.hear(MINA.user_id, message, character=FRIEND)).delivered_at == NOON


async def test_twenty_deliveries_at_once_are_one_turn(counsels: Counsels) -> None:
    message = MINA.says("안녕")

    turns = await asyncio.gather(*(counsels.hear(MINA.user_id, message, character=FRIEND) for _ in range(20)))

    assert len({turn.id for turn in turns}) == 1
    assert len({turn.counsel_id for turn in turns}) == 1


async def test_messages_that_come_at_once_share_one_counsel(counsels: Counsels) -> None:
    for attempt in range(5):
        messages = [MINA.says("안녕", message_id=f"{attempt}.{i}") for i in range(10)]

        turns = await asyncio.gather(*(counsels.hear(MINA.user_id, each, character=FRIEND) for each in messages))

        assert len({turn.id for turn in turns}) == 10
        assert len({turn.counsel_id for turn in turns}) == 1
        await counsels.end(MINA.user_id, at=NOON)


async def test_newcomers_who_come_at_once_are_all_heard(counsels: Counsels) -> None:
    turns = await asyncio.gather(
        *(counsels.hear(each.user_id, each.says("안녕"), character=FRIEND) for each in (MINA, JUN) * 5)
    )

    assert len({turn.counsel_id for turn in turns}) == 2


async def test_a_message_id_is_only_unique_within_its_account(counsels: Counsels) -> None:
    elsewhere = Account("web", MINA.account.address)
    message = MINA.says("안녕")
    here = await counsels.hear(MINA.user_id, message, character=FRIEND)

    there = await counsels.hear(MINA.user_id, replace(message, account=elsewhere), character=FRIEND)

    assert here.id != there.id


async def test_recent_turns_are_the_last_answered_ones_oldest_first(counsels: Counsels) -> None:
    await talk(counsels, MINA, "하나", "둘", "셋")
    await counsels.hear(MINA.user_id, MINA.says("아직", message_id="4"), character=FRIEND)

    recent = await counsels.recent(MINA.user_id, limit=2)

    assert [turn.text for turn in recent] == ["둘", "셋"]


async def test_the_first_answer_stays(counsels: Counsels) -> None:
    turn = await counsels.hear(MINA.user_id, MINA.says("안녕"), character=FRIEND)
    await counsels.answer(MINA.user_id, turn.id, an_answer("먼저"))

    await counsels.answer(MINA.user_id, turn.id, an_answer("나중"))

    (recent,) = await counsels.recent(MINA.user_id, limit=1)
    assert recent.answer == an_answer("먼저")


async def test_nobody_reads_answers_or_ends_what_is_anothers(counsels: Counsels) -> None:
    turn = await counsels.hear(MINA.user_id, MINA.says("나만의 이야기"), character=FRIEND)
    await counsels.hear(JUN.user_id, JUN.says("안녕"), character=FRIEND)

    await counsels.answer(JUN.user_id, turn.id, an_answer())
    await counsels.deliver(JUN.user_id, MINA.says("나만의 이야기"), at=NOON)
    await counsels.end(JUN.user_id, at=NOON)

    assert await counsels.hear(MINA.user_id, MINA.says("나만의 이야기"), character=FRIEND) == turn
    assert not await counsels.recent(JUN.user_id, limit=10)


async def test_another_character_begins_another_counsel(counsels: Counsels) -> None:
    await talk(counsels, MINA, "안녕")

    turn = await counsels.hear(MINA.user_id, MINA.says("그대여", message_id="2"), character=SCHOLAR)

    assert not await counsels.recent(MINA.user_id, limit=10)
    again = await counsels.hear(MINA.user_id, MINA.says("또", message_id="3"), character=SCHOLAR)
    assert again.counsel_id == turn.counsel_id


async def test_a_counsel_goes_on_though_something_else_renders_its_character(counsels: Counsels) -> None:
    first = await counsels.hear(MINA.user_id, MINA.says("안녕"), character=FRIEND)

    second = await counsels.hear(
        MINA.user_id, MINA.says("또", message_id="2"), character=replace(FRIEND, renderer="prompt")
    )

    assert first.counsel_id == second.counsel_id


async def test_an_ended_counsel_is_not_gone_on_with(counsels: Counsels) -> None:
    await talk(counsels, MINA, "안녕")

    await counsels.end(MINA.user_id, at=NOON)
    await counsels.end(MINA.user_id, at=NOON)

    assert not await counsels.recent(MINA.user_id, limit=10)
    await talk(counsels, MINA, "다시 왔어", start=2)
    assert [turn.text for turn in await counsels.recent(MINA.user_id, limit=10)] == ["다시 왔어"]


async def test_what_is_undone_is_gone_and_what_was_before_it_stays(counsels: Counsels) -> None:
    await talk(counsels, MINA, "하나", "둘")
    await talk(counsels, JUN, "준의 말")

    undone = await counsels.undo(MINA.user_id, at=LATER)

    assert undone is not None
    assert undone.text == "둘"
    assert [turn.text for turn in await counsels.recent(MINA.user_id, limit=10)] == ["하나"]
    assert [turn.text for turn in await counsels.recent(JUN.user_id, limit=10)] == ["준의 말"]


async def test_an_undone_message_that_comes_again_is_heard_anew(counsels: Counsels) -> None:
    await talk(counsels, MINA, "하나")
    await counsels.undo(MINA.user_id, at=LATER)

    turn = await counsels.hear(MINA.user_id, MINA.says("하나"), character=FRIEND)

    assert turn.answer is None


async def test_nothing_is_last_or_undone_where_nothing_was_said(counsels: Counsels) -> None:
    assert await counsels.undo(MINA.user_id, at=NOON) is None
    assert await counsels.last(MINA.user_id, at=NOON) is None

    await talk(counsels, MINA, "하나")
    await counsels.end(MINA.user_id, at=LATER)

    assert await counsels.undo(MINA.user_id, at=LATER) is None
    assert await counsels.last(MINA.user_id, at=LATER) is None


async def test_what_was_heard_after_a_wish_to_undo_stays(counsels: Counsels) -> None:
    await talk(counsels, MINA, "하나", "둘", "셋")
    then = NOON + timedelta(minutes=2)

    last = await counsels.last(MINA.user_id, at=then)
    undone = await counsels.undo(MINA.user_id, at=then)

    assert last == undone
    assert last is not None
    assert last.text == "둘"
    assert [turn.text for turn in await counsels.recent(MINA.user_id, limit=10)] == ["하나", "셋"]


async def test_the_last_turn_need_not_be_answered(counsels: Counsels) -> None:
    turn = await counsels.hear(MINA.user_id, MINA.says("하나"), character=FRIEND)

    assert await counsels.last(MINA.user_id, at=LATER) == turn


async def test_an_answer_anew_takes_the_place_of_the_first_and_leaves_what_was_felt(counsels: Counsels) -> None:
    await talk(counsels, MINA, "하나")
    (turn,) = await counsels.recent(MINA.user_id, limit=10)
    await counsels.correct(MINA.user_id, turn.id, EmotionLabel.GRATEFUL)

    await counsels.answer(MINA.user_id, turn.id, an_answer("다른 답"), anew=True)
    await counsels.answer(JUN.user_id, turn.id, an_answer("준의 답"), anew=True)

    (recent,) = await counsels.recent(MINA.user_id, limit=10)
    assert (recent.text, recent.answer) == ("하나", an_answer("다른 답", emotion=EmotionLabel.GRATEFUL))


async def test_the_persons_own_word_for_a_feeling_replaces_the_guess(counsels: Counsels) -> None:
    await talk(counsels, MINA, "하나", "둘")
    first, second = await counsels.recent(MINA.user_id, limit=10)

    await counsels.correct(MINA.user_id, second.id, EmotionLabel.GRATEFUL)
    await counsels.correct(JUN.user_id, first.id, EmotionLabel.GRATEFUL)

    turns = await counsels.recent(MINA.user_id, limit=10)
    assert [turn.answer and turn.answer.emotion for turn in turns] == [EmotionLabel.SAD, EmotionLabel.GRATEFUL]


async def test_moments_are_what_was_felt_since_a_time_oldest_first(counsels: Counsels) -> None:
    await talk(counsels, MINA, "하나", "둘", "셋")
    await talk(counsels, JUN, "준의 말")
    turns = await counsels.recent(MINA.user_id, limit=10)
    await counsels.correct(MINA.user_id, turns[2].id, EmotionLabel.JOYFUL)

    moments = await counsels.moments(MINA.user_id, since=NOON + timedelta(minutes=2))

    counsel_id = turns[0].counsel_id
    assert moments == [
        Moment(NOON + timedelta(minutes=2), EmotionLabel.SAD, counsel_id),
        Moment(NOON + timedelta(minutes=3), EmotionLabel.JOYFUL, counsel_id),
    ]


async def test_lately_is_what_was_answered_since_a_time_oldest_first_whatever_the_counsel(counsels: Counsels) -> None:
    await talk(counsels, MINA, "하나", "둘")
    await talk(counsels, JUN, "남의 말")
    turn = await counsels.hear(MINA.user_id, MINA.says("셋", message_id="9", at=LATER), character=FRIEND)

    async def texts(since: timedelta, limit: int) -> list[str]:
        turns = await counsels.lately(MINA.user_id, since=NOON + since, limit=limit)
        return [each.text for each in turns]

    assert await texts(timedelta(), 9) == ["하나", "둘"]
    assert await texts(timedelta(minutes=2), 9) == ["둘"]
    assert await texts(timedelta(), 1) == ["둘"]
    assert await texts(timedelta(hours=2), 9) == []
    await counsels.answer(MINA.user_id, turn.id, an_answer("셋 답"))
    assert await texts(timedelta(), 9) == ["하나", "둘", "셋"]


async def test_a_safety_plan_is_kept_replaced_and_its_writers_own(counsels: Counsels) -> None:
    assert await counsels.plan(MINA.user_id) is None
    await counsels.keep_plan(MINA.user_id, "하나")
    await counsels.keep_plan(MINA.user_id, "둘 😀")
    assert await counsels.plan(MINA.user_id) == "둘 😀"
    assert await counsels.plan(JUN.user_id) is None


async def test_a_turn_can_be_looked_at_as_it_stands_by_whom_it_belongs_to(counsels: Counsels) -> None:
    turn = await counsels.hear(MINA.user_id, MINA.says("안녕"), character=FRIEND)
    assert await counsels.find(MINA.user_id, turn.id) == turn

    answer = an_answer()
    await counsels.answer(MINA.user_id, turn.id, answer)
    assert await counsels.find(MINA.user_id, turn.id) == replace(turn, answer=answer)
    assert await counsels.find(JUN.user_id, turn.id) is None

    await counsels.undo(MINA.user_id, at=LATER)
    assert await counsels.find(MINA.user_id, turn.id) is None
