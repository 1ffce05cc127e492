"""The environment variables that the bot and the inference server read, by their settings classes."""

from collections.abc import Iterator

from pydantic import BaseModel

from bot.settings import Settings
from inference_server.models import Models

FOR_LIBRARIES = {"HF_HUB_OFFLINE"}


def bot_variables() -> set[str]:
    """Every variable of the bot; MENTOS_SECRETS is read beside the class."""
    return {"MENTOS_SECRETS", *(f"MENTOS_{name.upper()}" for name in _fields(Settings))}


def inference_variables() -> set[str]:
    return {*FOR_LIBRARIES, *(f"MENTOS_MODELS__{name.upper()}" for name in _fields(Models))}


def _fields(model: type[BaseModel]) -> Iterator[str]:
    for name, field in model.model_fields.items():
        yield name
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from (f"{name}__{inner}" for inner in _fields(field.annotation))
