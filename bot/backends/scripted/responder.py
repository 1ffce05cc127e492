"""The scripted counsellor: it listens, says back what is safe to say back, and asks. No model, no I/O."""

import re
import zlib
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence

from bot.backends.scripted.bank import LOW, Asks, Bank, Mood, Occasion
from bot.backends.scripted.reflection import Join, Morpheme, Reflector
from bot.backends.scripted.topics import Stage, Topic
from bot.conversation.model import EmotionLabel, Memory, Situation, Turn

_REMEMBERED = 20
_CARRIED = 8
_SUBJECT_LASTS, _LOSS_LASTS = 3, 5
"""Turns for which a subject, and a loss, is carried on where nothing new is told."""

_STILL_GLAD = 5
_OFFERED_AFTER = 4
"""Turns before an exercise is offered, and between two offers twice as many: who is offered things is not heard."""

_SENTENCE_END = re.compile(r"(?<=[.?!])\s+")


class ScriptedCounsellor:
    """Fulfils `Responder` with written sentences in plain 해요체: the same situation gives the same reply.

    Turns go from exploring through comfort to small steps, as in ESConv (arXiv 2106.01144), each subject by itself, and
    no sentence is said again within twenty turns. What was said last tells where a conversation stands.
    """

    def __init__(self, *, analyse: Callable[[str], Sequence[Morpheme]], join: Join) -> None:
        self._bank = Bank(analyse=analyse)
        self._analyse = analyse
        self._join = join
        self._reflector = Reflector(lexicon=self._bank.reflection, join=join)

    async def draft(self, situation: Situation) -> AsyncIterator[str]:
        for i, sentence in enumerate(self.sentences(situation)):
            yield f" {sentence}" if i else sentence

    def sentences(self, situation: Situation) -> Sequence[str]:
        """Return the two or three sentences of a reply, a few more where an exercise begins, one question at most."""
        text = situation.text.strip().lower()
        mood = self._bank.mood(text, situation.emotion)
        if self._bank.told(text) is Mood.UNKNOWN and self._is_still_glad(situation):
            mood = Mood.PLAIN  # good news is not asked after as a problem is
        reply = _Reply(situation)
        last = _said(situation.recent[-1:])
        was_asked = bool(last) and last[-1].endswith("?")

        subject = self._topic(situation, mood)
        has_subject = subject is not None and (not subject.is_general or subject is self._bank.topic(text, mood))
        occasion = next(
            (
                occasion
                for occasion in self._bank.occasions
                if not (occasion.yields and has_subject) and occasion.fits(text, mood=mood, was_asked=was_asked)
            ),
            None,
        )
        if not (occasion and occasion.interrupts) and self._exercise(text, situation, mood, last, reply):
            return reply.sentences
        if occasion is None:
            self._listen(situation, mood=mood, reply=reply)
        else:
            self._meet(occasion, situation, mood=mood, was_asked=was_asked, reply=reply)
        return reply.sentences

    def _meet(self, occasion: Occasion, situation: Situation, *, mood: Mood, was_asked: bool, reply: "_Reply") -> None:
        """Answer what is answered in a way of its own."""
        asks = occasion.asks is Asks.ALWAYS or (occasion.asks is Asks.UNLESS_ASKED and not was_asked)
        reply.add(occasion.says, *self._bank.neutral)
        if not asks:
            reply.add(
                occasion.then,
                self._bank.questions[occasion.pool or "afresh"],
                self._bank.questions[Stage.COMFORT],
                self._bank.questions[Stage.EXPLORE],
            )
        elif occasion.asks is Asks.ALWAYS:
            reply.add(occasion.then)
        if asks:
            pool = self._not_told(situation)(self._bank.questions[occasion.pool] if occasion.pool else ())
            reply.add(pool, *self._questions(situation, mood=mood, noun=None))

    def _exercise(self, text: str, situation: Situation, mood: Mood, last: Sequence[str], reply: "_Reply") -> bool:
        """Go on with the exercise that is under way, or begin the one that is asked for."""
        exercises = self._bank.exercises
        if last and (under_way := exercises.reply(text, last[-1], is_new=reply.is_unsaid, draw=reply.draw)):
            lines, is_over = under_way
            reply.say(*lines)
            if is_over:
                reply.add(*self._questions(situation, mood=mood, noun=None), self._bank.questions["afresh"])
            return True
        if asked_for := exercises.asked_for(text, _lately(situation), is_new=reply.is_unsaid):
            reply.say(*asked_for.begin())
            return True
        return False

    def _is_still_glad(self, situation: Situation) -> bool:
        if any(self._bank.is_grave(turn.text.lower()) for turn in situation.recent[-_STILL_GLAD:]):
            return False
        sides = (self._bank.told(turn.text.strip().lower()) for turn in reversed(situation.recent[-_STILL_GLAD:]))
        return next((side for side in sides if side is not Mood.UNKNOWN), None) is Mood.GLAD

    def _listen(self, situation: Situation, *, mood: Mood, reply: "_Reply") -> None:
        """Reflect or validate, perhaps add a remark, and ask."""
        text = situation.text.strip().lower()
        morphemes = self._analyse(situation.text)
        told_now = self._bank.topic(text, mood)
        is_hard = mood in {Mood.LOW, Mood.UNKNOWN}
        reflection = self._reflector.reflect(situation.text, morphemes, with_events=is_hard)
        nouns = self._reflector.nouns(morphemes)
        remembered = self._remembered(nouns, situation)
        if remembered and not reply.is_new(remembered):
            remembered = None
        if remembered:
            reply.say(remembered)

        noun = next(iter(nouns.values()), None)
        heard = self._heard(situation, mood, told_now, noun=noun)
        if reflection is not None and reply.is_new(reflection.sentence):
            reply.say(reflection.sentence)
            if not remembered:
                reply.add([line for line in heard[0] if not reflection.is_said_by(line)])
        else:
            reply.add(*heard, *self._bank.neutral)

        if remembered and remembered.endswith("?"):
            reply.sentences.sort(key=lambda line: line.endswith("?"))
        elif offer := self._offer(text, situation, mood, reply):
            del reply.sentences[1:]
            reply.say(*offer)
        else:
            reply.add(*self._questions(situation, mood=mood, noun=noun))

    def _heard(
        self, situation: Situation, mood: Mood, told_now: Topic | None, *, noun: str | None
    ) -> Sequence[Sequence[str]]:
        """Return what shows that these words were heard, the most fitting first."""
        named = self._bank.named(mood, situation.emotion)
        if told_now is not None and not told_now.is_general:
            return [told_now.says, named]
        subject = self._topic(situation, mood)
        is_lasting = subject is not None and subject.lasts and mood in {Mood.LOW, Mood.UNKNOWN}
        if subject is not None and is_lasting and noun is None and not _is_sad(situation):
            return [subject.says, self._bank.untold[Mood.LOW]]  # anger or worry may be read, grief is talked about
        return [named, told_now.says] if told_now is not None else [named]

    def _remembered(self, nouns: Mapping[str, str], situation: Situation) -> str | None:
        """Take up by a word just said what the person told in an earlier counsel, and ask how it came out."""
        shared = ((noun, memory) for noun in nouns for memory in situation.memories if noun in memory.text)
        noun, memory = next(shared, (None, None))
        if noun is None or memory is None:
            return None
        words = self._bank.reflection
        if noun in words["ahead"] and self._is_ahead(memory) and not re.search(words["came_out"], situation.text):
            topic = self._join([(nouns[noun], "NNG"), ("은", "JX")])
            return str(words["asks_after"]).format(noun=topic)
        return str(words["recalls"]).format(noun=nouns[noun])

    def _is_ahead(self, memory: Memory) -> bool:
        return re.search(self._bank.reflection["is_ahead"], memory.text) is not None

    def _offer(self, text: str, situation: Situation, mood: Mood, reply: "_Reply") -> Sequence[str] | None:
        """Return an exercise that fits, now and then, to somebody in low spirits who has been listened to."""
        turns = situation.recent
        lately = _said(turns[-2 * _OFFERED_AFTER :])
        if mood is not Mood.LOW or len(turns) < _OFFERED_AFTER:
            return None
        if sum(map(self._is_low, turns[-_OFFERED_AFTER:])) < _OFFERED_AFTER / 2:
            return None
        if any(map(self._bank.exercises.is_part, lately)):
            return None
        if any(self._bank.is_grave(turn.text.lower()) for turn in turns[-_CARRIED:]):
            return None
        topic = self._topic(situation, mood)
        if topic is not None and topic.lasts:
            return None  # sorrow wants company before it wants a plan
        emotion = situation.emotion.label if situation.emotion.is_confident else None
        return self._bank.exercises.fitting(text, _lately(situation), emotion, is_new=reply.is_new)

    def _is_low(self, turn: Turn) -> bool:
        told = self._bank.told(turn.text.strip().lower())
        return told is Mood.LOW or (turn.answer is not None and turn.answer.emotion in LOW)

    def _questions(self, situation: Situation, *, mood: Mood, noun: str | None) -> Sequence[Sequence[str]]:
        """Return what can be asked now, the fittest first, without what the person has just told."""

        unknown = self._not_told(situation)
        general = [unknown(self._bank.questions[stage]) for stage in (Stage.EXPLORE, Stage.COMFORT)]
        topic = self._topic(situation, mood)
        stage = self._stage(situation, mood, topic)
        fitting = unknown(topic.questions[stage]) if topic is not None else []
        others = [unknown(topic.questions[other]) for other in Stage if other is not stage] if topic is not None else []
        if mood in {Mood.GLAD, Mood.PLAIN}:
            kind = "expectant" if situation.emotion.label is EmotionLabel.EXPECTANT else mood
            return [fitting, *others, unknown(self._bank.questions[kind]), *general]

        told_now = self._bank.topic(situation.text.strip().lower(), mood)
        if noun is not None and (topic is None or topic is not told_now):
            echo = [line.format(noun=noun) for line in self._bank.reflection["echo_asks"]]
            return [echo, fitting, *others, unknown(self._bank.questions[stage]), *general]
        return [fitting, *others, unknown(self._bank.questions[stage]), *general]

    def _not_told(self, situation: Situation) -> Callable[[Iterable[str]], list[str]]:
        """Return what leaves out the questions whose answer has just been told."""
        said = " ".join([*(turn.text for turn in situation.recent[-_CARRIED:]), situation.text])
        known = [asks for word, asks in self._bank.known if word.search(said)]
        return lambda lines: [line for line in lines if not any(asks.search(line) for asks in known)]

    def _topic(self, situation: Situation, mood: Mood) -> Topic | None:
        """Return what these words are about, or else a loss told before, or what the last ones were about."""
        now = self._bank.topic(situation.text.strip().lower(), mood)
        before = [
            (number, topic)
            for number, turn in enumerate(reversed(situation.recent[-_CARRIED:]))
            if (topic := self._bank.topic(turn.text.strip().lower(), mood)) and not topic.passes
        ]
        lasting = (topic for number, topic in before if number < _LOSS_LASTS and topic.lasts)
        precise = (topic for number, topic in before if number < _SUBJECT_LASTS and not topic.is_general)
        general = (topic for number, topic in before if number == 0)
        if now is not None and not now.is_general:
            return now
        return next(lasting, None) or next(precise, None) or now or next(general, None)

    def _stage(self, situation: Situation, mood: Mood, topic: Topic | None) -> Stage:
        """Return how far the subject has been talked through: two questions a stage, or three turns without one."""
        if mood is Mood.UNKNOWN and topic is None:
            return Stage.EXPLORE
        asked = len(situation.recent) // 2
        if topic is not None:
            own = {line for lines in topic.questions.values() for line in lines}
            asked = sum(line in own for line in _said(situation.recent[-_REMEMBERED:]))
        stage = Stage.EXPLORE if asked < 2 else Stage.COMFORT if asked < 4 else Stage.ACT
        # sorrow wants company before it wants a plan
        return Stage.COMFORT if stage is Stage.ACT and _is_sad(situation) else stage


