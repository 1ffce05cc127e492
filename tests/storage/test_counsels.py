import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Table, select

from bot.conversation.model import Account, EmotionLabel, Scope, UserId
from storage.keys import NoKey
from storage.tables import character, counsel, dialog, emotion_log, metadata, outbox, user
from tests.storage.conftest import Place, Storage, opened
from tests.storage.examples import FRIEND, GUEST, JUN, MINA, NOON, SCHOLAR, Talker, an_answer, yes

DAY = timedelta(days=1)


@pytest.fixture
async def house(storage: Storage) -> Storage:
    """Storage that knows everybody."""
    for talker in MINA, JUN, GUEST:
        await storage.people.consent(talker.account, talker.person, yes())
    return storage


async def rows_of(storage: Storage, table: Table) -> Sequence[Any]:
    return await storage.rows.read(lambda connection: connection.execute(select(table)).all())


async def talk(storage: Storage, talker: Talker, *emotions: EmotionLabel, at: datetime = NOON) -> None:
    for i, emotion in enumerate(emotions):
        when = at + timedelta(minutes=i)
        turn = await storage.counsels.hear(
            talker.user_id, talker.says("안녕", message_id=when.isoformat(), at=when), character=FRIEND
        )
        await storage.counsels.answer(talker.user_id, turn.id, an_answer(emotion=emotion, at=when))


async def test_a_crowd_of_newcomers_is_heard_at_once(storage: Storage) -> None:
    crowd = [Talker(UserId(f"person-{i}"), Account("discord", str(i))) for i in range(40)]
    await asyncio.gather(*(storage.people.consent(each.account, each.person, yes()) for each in crowd))

    turns = await asyncio.gather(
        *(storage.counsels.hear(each.user_id, each.says("안녕"), character=FRIEND) for each in crowd)
    )

    assert len({turn.counsel_id for turn in turns}) == 40


# What waits for an answer.


async def test_what_was_heard_but_not_answered_is_waiting(house: Storage) -> None:
    message = MINA.says("듣고 있어?")
    await house.counsels.hear(MINA.user_id, message, character=FRIEND)

    assert list(await house.counsels.unanswered("discord")) == [message]


async def test_what_was_answered_but_not_delivered_is_waiting(house: Storage) -> None:
    message = MINA.says("듣고 있어?")
    turn = await house.counsels.hear(MINA.user_id, message, character=FRIEND)
    await house.counsels.answer(MINA.user_id, turn.id, an_answer())

    assert list(await house.counsels.unanswered("discord")) == [message]


async def test_what_was_delivered_is_not_waiting(house: Storage) -> None:
    message = MINA.says("듣고 있어?")
    turn = await house.counsels.hear(MINA.user_id, message, character=FRIEND)
    await house.counsels.answer(MINA.user_id, turn.id, an_answer())

    await house.counsels.deliver(MINA.user_id, message, at=NOON)

    assert not await house.counsels.unanswered("discord")


async def test_each_messenger_is_told_of_its_own_messages_oldest_first(house: Storage) -> None:
    for talker, message_id in ((MINA, "1"), (JUN, "1"), (GUEST, "1"), (MINA, "2")):
        await house.counsels.hear(talker.user_id, talker.says("응?", message_id=message_id), character=FRIEND)

    waiting = await house.counsels.unanswered("discord")

    assert [(message.account, message.id) for message in waiting] == [
        (MINA.account, "1"),
        (JUN.account, "1"),
        (MINA.account, "2"),
    ]


async def test_a_guest_who_waits_is_still_a_guest(house: Storage) -> None:
    await house.counsels.hear(GUEST.user_id, GUEST.says("저기요"), character=FRIEND)

    (message,) = await house.counsels.unanswered("web")

    assert message.account == GUEST.account


async def test_who_is_being_erased_waits_for_nothing(house: Storage) -> None:
    for talker in MINA, JUN:
        await house.counsels.hear(talker.user_id, talker.says("응?"), character=FRIEND)

    await house.keys.erase(MINA.user_id)

    assert [message.account for message in await house.counsels.unanswered("discord")] == [JUN.account]


