"""What people write -> its sentences. They leave full stops out, so that the endings must say where one ends."""

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Protocol


class Morpheme(Protocol):
    """A morpheme, `text[start:end]`, with a Sejong tag as Kiwi gives them (`NNG`, `VV-I`, `EF` …)."""

    @property
    def form(self) -> str: ...
    @property
    def tag(self) -> str: ...
    @property
    def start(self) -> int: ...
    @property
    def end(self) -> int: ...


_SIGHS = {"SE", "SW", "SO", "W_EMOJI"}  # … ㅠㅠ ~ 😭
_LAUGHS = {"허허", "하하", "히히", "흐흐"}
_SMILE = re.compile(r"[:;=]-?[)(DP]+|;+")
_QUOTES = {'"': '"', "“": "”", "‘": "’", "「": "」", "『": "』"}

# Endings that Kiwi may take for connectives, and that close a sentence before a blank.
_FINAL = {"ᆸ니다", "습니다", "ᆸ디다", "습디다", "소", "어요", "아요", "네", "네요", "야", "대", "래", "냐"}
_FINAL |= {"거든", "거든요", "ᆯ게", "을게", "구나", "는구나", "고요", "라고요", "다고요", "더라", "더라고", "더라고요"}
# These close it unless a verb that they serve follows: 먹는다 해도, 배고파 죽겠다, 했음 좋겠다, 열었다 닫았다.
_BARE, NOMINAL, _PRESENT, _PAST = {"어", "아"}, {"음", "ᆷ"}, {"는다", "ᆫ다"}, "다"
_SERVED = {
    "가",
    "오",
    "다니",
    "보",
    "주",
    "버리",
    "놓",
    "두",
    "있",
    "계시",
    "내",
    "나",
    "지",
    "먹",
    "치우",
    "쌓",
    "드리",
}
_SERVED |= {"들", "죽", "미치", "하", "되", "좋"}
_QUOTES_BARE = {"하", "이러", "그러"}
MAYBE = {"ᆯ까", "을까"}
_SOFT = {"는데", "은데", "ᆫ데", "는데요", "은데요", "ᆫ데요"}  # "…했는데요 그냥" goes on
# What closes one before … and ㅠㅠ.
_SIGHED_TAGS, _SIGHED = (
    {"EF", "ETN", "NNB", "NNG", "NNP"},
    {*_FINAL, *_BARE, *NOMINAL, *_PRESENT, _PAST, "나", "은가", "ᆫ가"},
)
_AFTERTHOUGHT = 6
"""Morphemes in which a word or two can be said."""


def utterances(text: str, morphemes: Sequence[Morpheme]) -> Sequence[Sequence[Morpheme]]:
    """Cut the morphemes of a text into sentences, marks included, never within a quotation.

    `bench/korean.py` says how often this is where a reader would cut.
    """
    quoted = _quoted(text)
    smiles = {at for found in _SMILE.finditer(text) for at in range(*found.span())}
    marks = [is_mark(m) or m.start in smiles for m in morphemes]
    starts = [
        i
        for i in range(1, len(morphemes))
        if not marks[i] and morphemes[i].start not in quoted and _is_start(text, morphemes, marks, i)
    ]
    return [morphemes[start:end] for start, end in pairwise([0, *starts, len(morphemes)]) if start < end]


def is_mark(m: Morpheme) -> bool:
    """Whether a morpheme is no word: a stop, a sigh or laughter."""
    return m.tag in _SIGHS or m.tag == "SF" or m.form in _LAUGHS


def _quoted(text: str) -> set[int]:
    """Return the places where a quotation is open; one that is never closed is none."""
    inside: set[int] = set()
    opened, closer = 0, ""
    for at, character in enumerate(text):
        if character == closer:
            inside.update(range(opened, at + 1))
            closer = ""
        elif not closer and character in _QUOTES:
            opened, closer = at + 1, _QUOTES[character]
    return inside


def _is_start(text: str, morphemes: Sequence[Morpheme], marks: Sequence[bool], i: int) -> bool:
    """Whether a sentence starts with morpheme i, which is no mark."""
    gap = text[morphemes[i - 1].end : morphemes[i].start]
    at = next((at for at in range(i - 1, -1, -1) if not marks[at]), None)
    if "\n" in gap:
        return True
    if at is None or morphemes[at].tag == "SSC":
        return False
    if at < i - 1:
        is_stopped = any(m.tag == "SF" and not m.form.startswith("..") for m in morphemes[at + 1 : i])
        return is_stopped or _sighs(morphemes[at])
    if morphemes[i].tag == "SB":
        return morphemes[at].tag != "EC"
    is_end = bool(gap) and _closes(morphemes[max(0, at - 2) : at + 1], morphemes[i])
    return is_end and not _is_afterthought(morphemes, marks, i)


def _sighs(last: Morpheme) -> bool:
    """Whether a morpheme closes a sentence before … or ㅠㅠ."""
    closes = last.tag in _SIGHED_TAGS or last.form in _SIGHED or last.form.endswith(("요", "네"))
    return closes and last.form not in _SOFT


def _is_afterthought(morphemes: Sequence[Morpheme], marks: Sequence[bool], i: int) -> bool:
    """Whether what follows is a word or two without a verb, put behind the sentence: "보고 싶네요 우리 엄마"."""
    end = next(
        (j for j in range(i, min(i + _AFTERTHOUGHT, len(marks))) if marks[j]), min(i + _AFTERTHOUGHT, len(marks))
    )
    words = morphemes[i:end]
    blanks = sum(one.end < other.start for one, other in pairwise(words))
    return len(words) < _AFTERTHOUGHT and blanks <= 1 and all(m.tag[0] not in "VE" for m in words)


def _closes(ending: Sequence[Morpheme], following: Morpheme) -> bool:
    """Whether the last of three morphemes closes a sentence without a mark."""
    if len(ending) < 2:
        return False
    before, last = ending[-2:]
    earlier = ending[0] if len(ending) > 2 else None
    form, tag = last.form, last.tag
    if (form, tag) == ("요", "JX") and before.tag in {"EF", "EC", "JKQ"}:
        form, tag = before.form + form, before.tag
    serves = following.tag[0] == "V" and (following.form in _SERVED or form in {*MAYBE, _PAST})
    if earlier is not None and earlier.form in MAYBE:
        return False  # "할까 봐"
    if form in NOMINAL:
        return before.tag[0] in "VEX" and before.tag != "VCN" and not serves  # "아님" is "or"
    if form == _PAST:
        is_quoted = following.form in {"소리", "말", "이야기", "얘기"}  # "고맙다 소리 한마디"
        return tag == "EF" or (before.tag[:2] in {"EP", "VC", "VA", "VX", "XS"} and not serves and not is_quoted)
    if following.tag == "VX" or (following.tag == "VV" and following.form in _QUOTES_BARE):
        return False  # "키우셨겠구나 싶어", "고맙습니다 하고"
    if tag == "EC" and form in _BARE:
        return following.tag[0] != "V" or before.start == before.end  # "-다고 해", drawn together to "-대"
    if form in {"듯", "중"}:
        return before.tag == "ETM" and following.tag[0] not in "VJX"
    if (before.form, form) == ("것", "이"):  # "할게", taken for "할 것이"
        return earlier is not None and earlier.end == before.start
    is_final = tag == "EF" or (tag in {"EC", "JKQ"} and form in _FINAL | _PRESENT)
    return is_final and form not in _SOFT and not (serves and form in MAYBE | _PRESENT)
