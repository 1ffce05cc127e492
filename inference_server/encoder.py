"""What a sentence means, as a vector of unit length: sentence encoders as sentence-transformers saves them."""

import json
from collections.abc import Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt

from inference_server.models import Folder, ModelUnavailable, NotFinite, read_json
from inference_server.transformer import Numbers, Transformer

LONGEST = 512
"""Tokens that are read of a text at most, whatever more the model could take; a remembered turn has about 40."""
_SHORTEST = 8

Pooling = Literal["mean", "cls"]


class Encoder:
    """Embeds texts, by torch or ONNX Runtime as the folder was made for.

    Vectors are told apart by `name`. A converted model bears the name of its source, because `export` lets none pass
    whose vectors are not the source's.
    """

    def __init__(self, folder: Folder, *, device: str = "auto", threads: int = 2) -> None:
        """Raises `ModelUnavailable`, also for modules other than a transformer, mean or CLS pooling, and length."""
        self.folder = folder
        self.name = folder.name
        self._model = Transformer(folder, "AutoModel", longest=_longest(folder), device=device, threads=threads)
        self._pooling = _pooling(folder)
        self.size = int(folder.config.get("hidden_size") or 0)
        if not self.size:
            raise ModelUnavailable(f"{folder.path} does not say its hidden_size; name a BERT, RoBERTa or XLM-R")

    def embed(self, texts: Sequence[str]) -> Numbers:
        """Return a float32 array (texts x size), each row of length 1.

        Raises `NotFinite` for all when the vector of one is not finite: asked again one by one, the others are given.
        """
        vectors = np.empty((len(texts), self.size), dtype=np.float32)
        for which, states, mask in self._model.batches(texts):
            vectors[which] = unit(_pooled(states, mask, self._pooling))
        return vectors


def _pooling(folder: Folder) -> Pooling:
    """Return how the folder's modules make one vector of many. Raises `ModelUnavailable` for a way that is not ours."""
    file, modules = folder.path / "modules.json", modules_of(folder)
    others = [kind for kind in modules if kind not in {"Transformer", "Pooling", "Normalize"}]
    if others or "Pooling" not in modules:
        raise ModelUnavailable(
            f"{file} names {others or list(modules)}; name a model with a transformer and mean or CLS pooling alone"
        )
    config = read_json(folder.path / modules["Pooling"] / "config.json")
    ways = {way.removeprefix("pooling_mode_") for way, on in config.items() if way.startswith("pooling_mode_") and on}
    ways |= {str(config["pooling_mode"])} if "pooling_mode" in config else set()
    if ways in ({"mean_tokens"}, {"mean"}):
        return "mean"
    if ways in ({"cls_token"}, {"cls"}):
        return "cls"
    raise ModelUnavailable(f"{file} pools by {sorted(ways)}; name a model with mean or CLS pooling")


def modules_of(folder: Folder) -> dict[str, str]:
    """Return the folder of each module by the last word of its class, in order."""
    file = folder.path / "modules.json"
    try:
        listed = json.loads(file.read_text("utf-8"))
        return {str(module["type"]).rpartition(".")[2]: str(module["path"]) for module in listed}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelUnavailable(
            f"{file} cannot be read ({type(error).__name__}); name a folder that sentence-transformers has saved"
        ) from error


def _longest(folder: Folder) -> int:
    """Return how many tokens are read of a text. Raises `ModelUnavailable` where that is hardly a word."""
    file = folder.path / "sentence_bert_config.json"
    own = read_json(file).get("max_seq_length") if file.exists() else None
    positions = int(folder.config.get("max_position_embeddings") or LONGEST)
    if folder.config.get("model_type") in {"roberta", "xlm-roberta", "camembert", "mpnet"}:
        positions -= int(folder.config.get("pad_token_id") or 0) + 1  # theirs begin behind that of the padding
    longest = min(int(own or LONGEST), positions, LONGEST)
    if longest < _SHORTEST:
        raise ModelUnavailable(f"{folder.path} reads {longest} tokens of a text; see max_seq_length in {file.name}")
    return longest


def _pooled(states: Numbers, mask: npt.NDArray[np.int64], pooling: Pooling) -> Numbers:
    if pooling == "cls":
        return states[:, 0]
    weights = mask[:, :, None].astype(np.float32)
    return np.asarray((states * weights).sum(axis=1) / weights.sum(axis=1), dtype=np.float32)


def unit(vectors: Numbers) -> Numbers:
    """Return the rows at length 1. Raises `NotFinite` for one without a direction."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    if not (lengths > 0).all():
        raise NotFinite("the model gave a vector without a direction")
    return np.asarray(vectors / lengths, dtype=np.float32)
