"""What a memory is looked for by: the words of a turn and of the turns around it, and how much each counts."""

import tomllib
import unicodedata
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

from inference_server.korean import morphemes

Words = Callable[[str], Counter[str]]

# bench/recall_quality.py measures what these give: tuned on half of the conversations, reported on the other.
K1, B = 1.2, 0.2
AVERAGE_LENGTH = 10.0
QUESTION, BEFORE = 0.5, 0.4
KINDRED = 0.5
PIECE = 0.3

# A noun and a verb of one form are different words, a common noun and a name are not.
_CLASSES = {"NNG": "N", "NNP": "N", "NR": "N", "XR": "N", "SL": "S", "SN": "S", "VV": "V", "VA": "V"}
_LIGHT = {
    *("하/V", "되/V", "있/V", "없/V", "같/V", "그렇/V", "이렇/V", "어떻/V", "어떡하/V"),
    *("것/N", "수/N", "저/N", "나/N", "때/N", "말/N", "일/N", "요즘/N", "오늘/N", "지금/N"),
}


def terms(text: str) -> Counter[str]:
    """Count the words that carry what a Korean text is about, as `form/class`: 고양이/N, 헤어지/V, mbti/S."""
    found = (
        f"{form.lower()}/{_CLASSES[kind]}"
        for form, tag, _, _ in morphemes(unicodedata.normalize("NFC", text))
        if (kind := tag.partition("-")[0]) in _CLASSES
    )
    return Counter(term for term in found if term not in _LIGHT)


def document(question: str, text: str, *, before: str = "", words: Words = terms) -> dict[str, float]:
    """Weigh what a remembered turn is found by; empty when the person's own words say nothing to look for.

    `question` is what the person was asked, `before` what they had said before it in that counsel. The
    weights are BM25's without IDF, which is the index's part (Robertson and Zaragoza 2009, "The Probabilistic Relevance
    Framework: BM25 and Beyond"). All texts are one pool before saturation: BM25F's way with fields.
    """
    said = words(text)
    if not said:
        return {}
    amounts = {term: float(count) for term, count in said.items()}
    for around, weight in ((question, QUESTION), (before, BEFORE)):
        for term, count in words(around).items():
            amounts[term] = amounts.get(term, 0.0) + weight * count
    length = 1 - B + B * sum(amounts.values()) / AVERAGE_LENGTH
    return {term: amount * (K1 + 1) / (amount + K1 * length) for term, amount in _widened(amounts).items()}


def query(text: str, *, words: Words = terms) -> dict[str, float]:
    """Weigh what a message looks for among documents; empty when there is nothing to look for."""
    return _widened(dict.fromkeys(words(text), 1.0))


def _widened(amounts: Mapping[str, float]) -> dict[str, float]:
    """Add, at a lower weight, the kindred groups of the words and the syllable pairs that outlive a slip in a noun."""
    wide = dict(amounts)
    for term, amount in amounts.items():
        for group in _GROUPS.get(term, ()):
            wide[group] = max(wide.get(group, 0.0), KINDRED * min(amount, 1.0))
        if term.endswith("/N"):
            for start in range(len(term) - 3):
                pair = f"~{term[start : start + 2]}"
                wide[pair] = wide.get(pair, 0.0) + PIECE * amount
    return wide


def _groups() -> dict[str, tuple[str, ...]]:
    """Return the groups of each word. `kindred.toml` holds what people say for one another; verbs end in a hyphen."""
    table = tomllib.loads(Path(__file__).with_name("kindred.toml").read_text("utf-8"))
    groups: dict[str, tuple[str, ...]] = {}
    for name, words in ((name, words) for section in table.values() for name, words in section.items()):
        for word in words.split():
            term = f"{word[:-1]}/V" if word.endswith("-") else f"{word}/N"
            groups[term] = (*groups.get(term, ()), f"≈{name}")
    return groups


_GROUPS = _groups()
