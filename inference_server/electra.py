"""What a text seems to feel, read by KcELECTRA: the eleven labels of `nlp04/korean_sentiment_analysis_kcelectra`."""

import re
from collections.abc import Sequence

import numpy as np

from inference_server.emotion import LABELS, Ranking, softmax
from inference_server.models import Folder, ModelUnavailable
from inference_server.transformer import Numbers, Transformer

LONGEST = 128
"""Tokens that are read of a text, special ones among them: 64 from its beginning and 64 from its end."""

# Below a half the other ten labels together are likelier than the first, and a guess that is wrong more often than
# right should not be named. The model knows Korean only: on emoji or English it is sure of things it cannot know.
_SURE = 0.5
_HANGUL = re.compile("[가-힣]")


class ElectraEmotion:
    """Reads emotions with an ELECTRA classifier, by torch or ONNX Runtime as the folder was made for."""

    labels = LABELS

    def __init__(self, folder: Folder, *, device: str = "auto", threads: int = 2) -> None:
        """Raises `ModelUnavailable`, also for a model with other labels or one whose numbers are not finite."""
        self.folder = folder
        self._label_of = _labels(folder)
        self._model = Transformer(
            folder, "AutoModelForSequenceClassification", longest=LONGEST, device=device, threads=threads
        )

    def read(self, texts: Sequence[str]) -> list[Ranking]:
        """Rank the labels for each text.

        Raises `NotFinite` for all when the logits of one are not finite: asked again one by one, the others are read.
        """
        rankings: dict[int, Ranking] = {}
        for which, logits, _ in self._model.batches(texts):
            rankings |= {index: self._rank(texts[index], row) for index, row in zip(which, logits, strict=True)}
        return [rankings[index] for index in range(len(texts))]

    def _rank(self, text: str, logits: Numbers) -> Ranking:
        chances = softmax(logits)
        order = np.argsort(-chances, kind="stable")
        return Ranking(
            scores=tuple((self._label_of[i], float(chances[i])) for i in order),
            is_confident=bool(chances[order[0]] >= _SURE and _HANGUL.search(text)),
        )


def _labels(folder: Folder) -> tuple[str, ...]:
    """Return the label of each logit, spelled exactly as ours. Raises `ModelUnavailable` naming what differs."""
    named = {int(index): str(label) for index, label in folder.config.get("id2label", {}).items()}
    labels = tuple(named[index] for index in sorted(named))
    if sorted(labels) != sorted(LABELS):
        raise ModelUnavailable(
            f"{folder.path} has other labels: it lacks {sorted(set(LABELS) - set(labels))} and adds"
            f" {sorted(set(labels) - set(LABELS))}; name a model with the labels of {LABELS!r}"
        )
    return labels
