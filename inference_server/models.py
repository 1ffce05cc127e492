"""Which transformer models are configured, and the folders they lie in: pinned, checked, and never run as code."""

import argparse
import hashlib
import importlib
import json
import re
import sys
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

Task = Literal["emotion", "tone", "embedding"]
Runtime = Literal["torch", "onnx", "ct2"]

SHIPPED = Path(__file__).with_name("models.toml")
CONVERTED = "mentos.json"
"""What `export` leaves in a folder: source, revision, sha256, runtime, figures, and its `files` with their hashes."""
READ = ("*.json", "*.txt", "*.model", "*.safetensors")
"""The files that are downloaded and read. A pickle may run code when it is opened, so none is on this list."""

_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+", re.ASCII)
_PATIENCE_S = 10.0
_COMMIT = re.compile(r"[0-9a-f]{40}")
_WITHOUT_TORCH = {"ctranslate2", "huggingface_hub", "onnxruntime", "tokenizers"}


class ModelUnavailable(Exception):
    """A model cannot be loaded; one sentence says why and what to do."""


class NotFinite(ValueError):
    """A model gave something that is no number for one of the texts it was asked about."""


@dataclass(frozen=True, slots=True)
class Pin:
    """What a name on the hub stands for: a commit, and the SHA-256 of each file in it that is read."""

    revision: str
    sha256: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Folder:
    """A model as it lies on the disk, as `save_pretrained` or `export` left it."""

    path: Path
    name: str
    revision: str | None
    runtime: Runtime
    config: Mapping[str, Any] = field(repr=False)

    @classmethod
    def at(cls, path: Path, *, name: str | None = None, revision: str | None = None) -> "Folder":
        """Look at a folder before anything in it is loaded.

        Raises `ModelUnavailable` where there is no config.json, no safetensors, a file that was changed, weights that
        lie elsewhere, or a model that wants code of its own to be run.
        """
        config = read_json(path / "config.json")
        of_tokenizer = path / "tokenizer_config.json"
        if "auto_map" in config or (of_tokenizer.exists() and "auto_map" in read_json(of_tokenizer)):
            raise ModelUnavailable(
                f"{path} asks for code of its own to be run (auto_map); take a model of transformers' own classes"
            )
        if "transformers_weights" in config or (path / "adapter_config.json").exists():
            raise ModelUnavailable(
                f"{path} has its weights elsewhere (transformers_weights, or an adapter's); save the whole model in it"
            )
        if (path / CONVERTED).exists():
            made = read_json(path / CONVERTED)
            if made.get("runtime") not in {"onnx", "ct2"} or not isinstance(made.get("files"), dict):
                raise ModelUnavailable(f"{path / CONVERTED} is not as export writes it; export the model again")
            _check(path, made["files"])
            return cls(
                path, name or made.get("source") or path.name, revision or made.get("revision"), made["runtime"], config
            )

        weights = [file.name for file in path.glob("*.safetensors")]
        if not weights:
            raise ModelUnavailable(
                f"{path} holds no safetensors; take a revision that has them (on the hub, often the pull request of its"
                " converter: --revision refs/pr/1), or save the model again by save_pretrained on a machine apart"
            )
        for index in path.glob("*.safetensors.index.json"):
            parts = read_json(index).get("weight_map")
            if not isinstance(parts, dict) or not all(part in weights for part in parts.values()):
                raise ModelUnavailable(
                    f"{index} names weights that are no safetensors beside it; fetch the model again"
                )
        return cls(path, name or path.name, revision, "torch", config)


