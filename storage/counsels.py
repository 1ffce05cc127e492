"""People and their counsels as rows: what fulfils the ports `People` and `Counsels`.

Each method is one transaction, and each statement about a person's rows names the person.
"""

import json
import logging
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any, TypeAlias

from sqlalchemy import (
    Connection,
    CursorResult,
    Row,
    Select,
    bindparam,
    delete,
    exists,
    func,
    insert,
    literal,
    select,
    update,
)
from sqlalchemy.dialects import mysql, sqlite
from sqlalchemy.exc import IntegrityError

from bot.conversation.model import (
    Account,
    Answer,
    Character,
    CharacterId,
    Consent,
    CounselId,
    EmotionLabel,
    Message,
    Moment,
    Person,
    Scope,
    Turn,
    TurnId,
    UserId,
)
from storage.crypto import DataKey, Unreadable
from storage.database import Database
from storage.keys import KeyStore, NoKey
from storage.tables import (
    Id,
    Key,
    UTCDateTime,
    account,
    character,
    consent,
    counsel,
    dialog,
    emotion_log,
    inbound,
    outbox,
    user,
)

log = logging.getLogger(__name__)

LANGUAGE = "ko"

AnyRow: TypeAlias = Row[*tuple[Any, ...]]

# Each statement is built once, so that SQLAlchemy finds its compiled form quickly.

