"""Conversations of people who have not said yes: in this process's memory for an hour, and nowhere else."""

import itertools
import uuid
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from bot.conversation.model import (
    Account,
    Answer,
    Character,
    CharacterId,
    CounselId,
    EmotionLabel,
    Message,
    Moment,
    Person,
    Turn,
    TurnId,
    UserId,
)

LIFETIME = timedelta(hours=1)
TURNS_KEPT = 100


@dataclass(slots=True)
class Stranger:
    """Somebody who has not answered the consent question. `is_answer_due` while their next words may be the answer."""

    person: Person
    last_seen: datetime
    is_asked: bool = False
    is_answer_due: bool = False


@dataclass(slots=True)
class _Counsel:
    id: CounselId
    character_id: CharacterId
    last_heard: datetime
    turns: deque[tuple[Message, Turn]] = field(default_factory=lambda: deque(maxlen=TURNS_KEPT))


class OffTheRecord:
    """Fulfils `Counsels` without a trace, and knows strangers: people who have not answered the consent question."""

    def __init__(self, *, now: Callable[[], datetime]) -> None:
        self._now = now
        self._counsels: dict[UserId, _Counsel] = {}
        self._ended: dict[UserId, _Counsel] = {}
        self._strangers: dict[Account, Stranger] = {}
        self._plans: dict[UserId, tuple[datetime, str]] = {}
        self._ids = itertools.count(1)

    def stranger(self, account: Account, *, character_id: CharacterId) -> Stranger:
        """Return who is behind an account that nobody knows; the same person for as long as they keep talking."""
        self._forget()
        stranger = self._strangers.get(account)
        if stranger is None:
            person = Person(UserId(uuid.uuid4().hex), character_id, consent=None)
            stranger = self._strangers[account] = Stranger(person, self._now())
        stranger.last_seen = self._now()
        return stranger

    def expect_no_answer(self, account: Account) -> None:
        """Their next words answer something else than the consent question."""
        if stranger := self._strangers.get(account):
            stranger.is_answer_due = False

    def part(self, account: Account) -> None:
        """Forget a stranger who is one no longer. Their conversation stays until its hour is over."""
        self._strangers.pop(account, None)

    async def hear(self, user_id: UserId, message: Message, *, character: Character) -> Turn:
        self._forget()
        counsel = self._counsels.get(user_id)
        if counsel is None or counsel.character_id != character.id:
            self._end(user_id)
            counsel = _Counsel(CounselId(next(self._ids)), character.id, self._now())
            self._counsels[user_id] = counsel
        counsel.last_heard = self._now()

        for heard, turn in counsel.turns:
            if (heard.account, heard.id) == (message.account, message.id):
                return turn
        turn = Turn(TurnId(next(self._ids)), counsel.id, message.text, message.at)
        counsel.turns.append((message, turn))
        return turn

    def alone(self, user_id: UserId, doing: str) -> AbstractAsyncContextManager[bool]:
        return nullcontext(enter_result=False)

    async def find(self, user_id: UserId, turn_id: TurnId) -> Turn | None:
        counsels = (self._counsels.get(user_id), self._ended.get(user_id))
        turns = (turn for counsel in counsels if counsel for _, turn in counsel.turns)
        return next((turn for turn in turns if turn.id == turn_id), None)

    async def recent(self, user_id: UserId, *, limit: int) -> Sequence[Turn]:
        self._forget()
        return _answered(self._counsels.get(user_id))[-limit:]

    async def lately(self, user_id: UserId, *, since: datetime, limit: int) -> Sequence[Turn]:
        self._forget()
        turns = [*_answered(self._ended.get(user_id)), *_answered(self._counsels.get(user_id))]
        return [turn for turn in turns if turn.at >= since][-limit:]

    async def answer(self, user_id: UserId, turn_id: TurnId, answer: Answer, *, anew: bool = False) -> None:
        counsel = self._counsels.get(user_id)
        for i, (heard, turn) in enumerate(counsel.turns if counsel else ()):
            if counsel and turn.id == turn_id and (anew or turn.answer is None):
                felt = turn.answer.emotion if turn.answer else answer.emotion
                counsel.turns[i] = (heard, replace(turn, answer=replace(answer, emotion=felt)))

    async def deliver(self, user_id: UserId, message: Message, *, at: datetime) -> None:
        counsel = self._counsels.get(user_id)
        for i, (heard, turn) in enumerate(counsel.turns if counsel else ()):
            if counsel and (heard.account, heard.id) == (message.account, message.id):
                counsel.turns[i] = (heard, replace(turn, delivered_at=at))

    async def end(self, user_id: UserId, *, at: datetime) -> None:
        self._end(user_id)

    async def last(self, user_id: UserId, *, at: datetime) -> Turn | None:
        counsel = self._counsels.get(user_id)
        return next((turn for _, turn in reversed(counsel.turns if counsel else ()) if turn.at <= at), None)

    async def undo(self, user_id: UserId, *, at: datetime) -> Turn | None:
        last = await self.last(user_id, at=at)
        if counsel := self._counsels.get(user_id):
            kept = ((heard, turn) for heard, turn in counsel.turns if turn != last)
            counsel.turns = deque(kept, maxlen=TURNS_KEPT)
        return last

    async def correct(self, user_id: UserId, turn_id: TurnId, emotion: EmotionLabel) -> None:
        counsel = self._counsels.get(user_id)
        for i, (heard, turn) in enumerate(counsel.turns if counsel else ()):
            if counsel and turn.id == turn_id and turn.answer:
                counsel.turns[i] = (heard, replace(turn, answer=replace(turn.answer, emotion=emotion)))

    async def moments(self, user_id: UserId, *, since: datetime) -> Sequence[Moment]:
        turns = await self.recent(user_id, limit=TURNS_KEPT)
        return [
            Moment(turn.at, turn.answer.emotion, turn.counsel_id) for turn in turns if turn.answer and turn.at >= since
        ]

    async def plan(self, user_id: UserId) -> str | None:
        self._forget()
        _, plan = self._plans.get(user_id, (None, None))
        return plan

    async def keep_plan(self, user_id: UserId, plan: str) -> None:
        self._plans[user_id] = (self._now(), plan)

    async def unanswered(self, messenger: str, address: str | None = None) -> Sequence[Message]:
        return ()

    def _end(self, user_id: UserId) -> None:
        """Close the open counsel. What was said in it still counts for as long as it would have been kept."""
        if counsel := self._counsels.pop(user_id, None):
            before = self._ended.get(user_id)
            counsel.turns = deque([*(before.turns if before else ()), *counsel.turns], maxlen=TURNS_KEPT)
            self._ended[user_id] = counsel

    def _forget(self) -> None:
        too_old = self._now() - LIFETIME
        for kept in (self._counsels, self._ended):
            for user_id in [user_id for user_id, counsel in kept.items() if counsel.last_heard < too_old]:
                del kept[user_id]
        for account in [account for account, stranger in self._strangers.items() if stranger.last_seen < too_old]:
            del self._strangers[account]
        for user_id in [user_id for user_id, (kept_at, _) in self._plans.items() if kept_at < too_old]:
            del self._plans[user_id]


def _answered(counsel: _Counsel | None) -> Sequence[Turn]:
    return [turn for _, turn in counsel.turns if turn.answer] if counsel else []
