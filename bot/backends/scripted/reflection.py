"""A person's own words, given back to them: only in the constructions that are safe, and otherwise not at all."""

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial
from itertools import pairwise, starmap
from typing import Any

from bot.backends.scripted.utterances import MAYBE, NOMINAL, Morpheme, is_mark, utterances

Join = Callable[[Sequence[tuple[str, str]]], str]

_MOST_WORDS = 8
_MOST_TRIED = 2 * _MOST_WORDS
"""Words before a predicate from which on no clause is tried: half of them may be left out."""

_PLAINLY = "{told}는 말씀이시군요."
_LEAST_LETTERS = 3
_SENTENCES = 3
"""Sentences from the beginning and from the end of which one may be given back."""

_LETTERS = re.compile(r"\w")
_QUOTE = re.compile("[\"'“”‘’]")
_WORD = re.compile(r"[“‘\"']?[가-힣]+[”’\"']?[가-힣]*")
_POINTING = ("그", "거기", "이것", "이게", "이건", "좋", "되")  # what a clause that was cut out may not start with
_MONEY = re.compile(r"[\d,.]+[천백십]?[만억조]? ?원")
_AMOUNT = re.compile(r"\d+[가-힣]+")
_FIRST_PERSON = {"나", "저"}
_ACTS = {"것", "그것", "이것"}
_AS_TOPIC = {"은", "는", "ᆫ"}
_REQUESTED = 5
"""Morphemes before "give" in which somebody would be named who gives."""

_BECAUSE_WITHIN = 3
"""Words of a clause that tells why: whose feeling is meant in a longer one is not sure."""

_PARTICLES_LEFT_OUT = {
    *_AS_TOPIC,
    "이",
    "가",
    "을",
    "를",
    "ᆯ",
    "의",
    "도",
    "한테",
    "에게",
    "께",
    "더러",
    "보고",
    "랑",
    "하고",
}
_SUFFIXES = ("XSA", "XSV")
_GUESSES = {*MAYBE, "나", "ᆫ가", "은가", "는가"}
_QUOTING = {"다고", "ᆫ다고", "는다고", "라고", "으라고", "냐고", "자고"}
_SAID = {"다고", "ᆫ다고", "는다고"}
_ORDERED, _PROPOSED = {"래", "으래"}, {"재"}
_BECAUSE = {"어서", "아서", "니까", "으니까"}
_HEARSAY = {*_ORDERED, *_PROPOSED, "대", "ᆫ대", "는대"}
_DRAWN_TOGETHER = {"어": "", "아": "", "네": "", "ᆸ니다": "다"}  # "-다고 해" is hearsay, "-답니다" tells
_HONOURING = {"세", "으세", "셔"}
_SEEN = {"데", "더라", "더라고", "더라구", "더군", "던데"}
_STRANGE = {"NNP", "SL", "SH", "SW", "UN", "UNK", "NF", "W_URL", "W_EMAIL", "W_HASHTAG", "W_MENTION", "W_SERIAL"}


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


class _Unsafe(Exception):  # no error: a usual outcome
    """This cannot be given back."""


