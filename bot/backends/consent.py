"""People whose consent is not theirs: taken as given for tests and benches, or never asked of a pipe."""

from collections.abc import Callable
from datetime import datetime
from uuid import uuid4

from bot.conversation.model import Account, CharacterId, Consent, Person, Scope, UserId
from bot.conversation.ports import People


class AssumedConsent:
    """Fulfils `People` around another: strangers are stored as having said yes to `scopes`."""

    def __init__(
        self, people: People, *, scopes: frozenset[Scope], character_id: CharacterId, now: Callable[[], datetime]
    ) -> None:
        self._people = people
        self._scopes = scopes
        self._character_id = character_id
        self._now = now

    async def find(self, account: Account) -> Person | None:
        if known := await self._people.find(account):
            return known
        stranger = Person(UserId(uuid4().hex), self._character_id, consent=None)
        return await self.consent(account, stranger, Consent(self._scopes, "assumed", self._now()))

    async def consent(self, account: Account, person: Person, consent: Consent) -> Person:
        return await self._people.consent(account, person, consent)

    async def choose(self, user_id: UserId, character_id: CharacterId) -> None:
        await self._people.choose(user_id, character_id)


class Nobody:
    """Fulfils `People` where nobody is known and nothing is ever stored, whatever is answered."""

    async def find(self, account: Account) -> Person | None:
        return None

    async def consent(self, account: Account, person: Person, consent: Consent) -> Person:
        return person

    async def choose(self, user_id: UserId, character_id: CharacterId) -> None:
        return