HEAR_AND_DIE = """
import asyncio, os, signal, sys
from tests.storage.conftest import Place, opened
from tests.storage.examples import FRIEND, MINA, yes

async def main():
    async with opened(Place(*sys.argv[1:])) as storage:
        await storage.people.consent(MINA.account, MINA.person, yes())
        await storage.counsels.hear(MINA.user_id, MINA.says("듣고 있어?"), character=FRIEND)
        os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""


async def test_what_was_heard_outlives_a_killed_process(place: Place) -> None:
    died = subprocess.run(  # noqa: ASYNC221 - nothing else runs meanwhile
        [sys.executable, "-c", HEAR_AND_DIE, place.rows, place.keys], cwd=Path(__file__).parents[2], check=False
    )
    assert died.returncode == -signal.SIGKILL

    async with opened(place) as storage:
        assert list(await storage.counsels.unanswered("discord")) == [MINA.says("듣고 있어?")]


# What a turn leaves.


async def test_an_answer_is_kept_as_the_erd_says(house: Storage) -> None:
    first = await house.counsels.hear(MINA.user_id, MINA.says("하나"), character=FRIEND)
    turn = await house.counsels.hear(MINA.user_id, MINA.says("둘", message_id="2"), character=FRIEND)
    answer = an_answer("그랬군.", emotion=EmotionLabel.WEARY, recalled=(first.id,))

    await house.counsels.answer(MINA.user_id, turn.id, answer)

    row = (await rows_of(house, dialog))[1]
    key = await house.keys.of(MINA.user_id)
    assert key.decrypt(row.u_message, column="dialog.u_message") == "둘"
    assert key.decrypt(row.ai_message, column="dialog.ai_message") == answer.draft
    assert key.decrypt(row.change_dialog, column="dialog.change_dialog") == answer.reply
    assert row.dialog_emotion == "힘듦(지침)"
    assert row.past_dialog == json.dumps([first.id])
    assert (row.dt_dialog, row.dt_answered) == (NOON, answer.at)


async def test_the_counsel_says_who_answered_and_in_which_voice(house: Storage) -> None:
    await house.counsels.hear(MINA.user_id, MINA.says("안녕"), character=SCHOLAR)

    (row,) = await rows_of(house, counsel)

    assert (row.character_id, row.character_model, row.dt_start, row.dt_end) == ("seonbi", "rule:seonbi", NOON, None)


async def test_what_is_to_be_remembered_is_put_out_once(house: Storage) -> None:
    turn = await house.counsels.hear(MINA.user_id, MINA.says("안녕"), character=FRIEND)

    await house.counsels.answer(MINA.user_id, turn.id, an_answer())
    await house.counsels.answer(MINA.user_id, turn.id, an_answer("또"))

    (row,) = await rows_of(house, outbox)
    assert (row.user_id, row.dialog_id, row.op, row.dt_outbox) == (MINA.user_id, turn.id, "upsert", NOON)


async def test_what_is_not_to_be_remembered_is_not_put_out(house: Storage) -> None:
    await house.people.consent(MINA.account, MINA.person, yes(Scope.STORAGE))

    await talk(house, MINA, EmotionLabel.SAD)

    (row,) = await rows_of(house, outbox)
    assert (row.user_id, row.op) == (MINA.user_id, "forget")


async def test_who_allows_memory_again_has_everything_put_out_again(house: Storage) -> None:
    await talk(house, MINA, EmotionLabel.SAD, EmotionLabel.HAPPY)
    await house.people.consent(MINA.account, MINA.person, yes(Scope.STORAGE))

    await house.people.consent(MINA.account, MINA.person, yes())

    assert [row.op for row in await rows_of(house, outbox)] == ["upsert", "upsert", "forget", "upsert", "upsert"]


async def test_a_time_without_its_zone_is_refused(house: Storage) -> None:
    naive = MINA.says("안녕", at=NOON.replace(tzinfo=None))

    with pytest.raises(Exception, match="time zone"):
        await house.counsels.hear(MINA.user_id, naive, character=FRIEND)


async def test_who_never_consented_is_not_heard(storage: Storage) -> None:
    with pytest.raises(NoKey):
        await storage.counsels.hear(MINA.user_id, MINA.says("안녕"), character=FRIEND)

    assert not await rows_of(storage, dialog)


async def test_characters_are_written_over(storage: Storage) -> None:
    await storage.counsels.write_characters([replace(FRIEND, name="새 이름", renderer="prompt")])

    assert {tuple(row) for row in await rows_of(storage, character)} == {
        ("mentos", "새 이름", "prompt"),
        ("seonbi", "seonbi", "rule:seonbi"),
    }


# How a counsel ends.


async def test_the_end_of_a_counsel_logs_how_its_emotions_went(house: Storage) -> None:
    await talk(house, MINA, EmotionLabel.SAD, EmotionLabel.WEARY, EmotionLabel.SAD, EmotionLabel.GRATEFUL)

    await house.counsels.end(MINA.user_id, at=NOON + DAY)
    await house.counsels.end(MINA.user_id, at=NOON + 2 * DAY)

    (ended,) = await rows_of(house, counsel)
    (logged,) = await rows_of(house, emotion_log)
    assert ended.dt_end == logged.dt_emotion_log == NOON + DAY
    assert logged.counsel_id == ended.counsel_id
    assert json.loads(logged.counsel_emotion) == {
        "flow": ["슬픔(우울한)", "힘듦(지침)", "슬픔(우울한)", "고마운"],
        "dominant": "슬픔(우울한)",
        "change": "슬픔(우울한)→고마운",
    }
    assert "슬픔" in logged.counsel_emotion


async def test_emotions_that_end_as_they_began_have_not_changed(house: Storage) -> None:
    await talk(house, MINA, EmotionLabel.SAD, EmotionLabel.GRATEFUL, EmotionLabel.SAD)

    await house.counsels.end(MINA.user_id, at=NOON)

    (logged,) = await rows_of(house, emotion_log)
    assert json.loads(logged.counsel_emotion)["change"] is None


async def test_a_counsel_without_an_answer_logs_no_emotion(house: Storage) -> None:
    await house.counsels.hear(MINA.user_id, MINA.says("안녕"), character=FRIEND)

    await house.counsels.end(MINA.user_id, at=NOON)

    assert not await rows_of(house, emotion_log)


async def test_a_change_of_character_ends_the_counsel_properly(house: Storage) -> None:
    await talk(house, MINA, EmotionLabel.SAD)
    later = NOON + DAY

    await house.counsels.hear(MINA.user_id, MINA.says("그대여", message_id="2", at=later), character=SCHOLAR)

    ended, begun = await rows_of(house, counsel)
    (logged,) = await rows_of(house, emotion_log)
    assert (ended.dt_end, begun.dt_end) == (later, None)
    assert (logged.counsel_id, logged.dt_emotion_log) == (ended.counsel_id, later)


async def test_a_silent_counsel_ends_as_of_its_last_message(house: Storage) -> None:
    await talk(house, MINA, EmotionLabel.SAD, EmotionLabel.WEARY)
    await talk(house, JUN, EmotionLabel.HAPPY, at=NOON + DAY)

    ended = await house.counsels.end_idle(NOON + timedelta(hours=1))

    assert ended == 1
    assert {row.user_id: row.dt_end for row in await rows_of(house, counsel)} == {
        MINA.user_id: NOON + timedelta(minutes=1),
        JUN.user_id: None,
    }
    assert len(await rows_of(house, emotion_log)) == 1
    assert await house.counsels.end_idle(NOON + timedelta(hours=1)) == 0


# How rows end.


async def test_guests_who_left_are_erased_whole(house: Storage) -> None:
    await talk(house, GUEST, EmotionLabel.SAD)
    await house.counsels.end(GUEST.user_id, at=NOON)
    await talk(house, MINA, EmotionLabel.SAD)

    erased = await house.counsels.expire(guests_before=NOON + DAY, turns_before=None, at=NOON)

    assert erased == 1
    assert await house.people.find(GUEST.account) is None
    with pytest.raises(NoKey):
        await house.keys.of(GUEST.user_id)
    for table in metadata.sorted_tables:
        left = [row for row in await rows_of(house, table) if getattr(row, "user_id", None) == GUEST.user_id]
        assert [row.op for row in left] == (["forget"] if table is outbox else [])
    assert len(await rows_of(house, dialog)) == len(await rows_of(house, counsel)) == 1
    assert not await rows_of(house, emotion_log)


async def test_guests_who_are_still_here_stay(house: Storage) -> None:
    await talk(house, GUEST, EmotionLabel.SAD, at=NOON + 2 * DAY)

    assert await house.counsels.expire(guests_before=NOON + DAY, turns_before=None, at=NOON) == 0

    assert await house.people.find(GUEST.account) is not None


async def test_a_guest_who_has_just_consented_stays(house: Storage) -> None:
    assert await house.counsels.expire(guests_before=NOON, turns_before=None, at=NOON) == 0


async def test_a_half_erased_guest_is_found_again(house: Storage) -> None:
    await talk(house, GUEST, EmotionLabel.SAD)
    await house.keys.erase(GUEST.user_id)

    assert await house.counsels.expire(guests_before=NOON + DAY, turns_before=None, at=NOON) == 1

    assert await house.people.find(GUEST.account) is None


async def test_old_turns_go_and_their_counsels_emotions_stay(house: Storage) -> None:
    await talk(house, MINA, EmotionLabel.SAD)
    await house.counsels.end(MINA.user_id, at=NOON)
    await talk(house, MINA, EmotionLabel.HAPPY, at=NOON + 2 * DAY)

    assert await house.counsels.expire(guests_before=NOON - DAY, turns_before=NOON + DAY, at=NOON) == 1

    (kept,) = await rows_of(house, dialog)
    assert kept.dt_dialog == NOON + 2 * DAY
    assert len(await rows_of(house, emotion_log)) == 1
    assert len(await rows_of(house, user)) == 3
    assert [row.op for row in await rows_of(house, outbox)] == ["upsert", "upsert", "delete"]
    moments = await house.counsels.moments(MINA.user_id, since=NOON - DAY)
    assert [moment.emotion for moment in moments] == [EmotionLabel.SAD, EmotionLabel.HAPPY]


async def test_a_row_moved_to_another_person_does_not_open(house: Storage) -> None:
    await talk(house, MINA, EmotionLabel.SAD)
    (row,) = await rows_of(house, dialog)
    key = await house.keys.of(JUN.user_id)

    with pytest.raises(ValueError, match="does not open"):
        key.decrypt(row.u_message, column="dialog.u_message")
