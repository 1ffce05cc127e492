"""The scripted counsellor: it listens, says back what is safe to say back, and asks. No model, no I/O."""

import re
import zlib
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence

from bot.backends.scripted.bank import Asks, Bank, Mood, Occasion, Skill, Stage, Topic
from bot.backends.scripted.reflection import Join, Morpheme, Reflector
from bot.conversation.model import EmotionLabel, Memory, Situation, Turn

_REMEMBERED = 20
_CARRIED = 8
_STILL_GLAD = 5
_SENTENCE_END = re.compile(r"(?<=[.?!])\s+")


class ScriptedCounsellor:
    """Fulfils `Responder` with written sentences in plain 해요체: the same situation gives the same reply.

    Turns go from exploring through comfort to small steps, as in ESConv (arXiv 2106.01144), and no sentence is said
    again within twenty turns.
    """

    def __init__(self, *, analyse: Callable[[str], Sequence[Morpheme]], join: Join) -> None:
        self._bank = Bank()
        self._analyse = analyse
        self._reflector = Reflector(lexicon=self._bank.reflection, join=join)

    async def draft(self, situation: Situation) -> AsyncIterator[str]:
        for i, sentence in enumerate(self.sentences(situation)):
            yield f" {sentence}" if i else sentence

    def sentences(self, situation: Situation) -> Sequence[str]:
        """Return the two or three sentences of a reply, at most one of them a question."""
        text = situation.text.strip().lower()
        mood = self._bank.mood(text, situation.emotion)
        if self._bank.told(text) is Mood.UNKNOWN and self._is_still_glad(situation):
            mood = Mood.PLAIN  # good news is not asked after as a problem is
        last = _said(situation.recent[-1:])
        was_asked = bool(last) and last[-1].endswith("?")
        reply = _Reply(situation)

        occasion = next((o for o in self._bank.occasions if o.fits(text, mood=mood, was_asked=was_asked)), None)
        if occasion is None:
            self._listen(situation, mood=mood, reply=reply)
            return reply.sentences

        skill = self._accepted(occasion, last)
        if skill is not None and reply.is_new(*skill.steps):
            return skill.steps
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
            pool = self._bank.questions[occasion.pool] if occasion.pool is not None else ()
            reply.add(pool, *self._questions(situation, mood=mood, noun=None, reply=reply))
        return reply.sentences

    def _is_still_glad(self, situation: Situation) -> bool:
        sides = (self._bank.told(turn.text) for turn in reversed(situation.recent[-_STILL_GLAD:]))
        return next((side for side in sides if side is not Mood.UNKNOWN), None) is Mood.GLAD

    def _accepted(self, occasion: Occasion, last: Sequence[str]) -> Skill | None:
        """Return the exercise that our last question offered and the person said yes to."""
        if occasion.name != "yes" or not last:
            return None
        return next((skill for skill in self._bank.skills if skill.offer == last[-1]), None)

    def _listen(self, situation: Situation, *, mood: Mood, reply: "_Reply") -> None:
        """Reflect or validate, perhaps add a remark, and ask."""
        morphemes = self._analyse(situation.text)
        topic = self._topic(situation)
        is_hard = mood in {Mood.LOW, Mood.UNKNOWN}
        reflection = self._reflector.reflect(situation.text, morphemes, with_events=is_hard)
        named = self._bank.named(mood, situation.emotion)
        if topic is not None and topic.lasts and is_hard and situation.emotion.label is not EmotionLabel.SAD:
            named = (*topic.says, *self._bank.untold[Mood.LOW])  # anger or worry may be read, grief is talked about

        if reflection is not None and reply.is_new(reflection.sentence):
            reply.add([reflection.sentence])
            reply.add([line for line in named if not reflection.is_said_by(line)])
        else:
            reply.add(named, *self._bank.neutral)
            if mood is Mood.LOW and topic is not None and topic is self._bank.topic(situation.text) and reply.draw(2):
                reply.add(topic.says)
        nouns = self._reflector.nouns(morphemes)
        if (known := self._remembered(nouns, situation.memories)) and reply.is_new(known):
            reply.sentences.insert(0, known)
        reply.add(*self._questions(situation, mood=mood, noun=next(iter(nouns.values()), None), reply=reply))

    def _remembered(self, nouns: Mapping[str, str], memories: Sequence[Memory]) -> str | None:
        """Say that the person spoke of the same thing before, by a word that they have just said themselves."""
        shared = (said for noun, said in nouns.items() if any(noun in memory.text for memory in memories))
        noun = next(shared, None)
        return self._bank.reflection["recalls"].format(noun=noun) if noun else None

    def _questions(
        self, situation: Situation, *, mood: Mood, noun: str | None, reply: "_Reply"
    ) -> Sequence[Sequence[str]]:
        """Return what can be asked now, the fittest first, without what the person has just told."""
        said = " ".join([*(turn.text for turn in situation.recent[-_CARRIED:]), situation.text])
        known = [asks for word, asks in self._bank.known if word.search(said)]

        def unknown(lines: Iterable[str]) -> list[str]:
            return [line for line in lines if not any(asks.search(line) for asks in known)]

        general = [unknown(self._bank.questions[stage]) for stage in (Stage.EXPLORE, Stage.COMFORT)]
        if mood in {Mood.GLAD, Mood.PLAIN}:
            kind = "expectant" if situation.emotion.label is EmotionLabel.EXPECTANT else mood
            return [unknown(self._bank.questions[kind]), *general]

        stage = _stage(situation, mood, reply)
        topic = self._topic(situation)
        fitting = unknown(topic.questions[stage]) if topic is not None else []
        if noun is not None and stage is Stage.EXPLORE:
            fitting += [line.format(noun=noun) for line in self._bank.reflection["echo_asks"]]
        if topic is not None and topic.lasts:
            return [fitting, unknown(topic.questions[Stage.EXPLORE] + topic.questions[Stage.COMFORT]), *general[::-1]]
        return [fitting, unknown(self._bank.questions[stage]), *general]

    def _topic(self, situation: Situation) -> Topic | None:
        """Return what these words or the last ones are about, or a loss told before: grief keeps to its subject."""
        told = [situation.text, *(turn.text for turn in reversed(situation.recent[-_CARRIED:]))]
        topics = [self._bank.topic(text) for text in told]
        lasting = (topic for topic in topics if topic is not None and topic.lasts)
        return next(lasting, topics[0] or next(iter(topics[1:]), None))


