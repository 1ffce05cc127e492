"""The same sentence in another manner of speech, by KoBART: `KoJLabs/bart-speech-style-converter`."""

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import prometheus_client

from inference_server.models import Folder, ModelUnavailable, library, read_json
from inference_server.texts import SURROGATE
from inference_server.transformer import chosen, load, readable, tokenizer_of

STYLES: Mapping[str, str] = {
    style: style
    for style in (
        *("문어체", "구어체", "안드로이드", "아재", "채팅", "초등학생", "이모티콘", "enfp", "신사", "할아버지"),
        *("할머니", "중학생", "왕", "나루토", "선비", "소심한", "번역기"),
    )
} | {"translator": "번역기"}
"""The styles, and the word by which the model was taught each: those of SmileStyle, as its model card names them."""

LONGEST = 128
"""Tokens that are read and written at most. A longer sentence stays as it is: half of it restyled would lose a half."""

UNCHANGED = prometheus_client.Counter(
    "mentos_tone_unchanged", "Sentences given back as they were, by what was wrong with the restyled one.", ["why"]
)

_LONGEST_TEXT = 600  # characters, as the rules have it; a counsellor's sentence has about 40
_AT_ONCE = {"cpu": 8, "cuda": 64}
_DIGITS = re.compile(r"\d+")
_REPEATED, _OFTEN = 8, 4
_LONGER = 3

Ids = list[int]
Generate = Callable[[Sequence[Ids], int], list[Ids]]
"""Token ids of like length, and how many to write at most, to what was written: its end token last, if it ended."""


@dataclass(frozen=True, slots=True)
class Search:
    """How the model is asked to write, read from its own generation config: greedy unless that says beams.

    It is never sampled, so that the same sentence is always said alike.
    """

    beams: int
    length_penalty: float
    no_repeat: int
    end: int
    pad: int


class BartTone:
    """Restyles sentences, by torch or CTranslate2 as the folder was made for."""

    styles = frozenset(STYLES)

    def __init__(self, folder: Folder, *, device: str = "auto", threads: int = 2) -> None:
        """Raises `ModelUnavailable`."""
        if folder.runtime != "ct2" and folder.config.get("model_type") != "bart":
            raise ModelUnavailable(
                f"{folder.path} holds {folder.config.get('model_type')}, and the tone model is a BART;"
                " name another folder"
            )
        self.folder = folder
        self._device = chosen(device) if folder.runtime == "torch" else "cpu"
        self._tokenizer = tokenizer_of(folder)
        self.search = search_of(folder)
        self._generate = (
            _torch_generate(folder, self.search, device=self._device, threads=threads)
            if folder.runtime == "torch"
            else _ct2_generate(folder, self.search, self._tokenizer, threads=threads)
        )
        self.write(["안녕하세요"], "선비")

    def restyle(self, texts: Sequence[str], style: str) -> list[str]:
        """Return each sentence in `style`, or unchanged where that is not safe (`mentos_tone_unchanged` counts those).

        Raises ValueError for a style it lacks.
        """
        return [_safe(text, said) for text, said in zip(texts, self.write(texts, style), strict=True)]

    def write(self, texts: Sequence[str], style: str) -> list[str | None]:
        """Return what the model makes of each sentence, unchecked; None where it is not asked or comes to no end."""
        if style not in STYLES:
            raise ValueError(f"no style {style!r}; have {sorted(STYLES)}")
        asked = {
            index: self._ids(f"{STYLES[style]} 형식으로 변환:{text}")
            for index, text in enumerate(texts)
            if text.strip() and len(text) <= _LONGEST_TEXT and not SURROGATE.search(text)
        }
        order = sorted((index for index, ids in asked.items() if len(ids) <= LONGEST), key=lambda i: len(asked[i]))

        said: list[str | None] = [None] * len(texts)
        for start in range(0, len(order), _AT_ONCE[self._device]):
            which = order[start : start + _AT_ONCE[self._device]]
            written = self._generate([asked[index] for index in which], max(_room(asked[index]) for index in which))
            for index, ids in zip(which, written, strict=True):
                # At the very bound, BART's config makes it end wherever it is.
                if ids and ids[-1] == self.search.end and len(ids) < _room(asked[index]):
                    said[index] = str(self._tokenizer.decode(ids, skip_special_tokens=True)).strip()
        return said

    def _ids(self, text: str) -> Ids:
        return list(self._tokenizer.encode(readable(text)).ids)


