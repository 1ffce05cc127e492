"""Makes int8 files for CPUs of a model, and lets them pass only when they say what the model in float32 says.

    python -m inference_server export jhgan/ko-sroberta-multitask models/encoder-int8 --task embedding

Encoders and classifiers become ONNX, quantised dynamically and per channel; a tone model becomes CTranslate2's. Name
the folder that comes of it in MENTOS_MODELS__EMOTION, __TONE or __EMBEDDING: what serves it needs no torch.
"""

import argparse
import json
import shutil
import sys
import tempfile
import warnings
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from inference_server.bart import STYLES, BartTone, search_of
from inference_server.electra import ElectraEmotion
from inference_server.encoder import Encoder, modules_of, unit
from inference_server.models import (
    CONVERTED,
    Folder,
    Models,
    ModelUnavailable,
    NotFinite,
    Task,
    digests,
    library,
    sha256_of,
)
from inference_server.transformer import OUTPUT, Numbers, load, tokenizer_of

Figures = Mapping[str, float]

SENTENCES = Path(__file__).with_name("sentences_ko.txt")
FEWEST = 200
"""Different sentences that a gate must be asked with: with fewer, 99 of 100 says little."""
_OPSET = 17
_ORDERS, _BETA = 6, 2.0


class Refused(Exception):
    """A converted model is too far from its source; says how far, and nothing of it was kept."""


@dataclass(frozen=True, slots=True)
class Gate:
    """What is asked of a model and of what came of it, how alike the answers are and must be."""

    measure: str
    least: float
    ask: Callable[[Folder, Sequence[str], int], Any]
    likeness: Callable[[Any, Any], float]


def export(
    folder: Folder,
    out: Path,
    *,
    task: Task,
    sentences: Sequence[str] | None = None,
    threads: int = 2,
    say: Callable[[str], object] = lambda line: None,
) -> Figures:
    """Convert a model to `out`, which must not exist yet, and return the gate's figures.

    `say` is told of each step. Raises `Refused` below the gate, `ModelUnavailable` for a source that is none,
    and ValueError for an `out` that exists or too few sentences. Whatever is raised, nothing is left behind.
    """
    asked = list(dict.fromkeys(sentences or SENTENCES.read_text("utf-8").splitlines()))
    if len(asked) < FEWEST:
        raise ValueError(f"{len(asked)} different sentences are too few to judge by; give at least {FEWEST}")
    if out.exists():
        raise ValueError(f"{out} is there already; remove it, or name another folder")
    if folder.runtime != "torch":
        raise ModelUnavailable(f"{folder.path} was converted already; name the folder it was made from")

    out.parent.mkdir(parents=True, exist_ok=True)
    gate = GATES[task]
    with tempfile.TemporaryDirectory(prefix=f".{out.name}-", dir=out.parent) as beside:
        made = Path(beside) / "made"
        say(f"1/4 {folder.name}: asking it {len(asked)} sentences")
        wanted = gate.ask(folder, asked, threads)
        say(f"2/4 {folder.name}: converting it")
        converted = (_to_ct2 if task == "tone" else _to_onnx)(folder, made, task)
        say(f"3/4 {folder.name}: asking what came of it the same")
        reached = _reached(gate, converted, asked, wanted, threads)
        say(f"4/4 {folder.name}: {gate.measure} {reached:.4g}, and {gate.least:g} is asked; writing {out}")
        figures = {"sentences": float(len(asked)), gate.measure: reached}
        _sign(folder, made, task=task, runtime=converted.runtime, figures=figures)
        made.rename(out)
    return figures


