"""The ways in which a message can be read: as it stands, out of split letters, and typed in Korean on English keys."""

import re
import unicodedata
from collections.abc import Callable, Iterator
from functools import cache

_LEADS = "ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅇㅈㅉㅊㅋㅌㅍㅎ"
_VOWELS = "ㅏㅐㅑㅒㅓㅔㅕㅖㅗㅘㅙㅚㅛㅜㅝㅞㅟㅠㅡㅢㅣ"
_TAILS = " ㄱㄲㄳㄴㄵㄶㄷㄹㄺㄻㄼㄽㄾㄿㅀㅁㅂㅄㅅㅆㅇㅈㅊㅋㅌㅍㅎ"
_PAIRS = {
    "ㅗㅏ": "ㅘ", "ㅗㅐ": "ㅙ", "ㅗㅣ": "ㅚ", "ㅜㅓ": "ㅝ", "ㅜㅔ": "ㅞ", "ㅜㅣ": "ㅟ", "ㅡㅣ": "ㅢ",
    "ㄱㅅ": "ㄳ", "ㄴㅈ": "ㄵ", "ㄴㅎ": "ㄶ", "ㄹㄱ": "ㄺ", "ㄹㅁ": "ㄻ", "ㄹㅂ": "ㄼ", "ㄹㅎ": "ㅀ", "ㅂㅅ": "ㅄ",
}  # fmt: skip
_KEYS = str.maketrans(
    "rRseEfaqQtTdwWczxvg" "koiOjpuPhynbml" "ASDFGZXCV" "BNMHJKLYUI",
    "ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅇㅈㅉㅊㅋㅌㅍㅎ" "ㅏㅐㅑㅒㅓㅔㅕㅖㅗㅛㅜㅠㅡㅣ" "ㅁㄴㅇㄹㅎㅋㅌㅊㅍ" "ㅠㅜㅡㅗㅓㅏㅣㅛㅕㅑ",
)  # fmt: skip

_HIDDEN = (
    *("\0", "'", "`", "´", "‘", "’", "\u00ad", "\u115f", "\u1160", "\u180e", "\u3164", "\ufeff", "\uffa0"),
    *map(chr, range(0x0300, 0x0370)),
    *map(chr, range(0x200B, 0x2010)),
    *map(chr, range(0x202A, 0x202F)),
    *map(chr, range(0x2060, 0x2070)),
    *map(chr, range(0xD800, 0xE000)),
    *map(chr, range(0xFE00, 0xFE10)),
)


def _fold() -> str:
    """Build what stands for each of the first 65,536 characters: a letter, a digit, a break (`|`, `?`) or a blank.

    NUL stands for what hides between letters, and is dropped afterwards.
    """
    folded = [" "] * 0x10000
    letters = [(0x30, 0x3A), (0x41, 0x5B), (0x61, 0x7B), (0x1100, 0x1200), (0x3131, 0x3164), (0xAC00, 0xD7A4)]
    for start, end in letters:
        folded[start:end] = map(chr, range(start, end))
    for wide in (*range(0xFF10, 0xFF1A), *range(0xFF21, 0xFF3B), *range(0xFF41, 0xFF5B)):
        folded[wide] = chr(wide - 0xFEE0)
    for narrow in (*range(0xFFA1, 0xFFBF), *range(0xFFC2, 0xFFDD)):
        composed = unicodedata.normalize("NFKC", chr(narrow))
        folded[narrow] = _COMPATIBLE.get(composed, composed)
    for written, read in (
        *((mark, "|") for mark in ".!。…！．\n\r"),
        *((mark, "?") for mark in "?？"),
        *zip("쥭듁죡쥮썻햇삿겟잇앗엇됫", "죽죽죽죽썼했샀겠있았었됐", strict=True),
        *((hidden, "\0") for hidden in _HIDDEN),
    ):
        folded[ord(written)] = read
    return "".join(folded)


# What is left of decomposed Hangul that makes no syllable: a leading ᄌ is the ㅈ of a keyboard.
_COMPATIBLE = {
    **{chr(0x1100 + i): jamo for i, jamo in enumerate(_LEADS)},
    **{chr(0x1161 + i): jamo for i, jamo in enumerate(_VOWELS)},
    **{chr(0x11A7 + i): jamo for i, jamo in enumerate(_TAILS) if i},
}
_FOLDED = _fold()
_DECOMPOSED = re.compile("[\u1100-\u11ff]")
_ASTRAL = re.compile("[\U00010000-\U0010ffff]+")

