"""The KakaoTalk door: a skill call is answered within five seconds, or once more at its callback."""

import asyncio
import hmac
import json
import logging
import re
import unicodedata
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_address
from itertools import groupby
from typing import Literal, TypeGuard
from uuid import uuid4

import aiohttp
from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from starlette.requests import ClientDisconnect
from yarl import URL

from bot.conversation.commands import Command, Verb, parse
from bot.conversation.model import Account, Kind, Message, Part, clean, is_blank
from bot.conversation.ports import Conversation
from bot.messengers.cutting import cut, utf16_units
from bot.safety.assess import assess

log = logging.getLogger(__name__)

MESSENGER = "kakao"
PATH = "/kakao/skill"

_BUBBLES = 3
_BUBBLE_UNITS = 1000
_FOLD_UNITS = 500  # what is longer hides behind `전체 보기`
_QUICK_REPLIES = 10
_LABEL_UNITS = 14
_TYPED_UNITS = 100
_BODY_BYTES = 1 << 20
_POST_S = 5.0  # on top of `callback_within`: together below the minute that a callback lives
_CRISIS_GRACE_S = 0.5  # what follows words of crisis may join them, but not hold them up
_HELD_FOR = timedelta(hours=1)
_HELD_ACCOUNTS = 1000
_HEARD_KEPT = 10_000
_UNDER_WAY_FOR = timedelta(minutes=1)  # longer than any process takes to answer

_Occasion = Literal["talk", "welcome", "picture", "console"]


# The call.


@dataclass(frozen=True, slots=True)
class SkillRequest:
    """One call of the skill, as far as this door reads it."""

    occasion: _Occasion
    bot: str
    user: str
    text: str
    callback_url: object


def read_skill_request(body: bytes) -> SkillRequest | None:
    """Parse a SkillPayload v2.0, lenient about all that is not needed. None when it names no person or no words."""
    payload = _json(body)
    asked = _at(payload, "userRequest")
    bot, user, text = _at(payload, "bot", "id"), _at(asked, "user", "id"), _at(asked, "utterance")
    # a slot validation has the same envelope, but nobody is talking
    if not _is_id(bot) or not _is_id(user) or not isinstance(text, str) or _at(payload, "isInSlotFilling") is not None:
        return None

    media = _at(asked, "params", "media")
    media_url = _at(media, "url")
    words = text.replace(media_url, "") if isinstance(media_url, str) and media_url else text

    occasion: _Occasion = "talk"
    if _at(asked, "user", "type") == "accountId":
        occasion = "console"
    elif "웰컴 블록" in (_at(asked, "block", "name"), _at(payload, "intent", "name")):
        occasion = "welcome"
    elif (media and is_blank(words)) or _PICTURE.fullmatch(words.strip()) or _holds_secure_picture(payload):
        occasion = "picture"

    # the callback token of 봇테스트 is refused, so it is answered at once
    is_rehearsal = _at(asked, "params", "surface") == "BuilderBotTest"
    return SkillRequest(occasion, bot, user, words, None if is_rehearsal else _at(asked, "callbackUrl"))


_PICTURE = re.compile(r"https?://(?:[\w-]+\.kakaocdn\.net|dn-m\.talk\.kakao\.com)/\S*")


def _holds_secure_picture(payload: object) -> bool:
    params = _at(payload, "action", "params")
    return isinstance(params, dict) and any(isinstance(v, str) and '"secureUrls"' in v for v in params.values())


def _json(body: bytes) -> object:
    try:
        parsed: object = json.loads(body.decode())
    except (ValueError, RecursionError):
        return None
    return parsed


