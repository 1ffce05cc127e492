"""The scripted counsellor: it listens, says back what is safe to say back, and asks. No model, no I/O."""

import re
import zlib
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from bot.backends.scripted.bank import LOW, Asks, Bank, Mood, Occasion, Where
from bot.backends.scripted.reflection import Kind, Reflection, Reflector
from bot.backends.scripted.retelling import Join
from bot.backends.scripted.topics import Stage, Topic
from bot.backends.scripted.utterances import Morpheme, utterances
from bot.conversation.model import EmotionLabel, Memory, Situation, Turn

_REMEMBERED = 20
_CARRIED = 8
_SUBJECT_LASTS, _LOSS_LASTS = 3, 5
"""Turns for which a subject, and a loss, is carried on where nothing new is told."""

_STILL_GLAD = 5
_OFFERED_AFTER = 4
"""Turns before an exercise is offered, and between two offers twice as many: who is offered things is not heard."""

_FRAME_RESTS = 3
"""Turns for which words are not given back in the same frame."""

_SHORT = 9
"""Letters of an answer to a question of ours, which tells nothing that could be asked about."""

_OFFERED_WITHIN = 16
"""Letters of a message after which an exercise may be offered: whoever tells more wants to be heard."""

_QUOTATION = re.compile(r"“[^”]*”|‘[^’]*’|\"[^\"]*\"|(?<!\w)'(?!\d)[^']*(?<!\s)'|「[^」]*」")
_SENTENCE_END = re.compile(r"(?<=[.?!])\s+")
_LAUGHS = re.compile(r"[ㅋㅎ]{2}")


