"""Vectors in a folder that this process holds: one Qdrant Edge shard, spoken to from one thread.

The engine (0.9.0) keeps Python's lock in every call, so what it is asked must be small: the event loop waits as well.
Beside the shards lies a layout file that names the one to be trusted. It is away while that shard is loaded, and from
the moment that the engine fails: a folder without it is made anew when it is opened next.
"""

import asyncio
import fcntl
import json
import os
import shutil
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from tempfile import mkdtemp
from typing import TypeVar

import qdrant_edge as edge

from bot.conversation.model import TurnId, UserId
from storage.vectors import (
    FUSED_AT_LEAST,
    FUSION,
    Embedding,
    Fusion,
    Point,
    VectorsUnreachable,
    check_size,
    payload_of,
    place_of,
)

T = TypeVar("T")

FORMAT = 1
"""Of what is kept in a shard. Another number, engine version or encoder makes the folder anew."""

BATCH = 100
"""Points that the engine is handed at once: it keeps Python's lock meanwhile, about 5 ms."""

LEAST_ROOM = 64 * 2**20
"""Free bytes without which nothing is written: on a full disk the engine's memory maps end the whole process."""

_LOCK, _LAYOUT, _SHARD = "lock", "layout.json", "shard-"


class EdgeVectors:
    """An open folder. `reason` says why, if what was in it had to be made anew.

    It holds the vectors of one encoder: opened with another, it is emptied at once. As no second process can be using
    those of the first, they would serve nobody, and whoever is forgotten later is not left in them.
    """

    def __init__(self, folder: Path, *, dense_size: int | None, encoder: str | None, fusion: Fusion) -> None:
        self.where = str(folder)
        self.reason: str | None = None

        self._folder = folder
        self._dense_size = dense_size
        self._place = place_of(encoder, dense_size)
        self._fusion = fusion
        self._shards: list[_Shard] = []  # the one that is searched, and one that is about to replace it
        self._replacing = asyncio.Lock()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="vectors")

    @classmethod
    async def open(
        cls, folder: Path, *, dense_size: int | None, encoder: str | None = None, fusion: Fusion = FUSION
    ) -> "EdgeVectors":
        """Take the folder and load what it holds, or make it anew where that cannot be trusted.

        Raises `VectorsUnreachable` where the folder is held by another process, cannot be written, or has no room.
        """
        vectors = cls(folder, dense_size=dense_size, encoder=encoder, fusion=fusion)
        try:
            await vectors._run(vectors._open)
        except BaseException:
            vectors._thread.shutdown()
            raise
        return vectors

    async def upsert(self, points: Sequence[Point]) -> None:
        for point in points:
            check_size(point.embedding, self._dense_size)
        for start in range(0, len(points), BATCH):
            await self._run(partial(self._upsert, points[start : start + BATCH]))

    async def delete(self, user_id: UserId, turn_ids: Collection[TurnId]) -> None:
        among = edge.Filter(must=[_is_of(user_id), edge.HasIdCondition(set(turn_ids))])
        await self._run(lambda: self._update(edge.UpdateOperation.delete_points_by_filter(among)))

    async def forget(self, user_id: UserId) -> None:
        """Delete every point of one person. `compact` removes what is left of them in the files."""
        theirs = edge.Filter(must=[_is_of(user_id)])
        await self._run(lambda: self._update(edge.UpdateOperation.delete_points_by_filter(theirs)))

    async def search(
        self, user_id: UserId, query: Embedding, *, without: Collection[TurnId], limit: int
    ) -> Sequence[TurnId]:
        check_size(query, self._dense_size)
        return await self._run(partial(self._search, user_id, query, without, limit))

    async def count(self, user_id: UserId | None = None) -> int:
        counted = edge.CountRequest(filter=edge.Filter(must=[_is_of(user_id)]) if user_id else None)
        return await self._run(lambda: self._shards[0].engine.count(counted))

    async def clear(self) -> None:
        async with self._replacing:
            await self._run(lambda: self._trust(self._create()))

    async def prune(self) -> Sequence[str]:
        """Nothing: opening the folder removed what other encoders had left."""
        return ()

    async def compact(self) -> None:
        """Move the points that live into a new shard and remove the old one, in whose files deleted points still lie.

        Everything else goes on meanwhile.
        """
        async with self._replacing:
            fresh = await self._run(self._create)
            self._shards.append(fresh)  # from here on, every write reaches both
            try:
                batches = _batches(self._shards[0].engine)
                while await self._run(lambda: _copy(batches, fresh.engine)):
                    pass
                await self._run(fresh.flush)
                await self._run(lambda: self._trust(fresh))
            finally:
                del self._shards[1:]

    async def flush(self) -> None:
        await self._run(lambda: self._shards[0].flush())

    async def close(self) -> None:
        async with self._replacing:
            try:
                await self._run(self._close)
            finally:
                self._thread.shutdown()

    # In the thread.

    async def _run(self, fn: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._heard, fn)

    def _heard(self, fn: Callable[[], T]) -> T:
        try:
            return fn()
        except VectorsUnreachable:  # which is an OSError too
            raise
        except OSError as error:
            raise VectorsUnreachable(
                f"The memory index in {self.where} cannot be used ({error.strerror}): see that its disk has room and "
                "that this user may write there, then start Mentos again."
            ) from error
        except BaseException as error:
            if not _is_the_engines(error):
                raise
            self._layout.unlink(missing_ok=True)
            raise VectorsUnreachable(
                f"The memory index in {self.where} is damaged: see that its disk has room, then start Mentos again, "
                "and it is made anew from the rows."
            ) from error

    @property
    def _layout(self) -> Path:
        return self._folder / _LAYOUT

    def _open(self) -> None:
        self._lock = _take(self._folder)
        try:
            self._see_room()
            shard = self._load()
            self._trust(shard or self._create())
        except BaseException:
            os.close(self._lock)
            raise

    def _load(self) -> "_Shard | None":
        """Load the shard that the layout file names, or leave in `reason` why it is not to be trusted."""
        try:
            layout = json.loads(self._layout.read_bytes())
            path, made_by = self._folder / layout["shard"], layout["made_by"]
        except FileNotFoundError:
            is_new = not any(self._folder.glob(f"{_SHARD}*"))
            self.reason = None if is_new else "it was damaged, or its making was cut short"
            return None
        except (ValueError, TypeError, KeyError):
            self.reason = "its layout file cannot be read"
            return None
        if made_by != self._made_by():
            self.reason = "it was made by another version, or by another encoder"
            return None

        self._layout.unlink()
        try:
            shard = _Shard(path, edge.EdgeShard.load(str(path)))
            for _ in _batches(shard.engine):  # some damage shows only when it is read
                pass
        except BaseException as error:
            if not _is_the_engines(error):
                raise
            if "WouldBlock" in str(error):  # its write-ahead log is locked
                self._write_layout(path)
                raise _held(self._folder) from error
            self.reason = "it was damaged"
            return None
        if (
            "user_id" not in shard.engine.info().payload_schema
        ):  # the engine loads a shard without segments as an empty one
            self.reason = "it was damaged"
            return None
        return shard

    def _create(self) -> "_Shard":
        self._see_room()
        path = Path(mkdtemp(prefix=f"{_SHARD}{self._place}-", dir=self._folder))
        dense = (
            edge.EdgeVectorParams(size=self._dense_size, distance=edge.Distance.Cosine) if self._dense_size else None
        )
        config = edge.EdgeConfig(
            vectors={"dense": dense} if dense else None,
            sparse_vectors={"sparse": edge.EdgeSparseVectorParams(modifier=edge.Modifier.Idf)},
            max_search_threads=1,  # a person's points are few: more threads are slower
        )
        shard = _Shard(path, edge.EdgeShard.create(str(path), config))
        by_person = edge.KeywordIndexParams(is_tenant=True)
        shard.engine.update(edge.UpdateOperation.create_field_index("user_id", by_person))
        return shard

    def _trust(self, shard: "_Shard") -> None:
        """Let this shard be the one, also at the next start, and remove every other."""
        self._write_layout(shard.path)
        before, self._shards = self._shards, [shard]
        for each in before:
            if each is not shard:
                each.engine.close()
        for other in self._folder.glob(f"{_SHARD}*"):
            if other != shard.path:
                shutil.rmtree(other)

    def _write_layout(self, path: Path) -> None:
        draft = self._layout.with_suffix(".new")
        draft.write_text(json.dumps({"shard": path.name, "made_by": self._made_by()}))
        draft.replace(self._layout)

    def _made_by(self) -> dict[str, str | int]:
        return {"engine": version("qdrant-edge-py"), "format": FORMAT, "vectors": self._place}

    def _see_room(self) -> None:
        if shutil.disk_usage(self._folder).free < LEAST_ROOM:
            raise VectorsUnreachable(
                f"The disk of {self.where} has less than {LEAST_ROOM // 2**20} MiB left: make room there, and what was "
                "said meanwhile is remembered then."
            )

    def _update(self, operation: edge.UpdateOperation) -> None:
        self._see_room()
        for shard in self._shards:
            shard.engine.update(operation)

    def _upsert(self, points: Sequence[Point]) -> None:
        self._update(edge.UpdateOperation.upsert_points([_record(point) for point in points]))

    def _search(self, user_id: UserId, query: Embedding, without: Collection[TurnId], limit: int) -> Sequence[TurnId]:
        among = edge.Filter(must=[_is_of(user_id)], must_not=[edge.HasIdCondition(set(without))])
        depth = max(limit, FUSED_AT_LEAST)
        lists, weights = [], []
        if query.sparse:
            nearest = edge.Query.Nearest(_sparse(query), using="sparse")
            alone = edge.SearchParams(idf=edge.IdfParams(corpus=edge.Filter(must=[_is_of(user_id)])))
            lists.append(edge.Prefetch(limit=depth, query=nearest, filter=among, params=alone))
            weights.append(self._fusion.sparse_weight)
        if query.dense:
            nearest = edge.Query.Nearest(list(query.dense), using="dense")
            least = self._fusion.least_cosine
            lists.append(edge.Prefetch(limit=depth, query=nearest, filter=among, score_threshold=least))
            weights.append(self._fusion.dense_weight)
        if not lists:
            return ()

        fusion = edge.Fusion.Rrf(k=self._fusion.k, weights=weights)
        request = edge.QueryRequest(limit=limit, query=fusion, prefetches=lists, filter=among)  # type: ignore[arg-type]
        return [TurnId(int(str(hit.id))) for hit in self._shards[0].engine.query(request)]

    def _close(self) -> None:
        try:
            for shard in self._shards:
                shard.flush()
                shard.engine.close()
        finally:
            os.close(self._lock)


