"""Whether a server has the adapters that characters ask for: some answer for an unknown one with the base model."""

import asyncio
from collections.abc import Collection, Sequence

from bot.backends.faults import ChatFault, Fault
from bot.backends.replica import Asked, Replica

CANARIES = ("안녕하세요. 당신은 누구인가요?", "오늘 하루가 너무 길었어요.")
"""Prompts to which an adapter and the base model answer otherwise, greedily, if the adapter is there."""
SAMPLING = {"max_tokens": 24, "temperature": 0}
WITHIN_S = 5.0
"""How long one answer is waited for."""


async def missing(replicas: Sequence[Replica], adapters: Collection[str]) -> frozenset[str]:
    """Return the adapters that one of the servers lacks. A server that cannot be asked now lacks none.

    TGI lists none of its adapters and answers for an unknown one as the base model (3.3.7,
    `ADAPTER_TO_INDEX.get(adapter_id, 0)`), so that only the answers tell; vLLM and others refuse it.
    """
    lacking = await asyncio.gather(*(_missing_at(replica, list(adapters)) for replica in replicas if adapters))
    return frozenset().union(*lacking)


async def _missing_at(replica: Replica, adapters: Sequence[str]) -> frozenset[str]:
    if not await replica.look():
        return frozenset()
    plain, *answers = await asyncio.gather(*(_answers(replica, adapter) for adapter in (None, *adapters)))
    if not plain:
        return frozenset()
    return frozenset(adapter for adapter, said in zip(adapters, answers, strict=True) if said in ((), plain))


async def _answers(replica: Replica, model: str | None) -> tuple[str, ...] | None:
    """Return what is answered, nothing where the model is refused, and None where that cannot be told."""
    try:
        return tuple([await _greedy(replica, canary, model) for canary in CANARIES])
    except ChatFault as error:
        return () if error.fault in {Fault.UNKNOWN_MODEL, Fault.REFUSED} else None


async def _greedy(replica: Replica, prompt: str, model: str | None) -> str:
    pieces: list[str] = []
    asked = Asked([{"role": "user", "content": prompt}], SAMPLING, model)
    try:
        async for piece in replica.say(asked, first_s=WITHIN_S):
            pieces.append(piece)
    except ChatFault as error:
        if error.fault is not Fault.ENDLESS:
            raise
    return "".join(pieces)