def export_command(argv: Sequence[str]) -> int:
    """`python -m inference_server export SOURCE OUT --task TASK [--sentences FILE]`. Returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m inference_server export", description="Convert a model to int8 for CPUs, if it stays the same."
    )
    parser.add_argument("source", help="a folder, or a pinned name of the hub")
    parser.add_argument("out", type=Path, help="the folder to make")
    parser.add_argument("--task", required=True, choices=get_args(Task))
    parser.add_argument("--sentences", type=Path, help=f"other sentences to judge by, one a line, at least {FEWEST}")
    asked = parser.parse_args(argv)
    models = Models(runtime="torch")
    try:
        export(
            models.folder_of(asked.source),
            asked.out,
            task=asked.task,
            sentences=asked.sentences and asked.sentences.read_text("utf-8").splitlines(),
            threads=models.threads,
            say=lambda line: sys.stderr.write(f"{line}\n"),
        )
    except (ModelUnavailable, Refused, ValueError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def chrf(said: Sequence[str], wanted: Sequence[str]) -> float:
    """Return chrF2 over a corpus, 0 to 100: character 1- to 6-grams without blanks (Popović 2015, "chrF").

    Precision and recall are averaged over the orders that occur, and recall counts double. 0 when nothing is said.
    """
    rates = []
    for order in range(1, _ORDERS + 1):
        pairs = [(_grams(mine, order), _grams(theirs, order)) for mine, theirs in zip(said, wanted, strict=True)]
        have, want = sum(mine.total() for mine, _ in pairs), sum(theirs.total() for _, theirs in pairs)
        if have and want:
            both = sum((mine & theirs).total() for mine, theirs in pairs)
            rates.append((both / have, both / want))
    precision, recall = (sum(rate) / len(rates) for rate in zip(*rates, strict=True)) if rates else (0.0, 0.0)
    weighed = _BETA**2 * precision + recall
    return 100 * (1 + _BETA**2) * precision * recall / weighed if weighed else 0.0


def _grams(text: str, order: int) -> Counter[str]:
    packed = "".join(text.split())
    return Counter(packed[start : start + order] for start in range(len(packed) - order + 1))


def _to_onnx(folder: Folder, made: Path, task: Task) -> Folder:
    torch, quantization = library("torch"), library("onnxruntime.quantization")
    library("onnx")
    kind = "AutoModelForSequenceClassification" if task == "emotion" else "AutoModel"
    model = load(folder, kind, attn_implementation="eager")

    class FirstOutput(torch.nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, ids: object, mask: object) -> object:
            return self.model(input_ids=ids, attention_mask=mask, return_dict=False)[0]

    ids = torch.ones((2, 16), dtype=torch.int64)
    names = ["input_ids", "attention_mask"]

    made.mkdir()
    large = made.with_name("float32") / "model.onnx"
    large.parent.mkdir()
    with warnings.catch_warnings():
        # The tracer warns of every Python number it sees; the gate finds out whether one of them mattered.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            FirstOutput().eval(),
            (ids, torch.ones_like(ids)),
            str(large),
            dynamo=False,
            opset_version=_OPSET,
            input_names=names,
            output_names=[OUTPUT],
            dynamic_axes={name: {0: "texts", 1: "tokens"} for name in names} | {OUTPUT: {0: "texts"}},
        )
    quantization.quantize_dynamic(
        large, made / "model.onnx", per_channel=True, weight_type=quantization.QuantType.QInt8
    )
    tokenizer_of(folder).save(str(made / "tokenizer.json"))
    for name in ("config.json", "modules.json", "sentence_bert_config.json"):
        if (folder.path / name).exists():
            shutil.copyfile(folder.path / name, made / name)
    if task == "embedding":
        place = modules_of(folder)["Pooling"]
        (made / place).mkdir(parents=True)
        shutil.copyfile(folder.path / place / "config.json", made / place / "config.json")
    return Folder(made, folder.name, folder.revision, "onnx", folder.config)


def _to_ct2(folder: Folder, made: Path, task: Task) -> Folder:
    source = made.with_name("source")
    source.mkdir()
    for file in folder.path.iterdir():
        if file.is_file() and file.name != "config.json":
            (source / file.name).symlink_to(file.resolve())
    # What transformers 5 no longer writes for BART, and CTranslate2 4.8 reads.
    older = {"normalize_before": False, "normalize_embedding": True, "add_final_layer_norm": False}
    older |= {"add_bias_logits": False, "static_position_embeddings": False}
    _write(source / "config.json", older | dict(folder.config))

    library("transformers")
    library("ctranslate2.converters").TransformersConverter(str(source)).convert(str(made), quantization="int8")
    tokenizer_of(folder).save(str(made / "tokenizer.json"))
    search = search_of(folder)
    _write(
        made / "generation_config.json",
        {
            "num_beams": search.beams,
            "length_penalty": search.length_penalty,
            "no_repeat_ngram_size": search.no_repeat,
            "eos_token_id": search.end,
            "pad_token_id": search.pad,
        },
    )
    return Folder(made, folder.name, folder.revision, "ct2", {})


def _reached(gate: Gate, converted: Folder, sentences: Sequence[str], wanted: object, threads: int) -> float:
    """Return how alike the answers are. Raises `Refused` where that is not enough, or where there are none."""
    try:
        reached = gate.likeness(gate.ask(converted, sentences, threads), wanted)
    except (NotFinite, ModelUnavailable) as error:
        raise Refused(f"the int8 model does not work: {error}; nothing was kept") from error
    if not reached >= gate.least:
        raise Refused(
            f"the int8 model reaches {gate.measure} {reached:.4g} on {len(sentences)} sentences, and {gate.least:g} is"
            " asked; nothing was kept: serve the source by torch"
        )
    return reached


def _labels(folder: Folder, sentences: Sequence[str], threads: int) -> list[str]:
    rankings = ElectraEmotion(folder, device="cpu", threads=threads).read(sentences)
    return [ranking.scores[0][0] for ranking in rankings]


def _agreement(labels: Sequence[str], wanted: Sequence[str]) -> float:
    return sum(mine == theirs for mine, theirs in zip(labels, wanted, strict=True)) / len(wanted)


def _drafts(folder: Folder, sentences: Sequence[str], threads: int) -> list[str]:
    """Return what the model says, each style in its turn, before the unsafe is taken back: that would look alike."""
    tone = BartTone(folder, device="cpu", threads=threads)
    styles = list(dict.fromkeys(STYLES.values()))
    return [
        draft or ""
        for offset, style in enumerate(styles)
        for draft in tone.write(sentences[offset :: len(styles)], style)
    ]


def _speech(said: Sequence[str], wanted: Sequence[str]) -> float:
    """Return chrF, or 0 where the source says nothing to half of the sentences: silence is alike by itself."""
    return chrf(said, wanted) if 2 * sum(map(bool, wanted)) > len(wanted) else 0.0


def _vectors(folder: Folder, sentences: Sequence[str], threads: int) -> Numbers:
    return Encoder(folder, device="cpu", threads=threads).embed(sentences)


def _cosine(vectors: Numbers, wanted: Numbers) -> float:
    """Return the mean cosine about the mean of `wanted`: vectors that all point one way are alike without saying so."""
    mean = wanted.mean(axis=0)
    return float((unit(vectors - mean) * unit(wanted - mean)).sum(axis=1).mean())


GATES: Mapping[Task, Gate] = {
    "emotion": Gate("agreement", 0.99, _labels, _agreement),
    "tone": Gate("chrf", 90.0, _drafts, _speech),
    "embedding": Gate("centred cosine", 0.99, _vectors, _cosine),
}
"""Agreement of the first label, chrF (0 to 100) of what is said, mean centred cosine: each of int8 against float32."""


def _sign(folder: Folder, made: Path, *, task: Task, runtime: str, figures: Figures) -> None:
    weights = {name: digest for name, digest in digests(folder.path).items() if name.endswith(".safetensors")}
    files = sorted(file for file in made.rglob("*") if file.is_file())
    _write(
        made / CONVERTED,
        {
            "source": folder.name,
            "revision": folder.revision,
            "sha256": weights,
            "task": task,
            "runtime": runtime,
            "figures": dict(figures),
            "files": {file.relative_to(made).as_posix(): sha256_of(file) for file in files},
        },
    )


def _write(file: Path, value: Mapping[str, object]) -> None:
    file.write_text(json.dumps(value, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
