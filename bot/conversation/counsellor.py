"""How one message becomes one reply."""

import asyncio
import logging
from collections import Counter, OrderedDict
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TypeVar
from weakref import WeakValueDictionary

from bot.conversation import care
from bot.conversation.ahead import ahead
from bot.conversation.characters import find
from bot.conversation.commands import Command, Verb, parse, read_consent
from bot.conversation.gravity import weigh
from bot.conversation.model import (
    READ_AT_MOST,
    Account,
    Answer,
    Character,
    CharacterId,
    Consent,
    EmotionLabel,
    Kind,
    Message,
    Part,
    Person,
    Scope,
    Situation,
    Turn,
    TurnId,
    clean,
    is_blank,
    shorten,
)
from bot.conversation.mood import emotion_called, flow, sparkline
from bot.conversation.off_record import OffTheRecord
from bot.conversation.ports import Counsels, EmotionReader, Memories, NoReply, People, Responder, Stylist
from bot.conversation.prompt import remembered
from bot.conversation.sentences import sentences
from bot.conversation.voice import Voice
from bot.safety import gate
from bot.safety.assess import assess
from bot.safety.plan import SafetyPlan, shown, written
from bot.safety.replies import is_crisis, unable

log = logging.getLogger(__name__)
T = TypeVar("T")

