"""What people said, found again: vectors say where it is, and the rows of the same person what it is."""

import asyncio
import hmac
import logging
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import Any, Protocol, TypeAlias

from sqlalchemy import Connection, Row, bindparam, delete, exists, func, insert, literal, select

from bot.conversation.model import EmotionLabel, Memory, Scope, TurnId, UserId, shorten
from bot.conversation.ports import NoMemory
from storage.crypto import DataKey, Unreadable
from storage.database import Database
from storage.keys import KeyStore, NoKey
from storage.tables import consent, dialog, outbox
from storage.vectors import Embedding, Point, Vectors, VectorsUnreachable

log = logging.getLogger(__name__)

BATCH = 64
"""Rows of the outbox that are worked off at a time."""

AnyRow: TypeAlias = Row[*tuple[Any, ...]]


class Embedder(Protocol):
    """Turns text into what it can be found by: terms with their weights."""

    def document(self, question: str, text: str, *, before: str) -> Mapping[str, float]:
        """Return the terms of what somebody said, of what they were asked, and of what they had said `before` it.

        Nothing for words that say nothing to look for.
        """
        ...

    def query(self, text: str) -> Mapping[str, float]: ...


_newer = consent.alias("newer")
_REMEMBERED = (
    dialog.c.dt_answered.is_not(None),
    exists().where(
        consent.c.user_id == dialog.c.user_id,
        consent.c.scopes.contains(Scope.MEMORY),
        ~exists().where(_newer.c.user_id == consent.c.user_id, _newer.c.consent_id > consent.c.consent_id),
    ),
)
_READ_BACK = select(dialog.c.dialog_id, dialog.c.u_message, dialog.c.dt_dialog).where(
    dialog.c.user_id == bindparam("of_user"),
    dialog.c.dialog_id.in_(bindparam("found", expanding=True)),
    dialog.c.dt_answered.is_not(None),
)
_WAITING = select(outbox).order_by(outbox.c.outbox_id).limit(BATCH)
_earlier, _before = dialog.alias("earlier"), dialog.alias("before")
_ID_BEFORE = (
    select(func.max(_earlier.c.dialog_id))
    .where(
        _earlier.c.counsel_id == dialog.c.counsel_id,
        _earlier.c.user_id == dialog.c.user_id,
        _earlier.c.dialog_id < dialog.c.dialog_id,
        _earlier.c.dt_answered.is_not(None),
    )
    .scalar_subquery()
)
_TO_REMEMBER = (
    select(dialog, _before.c.u_message.label("said_before"), _before.c.ai_message.label("asked"))
    .outerjoin_from(dialog, _before, _before.c.dialog_id == _ID_BEFORE)
    .where(dialog.c.dialog_id.in_(bindparam("turns", expanding=True)), *_REMEMBERED)
)
_IS_REMEMBERED = select(func.count()).where(*_REMEMBERED, dialog.c.user_id == bindparam("of_user"))
_DONE = delete(outbox).where(outbox.c.outbox_id.in_(bindparam("done", expanding=True)))
_EVERYTHING = insert(outbox).from_select(
    ["user_id", "dialog_id", "op", "dt_outbox"],
    select(dialog.c.user_id, dialog.c.dialog_id, literal("upsert"), dialog.c.dt_answered).where(*_REMEMBERED),
)
_HOW_MANY = select(func.count()).select_from(dialog).where(*_REMEMBERED)
_HOW_MANY_WAIT = select(func.count()).select_from(outbox)


