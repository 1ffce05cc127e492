"""How much a moment weighs, so that nobody is joked with who grieves."""

import re
from collections.abc import Sequence
from functools import cache

from bot.conversation.model import EmotionLabel, Gravity, Turn
from bot.resources import toml
from bot.safety.assess import means_danger

LASTS_TURNS = 5
"""Turns for which a grave word goes on weighing."""

_HEAVY = {
    EmotionLabel.SAD,
    EmotionLabel.WEARY,
    EmotionLabel.ANNOYED,
    EmotionLabel.ANXIOUS,
    EmotionLabel.PENSIVE,
}


def weigh(text: str, emotion: EmotionLabel, recent: Sequence[Turn]) -> Gravity:
    """Weigh what is said now, and the grave words shortly before it."""
    if _is_grave(text) or any(_is_grave(turn.text) for turn in recent[-LASTS_TURNS:]):
        return Gravity.GRAVE
    is_heavy = emotion in _HEAVY or _words("heavy").search(text)
    return Gravity.HEAVY if is_heavy else Gravity.LIGHT


def _is_grave(text: str) -> bool:
    return _words("grief", "panic", "hurt").search(text) is not None or means_danger(text)


@cache
def _words(*kinds: str) -> re.Pattern[str]:
    return re.compile("|".join(pattern for kind in kinds for pattern in toml("grave.toml")[kind]))
