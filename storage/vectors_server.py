"""Vectors in a collection of a Qdrant server, which several processes may share."""

import json
import re
from collections.abc import Awaitable, Collection, Sequence
from http import HTTPStatus
from typing import TypeVar
from urllib.parse import urlsplit

from qdrant_client import AsyncQdrantClient, models
from qdrant_client.common.client_exceptions import QdrantException
from qdrant_client.http.exceptions import ApiException, ResponseHandlingException, UnexpectedResponse

from bot.conversation.model import TurnId, UserId
from storage.vectors import (
    FUSED_AT_LEAST,
    FUSION,
    PLACES,
    Embedding,
    Fusion,
    Point,
    VectorsUnreachable,
    check_size,
    payload_of,
    place_of,
)

T = TypeVar("T")

PATIENCE = 5
"""Seconds until a server that says nothing counts as unreachable."""

_OLDEST = (1, 19)
"""The first server that weighs a word by how rare it is among one person's points (qdrant#9661). Older ones may ignore
the wish in silence."""

_REMEDIES: dict[int, str] = {
    HTTPStatus.UNAUTHORIZED: "set the API key that it knows",
    HTTPStatus.FORBIDDEN: "set an API key that may write there",
    HTTPStatus.NOT_FOUND: "the collection is made anew; 'mentos memory rebuild' fills it",
}
_REMEDY = "see that the server runs there, has room and memory, and that the URL is right"


