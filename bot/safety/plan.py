"""A mini safety plan, kept by the person who wrote it: what comes first, what helps, whom to call, where to be safe.

Its six parts follow the safety planning intervention of Stanley and Brown (Cognitive and Behavioral Practice 19, 2012).
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from bot.safety.replies import numbers

PARTS = ("signs", "coping", "people", "places", "safe", "reasons")
LINES_AT_MOST, LETTERS_AT_MOST = 8, 200


@dataclass(frozen=True, slots=True)
class SafetyPlan:
    """The lines of each part, in the order in which they were written."""

    lines: tuple[tuple[str, str], ...] = ()

    def with_line(self, part: str, line: str) -> "SafetyPlan":
        """Add a line to a part. A full part loses its oldest line, a long line its end."""
        kept = dict.fromkeys([*(each for named, each in self.lines if named == part), line[:LETTERS_AT_MOST]])
        mine = list(kept)[-LINES_AT_MOST:]
        others = [each for each in self.lines if each[0] != part]
        return replace(self, lines=(*others, *((part, each) for each in mine)))

    def without(self, part: str) -> "SafetyPlan":
        return replace(self, lines=tuple(each for each in self.lines if each[0] != part))

    def dump(self) -> str:
        return json.dumps(self.lines, ensure_ascii=False)

    @staticmethod
    def load(dumped: str | None) -> "SafetyPlan":
        return SafetyPlan(tuple((part, line) for part, line in json.loads(dumped or "[]")))


def written(plan: SafetyPlan, said: str, words: Mapping[str, str]) -> SafetyPlan | None:
    """Do what was said behind the command: `사람 언니`, `지우기 사람`, `지우기`. None where no part was named."""
    first, _, rest = " ".join(said.split()).partition(" ")
    if first.lower() in words["erase"].split(", "):
        part = _part(rest, words)
        return plan.without(part) if part else None if rest else SafetyPlan()
    part = _part(first.rstrip(":"), words)
    return plan.with_line(part, rest) if part and rest else None


def shown(plan: SafetyPlan, words: Mapping[str, str]) -> str:
    """Write the plan out, with the numbers that belong to every plan, or how to begin one."""
    parts = []
    for part in PARTS:
        mine = [f"  - {line}" for named, line in plan.lines if named == part]
        if mine:
            parts.append("\n".join([f"· {words[part]}", *mine]))
    missing = [words[f"{part}_example"] for part in PARTS if part not in dict(plan.lines)]
    helped = words["numbers"].format(**numbers())
    how = words["how" if plan.lines else "begin"].format(examples="\n".join(f"  {each}" for each in missing[:3]))
    return "\n".join([*([words["title"], *parts] if parts else []), helped, *([how] if missing else [])])


def _part(name: str, words: Mapping[str, str]) -> str | None:
    called = re.sub(r"\s", "", name.lower())
    return next((part for part in PARTS if called and called in [part, *words[f"{part}_names"].split(", ")]), None)
