"""A transformer encoder in either runtime, torch or ONNX: texts in, an array out."""

import unicodedata
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from inference_server.models import Folder, ModelUnavailable, NotFinite, library
from inference_server.texts import SURROGATE, without_middle

Numbers = npt.NDArray[np.float32]
Forward = Callable[[npt.NDArray[np.int64], npt.NDArray[np.int64]], Numbers]
"""Token ids and their mask (both texts x tokens) to the model's first output: texts x labels, or x tokens x size."""

OUTPUT = "output"

# No tokenizer here needs more characters than this for 512 tokens of Korean; a megabyte would take it seconds.
_LONGEST = 4_000
_AT_ONCE = {"cpu": 8, "cuda": 64}  # a larger batch is no faster on a CPU: protocols/serving.md, section 5


class Transformer:
    """Texts to the numbers that a model gives them."""

    def __init__(self, folder: Folder, kind: str, *, longest: int, device: str = "auto", threads: int = 2) -> None:
        """`kind` is the transformers class that torch loads; `longest` is in tokens, special ones among them.

        Raises `ModelUnavailable`, also where the numbers of a plain sentence are not finite.
        """
        if folder.runtime == "ct2":
            raise ModelUnavailable(f"{folder.path} was converted as a tone model; name a folder with an encoder")
        self._device = chosen(device) if folder.runtime == "torch" else "cpu"
        self._tokenizer = tokenizer_of(folder)
        self._forward = (
            _torch_forward(load(folder, kind, device=self._device, threads=threads), device=self._device)
            if folder.runtime == "torch"
            else _onnx_forward(folder, threads=threads)
        )
        self._pad = int(folder.config.get("pad_token_id") or 0)
        self._longest = longest
        try:
            list(self.batches(["안녕하세요", "반가워요 " * longest]))  # the longest text needs every position
        except NotFinite as error:
            raise ModelUnavailable(f"{folder.path} gives no finite numbers: its weights are broken") from error

    def batches(self, texts: Sequence[str]) -> Iterator[tuple[list[int], Numbers, npt.NDArray[np.int64]]]:
        """Yield which texts (by index), the output for them, and their mask; texts of like length together.

        Raises `NotFinite` when the output for any of them is not finite.
        """
        ids = [self._ids(text) for text in texts]
        order = sorted(range(len(ids)), key=lambda index: len(ids[index]))
        for start in range(0, len(order), _AT_ONCE[self._device]):
            which = order[start : start + _AT_ONCE[self._device]]
            padded, mask = _padded([ids[index] for index in which], self._pad)
            output = self._forward(padded, mask)
            if not np.isfinite(output).all():
                raise NotFinite("the model gave no finite numbers; load it again, or export it again from its source")
            yield which, output, mask

    def _ids(self, text: str) -> list[int]:
        """Return the beginning and the end of a long text: what is felt and what is asked stand there."""
        ids: list[int] = self._tokenizer.encode(readable(text)).ids
        half = self._longest // 2
        return ids if len(ids) <= self._longest else [*ids[:half], *ids[half - self._longest :]]


def readable(text: str) -> str:
    """Return a text in NFC, its middle left out when it is very long, lone surrogates as U+FFFD."""
    return unicodedata.normalize("NFC", SURROGATE.sub("\ufffd", without_middle(text, _LONGEST)))


def chosen(device: str) -> str:
    """Return `cuda` or `cpu` for what is configured. Raises `ModelUnavailable` where there is no such device."""
    if device == "cpu":
        return device
    has_cuda = bool(library("torch").cuda.is_available())
    if device == "cuda" and not has_cuda:
        raise ModelUnavailable("there is no CUDA device; say MENTOS_MODELS__DEVICE=cpu, or look at `nvidia-smi`")
    return "cuda" if has_cuda else "cpu"