class _Reply:
    """The sentences chosen so far. Choices hang on the text and the turn, so that they can be repeated."""

    def __init__(self, situation: Situation) -> None:
        rejected = (line for draft in situation.rejected for line in _SENTENCE_END.split(draft.strip()))
        self._used = {*_said(situation.recent[-_REMEMBERED:]), *rejected}
        self._seed = f"{len(situation.recent)} {situation.recent[-1].text if situation.recent else ''} {situation.text}"
        self.sentences: list[str] = []

    def is_new(self, *sentences: str) -> bool:
        return self._used.isdisjoint(sentences)

    def draw(self, sides: int) -> int:
        """Throw a die that always falls the same for the same words: 0 to `sides` - 1."""
        return zlib.crc32(f"{len(self.sentences)} {self._seed}".encode(errors="replace")) % sides

    def add(self, *pools: Sequence[str]) -> None:
        """Add a sentence from the first pool that has a new one, preferably with another ending."""
        new = next((lines for pool in pools if (lines := [line for line in pool if self.is_new(line)])), None)
        if new is None:
            return
        ending = self.sentences[-1][-4:] if self.sentences else None
        varied = [line for line in new if line[-4:] != ending] or new
        sentence = varied[self.draw(len(varied))]
        self._used.add(sentence)
        self.sentences.append(sentence)


def _stage(situation: Situation, mood: Mood, reply: _Reply) -> Stage:
    turns = len(situation.recent)
    if mood is Mood.UNKNOWN or turns < 3:
        return Stage.EXPLORE
    stage = Stage.COMFORT if turns < 5 else (Stage.ACT, Stage.COMFORT, Stage.EXPLORE)[reply.draw(3)]
    # sorrow wants company before it wants a plan
    return Stage.COMFORT if stage is Stage.ACT and situation.emotion.label is EmotionLabel.SAD else stage


def _said(turns: Sequence[Turn]) -> list[str]:
    return [line for turn in turns if turn.answer for line in _SENTENCE_END.split(turn.answer.draft.strip())]
