"""What is done to any text before a model reads it."""

import re

SURROGATE = re.compile("[\ud800-\udfff]")
"""Half of a character: JSON may spell it, and neither Kiwi nor a tokenizer can take it."""


def without_middle(text: str, longest: int) -> str:
    """Return the two ends of a text that has more than `longest` characters: what is felt and asked stands there."""
    return text if len(text) <= longest else f"{text[: longest // 2]} {text[-longest // 2 :]}"