class Reflector:
    """Reflects how the speaker feels ("많이 지치셨군요."), else repeats what was told ("…다는 말씀이시군요.").

    What is repeated stays in the plain form of reported speech, so that nobody is honoured or accused by mistake, and
    the speaker is left out of it. What `resources/scripted/reflection.toml` rules out is not touched.
    """

    def __init__(self, *, lexicon: Mapping[str, Any], join: Join) -> None:
        self._lexicon = lexicon
        self._join = join
        self._silent = re.compile(lexicon["silent"])
        self._never = re.compile(lexicon["never"])
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
    ) -> Sequence[Reflection]:
        """Reflect the sentences that can be, each once, those first that readers would most like to hear.

        `frames` returns what can be said about a sentence, with `{told}` in it; a bare noun is only an answer.
        """
        best: dict[str, tuple[float, Reflection]] = {}
        for features, reflection in self.candidates(text, morphemes, frames=frames, was_asked=was_asked):
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
    ) -> Iterator[tuple[Mapping[str, float], Reflection]]:
        """Yield all that can be given back of a text, with what `training/reflection.py` weighs it by."""
        if self._silent.search(text):
            return
        cut = utterances(text, morphemes)
        for number, sentence in enumerate(cut):
            if _SENTENCES <= number < len(cut) - _SENTENCES:
                continue
            place = "only" if len(cut) == 1 else "first" if number == 0 else "last" if number == len(cut) - 1 else "mid"
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
            except _Unsafe:
                continue

    def _clauses(self, text: str, sentence: Sequence[Morpheme]) -> Sequence[Callable[[], Reflection]]:
        """Return attempts at a feeling that one clause of a sentence tells: "…는데 너무 외로워", "지쳐서 …"."""
        links = [
            i
            for i, (link, following) in enumerate(pairwise(sentence), start=1)
            if link.tag == "EC" and link.form in self._links and following.tag[0] != "J" and following.tag != "VX"
        ]
        last = [sentence[i:] for i in links[-1:] if not any(starmap(_hangs_on_speaker, pairwise(sentence[:i])))]
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
            raise _Unsafe
        self._check_words(text, sentence)
        before, predicate = _cut_predicate(body)
        if any((m.tag == "NP" and m.form not in _FIRST_PERSON | _ACTS) or m.form == "처럼" for m in before):
            raise _Unsafe
        stem = "".join(m.form for m in predicate)
        spoken = [(m.form, m.tag) for m in predicate]
        name, kind = stem, Kind.FEELS

        self._check_wish(before, stem)
        if stem == "싶" and _ends_with(before, "고"):
            before, kind = before[:-1], Kind.WISHES
            name = "보고 싶" if _ends_with(before, "보") else stem
        elif stem == "있" and _ends_with(before, "고"):
            before, kind = before[:-1], Kind.GOES_ON
            if "".join(m.form for m in _cut_predicate(before)[1]) not in self._lexicon["doing"]:
                raise _Unsafe
            spoken = [("계시", "VV")]
        elif _ends_with(before, "못") and stem in self._lexicon["unable"] and sentence[-1].form not in NOMINAL:
            spoken, kind = [(self._lexicon["honoured"].get(stem, stem), predicate[0].tag)], Kind.CANNOT
        elif f"{_noun_before(before)} {stem}" in self._lexicon["inner_pairs"]:
            kind = Kind.GOES_ON if _noun_before(before) in self._lexicon["bodily"] else kind
        elif stem not in self._lexicon["states"] or _ends_with(before, "안"):
            raise _Unsafe
        self._check_subjects(before, name)

        is_verb = spoken[-1][1].startswith(("VV", "XSV"))
        if not spoken[-1][0].endswith("시"):
            spoken.append(("시", "EP"))
        spoken += [("었", "EP"), ("군요", "EF")] if endings else [("는군요" if is_verb else "군요", "EF")]
        words = self._words(text, sentence, predicate[0].start)
        feeling = f"{words}{self._join(spoken)}."
        return Reflection((feeling,), stem, kind, feeling)

    def _told(self, text: str, sentence: Sequence[Morpheme], frames: Sequence[str]) -> Reflection:
        """What happened or goes on: "친구가 약속을 또 어겼어" becomes "친구가 약속을 또 어겼다는 말씀이시군요."."""
        if any(m.form in _BECAUSE for m in sentence[-2:]):
            raise _Unsafe
        sentence = self._others_words(sentence)
        body, endings, hearsay = self._without_ending(sentence)
        before, predicate = _cut_predicate(body)
        if sentence[-1].form.startswith("고") and not endings and predicate[0].tag.startswith("V"):
            raise _Unsafe  # "바꿔 놓고" is not over
        stem = "".join(m.form for m in predicate)
        self._check_told(before, stem, endings)
        self._check_wish(before, stem)
        if predicate[0].tag == "VX" and before and before[-1].form in _GUESSES:
            words = self._clause(text, sentence, predicate[0].start).rstrip()
            kind = Kind.WISHES if _ends_with(before, *MAYBE) else Kind.FEELS
            return Reflection((f"{words} 싶으시군요.",), stem, kind, words)
        if predicate[0].tag == "VCP":
            if not before or before[-1].tag[0] != "N" or before[-1].tag == "NP" or before[-1].form == "말":
                raise _Unsafe
            if before[-1].form in {"것", "거"} and any(m.tag == "SSC" for m in before):
                raise _Unsafe  # 뒤에서 "나도 갈래" 하시는 거예요
            before, predicate = before[:-1], [before[-1], *predicate]
        spoken = [(m.form, m.tag) for m in predicate] + [(form, "EP") for form in endings]
        words = self._clause(text, sentence, predicate[0].start)
        told = f"{words}{self._join([*spoken, _plain(before, predicate, endings)])}"
        if len(told.replace(" ", "")) < _LEAST_LETTERS or (not words and ("었" in endings or predicate[0].tag == "VX")):
            raise _Unsafe
        if hearsay:
            return self._heard(sentence, words, spoken, told, hearsay)
        fitting = [frame for frame in frames if not _jars(told, frame)] or [_PLAINLY]
        says = tuple(frame.format(told=told) for frame in fitting)
        return Reflection(says, stem, self._kind(before, predicate, endings), told)

    def _others_words(self, sentence: Sequence[Morpheme]) -> Sequence[Morpheme]:
        """Return what others said without what the speaker tells before: "기다렸는데 | 마음이 식었대요"."""
        links = [i for i, m in enumerate(sentence[:-1], start=1) if m.tag in {"EC", "NNB"} and m.form.endswith("데")]
        others = sentence[links[-1] :] if links else ()
        is_hearsay = _has_subject(others) and others[0].tag[0] != "J" and _cut_ending(sentence)[1] in _HEARSAY
        return others if is_hearsay else sentence

    def _heard(
        self, sentence: Sequence[Morpheme], words: str, spoken: Sequence[tuple[str, str]], told: str, hearsay: str
    ) -> Reflection:
        """What others said: "정식으로 올려주신대요" becomes "정식으로 올려주신다는 이야기를 들으셨군요."."""
        if any(m.tag == "NP" and m.form in _FIRST_PERSON for m in sentence):
            raise _Unsafe  # whose words they are could be mistaken
        is_asked = hearsay in _ORDERED | _PROPOSED and spoken[-1][1].startswith(("VV", "VX", "XSV"))
        ending = "으라는" if hearsay in _ORDERED else "자는"
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
        wisher = any(m.form in _FIRST_PERSON or m.form in self._lexicon["leaving"] for m in before)
        nouns = [m for m in before if m.tag != "XSN"]
        others = not wisher and any(
            (noun.form in self._lexicon["kin"] or noun.form in {"누구", "누", "사람"})
            and (particle.tag == "JKS" or particle.form in _AS_TOPIC)
            for noun, particle in pairwise(nouns)
        )
        hopes = stem in {"좋", "싶", "되", "하"} and any(m.form.endswith("으면") or m.form == "면" for m in before[-1:])
        is_allowed = any(one.form == "어도" and other.form == "되" for one, other in pairwise(before))
        if leaves or is_allowed or (hopes and not others):
            raise _Unsafe

    def _check_told(self, before: Sequence[Morpheme], stem: str, endings: Sequence[str]) -> None:
        """Let through what says something by itself, asks nothing, and is not about the speaker as its object."""
        is_quoting = _ends_with(before, *_QUOTING)
        is_empty = stem in self._lexicon["empty"] and not any(m.tag == "JKO" for m in before)
        if is_quoting and _is_drawn_together(before[-1]):
            raise _Unsafe  # "잡으라셔"
        if stem in self._lexicon["requesting"] and not endings and not _has_subject(before[-_REQUESTED:]):
            raise _Unsafe  # "얘기 좀 해 줘"
        if not is_quoting and (
            is_empty
            or (stem == "있" and _ends_with(before, "거"))
            or (any(m.form in self._lexicon["asking"] for m in before) and (stem, *endings) != ("좋", "겠"))
        ):
            raise _Unsafe
        if stem in self._lexicon["towards"] and any(
            one.form in _FIRST_PERSON and other.tag == "JKO" for one, other in pairwise(before)
        ):
            raise _Unsafe  # "친구가 나를 싫어해" is not "친구가 싫어한다"

    def _named(self, text: str, sentence: Sequence[Morpheme]) -> Reflection:
        """A noun in answer to a question: "밥 먹을 때요" becomes "밥 먹을 때군요."."""
        self._check_words(text, sentence)
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
            raise _Unsafe
        words = self._words(text, sentence, noun.start)
        said = self._lexicon["nouns_as"].get(noun.form, noun.form)
        named = f"{words}{self._join([(said, 'NNG'), ('이', 'VCP'), ('군요', 'EF')])}."
        return Reflection((named, f"아, {named}"), noun.form, Kind.NAMED, named)

    def _without_ending(self, sentence: Sequence[Morpheme]) -> tuple[list[Morpheme], list[str], str]:
        """Take a declarative ending off, and 시, 었 and 겠 before it; return what is left, these, and -대 or -래."""
        body, ending = _cut_ending(sentence)
        endings: list[str] = []
        if ending in _HONOURING:  # an order, unless somebody else is honoured
            if not any(m.tag == "JKS" and m.form in {"이", "가", "께서"} for m in body):
                raise _Unsafe
            endings = ["시"]
        elif ending not in self._declarative | _HEARSAY | _BECAUSE:
            raise _Unsafe
        while body and body[-1].tag == "EP":
            endings.insert(0, {"았": "었", "였": "었", "으시": "시"}.get(body[-1].form, body[-1].form))
            body.pop()
        if not body or not {"시", "었", "겠"}.issuperset(endings):
            raise _Unsafe
        if ending == "다" and not endings and body[-1].tag.startswith(("VV", "XSV")):
            raise _Unsafe  # "물도 쓰다" is no verb
        is_open = ending in NOMINAL and not {"었", "겠"}.intersection(endings)
        if is_open and body[-1].tag.startswith(("VV", "VX", "XSV")) and not _is_denied(body):
            raise _Unsafe  # "받음" is past or present
        if ending in _SEEN and not {"었", "겠"}.intersection(endings):
            endings.append("었")
        return body, endings, ending if ending in _HEARSAY else ""

    def _kind(self, before: Sequence[Morpheme], predicate: Sequence[Morpheme], endings: Sequence[str]) -> Kind:
        stem = "".join(m.form for m in predicate)
        by_others = "시" in endings or any(
            particle.tag == "JKS" and noun.tag[:2] == "NN" and noun.form not in self._lexicon["inner"]
            for noun, particle in pairwise(before)
        )
        if stem == "싶" or (stem, *endings) == ("좋", "겠"):
            return Kind.WISHES
        is_unable = "겠" in endings or any(m.form == "못" for m in before[-3:])
        if not by_others and (is_unable or (stem == "없" and _noun_before(before) == "수")):
            return Kind.CANNOT
        if by_others and (stem in self._lexicon["speaking"] or any(m.form in _QUOTING for m in before)):
            return Kind.WAS_SAID
        return Kind.HAPPENED if "었" in endings else Kind.GOES_ON

    def _check_subjects(self, before: Sequence[Morpheme], predicate: str) -> None:
        """Let only the speaker, something in them, or what moves them be the subject of the last clause."""
        links = [i for i, m in enumerate(before) if m.tag == "EC"]
        if len(links) > 1 or any(before[i].form not in self._links for i in links):
            raise _Unsafe
        for i, (noun, particle) in enumerate(pairwise(before)):
            is_topic = particle.tag == "JX" and particle.form in _AS_TOPIC
            if not is_topic and not (particle.tag == "JKS" and (not links or i > links[-1])):
                continue
            is_act = noun.form in _ACTS
            takes_things = predicate in self._lexicon["moved_by"]
            takes_acts = takes_things or predicate in self._lexicon["moved_by_acts"]
            if takes_things and particle.tag == "JKS" and noun.form in _FIRST_PERSON:
                raise _Unsafe  # "내가 싫어" says who is disliked
            is_own = noun.form in _FIRST_PERSON or noun.form in self._lexicon["inner"]
            is_time = is_topic and noun.form in self._lexicon["times"]
            is_pointed = is_act and noun.tag == "NP"  # 그게 제일 허무해
            if not (is_own or is_time or is_pointed or (takes_acts if is_act else takes_things)):
                raise _Unsafe

    def _clause(self, text: str, sentence: Sequence[Morpheme], end: int) -> str:
        """Return the words before a predicate, or as many of the last clauses as are safe and short enough."""
        starts = [
            following.start
            for link, following in pairwise(sentence)
            if (link.tag == "SP" or (link.tag == "EC" and link.form in self._links))
            and following.tag[0] not in ("JV" if link.form == "고" else "J")
            and following.tag != "VX"
            and following.start <= end
        ]
        for number, start in enumerate([sentence[0].start, *starts]):
            if any(starmap(_hangs_on_speaker, pairwise(m for m in sentence if m.start <= start))):
                raise _Unsafe  # "나만 뒤처져서 불안해" is not "불안하다"
            kept = [m for m in sentence if m.start >= start]
            if len(text[start:end].split()) > _MOST_TRIED or len(_QUOTE.findall(text[start:end])) % 2:
                continue
            others = [m for m in kept if m.form not in _FIRST_PERSON]
            if _has_subject(m for m in sentence if m.start < start) and not _has_subject(others):
                continue  # nobody would know any more who did it
            try:
                self._check_words(text, kept)
                words = self._words(text, kept, end)
            except _Unsafe:
                continue
            is_cut = number > 0
            if not is_cut or (" " in words.strip() and not words.startswith(_POINTING) and not _is_left_over(words)):
                return words  # a single word would say too little of a longer sentence
        raise _Unsafe

    def _check_words(self, text: str, sentence: Sequence[Morpheme]) -> None:
        if self._never.search(text[sentence[0].start : sentence[-1].end]):
            raise _Unsafe

    def _words(self, text: str, sentence: Sequence[Morpheme], end: int) -> str:
        """Say what comes before a predicate in our voice: without the speaker, names, amounts and interjections."""
        start = sentence[0].start
        said: list[str] = []
        for word in re.finditer(r"\S+", text[start:end]):
            inside = [m for m in sentence if word.start() <= m.start - start < word.end() and m.start < end]
            if inside and inside[0].tag == "IC" and not said:
                continue
            self._check_stop(word.group(), inside)
            plain = word.group().strip(",~")
            if inside[0].form in {"우리", "저희"} and inside[1:] and inside[1].tag[0] == "N":
                plain, inside = plain.removeprefix(inside[0].form), inside[1:]  # "우리딸이"
            after = [m for m in sentence if m.start - start >= word.end()]
            if inside[0].form in _FIRST_PERSON and self._is_bound(inside, [m for m in sentence if m not in inside]):
                raise _Unsafe
            if self._is_left_out(inside, after, said) or (
                not said and (inside[0].tag == "MAJ" or plain in self._lexicon["openers"])
            ):
                continue
            said.append(self._as_we_say(plain, inside, after))
        if len(said) > _MOST_WORDS:
            raise _Unsafe
        words = re.sub(" +", " ", " ".join(filter(None, said))).lstrip()
        return f"{words.rstrip()} " if words and text[end - 1].isspace() else words

    def _check_stop(self, word: str, inside: Sequence[Morpheme]) -> None:
        """Let no word end what is one sentence to us only: "이 년, 생일을", "지웠어.. 결국"."""
        is_linked = any(m.tag == "EC" and m.form in self._links for m in inside)
        if not inside or word.endswith(("..", "…")) or ("," in word and not is_linked):
            raise _Unsafe

    def _is_bound(self, speaker: Sequence[Morpheme], others: Sequence[Morpheme]) -> bool:
        """Whether a speaker cannot be left out: "붙잡고 있는 내가 싫다", "언니가 갔고 나는 재수하고"."""
        before = [m for m in others if m.end <= speaker[0].start]
        after = [m for m in others if m.start >= speaker[-1].end]
        particle = speaker[-1]
        if before and before[-1].tag == "ETM":
            return True
        if particle.tag == "JX" and particle.form in _AS_TOPIC:
            return _has_subject(others, topics_only=True) or _has_subject(before)
        if particle.tag == "JX" and particle.form == "도":
            return any(m.tag == "JX" and m.form == "도" for m in after)
        if particle.tag == "JKO":
            return any(m.tag == "ETM" for m in after)
        if particle.tag == "JKB":
            return any(m.form in _QUOTING for m in after)  # "나한테 냄새난다고 했다"
        is_compared = any(m.form in {"더", "제일", "가장"} for m in after)  # "우는데 제가 더 많이 울었어요"
        return particle.tag == "JKS" and (is_compared or (any(m.tag == "EC" for m in after) and _has_subject(after)))

    def _is_left_out(self, word: Sequence[Morpheme], after: Sequence[Morpheme], said: Sequence[str]) -> bool:
        """Whether a word names the speaker: 내가, 나한테, 제 (옷을). Raise where the sentence hangs on it: 나만."""
        head, rest = word[0], [m for m in word[1:] if m.form != "희"]
        following = after[0] if after else None
        if head.form in {"우리", "저희"}:
            if (rest and rest[0].tag[0] == "J") or any(m.form == "만" for m in after[1:2]):
                raise _Unsafe  # "우리 애만 손을 안 들더라"
            return True
        if head.form not in {"나", "저", "내", "제"} or head.tag not in {"NP", "MM"}:
            return False
        if head.tag == "MM" or any(m.tag == "JKG" for m in rest):
            return self._is_owner_left_out(after, said)
        hangs = following is not None and (following.form in self._lexicon["hang_on"] or following.tag[0] == "V")
        if any(m.form not in _PARTICLES_LEFT_OUT for m in rest) or (hangs and not rest):
            raise _Unsafe
        return True

    def _is_owner_left_out(self, after: Sequence[Morpheme], said: Sequence[str]) -> bool:
        """Whether "my" can go: before what is in the speaker or of their kin, and before what others act on."""
        owned = next((m for m in after if m.tag[0] != "X"), None)
        if (
            owned is None
            or owned.tag[0] != "N"
            or owned.form in {"것", "거"}
            or any(m.form == "같" for m in after[1:3])
        ):
            raise _Unsafe
        particle = next((m for m in after[1:] if m.tag[0] not in "NX"), None)
        if particle is not None and particle.form == "만":
            raise _Unsafe
        if owned.form in self._lexicon["inner"] or owned.form in self._lexicon["kin"]:
            return True
        if any(m.form == "자기" for m in after) or (particle is not None and particle.form in _AS_TOPIC):
            raise _Unsafe
        if not said or particle is None or not particle.tag.startswith(("JKO", "VV", "VA")):
            raise _Unsafe
        return True

    def _is_span_of_time(self, word: str) -> bool:
        return _AMOUNT.fullmatch(word) is not None and word.lstrip("0123456789").startswith(
            tuple(self._lexicon["spans_of_time"])
        )

    def _as_we_say(self, word: str, inside: Sequence[Morpheme], after: Sequence[Morpheme]) -> str:
        head, *rest = inside
        following = after[0] if after else None
        if _MONEY.match(word) and inside[-1].tag in {"JKO", "JKS"}:
            return self._join([("돈", "NNG"), *((m.form, m.tag) for m in inside if m.tag[0] == "J")])
        if not (_WORD.fullmatch(word) or self._is_span_of_time(word)):
            raise _Unsafe
        if any(m.tag in _STRANGE and m.form not in self._lexicon["known"] for m in inside):
            raise _Unsafe
        # "엄마는 아무것도 모른다고" is a child's word
        is_quoted = head.form in {"엄마", "아빠"} and any(m.form in _QUOTING for m in after)
        nouns_as: Mapping[str, str] = self._lexicon["nouns_as"]
        if rest and f"{head.form}{rest[0].form}" in nouns_as:
            return self._join([(nouns_as[head.form + rest[0].form], "NNG"), *((m.form, m.tag) for m in rest[1:])])
        if word in self._lexicon["bare_as"]:
            tells = following is not None and following.form in {"나", "받", "오"}
            return str(self._lexicon["bare_as"][word]) if tells else word
        if word in self._lexicon["words_as"]:
            return str(self._lexicon["words_as"][word])
        is_role = following is not None and following.form == "되"  # 좋은 엄마가 되다
        if head.form not in nouns_as or is_role or is_quoted or any(m.tag[0] not in "JN" for m in rest):
            return word
        return self._join([(nouns_as[head.form], "NNG"), *((m.form, m.tag) for m in rest)])


