"""How well the shipped emotion model reads messages that it was not learnt from, and how fast.

    .venv/bin/python bench/emotion.py > bench/results/emotion.json

Each `tests/inference_server/emotion*_unseen.tsv` is by an author of its own; the card of the model says which of them
were read before the weights were frozen. Times are CPU time of one core, Kiwi included.
"""

import json
import statistics
from pathlib import Path
from time import process_time

from inference_server.emotion import LABELS, EmbeddedEmotion

UNSEEN = sorted((Path(__file__).parents[1] / "tests" / "inference_server").glob("emotion*_unseen.tsv"))
SIDES = dict(zip(LABELS, "gggggp" + "l" * 5, strict=True))
COVERED = 0.6


def main() -> None:
    engine = EmbeddedEmotion()
    engine.read(["안녕하세요"])
    rows = {path.stem: read(path) for path in UNSEEN}
    authors = [f"emotion_{voice}_unseen" for voice in ("adult", "elder", "young")]
    rows["three authors"] = [row for author in authors for row in rows[author]]
    table = {name: scores(engine, messages) for name, messages in rows.items()}
    texts = [text for _, text in rows["three authors"]]
    print(json.dumps({"scores": table, "speed": speed(EmbeddedEmotion(), texts)}, indent=2, ensure_ascii=False))


def read(path: Path) -> list[tuple[str, str]]:
    return [(label, text) for label, _, text in (line.partition("\t") for line in path.read_text("utf-8").splitlines())]


def scores(engine: EmbeddedEmotion, rows: list[tuple[str, str]]) -> dict[str, float]:
    """Return shares of all messages; `right_of_the_surest` is of those 60 % that the model is surest of."""
    ranked = [(label, reading) for (label, _), reading in zip(rows, engine.read([t for _, t in rows]), strict=True)]
    right = [reading.scores[0][0] == label for label, reading in ranked]
    named = [good for good, (_, reading) in zip(right, ranked, strict=True) if reading.is_confident]
    surest = sorted(zip(ranked, right, strict=True), key=lambda each: -each[0][1].scores[0][1])
    surest = surest[: round(COVERED * len(surest))]
    shares = {
        "top_1": statistics.fmean(right),
        "top_2": statistics.fmean(label in [name for name, _ in r.scores[:2]] for label, r in ranked),
        "polarity": statistics.fmean(SIDES[label] == SIDES[r.scores[0][0]] for label, r in ranked),
        "named": len(named) / len(rows),
        "right_if_named": statistics.fmean(named or [0.0]),
        "right_of_the_surest": statistics.fmean(good for _, good in surest),
    }
    return {"messages": len(rows)} | {name: round(share, 3) for name, share in shares.items()}


def speed(engine: EmbeddedEmotion, texts: list[str]) -> dict[str, float]:
    engine.read(texts[:1])
    spent = []
    for text in texts:
        start = process_time()
        engine.read([text])
        spent.append(1_000 * (process_time() - start))
    return {
        "ms_median": round(statistics.median(spent), 2),
        "ms_p95": round(statistics.quantiles(spent, n=20)[-1], 2),
        "messages_a_second": round(1_000 / statistics.fmean(spent)),
    }


if __name__ == "__main__":
    main()