CONSENT_VERSION = "2026-11-22"
TURNS_RECALLED = 20
MEMORIES_RECALLED = 8
MOOD_SHOWN = timedelta(days=30)
DELIVERIES_KEPT = 1_000
SENTENCES_AHEAD = 2
RECORDING_S = 10
EARLIER_S = 0.2
"""How long somebody in danger may wait for what was said earlier to be read."""


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
        memories: Memories,
        words: Mapping[str, Mapping[str, str]],
        language: str,
        now: Callable[[], datetime],
        asks_consent: bool = True,
        on_gated: Callable[[gate.Fault], None] = lambda fault: None,
        hosts: Sequence[str] = (),
        near_emotions: EmotionReader | None = None,
    ) -> None:
        """Words leave the network for a language model at `hosts`; `near_emotions` reads what means danger."""
        self._people = people
        self._counsels = counsels
        self._off_record = off_record
        self._emotions = emotions
        self._responder = responder
        self._stylist = stylist
        self._characters = characters
        self._default = next(iter(characters.values()))
        self._memories = memories
        self._words = words["core"]
        self._moods = words["mood"]
        self._plan_words = words["plan"]
        self._language = language
        self._now = now
        self._asks_consent = asks_consent
        self._on_gated = on_gated
        self._near_emotions = near_emotions or emotions
        self._where_to = words["core"]["goes_to"].format(hosts=" · ".join(hosts)) if hosts else ""
        self._turnstiles: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._emergencies: Counter[Account] = Counter()
        self._heard_of: OrderedDict[tuple[Account, str], Person] = OrderedDict()
        self._recordings: OrderedDict[tuple[Account, str], asyncio.Task[None]] = OrderedDict()

    async def respond(self, message: Message) -> AsyncIterator[Part]:
        """Answer one message, part by part, as `Conversation` promises."""
        message = replace(message, text=clean(message.text))
        command = parse(message.text)
        if assess(message.text).is_urgent:
            yield await self._help(message)
            if command and command.verb is Verb.PLAN:
                yield await self._obey(command, message, await self._meet(message.account))
            return
        if is_blank(message.text):
            yield Part(self._words["blank"], Kind.NOTICE)
            return

        calm = self._emergencies[message.account]
        await self._recorded(message.account)
        person = await self._meet(message.account)
        if command and command.verb is Verb.AGAIN:
            async for part in self._again(message, person, calm):
                yield part
        elif command:
            yield await self._obey(command, message, person)
        elif (scopes := self._consent_in(message, person)) is not None:
            yield await self._record_consent(message.account, person, scopes)
        else:
            async for part in self._listen(message, person, calm):
                yield part

    async def delivered(self, message: Message) -> None:
        if recording := self._recordings.get((message.account, message.id)):
            await asyncio.wait([recording], timeout=RECORDING_S)
        heard_of = self._heard_of.pop((message.account, message.id), None)
        person = heard_of or await self._people.find(message.account)
        if person and person.is_on_record:
            await self._counsels.deliver(person.user_id, message, at=self._now())

    async def unanswered(self, messenger: str, address: str | None = None) -> Sequence[Message]:
        return await self._counsels.unanswered(messenger, address)

    async def drain(self) -> None:
        """Wait until what was said in an emergency is stored as well."""
        if recordings := list(self._recordings.values()):
            await asyncio.wait(recordings)

    # An emergency: fixed words now, everything else afterwards.

    async def _help(self, message: Message) -> Part:
        """Return the fixed words. They silence every reply to that person that is under way, or waits its turn.

        What was said earlier may raise the risk or choose other words; where it cannot be read, the text alone does.
        """
        self._emergencies[message.account] += 1
        self._off_record.expect_no_answer(message.account)
        reading = _in_background(self._said_before(message), "an urgent turn was answered without those before it")
        await asyncio.wait([reading], timeout=EARLIER_S)
        is_read = reading.done() and reading.exception() is None
        turns = reading.result() if is_read else ()
        reading.cancel()
        helped = care.help_with(message.text, turns, at=message.at, language=self._language)
        part = Part(helped.words if helped else unable(message.text, self._language), Kind.CRISIS)

        delivery = (message.account, message.id)
        if delivery not in self._recordings:
            self._recordings[delivery] = _in_background(
                self._record_urgent(message, part.text), "an urgent turn was answered but not stored"
            )
        while len(self._recordings) > DELIVERIES_KEPT:
            self._recordings.popitem(last=False)
        return part

    async def _said_before(self, message: Message) -> Sequence[Turn]:
        await self._recorded(message.account)
        return await self._turns_before(message, await self._meet(message.account))

    async def _turns_before(self, said: Message | Turn, person: Person) -> Sequence[Turn]:
        """Return what was said and answered before, in this counsel and those before it."""
        turns = await self._counsels_of(person).lately(
            person.user_id, since=said.at - care.WATCHED_FOR, limit=care.TURNS_WATCHED
        )
        turns = [*await self._before_the_yes(person), *turns]
        return [turn for turn in turns if turn.at <= said.at and (turn.at, turn.text) != (said.at, said.text)]

    async def _recorded(self, account: Account) -> None:
        """Wait for what somebody said in an emergency to be stored: what they say next comes after it."""
        pending = [task for (whose, _), task in self._recordings.items() if whose == account and not task.done()]
        if pending:
            await asyncio.wait(pending, timeout=RECORDING_S)

    async def _record_urgent(self, message: Message, reply: str) -> None:
        person = await self._meet(message.account)
        counsels = self._counsels_of(person)
        turn = await counsels.hear(person.user_id, message, character=self._character_of(person))
        emotion = await self._near_emotions.read(message.text)
        answer = Answer(draft=reply, reply=reply, emotion=emotion.label, recalled=(), at=self._now())
        await counsels.answer(person.user_id, turn.id, answer)

    # The ordinary way.

    async def _listen(self, message: Message, person: Person, calm: int) -> AsyncIterator[Part]:
        turn = await self._counsels_of(person).hear(person.user_id, message, character=self._character_of(person))
        self._heard_of[message.account, message.id] = person
        while len(self._heard_of) > DELIVERIES_KEPT:
            self._heard_of.popitem(last=False)
        async for part in self._answer(turn, message, person, calm):
            yield part
        if calm == self._emergencies[message.account] and (question := self._question_for(message.account, person)):
            yield question

    async def _answer(
        self, turn: Turn, message: Message, person: Person, calm: int, *, anew: bool = False
    ) -> AsyncIterator[Part]:
        """Speak for as long as there is no emergency beyond the `calm` ones before this message.

        A turn that is answered is answered `anew`, or its reply is repeated where it may not have arrived.
        """
        async with self._turn_of(person) as is_stale:
            stands = await self._counsels_of(person).find(person.user_id, turn.id) if is_stale else turn
            if stands is None:  # undone meanwhile
                return
            if stands.answer and not anew:
                if stands.delivered_at is None and stands.answer.reply:
                    yield Part(stands.answer.reply, Kind.CRISIS if is_crisis(stands.answer.reply) else Kind.SAID)
                return

            async for part in self._reply(stands, message, person, calm, anew=anew):
                yield part

    async def _reply(
        self, turn: Turn, message: Message, person: Person, calm: int, *, anew: bool
    ) -> AsyncIterator[Part]:
        counsels, character = self._counsels_of(person), self._character_of(person)
        turns = await self._turns_before(turn, person)
        if self._emergencies[message.account] == calm and (
            helped := care.help_with(turn.text, turns, at=turn.at, language=self._language)
        ):
            yield Part(helped.words, Kind.CRISIS if is_crisis(helped.words) else Kind.NOTICE)
            emotion = await self._near_emotions.read(turn.text)
            answer = Answer(helped.words, helped.words, emotion.label, (), self._now())
            await counsels.answer(person.user_id, turn.id, answer, anew=anew)
            return

        here = await counsels.recent(person.user_id, limit=care.TURNS_WATCHED)
        here = [each for each in here if each.id != turn.id]
        before = await self._before_the_yes(person)
        is_raised = care.is_raised(turns, at=turn.at)
        is_first = not here and not before
        situation, recalled = await self._understand(turn, person, character.plain if is_raised else character, here)
        drafts: list[str] = []
        said: list[str] = []
        opening = care.opening(turns, is_first=is_first, language=self._language)
        if opening and self._emergencies[message.account] == calm:
            said.append(opening)
            yield Part(opening, Kind.NOTICE)
        async with aclosing(self._spoken(situation)) as spoken:
            async for draft, sentence in spoken:
                if self._emergencies[message.account] != calm:
                    break
                drafts.append(draft)
                said.append(sentence)
                yield Part(sentence)
            else:
                if not drafts:
                    raise NoReply("the responder drafted nothing")
                closings = care.closings(
                    here, at=turn.at, is_raised=is_raised, language=self._language, still_ai=self._words["still_ai"]
                )
                where_to = [self._where_to] if situation.stays_here else []
                for closing in [*closings, *where_to]:
                    said.append(closing)
                    yield Part(closing, Kind.NOTICE)

        if drafts or not anew:
            answer = Answer(" ".join(drafts), " ".join(said), situation.emotion.label, recalled, self._now())
            await counsels.answer(person.user_id, turn.id, answer, anew=anew)

    def _spoken(self, situation: Situation) -> AsyncGenerator[tuple[str, str]]:
        """Yield each sentence of a reply as it was drafted and as it is said; neither says what must not be said."""
        gravity = weigh(situation.text, situation.emotion.label, situation.recent)
        seed = f"{situation.text} {situation.rejected}"
        voice = Voice(situation.character, gravity, stylist=self._stylist, seed=seed)

        async def say(sentence: str) -> tuple[str, str]:
            draft = self._gated(sentence)
            said = await voice.say(draft)
            return draft, said if said == draft else self._gated(said)

        return ahead(sentences(self._responder.draft(situation)), say, at_most=SENTENCES_AHEAD)

    def _gated(self, sentence: str) -> str:
        fault = gate.fault_of(sentence)
        if fault is None:
            return sentence
        self._on_gated(fault)
        return gate.safe_words(fault, sentence)

    async def _understand(
        self, turn: Turn, person: Person, character: Character, here: Sequence[Turn]
    ) -> tuple[Situation, tuple[TurnId, ...]]:
        """Gather what a responder may know, and the ids of the earlier turns that are part of it."""
        before = await self._before_the_yes(person)
        stays_here = bool(self._where_to) and not self._has_said(self._where_to, [*before, *here])
        emotion = await self._emotions.read(turn.text)
        recent = here[-TURNS_RECALLED:]
        at_hand = {turn.id, *(each.id for each in recent)}
        memories = (
            remembered(await self._memories.recall(person.user_id, turn.text, without=at_hand, limit=MEMORIES_RECALLED))
            if person.is_remembered
            else ()
        )
        situation = Situation(
            shorten(turn.text),
            character,
            emotion,
            tuple(_readable([*before, *recent][-TURNS_RECALLED:])),
            memories,
            rejected=(turn.answer.draft,) if turn.answer else (),
            stays_here=stays_here,
        )
        return situation, tuple(each.turn_id for each in memories) + tuple(each.id for each in recent)

    @staticmethod
    def _has_said(notice: str, turns: Sequence[Turn]) -> bool:
        return any(turn.answer and notice in turn.answer.reply for turn in turns)

    async def _again(self, message: Message, person: Person, calm: int) -> AsyncIterator[Part]:
        """Answer the last turn anew, otherwise than before."""
        turn = await self._counsels_of(person).last(person.user_id, at=message.at)
        if turn is None:
            yield Part(self._words["nothing_said"], Kind.NOTICE)
            return
        if turn.answer and is_crisis(turn.answer.reply):  # fixed words have no other version
            yield Part(turn.answer.reply, Kind.CRISIS)
            return
        async for part in self._answer(turn, message, person, calm, anew=True):
            yield part

    async def _before_the_yes(self, person: Person) -> Sequence[Turn]:
        """What somebody who has just consented said off the record: thought about, and never stored."""
        return await self._off_record.recent(person.user_id, limit=TURNS_RECALLED) if person.is_on_record else ()

    @asynccontextmanager
    async def _turn_of(self, person: Person, doing: str = "turns") -> AsyncIterator[bool]:
        """Let one thing at a time be done for a person; says whether what was read before may have changed."""
        turnstile = self._turnstiles.setdefault(f"{person.user_id} {doing}", asyncio.Lock())
        must_wait = turnstile.locked()
        async with turnstile, self._counsels_of(person).alone(person.user_id, doing) as has_others:
            yield must_wait or has_others

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
        if Scope.STORAGE in scopes and (plan := await self._off_record.plan(person.user_id)):
            await self._counsels.keep_plan(person.user_id, plan)
        said = (
            "consent_no"
            if Scope.STORAGE not in scopes
            else "consent_yes"
            if Scope.MEMORY in scopes
            else "consent_storage"
        )
        return Part(self._words[said], Kind.NOTICE)

    async def _obey(self, command: Command, message: Message, person: Person) -> Part:
        match command.verb:
            case Verb.TONE:
                return await self._choose(command.argument, message.account, person)
            case Verb.CONSENT if not self._asks_consent:
                return Part(self._words["nothing_kept"], Kind.NOTICE)
            case Verb.CONSENT:
                scopes = read_consent(command.argument)
                if scopes is None:
                    return Part(self._words["consent_question"], Kind.CONSENT)
                return await self._record_consent(message.account, person, scopes)
            case Verb.NEW:
                await self._off_record.end(person.user_id, at=self._now())
                await self._counsels.end(person.user_id, at=self._now())
                return Part(self._words["new_counsel"], Kind.NOTICE)
            case Verb.UNDO:
                async with self._turn_of(person):
                    undone = await self._counsels_of(person).undo(person.user_id, at=message.at)
                return Part(self._words["undone" if undone else "nothing_said"], Kind.NOTICE)
            case Verb.EMOTION:
                return await self._correct(command.argument, person)
            case Verb.PLAN:
                async with self._turn_of(person, "plan"):  # not behind a reply that is under way
                    return await self._plan(command.argument, person)
            case Verb.MOOD:
                return await self._show_mood(person)
            case _:
                return Part(self._words["help"], Kind.NOTICE)

    async def _plan(self, said: str, person: Person) -> Part:
        """Show the safety plan of this person, after doing what they said about it."""
        counsels, words = self._counsels_of(person), self._plan_words
        plan = SafetyPlan.load(await counsels.plan(person.user_id))
        changed = written(plan, said, words) if said else None
        if changed is None:
            return Part(shown(plan, words), Kind.NOTICE)
        await counsels.keep_plan(person.user_id, changed.dump())
        lines = [words["kept"], shown(changed, words)] if changed.lines else [words["erased"]]
        return Part("\n".join(lines if person.is_on_record else [*lines, words["for_now"]]), Kind.NOTICE)

    async def _correct(self, words: str, person: Person) -> Part:
        """Take the person's own word for what they felt in their last turn."""
        counsels = self._counsels_of(person)
        turns = await counsels.recent(person.user_id, limit=1)
        if not turns or not turns[0].answer:
            return Part(self._words["nothing_said"], Kind.NOTICE)
        emotion = emotion_called(words, self._moods)
        if emotion is None:
            names = ", ".join(self._moods[label.name.lower()] for label in EmotionLabel)
            guess = self._moods[turns[0].answer.emotion.name.lower()]
            return Part(self._words["emotion_guess"].format(emotion=guess, names=names), Kind.NOTICE)
        await counsels.correct(person.user_id, turns[0].id, emotion)
        said = self._words["emotion_corrected"].format(emotion=self._moods[emotion.name.lower()])
        return Part(said, Kind.NOTICE)

    async def _show_mood(self, person: Person) -> Part:
        """Draw the open counsel and the last days in a line each, with a guess at how they went."""
        since = self._now() - MOOD_SHOWN
        moments = await self._counsels_of(person).moments(person.user_id, since=since)
        open_turns = await self._counsels_of(person).recent(person.user_id, limit=1)
        here = [moment for moment in moments if open_turns and moment.counsel_id == open_turns[0].counsel_id]
        lines = []
        for title, these in (("mood_here", here), ("mood_days", moments)):
            if these and (title == "mood_here" or len(these) > len(here)):
                flowed = flow(these, words=self._moods)
                lines.append(f"{self._words[title]} {sparkline(these)}\n{flowed}")
        return Part("\n\n".join(lines) or self._words["nothing_said"], Kind.NOTICE)

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


def _readable(turns: Sequence[Turn]) -> Iterator[Turn]:
    for turn in turns:
        yield turn if len(turn.text) <= READ_AT_MOST else replace(turn, text=shorten(turn.text))


def _in_background(work: Coroutine[None, None, T], what_failed: str) -> asyncio.Task[T]:
    """Start work that nobody need await; its failure is logged by kind, since its words may be a person's."""

    def report(task: asyncio.Task[T]) -> None:
        if not task.cancelled() and (error := task.exception()):
            log.error("%s: %s", what_failed, type(error).__name__)

    task = asyncio.create_task(work)
    task.add_done_callback(report)
    return task