def fault(text: str, said: str | None) -> str | None:
    """Return what is wrong with a restyled sentence, in a word, or None."""
    if said is None:
        return "unfinished"
    if not said:
        return "empty"
    grams = Counter(said[start : start + _REPEATED] for start in range(len(said) - _REPEATED + 1))
    if max(grams.values(), default=0) >= _OFTEN:
        return "repeats"
    # A helpline's number, a date or a dose must come out as it went in.
    if _DIGITS.findall(said) != _DIGITS.findall(text):
        return "digits"
    return "long" if len(said) > _LONGER * len(text) else None


def _safe(text: str, said: str | None) -> str:
    why = fault(text, said)
    if why is None and said is not None:
        return said
    UNCHANGED.labels(why=why).inc()
    return text


def _room(ids: Ids) -> int:
    return min(2 * len(ids) + 16, LONGEST)


def search_of(folder: Folder) -> Search:
    """Return how a folder's model is to write, by its generation config or else its config.

    Raises `ModelUnavailable`.
    """
    own = folder.path / "generation_config.json"
    config = {**folder.config, **(read_json(own) if own.exists() else {})}
    try:
        return Search(
            beams=int(config.get("num_beams") or 1),
            length_penalty=float(config.get("length_penalty") or 1.0),
            no_repeat=int(config.get("no_repeat_ngram_size") or 0),
            end=int(config["eos_token_id"]),
            pad=int(config["pad_token_id"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ModelUnavailable(
            f"{own} does not say how to write ({type(error).__name__}: {error}); it needs one eos_token_id and one"
            " pad_token_id"
        ) from error


def _torch_generate(folder: Folder, search: Search, *, device: str, threads: int) -> Generate:
    torch = library("torch")
    model = load(folder, "AutoModelForSeq2SeqLM", device=device, threads=threads)

    def generate(batch: Sequence[Ids], at_most: int) -> list[Ids]:
        width = max(map(len, batch))
        ids = torch.tensor([[*mine, *[search.pad] * (width - len(mine))] for mine in batch], device=device)
        mask = torch.tensor([[1] * len(mine) + [0] * (width - len(mine)) for mine in batch], device=device)
        with torch.inference_mode():
            written = model.generate(
                input_ids=ids,
                attention_mask=mask,
                max_new_tokens=at_most,
                do_sample=False,
                num_beams=search.beams,
                length_penalty=search.length_penalty,
                no_repeat_ngram_size=search.no_repeat,
            ).tolist()
        return [_until(search.end, mine[1:]) for mine in written]  # the first starts the decoder

    return generate


def _ct2_generate(folder: Folder, search: Search, tokenizer: Any, *, threads: int) -> Generate:  # noqa: ANN401
    translator = library("ctranslate2").Translator(
        str(folder.path), device="cpu", compute_type="int8", inter_threads=1, intra_threads=threads
    )

    def generate(batch: Sequence[Ids], at_most: int) -> list[Ids]:
        results = translator.translate_batch(
            [[tokenizer.id_to_token(token) for token in mine] for mine in batch],
            beam_size=search.beams,
            length_penalty=search.length_penalty,
            no_repeat_ngram_size=search.no_repeat,
            min_decoding_length=0,  # as transformers has it: what a model would not say is not drawn out of it
            max_decoding_length=at_most,
            max_input_length=0,
            return_end_token=True,
        )
        written = [[tokenizer.token_to_id(token) for token in result.hypotheses[0]] for result in results]
        return [_until(search.end, mine) for mine in written]

    return generate


def _until(end: int, ids: Ids) -> Ids:
    return ids[: ids.index(end) + 1] if end in ids else ids
