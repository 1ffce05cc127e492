"""What a message may mean: the level of danger that its words alone establish, without state, model or I/O."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache

from bot.safety import routes, signs
from bot.safety.answers import denies, without_denials
from bot.safety.classifier import Sense, sense, shipped
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
    BEREAVEMENT = "bereavement"
    PERINATAL = "perinatal"
    JAILBREAK = "jailbreak"


ASKING_ROUTES = frozenset({Route.BEREAVEMENT, Route.PERINATAL})
"""Their words themselves ask gently about a wish to die."""


@dataclass(frozen=True, slots=True)
class Risk:
    """`tier` says how urgent it is: 0 not, 1 a gentle question, 2 help is named, 3 help now."""

    level: Level = Level.NONE
    tier: int = 0
    route: Route | None = None

    @property
    def is_urgent(self) -> bool:
        """Whether fixed words answer at once, before anything else."""
        return self.tier >= 1

    @property
    def has_words(self) -> bool:
        """Whether fixed words answer instead of a model."""
        return self.is_urgent or self.route is not None


_MEANINGS: tuple[tuple[Risk, tuple[Sign, ...]], ...] = (
    (Risk(Level.PLAN, 3, Route.OVERDOSE), signs.OVERDOSE),
    (Risk(Level.PLAN, 3), signs.PLAN),
    (Risk(Level.ACTIVE, 2), signs.ACTIVE),
    (Risk(Level.SELF_HARM, 2), signs.HARM),
    (Risk(Level.ABUSE, 2), (*signs.ABUSE, *signs.PURSUED)),
    (Risk(Level.PASSIVE, 2), signs.DEATH_WISH),
    (Risk(Level.THIRD_PARTY, 2), signs.OTHERS),
    (Risk(Level.SELF_HARM, 1), signs.HARM_ONCE),
    (Risk(Level.PASSIVE, 1, Route.JAILBREAK), routes.METHODS_IN_DISGUISE),
    (Risk(Level.PASSIVE, 1), signs.WEARY_OF_LIFE),
    (Risk(route=Route.JAILBREAK), routes.JAILBREAK),
    (Risk(route=Route.BEREAVEMENT), routes.BEREAVEMENT),
    (Risk(route=Route.PERINATAL), routes.PERINATAL),
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
_OVERDOSE, _OTHERS, _FIRST_ROUTE = 0, 6, 10


def _index() -> dict[str, tuple[tuple[int, Sign], ...]]:
    """Map each opening to the signs that may begin so; one of two letters also to those that begin with its first."""
    signs_at: dict[str, list[tuple[int, Sign]]] = {}
    for gravity, (_, family) in enumerate(_MEANINGS):
        for sign in family:
            for opening in sign.openings:
                signs_at.setdefault(opening, []).append((gravity, sign))
    return {opening: tuple(found + (signs_at.get(opening[:-1]) or [])) for opening, found in signs_at.items()}


_SIGNS = _index()


def _searches(openings: Iterable[str], letters: int = 64) -> tuple[re.Pattern[str], ...]:
    """Compile searches for where a sign may begin, each for some of the first letters.

    They begin with a literal, so that the engine passes over all other letters; it tries the literals one by one, so
    that many small searches would be slow and a single large one as well (measured: 64 is best).
    """
    seconds: dict[str, set[str]] = {}
    for opening in openings:
        seconds.setdefault(opening[0], set()).add(opening[1:])
    first = [
        letter if "" in after else f"{letter}(?=[{''.join(sorted(after))}])"
        for letter, after in sorted(seconds.items())
    ]
    return tuple(re.compile("|".join(first[start : start + letters])) for start in range(0, len(first), letters))


_SEARCHES = _searches(_SIGNS)
_BEFORE, _BEHIND = 65, 185
"""How far a sign and its sentence reach, in letters: what is repeated word for word is read once."""

_WEIGHED = 500
"""Letters up to which the sentences of a text are weighed one by one."""

_SUBJECT = re.compile(
    f"{signs.PERSON.replace(' ', ' ?')}(?<![가-힣][애형딸분쌤])(?P<other>이|가|은|는|께서|도)(?![가-힣])"
    "|(?:나|내|저|제)(?<![가-힣][나내저제])(?:가|는|도)(?![가-힣])|(?:난|전)(?<![가-힣][난전])(?![가-힣])"
)
_CONNECTIVE = re.compile(
    "(?:[어아해려와워여]서?|고|면|니까|는데|은데|인데|사이|후에?|다음|뒤에?|때|길래|자마자|지만|때문에?|더니)[ |]"
)
_REPORTED = re.compile(
    "[가-힣]{0,2} ?(?:다고|대(?!로)|단다|다며|다면서|다는 ?(?:말|얘기|소리|문자|카톡|글|전화)|다길래|다더"
    "|어 ?하|어 ?해|라고|는다고|한다고|한대|(?:할)?까 ?봐)"
)
_HEARSAY = re.compile(
    "[가-힣]{0,3}(?:(?:대요?|래요?|댔|다는데요?|다네요?)(?![가-힣])"
    "|다는 ?(?:사람|친구|분|아이|애|학생|동료|동생)(?:이|가|을|를|한테))"
)


def _sentence(text: str, match: re.Match[str]) -> tuple[int, int]:
    """Return where the sentence around a match begins and ends, at most 60 characters away."""
    start, end = match.span()
    before = max(start - 60, 0)
    begin = max(text.rfind("|", before, start), text.rfind("?", before, start), before)
    ends = [at for at in (text.find("|", end, end + 60), text.find("?", end, end + 60)) if at >= 0]
    return begin, min(ends, default=end + 60)


def _last_subject(text: str, begin: int, end: int) -> re.Match[str] | None:
    found = None
    for subject in _SUBJECT.finditer(text, begin, end):
        found = subject
    return found


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
    is_hearsay = bool(_HEARSAY.match(text, match.end()))
    if subject is None:
        return Speaker.OTHER if is_hearsay else Speaker.OWN
    is_same_clause = not _CONNECTIVE.search(text, subject.end(), match.start())
    if sign.speaker is Speaker.WISH:
        is_other = is_other and (is_hearsay or (is_same_clause and bool(_REPORTED.match(text, match.end()))))
    elif not is_hearsay:
        is_other = is_other and is_same_clause
    return Speaker.OTHER if is_other else Speaker.OWN


def _read(text: str, *, literally: bool = False) -> Risk:
    danger = route = _NOTHING
    seen: set[int] = set()
    for start in (opening.start() for search in _SEARCHES for opening in search.finditer(text)):
        before = min(start, _BEFORE)
        around = hash((before, text[start - before : start + _BEHIND]))
        if around in seen:
            continue
        seen.add(around)
        for gravity, sign in _SIGNS.get(text[start : start + 2]) or _SIGNS.get(text[start], ()):
            if gravity >= (danger if gravity < _FIRST_ROUTE else route) or (literally and sign.is_hyperbole):
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


def told_by_signs(text: str) -> Risk:
    """Return the worst that the wordings of a message say. Pure; linear in the text, all of which is read."""
    return _worst(map(_read, readings(without_denials(text))))


@lru_cache(maxsize=256)  # the last turns are asked about again with each new one
def assess(text: str) -> Risk:
    """Return the worst that a message says, by its wordings or by all its letters. Pure; linear; never raises."""
    seen, spoken = list(readings(text)), without_denials(text)
    felt = _worst(_felt(sense(reading, shipped())) for reading in seen)
    told = _worst(map(_read, seen)) if spoken == text else told_by_signs(text)
    if spoken != text or denies(text):  # letters tell a wish from its denial less well than words
        felt = replace(felt, tier=min(felt.tier, 1))
    if told.route in ASKING_ROUTES:  # letters take the death of another, or the fear for a baby, for a wish to die
        felt = replace(felt, tier=min(felt.tier, 1)) if felt.level is not Level.THIRD_PARTY else Risk()
    worst = _worst([_in_context(told, text), felt])
    return worst if worst.route else replace(worst, route=told.route)


@lru_cache(maxsize=256)
def is_hint(text: str) -> bool:
    """Whether a message hints at danger too weakly to be asked about: two such hints are asked about."""
    return any(sense(reading, shipped()).chance >= shipped().thresholds.hint for reading in readings(text))


def _in_context(told: Risk, text: str) -> Risk:
    """Return what a wish that is said of homework too is worth after the words before it in its sentence.

    Nothing that stands behind it or in another sentence makes it harmless.
    """
    if told.level not in {Level.ACTIVE, Level.PASSIVE} or len(text) > _WEIGHED or not re.search("[가-힣]", text):
        return told
    literal = _worst(_read(reading, literally=True) for reading in readings(without_denials(text)))
    if literal.tier >= told.tier:
        return told
    sentences = (sentence for reading in readings(text) for sentence in re.split("[|?]", reading))
    chance = max((sense(wish, shipped()).chance for wish in map(_as_far_as_told, sentences) if wish), default=1.0)
    if chance < shipped().thresholds.figure:
        return _worst([literal, Risk(route=told.route)])
    return _worst([literal, replace(told, tier=1)]) if chance < shipped().thresholds.doubted else told


def _as_far_as_told(sentence: str) -> str:
    """Return a sentence up to the first word with which it tells of danger, nothing where it does not."""
    words = sentence.split(" ")
    if _read(sentence).level is Level.NONE:
        return ""
    beginnings = (" ".join(words[: at + 1]) for at in range(len(words)))
    return next((beginning for beginning in beginnings if _read(beginning).level is not Level.NONE), sentence)


def _felt(felt: Sense) -> Risk:
    thresholds, level = shipped().thresholds, Level(felt.level)
    if felt.chance < thresholds.asked:
        return Risk()
    is_sure = felt.chance >= (thresholds.planned if level is Level.PLAN else thresholds.helped)
    return Risk(level, 2 if is_sure and level is not Level.PASSIVE else 1)


def _worst(risks: Iterable[Risk]) -> Risk:
    return max(risks, key=lambda risk: (risk.tier, risk.route is not None))


def means_danger(text: str) -> bool:
    """Whether a message means danger of any level."""
    return assess(text).level is not Level.NONE