def _is_denied(body: Sequence[Morpheme]) -> bool:
    return any(m.tag == "MAG" and m.form in {"안", "못"} for m in body[-3:])


def _has_subject(morphemes: Iterable[Morpheme], *, topics_only: bool = False) -> bool:
    return any(
        (m.tag == "JKS" and not topics_only) or (m.tag == "JX" and m.form in _AS_TOPIC and noun.tag[0] == "N")
        for noun, m in pairwise(morphemes)
    )


def _is_left_over(words: str) -> bool:
    """Whether words begin with the end of a clause that was cut off: "나오는데 햇빛이 …"."""
    return words.split()[0].endswith(("는데", "은데", "건데", "니까"))


def _jars(told: str, frame: str) -> bool:
    """Whether a frame would say twice what ends the words in it: 거라는 거군요, 하신다고 하시니."""
    return (told.endswith("거라") and "거군요" in frame) or (
        told.endswith(("신다", "하다", "한다")) and "고 하시니" in frame
    )


def _hangs_on_speaker(pronoun: Morpheme, following: Morpheme) -> bool:
    """Whether a sentence is about the speaker alone, or all but the speaker: 나만, 나 빼고."""
    return pronoun.tag == "NP" and pronoun.form in _FIRST_PERSON and following.form in {"만", "빼", "까지", "보다"}


