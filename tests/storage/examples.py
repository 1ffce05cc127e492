"""People, characters and words for the tests of what is stored."""

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

from bot.conversation.model import (
    Account,
    Answer,
    Character,
    CharacterId,
    Consent,
    EmotionLabel,
    Message,
    Person,
    Scope,
    TurnId,
    UserId,
)

KOREA = timezone(timedelta(hours=9))
NOON = datetime(2026, 11, 22, 12, 0, 0, 123456, KOREA)
MASTER_KEY = bytes(range(32))


@dataclass(frozen=True, slots=True)
class Talker:
    """Somebody with an account, who has allowed everything."""

    user_id: UserId
    account: Account

    @property
    def person(self) -> Person:
        return Person(self.user_id, FRIEND.id, None)

    def says(self, text: str, *, message_id: str = "1", at: datetime = NOON) -> Message:
        return Message(self.account, message_id, text, at)


def a_character(name: str, *, renderer: str) -> Character:
    return Character(CharacterId(name), name, name, renderer, persona="", greeting="", sample="", softened=renderer)


FRIEND = a_character("mentos", renderer="rule:friend")
SCHOLAR = a_character("seonbi", renderer="rule:seonbi")

MINA = Talker(UserId("mina-7f3a"), Account("discord", "1001"))
JUN = Talker(UserId("jun-91c2"), Account("discord", "1002"))
GUEST = Talker(UserId("guest-5d10"), Account("web", "b3f0", is_guest=True))

ALL = frozenset(Scope)


def yes(*scopes: Scope, at: datetime = NOON) -> Consent:
    return Consent(frozenset(scopes) or ALL, "2026-11-22", at)


def an_answer(
    reply: str = "그랬군요.",
    *,
    emotion: EmotionLabel = EmotionLabel.SAD,
    recalled: tuple[TurnId, ...] = (),
    at: datetime = NOON,
) -> Answer:
    return Answer(f"초안: {reply}", reply, emotion, recalled, at)
