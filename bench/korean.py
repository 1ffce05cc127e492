"""How well the embedded parts read and speak Korean: one table from the repository's own test splits.

    .venv/bin/python -m bench.korean > bench/results/korean.json

Emotion: see `bench/emotion.py`. Splitting: `sentences_unseen.txt`, a message a line, `|` where a sentence ends.
`sentences_unseen_bare.txt` is written with fewer marks; of such, two readers cut the same at F1 .95. Reflections:
readers' marks in `training/data/reflections.tsv`, what is said to each author being chosen by the marks of the others.
Tone: `tone_judged.tsv`, a style, a sentence and the line that a reader let stand or put in its place.
`docs/korean.md` tells what the first readings gave, before any rule was changed for them.
"""

import asyncio
import csv
import json
import random
from collections import Counter, defaultdict
from collections.abc import AsyncGenerator, Iterable, Sequence
from pathlib import Path

from bench import emotion
from bot import resources
from bot.backends.scripted.reflection import Reflector
from bot.backends.scripted.topics import Topics
from bot.backends.scripted.utterances import utterances
from bot.conversation.sentences import sentences
from inference_server.emotion import EmbeddedEmotion
from inference_server.korean import kiwi, morphemes
from inference_server.tone import RuleTone
from training import reflection

TESTS = Path(__file__).parents[1] / "tests"
SCRIPTED = TESTS / "bot" / "backends" / "scripted"
REPLIES, SENTENCES = 300, 3


async def main() -> None:
    table = {
        "emotion": feelings(),
        "splitting": {**informal(), "replies": await replies()},
        "reflections": reflections(),
        "tone": tones(),
    }
    print(json.dumps(table, indent=2, ensure_ascii=False))


def feelings() -> dict[str, dict[str, float]]:
    engine = EmbeddedEmotion()
    return {path.stem: emotion.scores(engine, emotion.read(path)) for path in emotion.UNSEEN}


def informal() -> dict[str, dict[str, float]]:
    """Compare our cuts of messages and Kiwi's with a reader's."""
    found = {}
    for name in ("sentences_unseen", "sentences_unseen_bare"):
        gold = [line.split("|") for line in (SCRIPTED / f"{name}.txt").read_text("utf-8").splitlines()]
        texts = [" ".join(parts) for parts in gold]
        ours = [[text[s[0].start : s[-1].end] for s in utterances(text, morphemes(text))] for text in texts]
        kiwis = [[sentence.text for sentence in kiwi().split_into_sents(text)] for text in texts]
        found |= {name: agreement(gold, ours), f"{name}, Kiwi alone": agreement(gold, kiwis)}
    return found


async def replies() -> dict[str, float]:
    """Stream drafts of sentences of the bank, letter by letter, and compare the cuts."""
    bank = [line for topic in Topics(analyse=morphemes).all for line in (*topic.says, *topic.questions["explore"])]
    draw = random.Random(0)
    gold = [draw.sample(bank, SENTENCES) for _ in range(REPLIES)]

    async def letters(text: str) -> AsyncGenerator[str]:
        for letter in text:
            yield letter

    return agreement(gold, [[part async for part in sentences(letters(" ".join(parts)))] for parts in gold])


def agreement(gold: Iterable[Sequence[str]], found: Iterable[Sequence[str]]) -> dict[str, float]:
    right = cut = wanted = exact = 0
    for one, other in zip(map(boundaries, gold), map(boundaries, found), strict=True):
        right += len(one & other)
        cut += len(other)
        wanted += len(one)
        exact += one == other
    f1 = 2 * right / (cut + wanted)
    return {"precision": round(right / cut, 3), "recall": round(right / wanted, 3), "f1": round(f1, 3), "exact": exact}


def boundaries(parts: Sequence[str]) -> set[int]:
    """Return after how many letters, blanks aside, a sentence ends within a text."""
    ends, length = set(), 0
    for part in parts[:-1]:
        length += len("".join(part.split()))
        ends.add(length)
    return ends


def reflections() -> dict[str, float]:
    """Return what readers said of what is given back, and how often hints at death are."""
    said = reflection.said_of_authors_unread(reflection.read(reflection.MARKS))
    marks = Counter(one.mark for one in said)
    reflector = Reflector(lexicon=resources.toml("scripted/reflection.toml"), join=kiwi().join)
    hints = (SCRIPTED / "reflections_of_danger.txt").read_text("utf-8").splitlines()
    echoes = [reflector.reflect(text, morphemes(text), frames=lambda _: [reflection.FRAME]) for text in hints]
    return {
        "said": len(said),
        **{mark: round(count / len(said), 3) for mark, count in marks.items()},
        "hints at death": len(hints),
        "of them given back": sum(map(bool, echoes)),
    }


def tones() -> dict[str, float]:
    """Return the share of lines of each style that a reader let stand, or would have written."""
    tone, right = RuleTone(), defaultdict(list)
    for style, sentence, line in rows(TESTS / "inference_server" / "tone_judged.tsv"):
        right[style].append(tone.restyle(sentence, style) == line)
    return {style: round(sum(lines) / len(lines), 3) for style, lines in right.items()}


def rows(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


if __name__ == "__main__":
    asyncio.run(main())
