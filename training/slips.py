"""Slips of the fingers on a two-set Korean keyboard: a neighbouring key, a tail forgotten or left over, a letter."""

import random

_ROWS = ("ㅂㅈㄷㄱㅅㅛㅕㅑㅐㅔ", "ㅁㄴㅇㄹㅎㅗㅓㅏㅣ", "ㅋㅌㅊㅍㅠㅜㅡ")
_HEADS = "ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅇㅈㅉㅊㅋㅌㅍㅎ"
_VOWELS = "ㅏㅐㅑㅒㅓㅔㅕㅖㅗㅘㅙㅚㅛㅜㅝㅞㅟㅠㅡㅢㅣ"
_TAILS = " ㄱㄲㄳㄴㄵㄶㄷㄹㄺㄻㄼㄽㄾㄿㅀㅁㅂㅄㅅㅆㅇㅈㅊㅋㅌㅍㅎ"
_EASIER = {"ㅆ": "ㅅ", "ㄶ": "ㄴ", "ㅀ": "ㄹ", "ㅄ": "ㅂ", "ㄲ": "ㄱ", "ㄵ": "ㄴ", "ㄺ": "ㄱ", "ㄼ": "ㄹ"}
"""Tails of two keys, as people write them who do not bother."""
_LEFT_OVER = "ㄴㄹㅇㅅ"


def _near(row: str, at: int, letters: str) -> list[str]:
    return [row[beside] for beside in (at - 1, at + 1) if 0 <= beside < len(row) and row[beside] in letters]


_NEAR = {
    key: _near(row, at, letters)
    for row in _ROWS
    for at, key in enumerate(row)
    for letters in (_HEADS, _VOWELS)
    if key in letters
}


def slip(text: str, dice: random.Random, share: float) -> str:
    """Return a text in which that share of its syllables slipped."""
    return "".join(_slipped(letter, dice) if dice.random() < share else letter for letter in text)


def _slipped(letter: str, dice: random.Random) -> str:
    code = ord(letter) - 0xAC00
    if not 0 <= code < 11_172:
        return letter
    head, vowel, tail = _HEADS[code // 588], _VOWELS[code // 28 % 21], _TAILS[code % 28]
    match dice.choices(("vowel", "head", "tail", "lost"), (35, 20, 38, 7))[0]:
        case "vowel":
            vowel = dice.choice(_NEAR.get(vowel) or [vowel])
        case "head":
            head = dice.choice(_NEAR.get(head) or [head])
        case "tail":
            tail = dice.choice(_LEFT_OVER) if tail == " " else _EASIER.get(tail, " ")
        case _:
            return ""
    return chr(0xAC00 + _HEADS.index(head) * 588 + _VOWELS.index(vowel) * 28 + _TAILS.index(tail))
