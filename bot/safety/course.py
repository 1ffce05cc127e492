"""How help goes on: what earlier messages and answers say about this one, and which fixed words come next.

A risk rises by anything that is said and falls only when its writer clearly denies it, says that they are safe, or by
time: whoever asks hands over the exchanges of the last `LASTS`. Pure, like `assess`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from bot.safety import answers
from bot.safety.assess import ASKING_ROUTES, Level, Risk, Route, assess, is_hint
from bot.safety.replies import answer, first_aid, situations, words
from bot.safety.scenes import LIFELESS, PRESSING, Scene, is_lifeless, scene

LASTS = timedelta(hours=24)
"""For how long a risk stays raised after it was last told."""
ASKED_ABOUT_FROM = 2
"""From which tier on the next counsel opens with a question about it."""
HINTS_LAST = 4
"""Within how many exchanges two weak signs add up."""
STEPS = {2: 4, 3: 6}
"""How many fixed replies lead on from what was told last, by tier, whatever is said meanwhile."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """What somebody said earlier, and what was replied, in full."""

    text: str
    reply: str


@dataclass(frozen=True, slots=True)
class Help:
    """Fixed words, and the risk that they are for."""

    risk: Risk
    words: str


_ASKED_ON_A_ROUTE = {(str(route), 0) for route in ASKING_ROUTES}
# What a yes to a gentle question means, by the situation that it was for.
_ANSWERED = {
    "soft": Risk(Level.PASSIVE, 2),
    "self_harm_before": Risk(Level.SELF_HARM, 2),
    "abuse_soft": Risk(Level.ABUSE, 2),
    "third_party_soft": Risk(Level.THIRD_PARTY, 2),
}
_ANSWERED_LATER = {
    **dict.fromkeys(_ASKED_ON_A_ROUTE, Risk(Level.PASSIVE, 2)),
    ("third_party", 3): Risk(Level.PASSIVE, 2),
    ("self_harm", 4): Risk(Level.PASSIVE, 2),
}
_REPORTING = {Level.ABUSE: "reporting_abuse", Level.THIRD_PARTY: "reporting_other"}
_ASKED_FOR_A_PLAN, _ASKED_WHETHER_SAFE = ("active", 0), ("active", 6)


def follow(text: str, earlier: Sequence[Exchange] = (), language: str = "ko") -> Help | None:
    """Return the fixed words with which to answer a message, None where the ordinary way goes on.

    `earlier` are the exchanges of the last `LASTS`, the oldest first. Without them it is what the text alone says.
    """
    said = [each.reply for each in earlier]
    now, risen = read(text, said), risen_in(earlier)
    if is_lifeless(text, now) or (not now.is_urgent and not risen.is_urgent and _goes_on_lifeless(text, said)):
        return Help(max(now, LIFELESS, key=lambda risk: risk.tier), first_aid(language, said))
    if now.route is Route.BEREAVEMENT and _has_said(Route.BEREAVEMENT, said):
        if not now.is_urgent and not risen.is_urgent:
            return None  # condolence is said once, with a question; what follows is a talk
        now = replace(now, route=None)
    worse = _worse(text, highest(earlier))
    if worse.is_urgent and worse.tier >= max(now.tier, risen.tier):
        return Help(worse, words(worse, language, said, _scene(text, worse, said)))
    if asked := _asked_about_help(text, now, risen, earlier, language):
        return asked
    if risen.is_urgent and risen.level is not Level.SELF_HARM and is_denial(text, said):
        return Help(risen, answer("denied", language, said))
    if now.is_urgent and now.tier >= risen.tier:
        return Help(now, words(now, language, said, _scene(text, now, said)))
    if risen.tier >= 2 and (fixed := _leading_on(text, now, risen, earlier, language)):
        return Help(risen, fixed)
    if is_hint(text) and any(is_hint(each.text) for each in earlier[-HINTS_LAST:]):
        risk = Risk(Level.PASSIVE, 1)
        return Help(risk, words(risk, language, said))
    return Help(now, words(now, language, said)) if now.has_words else None


def _leading_on(text: str, now: Risk, risen: Risk, earlier: Sequence[Exchange], language: str) -> str | None:
    """Return what is said while a risk is raised, whatever is talked about; None once enough was."""
    said = [each.reply for each in earlier]
    if _is_safe_now(text, now, risen):
        return answer("safe", language, said)
    if not now.is_urgent and _is_over(risen, earlier):
        return None
    if risen.level is not Level.ABUSE and answers.BARRIER.search(text):
        return answer("barrier", language, said)
    return words(risen, language, said, _scene(text, risen, said))


def _asked_about_help(text: str, now: Risk, risen: Risk, earlier: Sequence[Exchange], language: str) -> Help | None:
    """Answer a question about help. Graver danger, what happens this minute and safety go before it."""
    asked = answers.question(text)
    if asked is None or not risen.is_urgent or now.tier > risen.tier:
        return None
    said = [each.reply for each in earlier]
    pressed = replace(risen, tier=max(risen.tier, 2))
    happens = scene(text, pressed)
    if asked == "first_aid":
        lies = happens is Scene.UNCONSCIOUS or _has_said(Scene.UNCONSCIOUS, said)
        if not lies and risen.tier < 3 and not answers.SWALLOWED.search(text):
            return None
    elif now.tier == 3 or (now.tier == 2 and now.level is not risen.level):
        return None
    elif happens in PRESSING:
        return Help(pressed, words(pressed, language, said, happens))
    if _is_safe_now(text, now, risen) or (not now.is_urgent and _is_over(risen, earlier)):
        return None
    if asked == "reporting":
        asked = _REPORTING.get(risen.level, asked)
    return Help(risen, answer(asked, language, said))


def _scene(text: str, risk: Risk, said: Sequence[str]) -> Scene | None:
    """Return what happens now, or what the last reply was about: it goes on until its words are used up."""
    last = situations().get(said[-1], ("", 0))[0] if said else ""
    return scene(text, risk) or (Scene(last) if last in set(Scene) else None)


def read(text: str, said: Sequence[str]) -> Risk:
    """Return what a message says, which may be the answer to what was asked last."""
    risk = assess(text)
    asked = situations().get(said[-1]) if said else None
    if asked is None or len(text) > answers.SHORT:
        return risk
    answered = Risk()
    if _tells_a_plan(asked, text):
        answered = Risk(Level.PLAN, 3)
    elif asked[0] == "soft" and answers.MEANS.search(text):
        answered = Risk(Level.ACTIVE, 2)
    elif answers.is_yes(text):
        answered = _ANSWERED.get(asked[0]) or _ANSWERED_LATER.get(asked, answered)
    return max(risk, answered, key=lambda each: each.tier)


def _tells_a_plan(asked: tuple[str, int], text: str) -> bool:
    if asked == _ASKED_FOR_A_PLAN:
        return answers.is_yes(text) or answers.is_planned(text)
    return asked == _ASKED_WHETHER_SAFE and (answers.is_no(text) or bool(answers.NOT_SAFE_HERE.search(text)))


def _has_said(situation: str, said: Sequence[str]) -> bool:
    return any(situations().get(reply, ("", 0))[0] == situation for reply in said)


def risen_in(exchanges: Sequence[Exchange]) -> Risk:
    """Return the risk that the exchanges leave behind, the oldest first."""
    risen = told = Risk()
    said: list[str] = []
    for each in exchanges:
        risk = read(each.text, said)
        worse = _worse(each.text, told)
        risk = max(risk, worse, key=lambda found: found.tier)
        told = max(told, risk, key=lambda found: found.tier)
        if risk.tier >= max(risen.tier, 1):
            risen = risk
        elif risk.tier <= 1 and (
            (risen.level is not Level.SELF_HARM and is_denial(each.text, said))
            or (risen.tier >= 2 and _is_safe_from(risen, each.text))
        ):
            risen = Risk()
        said.append(each.reply)
    return risen


def highest(exchanges: Sequence[Exchange]) -> Risk:
    """Return the gravest risk that any of the exchanges told, denied or not."""
    said = [each.reply for each in exchanges]
    risks = (read(each.text, said[:at]) for at, each in enumerate(exchanges))
    return max(risks, key=lambda risk: risk.tier, default=Risk())


def is_denial(text: str, said: Sequence[str]) -> bool:
    """Whether somebody says that there is no wish to die, in so many words or as an answer to the question."""
    asked = situations().get(said[-1]) if said else None
    is_asked = asked is not None and (asked[0] in _ANSWERED or asked in _ASKED_ON_A_ROUTE)
    has_answered_no = is_asked and len(text) <= answers.SHORT and answers.is_no(text)
    return assess(text).tier <= 1 and (has_answered_no or answers.denies(text))


def _worse(text: str, told: Risk) -> Risk:
    """Return what a message means only because danger was told before it: meant, prepared, swallowed, alone again."""
    if told.is_urgent and answers.is_about_to(text):
        return Risk(Level.PLAN, 3)
    if told.tier < 2 or told.level in {Level.ABUSE, Level.THIRD_PARTY}:
        return Risk()
    if told.tier == 3 and answers.SWALLOWED.search(text):
        return Risk(Level.PLAN, 3, Route.OVERDOSE)
    if answers.PREPARED.search(text):
        return Risk(Level.PLAN, 3)
    return told if answers.RETURNS.search(text) else Risk()


def _goes_on_lifeless(text: str, said: Sequence[str]) -> bool:
    """Whether the last reply was the first about somebody who does not breathe or wake, and nobody is with them yet."""
    return bool(said) and situations().get(said[-1]) == (Scene.UNCONSCIOUS, 0) and not answers.is_safe(text)


def _is_safe_from(risk: Risk, text: str) -> bool:
    """Whether somebody says that they are safe. Nobody is from abuse, nor is anybody else, by that."""
    is_meant_only = risk.tier == 3 and answers.INTENDS.search(text)
    return risk.level not in {Level.ABUSE, Level.THIRD_PARTY} and answers.is_safe(text) and not is_meant_only


def _is_safe_now(text: str, now: Risk, risen: Risk) -> bool:
    """Whether safety is told, whatever doubt would only be asked about beside it."""
    return _is_safe_from(risen, text) and now.tier <= 1


def _is_over(risen: Risk, earlier: Sequence[Exchange]) -> bool:
    """Whether enough was said since danger was told last."""
    return _since_told(earlier) > STEPS[max(risen.tier, 2)]


def _since_told(exchanges: Sequence[Exchange]) -> int:
    """Count the exchanges from the last that told of danger on."""
    said = [each.reply for each in exchanges]
    return next(
        (
            len(exchanges) - at
            for at in range(len(exchanges) - 1, -1, -1)
            if read(exchanges[at].text, said[:at]).is_urgent
        ),
        0,
    )
