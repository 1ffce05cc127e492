"""A person's own words, given back to them: only in the constructions that are safe, and otherwise not at all."""

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Protocol


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


Join = Callable[[Sequence[tuple[str, str]]], str]

_MOST_WORDS = 7
_HANGUL = re.compile("[가-힣]+")
_FIRST_PERSON = {"나", "저", "내", "제"}
_AS_SUBJECT = {"가", "이", "는", "은", "ᆫ", "도"}
_AS_TOPIC = {"은", "는", "ᆫ"}
_SUFFIXES = {"XSA", "XSV"}
_FOREIGN = {"NP", "NNP", "NR", "SL", "SN", "SW", "UN", "UNK", "NF", "EF", "VCP"}


@dataclass(frozen=True, slots=True)
class Reflection:
    """A sentence, and the stem of its predicate."""

    sentence: str
    stem: str

    def is_said_by(self, line: str) -> bool:
        """Whether a line is about the same: "지치" is in "많이 지쳤죠" too, so the last vowel is left open."""
        root = unicodedata.normalize("NFD", self.stem[:2])[:-1]
        return root in unicodedata.normalize("NFD", line)


class _Unsafe(Exception):  # no error: the usual outcome
    """This cannot be given back."""


class Reflector:
    """Reflects how the speaker feels ("많이 지치셨군요.") or what somebody did ("…다는 말씀이시군요."), else nothing.

    Third persons get no honorific, first persons are left out, and whatever
    `resources/scripted/reflection.toml` does not list is not touched.
    """

    def __init__(self, *, lexicon: Mapping[str, Any], join: Join) -> None:
        self._lexicon = lexicon
        self._join = join
        self._silent = re.compile(lexicon["silent"])
        self._never = re.compile(lexicon["never"])

    def reflect(self, text: str, morphemes: Sequence[Morpheme], *, with_events: bool) -> Reflection | None:
        """Reflect the last sentence that can be: how the speaker feels, or else, `with_events`, what others did."""
        if self._silent.search(text):
            return None
        sentences = [s for s in _sentences(morphemes) if not self._never.search(text[s[0].start : s[-1].end])]
        for construction in (self._state, self._event) if with_events else (self._state,):
            for sentence in reversed(sentences):
                try:
                    return construction(text, sentence)
                except _Unsafe:
                    continue
        return None

    def nouns(self, morphemes: Sequence[Morpheme]) -> Mapping[str, str]:
        """Return the nouns that are safe to take up as a subject of talk, in order: as written, and as we would."""
        echo: Mapping[str, str] = self._lexicon["echo"]
        nouns = [m for m in morphemes if m.tag == "NNG"]
        wholes = {m.form: before.form + m.form for before, m in pairwise(nouns) if before.end == m.start}
        return {m.form: said for m in nouns if (said := echo.get(wholes.get(m.form, "")) or echo.get(m.form))}

    def _state(self, text: str, sentence: Sequence[Morpheme]) -> Reflection:
        """The speaker's feeling, wish or inability: "내일 발표가 있는데 너무 떨려" becomes "… 너무 떨리시는군요."."""
        body, past = _without_ending(sentence, self._lexicon["declarative"])
        before, predicate = _cut_predicate(body)
        stem = "".join(m.form for m in predicate)
        spoken = [(m.form, m.tag) for m in predicate]
        name = stem

        if stem == "싶" and _ends_with(before, "고"):
            before = before[:-1]
            name = "보고 싶" if _ends_with(before, "보") else stem
        elif stem == "있" and _ends_with(before, "고"):
            before = before[:-1]
            if "".join(m.form for m in _cut_predicate(before)[1]) not in self._lexicon["doing"]:
                raise _Unsafe
            spoken = [("계시", "VV")]
        elif _ends_with(before, "못") and stem in self._lexicon["unable"]:
            spoken = [(self._lexicon["honoured"].get(stem, stem), predicate[0].tag)]
        elif f"{_noun_before(before)} {stem}" not in self._lexicon["inner_pairs"] and (
            stem not in self._lexicon["states"] or _ends_with(before, "안")
        ):
            raise _Unsafe
        self._check_subjects(before, name)

        is_verb = spoken[-1][1].startswith(("VV", "XSV"))
        if not spoken[-1][0].endswith("시"):
            spoken.append(("시", "EP"))
        spoken += [("었", "EP"), ("군요", "EF")] if past else [("는군요" if is_verb else "군요", "EF")]
        return Reflection(f"{self._words(text, sentence, predicate[0].start)}{self._join(spoken)}.", stem)

    def _event(self, text: str, sentence: Sequence[Morpheme]) -> Reflection:
        """What somebody did: "친구가 약속을 또 어겼어" becomes "친구가 약속을 또 어겼다는 말씀이시군요."."""
        body, past = _without_ending(sentence, self._lexicon["declarative"])
        before, predicate = _cut_predicate(body)
        subjects = [
            noun.form if noun.tag != "XSN" else earlier.form + noun.form
            for (earlier, noun), (_, particle) in pairwise(pairwise([body[0], *before]))
            if particle.tag == "JKS"
        ]
        is_plain = predicate[-1].tag.startswith(("VV", "XSV")) and not any(
            m.tag in {"EC", "ETN", "EF"} or (m.tag == "JX" and m.form in _AS_TOPIC) for m in before
        )
        if not is_plain or len(subjects) != 1 or subjects[0] not in self._lexicon["persons"]:
            raise _Unsafe
        spoken = [(m.form, m.tag) for m in predicate]
        spoken += [("었", "EP"), ("다는", "ETM")] if past else [("는다는", "ETM")]
        words = self._words(text, sentence, predicate[0].start)
        return Reflection(f"{words}{self._join(spoken)} 말씀이시군요.", predicate[0].form)

    def _check_subjects(self, before: Sequence[Morpheme], predicate: str) -> None:
        """Let only the speaker, something in them, or what moves them be the subject of the last clause."""
        links = [i for i, m in enumerate(before) if m.tag == "EC"]
        if len(links) > 1 or any(before[i].form not in self._lexicon["links"] for i in links):
            raise _Unsafe
        for i, (noun, particle) in enumerate(pairwise(before)):
            is_topic = particle.tag == "JX" and particle.form in _AS_TOPIC
            if not is_topic and not (particle.tag == "JKS" and (not links or i > links[-1])):
                continue
            is_act = noun.form == "것"
            takes_things = predicate in self._lexicon["moved_by"]
            takes_acts = takes_things or predicate in self._lexicon["moved_by_acts"]
            if takes_things and particle.tag == "JKS" and noun.form in _FIRST_PERSON:
                raise _Unsafe  # "내가 싫어" says who is disliked
            is_own = noun.form in _FIRST_PERSON or noun.form in self._lexicon["inner"]
            is_time = is_topic and noun.form in self._lexicon["times"]
            if not (is_own or is_time or (takes_acts if is_act else takes_things)):
                raise _Unsafe

    def _words(self, text: str, sentence: Sequence[Morpheme], end: int) -> str:
        """Say what comes before the predicate in our voice: without "나", names, numbers and interjections."""
        start = sentence[0].start
        nouns_as: Mapping[str, str] = self._lexicon["nouns_as"]
        words_as: Mapping[str, str] = self._lexicon["words_as"]
        said: list[str] = []
        owner = False
        for word in re.finditer(r"\S+", text[start:end]):
            plain = word.group().strip(",.…~")
            inside = [m for m in sentence if word.start() <= m.start - start < word.end() and m.start < end]
            if not _HANGUL.fullmatch(plain) or not inside:
                raise _Unsafe
            head, rest = inside[0], inside[1:]
            if owner and head.form not in self._lexicon["inner"] and head.form not in self._lexicon["persons"]:
                raise _Unsafe
            owner = plain in {"내", "제", "우리"} or (head.tag == "MM" and head.form in _FIRST_PERSON)
            following = next(m for m in sentence if m.start >= min(start + word.end(), end))
            # a bare "나" is the subject only before an adverb: "나 너무 …", but "나 때문에", "나 빼고"
            is_subject = rest[-1].form in _AS_SUBJECT if rest else following.tag == "MAG"
            if owner or (head.tag == "NP" and head.form in _FIRST_PERSON and is_subject):
                continue
            if head.tag in {"IC", "MAJ"} and not said:
                continue
            if any(m.tag in _FOREIGN for m in inside):
                raise _Unsafe
            noun = nouns_as[head.form] + plain[len(head.form) :] if head.form in nouns_as else plain
            said.append(words_as.get(plain, noun))
        if owner or len(said) > _MOST_WORDS:
            raise _Unsafe
        return " ".join(filter(None, said)) + (" " if said and text[end - 1].isspace() else "")