class Models(BaseSettings):
    """`MENTOS_MODELS__EMOTION` and so on, from the environment or `.env`. What is not named is embedded."""

    model_config = SettingsConfigDict(
        env_prefix="MENTOS_MODELS__", env_file=".env", env_ignore_empty=True, extra="ignore"
    )

    emotion: str | None = None
    tone: str | None = None
    embedding: str | None = None
    """Each of the three: a local folder, or a name on the hub that is pinned."""
    runtime: Literal["auto", "torch", "converted"] = "auto"
    """`auto` takes what a folder holds; the others refuse a folder of the other kind."""
    folder: Path | None = None
    """Where downloads go and are looked for, as `folder/owner/name`; without it, the cache of huggingface_hub."""
    offline: bool = False
    device: Literal["auto", "cpu", "cuda"] = "auto"
    threads: int = Field(default=2, ge=1)
    """CPU threads that one model may use at once."""
    pins: Path = SHIPPED

    def folder_of(self, name: str) -> Folder:
        """Return where a model lies: a local folder as it is, or a pinned name of the hub, downloaded and checked.

        Raises `ModelUnavailable`.
        """
        pins = read_pins(self.pins)
        local = Path(name).expanduser()
        found = self._pinned(name, pins.get(name)) if name in pins or not local.is_dir() else Folder.at(local)
        if self.runtime != "auto" and (found.runtime == "torch") != (self.runtime == "torch"):
            raise ModelUnavailable(
                f"{name} runs on {found.runtime}, but MENTOS_MODELS__RUNTIME is {self.runtime};"
                " name the other folder (`python -m inference_server export` makes the converted one), or say auto"
            )
        return found

    def _pinned(self, name: str, pin: Pin | None) -> Folder:
        if not _HUB_NAME.fullmatch(name):
            raise ModelUnavailable(f"there is no folder {name!r}; name one that exists, or a model as owner/name")
        if pin is None or not pin.revision or not pin.sha256:
            raise ModelUnavailable(
                f"{name} is not pinned; run `python -m inference_server pin {name}`"
                f" and put what it prints into {self.pins}"
            )
        path = self.folder / name if self.folder else None
        if path is None or not all((path / file).exists() for file in pin.sha256):
            path = download(name, pin.revision, into=path, offline=self.offline)
        _check(path, pin.sha256)
        if unknown := sorted(set(_read_files(path)) - set(pin.sha256)):
            raise ModelUnavailable(f"{path} holds {unknown[0]}, which the pin of {name} does not name; remove it")
        return Folder.at(path, name=name, revision=pin.revision)


def read_pins(path: Path) -> dict[str, Pin]:
    """Read `models.toml`, or a file like it: the pin of each name. Raises `ModelUnavailable` where it is malformed."""
    try:
        table = tomllib.loads(path.read_text("utf-8"))
        return {name: Pin(str(pin["revision"]), dict(pin["sha256"])) for name, pin in table.items()}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, KeyError, TypeError, ValueError) as error:
        raise ModelUnavailable(
            f"the pins in {path} cannot be read ({type(error).__name__}: {error}); see {SHIPPED.name} for their form"
        ) from error


def download(name: str, revision: str, *, into: Path | None = None, offline: bool = False) -> Path:
    """Fetch what is read of a model at a revision, with progress bars, and return its folder.

    `into` is that folder; without it, the cache of huggingface_hub. What is there already is not fetched again, and
    nothing is fetched when `offline` or HF_HUB_OFFLINE says so. Raises `ModelUnavailable`.
    """
    hub, constants = library("huggingface_hub"), library("huggingface_hub.constants")
    offline = offline or constants.HF_HUB_OFFLINE
    try:
        if not offline and (into or not hub.try_to_load_from_cache(name, "config.json", revision=revision)):
            # Fails at once where the hub is out of reach; a download would try again for half a minute.
            hub.HfApi().model_info(name, revision=revision, timeout=_PATIENCE_S)
        return Path(
            hub.snapshot_download(
                name, revision=revision, local_dir=into, allow_patterns=list(READ), local_files_only=offline
            )
        )
    except _hub_errors() as error:
        where = into or "the cache of huggingface_hub"
        if offline:
            raise ModelUnavailable(
                f"{name} is not in {where}, and the offline switch is on; bring it there by `hf download {name}"
                f" --revision {revision}`, or switch MENTOS_MODELS__OFFLINE and HF_HUB_OFFLINE off for the first start"
            ) from error
        raise ModelUnavailable(
            f"{name} could not be downloaded ({type(error).__name__}); see whether {constants.ENDPOINT} can be"
            f" reached and has revision {revision}, or copy the folder here and name its path instead"
        ) from error


