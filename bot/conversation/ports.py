"""What the conversation needs of the world, in its own words. `storage` and `bot.backends` fulfil these."""

from collections.abc import AsyncGenerator, AsyncIterator, Collection, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Protocol

from bot.conversation.model import (
    Account,
    Answer,
    Character,
    CharacterId,
    Consent,
    Emotion,
    EmotionLabel,
    Memory,
    Message,
    Moment,
    Part,
    Person,
    Situation,
    Turn,
    TurnId,
    UserId,
)


class Conversation(Protocol):
    """What a messenger is handed, and all that it knows of Mentos."""

    def respond(self, message: Message) -> AsyncIterator[Part]:
        """Answer one message, part by part. A message that was delivered before is answered with nothing.

        Never raises on account of what fails inside: that becomes a kind sentence. Commands such as `/말투 선비` are
        messages too.
        """
        ...

    async def delivered(self, message: Message) -> None:
        """Say that the whole reply reached the person, so that it is never sent again."""
        ...

    async def unanswered(self, messenger: str, address: str | None = None) -> Sequence[Message]:
        """Return the stored messages whose reply never arrived, oldest first, to be responded to again.

        They are everybody's, or those from one `address`, and may be answered by another process right now.
        """
        ...


class Journal(Protocol):
    """What a door with a screen shows people of their own."""

    async def person(self, account: Account) -> Person:
        """Return who an account is: somebody known, or a stranger."""
        ...

    async def counsel(self, account: Account) -> Sequence[Turn]:
        """Return the last answered turns of the open counsel, oldest first."""
        ...

    async def moments(self, account: Account, *, since: datetime) -> Sequence[Moment]:
        """Return what they felt in their answered turns since then, oldest first."""
        ...


class People(Protocol):
    """Who has answered the consent question. Strangers are unknown here, and leave no row."""

    async def find(self, account: Account) -> Person | None: ...

    async def consent(self, account: Account, person: Person, consent: Consent) -> Person:
        """Store the answer with its version and time, and with the first one the person and their account."""
        ...

    async def choose(self, user_id: UserId, character_id: CharacterId) -> None: ...


class Counsels(Protocol):
    """The counsels of each person, one open at a time, and their safety plan. Each method takes whose they are."""

    async def hear(self, user_id: UserId, message: Message, *, character: Character) -> Turn:
        """Store a message durably in the open counsel, opening one if there is none or the character changed.

        Unique on account and message id: a redelivery returns the turn as it stands.
        """
        ...

    def alone(self, user_id: UserId, doing: str) -> AbstractAsyncContextManager[bool]:
        """Keep other processes from `doing` the same for this person meanwhile; says whether there may be any."""
        ...

    async def find(self, user_id: UserId, turn_id: TurnId) -> Turn | None:
        """Return a turn as it stands now, or nothing where it was undone."""
        ...

    async def recent(self, user_id: UserId, *, limit: int) -> Sequence[Turn]:
        """Return the last answered turns of the open counsel, oldest first."""
        ...

    async def lately(self, user_id: UserId, *, since: datetime, limit: int) -> Sequence[Turn]:
        """Return the last answered turns that were heard since then, of any counsel, oldest first."""
        ...

    async def answer(self, user_id: UserId, turn_id: TurnId, answer: Answer, *, anew: bool = False) -> None:
        """Store the first answer to a turn, or `anew` one in its place; what the turn feels stays as it was."""
        ...

    async def deliver(self, user_id: UserId, message: Message, *, at: datetime) -> None: ...

    async def end(self, user_id: UserId, *, at: datetime) -> None:
        """End the open counsel, if any, and log the flow of its emotions."""
        ...

    async def last(self, user_id: UserId, *, at: datetime) -> Turn | None:
        """Return the last turn of the open counsel that was heard by then, answered or not."""
        ...

    async def undo(self, user_id: UserId, *, at: datetime) -> Turn | None:
        """Delete that turn for good, and return what it was."""
        ...

    async def correct(self, user_id: UserId, turn_id: TurnId, emotion: EmotionLabel) -> None:
        """Replace the guess at what an answered turn feels by the person's own word."""
        ...

    async def moments(self, user_id: UserId, *, since: datetime) -> Sequence[Moment]:
        """Return what was felt in the answered turns since then, oldest first."""
        ...

    async def plan(self, user_id: UserId) -> str | None:
        """Return the safety plan that somebody keeps, as it was given."""
        ...

    async def keep_plan(self, user_id: UserId, plan: str) -> None:
        """Store a safety plan in place of the one before."""
        ...

    async def unanswered(self, messenger: str, address: str | None = None) -> Sequence[Message]:
        """Return the messages that were heard but whose reply was never stored or never delivered, oldest first."""
        ...


class Memories(Protocol):
    """What was said in turns that somebody allowed to be remembered. Nobody's memories are reached but their own."""

    async def recall(self, user_id: UserId, text: str, *, without: Collection[TurnId], limit: int) -> Sequence[Memory]:
        """Return what has to do with `text`, the fittest first. Raises `NoMemory` when it cannot be searched now."""
        ...


class NoMemory(Exception):
    """Memories are out of reach for now. Says why, never a person's words."""


class NoEncoding(Exception):
    """What a text means cannot be told now. Says where that was looked for and why, never a text."""


class EmotionReader(Protocol):
    async def read(self, text: str) -> Emotion: ...


class Stylist(Protocol):
    async def restyle(self, text: str, renderer: str) -> str:
        """Render one sentence, written in plain 해요체, as `renderer` says; unchanged where that is not safe."""
        ...


class Responder(Protocol):
    def draft(self, situation: Situation) -> AsyncGenerator[str]:
        """Stream a reply in pieces of any size, until closed. Raises `NoReply` when none can be had."""
        ...


class NoReply(Exception):
    """A responder cannot answer: unreachable, refused, cut or too slow. Says why, never a person's words."""
