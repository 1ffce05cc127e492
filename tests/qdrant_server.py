"""A loopback stand-in for a Qdrant server: the REST calls that we use, answered by Qdrant Edge, the same engine.

Bodies are read by the client's own models, which refuse what the OpenAPI description of the server does not know. What
this cannot show is what a server does in the background: its optimizers, its shards and its memory.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import qdrant_edge as edge
from aiohttp import web
from qdrant_client import models

from storage.vectors import VectorsUnreachable
from storage.vectors_server import ServerVectors
from tests.ports import free_port

HOW_TO_GET_ONE = (
    "no Qdrant server here. Set MENTOS_TEST_QDRANT_URL=http://host:6333 to one where collections may be made"
)


class QdrantServer:
    """What was asked, as (method, path, body), and ways to fail whoever asks.

    `fault` is what happens to every request: a status, "cut" (once it was carried out), "silent", or "html".
    """

    def __init__(self, folder: Path) -> None:
        self.url = ""
        self.version = "1.20.0"
        self.api_key: str | None = None
        self.fault: int | str | None = None
        self.requests: list[tuple[str, str, Any]] = []

        self._folder = folder
        self._asked = asyncio.Condition()
        self._shards: dict[str, edge.EdgeShard] = {}
        self._runner: web.AppRunner | None = None
        self._port = free_port()

    async def start(self) -> None:
        """Listen, on the same port each time."""
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._port).start()
        self.url = f"http://127.0.0.1:{self._port}"

    async def stop(self) -> None:
        """Go away. The collections stay."""
        if self._runner:
            await self._runner.cleanup()
        self._runner = None

    async def until(self, is_so: Callable[[], object]) -> None:
        """Wait for something that a request brings about."""
        async with self._asked:
            await self._asked.wait_for(is_so)

    def collections(self) -> Sequence[str]:
        return sorted(self._shards)

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        if self.api_key not in {None, request.headers.get("api-key")}:
            return web.Response(status=401, text="Must provide an API key or an Authorization bearer token")
        body = await request.json() if request.can_read_body else None
        self.requests.append((request.method, request.path_qs, body))
        async with self._asked:
            self._asked.notify_all()
        match self.fault:
            case int(status):
                return web.json_response({"status": {"error": f"fault in {body}"}, "time": 0.0}, status=status)
            case "silent":
                await asyncio.Event().wait()
            case "html":
                return web.Response(text="<html>please log in</html>", content_type="text/html")

        answer = self._answer(request, body)
        if self.fault == "cut" and request.transport:
            request.transport.close()
        return answer

    def _answer(self, request: web.Request, body: object) -> web.Response:
        match [request.method, *request.path.strip("/").split("/")]:
            case ["GET", ""]:
                return web.json_response({"title": "qdrant - vector search engine", "version": self.version})
            case ["GET", "collections"]:
                return _result({"collections": [{"name": name} for name in self._shards]})
            case ["GET", "collections", name, "exists"]:
                return _result({"exists": name in self._shards})
            case ["PUT", "collections", name]:
                return self._create(name, models.CreateCollection.model_validate(body))
            case ["DELETE", "collections", name]:
                return _result(self._shards.pop(name, None) is not None)
            case [method, "collections", name, *path] if name in self._shards:
                has_waited = request.query.get("wait") == "true"
                return _of_collection(self._shards[name], method, "/".join(path), body, has_waited=has_waited)
        return web.json_response({"status": {"error": f"Not found: {request.path}"}, "time": 0.0}, status=404)

    def _create(self, name: str, asked: models.CreateCollection) -> web.Response:
        if name in self._shards:
            return web.json_response({"status": {"error": f"Collection `{name}` already exists!"}}, status=409)
        dense = {}
        for key, params in asked.vectors.items() if isinstance(asked.vectors, dict) else ():
            assert params.distance is models.Distance.COSINE
            dense[key] = edge.EdgeVectorParams(size=params.size, distance=edge.Distance.Cosine)
        sparse = {}
        for key, of_words in (asked.sparse_vectors or {}).items():
            modifier = edge.Modifier.Idf if of_words.modifier is models.Modifier.IDF else None
            sparse[key] = edge.EdgeSparseVectorParams(modifier=modifier)
        path = self._folder / f"{name}-{len(list(self._folder.iterdir()))}"
        config = edge.EdgeConfig(vectors=dense or None, sparse_vectors=sparse)
        self._shards[name] = edge.EdgeShard.create(str(path), config)
        return _result(result=True)


def _of_collection(shard: edge.EdgeShard, method: str, path: str, body: object, *, has_waited: bool) -> web.Response:
    match method, path:
        case "PUT", "index":
            index = models.CreateFieldIndex.model_validate(body)
            assert isinstance(index.field_schema, models.KeywordIndexParams)
            keyword = edge.KeywordIndexParams(is_tenant=index.field_schema.is_tenant)
            shard.update(edge.UpdateOperation.create_field_index(index.field_name, keyword))
        case "PUT", "points":
            put = models.PointsList.model_validate(body)
            shard.update(edge.UpdateOperation.upsert_points([_point(each) for each in put.points]))
        case "POST", "points/delete":
            among = _filter(models.FilterSelector.model_validate(body).filter)
            shard.update(edge.UpdateOperation.delete_points_by_filter(among))
        case "POST", "points/count":
            counted = models.CountRequest.model_validate(body)
            return _result({"count": shard.count(edge.CountRequest(filter=_optional(counted.filter)))})
        case "POST", "points/query":
            hits = shard.query(_query(models.QueryRequest.model_validate(body)))
            return _result({"points": [{"id": hit.id, "version": hit.version, "score": hit.score} for hit in hits]})
        case _:
            return web.json_response({"status": {"error": f"unknown here: {method} {path}"}}, status=404)
    return _result({"operation_id": 1, "status": "completed" if has_waited else "acknowledged"})


def _query(asked: models.QueryRequest) -> edge.QueryRequest:
    assert isinstance(asked.query, models.RrfQuery)
    assert isinstance(asked.prefetch, list)
    rrf = asked.query.rrf
    fusion = edge.Fusion.Rrf(k=rrf.k or 2, weights=rrf.weights)
    return edge.QueryRequest(
        limit=asked.limit or 10,
        query=fusion,  # type: ignore[arg-type]
        prefetches=[_prefetch(each) for each in asked.prefetch],
        filter=_optional(asked.filter),
    )


def _prefetch(asked: models.Prefetch) -> edge.Prefetch:
    assert asked.query is not None
    return edge.Prefetch(
        limit=asked.limit or 10,
        query=edge.Query.Nearest(_vector(asked.query), using=asked.using),
        filter=_optional(asked.filter),
        params=_params(asked.params) if asked.params else None,
        score_threshold=asked.score_threshold,
    )


def _params(asked: models.SearchParams) -> edge.SearchParams:
    assert isinstance(asked.idf, models.IdfCorpusParams)
    return edge.SearchParams(idf=edge.IdfParams(corpus=_filter(asked.idf.corpus)))


def _point(asked: models.PointStruct) -> edge.Point:
    assert isinstance(asked.vector, dict)
    vector = {name: _vector(value) for name, value in asked.vector.items()}
    return edge.Point(asked.id, vector, asked.payload)


def _vector(asked: object) -> "edge.NamedVector":
    if isinstance(asked, models.SparseVector):
        return edge.SparseVector(asked.indices, asked.values)
    assert isinstance(asked, list)
    return asked


def _optional(asked: models.Filter | None) -> edge.Filter | None:
    return _filter(asked) if asked else None


def _filter(asked: models.Filter) -> edge.Filter:
    return edge.Filter(must=_conditions(asked.must), must_not=_conditions(asked.must_not))


def _conditions(asked: object) -> "list[edge.ConditionType]":
    return [_condition(each) for each in asked] if isinstance(asked, list) else []


def _condition(asked: object) -> "edge.ConditionType":
    if isinstance(asked, models.HasIdCondition):
        return edge.HasIdCondition(set(asked.has_id))
    assert isinstance(asked, models.FieldCondition)
    assert isinstance(asked.match, models.MatchValue)
    return edge.FieldCondition(asked.key, match=edge.MatchValue(asked.match.value))


def _result(result: object) -> web.Response:
    return web.json_response({"result": result, "status": "ok", "time": 0.0})


@asynccontextmanager
async def qdrant_server(folder: Path) -> AsyncIterator[QdrantServer]:
    """Serve collections kept under an empty folder on a free loopback port, until the block is left."""
    server = QdrantServer(folder)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


def real_qdrant() -> str:
    """Give the URL of the server at `MENTOS_TEST_QDRANT_URL`; skip where it is not set."""
    if url := os.environ.get("MENTOS_TEST_QDRANT_URL"):
        return url
    pytest.skip(HOW_TO_GET_ONE)


async def connected(url: str, *, dense_size: int | None, **how: Any) -> ServerVectors:  # noqa: ANN401 - passed on
    """Return vectors that have been asked once, so that their collection is there. Raises `VectorsUnreachable`."""
    vectors = ServerVectors(url, dense_size=dense_size, **how)
    try:
        await vectors.count()
    except VectorsUnreachable:
        await vectors.close()
        raise
    return vectors
