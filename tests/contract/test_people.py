"""What every implementer of `People` promises."""

import asyncio
from dataclasses import replace
from datetime import timedelta

from bot.conversation.model import Account, Consent, Person, UserId
from bot.conversation.ports import People
from tests.storage.examples import FRIEND, GUEST, JUN, MINA, NOON, SCHOLAR, Talker, yes

NO = Consent(frozenset(), "2026-11-22", NOON)


async def test_a_stranger_is_unknown(people: People) -> None:
    assert await people.find(MINA.account) is None


async def test_who_consents_is_known_by_the_id_they_were_met_by(people: People) -> None:
    consented = await people.consent(MINA.account, MINA.person, yes())

    assert consented == Person(MINA.user_id, FRIEND.id, yes())
    assert await people.find(MINA.account) == consented


async def test_a_no_is_remembered_too(people: People) -> None:
    await people.consent(MINA.account, MINA.person, NO)

    known = await people.find(MINA.account)

    assert known is not None
    assert known.consent == NO
    assert not known.is_on_record


async def test_the_latest_answer_counts(people: People) -> None:
    await people.consent(MINA.account, MINA.person, yes())
    later = replace(NO, version="2027-01-01", at=NOON + timedelta(days=40))

    await people.consent(MINA.account, MINA.person, later)

    known = await people.find(MINA.account)
    assert known is not None
    assert known.consent == later


async def test_a_chosen_character_stays_chosen(people: People) -> None:
    await people.consent(MINA.account, MINA.person, yes())

    await people.choose(MINA.user_id, SCHOLAR.id)
    consented = await people.consent(MINA.account, MINA.person, yes())

    known = await people.find(MINA.account)
    assert known is not None
    assert known.character_id == consented.character_id == SCHOLAR.id


async def test_choosing_changes_nobody_else(people: People) -> None:
    for talker in MINA, JUN:
        await people.consent(talker.account, talker.person, yes())

    await people.choose(MINA.user_id, SCHOLAR.id)

    known = await people.find(JUN.account)
    assert known is not None
    assert known.character_id == FRIEND.id


async def test_a_stranger_who_chooses_leaves_no_trace(people: People) -> None:
    await people.choose(MINA.user_id, SCHOLAR.id)

    assert await people.find(MINA.account) is None


async def test_addresses_that_look_alike_are_different_people(people: People) -> None:
    alike = [
        Account("kakao", "Abc"),
        Account("kakao", "abc"),
        Account("web", "abc"),
        Account("kakao", "😀"),
        Account("kakao", "😢"),
    ]

    for i, account in enumerate(alike):
        await people.consent(account, Talker(UserId(f"person-{i}"), account).person, yes())

    found = [await people.find(account) for account in alike]
    assert [person and person.user_id for person in found] == [f"person-{i}" for i in range(len(alike))]


async def test_consenting_twenty_times_at_once_makes_one_person(people: People) -> None:
    met_by = [Person(UserId(f"met-{i}"), FRIEND.id, None) for i in range(20)]

    consented = await asyncio.gather(*(people.consent(GUEST.account, person, yes()) for person in met_by))

    known = await people.find(GUEST.account)
    assert known is not None
    assert {person.user_id for person in consented} == {known.user_id}