_FIND = (
    select(user.c.user_id, user.c.character_id, consent.c.scopes, consent.c.version, consent.c.dt_consent)
    .join_from(account, user)
    .join(consent, consent.c.user_id == user.c.user_id)
    .where(account.c.messenger == bindparam("of_messenger"), account.c.address == bindparam("of_address"))
    .order_by(consent.c.consent_id.desc())
    .limit(1)
)
_ADD_USER = insert(user)
_ADD_ACCOUNT = insert(account)
_ADD_CONSENT = insert(consent)
_CHOOSE = update(user).where(user.c.user_id == bindparam("of_user")).values(character_id=bindparam("chosen"))
_LOCK = (  # whoever is second waits here until the first has committed, and sees it
    select(counsel)
    .join_from(user, counsel, (counsel.c.user_id == user.c.user_id) & counsel.c.dt_end.is_(None), isouter=True)
    .where(user.c.user_id == bindparam("of_user"))
    .order_by(counsel.c.counsel_id.desc())
    .limit(1)
    .with_for_update()
)
_HEARD = (
    select(dialog)
    .join_from(inbound, dialog)
    .where(
        inbound.c.messenger == bindparam("of_messenger"),
        inbound.c.address == bindparam("of_address"),
        inbound.c.message_id == bindparam("of_message"),
        dialog.c.user_id == bindparam("of_user"),
    )
)
_STANDS = select(dialog).where(dialog.c.dialog_id == bindparam("of_turn"), dialog.c.user_id == bindparam("of_user"))
_ADD_COUNSEL = insert(counsel)
_ADD_DIALOG = insert(dialog)
_ADD_INBOUND = insert(inbound)
_RECENT = (
    select(dialog)
    .join_from(counsel, dialog, dialog.c.counsel_id == counsel.c.counsel_id)
    .where(
        counsel.c.user_id == bindparam("of_user"),
        counsel.c.dt_end.is_(None),
        dialog.c.user_id == bindparam("of_user"),
        dialog.c.dt_answered.is_not(None),
    )
    .order_by(dialog.c.dialog_id.desc())
    .limit(bindparam("limit"))
)
_LATELY = (
    select(dialog)
    .where(
        dialog.c.user_id == bindparam("of_user"),
        dialog.c.dt_dialog >= bindparam("since", type_=UTCDateTime),
        dialog.c.dt_answered.is_not(None),
    )
    .order_by(dialog.c.dialog_id.desc())
    .limit(bindparam("limit"))
)
_PLAN = select(user.c.safety_plan).where(user.c.user_id == bindparam("of_user"))
_KEEP_PLAN = update(user).where(user.c.user_id == bindparam("of_user")).values(safety_plan=bindparam("plan"))
_ANSWER = (
    update(dialog)
    .where(
        dialog.c.dialog_id == bindparam("of_turn"),
        dialog.c.user_id == bindparam("of_user"),
        dialog.c.dt_answered.is_(None),
    )
    .values(
        ai_message=bindparam("draft"),
        change_dialog=bindparam("reply"),
        dialog_emotion=bindparam("emotion"),
        past_dialog=bindparam("recalled"),
        dt_answered=bindparam("at"),
    )
)
_ANSWER_ANEW = (
    update(dialog)
    .where(dialog.c.dialog_id == bindparam("of_turn"), dialog.c.user_id == bindparam("of_user"))
    .values(
        ai_message=bindparam("draft"),
        change_dialog=bindparam("reply"),
        dialog_emotion=func.coalesce(dialog.c.dialog_emotion, bindparam("emotion")),
        past_dialog=bindparam("recalled"),
        dt_answered=bindparam("at"),
    )
)
_LAST_CONSENT = (
    select(func.max(consent.c.consent_id)).where(consent.c.user_id == bindparam("of_user")).scalar_subquery()
)
_OUTBOX = ["user_id", "dialog_id", "op", "dt_outbox"]
_AT = bindparam("at", type_=UTCDateTime)
_REMEMBER = insert(outbox).from_select(
    _OUTBOX,
    select(consent.c.user_id, bindparam("of_turn", type_=Id), literal("upsert", Key), _AT).where(
        consent.c.consent_id == _LAST_CONSENT, consent.c.scopes.contains(Scope.MEMORY)
    ),
)
_REMEMBER_ALL = insert(outbox).from_select(
    _OUTBOX,
    select(dialog.c.user_id, dialog.c.dialog_id, literal("upsert", Key), _AT).where(
        dialog.c.user_id == bindparam("of_user"), dialog.c.dt_answered.is_not(None)
    ),
)
_FORGET = insert(outbox)
_LAST = (
    select(dialog)
    .join_from(counsel, dialog, dialog.c.counsel_id == counsel.c.counsel_id)
    .where(
        counsel.c.user_id == bindparam("of_user"),
        counsel.c.dt_end.is_(None),
        dialog.c.user_id == bindparam("of_user"),
        dialog.c.dt_dialog <= _AT,
    )
    .order_by(dialog.c.dialog_id.desc())
    .limit(1)
)
_UNDO = delete(dialog).where(dialog.c.dialog_id == bindparam("of_turn"), dialog.c.user_id == bindparam("of_user"))
_CORRECT = (
    update(dialog)
    .where(
        dialog.c.dialog_id == bindparam("of_turn"),
        dialog.c.user_id == bindparam("of_user"),
        dialog.c.dt_answered.is_not(None),
    )
    # MySQL assigns from left to right
    .ordered_values(
        (dialog.c.guessed_emotion, func.coalesce(dialog.c.guessed_emotion, dialog.c.dialog_emotion)),
        (dialog.c.dialog_emotion, bindparam("emotion")),
    )
)
_MOMENTS = (
    select(dialog.c.dt_dialog, dialog.c.dialog_emotion, dialog.c.counsel_id)
    .where(
        dialog.c.user_id == bindparam("of_user"),
        dialog.c.dt_dialog >= bindparam("since", type_=UTCDateTime),
        dialog.c.dt_answered.is_not(None),
    )
    .order_by(dialog.c.dialog_id)
)
_LOGGED = (  # what is left of counsels whose turns have been deleted
    select(emotion_log.c.dt_emotion_log, emotion_log.c.counsel_emotion, emotion_log.c.counsel_id)
    .join_from(emotion_log, counsel)
    .where(
        counsel.c.user_id == bindparam("of_user"),
        emotion_log.c.dt_emotion_log >= bindparam("since", type_=UTCDateTime),
        ~exists().where(dialog.c.counsel_id == emotion_log.c.counsel_id),
    )
    .order_by(emotion_log.c.emotion_id)
)
_DELIVER = (
    update(dialog)
    .where(
        dialog.c.dialog_id
        == select(inbound.c.dialog_id)
        .where(
            inbound.c.messenger == bindparam("of_messenger"),
            inbound.c.address == bindparam("of_address"),
            inbound.c.message_id == bindparam("of_message"),
        )
        .scalar_subquery(),
        dialog.c.user_id == bindparam("of_user"),
    )
    .values(dt_delivered=bindparam("at"))
)
_UNANSWERED = (
    select(
        inbound.c.address, inbound.c.message_id, dialog.c.u_message, dialog.c.dt_dialog, user.c.user_id, user.c.is_guest
    )
    .join_from(inbound, dialog)
    .join(user, user.c.user_id == dialog.c.user_id)
    .where(inbound.c.messenger == bindparam("of_messenger"), dialog.c.dt_delivered.is_(None))
    .order_by(dialog.c.dialog_id)
)
_UNANSWERED_AT = _UNANSWERED.where(inbound.c.address == bindparam("of_address"))
_FLOW = (
    select(dialog.c.dialog_emotion)
    .where(
        dialog.c.counsel_id == bindparam("of_counsel"),
        dialog.c.user_id == bindparam("of_user"),
        dialog.c.dt_answered.is_not(None),
    )
    .order_by(dialog.c.dialog_id)
)
_LAST_HEARD = select(func.max(dialog.c.dt_dialog)).where(
    dialog.c.counsel_id == bindparam("of_counsel"), dialog.c.user_id == bindparam("of_user")
)
_END = (
    update(counsel)
    .where(counsel.c.counsel_id == bindparam("of_counsel"), counsel.c.user_id == bindparam("of_user"))
    .values(dt_end=bindparam("at"))
)
_ADD_EMOTION_LOG = insert(emotion_log)
_IDLE = select(counsel.c.user_id).where(
    counsel.c.dt_end.is_(None),
    counsel.c.dt_start < bindparam("before"),
    ~exists().where(dialog.c.counsel_id == counsel.c.counsel_id, dialog.c.dt_dialog >= bindparam("before")),
)
_LEFT_GUESTS = select(user.c.user_id).where(
    user.c.is_guest,
    ~exists().where(dialog.c.user_id == user.c.user_id, dialog.c.dt_dialog >= bindparam("before")),
    ~exists().where(consent.c.user_id == user.c.user_id, consent.c.dt_consent >= bindparam("before")),
)
_ERASE_OUTBOX = delete(outbox).where(outbox.c.user_id == bindparam("of_user"))
_ERASE_USER = delete(user).where(user.c.user_id == bindparam("of_user"))
_OLD_TURNS = dialog.c.dt_dialog < bindparam("before", type_=UTCDateTime)
_FORGET_OLD_TURNS = insert(outbox).from_select(
    _OUTBOX, select(dialog.c.user_id, dialog.c.dialog_id, literal("delete", Key), _AT).where(_OLD_TURNS)
)
_EXPIRE_TURNS = delete(dialog).where(_OLD_TURNS)


