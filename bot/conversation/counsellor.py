"""How one message becomes one reply."""

import asyncio
import logging
from collections import Counter, OrderedDict
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from weakref import WeakValueDictionary

from bot.conversation.characters import find
from bot.conversation.commands import Command, Verb, parse, read_consent
from bot.conversation.model import (
    READ_AT_MOST,
    Account,
    Answer,
    Character,
    CharacterId,
    Consent,
    Emotion,
    Kind,
    Message,
    Part,
    Person,
    Scope,
    Situation,
    Turn,
    clean,
    is_blank,
    shorten,
)
from bot.conversation.off_record import OffTheRecord
from bot.conversation.ports import Counsels, EmotionReader, NoReply, People, Responder, Stylist
from bot.conversation.sentences import sentences
from bot.safety.assess import Risk, assess
from bot.safety.gate import gate
from bot.safety.replies import words as crisis_words

log = logging.getLogger(__name__)

CONSENT_VERSION = "2026-11-22"
TURNS_RECALLED = 20
RECORDINGS_KEPT = 1_000
RECORDING_S = 10


class Counsellor:
    """Fulfils `Conversation`: assess, hear, wait for the person's turn, think, speak, store."""

    def __init__(
        self,
        *,
        people: People,
        counsels: Counsels,
        off_record: OffTheRecord,
        emotions: EmotionReader,
        responder: Responder,
        stylist: Stylist,
        characters: Mapping[CharacterId, Character],
        words: Mapping[str, str],
        language: str,
        now: Callable[[], datetime],
        asks_consent: bool = True,
    ) -> None:
        self._people = people
        self._counsels = counsels
        self._off_record = off_record
        self._emotions = emotions
        self._responder = responder
        self._stylist = stylist
        self._characters = characters
        self._default = next(iter(characters.values()))
        self._words = words
        self._language = language
        self._now = now
        self._asks_consent = asks_consent
        self._turnstiles: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._emergencies: Counter[Account] = Counter()
        self._recordings: OrderedDict[tuple[Account, str], asyncio.Task[None]] = OrderedDict()

    async def respond(self, message: Message) -> AsyncIterator[Part]:
        """Answer one message, part by part, as `Conversation` promises."""
        message = replace(message, text=clean(message.text))
        risk = assess(message.text)
        if risk.is_urgent:
            yield self._help(message, risk)
            return
        if is_blank(message.text):
            yield Part(self._words["blank"], Kind.NOTICE)
            return

        calm = self._emergencies[message.account]
        person = await self._meet(message.account)
        if command := parse(message.text):
            yield await self._obey(command, message.account, person)
            return
        if (scopes := self._consent_in(message, person)) is not None:
            yield await self._record_consent(message.account, person, scopes)
            return

        async for part in self._answer(message, person, calm):
            yield part
        if calm == self._emergencies[message.account] and (question := self._question_for(message.account, person)):
            yield question

    async def delivered(self, message: Message) -> None:
        if recording := self._recordings.get((message.account, message.id)):
            await asyncio.wait([recording], timeout=RECORDING_S)
        person = await self._people.find(message.account)
        if person and person.is_on_record:
            await self._counsels.deliver(person.user_id, message, at=self._now())

    async def unanswered(self, messenger: str) -> Sequence[Message]:
        return await self._counsels.unanswered(messenger)

    async def drain(self) -> None:
        """Wait until what was said in an emergency is stored as well."""
        if recordings := list(self._recordings.values()):
            await asyncio.wait(recordings)

    # An emergency: fixed words now, everything else afterwards.

    def _help(self, message: Message, risk: Risk) -> Part:
        """Return the fixed words. They silence every reply to that person that is under way, or waits its turn."""
        self._emergencies[message.account] += 1
        self._off_record.expect_no_answer(message.account)
        part = Part(crisis_words(risk, self._language), Kind.CRISIS)

        delivery = (message.account, message.id)
        if delivery not in self._recordings:
            self._recordings[delivery] = _in_background(self._record_urgent(message, part.text))
        while len(self._recordings) > RECORDINGS_KEPT:
            self._recordings.popitem(last=False)
        return part

    async def _record_urgent(self, message: Message, reply: str) -> None:
        person = await self._meet(message.account)
        counsels = self._counsels_of(person)
        turn = await counsels.hear(person.user_id, message, character=self._character_of(person))
        emotion = await self._emotions.read(message.text)
        answer = Answer(draft=reply, reply=reply, emotion=emotion.label, recalled=(), at=self._now())
        await counsels.answer(person.user_id, turn.id, answer)

    # The ordinary way.

    async def _answer(self, message: Message, person: Person, calm: int) -> AsyncIterator[Part]:
        """Speak for as long as there is no emergency beyond the `calm` ones before this message."""
        counsels, character = self._counsels_of(person), self._character_of(person)
        turn = await counsels.hear(person.user_id, message, character=character)

        turnstile = self._turnstiles.setdefault(person.user_id, asyncio.Lock())
        must_wait = turnstile.locked()
        async with turnstile:
            if must_wait:  # a redelivery may have been answered meanwhile
                turn = await counsels.hear(person.user_id, message, character=character)
            if turn.answer:
                if turn.delivered_at is None and turn.answer.reply:
                    yield Part(turn.answer.reply)
                return

            before = await self._before_the_yes(person)
            emotion, recent = await asyncio.gather(
                self._emotions.read(message.text),
                counsels.recent(person.user_id, limit=TURNS_RECALLED),
            )
            drafts: list[str] = []
            said: list[str] = []
            situation = _situation(message, character, emotion, [*before, *recent][-TURNS_RECALLED:])
            async for sentence in sentences(self._responder.draft(situation)):
                if self._emergencies[message.account] != calm:
                    break
                safe = gate(sentence)
                styled = await self._stylist.restyle(safe, character.renderer) if character.is_restyled else safe
                drafts.append(safe)
                said.append(styled)
                yield Part(styled)
            else:
                if not said:
                    raise NoReply("the responder drafted nothing")

            recalled = tuple(turn.id for turn in recent)
            answer = Answer(" ".join(drafts), " ".join(said), emotion.label, recalled, self._now())
            await counsels.answer(person.user_id, turn.id, answer)

    async def _before_the_yes(self, person: Person) -> Sequence[Turn]:
        """What somebody who has just consented said off the record: thought about, and never stored."""
        return await self._off_record.recent(person.user_id, limit=TURNS_RECALLED) if person.is_on_record else ()

    # Who it is, and what they allow.

    async def _meet(self, account: Account) -> Person:
        known = await self._people.find(account)
        return known or self._off_record.stranger(account, character_id=self._default.id).person

    def _counsels_of(self, person: Person) -> Counsels:
        return self._counsels if person.is_on_record else self._off_record

    def _character_of(self, person: Person) -> Character:
        return self._characters.get(person.character_id, self._default)

    def _question_for(self, account: Account, person: Person) -> Part | None:
        """The AI notice and the consent question, once, at the end of the first reply to a stranger."""
        if person.consent or not self._asks_consent:
            return None
        stranger = self._off_record.stranger(account, character_id=person.character_id)
        if stranger.is_asked:
            return None
        stranger.is_asked = stranger.is_answer_due = True
        return Part(self._words["first_contact"], Kind.CONSENT)

    def _consent_in(self, message: Message, person: Person) -> frozenset[Scope] | None:
        if person.consent or not self._asks_consent:
            return None
        stranger = self._off_record.stranger(message.account, character_id=person.character_id)
        if not stranger.is_answer_due:
            return None
        stranger.is_answer_due = False
        return read_consent(message.text)

    async def _record_consent(self, account: Account, person: Person, scopes: frozenset[Scope]) -> Part:
        await self._people.consent(account, person, Consent(scopes, CONSENT_VERSION, self._now()))
        self._off_record.part(account)
        said = (
            "consent_no"
            if Scope.STORAGE not in scopes
            else "consent_yes"
            if Scope.MEMORY in scopes
            else "consent_storage"
        )
        return Part(self._words[said], Kind.NOTICE)

    async def _obey(self, command: Command, account: Account, person: Person) -> Part:
        match command.verb:
            case Verb.TONE:
                return await self._choose(command.argument, account, person)
            case Verb.CONSENT if not self._asks_consent:
                return Part(self._words["nothing_kept"], Kind.NOTICE)
            case Verb.CONSENT:
                scopes = read_consent(command.argument)
                if scopes is None:
                    return Part(self._words["consent_question"], Kind.CONSENT)
                return await self._record_consent(account, person, scopes)
            case Verb.NEW:
                await self._off_record.end(person.user_id, at=self._now())
                await self._counsels.end(person.user_id, at=self._now())
                return Part(self._words["new_counsel"], Kind.NOTICE)
            case _:
                return Part(self._words["help"], Kind.NOTICE)

    async def _choose(self, words: str, account: Account, person: Person) -> Part:
        chosen = find(self._characters, words)
        if chosen is None:
            asked = self._words["tone_unknown" if words else "tone_list"]
            lines = [asked, *(f"· {c.name}: {c.sample}" for c in self._characters.values())]
            return Part("\n".join(lines), Kind.NOTICE)
        if person.consent:
            await self._people.choose(person.user_id, chosen.id)
        else:
            stranger = self._off_record.stranger(account, character_id=chosen.id)
            stranger.person = replace(person, character_id=chosen.id)
        return Part(self._words["tone_chosen"].format(name=chosen.name, greeting=chosen.greeting), Kind.NOTICE)


def _situation(message: Message, character: Character, emotion: Emotion, turns: Sequence[Turn]) -> Situation:
    readable = tuple(
        turn if len(turn.text) <= READ_AT_MOST else replace(turn, text=shorten(turn.text)) for turn in turns
    )
    return Situation(shorten(message.text), character, emotion, readable)


def _in_background(work: Coroutine[None, None, None]) -> asyncio.Task[None]:
    """Start work that nobody awaits; its failure is logged by kind, since its words may be a person's."""

    def report(task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()):
            log.error("an urgent turn was answered but not stored: %s", type(error).__name__)

    task = asyncio.create_task(work)
    task.add_done_callback(report)
    return task
