"""Each implementer of each port in turn. Whoever is talked to in these tests is known beforehand."""

from collections.abc import AsyncIterator

import pytest

from bot.conversation.off_record import OffTheRecord
from bot.conversation.ports import Counsels, People
from tests.fakes import InMemoryPeople
from tests.storage.conftest import opened, place_on
from tests.storage.examples import JUN, MINA, NOON, yes


@pytest.fixture(params=["off_record", "sqlite", "mysql"])
async def counsels(request: pytest.FixtureRequest) -> AsyncIterator[Counsels]:
    if request.param == "off_record":
        yield OffTheRecord(now=lambda: NOON)
        return
    async with place_on(request.param, request) as place, opened(place) as storage:
        for talker in MINA, JUN:
            await storage.people.consent(talker.account, talker.person, yes())
        yield storage.counsels


@pytest.fixture(params=["in_memory", "sqlite", "mysql"])
async def people(request: pytest.FixtureRequest) -> AsyncIterator[People]:
    if request.param == "in_memory":
        yield InMemoryPeople()
        return
    async with place_on(request.param, request) as place, opened(place) as storage:
        yield storage.people
