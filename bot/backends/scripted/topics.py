"""What people talk about: situations, told by the words that come together in what they say."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Any

from bot import resources
from bot.backends.scripted.utterances import Morpheme

TEXTS_KEPT = 256
"""Texts whose topics are remembered: the next turn asks for the same ones again."""

_NOUNS = {"NNG", "NNP", "NNB", "NP", "NR", "XR", "SL", "SN", "MAG", "MM", "IC"}
_VERBS = {"VV", "VA", "VX", "VCN"}
_SUFFIXES = {"XSV", "XSA"}
_NEGATIONS = {"않", "못하", "말"}


class Stage(StrEnum):
    """How far a subject has been talked through, as far as it decides the kind of question."""

    EXPLORE = "explore"
    COMFORT = "comfort"
    ACT = "act"


@dataclass(frozen=True, slots=True, eq=False)
class Topic:
    """A situation that people tell: what shows them that it was heard, and questions for each stage.

    A general one stands in where no other is met. One that `lasts` stays the subject, whatever is said next; one that
    `passes` is over with the next words.
    """

    area: str
    name: str
    mood: str
    """`low`, `glad` or `any`: whether it is hard or good to have to tell."""
    is_general: bool
    lasts: bool
    passes: bool
    hides: frozenset[str]
    """Areas that are not meant from then on: "우리 애" is the dog that was spoken of."""
    says: tuple[str, ...]
    questions: Mapping[Stage, tuple[str, ...]]


Group = frozenset[str]
"""Words of which one is enough: `팀장` (a noun), `혼나-` (a verb), `!자-` (denied), `~썸` (letters, blanks aside)."""


@dataclass(frozen=True, slots=True)
class _Rule:
    """A topic is met where every group has a word in a text, and `unless` has none."""

    topic: Topic
    groups: tuple[Group, ...]
    unless: Group


class Topics:
    """All topics of `bot/resources/scripted/topics`, each area over the word groups of `words.toml`."""

    def __init__(self, *, analyse: Callable[[str], Sequence[Morpheme]]) -> None:
        self._analyse = analyse
        shared = resources.toml("scripted/words.toml")
        areas = {area: resources.toml(f"scripted/topics/{area}.toml") for area in resources.names("scripted/topics")}
        self._rules = [rule for area, table in areas.items() for rule in _rules(area, table, shared)]
        self.all = tuple({id(rule.topic): rule.topic for rule in self._rules}.values())
        self._by_word: defaultdict[str, set[int]] = defaultdict(set)
        for number, rule in enumerate(self._rules):
            for word in min(rule.groups, key=len):  # a rule is looked at where its smallest group is met
                self._by_word[word].add(number)
        self._by_letters: defaultdict[str, set[str]] = defaultdict(set)
        for word in {word for rule in self._rules for group in (*rule.groups, rule.unless) for word in group}:
            if word.startswith("~"):
                self._by_letters[word[1:3]].add(word)
        self.met: Callable[[str], Sequence[Topic]] = lru_cache(maxsize=TEXTS_KEPT)(self._met)
        """Returns the topics of a text: losses first, then what is told most precisely, then what is told last."""

    def _met(self, text: str) -> Sequence[Topic]:
        places = dict(_words(self._analyse(text)))
        written = [at for at, letter in enumerate(text) if not letter.isspace()]
        plain = "".join(text[at].lower()[:1] for at in written)
        for at, start in enumerate(written):
            for first in {plain[at], plain[at : at + 2]}:
                places |= {word: start for word in self._by_letters.get(first, ()) if plain.startswith(word[1:], at)}
        found: dict[Topic, tuple[bool, bool, int, int]] = {}
        for number in {number for word in places for number in self._by_word.get(word, ())}:
            rule = self._rules[number]
            if not rule.unless.isdisjoint(places):
                continue
            last = [max((places[word] for word in group & places.keys()), default=-1) for group in rule.groups]
            if min(last) >= 0:
                rank = (not rule.topic.is_general, rule.topic.lasts, len(rule.groups), max(last))
                found[rule.topic] = max(rank, found.get(rule.topic, rank))
        return sorted(found, key=found.__getitem__, reverse=True)


def _words(morphemes: Sequence[Morpheme]) -> Iterator[tuple[str, int]]:
    """Name the words of a text as rules write them, with the place of each."""
    for i, m in enumerate(morphemes):
        kind = m.tag.partition("-")[0]
        if kind in _NOUNS:
            word = m.form.lower()
        elif kind in _VERBS:
            word = f"{m.form}-"
        else:
            continue
        yield (f"!{word}" if _is_denied(morphemes, i) else word), m.start


def _is_denied(morphemes: Sequence[Morpheme], index: int) -> bool:
    """Whether a word is denied: 안 오다, 못 자다, 걱정하지 않다."""
    before = morphemes[index - 1] if index else None
    if before is not None and before.tag == "MAG" and before.form in ("안", "못"):
        return True
    rest = [m for m in morphemes[index + 1 : index + 5] if m.tag.partition("-")[0] not in _SUFFIXES and m.tag != "JX"]
    if rest and rest[0].tag == "EP":
        rest = rest[1:]
    return len(rest) > 1 and rest[0].form == "지" and rest[1].form in _NEGATIONS


def _rules(area: str, table: Mapping[str, Any], shared: Mapping[str, str]) -> Iterator[_Rule]:
    groups = {**shared, **table.get("words", {})}
    for name, entry in table.items():
        if name == "words":
            continue
        topic = Topic(
            area=area,
            name=f"{area}.{name}",
            mood=entry["mood"],
            is_general=entry.get("general", False),
            lasts=entry.get("lasts", False),
            passes=entry.get("passes", False),
            hides=frozenset(entry.get("hides", ())),
            says=tuple(entry["says"]),
            questions={stage: tuple(entry[stage]) for stage in Stage},
        )
        unless = _group(entry.get("unless", ""), groups)
        for rule in entry["when"]:
            yield _Rule(topic, tuple(_group(words, groups) for words in rule.split("&")), unless)


def _group(written: str, groups: Mapping[str, str]) -> Group:
    """Read words and, as `@boss`, the names of groups of words."""
    words: set[str] = set()
    for word in written.split():
        words |= _group(groups[word[1:]], groups) if word.startswith("@") else {word}
    return frozenset(words)
