"""Where needs and fulfilments meet: the only room that knows both."""

import asyncio
import itertools
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from prometheus_client import Counter, Histogram

from bot.backends.consent import AssumedConsent, Nobody
from bot.backends.embedded import load_embedder, load_emotions
from bot.backends.inference import ModelEncoder
from bot.backends.replica import Replica
from bot.backends.resilience import Amnesia, Forgetful
from bot.conversation.counsellor import Counsellor
from bot.conversation.model import Character, CharacterId, Kind, Mendable, Message, Part, Scope
from bot.conversation.off_record import OffTheRecord
from bot.conversation.ports import Conversation, Journal, Memories, People
from bot.journal.pages import Pages
from bot.models import Local, Speech, characters_with, local_of, rendered_now, speech_of
from bot.resources import strings
from bot.safety.assess import assess
from bot.safety.replies import unable
from bot.settings import Settings
from storage.counsels import SqlCounsels, SqlPeople
from storage.database import Database, DatabaseUnreachable, open_database
from storage.keys import KeyStore, create_master_key, parse_master_key, read_master_key
from storage.memories import SqlMemories
from storage.schema import migrate
from storage.vectors import Fusion, Vectors, VectorsUnreachable

log = logging.getLogger(__name__)

MESSAGES = Counter("mentos_messages", "Messages heard", ["messenger"])
PARTS = Counter("mentos_reply_parts", "Parts of replies, by kind", ["kind"])
APOLOGIES = Counter("mentos_apologies", "Replies that failed and became an apology", ["error"])
FORGOTTEN = Counter("mentos_recalls_failed", "Replies without memories because these could not be searched")
UNENCODED = Counter("mentos_unencoded", "Messages and batches of turns that had to do without their meaning")
GATED = Counter("mentos_sentences_gated", "Sentences replaced because of what they said", ["fault"])
REACH_S = 2
LEARN_EVERY_S = 5.0
"""Between two looks at what the servers have."""
TURNS_UNTIL_REMEMBERED = 8
BATCHES_AT_START = 8
SECONDS = Histogram("mentos_reply_seconds", "From a message heard to the last part of its reply", ["messenger"])


@dataclass(frozen=True, slots=True)
class Storage:
    """What is open while people are remembered."""

    rows: Database
    keys_at: Database
    people: SqlPeople
    counsels: SqlCounsels
    memories: SqlMemories
    vectors: Vectors
    master_key: str
    """Where the master key came from, for people."""
    is_relearning: bool
    """Whether the vectors were lost, and are made again from the rows."""


@dataclass(frozen=True, slots=True)
class Mentos:
    """Everything, put together and running."""

    settings: Settings
    conversation: Conversation
    journal: Journal
    characters: dict[CharacterId, Character]
    words: Mapping[str, Mapping[str, str]]
    storage: Storage | None
    speech: Speech
    local: Local
    failed: dict[str, str] = field(default_factory=dict)
    """What is down for good, a door mostly, and the kind of error that felled it."""

    async def check(self) -> dict[str, str]:
        """Ask every part how it is: `ok`, or one word of why not."""
        models = {part: await _reach_any(replicas) for part, replicas in self.speech.replicas.items()}
        if self.settings.inference.url:
            models["inference"] = "ok" if self.local.is_reached else "unreachable"
        models |= {task: "embedded" if self.local.patients[task].has_failed else "ok" for task in self.local.models}
        if self.storage is None:
            return {**models, **self.failed}
        return {
            "database": await _reach(self.storage.rows),
            "keys": await _reach(self.storage.keys_at),
            "memory": await _reach_vectors(self.storage.vectors),
            **models,
            **self.failed,
        }

    async def learn(self) -> None:
        """See which adapters and styles the servers have by now, and have the characters rendered by what is there."""
        for part in (self.local, self.speech):
            await part.learn()
            characters = rendered_now(self.characters, self.settings, self.speech, self.local)
            if characters != self.characters and self.storage:
                await self.storage.counsels.write_characters(list(characters.values()))
            self.characters.update(characters)

    async def sweep(self) -> None:
        """End counsels that fell silent, and delete what has been kept for long enough."""
        if self.storage is None:
            return
        retention = self.settings.retention
        await self.storage.counsels.end_idle(now() - timedelta(minutes=self.settings.counsel.idle_minutes))
        await self.storage.counsels.expire(
            guests_before=now() - timedelta(hours=retention.guest_hours),
            turns_before=now() - timedelta(days=retention.turn_days) if retention.turn_days else None,
            at=now(),
        )

    async def remember(self) -> None:
        """Work off what the outbox holds, a part at a time so that recalls come between."""
        if self.storage is None:
            return
        try:
            while not await self.storage.memories.drain():
                pass
        except VectorsUnreachable as error:
            log.warning("what was said is not yet remembered: %s", error)

    async def settle(self) -> None:
        """See to the files of the memories: what is new survives a power cut, and nothing is left of what is gone."""
        if self.storage:
            await _settle(self.storage.memories)


