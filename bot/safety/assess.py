"""What a message may mean: the level of danger that its words alone establish, without state, model or I/O."""

import re
from dataclasses import dataclass, replace
from enum import StrEnum

from bot.safety import routes, signs
from bot.safety.normalise import readings
from bot.safety.signs import Sign, Speaker


class Level(StrEnum):
    """What a message says, after the Columbia scale (C-SSRS): `passive` is its item 1, `active` 2-3, `plan` 4-6."""

    NONE = "none"
    PASSIVE = "passive"
    ACTIVE = "active"
    PLAN = "plan"
    SELF_HARM = "self_harm"
    THIRD_PARTY = "third_party"
    ABUSE = "abuse"


class Route(StrEnum):
    """Other matters in which an answer could do harm."""

    DIAGNOSIS = "diagnosis"
    MEDICATION = "medication"
    EATING_DISORDER = "eating_disorder"
    PSYCHOSIS = "psychosis"
    VIOLENCE = "violence"
    SUBSTANCE = "substance"
    OVERDOSE = "overdose"
    MINOR = "minor"
    DEPENDENCY = "dependency"
    JAILBREAK = "jailbreak"


@dataclass(frozen=True, slots=True)
class Risk:
    """`tier` says how urgent it is: 0 not, 1 a gentle question, 2 help is named, 3 help now."""

    level: Level = Level.NONE
    tier: int = 0
    route: Route | None = None

    @property
    def is_urgent(self) -> bool:
        """Whether fixed words answer instead of a model."""
        return self.tier >= 1


_MEANINGS: tuple[tuple[Risk, tuple[Sign, ...]], ...] = (
    (Risk(Level.PLAN, 3, Route.OVERDOSE), signs.OVERDOSE),
    (Risk(Level.PLAN, 3), signs.PLAN),
    (Risk(Level.ACTIVE, 2), signs.ACTIVE),
    (Risk(Level.SELF_HARM, 2), signs.HARM),
    (Risk(Level.ABUSE, 2), signs.ABUSE),
    (Risk(Level.PASSIVE, 2), signs.DEATH_WISH),
    (Risk(Level.THIRD_PARTY, 2), signs.OTHERS),
    (Risk(Level.SELF_HARM, 1), signs.HARM_ONCE),
    (Risk(Level.PASSIVE, 1), signs.WEARY_OF_LIFE + routes.METHODS_IN_DISGUISE),
    (Risk(route=Route.JAILBREAK), routes.JAILBREAK + routes.METHODS_IN_DISGUISE),
    (Risk(route=Route.VIOLENCE), routes.VIOLENCE),
    (Risk(route=Route.PSYCHOSIS), routes.PSYCHOSIS),
    (Risk(route=Route.MINOR), routes.MINOR),
    (Risk(route=Route.EATING_DISORDER), routes.EATING_DISORDER),
    (Risk(route=Route.SUBSTANCE), routes.SUBSTANCE),
    (Risk(route=Route.DIAGNOSIS), routes.DIAGNOSIS),
    (Risk(route=Route.MEDICATION), routes.MEDICATION),
    (Risk(route=Route.DEPENDENCY), routes.DEPENDENCY),
)
"""What the signs mean, the gravest first."""


_NOTHING = len(_MEANINGS)
_OVERDOSE, _OTHERS, _FIRST_ROUTE = 0, 6, 9


def _index() -> dict[str, tuple[tuple[int, Sign], ...]]:
    """Map each opening to the signs that may begin so; one of two letters also to those that begin with its first."""
    signs_at: dict[str, list[tuple[int, Sign]]] = {}
    for gravity, (_, family) in enumerate(_MEANINGS):
        for sign in family:
            for opening in sign.openings:
                signs_at.setdefault(opening, []).append((gravity, sign))
    return {opening: tuple(found + (signs_at.get(opening[:-1]) or [])) for opening, found in signs_at.items()}


_SIGNS = _index()
_OPENING = re.compile(
    f"[{''.join({o[0] for o in _SIGNS})}](?=[{''.join({o[1] for o in _SIGNS if o[1:]})}]|(?<=[{''.join({o for o in _SIGNS if not o[1:]})}]))"
)

