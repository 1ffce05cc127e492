"""The written sentences of the scripted counsellor, and when each may be said."""

import re
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from bot import resources
from bot.backends.scripted.exercises import Exercises
from bot.backends.scripted.topics import Topic, Topics
from bot.backends.scripted.utterances import Morpheme
from bot.conversation.model import Emotion, EmotionLabel
from bot.safety.assess import means_danger
from bot.safety.replies import numbers


class Mood(StrEnum):
    """The side of an emotion, as far as it decides what can be asked. Unknown: nothing is named."""

    GLAD = "glad"
    PLAIN = "plain"
    LOW = "low"
    UNKNOWN = "unknown"


class Where(StrEnum):
    """Which part of a text an occasion is heard in."""

    WHOLE = "whole"
    LAST = "last"
    END = "end"
    ANY = "any"


class Asks(StrEnum):
    """Whether an open question follows the sentences of an occasion."""

    ALWAYS = "always"
    NEVER = "never"
    UNLESS_ASKED = "unless asked"
    """Not while our last question still stands: a short answer is acknowledged, nothing unrelated is asked."""


GLAD = {
    EmotionLabel.HAPPY,
    EmotionLabel.GRATEFUL,
    EmotionLabel.EXPECTANT,
    EmotionLabel.LOVING,
    EmotionLabel.JOYFUL,
}
LOW = {
    EmotionLabel.SAD,
    EmotionLabel.WEARY,
    EmotionLabel.ANNOYED,
    EmotionLabel.ANXIOUS,
}
_NOTHING = re.compile(r"(?!)")
_MOODS = {"low": {Mood.LOW, Mood.UNKNOWN, Mood.PLAIN}, "glad": {Mood.GLAD}, "any": set(Mood)}


@dataclass(frozen=True, slots=True)
class Occasion:
    """Something that is answered in a way of its own, such as a greeting or a request that cannot be met.

    One that `yields` is passed over where a subject is met or under way: what is said belongs to that. One that
    `interrupts` is answered even in the middle of an exercise. One that `opens` a reply
    says a sentence before what else is told is answered.
    """

    name: str
    when: re.Pattern[str]
    apart_from: re.Pattern[str]
    unless: re.Pattern[str]
    within: int | None
    moods: frozenset[Mood]
    is_answer: bool
    yields: bool
    interrupts: bool
    opens: bool
    where: Where
    to: re.Pattern[str]
    says: tuple[str, ...]
    then: tuple[str, ...]
    asks: Asks
    pool: str | None

    def fits(self, sentences: Sequence[str], *, mood: Mood, asked: str) -> bool:
        """Whether it is told in a text, given as its sentences, after a question of ours (empty if none)."""
        if mood not in self.moods or (self.is_answer and not asked) or self.to.search(asked) is None:
            return False
        whole, last = " ".join(sentences), sentences[-1:]
        parts = {
            Where.WHOLE: [whole],
            Where.LAST: last,
            Where.END: [whole, *last, " ".join(sentences[-2:])],
            Where.ANY: [whole, *sentences],
        }
        return any(map(self._is_told, parts[self.where]))

    def _is_told(self, text: str) -> bool:
        return (
            (self.within is None or len(re.sub(r"[\W_]", "", text)) <= self.within)
            and self.unless.search(text) is None
            and self.when.search(self.apart_from.sub(" ", text)) is not None
        )