class _Reply:
    """The sentences chosen so far. Choices hang on the text and the turn, so that they can be repeated."""

    def __init__(self, situation: Situation) -> None:
        rejected = (line for draft in situation.rejected for line in _SENTENCE_END.split(draft.strip()))
        self._said = frozenset(_said(situation.recent[-_REMEMBERED:]))
        self._used = {*self._said, *rejected}
        self._seed = f"{len(situation.recent)} {situation.recent[-1].text if situation.recent else ''} {situation.text}"
        self.sentences: list[str] = []

    def is_new(self, *sentences: str) -> bool:
        return self._used.isdisjoint(sentences)

    def is_unsaid(self, *sentences: str) -> bool:
        """Whether sentences are new in the conversation, though they may have been rejected just now."""
        return self._said.isdisjoint(sentences)

    def draw(self, sides: int) -> int:
        """Throw a die that always falls the same for the same words: 0 to `sides` - 1."""
        return zlib.crc32(f"{len(self.sentences)} {self._seed}".encode(errors="replace")) % sides

    def say(self, *sentences: str) -> None:
        self._used.update(sentences)
        self.sentences += sentences

    def add(self, *pools: Sequence[str]) -> None:
        """Add a sentence from the first pool that has a new one, preferably with another ending."""
        new = next((lines for pool in pools if (lines := [line for line in pool if self.is_new(line)])), None)
        if new is None:
            return
        ending = self.sentences[-1][-4:] if self.sentences else None
        varied = [line for line in new if line[-4:] != ending] or new
        self.say(varied[self.draw(len(varied))])


def _is_sad(situation: Situation) -> bool:
    return situation.emotion.is_confident and situation.emotion.label is EmotionLabel.SAD


def _said(turns: Sequence[Turn]) -> list[str]:
    return [line for turn in turns if turn.answer for line in _SENTENCE_END.split(turn.answer.draft.strip())]


def _lately(situation: Situation) -> str:
    return " ".join([*(turn.text for turn in situation.recent[-_CARRIED:]), situation.text]).lower()