def now() -> datetime:
    return datetime.now(UTC)


class Apologising:
    """Fulfils `Conversation`: the one place where a failure becomes words for a person."""

    def __init__(self, conversation: Conversation, *, language: str) -> None:
        self._conversation = conversation
        self._language = language

    async def respond(self, message: Message) -> AsyncIterator[Part]:
        MESSAGES.labels(message.account.messenger).inc()
        with SECONDS.labels(message.account.messenger).time():
            try:
                async for part in self._conversation.respond(message):
                    PARTS.labels(part.kind).inc()
                    yield part
            except Exception as error:  # noqa: BLE001 - whatever broke, somebody waits for words
                kind = type(error).__name__
                APOLOGIES.labels(kind).inc()
                # only what says how to mend it is fit for a log: other errors may quote the person
                said = str(error) if isinstance(error, Mendable) else f"in {_where(error)}"
                log.error("no reply on %s: %s, %s", message.account.messenger, kind, said)
                is_urgent = assess(message.text).is_urgent
                yield Part(unable(message.text, self._language), Kind.CRISIS if is_urgent else Kind.NOTICE)

    async def delivered(self, message: Message) -> None:
        try:
            await self._conversation.delivered(message)
        except Mendable as error:  # it will be found again, and answered with the same words
            log.error("message %s stays unconfirmed: %s", message.id, error)

    async def unanswered(self, messenger: str, address: str | None = None) -> Sequence[Message]:
        try:
            return await self._conversation.unanswered(messenger, address)
        except Mendable as error:
            log.error("what is unanswered on %s is not known: %s", messenger, error)
            return ()


class Remembering:
    """Fulfils `Conversation` around another: what was said can be recalled before anybody begins a new counsel.

    Turns are remembered some at a time, which is cheaper, and at every command, which may end a counsel.
    """

    def __init__(self, conversation: Conversation, memories: SqlMemories) -> None:
        self._conversation = conversation
        self._memories = memories
        self._delivered = itertools.count(1)

    def respond(self, message: Message) -> AsyncIterator[Part]:
        return self._conversation.respond(message)

    async def delivered(self, message: Message) -> None:
        await self._conversation.delivered(message)
        if next(self._delivered) % TURNS_UNTIL_REMEMBERED and not message.text.startswith("/"):
            return
        try:
            await self._memories.drain()
        except Mendable as error:  # the outbox keeps it
            log.warning("not yet remembered: %s", error)

    async def unanswered(self, messenger: str, address: str | None = None) -> Sequence[Message]:
        return await self._conversation.unanswered(messenger, address)


@asynccontextmanager
async def open_mentos(settings: Settings) -> AsyncIterator[Mentos]:
    """Put everything together over the data folder, which this process must hold, and take it apart again.

    Raises `Mendable` in all its kinds (a wrong master key, a newer schema, a broken character …), each before anything
    stored is touched.
    """
    async with AsyncExitStack() as stack:
        speech, local = await speech_of(settings, stack), await local_of(settings, stack)
        characters = dict(characters_with(settings, speech, local))
        storage = await _open_storage(settings, stack, encoder=local.encoder)
        await storage.counsels.write_characters(list(characters.values()))

        people: People = storage.people
        if settings.consent.assume:
            people = AssumedConsent(
                people,
                scopes=frozenset(map(Scope, settings.consent.assume)),
                character_id=next(iter(characters)),
                now=now,
            )
        mentos = _put_together(settings, stack, characters, speech, local, people=people, storage=storage)
        async with _learning(mentos):
            yield mentos