class Bank:
    """All that the scripted counsellor can say, read once from `bot/resources/scripted`."""

    def __init__(self, *, analyse: Callable[[str], Sequence[Morpheme]]) -> None:
        validations = {name: tuple(lines) for name, lines in _read("validations").items()}
        self.neutral = (validations.pop("NEUTRAL"), validations.pop("LISTENING"))
        self.untold = {Mood.GLAD: validations.pop("GLAD"), Mood.LOW: validations.pop("LOW")}
        self.validations = {EmotionLabel[name]: lines for name, lines in validations.items()}
        questions = _read("questions")
        self.questions = {kind: tuple(lines) for kind, lines in questions["pools"].items()}
        self.known = tuple((re.compile(k["said"]), re.compile(k["asks"])) for k in questions["known"])
        self.slots = tuple(map(re.compile, questions["slots"]))
        """What a question can ask for: the same is not asked for twice running."""

        self.exercises = Exercises()
        self.topics = Topics(analyse=analyse)
        self.occasions = tuple(_occasion(table) for table in _read("occasions")["occasion"])
        english = _read("english")
        self._english = re.compile(english["when"])
        self.in_english = tuple(
            tuple(line.format_map(numbers()) for line in english[part]) for part in ("heard", "explains", "calls")
        )
        self._grave = [occasion for occasion in self.occasions if occasion.name in {"grave", "violence"}]
        self.reflection = _read("reflection")
        self._sounds_low = re.compile(questions["sounds_low"])
        self._weeps = re.compile(questions["weeps"])
        self._sounds_glad = re.compile(questions["sounds_glad"])
        self._of_others = re.compile(questions["of_others"])

    def mood(self, text: str, emotion: Emotion) -> Mood:
        """Return the side of the person's own words, and only without such words that of a sure reading.

        Joy is never taken from a reading alone: to share it with somebody in distress hurts more than not to share it.
        """
        told, read = self.told(text), _side(emotion) if emotion.is_confident else Mood.UNKNOWN
        if told is Mood.UNKNOWN and _side(emotion) is not Mood.GLAD and self._weeps.search(text):
            return Mood.LOW
        if told is Mood.GLAD:
            return Mood.UNKNOWN if read is Mood.LOW else told
        return read if told is Mood.UNKNOWN and read is not Mood.GLAD else told

    def is_grave(self, text: str) -> bool:
        """Whether words may mean danger, urgent or not: after them nobody is cheerful, and no exercise is offered."""
        read = text.strip().lower()
        return means_danger(text) or any(each.fits([read], mood=Mood.UNKNOWN, asked="") for each in self._grave)

    def is_english(self, text: str) -> bool:
        return self._english.search(text) is not None

    def told(self, text: str) -> Mood:
        """Return the side of the last word that has one: a quarrel that was made up is good news."""
        low, glad = _last(self._sounds_low, text), _last(self._sounds_glad, text)
        if low == glad == -1 and any(topic.mood == "glad" for topic in self.topics.met(text)[:1]):
            glad = 0  # told by what happened
        if low > glad or low == glad != -1:
            return Mood.LOW
        return Mood.GLAD if glad > low and not self._of_others.search(text) else Mood.UNKNOWN

    def named(self, mood: Mood, emotion: Emotion) -> Sequence[str]:
        """Return what validates a mood: words for the emotion that was surely read, unless it is of another side."""
        is_read = emotion.is_confident and _side(emotion) is mood
        return self.validations[emotion.label] if is_read else self.untold.get(mood, ())

    def frames(self, mood: Mood, emotion: Emotion) -> Sequence[str]:
        """Return the sentences that give back what was told, for words told in a mood."""
        frames: Mapping[str, Sequence[str]] = self.reflection["frames"]
        is_read = emotion.is_confident and _side(emotion) is mood
        return (is_read and frames.get(emotion.label.name)) or frames[mood.name]

    def topic(self, text: str, mood: Mood, hidden: Container[str] = ()) -> Topic | None:
        """Return what a text that is told in a mood is about, if not of a hidden area."""
        topics = (topic for topic in self.topics.met(text) if mood in _MOODS[topic.mood])
        return next((topic for topic in topics if topic.area not in hidden), None)


def _side(emotion: Emotion) -> Mood:
    if emotion.label is EmotionLabel.EVERYDAY:
        return Mood.PLAIN
    return Mood.GLAD if emotion.label in GLAD else Mood.LOW


def _last(words: re.Pattern[str], text: str) -> int:
    return max((match.start() for match in words.finditer(text)), default=-1)


def _read(name: str) -> Mapping[str, Any]:
    return resources.toml(f"scripted/{name}.toml")


def _occasion(table: Mapping[str, Any]) -> Occasion:
    return Occasion(
        name=table["name"],
        when=re.compile(table["when"]),
        apart_from=re.compile(table["apart_from"]) if "apart_from" in table else _NOTHING,
        unless=re.compile(table["unless"]) if "unless" in table else _NOTHING,
        within=table.get("within"),
        moods=frozenset(Mood(mood) for mood in table["moods"]) if "moods" in table else frozenset(Mood),
        is_answer=table.get("asked", False),
        yields=table.get("yields", False),
        interrupts=table.get("interrupts", False),
        opens=table.get("opens", False),
        where=Where(table.get("where", Where.WHOLE)),
        to=re.compile(table.get("to", "")),
        says=tuple(table["says"]),
        then=tuple(table.get("then", ())),
        asks=Asks(table["asks"]),
        pool=table.get("pool"),
    )
