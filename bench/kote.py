"""How often the likeliest feeling is among those that readers gave a comment of KOTE: five folds.

    .venv/bin/pip install -c constraints.txt scikit-learn
    .venv/bin/python bench/kote.py --data DIR > bench/results/kote.json

DIR holds `kote_val.tsv`, KOTE's validation split (MIT), and `nsmc_reviews.txt.gz` (CC0). A logistic regression for each
label, over character and morpheme n-grams and the mean of word vectors (PPMI and SVD, Levy and Goldberg 2014) learnt
from the reviews. Ten to fifteen minutes on two cores. This model is not shipped: on messages to a counsellor the
vectors add nothing, as the card of `emotion.npz` says.
"""

import argparse
import gzip
import json
import sys
from collections import Counter
from itertools import pairwise
from pathlib import Path

import numpy as np
from scipy.sparse import coo_matrix, csr_matrix, hstack
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.utils.extmath import randomized_svd

from inference_server.emotion import LABELS
from inference_server.korean import kiwi
from training.emotion import KOTE_LABELS

WINDOW, RAREST, DIMENSIONS = 5, 20, 200
SHARE = 0.05
"""Weight of the vectors beside the n-grams, in standard deviations; .03 scores the same, .08 a little less."""

FOLDS, INVERSE_L2 = 5, 4.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    data = parser.parse_args().data
    texts, gold = read(data / "kote_val.tsv")
    words = morphemes(texts)
    plain = predict(texts, words, gold, None)
    with gzip.open(data / "nsmc_reviews.txt.gz", "rt", encoding="utf-8") as file:
        reviews = morphemes([line.strip()[:300] for line in file])
    vectors = means(words, *learn(reviews))
    table = {
        "comments": len(texts),
        "commonest_label": round(float(gold.mean(axis=0).max()), 4),
        "n_grams": hit(plain, gold),
        "n_grams_and_vectors": hit(predict(texts, words, gold, vectors), gold),
    }
    print(json.dumps(table, indent=2))


def read(path: Path) -> tuple[list[str], np.ndarray]:
    """Return the comments that have one of our labels in full, and which (comments x labels)."""
    strong = np.array([[ours.get(label) == 1.0 for label in LABELS] for _, ours in KOTE_LABELS])
    rows = [line.split("\t") for line in path.read_text("utf-8").splitlines()]
    gold = np.array([strong[[int(number) for number in numbers.split(",")]].any(axis=0) for _, _, numbers in rows])
    has = gold.any(axis=1)
    return [text for (_, text, _), kept in zip(rows, has, strict=True) if kept], gold[has]


def morphemes(texts: list[str]) -> list[list[str]]:
    found = []
    for number, tokens in enumerate(kiwi().tokenize(iter(texts)), start=1):
        found.append([f"{token.form}/{token.tag.partition('-')[0]}" for token in tokens])
        if number % 100_000 == 0:
            print(f"{number} texts analysed", file=sys.stderr)
    return found


def with_pairs(sentence: list[str]) -> list[str]:
    return [*sentence, *(f"{one} {other}" for one, other in pairwise(sentence))]


def learn(sentences: list[list[str]]) -> tuple[dict[str, int], np.ndarray, np.ndarray]:
    """Return the rows of words, their vectors and how rare each is."""
    seen = Counter(word for sentence in sentences for word in sentence)
    rows = {word: row for row, word in enumerate(word for word, count in seen.most_common() if count >= RAREST)}
    flat = np.concatenate(
        [np.array([*(rows.get(word, -1) for word in sentence), *[-1] * WINDOW]) for sentence in sentences]
    )
    near = csr_matrix((len(rows), len(rows)), dtype=np.float32)
    for distance in range(1, WINDOW + 1):
        one, other = flat[:-distance], flat[distance:]
        both = (one >= 0) & (other >= 0)
        share = np.full(both.sum(), 1 / distance, np.float32)
        near += coo_matrix((share, (one[both], other[both])), shape=near.shape).tocsr()
    near = (near + near.T).tocoo()
    total = np.asarray(near.tocsr().sum(axis=1)).ravel()
    context = total**0.75 / (total**0.75).sum()
    likelier = np.log(near.data / (total[near.row] * context[near.col]))
    kept = likelier > 0
    positive = csr_matrix((likelier[kept].astype(np.float32), (near.row[kept], near.col[kept])), shape=near.shape)
    left, strength, _ = randomized_svd(positive, n_components=DIMENSIONS, random_state=0, n_iter=4)
    vectors = left * np.sqrt(strength)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True) + 1e-9
    rarity = np.array([1e-3 / (1e-3 + seen[word] / len(sentences)) for word in rows])
    return rows, vectors, rarity


def means(sentences: list[list[str]], rows: dict[str, int], vectors: np.ndarray, rarity: np.ndarray) -> np.ndarray:
    """Return the mean vector of each text, rare words counting more (SIF, Arora et al. 2017), scaled by `SHARE`."""
    mean = np.zeros((len(sentences), DIMENSIONS))
    for number, sentence in enumerate(sentences):
        if known := [rows[word] for word in sentence if word in rows]:
            mean[number] = np.average(vectors[known], axis=0, weights=rarity[known])
    return SHARE * mean / (mean.std(axis=0) + 1e-9)


def predict(texts: list[str], words: list[list[str]], gold: np.ndarray, vectors: np.ndarray | None) -> np.ndarray:
    """Return the chance of each label, each comment read by what was learnt from the other folds."""
    folds = np.random.default_rng(0).integers(0, FOLDS, len(texts))
    chances = np.zeros(gold.shape)
    for fold in range(FOLDS):
        inside, outside = folds != fold, folds == fold
        sides = []
        for vectorizer, written in (
            (TfidfVectorizer(analyzer="char_wb", ngram_range=(1, 4), min_df=2, sublinear_tf=True), texts),
            (TfidfVectorizer(analyzer=with_pairs, min_df=2, sublinear_tf=True), words),
        ):
            vectorizer.fit([text for text, taken in zip(written, inside, strict=True) if taken])
            sides.append(vectorizer.transform(written))
        features = hstack([*sides, csr_matrix(vectors)] if vectors is not None else sides).tocsr()
        for label in range(len(LABELS)):
            model = LogisticRegression(C=INVERSE_L2, solver="liblinear", max_iter=200)
            model.fit(features[inside], gold[inside, label])
            chances[outside, label] = model.predict_proba(features[outside])[:, 1]
    return chances


def hit(chances: np.ndarray, gold: np.ndarray) -> float:
    return round(float(gold[np.arange(len(gold)), chances.argmax(axis=1)].mean()), 4)


if __name__ == "__main__":
    main()