@dataclass(frozen=True, slots=True)
class _Heard:
    """A message as it was heard. `told` is what it is about by itself, `subject` what is being talked about."""

    situation: Situation
    text: str
    sentences: Sequence[str]
    mood: Mood
    told: Topic | None
    subject: Topic | None
    is_new: bool
    stage: Stage
    reflections: Sequence[Reflection]
    nouns: Mapping[str, str]

    @property
    def reflection(self) -> Reflection | None:
        return self.reflections[0] if self.reflections else None

    @property
    def is_short(self) -> bool:
        """Whether it is a mere answer, or a few words, with nothing to ask about by itself."""
        return len(re.sub(r"\W", "", self.text)) <= _SHORT

    @property
    def is_told_first(self) -> bool:
        """Whether a situation is told for the first time, and no feeling with it: it has words of its own."""
        is_met = self.is_new and self.told is not None and not self.told.is_general
        return is_met and not (self.reflection and self.reflection.kind is Kind.FEELS)

    @property
    def is_hard(self) -> bool:
        return self.mood in {Mood.LOW, Mood.UNKNOWN}

    @property
    def is_sad(self) -> bool:
        emotion = self.situation.emotion
        return emotion.is_confident and emotion.label is EmotionLabel.SAD


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

    async def draft(self, situation: Situation) -> AsyncGenerator[str]:
        for i, sentence in enumerate(self.sentences(situation)):
            yield f" {sentence}" if i else sentence

    def sentences(self, situation: Situation) -> Sequence[str]:
        """Return the two or three sentences of a reply, a few more where an exercise begins, one question at most."""
        reply = _Reply(situation)
        if self._bank.is_english(situation.text):
            for lines in self._bank.in_english:
                reply.add(lines)
            return reply.sentences or [lines[0] for lines in self._bank.in_english]
        heard = self._hear(situation)
        occasions = self._occasions(heard)
        first = next(occasions, None)
        if not (first and first.interrupts) and self._exercise(heard, reply):
            return reply.sentences
        if first is not None and first.opens:
            reply.add(first.says)
            question = next((other for other in occasions if other.where is Where.ANY), None)
            if question is not None or heard.reflection is not None:
                first = question
        if first is None:
            self._listen(heard, reply)
        else:
            self._meet(first, heard, reply)
        return reply.sentences

    def _hear(self, situation: Situation) -> _Heard:
        text = _own_words(situation.text)
        mood = self._bank.mood(text, situation.emotion)
        if self._bank.told(text) is Mood.UNKNOWN and self._is_still_glad(situation):
            mood = Mood.PLAIN  # good news is not asked after as a problem is
        told, subject, since = self._subject(text, situation, mood)
        morphemes = self._analyse(situation.text)
        reflections = self._reflector.reflect(
            situation.text,
            morphemes,
            frames=lambda sentence: self._frames(sentence.lower(), situation, mood),
            was_asked=bool(_asked(situation)),
            is_under_way=bool(situation.recent),
        )
        cut = utterances(situation.text, morphemes)
        sentences = [_own_words(situation.text[each[0].start : each[-1].end]) for each in cut]
        return _Heard(
            situation,
            text,
            list(filter(None, sentences)) or [text],
            mood,
            told,
            subject,
            is_new=told is not None and told is subject and since == 0 and self._is_last(told, reflections),
            stage=_stage(mood, subject, since if subject is not None else len(situation.recent) // 2),
            reflections=() if self._bank.is_grave(situation.text) else reflections,
            nouns=self._reflector.nouns(morphemes),
        )

    def _frames(self, sentence: str, situation: Situation, mood: Mood) -> Sequence[str]:
        """Return ways to give back a sentence of a text in a mood, without those used in the last turns."""
        if mood is Mood.GLAD and self._bank.told(sentence) is not Mood.GLAD:
            mood = Mood.UNKNOWN  # the joy is in another sentence
        if _LAUGHS.search(sentence):
            mood = Mood.UNKNOWN  # what is told with a laugh is not answered with a sigh
        frames = self._bank.frames(mood, situation.emotion)
        lately = _said(situation.recent[-_FRAME_RESTS:])
        return [f for f in frames if not any(line.endswith(f.removeprefix("{told}")) for line in lately)] or frames

    def _subject(self, text: str, situation: Situation, mood: Mood) -> tuple[Topic | None, Topic | None, int]:
        """Return what these words are about, what is talked about, and for how many turns it has been.

        That is these words', or else a loss told before, or what the last ones were about.
        """
        earlier = (_own_words(turn.text) for turn in situation.recent)
        hidden = {area for told in earlier for topic in self._bank.topics.met(told) for area in topic.hides}
        now = self._bank.topic(text, mood, hidden)
        before = [
            (number, topic)
            for number, turn in enumerate(reversed(situation.recent[-_CARRIED:]), start=1)
            if (topic := self._bank.topic(_own_words(turn.text), mood, hidden)) and not topic.passes
        ]
        lasting = (topic for number, topic in before if number <= _LOSS_LASTS and topic.lasts)
        precise = (topic for number, topic in before if number <= _SUBJECT_LASTS and not topic.is_general)
        general = (topic for number, topic in before if number == 1)
        if now is not None and not now.is_general:
            subject: Topic | None = now
        else:
            subject = next(lasting, None) or next(precise, None) or now or next(general, None)
        return now, subject, max((number for number, topic in before if topic is subject), default=0)

    def _is_last(self, topic: Topic, reflections: Sequence[Reflection]) -> bool:
        """Whether what is given back belongs to a topic, and does not go beyond it."""
        return not reflections or topic.lasts or topic in self._bank.topics.met(reflections[0].says[0])

    def _occasions(self, heard: _Heard) -> Iterator[Occasion]:
        """Yield what is answered in a way of its own, if these words are such things, the most pressing first."""
        has_subject = heard.subject is not None and (not heard.subject.is_general or heard.subject is heard.told)
        asked = _asked(heard.situation)
        for occasion in self._bank.occasions:
            is_passed_over = occasion.yields and (has_subject or heard.reflection)
            if not is_passed_over and occasion.fits(heard.sentences, mood=heard.mood, asked=asked):
                yield occasion

    def _meet(self, occasion: Occasion, heard: _Heard, reply: "_Reply") -> None:
        is_opened = bool(reply.sentences)
        if not (is_opened and occasion.opens):
            reply.add(occasion.says, *self._bank.neutral)
        asks = occasion.asks is Asks.ALWAYS or (occasion.asks is Asks.UNLESS_ASKED and not _asked(heard.situation))
        if not asks:
            reply.add(
                occasion.then,
                self._bank.questions[occasion.pool or "afresh"],
                self._bank.questions[Stage.COMFORT],
                self._bank.questions[Stage.EXPLORE],
            )
        elif occasion.asks is Asks.ALWAYS and not is_opened:
            reply.add(occasion.then)
        if asks:
            is_under_way = occasion.pool == "afresh" and len(heard.situation.recent) > 1
            pool = "back" if is_under_way else occasion.pool
            own = self._not_told(heard.situation)(self._bank.questions[pool] if pool else ())
            reply.add(own, *self._questions(heard))

    def _exercise(self, heard: _Heard, reply: "_Reply") -> bool:
        """Go on with the exercise that is under way, or begin the one that is asked for."""
        exercises, situation = self._bank.exercises, heard.situation
        if self._is_grave_lately(situation):
            return False
        last = _said(situation.recent[-1:])
        if last and (under_way := exercises.reply(heard.text, last[-1], is_new=reply.is_unsaid, draw=reply.draw)):
            lines, is_over = under_way
            reply.say(*lines)
            if is_over and heard.reflection is not None:
                reply.add(heard.reflection.says)
            if is_over:
                reply.add(*self._questions(heard), self._bank.questions["afresh"])
            return True
        if asked_for := exercises.asked_for(heard.text, _lately(situation), is_new=reply.is_unsaid):
            reply.say(*asked_for.begin())
            return True
        return False

    def _is_grave_lately(self, situation: Situation) -> bool:
        return any(map(self._bank.is_grave, (situation.text, *(turn.text for turn in situation.recent[-_CARRIED:]))))

    def _is_still_glad(self, situation: Situation) -> bool:
        if any(self._bank.is_grave(turn.text) for turn in situation.recent[-_STILL_GLAD:]):
            return False
        sides = (self._bank.told(_own_words(turn.text)) for turn in reversed(situation.recent[-_STILL_GLAD:]))
        return next((side for side in sides if side is not Mood.UNKNOWN), None) is Mood.GLAD

    def _listen(self, heard: _Heard, reply: "_Reply") -> None:
        """Give back or validate what was told, and ask."""
        is_opened = bool(reply.sentences)
        remembered = self._remembered(heard)
        if remembered and reply.is_new(remembered):
            reply.say(remembered)
        else:
            remembered = None

        reflection = heard.reflection
        if reflection is not None and reply.is_new(*reflection.says) and (is_opened or not heard.is_told_first):
            reply.add(reflection.says)
            if reflection.kind is Kind.FEELS and not remembered and not is_opened:
                reply.add(*self._besides(heard, reflection))
        else:
            reply.add(*self._validations(heard), *self._bank.neutral)

        if remembered and remembered.endswith("?"):
            reply.sentences.sort(key=lambda line: line.endswith("?"))
        elif not is_opened and (offer := self._offer(heard, reply)):
            del reply.sentences[1:]
            reply.say(*offer)
        else:
            reply.add(*self._questions(heard))

    def _besides(self, heard: _Heard, feeling: Reflection) -> Sequence[Sequence[str]]:
        """Return what goes with a feeling that was given back: what else was told, or words for it."""
        others = [line for other in heard.reflections[1:] if other.kind is not Kind.FEELS for line in other.says]
        situation = heard.told.says if heard.is_new and heard.told is not None and not heard.told.is_general else ()
        lines = situation or others or self._bank.untold.get(heard.mood, ())
        return [[line for line in lines if not feeling.is_said_by(line)]]

    def _validations(self, heard: _Heard) -> Sequence[Sequence[str]]:
        """Return what shows that these words were heard, the most fitting first."""
        named = self._bank.named(heard.mood, heard.situation.emotion)
        if heard.told is not None:
            if not heard.told.is_general:
                return [heard.told.says, named]
            return [named, heard.told.says] if heard.mood is Mood.LOW else [named]
        if heard.subject is not None and heard.subject.lasts and heard.is_hard and not heard.is_sad:
            return [heard.subject.says, self._bank.untold[Mood.LOW]]  # anger may be read, grief is talked about
        return [named]

    def _remembered(self, heard: _Heard) -> str | None:
        """Take up by a word just said what the person told in an earlier counsel, and ask how it came out."""
        memories = heard.situation.memories
        shared = (
            (noun, memory)
            for noun in heard.nouns
            for memory in memories
            if re.search(rf"(?<![가-힣]){noun}(?!님)", memory.text)
        )
        noun, memory = next(shared, (None, None))
        if noun is None or memory is None:
            return None
        words = self._bank.reflection
        if noun in words["ahead"] and self._is_ahead(memory) and not re.search(words["came_out"], heard.situation.text):
            topic = self._join([(heard.nouns[noun], "NNG"), ("은", "JX")])
            return str(words["asks_after"]).format(noun=topic)
        return str(words["recalls"]).format(noun=heard.nouns[noun])

    def _is_ahead(self, memory: Memory) -> bool:
        return re.search(self._bank.reflection["is_ahead"], memory.text) is not None

    def _offer(self, heard: _Heard, reply: "_Reply") -> Sequence[str] | None:
        """Return an exercise that fits, now and then, to somebody in low spirits who has been listened to."""
        turns = heard.situation.recent
        lately = _said(turns[-2 * _OFFERED_AFTER :])
        if heard.mood is not Mood.LOW or len(turns) < _OFFERED_AFTER or self._is_grave_lately(heard.situation):
            return None
        if len(re.sub(r"\W", "", heard.text)) > _OFFERED_WITHIN:
            return None
        if sum(map(self._is_low, turns[-_OFFERED_AFTER:])) < _OFFERED_AFTER / 2:
            return None
        if any(map(self._bank.exercises.is_part, lately)):
            return None
        if heard.subject is not None and heard.subject.lasts:
            return None  # sorrow wants company before it wants a plan
        emotion = heard.situation.emotion.label if heard.situation.emotion.is_confident else None
        return self._bank.exercises.fitting(heard.text, _lately(heard.situation), emotion, is_new=reply.is_new)

    def _is_low(self, turn: Turn) -> bool:
        told = self._bank.told(_own_words(turn.text))
        return told is Mood.LOW or (turn.answer is not None and turn.answer.emotion in LOW)

    def _questions(self, heard: _Heard) -> Sequence[Sequence[str]]:
        """Return what can be asked now, the fittest first, without what has just been told or asked."""
        pools, stage, topic = self._bank.questions, heard.stage, heard.subject
        of_topic = [topic.questions[each] for each in sorted(Stage, key=lambda s: s is not stage)] if topic else []
        of_kind = [pools[heard.reflection.kind]] if heard.reflection else []
        if heard.reflection and heard.mood is Mood.LOW:
            of_kind[0] += pools.get(f"{heard.reflection.kind}, hard", ())
        later = stage if stage is not Stage.ACT or heard.is_short else Stage.COMFORT  # new words want no advice
        general = [pools[later], pools[Stage.EXPLORE], pools[Stage.COMFORT]]
        if heard.mood is Mood.GLAD or (heard.mood is Mood.PLAIN and not of_kind):
            is_expectant = heard.situation.emotion.label is EmotionLabel.EXPECTANT
            chosen = [*of_topic, pools["expectant" if is_expectant else heard.mood], *general]
        elif _belongs_to_subject(heard):
            chosen = [*of_topic, *of_kind, *general]
        else:
            chosen = [*of_kind, *general, *of_topic]
        return list(map(self._not_told(heard.situation), chosen))

    def _not_told(self, situation: Situation) -> Callable[[Iterable[str]], list[str]]:
        """Return what leaves out the questions whose answer has just been told, and those that ask the same again."""
        said = "\n".join([*(turn.text for turn in situation.recent[-_CARRIED:]), situation.text])
        asked = " ".join(line for line in _said(situation.recent[-1:]) if line.endswith("?"))
        known = [asks for word, asks in self._bank.known if word.search(said)]
        known += [slot for slot in self._bank.slots if slot.search(asked)]
        return lambda lines: [line for line in lines if not any(asks.search(line) for asks in known)]


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


def _belongs_to_subject(heard: _Heard) -> bool:
    """Whether what was told is best asked about as a part of the subject, and not by itself."""
    if heard.subject is None:
        return False
    if not heard.is_new and heard.reflection and heard.reflection.kind is Kind.FEELS:
        return False
    if heard.is_new:
        return heard.is_told_first or heard.is_short
    is_their_turn = len(heard.situation.recent) % 2 == 1
    if heard.told is heard.subject:
        return is_their_turn or heard.stage is not Stage.EXPLORE
    return heard.stage is Stage.EXPLORE and (heard.is_short or heard.subject.lasts)


def _stage(mood: Mood, subject: Topic | None, turns: int) -> Stage:
    """Return how far talk has gone: two turns to explore, two to comfort."""
    if mood is Mood.UNKNOWN and subject is None:
        return Stage.EXPLORE
    return Stage.EXPLORE if turns < 2 else Stage.COMFORT if turns < 4 else Stage.ACT


def _own_words(text: str) -> str:
    """Return a text as patterns read it, without what others said in it; a word in quotation marks is their own."""
    return _QUOTATION.sub(lambda found: " " if " " in found[0] else found[0][1:-1], text).strip().lower()


def _said(turns: Sequence[Turn]) -> list[str]:
    return [line for turn in turns if turn.answer for line in _SENTENCE_END.split(turn.answer.draft.strip())]


def _asked(situation: Situation) -> str:
    """Return the question with which the last reply ended, or nothing."""
    return next((line for line in _said(situation.recent[-1:])[-1:] if line.endswith("?")), "")


def _lately(situation: Situation) -> str:
    return " ".join([*(turn.text for turn in situation.recent[-_CARRIED:]), situation.text]).lower()
