"""Tokens are counted by the model's own tokenizer, where its file is one."""

from pathlib import Path

import pytest

pytest.importorskip("torch", reason="the parts with torch are asked by `make test-models`")
pytest.importorskip("tokenizers", reason="the parts with torch are asked by `make test-models`")

from bot.backends.tokens import TEMPLATE_TOKENS, counter
from bot.conversation.model import Mendable
from bot.conversation.prompt import tokens_at_most


def test_a_text_has_the_tokens_that_its_model_reads(electra_folder: Path) -> None:
    from transformers import AutoTokenizer

    text = "요즘 잠이 안 와서 많이 지쳐요"
    own = AutoTokenizer.from_pretrained(electra_folder).encode(text, add_special_tokens=False)
    assert counter(electra_folder / "tokenizer.json")(text) == len(own) + TEMPLATE_TOKENS


def test_without_a_tokenizer_they_are_estimated() -> None:
    assert counter(None) is tokens_at_most


@pytest.mark.parametrize("written", [None, "", "{", "[]", "{}", '{"model": 1}'])
def test_a_file_that_is_none_is_named_with_what_to_do(tmp_path: Path, written: str | None) -> None:
    file = tmp_path / "tokenizer.json"
    if written is not None:
        file.write_text(written, "utf-8")
    with pytest.raises(Mendable, match="MENTOS_LLM__TOKENIZER"):
        counter(file)
