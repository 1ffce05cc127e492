"""The table of endings and styles, read once from `tone.toml` and `styles/`."""

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

_TABLES = ("phrases", "swaps", "honorifics", "endings")

Words = Mapping[str, frozenset[str]]


class Piece(NamedTuple):
    """A morpheme to be written; one without a tag is written as it is."""

    form: str
    tag: str
    space: bool = False


def pieces(spelled: str) -> list[Piece]:
    """Parse `어도/EC _되/VV` into pieces."""
    atoms = ((atom.startswith("_"), *atom.removeprefix("_").partition("/")) for atom in spelled.split())
    return [Piece(form, tag, space) for space, form, _, tag in atoms]


@dataclass(frozen=True, slots=True)
class Swap:
    """Morphemes said otherwise. `follows` must come next, and one of the word list `near` be in the clause."""

    pattern: tuple[str, ...]
    follows: tuple[str, ...]
    near: str
    ends: bool
    written: tuple[Piece, ...]

    @classmethod
    def parse(cls, pattern: str, written: str) -> "Swap":
        atoms = pattern.split()
        return cls(
            pattern=tuple(atom for atom in atoms if atom[0] not in ">~$"),
            follows=tuple(atom[1:] for atom in atoms if atom[0] == ">"),
            near="".join(atom[1:] for atom in atoms if atom[0] == "~"),
            ends="$" in atoms,
            written=tuple(pieces(written)),
        )


Swaps = Mapping[str, Sequence[Swap]]  # by the first morpheme of the pattern


def _by_first(written: Mapping[str, str]) -> Swaps:
    swaps: dict[str, list[Swap]] = {}
    for swap in (Swap.parse(*pair) for pair in written.items()):
        swaps.setdefault(swap.pattern[0], []).append(swap)
    return swaps


@dataclass(frozen=True, slots=True)
class Style:
    """How one manner of speech says each act. `honorific` keeps the -시- that honours the listener.

    Where it does not, `you` is the listener as a subject, for a sentence in which only the -시- told who it is.
    """

    honorific: bool
    you: tuple[Piece, ...]
    phrases: Mapping[str, str]
    swaps: Swaps
    honorifics: Swaps
    endings: Mapping[str, str]

    @classmethod
    def load(cls, path: Path) -> "Style":
        style = _inherited(path)
        return cls(
            honorific=style.get("honorific", True),
            you=tuple(pieces(style.get("you", ""))),
            phrases=_spoken(style, "phrases"),
            swaps=_by_first(_spoken(style, "swaps")),
            honorifics=_by_first(_spoken(style, "honorifics")),
            endings=_spoken(style, "endings"),
        )


def _inherited(path: Path) -> dict[str, Any]:
    """Read a style over the one it is based on. Its own rules come first, so that where two fit, its own does."""
    own = tomllib.loads(path.read_text("utf-8"))
    if "based_on" not in own:
        return own
    base = _inherited(path.with_stem(own["based_on"]))
    tables = {name: own.get(name, {}) | base.get(name, {}) | own.get(name, {}) for name in _TABLES}
    return base | own | tables


def _spoken(style: Mapping[str, Any], name: str) -> dict[str, str]:
    return {key: said for key, said in style.get(name, {}).items() if said}


@dataclass(frozen=True, slots=True)
class Ending:
    act: str
    base: str


@dataclass(frozen=True, slots=True)
class Rules:
    endings: Mapping[str, Ending]
    styles: Mapping[str, Style]
    helpline: re.Pattern[str]
    words: Words

    @classmethod
    def load(cls, path: Path) -> "Rules":
        table = tomllib.loads(path.read_text("utf-8"))
        numbers = "|".join(table["helplines"].split())
        return cls(
            endings={
                form: Ending(act, base)
                for act, listed in table["endings"].items()
                for form, _, base in (atom.partition(">") for atom in listed.split())
            },
            styles={style.stem: Style.load(style) for style in sorted(path.with_name("styles").glob("*.toml"))},
            helpline=re.compile(rf"(?<!\d)(?:(?:{numbers})(?!\d)|\d{{2,4}}-\d{{3,4}}(?!\d))"),
            words={name: frozenset(listed.split()) for name, listed in table["words"].items()},
        )
