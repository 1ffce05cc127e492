"""What one visitor sees: the open counsel as the journal has it, and what is being said right now."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby

from bot.conversation.commands import Command, Verb, parse
from bot.conversation.model import Kind, Message, Moment, Part, Person, Turn, is_blank
from bot.safety.assess import assess
from bot.safety.replies import is_crisis

EXCHANGES_KEPT = 50
TURNS_KEPT = 100


@dataclass(slots=True, eq=False)
class Exchange:
    """A message on its way, or answered. `turn` is the one that it is about, where it has a part in the counsel."""

    message: Message
    command: Command | None
    words: str
    at: datetime
    parts: list[Part] = field(default_factory=list)
    is_over: bool = False
    is_delivered: bool = False

    def runs(self) -> Iterator[tuple[Kind, list[str]]]:
        """Its parts in order, those of a kind together."""
        for kind, run in groupby(self.parts, key=lambda part: part.kind):
            yield kind, [part.text for part in run]


@dataclass(frozen=True, slots=True)
class Line:
    """What was said and answered, as it is shown. `turn` is None for what the journal does not hold."""

    words: str
    runs: Sequence[tuple[Kind, Sequence[str]]]
    turn: Turn | None = None
    is_waiting: bool = False


class Desk:
    """One visitor's, shared by all their tabs. Lives in memory only, while a page is open and an hour more."""

    def __init__(self) -> None:
        self.turnstile = asyncio.Lock()
        self.person: Person | None = None
        self.question: Part | None = None
        self.last_seen: datetime | None = None
        self.month: Sequence[Moment] = ()
        self._turns: Sequence[Turn] = ()
        self._earlier: list[Turn] = []
        self._exchanges: list[Exchange] = []
        self._remark: Part | None = None
        self._changed = asyncio.Event()

    @property
    def is_busy(self) -> bool:
        return any(not exchange.is_over for exchange in self._exchanges)

    @property
    def turns(self) -> Sequence[Turn]:
        """All turns that are shown, oldest first."""
        return [*self._earlier, *self._turns]

    @property
    def moments(self) -> Sequence[Moment]:
        return [Moment(turn.at, turn.answer.emotion, turn.counsel_id) for turn in self.turns if turn.answer]

    @property
    def heard(self) -> Sequence[str]:
        """The ids of the last messages that arrived."""
        return [exchange.message.id for exchange in self._exchanges]

    @property
    def notices(self) -> Sequence[Part]:
        """What is to be said about Mentos itself, until the next message."""
        if self._remark:
            return [self._remark]
        last = self._exchanges[-1] if self._exchanges else None
        if last is None or (last.words and not self._turn_of(last) and not last.command):
            return ()  # it stands in the conversation
        return [part for part in last.parts if part.kind is Kind.NOTICE]

    def find(self, id_: str) -> Exchange | None:
        return next((exchange for exchange in self._exchanges if exchange.message.id == id_), None)

    def undelivered(self) -> Iterator[Exchange]:
        return (exchange for exchange in self._exchanges if exchange.is_over and not exchange.is_delivered)

    def begin(self, message: Message) -> Exchange:
        """Take in a message; a command has no words of its own, and `/다시` those of the turn that it is about."""
        command = None if assess(message.text).is_urgent else parse(message.text)  # danger comes before a command
        exchange = Exchange(message, command, "" if command or is_blank(message.text) else message.text, message.at)
        if command and command.verb is Verb.AGAIN and self._turns:
            exchange.words, exchange.at = self._turns[-1].text, self._turns[-1].at
            self._exchanges = [other for other in self._exchanges if other.at != exchange.at or not other.is_over]
        if self.question and self.person and self.person.consent:
            self.question = None  # asked for with `/동의`, and left alone
        self._remark = None
        self._exchanges = [*self._exchanges[-EXCHANGES_KEPT + 1 :], exchange]
        self.tell()
        return exchange

    def hear(self, exchange: Exchange, part: Part) -> None:
        if part.kind is Kind.CONSENT:
            self.question = part
        else:
            exchange.parts.append(part)
        self.tell()

    def end(self, exchange: Exchange) -> None:
        exchange.is_over = True
        if exchange.command and exchange.command.verb in {Verb.NEW, Verb.UNDO}:
            self._exchanges = [other for other in self._exchanges if other is exchange or not other.is_over]
        self.tell()

    def refresh(
        self, person: Person, turns: Sequence[Turn], month: Sequence[Moment], *, after: Exchange | None = None
    ) -> None:
        """Take over what the journal holds now.

        Turns that are gone since a plain message, a yes or another tone belong to a counsel that ended meanwhile: they
        stay in sight. After any other command they are gone because the person wanted that.
        """
        if after and after.command and after.command.verb not in {Verb.TONE, Verb.CONSENT, Verb.AGAIN, Verb.EMOTION}:
            if after.command.verb is Verb.NEW:
                self._earlier = []
        elif after:
            held = {turn.at for turn in turns}
            gone = [turn for turn in self._turns if turn.at not in held and turn.at != after.at]
            self._earlier = [*self._earlier, *gone][-TURNS_KEPT:]
        if person.consent and after and after.command is None:
            self.question = None
        if person.consent and after and after.command and after.command.argument:
            self.question = None
        self.person, self._turns, self.month = person, turns, month

    def remark(self, part: Part) -> None:
        """Say something of the page's own, until the next message."""
        self._remark = part
        self.tell()

    def tell(self) -> None:
        """Wake everybody who watches."""
        self._changed.set()
        self._changed = asyncio.Event()

    async def watch(self, *, at_least_every: float) -> AsyncIterator[bool]:
        """Yield now, after each change and every so many seconds, whether there is anything new."""
        is_news = True
        while True:
            changed = self._changed
            yield is_news
            with suppress(TimeoutError):
                await asyncio.wait_for(changed.wait(), at_least_every)
            is_news = changed.is_set()

    def lines(self) -> list[Line]:
        """Everything in the order in which it was said; what the journal holds only once."""
        spoken = {exchange.at: exchange for exchange in self._exchanges if exchange.words}
        lines = {turn.at: _line(turn, spoken.get(turn.at)) for turn in self.turns}
        for at, exchange in spoken.items():
            if not exchange.is_over or not (at in lines or self._stands_already(exchange)):
                lines[at] = Line(exchange.words, list(exchange.runs()), is_waiting=not exchange.is_over)
        return [lines[at] for at in sorted(lines)]

    def _stands_already(self, exchange: Exchange) -> bool:
        """Say whether it was heard by a bot before this one, and sent anew. Help is shown twice rather than not."""
        if any(part.kind is Kind.CRISIS for part in exchange.parts):
            return False
        said = " ".join(part.text for part in exchange.parts)
        here = {other.at for other in self._exchanges}
        earlier = [turn for turn in self.turns if turn.text == exchange.words and turn.at not in here]
        return any(said in {"", turn.answer.reply if turn.answer else ""} for turn in earlier)

    def _turn_of(self, exchange: Exchange) -> Turn | None:
        return next((turn for turn in self.turns if turn.at == exchange.at), None)


def _line(turn: Turn, spoken: Exchange | None) -> Line:
    """Show a reply piece by piece as it came, where that is still known: nothing moves when it is stored."""
    reply = turn.answer.reply if turn.answer else ""
    if spoken:
        runs = [(kind, texts) for kind, texts in spoken.runs() if kind in {Kind.SAID, Kind.CRISIS}]
        if " ".join(text for _, texts in runs for text in texts) == reply:
            return Line(turn.text, runs, turn)
    kind = Kind.CRISIS if is_crisis(reply) else Kind.SAID
    return Line(turn.text, [(kind, [reply])] if reply else [], turn)