def library(name: str) -> ModuleType:
    """Import torch, transformers or the like where a model needs it. Raises `ModelUnavailable` that names the extra."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        extra = "runtimes" if name.partition(".")[0] in _WITHOUT_TORCH else "models"
        raise ModelUnavailable(f"{name} is not installed; run `pip install 'mentos[{extra}]'`") from error


def read_json(file: Path) -> dict[str, Any]:
    """Return the JSON object in a file. Raises `ModelUnavailable`."""
    try:
        read = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ModelUnavailable(
            f"{file} cannot be read ({type(error).__name__}); name a folder that save_pretrained or export has made"
        ) from error
    if not isinstance(read, dict):
        raise ModelUnavailable(f"{file} holds no JSON object; fetch or export the model again")
    return read


def sha256_of(file: Path) -> str:
    """Return the SHA-256 of a file in hex."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def digests(path: Path) -> dict[str, str]:
    """Return the SHA-256 of each file of a folder that is read, by its name relative to the folder."""
    return {name: sha256_of(path / name) for name in _read_files(path)}


def pin_command(argv: Sequence[str]) -> int:
    """`python -m inference_server pin NAME [--revision REVISION] [--folder FOLDER]`: print the lines for models.toml.

    Without a folder the model is downloaded. Returns the exit status.
    """
    parser = argparse.ArgumentParser(
        prog="python -m inference_server pin", description="Print the lines that pin a model of the hub."
    )
    parser.add_argument("name", help="owner/name on the hub")
    parser.add_argument("--revision", help="a commit, branch or pull request (refs/pr/1); main if not given")
    parser.add_argument("--folder", type=Path, help="where the model was downloaded already; needs no hub")
    asked = parser.parse_args(argv)
    try:
        lines = pinned(asked.name, revision=asked.revision, folder=asked.folder)
    except ModelUnavailable as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(lines)
    return 0


def pinned(name: str, *, revision: str | None = None, folder: Path | None = None) -> str:
    """Return the lines that pin a model as it is on the hub now, or as it lies in a folder. Raises `ModelUnavailable`.

    A commit is asked for with a folder, unless the folder bears its name as those in the hub's cache do.
    """
    if not _HUB_NAME.fullmatch(name):
        raise ModelUnavailable(f"{name!r} is no name of the hub; write owner/name")
    if folder is None:
        commit = _commit_of(name, revision or "main")
        folder = download(name, commit)
    else:
        commit = revision or folder.resolve().name
        if not _COMMIT.fullmatch(commit):
            raise ModelUnavailable(f"the revision of {folder} is not known; say it by --revision and 40 hex digits")
    Folder.at(folder, name=name, revision=commit)
    files = "".join(f'{json.dumps(file)} = "{digest}"\n' for file, digest in digests(folder).items())
    return f'["{name}"]\nrevision = "{commit}"\n\n["{name}".sha256]\n{files}'


def _commit_of(name: str, revision: str) -> str:
    hub = library("huggingface_hub")
    try:
        return str(hub.HfApi().model_info(name, revision=revision, timeout=_PATIENCE_S).sha)
    except _hub_errors() as error:
        raise ModelUnavailable(
            f"the hub did not say what {revision} of {name} is ({type(error).__name__}); download the model elsewhere"
            " and say --folder and --revision"
        ) from error


def _hub_errors() -> tuple[type[Exception], ...]:
    errors = library("huggingface_hub.errors")
    return OSError, ValueError, RuntimeError, errors.HTTPError, errors.XetDownloadError


def _read_files(path: Path) -> list[str]:
    files = (file.relative_to(path) for pattern in READ for file in path.rglob(pattern))
    return sorted(file.as_posix() for file in files if not file.parts[0].startswith("."))


def _check(path: Path, sha256: Mapping[str, str]) -> None:
    for name, expected in sha256.items():
        try:
            found = sha256_of(path / name)
        except OSError as error:
            raise ModelUnavailable(f"{path} lacks {name}; remove the folder and fetch or export it again") from error
        if found != expected:
            raise ModelUnavailable(
                f"{path / name} is not the file that was pinned (SHA-256 {found[:12]}…, expected {expected[:12]}…);"
                " remove the folder and fetch or export it again"
            )