class SqlPeople:
    """Fulfils `People`."""

    def __init__(self, *, database: Database, keys: KeyStore) -> None:
        self._database = database
        self._keys = keys

    async def find(self, account: Account) -> Person | None:
        row = await self._database.read(lambda connection: connection.execute(_FIND, _of_account(account)).first())
        return _person(row) if row else None

    async def consent(self, account: Account, person: Person, consent: Consent) -> Person:
        """Store an answer; the first one makes the person, under the id by which they were met, and their account.

        An account that is known already keeps its own person, whoever is handed in.
        """

        def store(connection: Connection) -> Person:
            row = connection.execute(_FIND, _of_account(account)).first()
            known = _person(row) if row else person
            if not row:
                _add(connection, account, person, at=consent.at)
            connection.execute(
                _ADD_CONSENT,
                {
                    "user_id": known.user_id,
                    "scopes": " ".join(sorted(consent.scopes)),
                    "version": consent.version,
                    "dt_consent": consent.at,
                    "messenger": account.messenger,
                },
            )
            answered = replace(known, consent=consent)
            if answered.is_remembered and not known.is_remembered:
                connection.execute(_REMEMBER_ALL, {"of_user": known.user_id, "at": consent.at})
            elif known.is_remembered and not answered.is_remembered:
                connection.execute(_FORGET, _everything_of(known.user_id, at=consent.at))
            return answered

        if await self.find(account) is None:  # only then: somebody who was erased must not get a new key
            await self._keys.create(person.user_id)
        try:
            return await self._database.write(store)
        except IntegrityError:  # the first answer came twice at once: the other one made the person
            return await self._database.write(store)

    async def choose(self, user_id: UserId, character_id: CharacterId) -> None:
        choice = {"of_user": user_id, "chosen": character_id}
        await self._database.write(lambda connection: connection.execute(_CHOOSE, choice), idempotent=True)


