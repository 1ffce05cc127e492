"""The words that Mentos keeps as files: prompts, characters, interface strings, hotlines and the crisis replies."""

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any


@cache
def text(path: str) -> str:
    """Read a packaged file, as `prompts/counsellor.md`."""
    return files(__name__).joinpath(path).read_text(encoding="utf-8")


@cache
def toml(path: str) -> dict[str, Any]:
    """Read a packaged TOML file, as `hotlines.toml`. The same dictionary every time: nobody changes it."""
    return tomllib.loads(text(path))


def names(folder: str) -> list[str]:
    """Name the packaged TOML files of a folder, in order."""
    return sorted(file.name.removesuffix(".toml") for file in files(__name__).joinpath(folder).iterdir())


def strings(language: str) -> Mapping[str, Mapping[str, str]]:
    """Return the interface words of a language, `ko` or `en`: section -> key -> words."""
    return toml(f"strings/{language}.toml")
