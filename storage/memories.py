"""What people said, found again: vectors say where it is, and the rows of the same person what it is."""

import asyncio
import hmac
import logging
import math
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from time import monotonic
from typing import Any, Protocol, TypeAlias, TypeVar

from sqlalchemy import Connection, Row, bindparam, delete, exists, func, insert, literal, select, update

from bot.conversation.model import EmotionLabel, Memory, Scope, TurnId, UserId, shorten
from bot.conversation.ports import NoEncoding, NoMemory
from bot.safety.replies import is_crisis
from storage.crypto import DataKey, Unreadable
from storage.database import Database
from storage.keys import KeyStore, NoKey
from storage.rotation import rotated
from storage.tables import consent, dialog, outbox
from storage.vectors import Embedding, Point, Vectors, VectorsUnreachable

log = logging.getLogger(__name__)

BATCH, BATCH_TO_ENCODE = 64, 8
"""Rows of the outbox that are worked off at a time, without an encoder and with one, which may be slow."""

T = TypeVar("T")
AnyRow: TypeAlias = Row[*tuple[Any, ...]]
Meaning: TypeAlias = tuple[float, ...]


class Embedder(Protocol):
    """Turns text into what it can be found by: terms with their weights."""

    def document(self, question: str, text: str, *, before: str) -> Mapping[str, float]:
        """Return the terms of what somebody said, of what they were asked, and of what they had said `before` it.

        Nothing for words that say nothing to look for.
        """
        ...

    def query(self, text: str) -> Mapping[str, float]: ...