def _plain(before: Sequence[Morpheme], predicate: Sequence[Morpheme], endings: Sequence[str]) -> tuple[str, str]:
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


def _cut_ending(sentence: Sequence[Morpheme]) -> tuple[list[Morpheme], str]:
    """Cut the final ending off, without its 요; "-다고 해" that is drawn together to "-대" is one."""
    body = list(sentence)
    if (body[-1].form, body[-1].tag) == ("요", "JX"):
        body.pop()
    if not body or body[-1].tag not in {"EF", "EC", "ETN"}:
        raise _Unsafe
    if body[-1].tag == "EC" and _ends_with(body[:-1], "가"):
        raise _Unsafe  # "아파가" is a dialect's "아파서"
    ending = body.pop().form.removesuffix("요")
    if len(body) > 1 and body[-1].form == "하" and _is_drawn_together(body[-2]):
        if ending not in _DRAWN_TOGETHER:
            raise _Unsafe  # "달라졌달까"
        kinds = (mark for mark in "라자" if mark in body[-2].form)
        ending = _DRAWN_TOGETHER[ending] or {"라": "래", "자": "재"}.get(next(kinds, ""), "대")
        del body[-2:]
    elif len(body) > 1 and body[-1].form == "하" and body[-2].form in _SAID and _has_subject(body):
        ending = "대"  # "면회를 오신다고 합니다"
        del body[-2:]
    return body, ending