_SUBJECT = re.compile(
    f"{signs.PERSON.replace(' ', ' ?')}(?P<other>이|가|은|는|께서|도)(?![가-힣])"
    "|(?:나|내|저|제|우리)(?:가|는|도)(?![가-힣])|(?:난|전)(?![가-힣])"
)
_CONNECTIVE = re.compile(
    "(?:[어아해려와]서|고|면|니까|는데|은데|인데|사이|후에?|다음|뒤에?|때|길래|자마자|지만|때문에?|더니)[ |]"
)
_REPORTED = re.compile(
    "[가-힣]{0,2} ?(?:다고|대(?![로])|단다|다며|다면서|다는|다길래|다더|어 ?하|어 ?해|라고|겠다고|겠대|는다고|한다고|한대|ㄴ대|할까 ?봐|까 ?봐)"
)
_HEARSAY = re.compile("[가-힣]{0,3}(?:대요?|래요?|다는데요?|다네요?)(?![가-힣])")


def _sentence(text: str, match: re.Match[str]) -> tuple[int, int]:
    """Return where the sentence around a match begins and ends, at most 60 characters away."""
    start, end = match.span()
    begin = max(
        text.rfind("|", start - 60 if start > 60 else 0, start),
        text.rfind("?", max(start - 60, 0), start),
        start - 60,
        0,
    )
    ends = [at for at in (text.find("|", end, end + 60), text.find("?", end, end + 60)) if at >= 0]
    return begin, min(ends, default=end + 60)


def _last_subject(text: str, begin: int, end: int) -> re.Match[str] | None:
    subject = None
    for subject in _SUBJECT.finditer(text, begin, end):
        pass
    return subject


def _whose(text: str, match: re.Match[str], sign: Sign) -> Speaker | None:
    """Return whose danger a wording tells, OWN or OTHER; None when its sentence says something else."""
    begin, end = _sentence(text, match)
    if sign.after and not sign.after.search(text, begin, match.start()):
        return None
    if sign.unless and sign.unless.search(text, begin, end):
        return None
    subject = _last_subject(text, begin, match.start() + 1)
    is_other = subject is not None and subject["other"] is not None
    if sign.topic and (is_other or subject is None) and sign.topic.search(text, begin, end):
        return None
    if sign.speaker is Speaker.OTHER:
        return Speaker.OTHER if is_other else None
    if sign.speaker is Speaker.OWN:
        return Speaker.OWN
    if subject is None:
        return Speaker.OTHER if _HEARSAY.match(text, match.end()) else Speaker.OWN
    if sign.speaker is Speaker.WISH:
        return Speaker.OTHER if is_other and _REPORTED.match(text, match.end()) else Speaker.OWN
    return Speaker.OTHER if is_other and not _CONNECTIVE.search(text, subject.end(), match.start()) else Speaker.OWN


def _read(text: str) -> Risk:
    danger = route = _NOTHING
    for opening in _OPENING.finditer(text):
        start = opening.start()
        for gravity, sign in _SIGNS.get(text[start : start + 2]) or _SIGNS.get(text[start], ()):
            if gravity >= (danger if gravity < _FIRST_ROUTE else route):
                continue
            match = sign.pattern.match(text, start)
            whose = match and _whose(text, match, sign)
            if not whose:
                continue
            if gravity >= _FIRST_ROUTE:
                route = gravity
            elif whose is Speaker.OWN or gravity == _OVERDOSE:
                danger = gravity
            else:
                danger = min(danger, _OTHERS)

    found = _MEANINGS[danger][0] if danger < _NOTHING else Risk()
    if found.route or route == _NOTHING:
        return found
    return replace(found, route=_MEANINGS[route][0].route)


def assess(text: str) -> Risk:
    """Return the worst that a message says. Pure; linear in the text, all of which is read; never raises."""
    return max(map(_read, readings(text)), key=lambda risk: (risk.tier, risk.route is not None))
