"""How often the turn that a message comes back to is found, and how fast a turn is weighed.

    .venv/bin/python bench/recall_quality.py [--locomo FOLDER] [--encoder FOLDER] [--json FILE]

FOLDER holds the ten conversations of LoCoMo (Maharana et al. 2024, CC BY-NC 4.0, so never kept here). Each number
stands three times: for the half that the constants were tuned on, for the other half, for both.
`recall_queries_ko.tsv` is by one author: `word` shares a word with its turn; `meaning` none (but three), the kindred
words were written when it had been seen; `fresh` was written after the older
half of them. Chance is .19 at R@3: sixteen turns a person.

`--encoder` names a sentence encoder in Hugging Face's format and needs torch and transformers. How much its vectors
should count beside words, and from which likeness on, is read off the ways that are printed: `Fusion` in
storage/vectors.py holds both. For the production encoder:

    hf download jhgan/ko-sroberta-multitask --local-dir ko-sroberta-multitask
    python bench/recall_quality.py --encoder ko-sroberta-multitask

and then the best of "RRF k=2 encoder …" by `fresh R@3` and `meaning R@3` that costs `word R@3` nothing. An encoder that
knows English (all-MiniLM-L6-v2, for one) takes `--locomo` as well.
"""

import argparse
import csv
import json
import math
import random
import re
import tempfile
import unicodedata
import zlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from time import process_time

import numpy as np
import numpy.typing as npt
from qdrant_edge import (
    EdgeConfig,
    EdgeShard,
    EdgeSparseVectorParams,
    FieldCondition,
    Filter,
    IdfParams,
    MatchValue,
    Modifier,
    Point,
    Query,
    QueryRequest,
    SearchParams,
    SparseVector,
    UpdateOperation,
)

from inference_server.embedding import Words, document, query, terms
from inference_server.korean import morphemes

Scores = npt.NDArray[np.float64]
DIMENSIONS = 256


@dataclass(frozen=True, slots=True)
class Turn:
    session: str
    question: str
    text: str


@dataclass(frozen=True, slots=True)
class Search:
    """A message, the kind of test it is, and the places of the turns that it should find."""

    text: str
    kind: str
    gold: frozenset[int]


@dataclass(frozen=True, slots=True, eq=False)
class Past:
    name: str
    turns: Sequence[Turn]
    searches: Sequence[Search]
    words: Words = terms


