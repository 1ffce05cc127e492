"""Every fixed text and rule of the crisis system as one Markdown document, for a clinician to read and mark."""

from collections.abc import Iterator, Sequence
from typing import Any

from bot.resources import toml
from bot.safety import answers, course, gate, routes, signs
from bot.safety.assess import Level, Route
from bot.safety.replies import SECTIONS, numbers

_LANGUAGES = ("ko", "en")
_TIERS = ("0: the ordinary way", "1: a gentle question", "2: help is named", "3: help now")


def document() -> str:
    """Write it all out. What stands in braces in `crisis.toml` is filled in, as people read it."""
    return "\n".join([*_protocol(), *_numbers(), *_texts(), *_gate(), *_rules()]) + "\n"


def _protocol() -> Iterator[str]:
    yield "# Mentos: what is said and done in danger\n"
    yield "No clinician has reviewed this yet. Please write beside each text what you would change.\n"
    for language in _LANGUAGES:
        words = toml("safety.toml")[language]
        yield f"## {words['title']}\n\n{words['intro']}\n"
        for section in words["section"]:
            yield f"**{section['title']}.** {section['text']}\n"
    yield "## Levels, tiers and routes\n"
    yield f"* Levels: {', '.join(Level)}\n* Routes: {', '.join(Route)}"
    yield "\n".join(f"* Tier {tier}" for tier in _TIERS)
    yield f"* A risk stays raised for {course.LASTS.total_seconds() / 3600:.0f} hours after it was last told."
    yield "".join(f"* After tier {tier}, {steps} more fixed replies follow.\n" for tier, steps in course.STEPS.items())


def _numbers() -> Iterator[str]:
    yield "## Numbers\n\n| number | who | hours | source | verified |\n|---|---|---|---|---|"
    for line in toml("hotlines.toml").values():
        cells = (line["number"], f"{line['ko']} / {line['en']}", line["hours"], line["source"], line["verified_on"])
        yield f"| {' | '.join(cells)} |"


def _texts() -> Iterator[str]:
    everything = toml("crisis.toml")
    for section in ("", *SECTIONS):
        yield f"\n## Fixed texts{f': {section}' if section else ''}\n"
        texts = {
            language: everything[language][section] if section else everything[language] for language in _LANGUAGES
        }
        for situation in texts["ko"]:
            if isinstance(texts["ko"][situation], list):
                yield f"### {situation}\n"
                for language in _LANGUAGES:
                    yield from _numbered(texts[language][situation])
    yield "## Lines beside other replies\n"
    yield from _lines(everything, "lines")


def _numbered(texts: Sequence[str]) -> Iterator[str]:
    for place, text in enumerate(texts, start=1):
        said = text.strip().format(**numbers()).replace("\n", "\n   > ")
        yield f"{place}.\n   > {said}\n"


def _lines(everything: dict[str, Any], section: str) -> Iterator[str]:
    for language in _LANGUAGES:
        for name, text in everything[language][section].items():
            yield f"* {name} ({language}): {text.format(**numbers())}"


def _gate() -> Iterator[str]:
    yield f"\n## What is said in place of a sentence ({', '.join(gate.Fault)})\n"
    yield from _lines(toml("crisis.toml"), "gate")


def _rules() -> Iterator[str]:
    yield "\n## Rules: regular expressions over the normalised text, in which a blank is a gap\n"
    for module in (signs, routes):
        for name, family in vars(module).items():
            if name.isupper() and isinstance(family, tuple) and all(isinstance(each, signs.Sign) for each in family):
                yield f"### {name.lower()}\n"
                yield from (f"* `{each.pattern.pattern}`" for each in family)
    yield "### answers to our questions\n"
    for name in ("YES", "NO", "DENIES", "SAFE", "UNSAFE", "BARRIER"):
        yield f"* {name.lower()}: `{getattr(answers, name).pattern}`"
