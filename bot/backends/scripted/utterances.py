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
_FINAL = {"ᆸ니다", "습니다", "읍니다", "ᆸ디다", "습디다", "소", "어요", "아요", "네", "네요", "야", "대", "래", "냐"}
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
_ASKING = {"지", "ᆯ까", "을까"}  # "왜 이렇게 조용하지 냉장고 소리만 들려"
# What dialects and old spelling end a sentence with.
_LONGEST_SPOKEN = 4
_SPOKEN = re.compile(
    r"(?:읍니다|[심니]더|니꺼|[가-힣](?<=[가-힣][어아네데라지까]예)|이소|당께|랑께|[어아지네데]유|[했었았겠]슈|수다|구려|구먼|카[데네]|카더라|능교|데이|[드더]만)$"
)
MAYBE = {"ᆯ까", "을까"}
_SOFT = {"는데", "은데", "ᆫ데", "는데요", "은데요", "ᆫ데요", "는디", "은디", "ᆫ디"}  # "…했는데요 그냥" goes on
# What closes one before … and ㅠㅠ.
_SIGHED_TAGS, _SIGHED = (
    {"EF", "ETN", "NNB", "NNG", "NNP"},
    {*_FINAL, *_BARE, *NOMINAL, *_PRESENT, _PAST, "나", "은가", "ᆫ가"},
)
_WHY = {"어서", "아서", "느라", "면서", "다고", "ᆫ다고", "는다고", "게", "니까", "으니까"}
_AFTERTHOUGHT, _REASON = 12, 4
"""Morphemes, and words, in which something can be put behind a sentence."""


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
    at = next((at for at in range(i - 1, -1, -1) if not marks[at] and morphemes[at].tag != "SP"), None)
    if "\n" in gap:
        return True
    if at is None or morphemes[at].tag == "SSC":
        return False
    if any(marks[at + 1 : i]):
        is_stopped = any(m.tag == "SF" and not m.form.startswith("..") for m in morphemes[at + 1 : i])
        return is_stopped or _sighs(morphemes[at])
    if morphemes[i].tag == "SB":
        return morphemes[at].tag != "EC"
    if not gap or _is_quoting(morphemes[i : i + 2]):
        return False
    end = morphemes[at].end
    is_spoken = _SPOKEN.search(text, max(0, end - _LONGEST_SPOKEN), end) is not None
    is_end = is_spoken or _closes(morphemes[max(0, at - 2) : at + 1], morphemes[i : i + 3])
    return is_end and not _is_afterthought(morphemes, marks, i)


def _sighs(last: Morpheme) -> bool:
    """Whether a morpheme closes a sentence before … or ㅠㅠ."""
    closes = last.tag in _SIGHED_TAGS or last.form in _SIGHED or last.form.endswith(("요", "네"))
    return closes and last.form not in _SOFT


def _is_afterthought(morphemes: Sequence[Morpheme], marks: Sequence[bool], i: int) -> bool:
    """Whether what follows is put behind the sentence: a word or two ("보고 싶네요 우리 엄마"), or why ("일하느라")."""
    stop = min(i + _AFTERTHOUGHT, len(marks))
    words = morphemes[i : next((j for j in range(i, stop) if marks[j]), stop)]
    if len(words) == _AFTERTHOUGHT:
        return False
    blanks = sum(one.end < other.start for one, other in pairwise(words))
    last = words[-2] if len(words) > 1 and words[-1].form == "요" else words[-1]
    is_why = last.tag == "EC" and last.form in _WHY and blanks < _REASON
    return is_why or (blanks <= 1 and all(m.tag[0] not in "VE" for m in words))


def _is_quoting(following: Sequence[Morpheme]) -> bool:
    """Whether words are told as somebody's: "고맙습니다 하고", "간다 카더라", but not "깨요 그러고 나면"."""
    verb, rest = following[0], following[-1]
    goes_on = verb.form == "그러" and rest.form in {"고", "니까", "면", "다가"}
    is_told = verb.tag in {"VV", "VX"} and verb.form in _QUOTES_BARE and not goes_on
    return is_told or verb.form == "싶" or (verb.form[0] in "카캅캤캐" and verb.tag != "NNG")


