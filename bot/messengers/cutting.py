"""Text in pieces of the length that a messenger takes, none of them torn inside what a reader sees as one character."""

import re
import unicodedata


def utf16_units(text: str) -> int:
    """Count as messengers do, where they say how: a character beyond the basic plane is two."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def cut(text: str, units: int) -> tuple[str, str]:
    """Split a text that is too long: after a paragraph, line or sentence in its later half, else at a blank, else where
    it must.
    """
    if utf16_units(text) <= units:
        return text, ""
    end = units
    while utf16_units(text[:end]) > units:
        end -= 1
    for breaks, earliest in ((_PARAGRAPH, end // 2), (_LINE, end // 2), (_SENTENCE, end // 2), (_WORD, 1)):
        places = [found.end() for found in breaks.finditer(text, 0, end + 1) if found.end() >= earliest]
        if place := next((place for place in reversed(places) if not _splits_cluster(text, place)), None):
            return text[:place].rstrip(), text[place:].lstrip()
    # a cluster longer than a bubble is torn all the same
    place = next((place for place in range(end, 0, -1) if not _splits_cluster(text, place)), end)
    return text[:place], text[place:]


_PARAGRAPH, _LINE = re.compile(r"\n{2,}"), re.compile(r"\n")
_SENTENCE, _WORD = re.compile(r"(?<=[.!?…。])[\"'”’)]*\s+"), re.compile(r"\s+")


def _splits_cluster(text: str, place: int) -> bool:
    """Whether a cut there tears what a reader sees as one character: UAX #29, a little stricter, no Indic conjuncts."""
    if (flags := _FLAGS.search(text, 0, place)) and _FLAGS.match(text[place]):
        return len(flags[0]) % 2 == 1
    return unicodedata.category(text[place])[0] == "M" or _JOINED.match(text, place - 1) is not None


_FLAGS = re.compile(r"[\U0001f1e6-\U0001f1ff]+\Z")
_JOINED = re.compile(
    r".[\u200c\u200d\uff9e\uff9f\U0001f3fb-\U0001f3ff\U000e0020-\U000e007f]|\u200d."  # joiners, skin tones, tags
    r"|[\u1100-\u115f\ua960-\ua97c][\u1100-\u11a7\ua960-\ua97c\uac00-\ud7a3\ud7b0-\ud7c6]"  # an initial jamo goes on
    r"|[\u1160-\u11ff\uac00-\ud7fb][\u1160-\u11ff\ud7b0-\ud7fb]",  # and so do vowels, finals and syllables
    re.DOTALL,
)
