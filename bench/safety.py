"""How well danger is noticed: one table with 95 % Wilson intervals. No clinician has labelled any of it.

    .venv/bin/python -m bench.safety [--fixtures DIR] [--data DIR] > bench/results/safety.json

`tests/bot/safety/unseen_N.tsv` were written by seven authors who had seen neither training messages nor wordings nor
fixtures; the first has since been read for choosing thresholds. `hostile_N.tsv` are sentences of two authors that the
gate must replace, and fine ones that it must not; the first was read. DIR of fixtures holds `crisis_cases.tsv` (by
which the wordings were made) and `other_risk_cases.tsv`; DIR of data `kote_val.tsv` and `chatbot_data.csv`, ordinary
text in which alarms are counted as they come, and without those that two readers took for true
(`bench/true_alarms.txt`, SHA-256 of the text, 16 digits).
"""

import argparse
import csv
import hashlib
import json
import random
import statistics
import sys
import time
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import sqrt
from pathlib import Path

from bot.safety.assess import Level, assess, told_by_signs
from bot.safety.course import follow
from bot.safety.gate import fault_of

TESTS = Path(__file__).parents[1] / "tests" / "bot" / "safety"
TRUE_ALARMS = Path(__file__).with_name("true_alarms.txt")
SEEDS, SEED = 100, 7


@dataclass(frozen=True, slots=True)
class Case:
    level: str
    text: str
    is_soft: bool

    @property
    def is_danger(self) -> bool:
        return self.level != Level.NONE


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--fixtures", type=Path)
    parser.add_argument("--data", type=Path)
    chosen = parser.parse_args()
    sets = {path.stem: unseen(path) for path in sorted(TESTS.glob("unseen_*.tsv"))}
    table: dict[str, object] = {name: scores(cases) for name, cases in sets.items()}
    table["unseen, by wordings alone"] = share(
        told_by_signs(case.text).level is not Level.NONE for case in dangers(sets)
    )
    table |= {path.stem: gated(path) for path in sorted(TESTS.glob("hostile_*.tsv"))}
    table["perturbed"] = perturbed([case.text for case in dangers(sets)])
    table["milliseconds"] = milliseconds([case.text for cases in sets.values() for case in cases])
    if chosen.fixtures:
        table["fixtures"] = scores(fixtures(chosen.fixtures / "crisis_cases.tsv"))
        table["other routes"] = routes(chosen.fixtures / "other_risk_cases.tsv")
    if chosen.data:
        table["alarms in ordinary text"] = alarms(chosen.data)
    json.dump(table, sys.stdout, indent=2, ensure_ascii=False)
    print()


def unseen(path: Path) -> list[Case]:
    rows = [line.split("\t") for line in path.read_text("utf-8").splitlines()]
    return [Case("none" if label.startswith("none") else label, text, label == "none_soft") for label, _, text in rows]


def fixtures(path: Path) -> list[Case]:
    rows = [line.split("\t") for line in path.read_text("utf-8").splitlines()[1:]]
    return [Case(level, text, "soft_ok" in note) for text, level, note in rows]


def dangers(sets: dict[str, list[Case]]) -> list[Case]:
    return [case for cases in sets.values() for case in cases if case.is_danger]


def scores(cases: Sequence[Case]) -> dict[str, object]:
    """Recall of each level, how often plan names help, and what harmless messages are taken for."""
    found: dict[str, object] = {}
    by_level: defaultdict[str, list[Case]] = defaultdict(list)
    for case in cases:
        by_level[case.level].append(case)
    is_noticed = {case.text: assess(case.text).level is not Level.NONE for case in cases}
    found["recall"] = share(is_noticed[case.text] for case in cases if case.is_danger)
    for level in list(Level)[1:]:
        found[f"recall, {level}"] = share(is_noticed[case.text] for case in by_level[level])
    found["plan, tier 2 or 3"] = share(assess(case.text).tier >= 2 for case in by_level[Level.PLAN])
    found["level as the author's, of those noticed"] = share(
        assess(case.text).level == case.level for case in cases if case.is_danger and is_noticed[case.text]
    )
    harmless = by_level[Level.NONE]
    found["specificity, a gentle question counting where one is all right"] = share(
        assess(case.text).tier <= (1 if case.is_soft else 0) for case in harmless
    )
    found["full block where a gentle question is all right"] = share(
        assess(case.text).tier >= 2 for case in harmless if case.is_soft
    )
    return found


def share(hits: Iterable[bool]) -> dict[str, float]:
    """Return a share with its 95 % interval (Wilson, JASA 22, 1927)."""
    seen = list(hits)
    n, p, z = len(seen), sum(seen) / max(len(seen), 1), 1.96
    if not n:
        return {"of": 0}
    middle, half = p + z * z / (2 * n), z * sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    low, high = ((middle - half) / (1 + z * z / n), (middle + half) / (1 + z * z / n))
    return {"share": round(p, 3), "from": round(max(low, 0.0), 3), "to": round(high, 3), "of": n}


def perturbed(texts: Sequence[str]) -> dict[str, float]:
    """How many points fewer of the noticed messages are noticed when they are written otherwise."""
    noticed = [text for text in texts if assess(text).level is not Level.NONE]
    seeds = random.Random(SEED).sample(noticed, min(SEEDS, len(noticed)))
    return {
        name: round(100 * (1 - sum(assess(change(text)).level is not Level.NONE for text in seeds) / len(seeds)), 1)
        for name, change in PERTURBATIONS.items()
    }


