"""The models put together: the ladder of those that draft replies, and the smaller ones beside them."""

import asyncio
import logging
from collections.abc import Collection, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import partial

import aiohttp
from prometheus_client import Counter, Gauge
from pydantic import ValidationError

from bot.backends.adapters import missing
from bot.backends.address import outside
from bot.backends.embedded import load_emotions, load_scripted, load_stylist
from bot.backends.inference import (
    Inference,
    InProcess,
    Model,
    ModelEmotions,
    ModelEncoder,
    ModelStylist,
    NoAnswer,
    OverHttp,
    Patient,
)
from bot.backends.replica import Replica
from bot.backends.resilience import Deadline, Discreet, Fallback
from bot.backends.tgi import TGI, Sampling
from bot.backends.tokens import counter
from bot.conversation.characters import load
from bot.conversation.model import Character, CharacterId, Mendable
from bot.conversation.ports import EmotionReader, Responder, Stylist
from bot.settings import LanguageModel, Settings
from inference_server.engines import open_engines
from inference_server.models import Models

log = logging.getLogger(__name__)

FALLBACKS = Counter("mentos_fallbacks", "Replies that fell back because a language model failed", ["to"])
EMBEDDED = Counter("mentos_embedded_instead", "Failures of a model that sent its task to what is embedded", ["task"])
FAULTS = Counter("mentos_llm_faults", "What went wrong with language models", ["fault"])
UP = Gauge("mentos_part_up", "Whether an outside part answered last: 1 or 0", ["part"])
CHECKED_WITHIN_S = 10
OF_ONE_SERVER = 0.8
"""Share of the time for the first words after which the server that was asked is slow."""
LOOKS, LOOK_EVERY_S = 5, 1.0
"""How often an inference server is looked for at the start, which may come up with us."""


@dataclass(frozen=True, slots=True)
class Speech:
    """Who drafts the replies, the servers behind it by part, and the hosts to which words leave the network."""

    responder: Responder
    replicas: Mapping[str, Sequence[Replica]]
    adapters: Collection[str]
    """Those that the first language model has."""
    hosts: tuple[str, ...]


async def speech_of(settings: Settings, stack: AsyncExitStack) -> Speech:
    """Put the ladder together: the language model, the second one, the script. Time above is taken off below.

    Raises `Mendable` where no time is left for the second one.
    """
    script = load_scripted()
    responder: Responder = script
    replicas: dict[str, Sequence[Replica]] = {}
    adapters: Collection[str] = ()
    wanted = {kind[1] for each in characters_of(settings).values() if (kind := each.renderer.split(":"))[0] == "lora"}
    spent_s = settings.llm.first_token_s if settings.llm.urls else 0.0
    left_s = settings.second_llm.total_s - spent_s
    if spent_s and settings.second_llm.urls and left_s <= settings.second_llm.first_token_s:
        raise Mendable(
            f"MENTOS_SECOND_LLM__TOTAL_S ({settings.second_llm.total_s:g}) must be more than MENTOS_LLM__FIRST_TOKEN_S "
            f"and MENTOS_SECOND_LLM__FIRST_TOKEN_S together ({spent_s + settings.second_llm.first_token_s:g}): set it "
            "higher, or these lower"
        )
    below = "script"
    for part, llm, total_s in (
        ("second_llm", settings.second_llm, left_s),
        ("llm", settings.llm, settings.llm.total_s),
    ):
        if not llm.urls:
            continue
        replicas[part] = await _replicas(llm, stack)
        adapters = await _adapters_of(part, replicas[part], wanted)
        model = _model(llm, replicas[part], adapters, total_s=total_s)
        responder = Fallback(model, responder, on_fallback=FALLBACKS.labels(below).inc)
        UP.labels(part).set_function(partial(_are_up, replicas[part]))
        below = part
    hosts = await _hosts(*settings.llm.urls, *settings.second_llm.urls)
    return Speech(Discreet(responder, script) if hosts else responder, replicas, adapters, hosts)


async def _hosts(*urls: str) -> tuple[str, ...]:
    return tuple(sorted({host for url in urls if (host := await outside(url))}))


async def _adapters_of(part: str, replicas: Sequence[Replica], wanted: Collection[str]) -> frozenset[str]:
    """Return the adapters that servers have. Those of a server that cannot be asked yet are taken to be there."""
    lacking: frozenset[str] = frozenset()
    try:
        async with asyncio.timeout(CHECKED_WITHIN_S):
            lacking = await missing(replicas, wanted)
    except TimeoutError:
        log.warning("whether %s has its adapters is not known: it took too long to answer", part)
    if lacking:
        log.warning("%s has no adapter %s: see LORA_ADAPTERS", part, ", ".join(sorted(lacking)))
    return frozenset(wanted) - lacking


async def _replicas(llm: LanguageModel, stack: AsyncExitStack) -> Sequence[Replica]:
    connector = aiohttp.TCPConnector(limit=0)  # each replica has its own limit
    session = await stack.enter_async_context(aiohttp.ClientSession(connector=connector))
    key = llm.api_key.get_secret_value() if llm.api_key else None
    replicas = [Replica(url, session=session, api_key=key, at_once=llm.at_once, kind=llm.kind) for url in llm.urls]
    for replica in replicas:
        stack.push_async_callback(replica.close)
    return replicas