def korean() -> list[Past]:
    with Path(__file__).with_name("recall_queries_ko.tsv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    people = []
    for person in dict.fromkeys(row["person"] for row in rows):
        own = [row for row in rows if row["person"] == person]
        told = [row for row in own if row["kind"] == "turn"]
        place = {row["turn"]: number for number, row in enumerate(told)}
        turns = [Turn(row["turn"].partition(".")[0], row["question"], row["text"]) for row in told]
        later = [row for row in own if row["kind"] != "turn"]
        searches = [Search(row["text"], row["kind"], frozenset({place[row["turn"]]})) for row in later]
        people.append(Past(person, turns, searches))
    return people


def locomo(folder: Path) -> list[Past]:
    """Every turn counts as a message, the turn before it as its question, a picture as its caption."""
    people = []
    for path in sorted(folder.glob("*.json")):
        told = json.loads(path.read_text("utf-8"))
        sessions = sorted((key for key in told if re.fullmatch(r"session_\d+", key)), key=lambda k: int(k[8:]))
        lines = [(session, line) for session in sessions for line in told[session]]
        texts = [f"{line['speaker']} {line['text']} {line.get('blip_caption', '')}" for _, line in lines]
        place = {line["dia_id"]: number for number, (_, line) in enumerate(lines)}
        turns = [
            Turn(session, texts[n - 1] if n and lines[n - 1][0] == session else "", texts[n])
            for n, (session, _) in enumerate(lines)
        ]
        searches = [
            Search(asked["question"], "all", gold)
            for asked in told["qa"]
            if asked["category"] != 5 and (gold := frozenset(place[i] for i in asked["evidence"] if i in place))
        ]
        people.append(Past(path.stem, turns, searches, english))
    return people


STOP = set(
    re.findall(
        r"\w+",
        """
        a an the and or but if of at by for with about to from in on is are was were be been being
        have has had do does did i you he she it we they me him her us them my your his its our
        their this that these those what which who whom when where why how s t re ve ll d m so not
        no as would could can will just than then there here up out any some
        """,
    )
)
ENDINGS = (("ies", "y"), ("ing", ""), ("ed", ""), ("ly", ""), ("es", "e"), ("s", ""))


def english(text: str) -> Counter[str]:
    return Counter(stem(word) for word in re.findall(r"[a-z0-9]+", text.lower()) if word not in STOP)


def stem(word: str) -> str:
    for ending, instead in ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= 3 and not word.endswith("ss"):
            word = word.removesuffix(ending) + instead
            if ending in ("ing", "ed") and len(word) > 3 and word[-1] == word[-2] and word[-1] not in "lsz":
                word = word[:-1]
            break
    word = word.removesuffix("e") if len(word) > 3 else word
    return f"{word[:-1]}i" if word.endswith("y") and len(word) > 3 else word


def documents(past: Past, *, step: int) -> list[dict[str, float]]:
    """`step` is how far a person's own messages lie apart: two where each second turn is the other speaker's."""

    def text(number: int, session: str) -> str:
        turn = past.turns[number] if 0 <= number < len(past.turns) else None
        return turn.text if turn and turn.session == session else ""

    return [
        document(
            turn.question,
            turn.text,
            before=text(number - step, turn.session),
            words=past.words,
        )
        for number, turn in enumerate(past.turns)
    ]


@cache
def sparse(past: Past, *, step: int) -> Scores:
    """Score searches x turns as Qdrant does with the IDF modifier and the person as its corpus."""
    held = documents(past, step=step)
    vocabulary = {term: place for place, term in enumerate(dict.fromkeys(term for one in held for term in one))}
    weights = np.zeros((len(held), len(vocabulary)))
    for row, one in zip(weights, held, strict=True):
        row[[vocabulary[term] for term in one]] = list(one.values())
    frequency = np.count_nonzero(weights, axis=0)
    idf = np.log(1 + (len(held) - frequency + 0.5) / (frequency + 0.5))
    sought = np.zeros((len(past.searches), len(vocabulary)))
    for row, search in zip(sought, past.searches, strict=True):
        for term, weight in query(search.text, words=past.words).items():
            if term in vocabulary:
                row[vocabulary[term]] = weight
    return np.asarray(sought * idf @ weights.T)


def dense(past: Past, *, step: int) -> Scores:
    """Score by the cosine of hashed and randomly projected character 2-4-grams, neighbours blended like the words."""
    rows = np.stack([projected(turn.text) for turn in past.turns])
    for number in range(len(past.turns) - 1, step - 1, -1):
        if past.turns[number].session == past.turns[number - step].session:
            rows[number] += 0.4 * rows[number - step]
    rows /= np.linalg.norm(rows, axis=1, keepdims=True) + 1e-9
    return np.asarray(np.stack([projected(search.text) for search in past.searches]) @ rows.T)


def projected(text: str) -> Scores:
    readable = f" {re.sub(r'[^a-z0-9가-힣]+', ' ', text.lower()).strip()} "
    grams = Counter(readable[i : i + n] for n in (2, 3, 4) for i in range(len(readable) - n + 1))
    total = np.zeros(DIMENSIONS)
    for gram, count in grams.items():
        total += math.sqrt(count) * direction(gram)
    return np.asarray(total / (np.linalg.norm(total) + 1e-9))


_directions: dict[int, Scores] = {}


def direction(gram: str) -> Scores:
    seed = zlib.crc32(gram.encode())
    if seed not in _directions:
        _directions[seed] = np.random.default_rng(seed).choice([-1.0, 1.0], DIMENSIONS)
    return _directions[seed]


class Encoder:
    """Scores by the cosine of sentence vectors: of a turn's own words, as it is remembered."""

    def __init__(self, folder: Path) -> None:
        from transformers import AutoModel, AutoTokenizer

        pooling = folder / "1_Pooling" / "config.json"
        self._takes_first = pooling.exists() and json.loads(pooling.read_text("utf-8"))["pooling_mode_cls_token"]
        self._tokenizer = AutoTokenizer.from_pretrained(folder)
        self._model = AutoModel.from_pretrained(folder).eval()
        self._known: dict[str, Scores] = {}

    def __call__(self, past: Past, *, step: int) -> Scores:
        if past.name not in self._known:
            turns = self._vectors([turn.text for turn in past.turns])
            self._known[past.name] = self._vectors([search.text for search in past.searches]) @ turns.T
        return self._known[past.name]

    def from_cosine(self, least: float) -> Callable[..., Scores]:
        def score(past: Past, *, step: int) -> Scores:
            cosines = self(past, step=step)
            return np.where(cosines >= least, cosines, 0.0)

        return score

    def likeness(self, people: Sequence[Past], *, step: int) -> dict[str, list[float]]:
        """Return percentiles 5, 25, 50, 75 and 95 of the cosines of what should be found, and of all else."""
        gold, others = [], []
        for past in people:
            for cosines, search in zip(self(past, step=step), past.searches, strict=True):
                is_gold = np.isin(np.arange(len(cosines)), list(search.gold))
                gold.append(cosines[is_gold])
                others.append(cosines[~is_gold])
        parts = {"sought": np.concatenate(gold), "others": np.concatenate(others)}
        return {name: np.percentile(part, (5, 25, 50, 75, 95)).round(3).tolist() for name, part in parts.items()}

    def _vectors(self, texts: Sequence[str]) -> Scores:
        """Average the last layer over the tokens (Reimers and Gurevych 2019, "Sentence-BERT"), or take the first's."""
        import torch

        vectors = []
        with torch.inference_mode():
            for start in range(0, len(texts), 64):
                batch = self._tokenizer(
                    list(texts[start : start + 64]), padding=True, truncation=True, max_length=256, return_tensors="pt"
                )
                mask = batch["attention_mask"].unsqueeze(-1)
                states = self._model(**batch).last_hidden_state
                pooled = states[:, 0] if self._takes_first else (states * mask).sum(dim=1) / mask.sum(dim=1)
                vectors.append(torch.nn.functional.normalize(pooled, dim=1).numpy())
        return np.asarray(np.concatenate(vectors), dtype=np.float64)


def noise(past: Past, *, step: int) -> Scores:
    """Score at random: a list that fills up where the words find nothing gains by chance alone."""
    return np.asarray(np.random.default_rng(step).random((len(past.searches), len(past.turns))))


def fused(other: Callable[..., Scores], weight: float, k: int) -> Callable[..., Scores]:
    """Return reciprocal rank fusion as Qdrant 1.20 has it: a list of weight w adds 1 / ((rank + 1) / w + k - 1).

    It is w / (k + rank) only at w = 1: at a large k a small weight hardly counts. Ranks begin at 0.
    """

    def share(scores: Scores, weight: float) -> Scores:
        ranks = np.argsort(np.argsort(-scores, axis=1, kind="stable"), axis=1)
        return np.where(scores > 0, 1 / ((ranks + 1) / weight + k - 1), 0.0)

    def score(past: Past, *, step: int) -> Scores:
        return share(sparse(past, step=step), 1.0) + share(other(past, step=step), weight)

    return score


def recalls(people: Sequence[Past], score: Callable[..., Scores], *, step: int, cuts: Sequence[int]) -> dict[str, str]:
    """Return, by kind and cut, the mean share of the gold turns found: `tuned on / kept back / all`."""
    found: dict[str, list[tuple[int, float]]] = {}
    for number, past in enumerate(people):
        for scores, search in zip(score(past, step=step), past.searches, strict=True):
            order = [place for place in np.argsort(-scores, kind="stable").tolist() if scores[place] > 0]
            sessions = list(dict.fromkeys(past.turns[place].session for place in order))
            wanted = {past.turns[place].session for place in search.gold}
            for cut in cuts:
                share = len(search.gold & set(order[:cut])) / len(search.gold)
                found.setdefault(f"{search.kind} R@{cut}", []).append((number % 2, share))
            if step == 2:
                share = len(wanted & set(sessions[:5])) / len(wanted)
                found.setdefault(f"{search.kind} session R@5", []).append((number % 2, share))
    return {name: " / ".join(f"{mean(shares, half):.3f}" for half in (0, 1, None)) for name, shares in found.items()}


def mean(shares: Sequence[tuple[int, float]], half: int | None) -> float:
    return float(np.mean([share for side, share in shares if half in (side, None)]))


def misspelt(people: Sequence[Past]) -> list[Past]:
    """Change one vowel in eight of each search."""
    return [Past(p.name, p.turns, [Search(slipped(s.text), s.kind, s.gold) for s in p.searches]) for p in people]


def slipped(text: str) -> str:
    chance = random.Random(text)
    letters = list(unicodedata.normalize("NFD", text))
    vowels = [place for place, letter in enumerate(letters) if "\u1161" <= letter <= "\u1175"]
    for place in chance.sample(vowels, max(1, len(vowels) // 8)):
        letters[place] = chr(chance.randint(0x1161, 0x1175))
    return unicodedata.normalize("NFC", "".join(letters))


def farthest_from_engine(people: Sequence[Past]) -> float:
    """Return the largest difference between a score here and Qdrant Edge's, everybody in one shard."""
    numbers: dict[str, int] = {}

    def vector(weights: dict[str, float]) -> SparseVector:
        return SparseVector([numbers.setdefault(term, len(numbers)) for term in weights], list(weights.values()))

    sparse_vectors = {"words": EdgeSparseVectorParams(modifier=Modifier.Idf)}
    farthest = 0.0
    with tempfile.TemporaryDirectory() as folder:
        shard = EdgeShard.create(folder, EdgeConfig(sparse_vectors=sparse_vectors))
        points = [
            Point(1000 * number + place, {"words": vector(one)}, {"user": past.name})
            for number, past in enumerate(people)
            for place, one in enumerate(documents(past, step=1))
        ]
        shard.update(UpdateOperation.upsert_points(points))
        for number, past in enumerate(people):
            mine = Filter(must=[FieldCondition("user", match=MatchValue(past.name))])
            for expected, search in zip(sparse(past, step=1), past.searches, strict=True):
                request = QueryRequest(
                    limit=len(past.turns),
                    query=Query.Nearest(vector(query(search.text)), using="words"),
                    filter=mine,
                    params=SearchParams(idf=IdfParams(corpus=mine)),
                )
                scores = {int(str(hit.id)) - 1000 * number: hit.score for hit in shard.query(request)}
                gaps = [abs(scores.get(place, 0.0) - wanted) for place, wanted in enumerate(expected.tolist())]
                farthest = max(farthest, *gaps)
        shard.close()
    return farthest


def weighing_ms(people: Sequence[Past]) -> float:
    """Return the median time of weighing a turn with what came before it, beyond Kiwi's analysis of the three texts."""
    known: dict[str, Counter[str]] = {}
    tagged = [(t.question, t.text) for past in people for t in past.turns]
    for text in {text for pair in tagged for text in pair}:
        known[text] = terms(text)
    spent = []
    for (_, before), (question, text) in pairwise(tagged):
        morphemes(text)
        start = process_time()
        terms(text)
        counted = process_time()
        document(question, text, before=before, words=known.__getitem__)
        spent.append((3 * (counted - start) + process_time() - counted) * 1_000)
    return float(np.median(spent))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--locomo", type=Path)
    parser.add_argument("--encoder", type=Path)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    mine = korean()
    theirs = locomo(options.locomo) if options.locomo else []
    ways: dict[str, Callable[..., Scores]] = {"sparse": sparse, "dense": dense}
    ways |= {f"RRF k={k} dense x{weight}": fused(dense, weight, k) for k in (2, 60) for weight in (0.1, 0.3)}
    ways["RRF k=2 noise x0.1"] = fused(noise, 0.1, 2)
    results: dict[str, object] = {
        "weighing_ms_median_beyond_kiwi": round(weighing_ms(mine), 3),
        "farthest_from_qdrant_edge": farthest_from_engine(mine),
        "korean, misspelt": {"sparse": recalls(misspelt(mine), sparse, step=1, cuts=(1, 3, 5))},
    }
    if options.encoder:
        encoder = Encoder(options.encoder)
        ways["encoder"] = encoder
        ways |= {f"RRF k={k} encoder x{w}": fused(encoder, w, k) for k in (2, 10, 60) for w in (0.3, 0.5, 0.7, 1.0)}
        ways |= {
            f"RRF k=2 encoder x{w} from cosine {least}": fused(encoder.from_cosine(least), w, 2)
            for w in (0.3, 0.5)
            for least in (0.2, 0.3, 0.4, 0.5)
        }
        results["korean, cosines"] = encoder.likeness(mine, step=1)
        if theirs:
            results["locomo, cosines"] = encoder.likeness(theirs, step=2)
    results["korean"] = {way: recalls(mine, score, step=1, cuts=(1, 3, 5)) for way, score in ways.items()}
    if theirs:
        results["locomo"] = {way: recalls(theirs, score, step=2, cuts=(1, 5, 10, 20)) for way, score in ways.items()}
    table = json.dumps(results, indent=2, ensure_ascii=False)
    print(table)
    if options.json:
        options.json.write_text(table + "\n", "utf-8")


if __name__ == "__main__":
    main()