class Encoder(Protocol):
    """Turns texts into sentence vectors of one model."""

    @property
    def name(self) -> str:
        """The model, and whatever else its vectors depend on: those of two names are never compared."""
        ...

    @property
    def size(self) -> int: ...

    async def encode(self, texts: Sequence[str]) -> Sequence[tuple[float, ...]]:
        """Return a vector of `size` numbers for each text, and an empty one for a text that it cannot encode.

        Raises `NoEncoding`, after which the same texts are asked for again.
        """
        ...


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds that an encoder is waited for with a message, with a batch of turns, and let alone once it has failed."""

    query_s: float = 0.25
    batch_s: float = 10.0
    rest_s: float = 30.0


PATIENCE = Patience()


_newer = consent.alias("newer")
_REMEMBERED = (
    dialog.c.dt_answered.is_not(None),
    exists().where(
        consent.c.user_id == dialog.c.user_id,
        consent.c.scopes.contains(Scope.MEMORY),
        ~exists().where(_newer.c.user_id == consent.c.user_id, _newer.c.consent_id > consent.c.consent_id),
    ),
)
_READ_BACK = select(dialog.c.dialog_id, dialog.c.u_message, dialog.c.ai_message, dialog.c.dt_dialog).where(
    dialog.c.user_id == bindparam("of_user"),
    dialog.c.dialog_id.in_(bindparam("found", expanding=True)),
    dialog.c.dt_answered.is_not(None),
)
_UNENCODED = outbox.c.op == "encode"
"""Rows of turns that are found by their words already, and wait for the vector of their meaning."""
_BY_AGE = select(outbox).order_by(outbox.c.outbox_id).limit(bindparam("limit"))
_WAITING, _WAITING_TO_BE_ENCODED = _BY_AGE.where(~_UNENCODED), _BY_AGE.where(_UNENCODED)
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
_STILL_REMEMBERED = select(dialog.c.user_id, dialog.c.dialog_id).where(
    dialog.c.dialog_id.in_(bindparam("turns", expanding=True)), *_REMEMBERED
)
_IS_REMEMBERED = select(func.count()).where(*_REMEMBERED, dialog.c.user_id == bindparam("of_user"))
_DONE = delete(outbox).where(outbox.c.outbox_id.in_(bindparam("done", expanding=True)))
_LATER = update(outbox).where(outbox.c.outbox_id.in_(bindparam("later", expanding=True))).values(op="encode")
_ASKED_ANYWAY = delete(outbox).where(outbox.c.op.in_(["upsert", "encode"]))
_EVERYTHING = insert(outbox).from_select(
    ["user_id", "dialog_id", "op", "dt_outbox"],
    select(dialog.c.user_id, dialog.c.dialog_id, literal("upsert"), dialog.c.dt_answered).where(*_REMEMBERED),
)
_HOW_MANY = select(func.count()).select_from(dialog).where(*_REMEMBERED)
_HOW_MANY_WAIT = select(func.count()).select_from(outbox).where(~_UNENCODED)
_HOW_MANY_WAIT_TO_BE_ENCODED = select(func.count()).select_from(outbox).where(_UNENCODED)


@dataclass(frozen=True, slots=True)
class _Told:
    """A turn as it can be read now: without a key, words or terms where it cannot be.

    One that was answered as danger `stays_here`: no encoder hears it, and it is found by its words.
    """

    row: AnyRow
    key: DataKey | None = None
    words: str = ""
    terms: Mapping[str, float] = field(default_factory=dict)
    stays_here: bool = False

    @property
    def has_meaning(self) -> bool:
        return bool(self.terms) and not self.stays_here


class SqlMemories:
    """Fulfils `Memories` over rows and vectors. The outbox says where to look; what is true stands in the rows.

    So the vectors can be lost, and a crash at any point is mended by working off the outbox again.
    """

    def __init__(
        self,
        *,
        database: Database,
        keys: KeyStore,
        vectors: Vectors,
        embedder: Embedder,
        encoder: Encoder | None = None,
        patience: Patience = PATIENCE,
        on_no_encoding: Callable[[], object] = lambda: None,
    ) -> None:
        """`on_no_encoding` is called whenever a message or a batch of turns has to do without its meaning."""
        self._database = database
        self._keys = keys
        self._vectors = vectors
        self._embedder = embedder
        self._encoder = encoder
        self._batch = BATCH_TO_ENCODE if encoder else BATCH
        self._patience = patience
        self._on_no_encoding = on_no_encoding
        self._draining, self._analysing = asyncio.Lock(), asyncio.Lock()
        self._has_put = self._has_deleted = False
        self._rests_until = -math.inf

    async def recall(self, user_id: UserId, text: str, *, without: Collection[TurnId], limit: int) -> Sequence[Memory]:
        key = await self._keys.of(user_id)
        said = shorten(text)
        meanings, terms = await asyncio.gather(  # the encoder is asked first, and works while words are analysed here
            self._encoded([said], within_s=self._patience.query_s, rests_when_late=False),
            self._analysed(partial(self._embedder.query, said)),
        )
        query = Embedding(_sealed(terms, key), self._turned(meanings[0], key) if terms and meanings else None)
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
            if (said := _opened(key, row.u_message, "dialog.u_message")) and not _was_danger(row, key)
        }
        return [memories[turn_id] for turn_id in found if turn_id in memories]

    async def drain(self, *, batches: int = 2) -> bool:
        """Bring the vectors up to date with a part of the outbox. Returns whether nothing waits that can be done now.

        Raises `VectorsUnreachable`; what waits then goes on waiting.
        """
        async with self._draining:
            for _ in range(batches):
                waiting = await self._waiting()
                if waiting:
                    await self._look_at(waiting)
                if len(waiting) < self._batch:
                    return True
            return False

    async def rebuild(self) -> None:
        """Forget all vectors, and let the outbox ask for every turn that may be remembered.

        What it says of the deleted stays: other encoders' vectors may hold them.
        """
        async with self._draining:
            await self._vectors.clear()

            def ask_for_all(connection: Connection) -> None:
                connection.execute(_ASKED_ANYWAY)
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
        """Count what the outbox still holds, but for what waits for the encoder alone."""
        return await self._database.read(lambda connection: int(connection.execute(_HOW_MANY_WAIT).scalar_one()))

    async def unencoded(self) -> int:
        """Count the turns that wait for the encoder, and are found by their words meanwhile."""
        return await self._database.read(
            lambda connection: int(connection.execute(_HOW_MANY_WAIT_TO_BE_ENCODED).scalar_one())
        )

    async def _waiting(self) -> Sequence[AnyRow]:
        """Return the oldest rows of the outbox; those that wait for the encoder come last, and when it may be asked.

        A process without an encoder leaves them to one that has it.
        """

        def read(connection: Connection) -> Sequence[AnyRow]:
            rows = connection.execute(_WAITING, {"limit": self._batch}).all()
            if not may_encode or len(rows) == self._batch:
                return rows
            return [*rows, *connection.execute(_WAITING_TO_BE_ENCODED, {"limit": self._batch - len(rows)})]

        may_encode = self._encoder is not None and not self._is_resting
        return await self._database.read(read)

    async def _look_at(self, waiting: Sequence[AnyRow]) -> None:
        turns: defaultdict[UserId, set[TurnId]] = defaultdict(set)
        for row in waiting:
            if row.op == "forget":
                await self._forget(row.user_id)
            else:
                turns[row.user_id].add(row.dialog_id)

        everyone = {"turns": [turn_id for of_person in turns.values() for turn_id in of_person]}
        rows = await self._database.read(lambda connection: connection.execute(_TO_REMEMBER, everyone).all())
        told = [await self._told(row) for row in rows]
        texts = [each.words for each in told if each.has_meaning]
        meanings = await self._encoded(texts, within_s=self._patience.batch_s) if texts else ()
        if points := await self._points(told, meanings or [()] * len(texts)):
            await self._vectors.upsert(points)
            self._has_put = True

        # looked at again: the encoder takes time, in which another process may have worked off a deletion
        kept = await self._database.read(lambda connection: connection.execute(_STILL_REMEMBERED, everyone).all())
        for user_id, of_person in turns.items():
            if gone := of_person - {row.dialog_id for row in kept if row.user_id == user_id}:
                await self._vectors.delete(user_id, gone)
                self._has_deleted = True

        has_failed = self._encoder is not None and meanings is None
        unencoded = {each.row.dialog_id for each in told if each.has_meaning and has_failed}
        later = {"later": [row.outbox_id for row in waiting if row.dialog_id in unencoded]}
        done = {"done": [row.outbox_id for row in waiting if row.dialog_id not in unencoded]}

        def tick_off(connection: Connection) -> None:
            connection.execute(_DONE, done)
            if unencoded:
                connection.execute(_LATER, later)

        await self._database.write(tick_off, idempotent=True)

    async def _forget(self, user_id: UserId) -> None:
        where = {"of_user": user_id}
        if not await self._database.read(lambda connection: connection.scalar(_IS_REMEMBERED, where)):
            await self._vectors.forget(user_id)
            self._has_deleted = True

    async def _told(self, row: AnyRow) -> _Told:
        try:
            key = await self._keys.of(row.user_id)
        except NoKey:  # being erased
            return _Told(row)
        words = shorten(_opened(key, row.u_message, "dialog.u_message"))
        if not words:
            return _Told(row)
        before = shorten(_opened(key, row.said_before, "dialog.u_message"))
        question = _question_in(_opened(key, row.asked, "dialog.ai_message"))
        terms = await self._analysed(partial(self._embedder.document, question, words, before=before))
        return _Told(row, key, words, terms, _was_danger(row, key))

    async def _points(self, told: Sequence[_Told], meanings: Sequence[Meaning]) -> Sequence[Point]:
        """Return what turns are found by: the meanings belong to those that have one, in order."""
        left = iter(meanings)
        points = []
        for each in told:
            embedding = Embedding({})
            if each.key and each.terms:
                dense = await self._analysed(partial(self._turned, next(left), each.key)) if each.has_meaning else None
                embedding = Embedding(_sealed(each.terms, each.key), dense)
            row = each.row
            points.append(Point(row.dialog_id, row.user_id, row.dt_dialog, EmotionLabel(row.dialog_emotion), embedding))
        return points

    async def _analysed(self, work: Callable[[], T]) -> T:
        """Work on one text at a time, and let everybody else have a turn before the next."""
        async with self._analysing:
            outcome = work()
            await asyncio.sleep(0)
            return outcome

    @property
    def _is_resting(self) -> bool:
        return monotonic() < self._rests_until

    async def _encoded(
        self, texts: Sequence[str], *, within_s: float, rests_when_late: bool = True
    ) -> Sequence[Meaning] | None:
        """Return the vector of each text; None where there is no encoder, or it is slow, gone or let alone."""
        if self._encoder is None:
            return None
        if self._is_resting:
            self._on_no_encoding()
            return None
        try:
            async with asyncio.timeout(within_s):
                return _checked(await self._encoder.encode(texts), self._encoder, of=len(texts))
        except (NoEncoding, TimeoutError) as error:
            is_late = isinstance(error, TimeoutError)
            reason = f"{self._encoder.name} said nothing within {within_s} s" if is_late else error
            log.warning("remembered or recalled by words alone: %s", reason)
            self._on_no_encoding()
            if rests_when_late or not is_late:
                self._rests_until = monotonic() + self._patience.rest_s
            return None

    def _turned(self, meaning: Meaning, key: DataKey) -> Meaning | None:
        """Turn a vector as only this person's are turned; nothing, where a text had none."""
        if not self._encoder or not any(meaning):
            return None
        return rotated(meaning, key=key.memory_key, encoder=self._encoder.name)