_WORK = "책|소설|노래|곡|영화|드라마|웹툰|만화|애니|연극|뮤지컬|시집|에세이|가사|대사|제목|앨범|유튜브|다큐"
_QUOTE = "\"'`“”‘’「」『』<>〈〉《》"
_ANY_QUOTE = re.compile(f"[{_QUOTE}]")
_QUOTED = rf"[{_QUOTE}][^{_QUOTE}\n]{{1,40}}[{_QUOTE}]"
_TITLE_THEN_WORK = re.compile(
    rf"{_QUOTED}(?=(?:이?라는|이?란|이?라고 하는|[은는이가])? ?(?:그|저|이|요즘)? ?(?:{_WORK}))"
)
_WORK_THEN_TITLE = re.compile(rf"(?:{_WORK})(?: 제목)?[이가은는]? ?{_QUOTED}")
_KNOWN_TITLE = re.compile(
    "죽고 ?싶지만,? ?떡볶이(?:[는은]? ?먹고 ?싶어)?|베로니카,? ?죽기로 ?결심하다|죽어도 ?못 ?보내"
)

# Begins with the separator, not the letter: the search then passes over every other character.
_LETTER = "[가-힣ㄱ-ㅣA-Za-z]"
_SPELT_OUT = re.compile(f"[ |0-9]{_LETTER}(?:[ |0-9]{{1,3}}{_LETTER}){{2,}}(?!{_LETTER})")
_SEPARATORS = re.compile("[ |0-9]")
_REPEATED = re.compile(r"([죽고싶뒤지자살해하기사라없어유서약었은다오아으이우에뛰내릴리거야할래손목긋옥때맞])\1+")
_FEELINGS = re.compile("[ㅋㅎㅠㅜ](?<=[가-힣].)[ㅋㅎㅠㅜ]*(?![ㄱ-ㅣ])")
_SPELLINGS = {
    "쥬글": "죽을", "주글": "죽을", "듀글": "죽을", "쥬거": "죽어", "듀거": "죽어", "주거버": "죽어버",
    "주거야": "죽어야", "주거불": "죽어불", "주거뿌": "죽어뿌", "주꼬": "죽고", "쥬꼬": "죽고", "죽꼬": "죽고",
    "주욱": "죽", "쥬욱": "죽", "자햬": "자해", "쟈해": "자해", "쟈햬": "자해", "자헤": "자해", "쟈살": "자살",
    "자샬": "자살", "쟈샬": "자살", "짜살": "자살", "살기실": "살기싫", "살기시러": "살기싫어", "살기시르": "살기싫으",
    "살기 실": "살기 싫", "살기 시러": "살기 싫어", "살기 시르": "살기 싫으", "사라지구": "사라지고",
    "번게탄": "번개탄", "업서": "없어", "업써": "없어", "없서": "없어", "업따": "없다", "없따": "없다",
    "조켓": "좋겠", "조켔": "좋겠", "조을": "좋을", "모타겠": "못하겠",
}  # fmt: skip
_SPELLING = re.compile("|".join(_SPELLINGS))

_SPLIT = re.compile("[ㄱ-ㅣ](?:(?<=[ㄱ-ㅎ])[ㅏ-ㅣ]|(?<=[가-힣].)[ㄱ-ㅣ]* ?[가-힣])")
_TYPED = re.compile(
    "wnr|wngr|enlw|enlel|wktkf|wkgo|tkfr|tkfk|tkfdk|tlv(?:ek|dj|d|t|r)|djqt|Enldj|enldj|thsahr|dbtj|dhrtkd"
)
_VOWEL = "(?:ㅗㅏ|ㅗㅐ|ㅗㅣ|ㅜㅓ|ㅜㅔ|ㅜㅣ|ㅡㅣ|[ㅏ-ㅣ])"
_TAIL = "(?:ㄱㅅ|ㄴㅈ|ㄴㅎ|ㄹㄱ|ㄹㅁ|ㄹㅂ|ㄹㅎ|ㅂㅅ|[ㄱ-ㄷㄹ-ㅂㅄ-ㅈㅊ-ㅎ])(?![ㅏ-ㅣ])"
_SYLLABLE = re.compile(f"([ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅ-ㅎ]{_VOWEL}(?:{_TAIL})?)")
_LOOSE_TAIL = re.compile("([가-힣][ㄱㄴㄹㅁㅂㅅㅆㅇㅍ])(?![ㅏ-ㅣ])")
_LOOSE = re.compile("[ㄱ-ㅣ]+")


