"""A language model behind Text Generation Inference, or any server with the same chat-completions API.

Wire: POST {url}/v1/chat/completions with `stream: true`, answered by server-sent events. What TGI does differently from
its documents is noted where it matters; read from its source at 3.3.7 (router/src/{lib,chat,server}.rs).
"""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Collection, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace

from bot.backends.faults import ChatFault, Fault
from bot.backends.replica import Asked, Replica
from bot.conversation.model import Situation
from bot.conversation.prompt import compose, tokens_at_most

Pause = tuple[float, float]
"""Seconds, at least and at most: drawn at random, so that many who were refused do not come back together."""

RETRIES: dict[Fault, tuple[int, Pause]] = {
    Fault.OVERLOADED: (3, (0.2, 2.0)),
    Fault.TOO_LONG: (1, (0.0, 0.0)),
    Fault.UNKNOWN_MODEL: (1, (0.0, 0.0)),
    Fault.FAILED: (1, (1.0, 1.5)),
    Fault.CUT: (1, (0.0, 0.2)),
    Fault.UNREACHABLE: (1, (0.0, 0.0)),
    Fault.SLOW: (1, (0.0, 0.0)),
    Fault.MALFORMED: (1, (0.0, 0.0)),
    Fault.UNAUTHORISED: (1, (0.0, 0.0)),
}
"""How often, and after what pause, a fault before the first word is answered by asking again; another at once."""

_OF_ONE_SERVER = frozenset({Fault.UNREACHABLE, Fault.SLOW, Fault.MALFORMED, Fault.UNAUTHORISED})
"""What another server may do better, and the same one will not."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """How a reply is drawn, in the terms that every server knows. `top_p` is below 1, which TGI refuses."""

    max_tokens: int = 256
    temperature: float = 0.7
    top_p: float = 0.9
    stop: tuple[str, ...] = ()


class TGI:
    """Fulfils `Responder` with the least busy of the servers that hold the model."""

    def __init__(
        self,
        replicas: Sequence[Replica],
        *,
        model: str | None = None,
        adapters: Callable[[Replica], Collection[str]] = lambda replica: (),
        sampling: Sampling,
        max_input_tokens: int,
        first_s: float,
        count: Callable[[str], int] = tokens_at_most,
        on_fault: Callable[[Fault], None] = lambda fault: None,
    ) -> None:
        """`adapters` are those that a server has. For others the base model acts the character."""
        self._replicas = replicas
        self._model = model
        self._adapters = adapters
        self._sampling = sampling
        self._max_input_tokens = max_input_tokens
        self._first_s = first_s
        self._count = count
        self._on_fault = on_fault

    async def draft(self, situation: Situation) -> AsyncGenerator[str]:
        """Stream the model's words. Raises `ChatFault` when none of the servers has them."""
        retried: Counter[Fault] = Counter()
        lacking: set[Replica] = set()
        failed: Replica | None = None
        while True:
            replica = await self._choose(failed, _adapter_of(situation))
            asked = self._asked(situation, replica, retried, lacking)
            # with another that is well there must be time left for it
            first_s = self._first_s / 2 if len(self._well()) > 1 else self._first_s
            has_spoken = False
            try:
                async with aclosing(replica.say(asked, first_s=first_s)) as pieces:
                    async for piece in pieces:
                        has_spoken = True
                        yield piece
            except ChatFault as error:
                self._on_fault(error.fault)
                retried[error.fault] += 1
                if has_spoken or not self._may_retry(error.fault, retried):
                    raise
                if error.fault is Fault.TOO_LONG and self._asked(situation, replica, retried, lacking) == asked:
                    raise
                if error.fault is Fault.UNKNOWN_MODEL:
                    lacking.add(replica)
                failed = replica
                await self._pause(error.fault, failed)
            else:
                return

    def _may_retry(self, fault: Fault, retried: Counter[Fault]) -> bool:
        most, _ = RETRIES.get(fault, (0, (0.0, 0.0)))
        if fault is Fault.UNKNOWN_MODEL:  # an adapter may be at another
            most *= len(self._replicas)
        return retried[fault] <= most and not (fault in _OF_ONE_SERVER and len(self._replicas) == 1)

    async def _pause(self, fault: Fault, failed: Replica) -> None:
        if all(replica is failed for replica in self._well()):
            least_s, most_s = RETRIES[fault][1]
            await asyncio.sleep(random.uniform(least_s, most_s))  # noqa: S311 - no secret

    async def _choose(self, failed: Replica | None, adapter: str | None) -> Replica:
        """Return the least busy server, rather one with the adapter, and rather another than the one that failed.

        Raises `ChatFault` if all are down.
        """
        looks = {each.look() for each in self._replicas if each.is_suspect and not each.is_resting}
        while looks and not self._well():
            _, looks = await asyncio.wait(looks, return_when=asyncio.FIRST_COMPLETED)
        if not self._well():
            raise ChatFault(Fault.UNREACHABLE, "every server failed a moment ago")

        def is_worse(replica: Replica) -> tuple[bool, bool, int, float]:
            lacks_adapter = adapter is not None and adapter not in self._adapters(replica)
            return replica is failed, lacks_adapter, replica.in_flight, random.random()  # noqa: S311 - no secret

        return min(self._well(), key=is_worse)

    def _well(self) -> Sequence[Replica]:
        return [replica for replica in self._replicas if not replica.is_suspect]

    def _asked(
        self, situation: Situation, replica: Replica, retried: Counter[Fault], lacking: Collection[Replica]
    ) -> Asked:
        budget = self._budget(replica)
        if retried[Fault.TOO_LONG]:
            situation, budget = replace(situation, memories=()), budget // 2
        adapter = _adapter_of(situation)
        has_adapter = adapter in self._adapters(replica) and replica not in lacking
        sampling = self._sampling
        return Asked(
            [
                {"role": message.role, "content": message.content}
                for message in compose(situation, budget=budget, count=self._count)
            ],
            {"max_tokens": sampling.max_tokens, "temperature": sampling.temperature, "top_p": sampling.top_p},
            adapter if has_adapter else self._model,
            sampling.stop,
            has_adapter,
        )

    def _budget(self, replica: Replica) -> int:
        """Return how many tokens a prompt may have, by our own setting and by what the server says."""
        about = replica.about
        limits = [self._max_input_tokens]
        if about and about.max_input_tokens:
            limits.append(about.max_input_tokens)
        if about and about.max_total_tokens:
            limits.append(about.max_total_tokens - self._sampling.max_tokens)
        return min(limits)


def _adapter_of(situation: Situation) -> str | None:
    kind, _, adapter = situation.character.renderer.partition(":")
    return adapter if kind == "lora" else None