def _checked(meanings: Sequence[Meaning], encoder: Encoder, *, of: int) -> Sequence[Meaning]:
    """Return what an encoder answered. Raises `NoEncoding` where it is not what its name and size promise."""
    sizes = {len(meaning) for meaning in meanings} - {0, encoder.size}
    if len(meanings) != of or sizes:
        raise NoEncoding(
            f"{encoder.name} answered {of} texts with {len(meanings)} vectors of sizes {sorted(sizes)}, "
            f"not of size {encoder.size}: see that it serves this model"
        )
    return [meaning if all(map(math.isfinite, meaning)) else () for meaning in meanings]


def _opened(key: DataKey, ciphertext: bytes | None, column: str) -> str:
    """Return what was written, or nothing where nothing was or it cannot be read any more."""
    try:
        return key.decrypt(ciphertext, column=column) if ciphertext else ""
    except Unreadable as error:
        log.error("a turn cannot be read, and so not be remembered: %s", error)
        return ""


def _was_danger(row: AnyRow, key: DataKey) -> bool:
    """Whether a turn was answered as danger: nobody is reminded of it, and no model hears it again."""
    return is_crisis(_opened(key, row.ai_message, "dialog.ai_message"))


def _sealed(terms: Mapping[str, float], key: DataKey) -> Mapping[int, float]:
    """Name terms by an HMAC that only this person's key makes: a plain hash is undone by hashing a dictionary."""
    sparse: defaultdict[int, float] = defaultdict(float)
    for term, weight in terms.items():
        sparse[int.from_bytes(hmac.digest(key.memory_key, term.encode(), "sha256")[:4])] += weight
    return dict(sparse)


def _question_in(said: str) -> str:
    """Return the question that an answer ended with, if it did."""
    last = said.rsplit(". ", 1)[-1]
    return last if last.endswith("?") else ""
