"""The models put together: the ladder of those that draft replies, and the smaller ones beside them."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from functools import partial

import aiohttp
from prometheus_client import Counter, Gauge
from pydantic import ValidationError

from bot.backends.adapters import Adapters
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
from bot.conversation.characters import first, load, rendered
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
"""How long a start waits to know which adapters a server has; later nothing waits for that."""
TASKS = "emotion", "tone", "embedding"
OF_ONE_SERVER = 0.8
"""Share of the time for the first words after which the server that was asked is slow."""


@dataclass(frozen=True, slots=True)
class Speech:
    """Who drafts the replies, the servers behind it by part, and the hosts to which words leave the network."""

    responder: Responder
    replicas: Mapping[str, Sequence[Replica]]
    adapters: Mapping[str, Adapters]
    hosts: tuple[str, ...]

    async def learn(self) -> None:
        """Find out which adapters there are, of servers that came up or may have been started anew."""
        await asyncio.gather(*(adapters.learn() for adapters in self.adapters.values()))


async def speech_of(settings: Settings, stack: AsyncExitStack) -> Speech:
    """Put the ladder together: the language model, the second one, the script. Time above is taken off below.

    Raises `Mendable` where no time is left for the second one.
    """
    script = load_scripted()
    responder: Responder = script
    replicas: dict[str, Sequence[Replica]] = {}
    adapters: dict[str, Adapters] = {}
    renderers = {each.renderer for each in characters_of(settings).values()}
    wanted = {each.removeprefix("lora:") for each in renderers if each.startswith("lora:")}
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
        adapters[part] = Adapters(wanted, replicas[part])
        model = _model(llm, replicas[part], adapters[part], total_s=total_s)
        responder = Fallback(model, responder, on_fallback=FALLBACKS.labels(below).inc)
        UP.labels(part).set_function(partial(_are_up, replicas[part]))
        below = part
    found = [await outside(url) for url in (*settings.llm.urls, *settings.second_llm.urls)]
    hosts = tuple(sorted({host for host in found if host}))
    speech = Speech(Discreet(responder, script) if hosts else responder, replicas, adapters, hosts)
    with suppress(TimeoutError):
        async with asyncio.timeout(CHECKED_WITHIN_S):
            await speech.learn()
    return speech


async def _replicas(llm: LanguageModel, stack: AsyncExitStack) -> Sequence[Replica]:
    connector = aiohttp.TCPConnector(limit=0)  # each replica has its own limit
    session = await stack.enter_async_context(aiohttp.ClientSession(connector=connector))
    key = llm.api_key.get_secret_value() if llm.api_key else None
    replicas = [Replica(url, session=session, api_key=key, at_once=llm.at_once, kind=llm.kind) for url in llm.urls]
    for replica in replicas:
        stack.push_async_callback(replica.close)
    return replicas


def _model(llm: LanguageModel, replicas: Sequence[Replica], adapters: Adapters, *, total_s: float) -> Responder:
    model = TGI(
        replicas,
        model=llm.model,
        adapters=adapters.at,
        sampling=Sampling(llm.max_tokens, llm.temperature, llm.top_p, tuple(llm.stop)),
        max_input_tokens=llm.max_input_tokens,
        first_s=llm.first_token_s * OF_ONE_SERVER,
        count=counter(llm.tokenizer),
        on_fault=lambda fault: FAULTS.labels(fault).inc(),
    )
    return Deadline(model, first_s=llm.first_token_s, total_s=total_s)


def _are_up(replicas: Sequence[Replica]) -> float:
    return float(any(not replica.is_suspect for replica in replicas))


@dataclass(slots=True)
class Local:
    """The smaller models: emotion, tone and embedding, embedded or not. `patients` are of those that need not be."""

    emotions: EmotionReader
    inference: Inference | None = None
    patients: Mapping[str, Patient] = field(default_factory=dict)
    encoder: ModelEncoder | None = None
    is_reached: bool = True
    """Whether the inference server said what it has when it was last asked."""

    @property
    def models(self) -> Mapping[str, Model]:
        """What does a task and is not embedded, as far as it is known."""
        return {task: patient.model for task, patient in self.patients.items() if patient.model}

    @property
    def tones(self) -> frozenset[str]:
        styles = self.models["tone"].styles if "tone" in self.models else ()
        return frozenset(f"kobart:{style}" for style in styles)

    async def learn(self) -> None:
        """Ask what does which task by now. While nobody answers, what is known stays so."""
        if self.inference is None:
            return
        try:
            models = await self.inference.models()
        except NoAnswer as error:
            if self.is_reached:
                log.warning(
                    "%s is out of reach, embedded models answer until it is there: %s", self.inference.where, error
                )
            self.is_reached = False
            return
        self.is_reached = True
        for task, patient in self.patients.items():
            model = models.get(task)
            patient.model = model if model and not model.is_embedded else None
            if patient.model:
                UP.labels(task).set_function(partial(_is_up, patient))

    def stylist_of(self, characters: Mapping[CharacterId, Character]) -> Stylist:
        """Return the rules, and before them the model that speaks in the style of some characters, if there is one."""
        rules = load_stylist()
        if self.inference is None:
            return rules
        instead = {
            renderer: rule
            for each in characters.values()
            for renderers in (each.renderers, each.softeners)
            if (rule := first(renderers, rules.renderers))
            for renderer in renderers
        }
        return ModelStylist(self.inference, near=rules, instead=instead, patient=self.patients["tone"])


async def local_of(settings: Settings, stack: AsyncExitStack) -> Local:
    """Find which models do what. What a server that is out of reach would do is embedded until it is there."""
    inference = await _inference(settings, stack)
    wanted = settings.embedding
    if (wanted.model or wanted.size) and not (wanted.model and wanted.size and inference):
        log.warning(
            "memory by meaning stays off: set MENTOS_EMBEDDING__MODEL and MENTOS_EMBEDDING__SIZE together, beside "
            "MENTOS_INFERENCE__URL or MENTOS_MODELS__EMBEDDING"
        )
    if inference is None:
        return Local(load_emotions())
    patients = {task: Patient(task, on_failure=EMBEDDED.labels(task).inc) for task in TASKS}
    local = Local(
        ModelEmotions(inference, near=load_emotions(), patient=patients["emotion"]),
        inference,
        patients,
        _encoder(settings, inference, patients["embedding"]),
    )
    if settings.inference.url:
        UP.labels("inference").set_function(lambda: float(local.is_reached))
    await local.learn()
    return local


def _encoder(settings: Settings, inference: Inference, patient: Patient) -> ModelEncoder | None:
    """Return what the settings name, in reach or not: whose vectors are kept does not depend on who is up."""
    wanted = settings.embedding
    if wanted.model is None or wanted.size is None:
        return None
    return ModelEncoder(inference, name=wanted.model, size=wanted.size, patient=patient)


async def _inference(settings: Settings, stack: AsyncExitStack) -> Inference | None:
    """Return the inference server, the models of this process, or None where everything is embedded."""
    if settings.inference.url:
        if host := await outside(settings.inference.url):
            raise Mendable(
                f"MENTOS_INFERENCE__URL: {host} does not lie in a private network, and people are not asked about it; "
                "run 'python -m inference_server serve' beside the bot"
            )
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
    return float(patient.model is not None and not patient.has_failed)


def characters_with(settings: Settings, speech: Speech, local: Local) -> Mapping[CharacterId, Character]:
    """Read the characters. Each is rendered by the first of its renderers that is there. Raises `CharacterError`."""
    return rendered_now(characters_of(settings), settings, speech, local)


def rendered_now(
    characters: Mapping[CharacterId, Character], settings: Settings, speech: Speech, local: Local
) -> Mapping[CharacterId, Character]:
    """Return the characters as what is known to be there by now renders them.

    Without its adapter or its style a character is rendered otherwise, since the base model, or the rules, would speak
    in its name.
    """
    loras = {f"lora:{adapter}" for adapter in speech.adapters["llm"].anywhere} if settings.llm.urls else set()
    available = {*load_stylist().renderers, *local.tones, *loras, *(["prompt"] if settings.llm.urls else [])}
    return {id_: rendered(each, available) for id_, each in characters.items()}


def characters_of(settings: Settings) -> Mapping[CharacterId, Character]:
    """Read the characters of Mentos and of the data folder, with any adapter that a language model may have.

    Raises `CharacterError`, also for a character that only an inference server could render.
    """
    available = {*load_stylist().renderers, *(["prompt", "lora"] if settings.llm.urls else [])}
    return load(available=available, folders=[settings.home / "characters"])