@cache
def _syllable(jamo: str) -> str:
    vowel = jamo[1:3] if jamo[1:3] in _PAIRS else jamo[1]
    tail = jamo[1 + len(vowel) :] or " "
    code = (_LEADS.index(jamo[0]) * 21 + _VOWELS.index(_PAIRS.get(vowel, vowel))) * 28
    return chr(0xAC00 + code + _TAILS.index(_PAIRS.get(tail, tail)))


@cache
def _closed(open_syllable_and_tail: str) -> str:
    code = ord(open_syllable_and_tail[0]) - 0xAC00
    return open_syllable_and_tail if code % 28 else chr(0xAC00 + code + _TAILS.index(open_syllable_and_tail[1]))


def _compose(text: str) -> str:
    """Put split letters together (`ㅈㅜㄱ고 시ㅍ다` -> `죽고 싶다`), and drop those that make no syllable."""
    return _LOOSE.sub("", _replaced(_LOOSE_TAIL, _closed, _replaced(_SYLLABLE, _syllable, text)))


def _replaced(pattern: re.Pattern[str], by: Callable[[str], str], text: str) -> str:
    """Replace what the one group of a pattern holds, in half the time of `sub`."""
    parts = pattern.split(text)
    parts[1::2] = map(by, parts[1::2])
    return "".join(parts)


def _squeezed(text: str, mark: str) -> str:
    while mark * 2 in text:
        text = text.replace(mark * 2, mark)
    return text


def _letters(text: str) -> str:
    """Fold a text to letters, digits, single blanks and the breaks `|` and `?`; letters set apart are put together.

    Marks go first: normalising long runs of them takes quadratic time.
    """
    text = _KNOWN_TITLE.sub(" ", text)
    if _ANY_QUOTE.search(text):
        text = _WORK_THEN_TITLE.sub(" ", _TITLE_THEN_WORK.sub(" ", text))
    text = _ASTRAL.sub(" ", text).translate(_FOLDED).replace("\0", "")
    text = unicodedata.normalize("NFC", text)
    if _DECOMPOSED.search(text):
        text = _DECOMPOSED.sub(lambda jamo: _COMPATIBLE.get(jamo[0], ""), text)
    text = " " + " ".join(_FEELINGS.sub("", text).split())
    for mark in "|?":
        text = text.replace(f" {mark}", mark).replace(f"{mark} ", mark)
        text = _squeezed(text, mark)
    return _SPELT_OUT.sub(lambda apart: apart[0][0] + _SEPARATORS.sub("", apart[0]), text)


def _spelt(text: str) -> str:
    return _SPELLING.sub(lambda word: _SPELLINGS[word[0]], _REPEATED.sub(r"\1", text.lower()))


def _around(pattern: re.Pattern[str], text: str) -> str:
    """Keep what stands within 60 letters of a match, without stopping at every one."""
    kept: list[str] = []
    end = 0
    match = pattern.search(text)
    while match:
        start, stop = max(match.start() - 60, end), match.end() + 180
        kept += ["|" * (start > end), text[start:stop]]
        end = stop
        match = pattern.search(text, stop - 60)
    return "".join(kept)


def readings(text: str) -> Iterator[str]:
    """Read a text in every way that it may have been meant. Lower case; linear time; never raises.

    Sentences end in `|` or `?`, words stand one blank apart, and repeated syllables are written once.
    """
    letters = _letters(text)
    yield _spelt(letters)

    if _SPLIT.search(letters):
        yield _spelt(_compose(_around(_SPLIT, letters)))
    if _TYPED.search(letters):
        yield _spelt(_compose(_around(_TYPED, letters).translate(_KEYS)))
