"""What servers of the chat-completions API do differently, and how to tell them apart."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Kind(StrEnum):
    TGI = "tgi"
    VLLM = "vllm"
    OPENAI = "openai"
    """Any other: SGLang, llama.cpp, a hosted one."""
    TRANSFORMERS = "transformers"


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one kind of server is spoken to.

    `base` is what asks for the model without an adapter: a fixed name, or None where it is the first that the server
    lists. `most_stops` stop strings are taken.
    """

    kind: Kind
    base: str | None
    most_stops: int | None = 4


DIALECTS = {
    Kind.TGI: Dialect(Kind.TGI, base="tgi"),
    Kind.VLLM: Dialect(Kind.VLLM, base=None, most_stops=None),
    Kind.OPENAI: Dialect(Kind.OPENAI, base=None),
    Kind.TRANSFORMERS: Dialect(Kind.TRANSFORMERS, base=None, most_stops=None),
}


@dataclass(frozen=True, slots=True)
class About:
    """What a server says of itself; None for what it does not say. Sizes in tokens."""

    dialect: Dialect
    base: str | None = None
    models: tuple[str, ...] = ()
    max_input_tokens: int | None = None
    max_total_tokens: int | None = None
    max_at_once: int | None = None


def told_apart(info: Mapping[str, Any], models: Mapping[str, Any], *, kind: Kind | None = None) -> About:
    """Read what GET /info and GET /v1/models answered, each empty where the server does not know it.

    `kind` overrides what they look like. Only TGI has /info (`get_model_info`, router/src/server.rs); vLLM signs its
    models, and `transformers serve` lists how each is loaded (from 5.24 on; 5.23 lists none).
    """
    data = models.get("data")
    listed = [entry for entry in data if isinstance(entry, dict)] if isinstance(data, list) else []
    names = tuple(str(entry["id"]) for entry in listed if "id" in entry)
    if kind is None:
        if "model_id" in info:
            kind = Kind.TGI
        elif any(entry.get("owned_by") == "vllm" for entry in listed):
            kind = Kind.VLLM
        else:
            kind = Kind.TRANSFORMERS if any("status" in entry for entry in listed) else Kind.OPENAI
    dialect = DIALECTS[kind]
    return About(
        dialect,
        base=dialect.base or (names[0] if names else None),
        models=names,
        max_input_tokens=_count(info, "max_input_tokens"),
        max_total_tokens=_count(info, "max_total_tokens")
        or next((size for entry in listed if (size := _count(entry, "max_model_len"))), None),
        max_at_once=_count(info, "max_concurrent_requests"),
    )


def _count(found: Mapping[str, Any], key: str) -> int | None:
    value = found.get(key)
    return value if isinstance(value, int) and value > 0 else None
