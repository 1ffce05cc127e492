"""Who can answer: characters read from their files, and found by what people call them."""

import tomllib
import unicodedata
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from bot.conversation.model import Character, CharacterId, Decorations, Gravity, Mendable

DEFAULT = CharacterId("mentos")
"""Who answers until somebody else is chosen: the first of the mapping."""

KINDS = ("rule", "kobart", "lora", "prompt")
"""What can render a character: `rule:seonbi`, `kobart:선비`, `lora:expert` or plain `prompt`."""

_AT_MOST = {"id": 32, "name": 32, "name_en": 32}
_WORDS = ("id", "name", "name_en", "persona", "greeting", "sample")


class CharacterError(Mendable):
    """A character file is broken."""


def load(*, available: Collection[str], folders: Sequence[Path] = ()) -> Mapping[CharacterId, Character]:
    """Read every `*.toml` of the packaged characters and of `folders`, the default first and the others by file name.

    A file lists its `renderers` in order of preference; the first that is `available`, by its whole name
    (`rule:seonbi`) or by its kind (`prompt`), renders the character. Folders that are not there hold no characters.

    Raises `CharacterError` for a file that is no TOML or lacks a key, an id that two files claim, an unknown kind of
    renderer, and a character that nothing available can render.
    """
    characters: dict[CharacterId, Character] = {}
    for file in _files_of(folders):
        character = _read(file, available)
        if character.id in characters:
            raise CharacterError(f"{file}: the id {character.id!r} is taken by another character; choose another id")
        characters[character.id] = character
    return dict(sorted(characters.items(), key=lambda item: item[0] != DEFAULT))


def find(characters: Mapping[CharacterId, Character], words: str) -> Character | None:
    """Return the character that is called so: by id, either name or an alias, whatever the case and the blanks."""
    wanted = _folded(words)
    return next((c for c in characters.values() if wanted in map(_folded, (c.id, c.name, c.name_en, *c.aliases))), None)


def rendered(character: Character, available: Collection[str]) -> Character:
    """Return the same one as the first of its renderers that are `available` by now renders it; else as it was."""
    return replace(
        character,
        renderer=first(character.renderers, available) or character.renderer,
        softened=first(character.softeners, available) or character.softened,
    )


def first(renderers: Sequence[str], available: Collection[str]) -> str | None:
    """Return the first that is available, by its whole name or by its kind."""
    return next((each for each in renderers if each in available or each.partition(":")[0] in available), None)


def _folded(words: str) -> str:
    return "".join(unicodedata.normalize("NFC", words).casefold().split())


def _files_of(folders: Sequence[Path]) -> Iterator[Traversable]:
    for folder in (files("bot.resources") / "characters", *folders):
        if folder.is_dir():
            yield from sorted((f for f in folder.iterdir() if f.name.endswith(".toml")), key=lambda f: f.name)


def _read(file: Traversable, available: Collection[str]) -> Character:
    try:
        table = tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise CharacterError(f"{file}: this is no TOML ({error}); mend the file or take it away") from error

    words = {key: _words(file, table, key) for key in _WORDS}
    for key, most in _AT_MOST.items():
        if len(words[key]) > most:
            raise CharacterError(f"{file}: the key {key!r} has more than {most} characters; shorten it")
    renderers = _renderers(file, "renderers", table, available)
    softeners = _renderers(file, "softened", table, available) if "softened" in table else renderers
    return Character(
        id=CharacterId(words["id"]),
        name=words["name"],
        name_en=words["name_en"],
        renderer=first(renderers, available) or renderers[0],
        persona=words["persona"],
        greeting=words["greeting"],
        sample=words["sample"],
        softened=first(softeners, available) or softeners[0],
        decorations=_decorations(file, table["decorations"]) if "decorations" in table else Decorations(),
        aliases=_list(file, table, "aliases") if "aliases" in table else (),
        renderers=renderers,
        softeners=softeners,
    )


def _words(file: Traversable, table: Mapping[str, Any], key: str) -> str:
    value = table.get(key)
    if not isinstance(value, str) or not value.strip():
        raise CharacterError(f'{file}: the key {key!r} is missing or no text; write {key} = "…"')
    return unicodedata.normalize("NFC", value.strip())


def _list(file: Traversable, table: Mapping[str, Any], key: str) -> tuple[str, ...]:
    value = table.get(key)
    if not isinstance(value, list) or not value or not all(isinstance(item, str) for item in value):
        raise CharacterError(f'{file}: the key {key!r} is missing or no list of texts; write {key} = ["…"]')
    return tuple(unicodedata.normalize("NFC", item) for item in value)


def _decorations(file: Traversable, table: Mapping[str, Any]) -> Decorations:
    until = table.get("until", "light")
    if until not in ("light", "heavy"):
        raise CharacterError(f'{file}: \'until\' is {until!r}; write "light" or "heavy"')
    return Decorations(
        openers=_list(file, table, "openers") if "openers" in table else (),
        closers=_list(file, table, "closers") if "closers" in table else (),
        until=Gravity[until.upper()],
    )


def _renderers(file: Traversable, key: str, table: Mapping[str, Any], available: Collection[str]) -> tuple[str, ...]:
    renderers = _list(file, table, key)
    for renderer in renderers:
        kind, _, name = renderer.partition(":")
        if kind not in KINDS or (kind == "prompt") == bool(name):
            raise CharacterError(f"{file}: {key!r} has {renderer!r}; write one of rule:…, kobart:…, lora:… or prompt")
    if first(renderers, available) is None:
        raise CharacterError(
            f"{file}: nothing here renders {' or '.join(map(repr, renderers))}; "
            f"have {', '.join(sorted(available))}: add one of these to {key!r}"
        )
    return renderers