class SqlCounsels:
    """Fulfils `Counsels`, and tidies up for the app."""

    def __init__(self, *, database: Database, keys: KeyStore) -> None:
        self._database = database
        self._keys = keys

    async def hear(self, user_id: UserId, message: Message, *, character: Character) -> Turn:
        """Store a message as `Counsels` says. Raises `NoKey` for somebody who was erased or never consented."""
        key = await self._keys.of(user_id)
        u_message = key.encrypt(message.text, column="dialog.u_message")

        def store(connection: Connection) -> Turn:
            counsel_id = _open_counsel(connection, user_id, character, at=message.at)
            turn_id = _id_of_new(
                connection.execute(
                    _ADD_DIALOG,
                    {"counsel_id": counsel_id, "user_id": user_id, "dt_dialog": message.at, "u_message": u_message},
                )
            )
            connection.execute(
                _ADD_INBOUND,
                {
                    "messenger": message.account.messenger,
                    "address": message.account.address,
                    "message_id": message.id,
                    "dialog_id": turn_id,
                },
            )
            return Turn(TurnId(turn_id), CounselId(counsel_id), message.text, message.at)

        try:
            return await self._database.write(store, idempotent=True)
        except IntegrityError:
            where = _of_message(user_id, message)
            heard = await self._database.read(lambda connection: connection.execute(_HEARD, where).first())
            if heard is None:
                raise
            return _turn(heard, key)

    def alone(self, user_id: UserId, doing: str) -> AbstractAsyncContextManager[bool]:
        return self._database.alone(f"{user_id} {doing}")

    async def find(self, user_id: UserId, turn_id: TurnId) -> Turn | None:
        where = {"of_user": user_id, "of_turn": turn_id}
        row = await self._database.read(lambda connection: connection.execute(_STANDS, where).first())
        return _turn(row, await self._keys.of(user_id)) if row else None

    async def recent(self, user_id: UserId, *, limit: int) -> Sequence[Turn]:
        return await self._turns(_RECENT, user_id, limit=limit)

    async def lately(self, user_id: UserId, *, since: datetime, limit: int) -> Sequence[Turn]:
        return await self._turns(_LATELY, user_id, since=since, limit=limit)

    async def _turns(self, query: Select[Any], user_id: UserId, **where: object) -> Sequence[Turn]:
        rows = await self._database.read(
            lambda connection: connection.execute(query, {"of_user": user_id, **where}).all()
        )
        if not rows:
            return ()
        key = await self._keys.of(user_id)
        return [_turn(row, key) for row in reversed(rows)]

    async def answer(self, user_id: UserId, turn_id: TurnId, answer: Answer, *, anew: bool = False) -> None:
        """Store an answer as `Counsels` says. A later one not `anew`, or one to another's turn, changes nothing."""
        key = await self._keys.of(user_id)
        parameters = {
            "of_user": user_id,
            "of_turn": turn_id,
            "draft": key.encrypt(answer.draft, column="dialog.ai_message"),
            "reply": key.encrypt(answer.reply, column="dialog.change_dialog"),
            "emotion": answer.emotion,
            "recalled": json.dumps(answer.recalled),
            "at": answer.at,
        }

        def store(connection: Connection) -> None:
            if connection.execute(_ANSWER_ANEW if anew else _ANSWER, parameters).rowcount:
                connection.execute(_REMEMBER, parameters)

        await self._database.write(store, idempotent=True)

    async def deliver(self, user_id: UserId, message: Message, *, at: datetime) -> None:
        delivery = {**_of_message(user_id, message), "at": at}
        await self._database.write(lambda connection: connection.execute(_DELIVER, delivery), idempotent=True)

    async def end(self, user_id: UserId, *, at: datetime) -> None:
        def end(connection: Connection) -> None:
            if open_counsel := _lock(connection, user_id):
                _end(connection, open_counsel, at=at)

        await self._database.write(end, idempotent=True)

    async def last(self, user_id: UserId, *, at: datetime) -> Turn | None:
        where = {"of_user": user_id, "at": at}
        row = await self._database.read(lambda connection: connection.execute(_LAST, where).first())
        return _turn(row, await self._keys.of(user_id)) if row else None

    async def undo(self, user_id: UserId, *, at: datetime) -> Turn | None:
        key = await self._keys.of(user_id)

        def undo(connection: Connection) -> Turn | None:
            _lock(connection, user_id)
            last = connection.execute(_LAST, {"of_user": user_id, "at": at}).first()
            if last is None:
                return None
            connection.execute(_UNDO, {"of_user": user_id, "of_turn": last.dialog_id})
            gone = {"user_id": user_id, "dialog_id": last.dialog_id, "op": "delete", "dt_outbox": at}
            connection.execute(_FORGET, gone)
            return _turn(last, key)

        undone = await self._database.write(undo)
        await self._database.discard_log()
        return undone

    async def correct(self, user_id: UserId, turn_id: TurnId, emotion: EmotionLabel) -> None:
        correction = {"of_user": user_id, "of_turn": turn_id, "emotion": emotion}
        await self._database.write(lambda connection: connection.execute(_CORRECT, correction), idempotent=True)

    async def moments(self, user_id: UserId, *, since: datetime) -> Sequence[Moment]:
        where = {"of_user": user_id, "since": since}
        rows = await self._database.read(lambda connection: connection.execute(_MOMENTS, where).all())
        logs = await self._database.read(lambda connection: connection.execute(_LOGGED, where).all())
        felt = [
            *((at, label, counsel_id) for at, summary, counsel_id in logs for label in json.loads(summary)["flow"]),
            *((at, label, counsel_id) for at, label, counsel_id in rows),
        ]
        return [Moment(at, EmotionLabel(label), CounselId(counsel_id)) for at, label, counsel_id in felt]

    async def plan(self, user_id: UserId) -> str | None:
        sealed = await self._database.read(
            lambda connection: connection.execute(_PLAN, {"of_user": user_id}).scalar_one_or_none()
        )
        return (await self._keys.of(user_id)).decrypt(sealed, column="user.safety_plan") if sealed else None

    async def keep_plan(self, user_id: UserId, plan: str) -> None:
        sealed = (await self._keys.of(user_id)).encrypt(plan, column="user.safety_plan")
        where = {"of_user": user_id, "plan": sealed}
        await self._database.write(lambda connection: connection.execute(_KEEP_PLAN, where), idempotent=True)

    async def unanswered(self, messenger: str, address: str | None = None) -> Sequence[Message]:
        query, where = _UNANSWERED, {"of_messenger": messenger}
        if address is not None:
            query, where = _UNANSWERED_AT, {**where, "of_address": address}
        rows = await self._database.read(lambda connection: connection.execute(query, where).all())
        messages = []
        for row in rows:
            try:
                key = await self._keys.of(row.user_id)
                text = key.decrypt(row.u_message, column="dialog.u_message")
            except NoKey:  # being erased: nobody waits for this answer
                continue
            except Unreadable:
                log.error("message %s on %s cannot be read any more", row.message_id, messenger)
                continue
            messages.append(
                Message(Account(messenger, row.address, is_guest=row.is_guest), row.message_id, text, row.dt_dialog)
            )
        return messages

    async def end_idle(self, before: datetime) -> int:
        """End the counsels in which nothing was said since `before`, as of their last message. Returns how many."""

        def end_if_idle(connection: Connection, user_id: UserId) -> int:
            open_counsel = _lock(connection, user_id)
            if open_counsel is None:
                return 0
            where = {"of_user": user_id, "of_counsel": open_counsel.counsel_id}
            last_heard = connection.scalar(_LAST_HEARD, where) or open_counsel.dt_start
            if last_heard >= before:
                return 0
            _end(connection, open_counsel, at=last_heard)
            return 1

        idle = await self._database.read(lambda connection: connection.scalars(_IDLE, {"before": before}).all())
        return sum([await self._database.write(partial(end_if_idle, user_id=user_id)) for user_id in idle])

    async def expire(self, *, guests_before: datetime, turns_before: datetime | None, at: datetime) -> int:
        """Erase guests who were silent since `guests_before`, and everybody's turns from before `turns_before`.

        Returns how many guests and turns these were. A guest's key goes first: should a crash leave their rows, these
        are unreadable, and found again.
        """
        left = {"before": guests_before}
        guests = await self._database.read(lambda connection: connection.scalars(_LEFT_GUESTS, left).all())
        for user_id in guests:
            await self._keys.erase(user_id)
            await self._database.write(partial(_erase, user_id=user_id, at=at), idempotent=True)
        if turns_before is None:
            return len(guests)
        old = {"before": turns_before, "at": at}

        def expire(connection: Connection) -> int:
            connection.execute(_FORGET_OLD_TURNS, old)
            return connection.execute(_EXPIRE_TURNS, old).rowcount

        return len(guests) + await self._database.write(expire)

    async def write_characters(self, characters: Iterable[Character]) -> None:
        """Store whoever can answer: a counsel names its character."""
        rows = [
            {"character_id": each.id, "character_name": each.name, "character_model": each.renderer}
            for each in characters
        ]
        await self._database.write(lambda connection: _upsert_characters(connection, rows), idempotent=True)


