"""A person's own words, given back to them: only in the constructions that are safe, and otherwise not at all."""

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial
from itertools import pairwise, starmap
from typing import Any

from bot.backends.scripted.predicates import (
    AS_TOPIC,
    FIRST_PERSON,
    HEARSAY,
    ORDERED,
    PROPOSED,
    QUOTING,
    Unsafe,
    cut_ending,
    cut_predicate,
    ends_with,
    hangs_on_speaker,
    has_subject,
    is_denied,
    is_drawn_together,
    noun_before,
    plain,
)
from bot.backends.scripted.retelling import Join, Retelling
from bot.backends.scripted.utterances import MAYBE, NOMINAL, Morpheme, is_mark, utterances

_PLAINLY = "{told}는 말씀이시군요."
_LEAST_LETTERS = 3
_SENTENCES = 3
"""Sentences from the beginning and from the end of which one may be given back."""

_LETTERS = re.compile(r"\w")
_ACTS = {"것", "그것", "이것"}
_REQUESTED = 5
"""Morphemes before "give" in which somebody would be named who gives."""

_BECAUSE_WITHIN = 3
"""Words of a clause that tells why: whose feeling is meant in a longer one is not sure."""

_GUESSES = {*MAYBE, "나", "ᆫ가", "은가", "는가"}
_BECAUSE = {"어서", "아서", "니까", "으니까"}
_HONOURING = {"세", "으세", "셔"}
_SEEN = {"데", "더라", "더라고", "더라구", "더군", "던데"}


class Kind(StrEnum):
    """What was told, as far as it decides what can be asked about it."""

    FEELS = "feels"
    WISHES = "wishes"
    CANNOT = "cannot"
    WAS_SAID = "was said"
    HAPPENED = "happened"
    GOES_ON = "goes on"
    NAMED = "named"
    """Words without a verb, in answer to a question."""


@dataclass(frozen=True, slots=True)
class Reflection:
    """Sentences of which any gives back what was told, the stem of its predicate, its kind, and the words given back.

    `source` is the sentence they were taken from.
    """

    says: tuple[str, ...]
    stem: str
    kind: Kind
    told: str
    source: str = ""

    def is_said_by(self, line: str) -> bool:
        """Whether a line is about the same: "지치" is in "많이 지쳤죠" too, so the last vowel is left open."""
        root = unicodedata.normalize("NFD", self.stem[:2])[:-1]
        return root in unicodedata.normalize("NFD", line)


