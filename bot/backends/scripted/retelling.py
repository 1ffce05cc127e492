"""What comes before a predicate, said in our voice: without the speaker, names, amounts and interjections."""

import re
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise, starmap
from typing import Any

from bot.backends.scripted.predicates import (
    AS_TOPIC,
    FIRST_PERSON,
    QUOTING,
    Unsafe,
    hangs_on_speaker,
    has_subject,
)
from bot.backends.scripted.utterances import Morpheme

Join = Callable[[Sequence[tuple[str, str]]], str]

_MOST_WORDS = 6
_MOST_TRIED = 2 * _MOST_WORDS
"""Words before a predicate from which on no clause is tried: half of them may be left out."""

_QUOTE = re.compile("[\"'“”‘’]")
_WORD = re.compile(r"[“‘\"']?[가-힣]+[”’\"']?[가-힣]*")
_POINTING = ("그", "거기", "이것", "이게", "이건", "좋", "되")  # what a clause that was cut out may not start with
_MONEY = re.compile(r"[\d,.]+[천백십]?[만억조]? ?원")
_AMOUNT = re.compile(r"\d+[가-힣]+")
_PARTICLES_LEFT_OUT = {
    *AS_TOPIC,
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
_STRANGE = {"NNP", "SL", "SH", "SW", "UN", "UNK", "NF", "W_URL", "W_EMAIL", "W_HASHTAG", "W_MENTION", "W_SERIAL"}


class Retelling:
    """Says a person's words again, as `resources/scripted/reflection.toml` lets it; or raises `Unsafe`."""

    def __init__(self, *, lexicon: Mapping[str, Any], join: Join) -> None:
        self._lexicon = lexicon
        self._join = join
        self._never = re.compile(lexicon["never"])
        self._links = frozenset(lexicon["links"])

    def clause(self, text: str, sentence: Sequence[Morpheme], end: int) -> str:
        """Return the words before a predicate, or as many of the last clauses as are safe and short enough."""
        starts = [
            following.start
            for link, following in pairwise(sentence)
            if (link.tag == "SP" or (link.tag == "EC" and link.form in self._links))
            and following.tag[0] not in ("JV" if link.form == "고" else "J")
            and following.tag != "VX"
            and following.start <= end
        ]
        if _is_contrasted([m for m in sentence if m.start < end]):
            raise Unsafe
        for number, start in enumerate([sentence[0].start, *starts]):
            if any(starmap(hangs_on_speaker, pairwise(m for m in sentence if m.start <= start))):
                raise Unsafe  # "나만 뒤처져서 불안해" is not "불안하다"
            kept = [m for m in sentence if m.start >= start]
            if len(text[start:end].split()) > _MOST_TRIED or _QUOTE.search(text[start:end]):
                continue
            if _is_run_on(kept, end):
                continue
            others = [m for m in kept if m.form not in FIRST_PERSON]
            if has_subject(m for m in sentence if m.start < start) and not has_subject(others):
                continue  # nobody would know any more who did it
            try:
                self.check(text, kept)
                words = self.words(text, kept, end)
            except Unsafe:
                continue
            is_cut = number > 0
            if not is_cut or (" " in words.strip() and not words.startswith(_POINTING) and not _is_left_over(words)):
                return words  # a single word would say too little of a longer sentence
        raise Unsafe

    def check(self, text: str, sentence: Sequence[Morpheme]) -> None:
        if self._never.search(text[sentence[0].start : sentence[-1].end]):
            raise Unsafe

    def words(self, text: str, sentence: Sequence[Morpheme], end: int) -> str:
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
            if inside[0].form in FIRST_PERSON and self._is_bound(inside, [m for m in sentence if m not in inside]):
                raise Unsafe
            if self._is_left_out(inside, after, said) or (
                not said and (inside[0].tag == "MAJ" or plain in self._lexicon["openers"])
            ):
                continue
            said.append(self._as_we_say(plain, inside, after))
        if len(said) > _MOST_WORDS:
            raise Unsafe
        words = re.sub(" +", " ", " ".join(filter(None, said))).lstrip()
        return f"{words.rstrip()} " if words and text[end - 1].isspace() else words

    def _check_stop(self, word: str, inside: Sequence[Morpheme]) -> None:
        """Let no word end what is one sentence to us only: "이 년, 생일을", "지웠어.. 결국"."""
        is_linked = any(m.tag == "EC" and m.form in self._links for m in inside)
        if not inside or word.endswith(("..", "…")) or ("," in word and not is_linked):
            raise Unsafe

    def _is_bound(self, speaker: Sequence[Morpheme], others: Sequence[Morpheme]) -> bool:
        """Whether a speaker cannot be left out: "붙잡고 있는 내가 싫다", "언니가 갔고 나는 재수하고"."""
        before = [m for m in others if m.end <= speaker[0].start]
        after = [m for m in others if m.start >= speaker[-1].end]
        particle = speaker[-1]
        if before and before[-1].tag == "ETM":
            return True
        if particle.tag == "JX" and particle.form in AS_TOPIC:
            return has_subject(others, topics_only=True) or has_subject(before)
        if particle.tag == "JX" and particle.form == "도":
            return any(m.tag == "JX" and m.form == "도" for m in after)
        if particle.tag == "JKO":
            return any(m.tag == "ETM" for m in after) or (bool(after) and after[0].form == "보")
        if particle.tag == "JKB":
            return any(m.form in QUOTING for m in after)  # "나한테 냄새난다고 했다"
        is_compared = any(m.form in {"더", "제일", "가장"} for m in after)  # "우는데 제가 더 많이 울었어요"
        return particle.tag == "JKS" and (is_compared or (any(m.tag == "EC" for m in after) and has_subject(after)))

    def _is_left_out(self, word: Sequence[Morpheme], after: Sequence[Morpheme], said: Sequence[str]) -> bool:
        """Whether a word names the speaker: 내가, 나한테, 제 (옷을). Raise where the sentence hangs on it: 나만."""
        head, rest = word[0], [m for m in word[1:] if m.form != "희"]
        following = after[0] if after else None
        if head.form in {"우리", "저희"}:
            if (rest and rest[0].tag[0] == "J") or any(m.form == "만" for m in after[1:2]):
                raise Unsafe  # "우리 애만 손을 안 들더라"
            return True
        if head.form not in {"나", "저", "내", "제"} or head.tag not in {"NP", "MM"}:
            return False
        if head.tag == "MM" or any(m.tag == "JKG" for m in rest):
            return self._is_owner_left_out(after, said)
        hangs = following is not None and (following.form in self._lexicon["hang_on"] or following.tag[0] == "V")
        if any(m.form not in _PARTICLES_LEFT_OUT for m in rest) or (hangs and not rest):
            raise Unsafe
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
            raise Unsafe
        particle = next((m for m in after[1:] if m.tag[0] not in "NX"), None)
        if particle is not None and particle.form == "만":
            raise Unsafe
        if owned.form in self._lexicon["inner"] or owned.form in self._lexicon["kin"]:
            return True
        if any(m.form == "자기" for m in after) or (particle is not None and particle.form in AS_TOPIC):
            raise Unsafe
        if not said or particle is None or not particle.tag.startswith(("JKO", "VV", "VA")):
            raise Unsafe
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
            raise Unsafe
        if any(m.tag in _STRANGE and m.form not in self._lexicon["known"] for m in inside):
            raise Unsafe
        # "엄마는 아무것도 모른다고" is a child's word
        is_quoted = head.form in {"엄마", "아빠"} and any(m.form in QUOTING for m in after)
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


def _is_left_over(words: str) -> bool:
    """Whether words begin with the end of a clause that was cut off: "나오는데 햇빛이 …"."""
    return words.split()[0].endswith(("는데", "은데", "건데", "니까"))


def _is_run_on(clause: Sequence[Morpheme], end: int) -> bool:
    """Whether a clause of several begins with its verb, has two subjects, or holds a sentence nobody has cut off."""
    words = [m for m in clause if m.end <= end]
    subjects = sum((m.tag == "JKS") - (m.tag == "ETM") for m in words)
    begins_late = clause[0].tag[0] == "V" and any(m.tag == "EC" for m in words[2:])
    return begins_late or subjects > 1 or any(m.tag == "EF" for m in words)


def _is_contrasted(words: Sequence[Morpheme]) -> bool:
    """Whether the speaker is set against what was told before: "다들 집도 사는데 나는 아직도 고시원이야"."""
    topics = (i for i, (m, p) in enumerate(pairwise(words)) if m.form in FIRST_PERSON and p.form in AS_TOPIC)
    return any(m.tag == "EC" for i in topics for m in words[:i])
