"""Which adapters a server has that characters ask for: some answer for an unknown one with the base model."""

import asyncio
import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from time import monotonic

from bot.backends.faults import ChatFault, Fault
from bot.backends.replica import Asked, Replica

log = logging.getLogger(__name__)

CANARIES = ("안녕하세요. 당신은 누구인가요?", "오늘 하루가 너무 길었어요.")
"""Prompts to which an adapter and the base model answer otherwise, greedily, if the adapter is there."""
SAMPLING = {"max_tokens": 24, "temperature": 0}
WITHIN_S = 10.0
"""How long one answer is waited for."""
KNOWN_FOR_S = 600.0
"""How long an answer holds: a server that is started anew while nobody talks is not seen to be gone."""


@dataclass(frozen=True, slots=True)
class Told:
    """What one run of a server has, until when (monotonic seconds) that need not be asked again."""

    run: int
    has: frozenset[str]
    until: float


class Adapters:
    """Those of the `wanted` adapters that each server has, as its answers to canaries tell."""

    def __init__(self, wanted: Collection[str], replicas: Sequence[Replica]) -> None:
        self._wanted = sorted(wanted)
        self._replicas = replicas
        self._told: dict[Replica, Told] = {}
        self._logged: dict[Replica, str] = {}

    @property
    def anywhere(self) -> frozenset[str]:
        """Those that a server had when it was last asked, whether it is there now or not."""
        return frozenset[str]().union(*(told.has for told in self._told.values()))

    def at(self, replica: Replica) -> frozenset[str]:
        """Return those that a server can be asked for: none until they are known of its present run."""
        told = self._told.get(replica)
        return told.has if told and told.run == replica.run else frozenset()

    async def learn(self) -> None:
        """Ask the servers that are there and whose adapters are not known, or not of late."""
        await asyncio.gather(*(self._learn(replica) for replica in self._replicas if self._wanted))

    async def _learn(self, replica: Replica) -> None:
        told = self._told.get(replica)
        is_known = told is not None and told.run == replica.run and monotonic() < told.until
        is_left_alone = replica.is_resting and replica.about is not None  # not one that is only coming up
        if is_known or is_left_alone or (replica.is_suspect and not await replica.look()):
            return
        run = replica.run
        lacking = await lacking_at(replica, self._wanted)
        if lacking is None:
            self._log(replica, "whether it has its adapters cannot be told yet")
            return
        self._told[replica] = Told(run, frozenset(self._wanted) - lacking, monotonic() + KNOWN_FOR_S)
        self._log(replica, f"no adapter {', '.join(sorted(lacking))}: see LORA_ADAPTERS" if lacking else "")

    def _log(self, replica: Replica, sentence: str) -> None:
        if sentence and sentence != self._logged.get(replica):
            log.warning("%s: %s", replica.url, sentence)
        self._logged[replica] = sentence


async def lacking_at(replica: Replica, adapters: Sequence[str]) -> frozenset[str] | None:
    """Return the adapters that a server lacks, None where that cannot be told now. One prompt is asked at a time.

    TGI lists none of its adapters and answers for an unknown one as the base model (3.3.7,
    `ADAPTER_TO_INDEX.get(adapter_id, 0)`), so that only the answers tell; vLLM and others refuse it.
    """
    answers: dict[str, tuple[str, ...]] = {}
    for adapter in adapters:
        said = await _answers(replica, adapter)
        if said is None:
            return None
        answers[adapter] = said
    if not any(answers.values()):
        return frozenset(adapters)
    plain = await _answers(replica, None)
    return frozenset(adapter for adapter, said in answers.items() if said in ((), plain)) if plain else None


async def _answers(replica: Replica, model: str | None) -> tuple[str, ...] | None:
    """Return what is answered, nothing where the model is refused, and None where that cannot be told."""
    asked = [Asked([{"role": "user", "content": canary}], SAMPLING, model) for canary in CANARIES]
    try:
        return tuple([await replica.ask(each, within_s=WITHIN_S) for each in asked])
    except ChatFault as error:
        return () if error.fault in {Fault.UNKNOWN_MODEL, Fault.REFUSED} else None