def _of_account(account: Account) -> dict[str, str]:
    return {"of_messenger": account.messenger, "of_address": account.address}


def _of_message(user_id: UserId, message: Message) -> dict[str, Any]:
    return {**_of_account(message.account), "of_message": message.id, "of_user": user_id}


def _person(row: AnyRow) -> Person:
    scopes = frozenset(Scope(scope) for scope in row.scopes.split())
    return Person(row.user_id, row.character_id, Consent(scopes, row.version, row.dt_consent))


def _turn(row: AnyRow, key: DataKey) -> Turn:
    answer = None
    if row.dt_answered is not None:
        answer = Answer(
            draft=key.decrypt(row.ai_message, column="dialog.ai_message"),
            reply=key.decrypt(row.change_dialog, column="dialog.change_dialog"),
            emotion=EmotionLabel(row.dialog_emotion),
            recalled=tuple(json.loads(row.past_dialog)),
            at=row.dt_answered,
        )
    text = key.decrypt(row.u_message, column="dialog.u_message")
    return Turn(row.dialog_id, row.counsel_id, text, row.dt_dialog, answer, row.dt_delivered)


def _add(connection: Connection, account: Account, person: Person, *, at: datetime) -> None:
    connection.execute(
        _ADD_USER,
        {
            "user_id": person.user_id,
            "language": LANGUAGE,
            "character_id": person.character_id,
            "is_guest": account.is_guest,
            "dt_created": at,
        },
    )
    connection.execute(
        _ADD_ACCOUNT, {"messenger": account.messenger, "address": account.address, "user_id": person.user_id}
    )


