"""How near the tone rules come to people who rewrote the same sentences: chrF (Popović 2015) on SmileStyle.

    .venv/bin/pip install -c constraints.txt sacrebleu
    .venv/bin/python bench/tone.py --data DIR > bench/results/tone.json

DIR holds `smilestyle_evaluation_only.tsv` (Smilegate AI, CC BY-NC 4.0: measured on, never kept here or learnt from).
300 rows a style, `copy` is the formal sentence left as it is. The references paraphrase freely, so that even a sentence
that nobody would object to is far from 100.
"""

import argparse
import csv
import json
import random
from pathlib import Path

from sacrebleu.metrics import CHRF

from inference_server.tone import RuleTone

STYLES = {"informal": "banmal"} | {
    name: name for name in ("naruto", "seonbi", "android", "halbae", "azae", "enfp", "sosim")
}
ROWS = 300


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    path = parser.parse_args().data / "smilestyle_evaluation_only.tsv"
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    tone, table = RuleTone(), {}
    for column, style in STYLES.items():
        both = [row for row in rows if (row["formal"] or "").strip() and (row[column] or "").strip()]
        taken = random.Random(0).sample(both, ROWS)
        formal, wanted = [row["formal"] for row in taken], [[row[column] for row in taken]]
        said = [tone.restyle(sentence, style) for sentence in formal]
        table[column] = {
            "copy": round(CHRF().corpus_score(formal, wanted).score, 1),
            "rules": round(CHRF().corpus_score(said, wanted).score, 1),
            "unchanged": sum(one == other for one, other in zip(formal, said, strict=True)),
        }
    print(json.dumps(table, indent=2))


if __name__ == "__main__":
    main()
