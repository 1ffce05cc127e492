"""Models that cannot be loaded: one sentence says so without a trace, and what is embedded answers."""

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from inference_server.engines import open_engines
from inference_server.models import Models, Task, sha256_of

for needed in ("torch", "transformers", "onnx", "onnxruntime", "ctranslate2"):
    pytest.importorskip(needed, reason=f"no {needed}: these load transformer models (pip install 'mentos[models]')")

import transformers  # noqa: E402

from inference_server.export import export  # noqa: E402
from inference_server.models import Folder  # noqa: E402
from tests.models import tiny  # noqa: E402

Spoil = Callable[[Path], object]


def changed(file: str, **values: object) -> Spoil:
    return lambda folder: tiny.changed(folder, file, **values)


def replaced(file: str, text: str) -> Spoil:
    return lambda folder: (folder / file).write_text(text, "utf-8")


def cut_off(folder: Path) -> None:
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1000])


def dangling(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors").symlink_to(folder / "gone")


def a_folder(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors").mkdir()


def of_another_version(folder: Path) -> None:
    pieces = json.loads((folder / "tokenizer.json").read_text("utf-8"))
    pieces["model"]["type"] = "Future"
    (folder / "tokenizer.json").write_text(json.dumps(pieces), "utf-8")


def with_a_token_too_many(folder: Path) -> None:
    pieces = json.loads((folder / "tokenizer.json").read_text("utf-8"))
    pieces["model"]["vocab"]["비밀"] = len(pieces["model"]["vocab"]) + 50
    (folder / "tokenizer.json").write_text(json.dumps(pieces, ensure_ascii=False), "utf-8")


def with_few_positions(folder: Path) -> None:
    kind = transformers.ElectraForSequenceClassification
    kind.from_pretrained(folder, max_position_embeddings=64, ignore_mismatched_sizes=True).save_pretrained(folder)


SOURCES: list[tuple[Task, Spoil]] = [
    ("emotion", cut_off),
    ("emotion", dangling),
    ("emotion", a_folder),
    ("emotion", of_another_version),
    ("emotion", with_a_token_too_many),
    ("tone", with_a_token_too_many),
    ("emotion", with_few_positions),
    ("emotion", replaced("tokenizer.json", "")),
    ("emotion", replaced("special_tokens_map.json", '{"unk_token": 3}')),
    ("emotion", replaced("added_tokens.json", '{"a": "b"}')),
    ("emotion", changed("config.json", id2label=None)),
    ("emotion", changed("config.json", id2label=["a", "b"])),
    ("emotion", changed("config.json", id2label={"LABEL_0": "x"})),
    ("emotion", changed("config.json", hidden_size="abc")),
    ("emotion", changed("config.json", hidden_size=32)),
    ("emotion", changed("config.json", quantization_config={"quant_method": "gptq", "bits": 4})),
    ("emotion", changed("config.json", attn_implementation="flash_attention_2")),
    ("emotion", changed("config.json", max_position_embeddings=1)),
    ("embedding", changed("sentence_bert_config.json", max_seq_length="x")),
    ("embedding", changed("sentence_bert_config.json", max_seq_length=-5)),
    ("embedding", changed("config.json", hidden_size=[64])),
    ("tone", changed("config.json", d_model=32)),
    ("tone", changed("generation_config.json", num_beams=-2)),
]


@pytest.fixture(scope="module")
def sources(electra_folder: Path, bart_folder: Path, encoder_folder: Path) -> Mapping[Task, Path]:
    return {"emotion": electra_folder, "tone": bart_folder, "embedding": encoder_folder}


def why_not(task: Task, folder: Path) -> str:
    """Open a model, and return the one sentence that says why it is not at work."""
    engines = open_engines(Models.model_construct(None, **{task: str(folder)}, device="cpu", threads=1))
    [why] = engines.missing
    assert engines.about[task].name.startswith("embedded-")
    assert why.startswith(f"The {task} model {folder} is not at work, ")
    assert why.endswith(".")
    assert "\n" not in why
    return why


@pytest.mark.parametrize(("task", "spoil"), SOURCES)
def test_a_source_that_cannot_be_loaded_is_replaced(
    sources: Mapping[Task, Path], tmp_path: Path, task: Task, spoil: Spoil
) -> None:
    folder = Path(shutil.copytree(sources[task], tmp_path / "spoilt"))
    spoil(folder)

    why_not(task, folder)


@pytest.mark.parametrize("hash_", [3, None, ["a"], "0" * 64])
def test_a_converted_model_whose_hash_is_no_hash_is_replaced(tmp_path: Path, hash_: object) -> None:
    folder = tmp_path / "made"
    folder.mkdir()
    tiny.changed(folder, "config.json")
    tiny.changed(folder, "mentos.json", runtime="onnx", files={"config.json": hash_})

    why_not("emotion", folder)


@pytest.mark.parametrize(("task", "file"), [("emotion", "model.onnx"), ("tone", "model.bin")])
def test_a_converted_model_that_its_runtime_cannot_open_is_replaced(
    sources: Mapping[Task, Path], tmp_path: Path, task: Task, file: str
) -> None:
    folder = tmp_path / "made"
    export(Folder.at(sources[task]), folder, task=task, threads=1)
    (folder / file).write_bytes(b"made by another version")
    made = json.loads((folder / "mentos.json").read_text("utf-8"))
    tiny.changed(folder, "mentos.json", files=made["files"] | {file: sha256_of(folder / file)})

    assert "export it again" in why_not(task, folder)