def _lock(connection: Connection, user_id: UserId) -> AnyRow | None:
    """Return somebody's open counsel, and keep others from it until this transaction ends."""
    row = connection.execute(_LOCK, {"of_user": user_id}).first()
    return row if row and row.counsel_id else None


def _open_counsel(connection: Connection, user_id: UserId, character: Character, *, at: datetime) -> int:
    """Return the id of the open counsel with this character; one with another ends first.

    Its `character_model` is what rendered the character as the counsel began. The counsel goes on when a server that
    comes or goes changes that: it does not end because of a machine.
    """
    if open_counsel := _lock(connection, user_id):
        if open_counsel.character_id == character.id:
            return int(open_counsel.counsel_id)
        _end(connection, open_counsel, at=at)
    return _id_of_new(
        connection.execute(
            _ADD_COUNSEL,
            {
                "character_id": character.id,
                "character_model": character.renderer,
                "user_id": user_id,
                "dt_start": at,
            },
        )
    )


def _end(connection: Connection, open_counsel: AnyRow, *, at: datetime) -> None:
    where = {"of_user": open_counsel.user_id, "of_counsel": open_counsel.counsel_id}
    connection.execute(_END, {**where, "at": at})
    flow = connection.scalars(_FLOW, where).all()
    if not flow:
        return
    summary = {
        "flow": flow,
        "dominant": Counter(flow).most_common(1)[0][0],
        "change": f"{flow[0]}→{flow[-1]}" if flow[0] != flow[-1] else None,
    }
    connection.execute(
        _ADD_EMOTION_LOG,
        {
            "counsel_id": open_counsel.counsel_id,
            "counsel_emotion": json.dumps(summary, ensure_ascii=False),
            "dt_emotion_log": at,
        },
    )


def _erase(connection: Connection, user_id: UserId, *, at: datetime) -> None:
    connection.execute(_ERASE_OUTBOX, {"of_user": user_id})
    connection.execute(_FORGET, _everything_of(user_id, at=at))
    connection.execute(_ERASE_USER, {"of_user": user_id})


def _everything_of(user_id: UserId, *, at: datetime) -> dict[str, Any]:
    """The outbox row by which all memories of somebody are forgotten."""
    return {"user_id": user_id, "dialog_id": 0, "op": "forget", "dt_outbox": at}


def _upsert_characters(connection: Connection, rows: Sequence[dict[str, str]]) -> None:
    if connection.dialect.name == "mysql":
        adding = mysql.insert(character)
        new = {"character_name": adding.inserted.character_name, "character_model": adding.inserted.character_model}
        connection.execute(adding.on_duplicate_key_update(new), rows)
    else:
        putting = sqlite.insert(character)
        new = {"character_name": putting.excluded.character_name, "character_model": putting.excluded.character_model}
        connection.execute(putting.on_conflict_do_update(set_=new), rows)


def _id_of_new(result: CursorResult[*tuple[Any, ...]]) -> int:
    return int(result.lastrowid)