class Reflector:
    """Reflects how the speaker feels ("많이 지치셨군요."), else repeats what was told ("…다는 말씀이시군요.").

    What is repeated stays in the plain form of reported speech, so that nobody is honoured or accused by mistake, and
    the speaker is left out of it. What `resources/scripted/reflection.toml` rules out is not touched.
    """

    def __init__(self, *, lexicon: Mapping[str, Any], join: Join) -> None:
        self._lexicon = lexicon
        self._join = join
        self._retelling = Retelling(lexicon=lexicon, join=join)
        self._silent = re.compile(lexicon["silent"])
        self._opening = re.compile(lexicon["opening"])
        self._links = frozenset(lexicon["links"])
        self._declarative = frozenset(lexicon["declarative"])

    def reflect(
        self,
        text: str,
        morphemes: Sequence[Morpheme],
        *,
        frames: Callable[[str], Sequence[str]],
        was_asked: bool = False,
        is_under_way: bool = False,
    ) -> Sequence[Reflection]:
        """Reflect the sentences that can be, each once, those first that readers would most like to hear.

        `frames` returns what can be said about a sentence, with `{told}` in it; a bare noun is only an answer.
        """
        best: dict[str, tuple[float, Reflection]] = {}
        for features, reflection in self.candidates(
            text, morphemes, frames=frames, was_asked=was_asked, is_under_way=is_under_way
        ):
            worth = sum(self._lexicon["worth"].get(name, 0.0) * value for name, value in features.items())
            if worth > best.get(reflection.source, (0.0,))[0]:
                best[reflection.source] = worth, reflection
        return [each for _, each in sorted(best.values(), key=lambda one: one[0], reverse=True)]

    def candidates(
        self,
        text: str,
        morphemes: Sequence[Morpheme],
        *,
        frames: Callable[[str], Sequence[str]],
        was_asked: bool = False,
        is_under_way: bool = False,
    ) -> Iterator[tuple[Mapping[str, float], Reflection]]:
        """Yield all that can be given back of a text, with what `training/reflection.py` weighs it by.

        Whoever begins a talk says first what it is about; in a talk that is under way the point comes last.
        """
        if self._silent.search(text):
            return
        cut = utterances(text, morphemes)
        for number, sentence in enumerate(cut):
            if _SENTENCES <= number < len(cut) - _SENTENCES:
                continue
            place = _place(len(cut) - 1 - number if is_under_way else number, len(cut))
            ending = [m.tag for m in sentence if not is_mark(m)][-1:]
            for reflection in self._attempts(text, sentence, frames=frames, was_asked=was_asked):
                share = len(_LETTERS.findall(reflection.told)) / len(_LETTERS.findall(text))
                names = {place, reflection.kind.value, *ending}
                if reflection.stem == "이" and not reflection.told.endswith("거라"):
                    names.add("is")  # "상담원이라는 말씀이시군요"
                if was_asked:
                    names.add("answer")
                yield {"all": 1.0, "share": share, **dict.fromkeys(names, 1.0)}, reflection

    def _attempts(
        self,
        text: str,
        sentence: Sequence[Morpheme],
        *,
        frames: Callable[[str], Sequence[str]],
        was_asked: bool,
    ) -> Iterator[Reflection]:
        """Yield what one sentence can be given back as: how the speaker feels, what was told, a noun as an answer."""
        written = text[sentence[0].start : sentence[-1].end]
        opening = self._opening.match(written)
        begins = sentence[0].start + (opening.end() if opening else 0)
        words = [m for m in sentence if not is_mark(m) and m.start >= begins]
        if not words or words[0].tag[0] in "EJ" or "?" in written:
            return
        is_over = words[-1].end < sentence[-1].end or not text[sentence[-1].end :].strip()
        attempts: list[Callable[[], Reflection]] = [partial(self._state, text, words)]
        if is_over or words[-1].tag != "EC":
            attempts.append(partial(self._told, text, words, frames(written)))
        attempts += self._clauses(text, words)
        if was_asked:
            attempts.append(partial(self._named, text, words))
        for attempt in attempts:
            try:
                yield replace(attempt(), source=written)
            except Unsafe:
                continue

    def _clauses(self, text: str, sentence: Sequence[Morpheme]) -> Sequence[Callable[[], Reflection]]:
        """Return attempts at a feeling that one clause of a sentence tells: "…는데 너무 외로워", "지쳐서 …"."""
        links = [
            i
            for i, (link, following) in enumerate(pairwise(sentence), start=1)
            if link.tag == "EC" and link.form in self._links and following.tag[0] != "J" and following.tag != "VX"
        ]
        last = [sentence[i:] for i in links[-1:] if not any(starmap(hangs_on_speaker, pairwise(sentence[:i])))]
        first = [sentence[:i] for i in links[:1] if sentence[i - 1].form in _BECAUSE]
        return [partial(self._state, text, clause) for clause in [*last, *first]]

    def nouns(self, morphemes: Sequence[Morpheme]) -> Mapping[str, str]:
        """Return the nouns that are safe to take up as a subject of talk, in order: as written, and as we would."""
        echo: Mapping[str, str] = self._lexicon["echo"]
        nouns = [m for m in morphemes if m.tag == "NNG"]
        wholes = {m.form: before.form + m.form for before, m in pairwise(nouns) if before.end == m.start}
        return {m.form: said for m in nouns if (said := echo.get(wholes.get(m.form, "")) or echo.get(m.form))}

    def _state(self, text: str, sentence: Sequence[Morpheme]) -> Reflection:
        """The speaker's feeling, wish or inability: "내일 발표가 있는데 너무 떨려" becomes "… 너무 떨리시는군요."."""
        body, endings, hearsay = self._without_ending(sentence)
        is_long = (
            sentence[-1].form in _BECAUSE and len(text[sentence[0].start : sentence[-1].end].split()) > _BECAUSE_WITHIN
        )
        if endings not in ([], ["었"]) or hearsay or is_long:
            raise Unsafe
        self._retelling.check(text, sentence)
        before, predicate = cut_predicate(body)
        if any((m.tag == "NP" and m.form not in FIRST_PERSON | _ACTS) or m.form == "처럼" for m in before):
            raise Unsafe
        stem = "".join(m.form for m in predicate)
        spoken = [(m.form, m.tag) for m in predicate]
        name, kind = stem, Kind.FEELS

        self._check_wish(before, stem)
        if stem == "싶" and ends_with(before, "고"):
            before, kind = before[:-1], Kind.WISHES
            name = "보고 싶" if ends_with(before, "보") else stem
        elif stem == "있" and ends_with(before, "고"):
            before, kind = before[:-1], Kind.GOES_ON
            if "".join(m.form for m in cut_predicate(before)[1]) not in self._lexicon["doing"]:
                raise Unsafe
            spoken = [("계시", "VV")]
        elif ends_with(before, "못") and stem in self._lexicon["unable"] and sentence[-1].form not in NOMINAL:
            spoken, kind = [(self._lexicon["honoured"].get(stem, stem), predicate[0].tag)], Kind.CANNOT
        elif f"{noun_before(before)} {stem}" in self._lexicon["inner_pairs"]:
            kind = Kind.GOES_ON if noun_before(before) in self._lexicon["bodily"] else kind
        elif stem not in self._lexicon["states"] or ends_with(before, "안"):
            raise Unsafe
        self._check_subjects(before, name)

        is_verb = spoken[-1][1].startswith(("VV", "XSV"))
        if not spoken[-1][0].endswith("시"):
            spoken.append(("시", "EP"))
        spoken += [("었", "EP"), ("군요", "EF")] if endings else [("는군요" if is_verb else "군요", "EF")]
        words = self._retelling.words(text, sentence, predicate[0].start)
        feeling = f"{words}{self._join(spoken)}."
        return Reflection((feeling,), stem, kind, feeling)

    def _told(self, text: str, sentence: Sequence[Morpheme], frames: Sequence[str]) -> Reflection:
        """What happened or goes on: "친구가 약속을 또 어겼어" becomes "친구가 약속을 또 어겼다는 말씀이시군요."."""
        if any(m.form in _BECAUSE for m in sentence[-2:]):
            raise Unsafe
        sentence = self._others_words(sentence)
        body, endings, hearsay = self._without_ending(sentence)
        before, predicate = cut_predicate(body)
        if sentence[-1].form.startswith("고") and not endings and predicate[0].tag.startswith("V"):
            raise Unsafe  # "바꿔 놓고" is not over
        stem = "".join(m.form for m in predicate)
        if sentence[-1].form in QUOTING and has_subject(before):
            raise Unsafe  # "선생님이 우리 애가 제일 먼저 잔다고"
        self._check_told(before, stem, endings)
        self._check_wish(before, stem)
        if predicate[0].tag == "VX" and before and before[-1].form in _GUESSES:
            words = self._retelling.clause(text, sentence, predicate[0].start).rstrip()
            kind = Kind.WISHES if ends_with(before, *MAYBE) else Kind.FEELS
            return Reflection((f"{words} 싶으시군요.",), stem, kind, words)
        if predicate[0].tag == "VCP":
            if not before or before[-1].tag[0] != "N" or before[-1].tag == "NP" or before[-1].form == "말":
                raise Unsafe
            if before[-1].form in {"것", "거"} and any(m.tag == "SSC" for m in before):
                raise Unsafe  # 뒤에서 "나도 갈래" 하시는 거예요
            before, predicate = before[:-1], [before[-1], *predicate]
        spoken = [(m.form, m.tag) for m in predicate] + [(form, "EP") for form in endings]
        words = self._retelling.clause(text, sentence, predicate[0].start)
        told = f"{words}{self._join([*spoken, plain(before, predicate, endings)])}"
        if len(told.replace(" ", "")) < _LEAST_LETTERS or (not words and ("었" in endings or predicate[0].tag == "VX")):
            raise Unsafe
        if hearsay:
            return self._heard(sentence, words, spoken, told, hearsay)
        fitting = [frame for frame in frames if not _jars(told, frame)] or [_PLAINLY]
        says = tuple(frame.format(told=told) for frame in fitting)
        return Reflection(says, stem, self._kind(before, predicate, endings), told)

    def _others_words(self, sentence: Sequence[Morpheme]) -> Sequence[Morpheme]:
        """Return what others said without what the speaker tells before: "기다렸는데 | 마음이 식었대요"."""
        links = [i for i, m in enumerate(sentence[:-1], start=1) if m.tag in {"EC", "NNB"} and m.form.endswith("데")]
        others = sentence[links[-1] :] if links else ()
        is_hearsay = has_subject(others) and others[0].tag[0] != "J" and cut_ending(sentence)[1] in HEARSAY
        return others if is_hearsay else sentence

    def _heard(
        self, sentence: Sequence[Morpheme], words: str, spoken: Sequence[tuple[str, str]], told: str, hearsay: str
    ) -> Reflection:
        """What others said: "정식으로 올려주신대요" becomes "정식으로 올려주신다는 이야기를 들으셨군요."."""
        if any(m.tag == "NP" and m.form in FIRST_PERSON for m in sentence):
            raise Unsafe  # whose words they are could be mistaken
        is_asked = hearsay in ORDERED | PROPOSED and spoken[-1][1].startswith(("VV", "VX", "XSV"))
        ending = "으라는" if hearsay in ORDERED else "자는"
        if not is_asked:
            says = f"{told}는 이야기를 들으셨군요."
        elif any(m.tag == "JKS" for m in sentence):
            says = f"{words}{self._join([*spoken, (ending.replace('는', '고'), 'EC')])} 했다는 말씀이시군요."
        else:
            says = f"{words}{self._join([*spoken, (ending, 'ETM')])} 말을 들으셨군요."
        return Reflection((says,), spoken[0][0], Kind.WAS_SAID, told)

    def _check_wish(self, before: Sequence[Morpheme], stem: str) -> None:
        """Let through no wish that may be one to be gone: to leave, to rest, that something would not come."""
        leaves = stem == "싶" and any(m.form in self._lexicon["leaving"] for m in before[-2:])
        wisher = any(m.form in FIRST_PERSON or m.form in self._lexicon["leaving"] for m in before)
        nouns = [m for m in before if m.tag != "XSN"]
        others = not wisher and any(
            (noun.form in self._lexicon["kin"] or noun.form in {"누구", "누", "사람"})
            and (particle.tag == "JKS" or particle.form in AS_TOPIC)
            for noun, particle in pairwise(nouns)
        )
        hopes = stem in {"좋", "싶", "되", "하"} and any(m.form.endswith("으면") or m.form == "면" for m in before[-1:])
        is_allowed = any(one.form == "어도" and other.form == "되" for one, other in pairwise(before))
        if leaves or is_allowed or (hopes and not others):
            raise Unsafe

    def _check_told(self, before: Sequence[Morpheme], stem: str, endings: Sequence[str]) -> None:
        """Let through what says something by itself, asks nothing, and is not about the speaker as its object."""
        is_quoting = ends_with(before, *QUOTING)
        is_empty = stem in self._lexicon["empty"] and not any(m.tag == "JKO" for m in before)
        if is_quoting and is_drawn_together(before[-1]):
            raise Unsafe  # "잡으라셔"
        if stem in self._lexicon["requesting"] and not endings and not has_subject(before[-_REQUESTED:]):
            raise Unsafe  # "얘기 좀 해 줘"
        if not is_quoting and (
            is_empty
            or (stem == "있" and ends_with(before, "거"))
            or (any(m.form in self._lexicon["asking"] for m in before) and (stem, *endings) != ("좋", "겠"))
        ):
            raise Unsafe
        if stem in self._lexicon["towards"] and any(
            one.form in FIRST_PERSON and other.tag == "JKO" for one, other in pairwise(before)
        ):
            raise Unsafe  # "친구가 나를 싫어해" is not "친구가 싫어한다"

    def _named(self, text: str, sentence: Sequence[Morpheme]) -> Reflection:
        """A noun in answer to a question: "밥 먹을 때요" becomes "밥 먹을 때군요."."""
        self._retelling.check(text, sentence)
        body = list(sentence)
        if (body[-1].form, body[-1].tag) in {("요", "JX"), ("이요", "JX")}:
            body.pop()
        if body and body[-1].tag == "JKS":
            body.pop()
        noun = body[-1] if body else sentence[-1]
        if noun.tag not in {"NNG", "XSN"} and (noun.form, noun.tag) not in {
            ("거", "NNB"),
            ("것", "NNB"),
            ("때", "NNB"),
        }:
            raise Unsafe
        words = self._retelling.words(text, sentence, noun.start)
        said = self._lexicon["nouns_as"].get(noun.form, noun.form)
        named = f"{words}{self._join([(said, 'NNG'), ('이', 'VCP'), ('군요', 'EF')])}."
        return Reflection((named, f"아, {named}"), noun.form, Kind.NAMED, named)

    def _without_ending(self, sentence: Sequence[Morpheme]) -> tuple[list[Morpheme], list[str], str]:
        """Take a declarative ending off, and 시, 었 and 겠 before it; return what is left, these, and -대 or -래."""
        body, ending = cut_ending(sentence)
        endings: list[str] = []
        if ending in _HONOURING:  # an order, unless somebody else is honoured
            if not any(m.tag == "JKS" and m.form in {"이", "가", "께서"} for m in body):
                raise Unsafe
            endings = ["시"]
        elif ending not in self._declarative | HEARSAY | _BECAUSE:
            raise Unsafe
        while body and body[-1].tag == "EP":
            endings.insert(0, {"았": "었", "였": "었", "으시": "시"}.get(body[-1].form, body[-1].form))
            body.pop()
        if not body or not {"시", "었", "겠"}.issuperset(endings):
            raise Unsafe
        if ending == "다" and not endings and body[-1].tag.startswith(("VV", "XSV")):
            raise Unsafe  # "물도 쓰다" is no verb
        is_open = ending in NOMINAL and not {"었", "겠"}.intersection(endings)
        if is_open and body[-1].tag.startswith(("VV", "VX", "XSV")) and not is_denied(body):
            raise Unsafe  # "받음" is past or present
        if ending in _SEEN and not {"었", "겠"}.intersection(endings):
            endings.append("었")
        return body, endings, ending if ending in HEARSAY else ""

    def _kind(self, before: Sequence[Morpheme], predicate: Sequence[Morpheme], endings: Sequence[str]) -> Kind:
        stem = "".join(m.form for m in predicate)
        by_others = "시" in endings or any(
            particle.tag == "JKS" and noun.tag[:2] == "NN" and noun.form not in self._lexicon["inner"]
            for noun, particle in pairwise(before)
        )
        if stem == "싶" or (stem, *endings) == ("좋", "겠"):
            return Kind.WISHES
        is_unable = "겠" in endings or any(m.form == "못" for m in before[-3:])
        if not by_others and (is_unable or (stem == "없" and noun_before(before) == "수")):
            return Kind.CANNOT
        if by_others and (stem in self._lexicon["speaking"] or any(m.form in QUOTING for m in before)):
            return Kind.WAS_SAID
        return Kind.HAPPENED if "었" in endings else Kind.GOES_ON

    def _check_subjects(self, before: Sequence[Morpheme], predicate: str) -> None:
        """Let only the speaker, something in them, or what moves them be the subject of the last clause."""
        links = [i for i, m in enumerate(before) if m.tag == "EC"]
        if len(links) > 1 or any(before[i].form not in self._links for i in links):
            raise Unsafe
        for i, (noun, particle) in enumerate(pairwise(before)):
            is_topic = particle.tag == "JX" and particle.form in AS_TOPIC
            if not is_topic and not (particle.tag == "JKS" and (not links or i > links[-1])):
                continue
            is_act = noun.form in _ACTS
            takes_things = predicate in self._lexicon["moved_by"]
            takes_acts = takes_things or predicate in self._lexicon["moved_by_acts"]
            if takes_things and particle.tag == "JKS" and noun.form in FIRST_PERSON:
                raise Unsafe  # "내가 싫어" says who is disliked
            is_own = noun.form in FIRST_PERSON or noun.form in self._lexicon["inner"]
            is_time = is_topic and noun.form in self._lexicon["times"]
            is_pointed = is_act and noun.tag == "NP"  # 그게 제일 허무해
            if not (is_own or is_time or is_pointed or (takes_acts if is_act else takes_things)):
                raise Unsafe


def _place(number: int, count: int) -> str:
    if count == 1:
        return "only"
    return {0: "first", count - 1: "last"}.get(number, "mid")


def _jars(told: str, frame: str) -> bool:
    """Whether a frame would say twice what ends the words in it: 거라는 거군요, 하신다고 하시니."""
    return (told.endswith("거라") and "거군요" in frame) or (
        told.endswith(("신다", "하다", "한다")) and "고 하시니" in frame
    )
