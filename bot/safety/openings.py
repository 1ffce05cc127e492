"""Where a sign can begin: the first two letters of all that it matches, so that few places need be tried."""

from collections.abc import Iterator

ANY = ""
_GAP = frozenset(" |0123456789")


def _group(source: str) -> tuple[list[str], str]:
    """Split `(?:a|b)rest` into its alternatives and the rest."""
    depth = is_class = 0
    start, alternatives = 3, []
    for at, letter in enumerate(source):
        is_class = (is_class or letter == "[") and letter != "]"
        if is_class:
            continue
        depth += (letter == "(") - (letter == ")")
        if letter == "|" and depth == 1:
            alternatives.append(source[start:at])
            start = at + 1
        if depth == 0:
            return [*alternatives, source[start:at]], source[at + 1 :]
    raise ValueError(f"a group of this sign is never closed: {source!r}")


def _optional(rest: str) -> tuple[bool, str]:
    if rest.startswith("?"):
        return True, rest[1:]
    if rest.startswith("{"):
        return rest.startswith("{0"), rest[rest.index("}") + 1 :]
    return False, rest


def _branches(source: str) -> Iterator[tuple[str, str]]:
    """Yield each first letter that a source may match, `ANY` where it cannot be told, with the source after it."""
    if source.startswith("(?:"):
        alternatives, rest = _group(source)
        is_optional, rest = _optional(rest)
        for alternative in alternatives:
            yield from _branches(alternative + rest)
    elif source.startswith("(?"):
        is_optional, rest = True, _group(source)[1]
    elif source.startswith("["):
        letters, rest = source[1:].split("]", 1)
        is_optional, rest = _optional(rest)
        for letter in {ANY} if "-" in letters or "^" in letters else letters:
            yield letter, rest
    elif source.startswith(" "):
        is_optional, rest = True, source[1:]
        for letter in _GAP:
            yield letter, rest
    else:
        is_optional, rest = _optional(source[1:])
        yield ANY if source[:1] in {"", "~", "$", "."} else source[0], rest
    if is_optional:
        yield from _branches(rest)


def openings(source: str) -> frozenset[str]:
    """Return the one or two letters with which a match begins. In a source a blank is a gap, `~` any letter."""
    found = {first + second for first, rest in _branches(f"(?:{source})") for second, _ in _branches(rest)}
    if any(not opening or opening[0] in " |" for opening in found):
        raise ValueError(f"a sign must begin with a letter: {source!r}")
    return frozenset(found)
