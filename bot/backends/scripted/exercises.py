"""Small exercises, run turn by turn: where one stands is told by the sentence that was said last."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bot import resources
from bot.conversation.model import EmotionLabel

Lines = tuple[str, ...]
IsNew = Callable[..., bool]
_NEVER = "(?!)"
_STEP = re.compile(r"^\(\d+/\d+\) ")


@dataclass(frozen=True, slots=True)
class Step:
    """`prompt` ends with what is asked, `hint` with an easier way to ask it; `heard` takes in an answer of its kind."""

    prompt: Lines
    hint: Lines
    heard: tuple[tuple[re.Pattern[str], Lines], ...]


@dataclass(frozen=True, slots=True)
class Exercise:
    """One file of `bot/resources/skills`. No two exercises share a sentence that asks for something."""

    name: str
    asked_for: re.Pattern[str]
    fits_emotions: frozenset[EmotionLabel]
    fits_words: re.Pattern[str]
    never: re.Pattern[str]
    offers: tuple[Lines, ...]
    opening: Lines
    why: Lines
    left: tuple[Lines, ...]
    steps: tuple[Step, ...]
    closes: tuple[Lines, ...]

    def is_offered_by(self, line: str) -> bool:
        return any(offer[-1] == line for offer in self.offers)

    def begin(self) -> Lines:
        return (*self.opening, *self._prompt(0))

    def asked_by(self, line: str) -> tuple[int, bool] | None:
        """Return the number of the step that a line of ours asks for, and whether it is its hint; else None."""
        plain = _STEP.sub("", line)
        for number, step in enumerate(self.steps):
            if plain in (step.prompt[-1], step.hint[-1]):
                return number, plain == step.hint[-1]
        return None

    def go_on(self, number: int, text: str, *, is_new: IsNew, draw: Callable[[int], int]) -> Lines:
        """Take in what was answered to a step, and say the next, or look back after the last."""
        taken = self.take_in(number, text, is_new=is_new, draw=draw)
        if number + 1 < len(self.steps):
            return (*taken, *self._prompt(number + 1))
        close = next((says for says in self.closes if is_new(*says)), self.closes[0])
        return (*taken, *close)

    def take_in(self, number: int, text: str, *, is_new: IsNew, draw: Callable[[int], int]) -> Lines:
        heard = next((says for when, says in self.steps[number].heard if when.search(text)), ())
        new = [line for line in heard if is_new(line)]
        return (new[draw(len(new))],) if new else ()

    def leave(self, is_new: IsNew) -> Lines:
        return next((left for left in self.left if is_new(*left)), self.left[0])

    def _prompt(self, number: int) -> Lines:
        *before, last = self.steps[number].prompt
        return (*before, f"({number + 1}/{len(self.steps)}) {last}")


class Exercises:
    """All exercises, and the words by which people accept, leave or question one."""

    def __init__(self) -> None:
        self.all = tuple(_exercise(name, resources.toml(f"skills/{name}.toml")) for name in resources.names("skills"))
        words = resources.toml("scripted/exercises.toml")
        self._declined = tuple(words["declined"])
        self._accepts, self._declines, self._leaves, self._asks_why, self._is_unsure = (
            re.compile(words[key]) for key in ("accepts", "declines", "leaves", "asks_why", "is_unsure")
        )

    def reply(self, text: str, last: str, *, is_new: IsNew, draw: Callable[[int], int]) -> tuple[Lines, bool] | None:
        """Return what follows within the exercise that `last` offered or asked for, and whether it is over; else None.

        None too for what is no answer to an offer: the conversation goes on without it.
        """
        for exercise in self.all:
            if exercise.is_offered_by(last):
                if self._accepts.search(text):
                    return exercise.begin(), False
                is_no = self._declines.search(text) or self._leaves.search(text)
                return (tuple([line for line in self._declined if is_new(line)][:1]), True) if is_no else None
            if asked := exercise.asked_by(last):
                number, is_hint = asked
                if self._leaves.search(text):
                    return exercise.leave(is_new), True
                if exercise.never.search(text):  # it has stopped being good for them
                    return (*exercise.take_in(number, text, is_new=is_new, draw=draw), *exercise.leave(is_new)), True
                if not is_hint and self._asks_why.search(text) and is_new(*exercise.why):
                    return (*exercise.why, *exercise.steps[number].hint), False
                if not is_hint and self._is_unsure.search(text):
                    return exercise.steps[number].hint, False
                return exercise.go_on(number, text, is_new=is_new, draw=draw), False
        return None

    def asked_for(self, text: str, lately: str, *, is_new: IsNew) -> Exercise | None:
        """Return the exercise that a person asks for by its name."""
        return next((e for e in self._allowed(lately, is_new) if e.asked_for.search(text)), None)

    def fitting(self, text: str, lately: str, emotion: EmotionLabel | None, *, is_new: IsNew) -> Lines | None:
        """Return an offer that fits the words said now, or else the emotion that was surely read."""
        allowed = [e for e in self._allowed(lately, is_new) if any(is_new(*offer) for offer in e.offers)]
        by_words = (e for e in allowed if e.fits_words.search(text))
        by_emotion = (e for e in allowed if emotion in e.fits_emotions)
        exercise = next(by_words, None) or next(by_emotion, None)
        return next(offer for offer in exercise.offers if is_new(*offer)) if exercise else None

    def is_part(self, line: str) -> bool:
        """Whether a line of ours offered an exercise or asked for a step of one."""
        return any(e.is_offered_by(line) or e.asked_by(line) for e in self.all)

    def _allowed(self, lately: str, is_new: IsNew) -> Sequence[Exercise]:
        return [e for e in self.all if not e.never.search(lately) and is_new(*e.begin())]


def _exercise(name: str, table: Mapping[str, Any]) -> Exercise:
    return Exercise(
        name=name,
        asked_for=re.compile(table["asked_for"]),
        fits_emotions=frozenset(EmotionLabel[emotion] for emotion in table["fits_emotions"]),
        fits_words=re.compile(table["fits_words"] or _NEVER),
        never=re.compile(table["never"] or _NEVER),
        offers=tuple(map(tuple, table["offers"])),
        opening=tuple(table["opening"]),
        why=tuple(table["why"]),
        left=tuple(map(tuple, table["left"])),
        steps=tuple(_step(step) for step in table["steps"]),
        closes=tuple(tuple(close["says"]) for close in table["close"]),
    )


def _step(table: Mapping[str, Any]) -> Step:
    heard = tuple((re.compile(answer["when"]), tuple(answer["says"])) for answer in table["heard"])
    return Step(tuple(table["prompt"]), tuple(table["hint"]), heard)
