"""The environment, or `.env`, read once: one small class per outside thing. `MENTOS_LLM__URL` is `settings.llm.url`."""

import json
import os
import re
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, Field, SecretStr, ValidationError, field_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import (
    BaseSettings,
    NestedSecretsSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)
from pydantic_settings import SettingsError as MalformedSettings

from bot.backends.dialects import Kind
from bot.conversation.model import Mendable


def _names(value: object) -> object:
    """Read a JSON list, or names with commas between them."""
    return [name for name in re.split(r'[\s,"\[\]]+', value) if name] if isinstance(value, str) else value


def _address(url: str) -> str:
    """Check that a URL is one; what is wrong with it would otherwise show only when it is asked for."""
    try:
        parts = urlsplit(url.strip())
        host = (parts.hostname or "").encode("idna").decode()
        if re.fullmatch(r"[0-9]+|0x[0-9a-f]*", host.rpartition(".")[2]):
            ip_address(host)  # a number alone is an address too, but nobody reads where it leads
        is_one = parts.scheme in {"http", "https"} and host and parts.port != 0
    except ValueError:
        is_one = False
    if not is_one:
        raise PydanticCustomError("address", "it must be an address such as http://host:8080")
    return url.strip()


def _addresses(urls: str) -> str:
    return ",".join(_address(url) for url in urls.split(",") if url.strip())


class Url(BaseModel):
    url: str | None = None


class Inference(BaseModel):
    url: Annotated[str, AfterValidator(_address)] | None = None


class Keys(BaseModel):
    url: str | None = None
    master: SecretStr | None = None
    """32 bytes in base64. Without it the embedded default keeps a file in the data folder."""
    master_file: Path | None = None


class Qdrant(BaseModel):
    url: Annotated[str, AfterValidator(_address)] | None = None
    api_key: SecretStr | None = None
    patience_s: float = Field(default=0.5, gt=0)
    """Seconds that a reply waits for memories, wherever they lie."""


class LanguageModel(BaseModel):
    url: Annotated[str, AfterValidator(_addresses)] | None = None
    """One address, or several with commas between them that hold the same model."""
    kind: Kind | None = None
    """What kind of server it is, where that cannot be told from what it answers."""
    model: str | None = None
    """What to ask for where no adapter is: None for the server's own."""
    api_key: SecretStr | None = None
    at_once: int = Field(default=32, ge=1)
    """Replies that are asked of one server at a time."""
    first_token_s: float = Field(default=15.0, gt=0)
    total_s: float = Field(default=45.0, gt=0)
    max_input_tokens: int = Field(default=3072, ge=256)
    max_tokens: int = Field(default=256, ge=16)
    temperature: float = Field(default=0.7, ge=0)
    top_p: float = Field(default=0.9, gt=0, lt=1)
    stop: Annotated[list[str], NoDecode] = ["\nHuman:", "\nAssistant:"]
    """What ends a reply, as JSON: EEVE's template names the speakers so."""
    tokenizer: Path | None = None
    """The model's tokenizer.json, to count tokens by; without it they are estimated, on the safe side."""

    @property
    def urls(self) -> list[str]:
        return self.url.split(",") if self.url else []

    @field_validator("stop", mode="before")
    @classmethod
    def _read_stop(cls, value: object) -> object:
        return json.loads(value) if isinstance(value, str) else value


class Embedding(BaseModel):
    """Memory by meaning, off until both are set; another model means other vectors, made anew from the rows."""

    model: str | None = None
    """As /v1/models of the inference server names it, or MENTOS_MODELS__EMBEDDING does."""
    size: int | None = Field(default=None, ge=1)
    """Numbers in one of its vectors."""
    weight: float = Field(default=0.3, ge=0)
    """What meaning counts for beside words, which count 1."""
    least_cosine: float | None = 0.3
    """Below it two texts have nothing to do with each other."""


class ConsentSettings(BaseModel):
    assume: Annotated[frozenset[Literal["storage", "memory"]], NoDecode] = frozenset()
    """For tests and benches only: strangers are taken to have said yes to these."""

    @field_validator("assume", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return frozenset(value.replace(" ", "").split(",")) - {""} if isinstance(value, str) else value


class Web(BaseModel):
    enabled: bool = True
    hosts: Annotated[list[str], NoDecode] = []
    """Names under which the page may be asked for, beside this machine's own and that of MENTOS_PUBLIC_URL."""

    _split = field_validator("hosts", mode="before")(_names)


class Kakao(BaseModel):
    header: str = "X-Mentos-Key"
    secret: SecretStr | None = None
    callback_hosts: Annotated[list[str], NoDecode] = ["bot-api.kakao.com"]

    _split = field_validator("callback_hosts", mode="before")(_names)


class Discord(BaseModel):
    token: SecretStr | None = None
    sync_commands: bool = True


class Retention(BaseModel):
    guest_hours: float = Field(default=24, gt=0)
    turn_days: float | None = Field(default=None, gt=0)
    """Days after which turns are deleted; None keeps them until the person wants them gone."""


class CounselSettings(BaseModel):
    idle_minutes: float = Field(default=30, gt=0)
    """Silence after which a counsel counts as ended."""


class Settings(BaseSettings):
    model_config = SettingsConfigDict(
        env_prefix="MENTOS_", env_nested_delimiter="__", env_file=".env", env_ignore_empty=True, extra="ignore"
    )

    home: Path = Path("~/.local/share/mentos")
    language: Literal["ko", "en"] = "ko"
    public_url: str | None = None
    peers: str | None = None
    """http://name:port of all the bots over these rows, this one among them; several names with commas between them."""
    database: Url = Url()
    keys: Keys = Keys()
    qdrant: Qdrant = Qdrant()
    llm: LanguageModel = LanguageModel()
    second_llm: LanguageModel = LanguageModel()
    """Answers where the first language model does not."""
    inference: Inference = Inference()
    embedding: Embedding = Embedding()
    consent: ConsentSettings = ConsentSettings()
    web: Web = Web()
    kakao: Kakao = Kakao()
    discord: Discord = Discord()
    retention: Retention = Retention()
    counsel: CounselSettings = CounselSettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Last come the files in the folder MENTOS_SECRETS, one a secret: `mentos_discord__token` holds the token."""
        files = NestedSecretsSettingsSource(
            file_secret_settings, secrets_dir=os.environ.get("MENTOS_SECRETS") or None, secrets_dir_missing="error"
        )
        return init_settings, env_settings, dotenv_settings, files

    @field_validator("home")
    @classmethod
    def _expand(cls, value: Path) -> Path:
        return value.expanduser().absolute()


class SettingsError(Mendable):
    """A variable does not say what it must; names it and the reason, never its value."""


def read_settings() -> Settings:
    """Raises `SettingsError`."""
    try:
        return Settings()
    except (OSError, UnicodeDecodeError, RuntimeError, MalformedSettings) as error:
        raise SettingsError(
            f"the environment, .env or MENTOS_SECRETS cannot be read ({type(error).__name__}); see .env.example"
        ) from None
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        name = "MENTOS_" + "__".join(str(part).upper() for part in first["loc"])
        raise SettingsError(f"{name}: {first['msg']}. Correct it in the environment or in .env.") from None
