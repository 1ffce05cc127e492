"""What memories are searched by: vectors, opaque ids and labels, no text. All of it can be made again from the rows."""

import hashlib
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from bot.conversation.model import EmotionLabel, Mendable, TurnId, UserId

FUSED_AT_LEAST = 50
"""How many of each list are fused, however few are asked for."""


class VectorsUnreachable(Mendable, ConnectionError):
    """Vectors cannot be used at all. Says where they were looked for and what to do, never a payload."""


@dataclass(frozen=True, slots=True)
class Fusion:
    """How much the words and the meaning of a query count for where both are known.

    Reciprocal rank fusion (Cormack, Clarke and Büttcher, 2009), as Qdrant weighs it: a place in a list, from 0 on, is
    worth 1 / ((place + 1) / weight + k - 1). Each encoder wants its own: `bench/recall_quality.py --encoder` measures.
    These are chosen with all-MiniLM-L6-v2, which knows English, on LoCoMo.
    """

    sparse_weight: float = 1.0
    dense_weight: float = 0.3
    k: int = 2
    least_cosine: float | None = 0.3
    """What is less alike in meaning is not found by it. With None a message that has to do with nothing finds most."""


FUSION = Fusion()


@dataclass(frozen=True, slots=True)
class Embedding:
    """What a text is about. `sparse` weighs the HMACs (uint32) of its morphemes; `dense` is a sentence encoder's."""

    sparse: Mapping[int, float]
    dense: tuple[float, ...] | None = None


@dataclass(frozen=True, slots=True)
class Point:
    """A turn, as far as a search may know it."""

    turn_id: TurnId
    user_id: UserId
    at: datetime
    emotion: EmotionLabel
    embedding: Embedding


class Vectors(Protocol):
    """Points of all people, each of whom is alone: their searches, and the rarity of their words, know no other's.

    The vectors of two encoders never meet: each has a place of its own, of which one is searched and filled. What is
    deleted is deleted in all of them.
    """

    where: str
    """The place in words, for people."""

    async def upsert(self, points: Sequence[Point]) -> None:
        """Put points, replacing those of the same turn. When this returns, the death of the process loses none."""
        ...

    async def delete(self, user_id: UserId, turn_ids: Collection[TurnId]) -> None: ...

    async def forget(self, user_id: UserId) -> None:
        """Delete every point of one person."""
        ...

    async def search(
        self, user_id: UserId, query: Embedding, *, without: Collection[TurnId], limit: int
    ) -> Sequence[TurnId]:
        """Return the turns of this person that have to do with the query, the fittest first."""
        ...

    async def count(self, user_id: UserId | None = None) -> int: ...

    async def clear(self) -> None:
        """Remove all points of this encoder, and what is left of deleted ones."""
        ...

    async def prune(self) -> Sequence[str]:
        """Remove the places of other encoders, and return their names."""
        ...

    async def compact(self) -> None:
        """Remove what is left of deleted points, where that is ours to do."""
        ...

    async def flush(self) -> None:
        """See that the death of the machine loses nothing either."""
        ...

    async def close(self) -> None: ...


def place_of(encoder: str | None, dense_size: int | None) -> str:
    """Return a name, fit for folders and collections, for where the vectors of one encoder lie.

    Another encoder has another, however alike the two are called: `ko-sroberta-multitask-04e5cfb7_768`.
    """
    if dense_size is None:
        return "sparse"
    if encoder is None:
        return str(dense_size)
    readable = re.sub(r"[^a-z0-9]+", "-", encoder.rpartition("/")[2].lower()).strip("-")[:40]
    return f"{readable}-{hashlib.sha256(encoder.encode()).hexdigest()[:8]}_{dense_size}"


PLACES = r"sparse|([a-z0-9-]*-[0-9a-f]{8}_)?[0-9]+"
"""All that `place_of` returns, as a regular expression."""


def payload_of(point: Point) -> dict[str, str]:
    """All that is stored beside a point's vectors."""
    return {"user_id": point.user_id, "at": point.at.astimezone(UTC).isoformat(), "emotion": point.emotion.value}


def check_size(embedding: Embedding, dense_size: int | None) -> None:
    """Raise ValueError for a dense vector of another encoder than the one whose vectors are kept."""
    if embedding.dense is not None and len(embedding.dense) != dense_size:
        raise ValueError(f"a dense vector of size {len(embedding.dense)}, where size {dense_size} is kept")
