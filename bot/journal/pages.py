"""What people may see of their own: who they are to Mentos, the open counsel, and how they felt."""

from collections.abc import Sequence
from datetime import datetime

from bot.conversation.model import Account, CharacterId, Moment, Person, Turn
from bot.conversation.off_record import OffTheRecord
from bot.conversation.ports import Counsels, People

TURNS_SHOWN = 100


class Pages:
    """Fulfils `Journal`, for strangers out of this process's memory."""

    def __init__(
        self, *, people: People, counsels: Counsels, off_record: OffTheRecord, character_id: CharacterId
    ) -> None:
        self._people = people
        self._counsels = counsels
        self._off_record = off_record
        self._character_id = character_id

    async def person(self, account: Account) -> Person:
        known = await self._people.find(account)
        return known or self._off_record.stranger(account, character_id=self._character_id).person

    async def counsel(self, account: Account) -> Sequence[Turn]:
        person = await self.person(account)
        return await self._counsels_of(person).recent(person.user_id, limit=TURNS_SHOWN)

    async def moments(self, account: Account, *, since: datetime) -> Sequence[Moment]:
        person = await self.person(account)
        return await self._counsels_of(person).moments(person.user_id, since=since)

    def _counsels_of(self, person: Person) -> Counsels:
        return self._counsels if person.is_on_record else self._off_record