def tokenizer_of(folder: Folder) -> Any:  # noqa: ANN401 - tokenizers.Tokenizer, which is not always installed
    """Return the `tokenizers.Tokenizer` of a folder, without truncation or padding. Raises `ModelUnavailable`."""
    if folder.runtime == "torch":
        # AutoTokenizer also knows folders that have a vocab.txt and no tokenizer.json.
        loaded = _loaded(folder, library("transformers").AutoTokenizer)
        tokenizer = getattr(loaded, "backend_tokenizer", None)
        if tokenizer is None:
            raise ModelUnavailable(f"{folder.path} has a slow tokenizer; save it again with a tokenizer.json")
    else:
        tokenizer = library("tokenizers").Tokenizer.from_file(str(folder.path / "tokenizer.json"))
    highest, size = max(tokenizer.get_vocab().values()), folder.config.get("vocab_size")  # CTranslate2 names no size
    if size is not None and highest >= size:
        raise ModelUnavailable(
            f"the tokenizer of {folder.path} has a token {highest}, and its model {size}; fetch both from one revision"
        )
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def load(folder: Folder, kind: str, *, device: str = "cpu", threads: int = 2, **options: object) -> Any:  # noqa: ANN401
    """Load a folder's torch model, ready to infer: bfloat16 on CUDA, float32 on a CPU. Raises `ModelUnavailable`."""
    torch = library("torch")
    if device == "cpu":
        torch.set_num_threads(threads)
    model, report = _loaded(
        folder,
        getattr(library("transformers"), kind),
        use_safetensors=True,
        dtype=torch.bfloat16 if device == "cuda" else torch.float32,
        output_loading_info=True,
        **options,
    )
    # transformers fills missing weights with chance; only classifiers read what a pooler says
    if missing := sorted(name for name in report["missing_keys"] if kind != "AutoModel" or "pooler." not in name):
        raise ModelUnavailable(f"{folder.path} lacks the weights {missing[0]}; it is no {kind}: name another model")
    try:
        return model.eval().to(device)
    except torch.OutOfMemoryError as error:
        raise ModelUnavailable(
            f"{folder.path} does not fit beside what is on the GPU; free some, or say MENTOS_MODELS__DEVICE=cpu"
        ) from error


def _loaded(folder: Folder, kind: Any, **options: object) -> Any:  # noqa: ANN401 - transformers' own classes
    try:
        return kind.from_pretrained(folder.path, trust_remote_code=False, local_files_only=True, **options)
    except (OSError, ValueError, RuntimeError, KeyError, library("safetensors").SafetensorError) as error:
        raise ModelUnavailable(
            f"{folder.path} cannot be loaded as {kind.__name__} ({type(error).__name__}); fetch it again, or name a"
            " model of that kind"
        ) from error


def _torch_forward(model: Any, *, device: str) -> Forward:  # noqa: ANN401
    torch = library("torch")

    def forward(ids: npt.NDArray[np.int64], mask: npt.NDArray[np.int64]) -> Numbers:
        with torch.inference_mode():
            output = model(
                input_ids=torch.from_numpy(ids).to(device),
                attention_mask=torch.from_numpy(mask).to(device),
                return_dict=False,
            )[0]
            return np.asarray(output.float().cpu().numpy(), dtype=np.float32)

    return forward


def _onnx_forward(folder: Folder, *, threads: int) -> Forward:
    runtime, state = library("onnxruntime"), library("onnxruntime.capi.onnxruntime_pybind11_state")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Threads that spin while they wait take the cores from the other engines: beside a busy BART on two cores, 44 texts
    # a second were read instead of 30, and as many or more restyled.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 4  # its errors quote what it was given: a person's tokens
    session = runtime.InferenceSession(
        str(folder.path / "model.onnx"), sess_options=options, providers=["CPUExecutionProvider"]
    )

    def forward(ids: npt.NDArray[np.int64], mask: npt.NDArray[np.int64]) -> Numbers:
        try:
            [output] = session.run([OUTPUT], {"input_ids": ids, "attention_mask": mask})
        except (state.EPFail, state.Fail, state.InvalidArgument, state.RuntimeException) as error:
            # its words may quote what it was given, and its class is no RuntimeError
            raise RuntimeError(f"ONNX Runtime failed ({type(error).__name__})") from None
        return np.asarray(output, dtype=np.float32)

    return forward


def _padded(ids: Sequence[Sequence[int]], pad: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    width = max(map(len, ids))
    padded = np.full((len(ids), width), pad, dtype=np.int64)
    mask = np.zeros((len(ids), width), dtype=np.int64)
    for row, mine in enumerate(ids):
        padded[row, : len(mine)] = mine
        mask[row, : len(mine)] = 1
    return padded, mask