def _model(llm: LanguageModel, replicas: Sequence[Replica], adapters: Collection[str], *, total_s: float) -> Responder:
    model = TGI(
        replicas,
        model=llm.model,
        adapters=adapters,
        sampling=Sampling(llm.max_tokens, llm.temperature, llm.top_p, tuple(llm.stop)),
        max_input_tokens=llm.max_input_tokens,
        first_s=llm.first_token_s * OF_ONE_SERVER,
        count=counter(llm.tokenizer),
        on_fault=lambda fault: FAULTS.labels(fault).inc(),
    )
    return Deadline(model, first_s=llm.first_token_s, total_s=total_s)


def _are_up(replicas: Sequence[Replica]) -> float:
    return float(any(not replica.is_suspect for replica in replicas))


@dataclass(frozen=True, slots=True)
class Local:
    """The smaller models: emotion, tone and embedding, embedded or not. `patients` are of those that are not."""

    emotions: EmotionReader
    inference: Inference | None = None
    models: Mapping[str, Model] = field(default_factory=dict)
    patients: Mapping[str, Patient] = field(default_factory=dict)
    encoder: ModelEncoder | None = None
    hosts: tuple[str, ...] = ()

    @property
    def tones(self) -> frozenset[str]:
        styles = self.models["tone"].styles if "tone" in self.models else ()
        return frozenset(f"kobart:{style}" for style in styles)

    def stylist_of(self, characters: Mapping[CharacterId, Character], settings: Settings) -> Stylist:
        """Return the rules, and before them the model that speaks in the style of some characters, if there is one."""
        if self.inference is None or not self.tones:
            return load_stylist()
        ruled = characters_of(settings)
        instead = {each.renderer: ruled[each.id].renderer for each in characters.values()}
        instead |= {each.softened: ruled[each.id].softened for each in characters.values()}
        return ModelStylist(self.inference, near=load_stylist(), instead=instead, patient=self.patients["tone"])


async def local_of(settings: Settings, stack: AsyncExitStack) -> Local:
    """Find which models do what. What a server that is out of reach would do is embedded until the next start."""
    inference = await _inference(settings, stack)
    wanted = settings.embedding
    if (wanted.model or wanted.size) and not (wanted.model and wanted.size and inference):
        log.warning(
            "memory by meaning stays off: set MENTOS_EMBEDDING__MODEL and MENTOS_EMBEDDING__SIZE together, beside "
            "MENTOS_INFERENCE__URL or MENTOS_MODELS__EMBEDDING"
        )
    if inference is None:
        return Local(load_emotions())
    models = {task: model for task, model in (await _models_of(inference)).items() if not model.is_embedded}
    patients = {task: Patient(task, on_failure=EMBEDDED.labels(task).inc) for task in models}
    for task, patient in patients.items():
        UP.labels(task).set_function(partial(_is_up, patient))
    return Local(
        ModelEmotions(inference, near=load_emotions(), patient=patients["emotion"])
        if "emotion" in models
        else load_emotions(),
        inference,
        models,
        patients,
        _encoder(settings, inference, patients.get("embedding")),
        await _hosts(*([settings.inference.url] if settings.inference.url else [])),
    )


async def _models_of(inference: Inference) -> Mapping[str, Model]:
    for _ in range(LOOKS):
        try:
            return await inference.models()
        except NoAnswer as error:
            log.warning("%s is out of reach: %s", inference.where, error)
            await asyncio.sleep(LOOK_EVERY_S)
    log.warning("%s stays out of reach: embedded models answer until the next start", inference.where)
    return {}


def _encoder(settings: Settings, inference: Inference, patient: Patient | None) -> ModelEncoder | None:
    """Return what the settings name, in reach or not: whose vectors are kept does not depend on who is up."""
    wanted = settings.embedding
    if wanted.model is None or wanted.size is None:
        return None
    return ModelEncoder(inference, name=wanted.model, size=wanted.size, patient=patient or Patient("embedding"))


async def _inference(settings: Settings, stack: AsyncExitStack) -> Inference | None:
    """Return the inference server, the models of this process, or None where everything is embedded."""
    if settings.inference.url:
        session = await stack.enter_async_context(aiohttp.ClientSession())
        return OverHttp(settings.inference.url, session=session)
    models = _read_models()
    if not (models.emotion or models.tone or models.embedding):
        return None
    engines = await asyncio.to_thread(open_engines, models)
    stack.push_async_callback(engines.close)
    for sentence in engines.missing:
        log.warning("%s", sentence)
    return InProcess(engines)


def _read_models() -> Models:
    try:
        return Models()
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        name = "MENTOS_MODELS__" + "__".join(str(part).upper() for part in first["loc"])
        raise Mendable(f"{name}: {first['msg']}. Correct it in the environment or in .env.") from None


def _is_up(patient: Patient) -> float:
    return float(not patient.has_failed)


def characters_with(settings: Settings, speech: Speech, local: Local) -> Mapping[CharacterId, Character]:
    """Read the characters. Those whose adapter the server lacks are rendered otherwise: the base model would speak."""
    return characters_of(settings, tones=local.tones, adapters=speech.adapters)


def characters_of(
    settings: Settings, *, tones: Collection[str] = (), adapters: Collection[str] | None = None
) -> Mapping[CharacterId, Character]:
    """Read the characters of Mentos and of the data folder. Raises `CharacterError`.

    `tones` are the renderers of a model, beside the rules; `adapters` those that the language model has, None where any
    may be asked for.
    """
    loras = ["lora"] if adapters is None else [f"lora:{adapter}" for adapter in adapters]
    available = {*load_stylist().renderers, *tones, *(["prompt", *loras] if settings.llm.urls else [])}
    return load(available=available, folders=[settings.home / "characters"])
