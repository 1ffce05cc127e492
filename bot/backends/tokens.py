"""How many tokens a text has, by the model's own tokenizer where its file is at hand."""

import json
from collections.abc import Callable
from pathlib import Path

from bot.conversation.model import Mendable
from bot.conversation.prompt import tokens_at_most

TEMPLATE_TOKENS = 8
"""What a chat template adds around one message, at most."""


def counter(tokenizer: Path | None) -> Callable[[str], int]:
    """Return how to count; on the safe side without a tokenizer. Raises `Mendable` for a file that is none."""
    if tokenizer is None:
        return tokens_at_most
    try:
        from tokenizers import Tokenizer
    except ImportError:
        raise Mendable("MENTOS_LLM__TOKENIZER needs the tokenizers library: pip install tokenizers") from None
    try:  # looked at first, because the library raises bare exceptions
        written = tokenizer.read_text("utf-8")
        json.loads(written)["model"]["type"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Mendable(
            f"MENTOS_LLM__TOKENIZER: {tokenizer} is no tokenizer.json ({type(error).__name__}); "
            "name the file of the model's folder"
        ) from None
    read = Tokenizer.from_str(written)
    return lambda text: len(read.encode(text, add_special_tokens=False).ids) + TEMPLATE_TOKENS
