import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from inference_server.models import SHIPPED, Folder, Models, ModelUnavailable, library, pin_command, pinned, read_pins
from tests.models.hub import COMMIT, hub

NAME = "someone/small-model"


def safetensors(numbers: int = 8) -> bytes:
    """Return a file of that many float32 zeros: the length of the header, the header, the numbers."""
    header = json.dumps({"w": {"dtype": "F32", "shape": [numbers], "data_offsets": [0, 4 * numbers]}}).encode()
    return len(header).to_bytes(8, "little") + header + bytes(4 * numbers)


FILES: Mapping[str, bytes] = {
    "config.json": b'{"model_type": "electra"}',
    "model.safetensors": safetensors(),
    "1_Pooling/config.json": b"{}",
}


def written(folder: Path, files: Mapping[str, bytes] = FILES) -> Path:
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a `.env` nor variables of whoever runs this are read."""
    monkeypatch.chdir(tmp_path)
    for variable in [name for name in os.environ if name.startswith("MENTOS_MODELS__")]:
        monkeypatch.delenv(variable)


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """A folder that a pinned model was downloaded to."""
    return written(tmp_path / "models" / NAME)


@pytest.fixture
def models(tmp_path: Path, kept: Path) -> Models:
    pins = tmp_path / "pins.toml"
    pins.write_text(pinned(NAME, revision=COMMIT, folder=kept), encoding="utf-8")
    return Models(folder=tmp_path / "models", pins=pins, offline=True)


def test_what_is_configured_is_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (Models().emotion, Models().tone, Models().embedding, Models().offline) == (None, None, None, False)

    for name, value in {"EMOTION": NAME, "FOLDER": "/models", "OFFLINE": "1", "DEVICE": "cpu", "THREADS": "4"}.items():
        monkeypatch.setenv(f"MENTOS_MODELS__{name}", value)
    models = Models()

    assert (models.emotion, models.folder, models.offline) == (NAME, Path("/models"), True)
    assert (models.device, models.threads, models.runtime) == ("cpu", 4, "auto")


def test_a_local_folder_is_taken_as_it_is(tmp_path: Path) -> None:
    folder = Models().folder_of(str(written(tmp_path / "mine")))

    assert (folder.path, folder.name, folder.revision, folder.runtime) == (tmp_path / "mine", "mine", None, "torch")
    assert folder.config == {"model_type": "electra"}


@pytest.mark.parametrize("name", ["nowhere", "./nowhere", "/no/such/folder", "../a/b", "a/b/c"])
def test_a_folder_that_is_not_there_is_named(name: str) -> None:
    with pytest.raises(ModelUnavailable, match="there is no folder"):
        Models().folder_of(name)


def test_the_four_models_are_known_and_none_is_loaded_before_somebody_pins_it() -> None:
    known = read_pins(SHIPPED)

    assert set(known) == {
        "nlp04/korean_sentiment_analysis_kcelectra",
        "KoJLabs/bart-speech-style-converter",
        "jhgan/ko-sroberta-multitask",
        "BAAI/bge-m3",
    }
    for name in [name for name, pin in known.items() if not pin.revision] + ["someone/else"]:
        with pytest.raises(ModelUnavailable, match=f"run `python -m inference_server pin {name}`"):
            Models().folder_of(name)


def test_a_pinned_model_is_found_in_the_folder_of_downloads(models: Models, kept: Path) -> None:
    folder = models.folder_of(NAME)

    assert (folder.path, folder.name, folder.revision) == (kept, NAME, COMMIT)


def test_a_folder_here_does_not_stand_in_for_a_pinned_name(models: Models, kept: Path, tmp_path: Path) -> None:
    written(tmp_path / NAME)

    assert models.folder_of(NAME).path == kept


def test_a_file_that_differs_from_its_pin_is_refused(models: Models, kept: Path) -> None:
    (kept / "1_Pooling" / "config.json").write_text("[]")

    with pytest.raises(ModelUnavailable, match=r"1_Pooling/config\.json is not the file that was pinned"):
        models.folder_of(NAME)


def test_a_file_that_no_pin_names_is_refused_and_one_that_is_never_read_is_not(models: Models, kept: Path) -> None:
    (kept / "README.md").write_text("")
    (kept / "pytorch_model.bin").write_bytes(b"")
    assert models.folder_of(NAME).path == kept

    (kept / "added_tokens.json").write_text("{}")
    with pytest.raises(ModelUnavailable, match=r"added_tokens\.json, which the pin"):
        models.folder_of(NAME)


def test_a_folder_of_pickles_is_refused(tmp_path: Path) -> None:
    folder = written(tmp_path / "old", {"config.json": b"{}", "pytorch_model.bin": b"\x80\x04."})

    with pytest.raises(ModelUnavailable, match="holds no safetensors"):
        Folder.at(folder)


@pytest.mark.parametrize("file", ["config.json", "tokenizer_config.json"])
def test_a_model_with_code_of_its_own_is_refused(tmp_path: Path, file: str) -> None:
    folder = written(tmp_path / "clever", {**FILES, file: b'{"auto_map": {"AutoModel": "modeling_mine.Mine"}}'})

    with pytest.raises(ModelUnavailable, match="asks for code of its own"):
        Folder.at(folder)


@pytest.mark.parametrize(
    "parts",
    [
        {"a": "model.safetensors", "b": "model-2.bin"},
        {"a": "model.safetensors", "b": "../model.safetensors"},
        {"a": "1_Pooling/model.safetensors"},
        {"a": "gone.safetensors"},
        {"a": ["model.safetensors"]},
        ["model.safetensors"],
        None,
    ],
)
def test_an_index_may_name_no_weights_but_the_safetensors_beside_it(tmp_path: Path, parts: object) -> None:
    files = {**FILES, "1_Pooling/model.safetensors": safetensors(), "model-2.bin": b"\x80\x04."}
    folder = written(tmp_path / "parts", files)
    index = folder / "model.safetensors.index.json"
    index.write_text('{"weight_map": {"w": "model.safetensors"}}')
    assert Folder.at(folder).runtime == "torch"

    index.write_text(json.dumps({"weight_map": parts}))
    with pytest.raises(ModelUnavailable, match=r"index\.json names weights that are no safetensors beside it"):
        Folder.at(folder)


@pytest.mark.parametrize(
    ("file", "written_there"),
    [
        ("config.json", b'{"transformers_weights": ".w/model.safetensors"}'),
        ("adapter_config.json", b'{"base_model_name_or_path": "../other"}'),
    ],
)
def test_a_model_whose_weights_lie_where_no_pin_reaches_is_refused(
    tmp_path: Path, file: str, written_there: bytes
) -> None:
    folder = written(tmp_path / "hidden", {**FILES, file: written_there, ".w/model.safetensors": safetensors()})

    with pytest.raises(ModelUnavailable, match="has its weights elsewhere"):
        Folder.at(folder)


@pytest.mark.parametrize("config", [b"", b"{", b"[]", b"\xff\xfe"])
def test_a_config_that_is_none_is_refused(tmp_path: Path, config: bytes) -> None:
    with pytest.raises(ModelUnavailable, match=r"config\.json"):
        Folder.at(written(tmp_path / "odd", {**FILES, "config.json": config}))


def test_a_converted_folder_that_export_did_not_write_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match=r"mentos\.json is not as export writes it"):
        Folder.at(written(tmp_path / "odd", {"config.json": b"{}", "mentos.json": b"{}"}))


def test_a_folder_for_another_runtime_than_the_one_insisted_on_is_refused(tmp_path: Path) -> None:
    made = b'{"source": "a/b", "revision": null, "runtime": "onnx", "files": {}}'
    converted = written(tmp_path / "int8", {"config.json": b"{}", "mentos.json": made})
    source = written(tmp_path / "float32")

    assert Models(runtime="converted").folder_of(str(converted)).runtime == "onnx"
    assert Models(runtime="torch").folder_of(str(source)).runtime == "torch"
    with pytest.raises(ModelUnavailable, match="inference_server export"):
        Models(runtime="converted").folder_of(str(source))
    with pytest.raises(ModelUnavailable, match="MENTOS_MODELS__RUNTIME is torch"):
        Models(runtime="torch").folder_of(str(converted))


@pytest.mark.parametrize("pins", ["[", '["a/b"]\nrevision = "c"', "a = 1", '["a/b"]\nrevision = "c"\nsha256 = 3'])
def test_pins_that_cannot_be_read_are_named(tmp_path: Path, pins: str) -> None:
    (tmp_path / "pins.toml").write_text(pins)

    with pytest.raises(ModelUnavailable, match=r"pins\.toml cannot be read"):
        Models(pins=tmp_path / "pins.toml").folder_of(NAME)


def test_a_library_that_is_missing_is_named_with_the_extra_that_brings_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.setitem(sys.modules, "ctranslate2", None)

    with pytest.raises(ModelUnavailable, match=r"torch is not installed; run `pip install 'mentos\[models\]'`"):
        library("torch")
    with pytest.raises(ModelUnavailable, match=r"mentos\[runtimes\]"):
        library("ctranslate2")


def test_offline_a_model_that_is_not_here_is_asked_for_by_the_command_that_brings_it(
    models: Models, kept: Path, tmp_path: Path
) -> None:
    (kept / "model.safetensors").unlink()
    with pytest.raises(ModelUnavailable, match=r"lacks model\.safetensors"):
        models.folder_of(NAME)

    elsewhere = models.model_copy(update={"folder": tmp_path / "empty"})
    with pytest.raises(ModelUnavailable, match=f"offline switch is on.*hf download {NAME} --revision {COMMIT}"):
        elsewhere.folder_of(NAME)


def test_a_pin_holds_the_hash_of_every_file_that_is_read(kept: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (kept / "README.md").write_text("")
    (kept / ".cache").mkdir()
    (kept / ".cache" / "download.json").write_text("{}")

    assert pin_command([NAME, "--folder", str(kept), "--revision", COMMIT]) == 0
    Path("pins.toml").write_text(capsys.readouterr().out, encoding="utf-8")
    pin = read_pins(Path("pins.toml"))[NAME]
    assert pin.revision == COMMIT
    assert set(pin.sha256) == set(FILES)


def test_a_folder_of_the_hubs_cache_names_its_own_revision(tmp_path: Path) -> None:
    folder = written(tmp_path / "snapshots" / COMMIT)

    assert f'revision = "{COMMIT}"' in pinned(NAME, folder=folder)


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        ([NAME, "--folder", "mine"], "say it by --revision"),
        ([NAME, "--folder", "mine", "--revision", "main"], "say it by --revision"),
        (["no-owner", "--folder", "mine"], "write owner/name"),
        ([NAME, "--folder", "nowhere", "--revision", COMMIT], "config.json cannot be read"),
    ],
)
def test_what_cannot_be_pinned_is_said_in_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], asked: list[str], answer: str
) -> None:
    written(tmp_path / "mine")

    assert pin_command(asked) == 1
    assert answer in capsys.readouterr().err


def asked_of(address: str, home: Path, code: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Run code in a process of its own, whose hub is at an address: huggingface_hub reads that when it is imported."""
    return subprocess.run(
        [sys.executable, "-c", code],
        env={
            **{name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")},
            "HF_ENDPOINT": address,
            "HF_HOME": str(home),
            "PYTHONPATH": str(Path(__file__).parents[2]),
            **environment,
        },
        capture_output=True,
        text=True,
        timeout=120,
    )


PIN = f"import sys; from inference_server.models import pin_command; sys.exit(pin_command([{NAME!r}]))"
FIND = f"""
from inference_server.models import Models, ModelUnavailable
try:
    print(Models().folder_of({NAME!r}).path)
except ModelUnavailable as error:
    print("unavailable:", error)
"""


def test_a_model_is_pinned_and_fetched_from_the_hub_without_its_pickles(tmp_path: Path) -> None:
    asked: list[str] = []
    with hub(
        NAME, {**FILES, "pytorch_model.bin": b"\x80\x04.", "modeling.py": b"", "README.md": b""}, asked
    ) as address:
        printed = asked_of(address, tmp_path / "home", PIN)
        assert printed.returncode == 0, printed.stderr[-2000:]
        (tmp_path / "pins.toml").write_text(printed.stdout, encoding="utf-8")

        into = {"MENTOS_MODELS__PINS": str(tmp_path / "pins.toml"), "MENTOS_MODELS__FOLDER": str(tmp_path / "models")}
        found = asked_of(address, tmp_path / "another", FIND, **into)
        assert found.stdout.split() == [str(tmp_path / "models" / NAME)], found.stderr[-2000:]

    assert read_pins(tmp_path / "pins.toml")[NAME].revision == COMMIT
    assert not [path for path in asked if path.endswith((".bin", ".py", ".md"))]
    # What was fetched is found again, with the hub gone and by the cache of the first process.
    assert asked_of("http://127.0.0.1:9", tmp_path / "another", FIND, **into).stdout == found.stdout
    again = asked_of("http://127.0.0.1:9", tmp_path / "home", FIND, **into | {"MENTOS_MODELS__FOLDER": ""})
    assert COMMIT in again.stdout
    assert "unavailable" not in again.stdout


@pytest.mark.parametrize("offline", [{}, {"HF_HUB_OFFLINE": "1"}, {"MENTOS_MODELS__OFFLINE": "1"}])
def test_a_hub_out_of_reach_is_said_in_one_sentence_with_the_remedy(
    tmp_path: Path, models: Models, offline: Mapping[str, str]
) -> None:
    ran = asked_of("http://127.0.0.1:9", tmp_path / "home", FIND, MENTOS_MODELS__PINS=str(models.pins), **offline)

    assert ran.stdout.startswith(f"unavailable: {NAME} "), ran.stderr[-2000:]
    assert ("the offline switch is on" if offline else "http://127.0.0.1:9 can be reached") in ran.stdout
    assert len(ran.stdout.splitlines()) == 1


@pytest.mark.parametrize("switch", ["MENTOS_MODELS__OFFLINE", "HF_HUB_OFFLINE"])
def test_offline_the_hub_is_not_asked_though_it_is_there(tmp_path: Path, models: Models, switch: str) -> None:
    asked: list[str] = []
    with hub(NAME, FILES, asked) as address:
        ran = asked_of(address, tmp_path / "home", FIND, MENTOS_MODELS__PINS=str(models.pins), **{switch: "1"})

    assert "the offline switch is on" in ran.stdout, ran.stderr[-2000:]
    assert asked == []


def test_a_hub_that_has_no_such_model_is_said_so(tmp_path: Path) -> None:
    with hub("someone/else", FILES, []) as address:
        ran = asked_of(address, tmp_path / "home", PIN)

    assert ran.returncode == 1
    assert ran.stderr.splitlines()[-1].startswith(
        f"the hub did not say what main of {NAME} is (RepositoryNotFoundError)"
    )