def _is_drawn_together(quoting: Morpheme) -> bool:
    """Whether "-다고" is written shorter than it is read: 간대, 갔답니다."""
    return quoting.form in _QUOTING and quoting.end - quoting.start < len(quoting.form)


def _cut_predicate(body: Sequence[Morpheme]) -> tuple[Sequence[Morpheme], Sequence[Morpheme]]:
    """Cut the last predicate off: one morpheme, or a noun with its suffix ("불안" + "하")."""
    if not body or body[-1].tag[0] not in "VX" or body[-1].tag == "XSN":
        raise _Unsafe
    size = 2 if len(body) > 1 and body[-1].tag.startswith(_SUFFIXES) and body[-2].end == body[-1].start else 1
    return body[:-size], body[-size:]


def _ends_with(morphemes: Sequence[Morpheme], *forms: str) -> bool:
    return bool(morphemes) and morphemes[-1].form in forms


def _noun_before(before: Sequence[Morpheme]) -> str | None:
    """Return the noun of a predicate such as "나": 눈물, from "눈물이 자꾸"."""
    nouns = (m for m in reversed(before) if m.tag not in {"JKS", "JKO", "JX", "MAG"})
    nearest = next(nouns, None)
    return nearest.form if nearest is not None and nearest.tag.startswith("NN") else None