def _sentences(morphemes: Sequence[Morpheme]) -> Iterator[Sequence[Morpheme]]:
    """Cut after each final ending and each mark, and leave out the questions."""
    sentence: list[Morpheme] = []
    for i, m in enumerate(morphemes):
        following = morphemes[i + 1] if i + 1 < len(morphemes) else None
        if _is_mark(m):
            sentence = []
            continue
        sentence.append(m)
        is_last = following is None or _is_mark(following)
        has_more = following is not None and (following.form, following.tag) == ("요", "JX")
        if is_last or (not has_more and (m.tag == "EF" or (m.form, m.tag) == ("요", "JX"))):
            if following is None or "?" not in following.form:
                yield tuple(sentence)
            sentence = []


def _is_mark(m: Morpheme) -> bool:
    return m.tag in {"SF", "SE", "SW", "SSO", "SSC"} or m.tag.startswith("W_")


def _without_ending(sentence: Sequence[Morpheme], declarative: Sequence[str]) -> tuple[Sequence[Morpheme], bool]:
    """Take a declarative ending off, and say whether it stood in the past."""
    body = list(sentence)
    if (body[-1].form, body[-1].tag) == ("요", "JX"):
        body.pop()
    if not body or body[-1].tag not in {"EF", "EC"} or body.pop().form not in declarative:
        raise _Unsafe
    past = bool(body) and body[-1].tag == "EP" and body[-1].form in {"었", "았", "였"}
    if past:
        body.pop()
    if not body or body[-1].tag == "EP":
        raise _Unsafe
    return body, past


def _cut_predicate(body: Sequence[Morpheme]) -> tuple[Sequence[Morpheme], Sequence[Morpheme]]:
    """Cut the last predicate off: one morpheme, or a noun with its suffix ("불안" + "하")."""
    size = 2 if len(body) > 1 and body[-1].tag in _SUFFIXES else 1
    return body[:-size], body[-size:]


def _ends_with(morphemes: Sequence[Morpheme], form: str) -> bool:
    return bool(morphemes) and morphemes[-1].form == form


def _noun_before(before: Sequence[Morpheme]) -> str | None:
    """Return the noun of a predicate such as "나": 눈물, from "눈물이 자꾸"."""
    nouns = (m for m in reversed(before) if m.tag not in {"JKS", "JKO", "JX", "MAG"})
    nearest = next(nouns, None)
    return nearest.form if nearest is not None and nearest.tag.startswith("NN") else None
