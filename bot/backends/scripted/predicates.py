"""The end of a Korean sentence: its ending, its predicate, and whose sentence it is."""

from collections.abc import Iterable, Sequence
from itertools import pairwise

from bot.backends.scripted.utterances import Morpheme

FIRST_PERSON = {"나", "저"}
AS_TOPIC = {"은", "는", "ᆫ"}
QUOTING = {"다고", "ᆫ다고", "는다고", "라고", "으라고", "냐고", "자고"}
ORDERED, PROPOSED = {"래", "으래"}, {"재"}
HEARSAY = {*ORDERED, *PROPOSED, "대", "ᆫ대", "는대"}
_SAID = {"다고", "ᆫ다고", "는다고"}
_DRAWN_TOGETHER = {"어": "", "아": "", "네": "", "ᆸ니다": "다"}  # "-다고 해" is hearsay, "-답니다" tells
_SUFFIXES = ("XSA", "XSV")


class Unsafe(Exception):  # no error: a usual outcome
    """This cannot be given back."""


def is_denied(body: Sequence[Morpheme]) -> bool:
    return any(m.tag == "MAG" and m.form in {"안", "못"} for m in body[-3:])


def has_subject(morphemes: Iterable[Morpheme], *, topics_only: bool = False) -> bool:
    return any(
        (m.tag == "JKS" and not topics_only) or (m.tag == "JX" and m.form in AS_TOPIC and noun.tag[0] == "N")
        for noun, m in pairwise(morphemes)
    )


def hangs_on_speaker(pronoun: Morpheme, following: Morpheme) -> bool:
    """Whether a sentence is about the speaker alone, or all but the speaker: 나만, 나 빼고."""
    return pronoun.tag == "NP" and pronoun.form in FIRST_PERSON and following.form in {"만", "빼", "까지", "보다"}


def plain(before: Sequence[Morpheme], predicate: Sequence[Morpheme], endings: Sequence[str]) -> tuple[str, str]:
    """Return the ending of reported speech: -는다 after a present verb, -라 after a noun, else -다."""
    last = predicate[-1]
    if {"었", "겠"}.intersection(endings):
        return "다", "EF"
    if last.tag in {"VCP", "VCN"}:
        return "라", "EC"
    verbs = [m for m in before if m.tag.startswith(("VV", "VA", "XSV", "XSA")) or m.form == "싶"]
    is_told_by_verb = last.form in {"않", "못하"} or (last.form == "하" and bool(before) and before[-1].tag == "JX")
    told_by = verbs[-1] if last.tag == "VX" and is_told_by_verb and verbs else last
    is_still = told_by.form in {"있", "없", "싶", "같"} and not endings
    return ("는다" if told_by.tag.startswith(("VV", "XSV", "VX")) and not is_still else "다"), "EF"


def cut_ending(sentence: Sequence[Morpheme]) -> tuple[list[Morpheme], str]:
    """Cut the final ending off, without its 요; "-다고 해" that is drawn together to "-대" is one."""
    body = list(sentence)
    if (body[-1].form, body[-1].tag) == ("요", "JX"):
        body.pop()
    if not body or body[-1].tag not in {"EF", "EC", "ETN"}:
        raise Unsafe
    if body[-1].tag == "EC" and ends_with(body[:-1], "가"):
        raise Unsafe  # "아파가" is a dialect's "아파서"
    ending = body.pop().form.removesuffix("요")
    if len(body) > 1 and body[-1].form == "하" and is_drawn_together(body[-2]):
        if ending not in _DRAWN_TOGETHER:
            raise Unsafe  # "달라졌달까"
        kinds = (mark for mark in "라자" if mark in body[-2].form)
        ending = _DRAWN_TOGETHER[ending] or {"라": "래", "자": "재"}.get(next(kinds, ""), "대")
        del body[-2:]
    elif len(body) > 1 and body[-1].form == "하" and body[-2].form in _SAID and has_subject(body):
        ending = "대"  # "면회를 오신다고 합니다"
        del body[-2:]
    return body, ending


def is_drawn_together(quoting: Morpheme) -> bool:
    """Whether "-다고" is written shorter than it is read: 간대, 갔답니다."""
    return quoting.form in QUOTING and quoting.end - quoting.start < len(quoting.form)


def cut_predicate(body: Sequence[Morpheme]) -> tuple[Sequence[Morpheme], Sequence[Morpheme]]:
    """Cut the last predicate off: one morpheme, or a noun with its suffix ("불안" + "하")."""
    if not body or body[-1].tag[0] not in "VX" or body[-1].tag == "XSN":
        raise Unsafe
    size = 2 if len(body) > 1 and body[-1].tag.startswith(_SUFFIXES) and body[-2].end == body[-1].start else 1
    return body[:-size], body[-size:]


def ends_with(morphemes: Sequence[Morpheme], *forms: str) -> bool:
    return bool(morphemes) and morphemes[-1].form in forms


def noun_before(before: Sequence[Morpheme]) -> str | None:
    """Return the noun of a predicate such as "나": 눈물, from "눈물이 자꾸"."""
    nouns = (m for m in reversed(before) if m.tag not in {"JKS", "JKO", "JX", "MAG"})
    nearest = next(nouns, None)
    return nearest.form if nearest is not None and nearest.tag.startswith("NN") else None
