"""What earlier turns ask of a reply: fixed words that go on helping, a question after last time, numbers, honesty."""

import re
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from bot.conversation.model import Turn
from bot.safety import course
from bot.safety.course import Exchange, Help
from bot.safety.replies import is_crisis, is_english, language_of, line

TURNS_WATCHED = 60
WATCHED_FOR = timedelta(days=30)
STILL_AI_EVERY = timedelta(hours=3)
FOOTER_EVERY = 3
"""Replies from one naming of the helpline to the next, while a risk is raised."""


def help_with(text: str, turns: Sequence[Turn], *, at: datetime, language: str) -> Help | None:
    """Return the fixed words for a text after these turns, None where the ordinary way goes on."""
    earlier = _exchanges(_since(turns, at - course.LASTS))
    if earlier and not re.search("[ㄱ-ㅣ가-힣]", text) and is_english(earlier[-1].reply):
        language = "en"
    return course.follow(text, earlier, language_of(text, language))


def is_raised(turns: Sequence[Turn], *, at: datetime) -> bool:
    """Whether danger was told shortly before: the manner of speech stays down."""
    return course.highest(_exchanges(_since(turns, at - course.LASTS))).is_urgent


def opening(turns: Sequence[Turn], *, is_first: bool, language: str) -> str | None:
    """Ask how somebody has been, where the counsel before this one told of danger."""
    if not is_first or not turns:
        return None
    last = [turn for turn in turns if turn.counsel_id == turns[-1].counsel_id]
    has_told = course.highest(_exchanges(last)).tier >= course.ASKED_ABOUT_FROM
    return line("check_in", language) if has_told else None


def closings(here: Sequence[Turn], *, at: datetime, is_raised: bool, language: str, still_ai: str) -> Iterator[str]:
    """Say again where help is while a risk is raised, and every three hours of a counsel that this is an AI.

    `here` are the last turns of the open counsel, the oldest first, at most `TURNS_WATCHED`.
    """
    footer = line("footer", language)
    replies = [each.reply for each in _exchanges(here)]
    if is_raised and not any(footer in reply or is_crisis(reply) for reply in replies[-FOOTER_EVERY:]):
        yield footer
    lately = _since(here, at - STILL_AI_EVERY)
    is_long = len(lately) < len(here) or len(lately) >= TURNS_WATCHED
    if is_long and not any(still_ai in each.reply for each in _exchanges(lately)):
        yield still_ai


def _since(turns: Sequence[Turn], since: datetime) -> Sequence[Turn]:
    return [turn for turn in turns if turn.at > since]


def _exchanges(turns: Sequence[Turn]) -> Sequence[Exchange]:
    return [Exchange(turn.text, turn.answer.reply) for turn in turns if turn.answer]