def _closes(ending: Sequence[Morpheme], ahead: Sequence[Morpheme]) -> bool:
    """Whether the last of three morphemes closes a sentence without a mark, as the three ahead let it."""
    if len(ending) < 2:
        return False
    earlier = ending[-3] if len(ending) > 2 else None
    before, last = ending[-2:]
    form, tag = last.form, last.tag
    if earlier is not None and earlier.form in MAYBE:
        return False  # "할까 봐"
    if form == "요" and tag != "EF" and before.end == last.start:
        if before.tag not in {"EF", "EC", "JKQ"}:
            return before.tag[0] in "JX"  # "중학교 때 것까지요"
        form, tag = before.form + form, before.tag
        if tag == "EC" and form not in _SOFT:
            return True
        earlier, before = None, earlier or before
    if form == _PAST or (before.form == "다고" and last.start == last.end):  # "났다", taken for "났다고 하"
        return _tells(before, last, ahead)
    if tag == "EC" and form in _BARE:
        return _is_told_barely(earlier, before, ahead[0])
    return _ends(earlier, before, (form, tag), ahead[0])


def _tells(before: Morpheme, last: Morpheme, ahead: Sequence[Morpheme]) -> bool:
    """Whether "-다" closes a sentence: not in "열었다 닫았다", "고맙다 소리 한마디", "애들 다"."""
    if last.tag == "MAG":
        return before.end == last.start
    if before.tag.startswith(("VV", "XSV")) and before.form != "다고":
        return False  # "이거 걱정하다 저거 걱정하다"
    is_verb = ahead[0].tag[0] == "V"
    is_pair = is_verb and any(m.form.startswith("다") and m.tag[0] == "E" for m in ahead[1:])
    goes_on = is_pair or (is_verb and ahead[0].form in _SERVED) or ahead[0].form in {"소리", "말", "이야기", "얘기"}
    is_told = before.tag[:3] in {"EP", "VCP", "VCN", "VA", "VA-", "VX", "XSA"} or before.form == "다고"
    return last.tag == "EF" or (is_told and not goes_on)


def _is_told_barely(earlier: Morpheme | None, before: Morpheme, following: Morpheme) -> bool:
    """Whether "-어", taken for a connective, closes a sentence: "전화도 안 받아 이제", but not "이름을 바꿔 말했어"."""
    if before.start == before.end:
        return True  # "-다고 해", drawn together to "-대"
    is_plain = not before.tag.startswith("VV") or (earlier is not None and earlier.form in {"안", "못"})
    return is_plain and following.tag[0] != "V" and before.form != "가"


def _ends(earlier: Morpheme | None, before: Morpheme, last: tuple[str, str], following: Morpheme) -> bool:
    form, tag = last
    is_verb = following.tag[0] == "V"
    serves = is_verb and (following.form in _SERVED or form in MAYBE)
    if form in NOMINAL:
        return before.tag[0] in "VEX" and before.tag != "VCN" and not serves  # "아님" is "or"
    if form == "함" and tag != "ETN":
        return following.tag[0] != "J"
    if last == ("이야", "JX"):
        return not is_verb  # "내일이 마지막이야"
    if form in {"듯", "중"}:
        return before.tag == "ETM" and following.tag[0] not in "JX" and following.tag not in {"VCP", "VA"}
    if (before.form, form) == ("것", "이"):  # "할게", taken for "할 것이"
        return earlier is not None and earlier.end == before.start and earlier.form in {"ᆯ", "을"}
    if tag == "EC" and form in _ASKING:
        return not is_verb and following.tag not in {"MAG", "JX"} and following.form not in {"생각", "걱정", "뭐", "말"}
    if form in _SOFT:
        return form.endswith("요") and before.tag == "EP"  # "신규 간호산데요 오늘" goes on
    is_final = (tag == "EF" and not form.endswith("다니까")) or (tag in {"EC", "JKQ"} and form in _FINAL | _PRESENT)
    return is_final and following.tag != "VX" and not (serves and form in MAYBE | _PRESENT)