def _at(value: object, *path: str) -> object:
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _is_id(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and 0 < len(value) <= 128 and value.isascii() and value.isprintable()


def callback_target(url: object, hosts: Sequence[str]) -> URL | None:
    """Return where a delayed answer may be posted, byte for byte as Kakao wrote it, or None.

    Request data decides where this machine connects to, so: https, an exact host, its default port and nothing odd.
    Plain http, on any port, only to a loopback host that is itself in `hosts`.
    """
    if not isinstance(url, str):
        return None
    # before any parser sees it: parsers disagree about backslashes, controls and user info
    found = _CALLBACK.fullmatch(url)
    if found is None or found["host"] not in hosts:
        return None
    port = int(found["port"] or 443)
    is_meant = port == 443 if found["scheme"] == "https" else port <= 65_535 and _is_loopback(found["host"])
    return URL(url, encoded=True) if is_meant else None


_CALLBACK = re.compile(r"(?P<scheme>https?)://(?P<host>[a-z0-9.-]+)(?::(?P<port>[0-9]{1,5}))?/[!-\"$-\[\]-~]{0,2000}")


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


# The answer.


def bubbles(parts: Sequence[Part]) -> tuple[list[str], str]:
    """Lay out parts as at most three texts of at most 1,000 UTF-16 units, and return what found no room.

    Words of crisis come first, in bubbles of their own. The others fill bubbles of 500 where that is enough.
    """
    said = [(part.kind, text) for part in parts if (text := _readable(part.text))]
    urgent: list[str] = []
    for text in (text for kind, text in said if kind is Kind.CRISIS):
        if urgent and utf16_units(urgent[-1] + text) + 2 <= _BUBBLE_UNITS:
            urgent[-1] += "\n\n" + text
        else:
            urgent.append(text)
    others = "\n\n".join(
        (" " if kind is Kind.SAID else "\n\n").join(text for _, text in run)
        for kind, run in groupby((pair for pair in said if pair[0] is not Kind.CRISIS), key=lambda pair: pair[0])
    )
    texts, rest = _fill(urgent, others, _FOLD_UNITS)
    return _fill(urgent, others, _BUBBLE_UNITS) if rest else (texts, rest)


def _fill(urgent: Sequence[str], others: str, units: int) -> tuple[list[str], str]:
    texts: list[str] = []
    rest: list[str] = []
    for block, limit in [*((text, _BUBBLE_UNITS) for text in urgent), (others, units)]:
        text = block
        while text and len(texts) < _BUBBLES:
            head, text = cut(text, limit)
            texts.append(head)
        rest.append(text)
    return texts, "\n\n".join(text for text in rest if text)


def _readable(text: str) -> str:
    lines = "\n".join(clean(text).expandtabs(1).splitlines())
    shown = "".join(c for c in lines if c == "\n" or unicodedata.category(c) != "Cc").strip()
    return "" if is_blank(shown) else shown


def _quick_reply(label: str, typed: str, action: str) -> dict[str, object]:
    if utf16_units(typed) > _TYPED_UNITS:
        raise ValueError(f"quick reply {label!r} would type more than {_TYPED_UNITS} characters; shorten it")
    extra = {"v": 1, "a": action}
    return {"label": cut(_readable(label), _LABEL_UNITS)[0], "action": "message", "messageText": typed, "extra": extra}


def _skill_response(texts: Sequence[str], choices: Sequence[dict[str, object]]) -> dict[str, object]:
    template: dict[str, object] = {"outputs": [{"simpleText": {"text": text}} for text in texts]}
    if choices:
        template["quickReplies"] = list(choices[:_QUICK_REPLIES])
    return {"version": "2.0", "template": template}


# What lies between.


class _Reply:
    """An answer as it comes: the parts that its person has not been given yet."""

    def __init__(self, *parts: Part, is_whole: bool = True, to: Message | None = None) -> None:
        self.parts = list(parts)
        self.to = to
        self.is_whole = is_whole
        self.settled = asyncio.Event()
        """Set when the answer is whole, or holds words of crisis that must not wait for the rest."""
        if is_whole:
            self.settled.set()

    @property
    def is_urgent(self) -> bool:
        return any(part.kind is Kind.CRISIS for part in self.parts)

    async def gather(self, source: AsyncIterator[Part]) -> None:
        try:
            async for part in source:
                self.parts.append(part)
                if part.kind is Kind.CRISIS:
                    asyncio.get_running_loop().call_later(_CRISIS_GRACE_S, self.settled.set)
        finally:
            self.is_whole = True
            self.settled.set()

    def take(self) -> list[Part]:
        taken, self.parts = self.parts, []
        if not self.is_whole:
            self.settled.clear()
        return taken


async def _settle(replies: Sequence[_Reply], *, until: float) -> bool:
    """Wait for the replies until that loop time; say whether they are to be told now."""
    try:
        async with asyncio.timeout_at(until):
            for reply in reversed(replies):
                await reply.settled.wait()
                if reply.is_urgent:
                    return True
    except TimeoutError:
        return any(reply.is_urgent for reply in replies)
    return True


class KakaoDoor:
    """Serves `POST /kakao/skill` through `router`, and keeps for an hour what could not be told in time."""

    def __init__(
        self,
        *,
        conversation: Conversation,
        header: str,
        secret: str,
        callback_hosts: Sequence[str],
        strings: Mapping[str, str],
        tones: Sequence[tuple[str, str]],
        now: Callable[[], datetime],
        answer_within: float = 4.0,
        callback_within: float = 50.0,
        ack_lead: float = 1.0,
    ) -> None:
        """Times are seconds since a call came in; `ack_lead` is how far a callback stays behind the first answer.

        `tones` are labels with the command that each types, such as ("선비", "/말투 선비"). The skill guide allows five
        seconds for an answer, and for a callback one minute and one use, after the answer has arrived.
        """
        if not secret:
            raise ValueError("an empty secret opens the KakaoTalk door to anybody; set one, and the same in the skill")
        self._conversation = conversation
        self._header = header
        self._secret = secret.encode()
        self._hosts = callback_hosts
        self._now = now
        self._answer_within = answer_within
        self._callback_within = callback_within
        self._ack_lead = ack_lead

        self._continue = strings["continue"]
        self._slow = strings["slow"]
        self._silence = strings["silence"]
        self._ack = {"version": "2.0", "useCallback": True, "data": {"text": cut(strings["waiting"], _FOLD_UNITS)[0]}}
        self._more = [_quick_reply(self._continue, self._continue, "continue")]
        self._tones = [_quick_reply(label, typed, "tone") for label, typed in tones]
        self._consents = [
            _quick_reply(strings["consent_yes"], "/동의 네", "consent"),
            _quick_reply(strings["consent_no"], "/동의 아니요", "consent"),
        ]
        self._fixed = {key: _notice(strings[key]) for key in ("unreadable", "picture", "console", "nothing_left")}
        self._fixed["welcome"] = _notice(
            strings["welcome"], strings["welcome_crisis"], strings["welcome_data"], choices=self._tones
        )

        self._held: dict[Account, tuple[datetime, list[_Reply]]] = {}
        self._heard: deque[str] = deque(maxlen=_HEARD_KEPT)
        self._tasks: set[asyncio.Task[None]] = set()
        self.router = APIRouter()
        self.router.add_api_route(PATH, self._skill, methods=["POST"])

    async def drain(self) -> None:
        """Let the answers under way reach their people, for no longer than a callback could take."""
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=self._callback_within + _POST_S)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _skill(self, request: Request) -> JSONResponse:
        received = asyncio.get_running_loop().time()
        # headers come as latin-1, whatever was typed in the admin centre
        if not hmac.compare_digest(request.headers.get(self._header, "").encode("latin-1"), self._secret):
            return JSONResponse({"error": "unauthorized"}, status_code=401)

        asked = read_skill_request(await _body(request))
        if asked is None:
            return JSONResponse(self._fixed["unreadable"])
        if asked.occasion != "talk":
            return JSONResponse(self._fixed[asked.occasion])

        # Kakao's body has no id, and to say the same words twice is no redelivery
        given = request.headers.get("x-request-id")
        message = Message(
            account=Account(MESSENGER, f"{asked.bot}:{asked.user}"),
            id=given if _is_id(given) else uuid4().hex,
            text=asked.text,
            at=self._now(),
        )
        return JSONResponse(await self._converse(message, callback_target(asked.callback_url, self._hosts), received))

    async def _converse(self, message: Message, target: URL | None, received: float) -> Mapping[str, object]:
        replies = self._release(message.account) or await self._left_over(message, received)
        if clean(message.text).strip() != self._continue:
            replies.append(self._answer(message))
        elif not replies:
            return self._fixed["nothing_left"]

        if not await _settle(replies, until=received + self._answer_within) and target is not None:
            self._spawn(self._call_back(message, replies, target, received))
            return self._ack
        answer, _, left = self._compose(message, replies)
        self._confirm(replies)
        self._hold(message.account, left)
        return answer

    async def _call_back(self, message: Message, replies: Sequence[_Reply], target: URL, received: float) -> None:
        await asyncio.sleep(self._ack_lead)
        await _settle(replies, until=received + self._callback_within)
        answer, told, left = self._compose(message, replies)
        if await _post(target, answer, message_id=message.id):
            self._confirm(replies)
        else:
            left = [_Reply(*told, to=message), *(reply for reply in replies if reply.parts or not reply.is_whole)]
        self._hold(message.account, left)

    def _compose(
        self, message: Message, replies: Sequence[_Reply]
    ) -> tuple[dict[str, object], list[Part], list[_Reply]]:
        """Tell what is there: return the answer, the parts that it stands for, and what is left for another."""
        told = [part for reply in replies for part in reply.take()]
        texts, rest = bubbles(told)
        left = [reply for reply in replies if not reply.is_whole]
        if rest:
            left.insert(0, _Reply(Part(rest)))

        kinds = {part.kind for part in told}
        choices = self._more if left else []
        if Kind.CONSENT in kinds:
            choices = choices + self._consents
        elif parse(message.text) == Command(Verb.TONE, ""):
            choices = choices + self._tones
        if Kind.CRISIS in kinds:
            choices = []
        return _skill_response(texts or [self._slow if left else self._silence], choices), told, left

    async def _left_over(self, message: Message, received: float) -> list[_Reply]:
        """Answer what was heard before the last stop, or by another process, and never told.

        Kakao lets us say nothing of our own accord, so it waits for the next message. What another process may still
        be answering is left to it, unless the person asks for that very answer.
        """
        if assess(message.text).is_urgent:
            return []
        try:
            async with asyncio.timeout_at(received + self._answer_within / 2):
                left = await self._conversation.unanswered(MESSENGER, message.account.address)
        except TimeoutError:
            return []
        is_waiting = clean(message.text).strip() == self._continue
        newest = message.at if is_waiting else message.at - _UNDER_WAY_FOR
        return [self._answer(each) for each in left if each.at <= newest and each.id not in self._heard]

    def _answer(self, message: Message) -> _Reply:
        self._heard.append(message.id)
        reply = _Reply(is_whole=False, to=message)
        self._spawn(reply.gather(self._conversation.respond(message)))
        return reply

    def _confirm(self, replies: Sequence[_Reply]) -> None:
        """What was told whole was delivered, as far as anybody can know: Kakao never says so."""
        for message in [reply.to for reply in replies if reply.to and reply.is_whole]:
            self._spawn(self._conversation.delivered(message))

    def _hold(self, account: Account, replies: Sequence[_Reply]) -> None:
        if replies:
            self._held[account] = (self._now() + _HELD_FOR, [*self._release(account), *replies])
        if len(self._held) > _HELD_ACCOUNTS:
            del self._held[next(iter(self._held))]

    def _release(self, account: Account) -> list[_Reply]:
        now = self._now()
        self._held = {held: kept for held, kept in self._held.items() if kept[0] > now}
        return self._held.pop(account, (now, []))[1]

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._forget)

    def _forget(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            log.error("an answer on KakaoTalk broke off: %s", type(error).__name__)


def _notice(*texts: str, choices: Sequence[dict[str, object]] = ()) -> Mapping[str, object]:
    return _skill_response(bubbles([Part(text, Kind.NOTICE) for text in texts])[0], choices)


async def _body(request: Request) -> bytes:
    """Read the whole body; one that is broken off, or longer than any message, counts as empty."""
    body = bytearray()
    try:
        async for chunk in request.stream():
            if len(body) <= _BODY_BYTES:
                body += chunk
    except ClientDisconnect:
        return b""
    return bytes(body) if len(body) <= _BODY_BYTES else b""


async def _post(target: URL, answer: dict[str, object], *, message_id: str) -> bool:
    """Spend the one use of a callback; say whether Kakao took the answer."""
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_POST_S)) as session,
            session.post(target, json=answer, allow_redirects=False) as response,
        ):
            status, verdict = response.status, _json(await response.read())
    except (aiohttp.ClientError, TimeoutError) as error:
        log.warning("callback for message %s was not delivered: %s", message_id, type(error).__name__)
        return False
    # how a refusal shows in the HTTP status is not documented: the body decides
    if status < 300 and _at(verdict, "status") in (None, "SUCCESS"):
        return True
    task, reason = _at(verdict, "taskId"), _at(verdict, "message")
    log.warning("callback for message %s was refused: HTTP %d, task %.60r, %.120r", message_id, status, task, reason)
    return False