class SqlMemories:
    """Fulfils `Memories` over rows and vectors. The outbox says where to look; what is true stands in the rows.

    So the vectors can be lost, and a crash at any point is mended by working off the outbox again.
    """

    def __init__(self, *, database: Database, keys: KeyStore, vectors: Vectors, embedder: Embedder) -> None:
        self._database = database
        self._keys = keys
        self._vectors = vectors
        self._embedder = embedder
        self._draining, self._analysing = asyncio.Lock(), asyncio.Lock()
        self._has_put = self._has_deleted = False

    async def recall(self, user_id: UserId, text: str, *, without: Collection[TurnId], limit: int) -> Sequence[Memory]:
        key = await self._keys.of(user_id)
        query = _sealed(await self._analysed(partial(self._embedder.query, shorten(text))), key)
        try:
            found = await self._vectors.search(user_id, query, without=without, limit=limit)
        except VectorsUnreachable as error:
            raise NoMemory(str(error)) from error
        if not found:
            return ()
        where = {"of_user": user_id, "found": list(found)}
        rows = await self._database.read(lambda connection: connection.execute(_READ_BACK, where).all())
        memories = {
            row.dialog_id: Memory(row.dialog_id, said, row.dt_dialog)
            for row in rows
            if (said := _opened(key, row.u_message, "dialog.u_message"))
        }
        return [memories[turn_id] for turn_id in found if turn_id in memories]

    async def drain(self, *, batches: int = 2) -> bool:
        """Bring the vectors up to date with a part of the outbox. Returns whether nothing waits any more.

        Raises `VectorsUnreachable`; what waits then goes on waiting.
        """
        async with self._draining:
            for _ in range(batches):
                waiting = await self._database.read(lambda connection: connection.execute(_WAITING).all())
                if waiting:
                    await self._look_at(waiting)
                if len(waiting) < BATCH:
                    return True
            return False

    async def rebuild(self) -> None:
        """Forget all vectors, and let the outbox ask for every turn that may be remembered."""
        async with self._draining:
            await self._vectors.clear()

            def ask_for_all(connection: Connection) -> None:
                connection.execute(delete(outbox))
                connection.execute(_EVERYTHING)

            await self._database.write(ask_for_all)

    async def settle(self) -> None:
        """See that what was put survives a power cut, and that nothing is left of what was deleted."""
        async with self._draining:
            if self._has_deleted:
                await self._vectors.compact()
            elif self._has_put:
                await self._vectors.flush()
            self._has_put = self._has_deleted = False

    async def is_complete(self) -> bool:
        """Whether there are as many vectors as turns to be remembered, once nothing waits."""
        return await self._vectors.count() == await self._database.read(lambda c: c.scalar(_HOW_MANY))

    async def waiting(self) -> int:
        """Count what the outbox still holds."""
        return await self._database.read(lambda connection: int(connection.execute(_HOW_MANY_WAIT).scalar_one()))

    async def _look_at(self, waiting: Sequence[AnyRow]) -> None:
        turns: defaultdict[UserId, set[TurnId]] = defaultdict(set)
        for row in waiting:
            if row.op == "forget":
                await self._forget(row.user_id)
            else:
                turns[row.user_id].add(row.dialog_id)

        everyone = {"turns": [turn_id for of_person in turns.values() for turn_id in of_person]}
        rows = await self._database.read(lambda connection: connection.execute(_TO_REMEMBER, everyone).all())
        points = [await self._point(row) for row in rows]
        if points:
            await self._vectors.upsert(points)
            self._has_put = True
        for user_id, of_person in turns.items():
            if gone := of_person - {point.turn_id for point in points if point.user_id == user_id}:
                await self._vectors.delete(user_id, gone)
                self._has_deleted = True

        done = {"done": [row.outbox_id for row in waiting]}
        await self._database.write(lambda connection: connection.execute(_DONE, done), idempotent=True)

    async def _forget(self, user_id: UserId) -> None:
        where = {"of_user": user_id}
        if not await self._database.read(lambda connection: connection.scalar(_IS_REMEMBERED, where)):
            await self._vectors.forget(user_id)
            self._has_deleted = True

    async def _point(self, row: AnyRow) -> Point:
        """Return what a turn is found by: nothing, where it cannot be read any more."""
        embedding = Embedding({})
        try:
            key = await self._keys.of(row.user_id)
        except NoKey:  # being erased
            key = None
        if key and (text := _opened(key, row.u_message, "dialog.u_message")):
            before = _opened(key, row.said_before, "dialog.u_message")
            question = _question_in(_opened(key, row.asked, "dialog.ai_message"))
            weigh = partial(self._embedder.document, question, shorten(text), before=shorten(before))
            embedding = _sealed(await self._analysed(weigh), key)
        return Point(row.dialog_id, row.user_id, row.dt_dialog, EmotionLabel(row.dialog_emotion), embedding)

    async def _analysed(self, weigh: Callable[[], Mapping[str, float]]) -> Mapping[str, float]:
        """Weigh the words of one text at a time, and let everybody else have a turn before the next."""
        async with self._analysing:
            terms = weigh()
            await asyncio.sleep(0)
            return terms


def _opened(key: DataKey, ciphertext: bytes | None, column: str) -> str:
    """Return what was written, or nothing where nothing was or it cannot be read any more."""
    try:
        return key.decrypt(ciphertext, column=column) if ciphertext else ""
    except Unreadable as error:
        log.error("a turn cannot be read, and so not be remembered: %s", error)
        return ""


def _sealed(terms: Mapping[str, float], key: DataKey) -> Embedding:
    """Name terms by an HMAC that only this person's key makes: a plain hash is undone by hashing a dictionary."""
    sparse: defaultdict[int, float] = defaultdict(float)
    for term, weight in terms.items():
        sparse[int.from_bytes(hmac.digest(key.memory_key, term.encode(), "sha256")[:4])] += weight
    return Embedding(dict(sparse))


def _question_in(said: str) -> str:
    """Return the question that an answer ended with, if it did."""
    last = said.rsplit(". ", 1)[-1]
    return last if last.endswith("?") else ""
