"""What is said to somebody in danger: fixed, reviewed words from `crisis.toml`, never generated, never restyled."""

import re
from collections.abc import Sequence
from functools import cache
from typing import Any

from bot.resources import strings, toml
from bot.safety.assess import ASKING_ROUTES, Level, Risk, Route, assess
from bot.safety.scenes import Scene, is_lifeless, scene

SECTIONS = ("scenes", "routes", "answers")
"""Of `crisis.toml`, besides the levels of danger."""
_ASKS_WHAT_BARS = {"active": 1, "imminent": 1}
"""Which text asks what bars the way to help: not again after the answer."""

_ENGLISH = re.compile(
    r"\b(?:i|im|i'm|my|me|you|the|and|is|are|am|was|to|want|feel|have|had|not|don't|dont|can|can't|cant|he|she|they)\b",
    re.IGNORECASE,
)


def numbers() -> dict[str, str]:
    """Return every phone number that Mentos may say, by its name in `hotlines.toml`."""
    return {name: line["number"] for name, line in toml("hotlines.toml").items()}


def language_of(text: str, language: str) -> str:
    """Return `en` for a text in English, otherwise the language that Mentos was set to speak.

    Korean typed on English keys has no English words.
    """
    return "en" if not re.search("[ㄱ-ㅣ가-힣]", text) and len(_ENGLISH.findall(text)) >= 2 else language


def words(risk: Risk, language: str = "ko", said: Sequence[str] = (), now: Scene | None = None) -> str:
    """Return the fixed words for a risk, in Korean where the language has none: first those never said.

    `said` are the replies so far, the oldest first; what happens `now` has the first word. ValueError where there are
    no words: ask only when `has_words`.
    """
    if not risk.has_words:
        raise ValueError(f"no fixed words for {risk}: ask only when `has_words`")
    replies = _replies(language)
    if risk.route and (not risk.is_urgent or (risk.route in ASKING_ROUTES and risk.tier == 1)):
        return _next(replies["routes"][risk.route], said)
    situation = _situation(risk)
    texts = replies[situation]
    if situation in _ASKS_WHAT_BARS and any(barrier in said for barrier in replies["answers"]["barrier"]):
        said = [*said, texts[_ASKS_WHAT_BARS[situation]]]
    return _next([*replies["scenes"].get(now, ()), *texts], said)


def first_aid(language: str = "ko", said: Sequence[str] = ()) -> str:
    """Return what is said to whoever is with somebody that does not breathe or wake: the ambulance first."""
    return _next(_replies(language)["scenes"][Scene.UNCONSCIOUS], said)


def answer(kind: str, language: str = "ko", said: Sequence[str] = ()) -> str:
    """Return what is said to somebody who is `safe`, has `denied` a wish to die, or meets a `barrier` to help."""
    return _next(_replies(language)["answers"][kind], said)


def line(name: str, language: str = "ko") -> str:
    """Return the `footer` under later replies, the `check_in` that opens a counsel, or what helps `meanwhile`."""
    said: str = _replies(language)["lines"][name]
    return said


def unable(text: str, language: str = "ko") -> str:
    """Return what to say when answering a text failed: the fixed words if it is urgent, otherwise an apology.

    What was said before is out of reach then, so the apology names where help is.
    """
    risk = assess(text)
    if is_lifeless(text, risk):
        return first_aid(language_of(text, language))
    if risk.is_urgent:
        return words(risk, language_of(text, language), now=scene(text, risk))
    return f"{strings(language)['core']['unable']} {line('meanwhile', language)}"


@cache
def situations() -> dict[str, tuple[str, int]]:
    """Map every fixed text, in all languages, to the situation that it is for and its place there."""
    found: dict[str, tuple[str, int]] = {}
    for language in toml("crisis.toml"):
        replies = _replies(language)
        for section in (replies, *(replies[name] for name in SECTIONS)):
            for situation, texts in section.items():
                if isinstance(texts, list):
                    found |= {text: (situation, place) for place, text in enumerate(texts)}
    return found


def is_crisis(reply: str) -> bool:
    """Whether a reply is fixed words for danger, in any language. Condolence is none: a talk follows it."""
    found = situations().get(reply)
    return found is not None and found[0] not in set(Route) - {Route.OVERDOSE, Route.PERINATAL}


def is_english(reply: str) -> bool:
    """Whether a reply is fixed words in English."""
    return reply in situations() and in_language(reply, "en") == reply


def in_language(reply: str, language: str) -> str:
    """Return the same fixed words in another language, where a reply is fixed words."""
    found = situations().get(reply)
    if found is None:
        return reply
    situation, place = found
    replies = _replies(language)
    sections = (replies, *(replies[name] for name in SECTIONS))
    return next(str(section[situation][place]) for section in sections if situation in section)


def _situation(risk: Risk) -> str:
    if risk.route is Route.OVERDOSE:
        return "overdose"
    if risk.tier == 3:
        return "imminent"
    match risk.level, risk.tier:
        case Level.SELF_HARM, 1:
            return "self_harm_before"
        case ((Level.ABUSE | Level.THIRD_PARTY), 1):
            return f"{risk.level}_soft"
        case _, 1:
            return "soft"
        case ((Level.PASSIVE | Level.PLAN | Level.NONE), _):
            return "active"
    return risk.level.value


def _next(texts: Sequence[str], said: Sequence[str]) -> str:
    """Return the first text that was never said, otherwise the one that was said longest ago."""
    last_said = {text: at for at, text in enumerate(said)}
    return min(texts, key=lambda text: last_said.get(text, -1))


@cache
def _replies(language: str) -> dict[str, Any]:
    everything = toml("crisis.toml")
    replies: dict[str, Any] = _filled(everything.get(language, everything["ko"]))
    return replies


def _filled(value: Any) -> Any:  # noqa: ANN401 - whatever TOML holds
    match value:
        case dict():
            return {key: _filled(each) for key, each in value.items()}
        case list():
            return [_filled(each) for each in value]
    return value.strip().format(**numbers())