@asynccontextmanager
async def open_off_record(settings: Settings) -> AsyncIterator[Mentos]:
    """Put everything together without a folder or a database: nobody is known, asked or stored."""
    async with AsyncExitStack() as stack:
        speech, local = await speech_of(settings, stack), await local_of(settings, stack)
        characters = dict(characters_with(settings, speech, local))
        mentos = _put_together(settings, stack, characters, speech, local, people=Nobody(), storage=None)
        async with _learning(mentos):
            yield mentos


def _put_together(
    settings: Settings,
    stack: AsyncExitStack,
    characters: dict[CharacterId, Character],
    speech: Speech,
    local: Local,
    *,
    people: People,
    storage: Storage | None,
) -> Mentos:
    words = strings(settings.language)
    off_record = OffTheRecord(now=now)
    counsels = storage.counsels if storage else off_record
    counsellor = Counsellor(
        people=people,
        counsels=counsels,
        off_record=off_record,
        memories=_patient(storage.memories, settings) if storage else Amnesia(),
        emotions=local.emotions,
        responder=speech.responder,
        stylist=local.stylist_of(characters),
        characters=characters,
        words=words,
        language=settings.language,
        now=now,
        asks_consent=storage is not None,
        on_gated=lambda fault: GATED.labels(fault).inc(),
        hosts=speech.hosts,
        near_emotions=load_emotions(),
    )
    stack.push_async_callback(counsellor.drain)
    conversation: Conversation = Apologising(counsellor, language=settings.language)
    if storage:
        conversation = Remembering(conversation, storage.memories)
    pages = Pages(people=people, counsels=counsels, off_record=off_record, character_id=next(iter(characters)))
    return Mentos(settings, conversation, pages, characters, words, storage, speech, local)


@asynccontextmanager
async def _learning(mentos: Mentos) -> AsyncIterator[None]:
    """Look at the servers beside the conversation: those that come up later, or come back with other models."""

    def note(task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()):
            mentos.failed["learning"] = type(error).__name__
            log.error("no more is learnt of the servers: %s in %s", type(error).__name__, _where(error))

    learning = asyncio.create_task(_learn_again(mentos))
    learning.add_done_callback(note)
    try:
        yield
    finally:
        learning.cancel()
        await asyncio.wait([learning])


async def _learn_again(mentos: Mentos) -> None:
    while True:
        await asyncio.sleep(LEARN_EVERY_S)
        try:
            await mentos.learn()
        except Mendable as error:
            log.warning("the characters are rendered as before: %s", error)


def _patient(memories: SqlMemories, settings: Settings) -> Memories:
    return Forgetful(memories, within_s=settings.qdrant.patience_s, on_failure=FORGOTTEN.inc)


def rows_of(settings: Settings) -> Database:
    return open_database(settings.database.url or f"sqlite:///{settings.home / 'mentos.sqlite3'}")


def keys_of(settings: Settings) -> Database:
    return open_database(settings.keys.url or f"sqlite:///{settings.home / 'keys.sqlite3'}")


def master_key(settings: Settings) -> tuple[bytes, str]:
    """Return the master key and where it is kept: the environment, a file, or a new file while nothing is stored yet.

    Raises `Mendable` where it is missing or is none.
    """
    if settings.keys.master:
        return parse_master_key(settings.keys.master.get_secret_value()), "MENTOS_KEYS__MASTER"
    path = settings.keys.master_file or settings.home / "master.key"
    if path.exists():
        return read_master_key(path), str(path)
    if settings.keys.master_file or settings.keys.url or (settings.home / "keys.sqlite3").exists():
        raise Mendable(
            f"there is no master key at {path}; put back the one that opens this data, or, for a new database, set "
            "MENTOS_KEYS__MASTER to what 'openssl rand -base64 32' prints"
        )
    try:
        return create_master_key(path), str(path)
    except OSError as error:
        raise Mendable(
            f"a master key cannot be written to {path} ({error.strerror}); set MENTOS_HOME to a folder that "
            "this user may write"
        ) from error