@dataclass(frozen=True, slots=True)
class _Shard:
    path: Path
    engine: edge.EdgeShard

    def flush(self) -> None:
        """Write everything to the disk, most of it before the engine does: it keeps Python's lock while it waits."""
        for file in self.path.rglob("*"):
            if file.is_file():
                with file.open("rb") as opened:
                    os.fsync(opened.fileno())
        self.engine.flush()


def _take(folder: Path) -> int:
    """Lock the folder until the returned file is closed."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise VectorsUnreachable(
            f"The memory index cannot be kept in {folder} ({error.strerror}): let this user write there, or set "
            "MENTOS_HOME to another folder."
        ) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        raise _held(folder) from None
    return lock


def _held(folder: Path) -> VectorsUnreachable:
    return VectorsUnreachable(
        f"The memory index in {folder} is in use by another process: stop that, or set MENTOS_HOME to another folder."
    )


def _is_the_engines(error: BaseException) -> bool:
    """Whether the engine says so: it raises bare `Exception`, and a panic is no `Exception` at all."""
    return type(error) is Exception or type(error).__module__ == "pyo3_runtime"


def _is_of(user_id: UserId) -> edge.FieldCondition:
    return edge.FieldCondition("user_id", match=edge.MatchValue(user_id))


def _sparse(embedding: Embedding) -> edge.SparseVector:
    return edge.SparseVector(list(embedding.sparse), list(embedding.sparse.values()))


def _record(point: Point) -> edge.Point:
    vector: dict[str, edge.NamedVector] = {"sparse": _sparse(point.embedding)}
    if point.embedding.dense:
        vector["dense"] = list(point.embedding.dense)
    return edge.Point(point.turn_id, vector, payload_of(point))


def _batches(shard: edge.EdgeShard) -> Iterator[list[edge.Record]]:
    """Read every point of a shard as it is now, or is when its turn comes."""
    offset = None
    while True:
        request = edge.ScrollRequest(offset=offset, limit=BATCH, with_payload=True, with_vector=True)
        records, offset = shard.scroll(request)
        yield records
        if offset is None:
            return


def _copy(batches: Iterator[list[edge.Record]], into: edge.EdgeShard) -> bool:
    """Copy the next batch, if there is one."""
    records = next(batches, None)
    if records:
        points = [edge.Point(each.id, each.vector or {}, each.payload) for each in records]
        into.update(edge.UpdateOperation.upsert_points(points))
    return records is not None