class ServerVectors:
    """A collection whose name says whose vectors it holds. It is looked at, and made if it is missing, when first used.

    While an encoder is exchanged for another, processes of both may run: each fills its own collection, and deletes in
    all of them.
    """

    def __init__(
        self,
        url: str,
        *,
        dense_size: int | None,
        encoder: str | None = None,
        fusion: Fusion = FUSION,
        api_key: str | None = None,
        collection: str = "mentos",
        timeout: int = PATIENCE,
    ) -> None:
        """Connects nowhere yet. `timeout` is of each request, in seconds. Raises `VectorsUnreachable` for no URL."""
        self._collection = f"{collection}_{place_of(encoder, dense_size)}"
        self._is_ours = re.compile(f"{re.escape(collection)}_({PLACES})").fullmatch
        try:
            self.where = f"{urlsplit(url).hostname}:{urlsplit(url).port or 6333}/{self._collection}"
            self._client = AsyncQdrantClient(url=url, api_key=api_key, timeout=timeout, check_compatibility=False)
        except ValueError as error:
            raise VectorsUnreachable("not the URL of a Qdrant server: write http://host:6333") from error
        self._dense_size = dense_size
        self._fusion = fusion
        self._is_prepared = False

    async def upsert(self, points: Sequence[Point]) -> None:
        for point in points:
            check_size(point.embedding, self._dense_size)
        if points:
            await self._prepare()
            await self._ask(self._client.upsert(self._collection, [_record(point) for point in points], wait=True))

    async def delete(self, user_id: UserId, turn_ids: Collection[TurnId]) -> None:
        await self._delete(models.Filter(must=[_is_of(user_id), models.HasIdCondition(has_id=list(turn_ids))]))

    async def forget(self, user_id: UserId) -> None:
        await self._delete(models.Filter(must=[_is_of(user_id)]))

    async def search(
        self, user_id: UserId, query: Embedding, *, without: Collection[TurnId], limit: int
    ) -> Sequence[TurnId]:
        check_size(query, self._dense_size)
        among = models.Filter(must=[_is_of(user_id)], must_not=[models.HasIdCondition(has_id=list(without))])
        depth = max(limit, FUSED_AT_LEAST)
        lists, weights = [], []
        if query.sparse:
            alone = models.SearchParams(idf=models.IdfCorpusParams(corpus=models.Filter(must=[_is_of(user_id)])))
            lists.append(models.Prefetch(query=_sparse(query), using="sparse", limit=depth, filter=among, params=alone))
            weights.append(self._fusion.sparse_weight)
        if query.dense:
            least = self._fusion.least_cosine
            nearest = list(query.dense)
            lists.append(
                models.Prefetch(query=nearest, using="dense", limit=depth, filter=among, score_threshold=least)
            )
            weights.append(self._fusion.dense_weight)
        if not lists:
            return ()

        await self._prepare()
        answer = await self._ask(
            self._client.query_points(
                self._collection,
                query=models.RrfQuery(rrf=models.Rrf(k=self._fusion.k, weights=weights)),
                prefetch=lists,
                query_filter=among,
                limit=limit,
                with_payload=False,
            )
        )
        return [TurnId(int(hit.id)) for hit in answer.points]

    async def count(self, user_id: UserId | None = None) -> int:
        among = models.Filter(must=[_is_of(user_id)]) if user_id else None
        await self._prepare()
        return (await self._ask(self._client.count(self._collection, count_filter=among, exact=True))).count

    async def clear(self) -> None:
        await self._prepare()
        await self._ask(self._client.delete_collection(self._collection))
        await self._create()

    async def prune(self) -> Sequence[str]:
        await self._prepare()
        others = await self._others()
        for name in others:
            await self._ask(self._client.delete_collection(name))
        return others

    async def compact(self) -> None:
        """Nothing: the server's optimizer removes what is left of deleted points, when it runs."""

    async def flush(self) -> None:
        """Nothing: the server wrote its log before it answered."""

    async def close(self) -> None:
        await self._client.close()

    async def _delete(self, among: models.Filter) -> None:
        selected = models.FilterSelector(filter=among)
        await self._prepare()
        for name in (self._collection, *await self._others()):
            await self._ask(self._client.delete(name, points_selector=selected, wait=True))

    async def _others(self) -> Sequence[str]:
        """Return the collections of other encoders, in which deleted turns may lie as well."""
        held = [each.name for each in (await self._ask(self._client.get_collections())).collections]
        return sorted(name for name in held if self._is_ours(name) and name != self._collection)

    async def _prepare(self) -> None:
        if not self._is_prepared:
            await self._check_version()
            await self._create()
            self._is_prepared = True

    async def _check_version(self) -> None:
        served = (await self._ask(self._client.info())).version
        if tuple(int(number) for number in served.split(".")[:2]) < _OLDEST:
            raise VectorsUnreachable(f"The Qdrant server at {self.where} is version {served}: install 1.19 or newer.")

    async def _create(self) -> None:
        if not await self._ask(self._client.collection_exists(self._collection)):
            await self._ask(self._create_collection())
        by_person = models.KeywordIndexParams(type=models.KeywordIndexType.KEYWORD, is_tenant=True)
        await self._ask(self._client.create_payload_index(self._collection, "user_id", by_person, wait=True))

    async def _create_collection(self) -> None:
        size = self._dense_size
        dense = {"dense": models.VectorParams(size=size, distance=models.Distance.COSINE)} if size else {}
        try:
            await self._client.create_collection(
                self._collection,
                vectors_config=dense,
                sparse_vectors_config={"sparse": models.SparseVectorParams(modifier=models.Modifier.IDF)},
                hnsw_config=models.HnswConfigDiff(m=0, payload_m=16),  # a graph for each person, none for all
            )
        except UnexpectedResponse as error:
            if error.status_code != HTTPStatus.CONFLICT:  # another process was first
                raise

    async def _ask(self, answering: Awaitable[T]) -> T:
        try:
            return await answering
        except UnexpectedResponse as error:
            self._is_prepared = self._is_prepared and error.status_code != HTTPStatus.NOT_FOUND
            said, remedy = f"status {error.status_code}", _REMEDIES.get(error.status_code or 0, _REMEDY)
        except ResponseHandlingException as error:
            said, remedy = type(error.source).__name__, _REMEDY
        except (ApiException, QdrantException, json.JSONDecodeError) as error:
            said, remedy = type(error).__name__, _REMEDY
        # without the cause, which quotes what the server said
        raise VectorsUnreachable(f"Cannot use the Qdrant server at {self.where} ({said}): {remedy}.")


def _is_of(user_id: UserId) -> models.FieldCondition:
    return models.FieldCondition(key="user_id", match=models.MatchValue(value=user_id))


def _sparse(embedding: Embedding) -> models.SparseVector:
    return models.SparseVector(indices=list(embedding.sparse), values=list(embedding.sparse.values()))


def _record(point: Point) -> models.PointStruct:
    vector: dict[str, models.Vector] = {"sparse": _sparse(point.embedding)}
    if point.embedding.dense:
        vector["dense"] = list(point.embedding.dense)
    return models.PointStruct(id=point.turn_id, vector=vector, payload=dict(payload_of(point)))