async def _open_storage(settings: Settings, stack: AsyncExitStack, *, encoder: ModelEncoder | None) -> Storage:
    rows, keys_at = rows_of(settings), keys_of(settings)
    stack.push_async_callback(rows.close)
    stack.push_async_callback(keys_at.close)
    key, said_where = master_key(settings)
    keys = await KeyStore.open(keys_at, master_key=key)
    await migrate(rows)
    people, counsels = SqlPeople(database=rows, keys=keys), SqlCounsels(database=rows, keys=keys)

    vectors = await vectors_of(settings, encoder=encoder)
    stack.push_async_callback(_close, vectors)
    memories = SqlMemories(
        database=rows,
        keys=keys,
        vectors=vectors,
        embedder=load_embedder(),
        encoder=encoder,
        on_no_encoding=UNENCODED.inc,
    )
    stack.push_async_callback(_settle, memories)
    is_relearning = await _converge(memories, vectors, is_shared=settings.qdrant.url is not None)
    return Storage(rows, keys_at, people, counsels, memories, vectors, said_where, is_relearning)


async def vectors_of(settings: Settings, *, encoder: ModelEncoder | None = None) -> Vectors:
    """Return the vectors of a Qdrant server, or of the data folder. Each brings its own library."""
    fusion = Fusion(dense_weight=settings.embedding.weight, least_cosine=settings.embedding.least_cosine)
    if settings.qdrant.url:
        from storage.vectors_server import ServerVectors

        key = settings.qdrant.api_key
        return ServerVectors(
            settings.qdrant.url,
            api_key=key.get_secret_value() if key else None,
            dense_size=encoder.size if encoder else None,
            encoder=encoder.name if encoder else None,
            fusion=fusion,
        )
    from storage.vectors_edge import EdgeVectors

    vectors = await EdgeVectors.open(
        settings.home / "vectors",
        dense_size=encoder.size if encoder else None,
        encoder=encoder.name if encoder else None,
        fusion=fusion,
    )
    if vectors.reason:
        log.warning("the memory index %s is made anew: %s", vectors.where, vectors.reason)
    return vectors


async def _close(vectors: Vectors) -> None:
    try:
        await vectors.close()
    except VectorsUnreachable as error:
        log.warning("the memories were not put away properly: %s", error)


async def _settle(memories: SqlMemories) -> None:
    try:
        await memories.settle()
    except VectorsUnreachable as error:
        log.warning("the memories are not settled: %s", error)


async def _converge(memories: SqlMemories, vectors: Vectors, *, is_shared: bool) -> bool:
    """Have lost vectors made again from the rows; return whether they were lost.

    A server that holds some is left alone: other processes may be writing there.
    """
    try:
        await memories.drain(batches=BATCHES_AT_START)
        held = await vectors.count()
        if held and (is_shared or await memories.waiting()):
            if not (await memories.waiting() or await memories.is_complete()):
                log.warning(
                    "some turns have no vectors: run 'mentos memory rebuild --prune' when no other process runs"
                )
            return False
        if await memories.is_complete():
            return False
        await memories.rebuild()
    except VectorsUnreachable as error:
        log.warning("starting without memories: %s", error)
        return False
    return True


async def _reach(database: Database) -> str:
    try:
        await database.read(lambda connection: connection.exec_driver_sql("SELECT 1"))
    except DatabaseUnreachable:
        return "unreachable"
    return "ok"


async def _reach_any(replicas: Sequence[Replica]) -> str:
    for replica in replicas:
        if not replica.is_suspect or (not replica.is_resting and await replica.look()):
            return "ok"
    return "unreachable"


async def _reach_vectors(vectors: Vectors) -> str:
    try:
        async with asyncio.timeout(REACH_S):
            await vectors.count()
    except (VectorsUnreachable, TimeoutError):
        return "unreachable"
    return "ok"


def _where(error: BaseException) -> str:
    """The innermost line that raised, without the error's words, which may be a person's."""
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_code.co_qualname}:{trace.tb_lineno}" if trace else "nowhere"