def _every(text: str, step: int, change: Callable[[str], str]) -> str:
    return "".join(change(letter) if at % step == step - 1 else letter for at, letter in enumerate(text))


def _mistyped(letter: str) -> str:
    code = ord(letter) - 0xAC00
    return chr(ord(letter) + (28 if code // 28 % 21 < 20 else -28)) if 0 <= code < 11_172 else letter


def _without_tail(letter: str) -> str:
    code = ord(letter) - 0xAC00
    return chr(ord(letter) - code % 28) if 0 <= code < 11_172 else letter


_SLANG = {
    "요": "여",
    "어요": "어여",
    "습니다": "슴다",
    "고 싶": "구 싶",
    "없": "업",
    "좋": "조",
    "같아": "가타",
    "너무": "넘",
}
_DIALECT = {
    "어요": "어예",
    "아요": "아예",
    "습니다": "심더",
    "는데": "는디",
    "그래": "그라",
    "하고": "허고",
    "싶어": "싶다 아이가",
}


def _replaced(words: dict[str, str]) -> Callable[[str], str]:
    def change(text: str) -> str:
        for word, other in words.items():
            text = text.replace(word, other)
        return text

    return change


PERTURBATIONS: dict[str, Callable[[str], str]] = {
    "no blanks": lambda text: text.replace(" ", ""),
    "blanks between all letters of one word in three": lambda text: " ".join(
        " ".join(word) if at % 3 == 2 else word for at, word in enumerate(text.split())
    ),
    "no marks": lambda text: "".join(c for c in text if not unicodedata.category(c).startswith("P")),
    "marks everywhere": lambda text: text.replace(" ", "... "),
    "decomposed": lambda text: unicodedata.normalize("NFD", text),
    "zero width": lambda text: "\u200b".join(text),
    "tears": lambda text: f"{text} ㅠㅠㅠㅠ",
    "laughter": lambda text: f"{text} ㅋㅋㅋ",
    "a letter mistyped in twelve": lambda text: _every(text, 12, _mistyped),
    "a tail forgotten in ten": lambda text: _every(text, 10, _without_tail),
    "slang spelling": _replaced(_SLANG),
    "dialect": _replaced(_DIALECT),
}


def milliseconds(texts: Sequence[str]) -> dict[str, float]:
    """Assess and reply, one after the other, and 100,000 letters of anything at once."""
    spent = []
    for text in texts:
        assess.cache_clear()
        start = time.perf_counter()
        follow(text)
        spent.append((time.perf_counter() - start) * 1e3)
    spent.sort()
    dice = random.Random(SEED)
    fuzz = {
        "hangul": "".join(chr(dice.randrange(0xAC00, 0xD7A4)) for _ in range(100_000)),
        "anything": "".join(chr(dice.randrange(32, 0x10FFFF)) for _ in range(100_000)),
        "jamo": "ㅈㅜㄱㄱㅗ" * 20_000,
        "messages": " ".join(texts)[:100_000],
    }
    found = {"median": statistics.median(spent), "p99": spent[int(len(spent) * 0.99)]}
    for name, text in fuzz.items():
        start = time.perf_counter()
        told_by_signs(text)
        signs = (time.perf_counter() - start) * 1e3
        start = time.perf_counter()
        assess(text)
        found |= {f"100,000 letters, {name}": (time.perf_counter() - start) * 1e3, f"of which wordings, {name}": signs}
    return {name: round(value, 2) for name, value in found.items()}


def gated(path: Path) -> dict[str, object]:
    """How many sentences that break a rule are replaced, and how many fine ones."""
    rows = [line.split("\t") for line in path.read_text("utf-8").splitlines()]
    labels = dict.fromkeys(label for label, _ in rows)
    found: dict[str, object] = {
        label: share(fault_of(sentence) is not None for named, sentence in rows if named == label) for label in labels
    }
    return {"replaced": share(fault_of(sentence) is not None for label, sentence in rows if label != "fine"), **found}


def routes(path: Path) -> dict[str, object]:
    rows = [line.split("\t") for line in path.read_text("utf-8").splitlines()[1:]]
    answered = [(route, assess(text)) for text, route, _ in rows]
    return {
        "answered in fixed words": share(risk.has_words for _, risk in answered),
        "route or level as labelled": share(
            route == risk.route or (route == "abuse" and risk.level is Level.ABUSE) for route, risk in answered
        ),
    }


def alarms(folder: Path) -> dict[str, object]:
    with (folder / "chatbot_data.csv").open(encoding="utf-8", newline="") as file:
        questions = [row["Q"] for row in csv.DictReader(file)]
    comments = [line.split("\t")[1] for line in (folder / "kote_val.tsv").read_text("utf-8").splitlines()]
    true = set(TRUE_ALARMS.read_text("utf-8").split())
    found: dict[str, object] = {}
    for name, texts in (("Chatbot_data, questions", questions), ("KOTE, validation", comments)):
        tiers = {text: assess(text).tier for text in texts}
        untrue = {text: tier for text, tier in tiers.items() if _digest(text) not in true}
        found |= {
            f"{name}: per 1,000 by tier": _per_thousand(tiers),
            f"{name}: per 1,000 by tier, without true ones": _per_thousand(untrue),
        }
    return found


def _per_thousand(tiers: dict[str, int]) -> dict[int, float]:
    return {tier: round(1_000 * n / len(tiers), 1) for tier, n in sorted(Counter(tiers.values()).items()) if tier}


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


if __name__ == "__main__":
    main()
