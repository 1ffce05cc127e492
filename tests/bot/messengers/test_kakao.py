import asyncio
import json
import logging
import os
import socket
import unicodedata
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from aiohttp import web
from aiohttp.test_utils import TestServer
from fastapi import FastAPI
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.conversation.model import Account, Kind, Message, Part, clean
from bot.messengers.kakao import KakaoDoor, bubbles, callback_target
from tests.ports import free_port

STRINGS = {
    "welcome": "안녕하세요, 멘토스예요.",
    "welcome_crisis": "위급하면 109로 전화해 주세요.",
    "welcome_data": "먼저 여쭤보고 저장해요.",
    "waiting": "잠시만요, 읽고 있어요.",
    "slow": "조금 더 걸리고 있어요.",
    "continue": "이어서 듣기",
    "nothing_left": "남은 말이 없어요.",
    "silence": "조금 더 들려주시겠어요?",
    "unreadable": "읽지 못했어요.",
    "picture": "사진은 볼 수 없어요.",
    "console": "잘 연결됐어요.",
    "consent_yes": "네, 괜찮아요",
    "consent_no": "아니요",
}
TONES = [(f"말투 {n}", f"/말투 {n}") for n in range(12)]
SECRET = {b"X-Mentos-Key": "열려라 참깨".encode()}
AT_ONCE = 0.0
SOON = 0.02
NEVER = 60.0


class FakeConversation:
    """Fulfils `Conversation`: one script a message, the last one again and again; an event in it is waited for."""

    def __init__(self, *scripts: Sequence[Part | asyncio.Event | Exception]) -> None:
        self._scripts = list(scripts)
        self.heard: list[Message] = []
        self.confirmed: list[Message] = []
        self.left_over: list[Message] = []

    async def respond(self, message: Message) -> AsyncIterator[Part]:
        self.heard.append(message)
        for step in self._scripts.pop(0) if len(self._scripts) > 1 else self._scripts[0]:
            if isinstance(step, Exception):
                raise step
            if isinstance(step, asyncio.Event):
                await step.wait()
            else:
                yield step

    async def delivered(self, message: Message) -> None:
        self.confirmed.append(message)

    async def unanswered(self, messenger: str, address: str | None = None) -> Sequence[Message]:
        return [message for message in self.left_over if message not in self.confirmed]


class Clock:
    def __init__(self) -> None:
        self.time = datetime(2026, 11, 22, 9, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.time


def a_door(
    conversation: FakeConversation,
    *,
    answer_within: float = NEVER,
    callback_within: float = NEVER,
    ack_lead: float = 0.0,
    now: Clock | None = None,
) -> KakaoDoor:
    return KakaoDoor(
        conversation=conversation,
        header="X-Mentos-Key",
        secret="열려라 참깨",
        callback_hosts=["bot-api.kakao.com", "127.0.0.1"],
        strings=STRINGS,
        tones=TONES,
        now=now or Clock(),
        answer_within=answer_within,
        callback_within=callback_within,
        ack_lead=ack_lead,
    )


def an_app(door: KakaoDoor) -> FastAPI:
    app = FastAPI()
    app.include_router(door.router)
    return app


@asynccontextmanager
async def in_process(door: KakaoDoor) -> AsyncIterator[httpx.AsyncClient]:
    """A door without sockets, for what does not depend on the wire."""
    transport = httpx.ASGITransport(an_app(door))
    async with httpx.AsyncClient(transport=transport, base_url="http://door", headers=SECRET) as client:
        yield client


@asynccontextmanager
async def served(door: KakaoDoor) -> AsyncIterator[httpx.AsyncClient]:
    """A door behind a real server on loopback."""
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(an_app(door), lifespan="off", log_config=None, ws="none"))
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    async with httpx.AsyncClient(base_url=url, headers=SECRET) as client:
        yield client
    server.should_exit = True
    await serving


class Callback:
    """Kakao's side of a callback: keeps what was posted, and answers as it is told."""

    def __init__(self) -> None:
        self.posts: list[tuple[str, Any]] = []
        self.arrived = asyncio.Event()
        self.status = 200
        self.headers: dict[str, str] = {}
        self.verdict = b'{"taskId": "t-1", "status": "SUCCESS", "message": "OK", "timestamp": 1}'
        self.url = ""

    async def take(self, request: web.Request) -> web.Response:
        self.posts.append((request.raw_path, await request.json()))
        self.arrived.set()
        return web.Response(status=self.status, headers=self.headers, body=self.verdict)


@pytest.fixture
async def callback() -> AsyncIterator[Callback]:
    kakao = Callback()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", kakao.take)
    async with TestServer(app) as server:
        kakao.url = f"http://127.0.0.1:{server.port}/v1/bots/b1!/callback/dG9rZW4%3D%3D?a=%2F"
        yield kakao


def a_call(utterance: object = "요즘 잠이 안 와요", *, person: str = "u1", **asked: object) -> dict[str, Any]:
    return {
        "bot": {"id": "b1!", "name": "시험 봇"},
        "intent": {"id": "i1", "name": "폴백 블록"},
        "action": {"id": "a1", "name": "상담", "params": {}, "detailParams": {}, "clientExtra": {}},
        "userRequest": {
            "block": {"id": "i1", "name": "폴백 블록"},
            "user": {"id": person, "type": "botUserKey", "properties": {"isFriend": True}},
            "utterance": utterance,
            "params": {"surface": "Kakaotalk.plusfriend"},
            "lang": "ko",
            "timezone": "Asia/Seoul",
        }
        | asked,
        "contexts": [],
        "flow": {"trigger": {"type": "TEXT_INPUT"}},
    }


async def ask(client: httpx.AsyncClient, call: object, **headers: str) -> dict[str, Any]:
    content = call if isinstance(call, bytes) else json.dumps(call).encode()
    response = await client.post("/kakao/skill", content=content, headers=headers, timeout=30)
    assert response.status_code == 200
    answer: dict[str, Any] = response.json()
    validate(answer)
    return answer


def texts(answer: dict[str, Any]) -> list[str]:
    return [output["simpleText"]["text"] for output in answer["template"]["outputs"]]


def typed(answer: dict[str, Any]) -> list[str]:
    return [choice["messageText"] for choice in answer["template"].get("quickReplies", [])]


def validate(answer: object) -> None:
    """Raise ValueError unless Kakao would show this: skill guide, "응답 타입별 JSON 포맷"."""

    def require(is_kept: object, rule: str) -> None:
        if not is_kept:
            raise ValueError(rule)

    require(isinstance(answer, dict) and answer.get("version") == "2.0", "version 2.0")
    assert isinstance(answer, dict)
    require(len(json.dumps(answer, ensure_ascii=False).encode()) <= 30_720, "at most 30 KB")
    if answer.get("useCallback"):
        require("template" not in answer and isinstance(answer["data"]["text"], str), "an ack has data, no template")
        return
    outputs = answer["template"]["outputs"]
    require(1 <= len(outputs) <= 3, "one to three outputs")
    for output in outputs:
        text = output.get("simpleText", {}).get("text", "-")
        require(text.strip() and len(text.encode("utf-16-le")) <= 2_000, "1 to 1,000 UTF-16 units")
        require(all(c >= " " or c == "\n" for c in text), "no control characters")
    choices = answer["template"].get("quickReplies", [])
    require(len(choices) <= 10, "at most ten quick replies")
    for choice in choices:
        require(0 < len(choice["label"]) <= 14, "a label of 1 to 14 characters")
        require(choice["messageText" if choice["action"] == "message" else "blockId"], "something to send")


# What a call is taken for: own payloads, and the shared ones where they are at hand.

FIXTURES = Path(os.environ.get("MENTOS_TEST_KAKAO_FIXTURES", Path(__file__).parents[3] / "../shared/fixtures/kakao"))
MANIFEST: list[dict[str, Any]] = (
    json.loads((FIXTURES / "manifest.json").read_text("utf-8"))["files"] if FIXTURES.is_dir() else []
)
PHOTO = "https://talk.kakaocdn.net/dna/x/y/z.png?credential=c&expires=1&signature=s%3D"
OLD_PHOTO = "http://dn-m.talk.kakao.com/talkm/a/b/i.jpg"
BASIC = json.dumps(a_call()).encode()


@dataclass(frozen=True, slots=True)
class Case:
    name: str
    body: bytes
    taken_for: str


def own(name: str, call: object, taken_for: str) -> Case:
    return Case(name, call if isinstance(call, bytes) else json.dumps(call).encode(), taken_for)


def changed(**top: object) -> dict[str, Any]:
    return a_call() | top


CASES = [
    own("plain", a_call(), "talk"),
    own("empty", a_call(""), "talk"),
    own("blank", a_call(" \n\u3164"), "talk"),
    own("nul and markup", a_call("<b>가\u0000</b>\n**나**"), "talk"),
    own("half an emoji", a_call("안녕 \ud83d"), "talk"),
    own("five thousand characters", a_call("가나다라 " * 1000), "talk"),
    own("nulls", a_call(lang=None, block=None, params=None, user={"id": "u1", "properties": None}), "talk"),
    own("top nulls", changed(intent=None, action=None, contexts=None, flow=None), "talk"),
    own("odd types", changed(intent=[1], action="null", contexts=3, flow={"trigger": "?"}, newer={"a": 1}), "talk"),
    own("extra is a string", changed(action={"clientExtra": "null", "params": []}), "talk"),
    own("typed address", a_call("이 글 봤는데요 https://talk.kakaocdn.net/a 어떻게 생각하세요"), "talk"),
    own("typed other address", a_call("https://example.org/a"), "talk"),
    own("photo", a_call(PHOTO, params={"media": {"type": "image", "url": PHOTO}}), "picture"),
    own("photo by its address", a_call(PHOTO), "picture"),
    own("old photo", a_call(OLD_PHOTO), "picture"),
    own("photo without words", a_call("", params={"media": {"url": OLD_PHOTO}}), "picture"),
    own(
        "secure photo",
        changed(action={"params": {"p": json.dumps({"secureUrls": "List(https://example.org/1)"})}}),
        "picture",
    ),
    own("welcome", a_call("웰컴", block={"id": "w", "name": "웰컴 블록"}), "welcome"),
    own("console", a_call(user={"id": "77", "type": "accountId", "properties": {}}, lang=None), "console"),
    own("slot validation", changed(isInSlotFilling=True, value={"origin": "010", "resolved": "010"}), "unreadable"),
    own("no bot", changed(bot=None), "unreadable"),
    own("no request", changed(userRequest=None), "unreadable"),
    own("no words", a_call(None), "unreadable"),
    own("words that are a number", a_call(7), "unreadable"),
    own("no user", a_call(user=None), "unreadable"),
    own("user without id", a_call(user={"id": None}), "unreadable"),
    own("user with an empty id", a_call(user={"id": ""}), "unreadable"),
    own("user with a number", a_call(user={"id": 7}), "unreadable"),
    own("user with a broken id", a_call(user={"id": "u\ud83d"}), "unreadable"),
    own("user with an endless id", a_call(user={"id": "u" * 10_000}), "unreadable"),
    own("nothing", b"", "unreadable"),
    own("cut", BASIC[:-40], "unreadable"),
    own("byte order mark", b"\xef\xbb\xbf" + BASIC, "unreadable"),
    own("broken utf-8", BASIC.replace(b"u1", b"u\xff"), "unreadable"),
    own("form", b"utterance=a&user=1", "unreadable"),
    own("array", [a_call()], "unreadable"),
    own("string", "안녕", "unreadable"),
    own("bottomless", b"[" * 200_000, "unreadable"),
    own("endless number", b'{"a": ' + b"9" * 10_000 + b"}", "unreadable"),
    own("more than a mebibyte", a_call("가" * 400_000), "unreadable"),
]

TAKEN_FOR = {
    "req_console_skill_test.json": "console",
    "req_welcome_block.json": "welcome",
    "req_image_utterance.json": "picture",
    "req_secure_image_plugin.json": "picture",
    "req_validation_slot.json": "unreadable",
}
SHARED_CASES = [
    Case(
        entry["file"],
        (FIXTURES / entry["file"]).read_bytes(),
        TAKEN_FOR.get(entry["file"], "unreadable" if "nothing stored" in entry["suggested_handling"] else "talk"),
    )
    for entry in MANIFEST
    if entry["kind"] in ("request", "malformed")
]
SAID = {
    "talk": ["그랬군요. 언제부터였어요?"],
    "welcome": ["\n\n".join(STRINGS[key] for key in ("welcome", "welcome_crisis", "welcome_data"))],
} | {key: [STRINGS[key]] for key in ("picture", "console", "unreadable")}


@pytest.mark.parametrize("case", [*CASES, *SHARED_CASES], ids=lambda case: case.name)
async def test_every_call_gets_a_valid_answer_and_only_talk_reaches_the_conversation(case: Case) -> None:
    conversation = FakeConversation([Part("그랬군요."), Part("언제부터였어요?")])

    async with in_process(a_door(conversation)) as client:
        answer = await ask(client, case.body)

    assert texts(answer) == SAID[case.taken_for]
    assert len(conversation.heard) == (case.taken_for == "talk")


async def test_a_person_is_known_by_bot_and_user_and_a_message_by_its_request_id() -> None:
    conversation = FakeConversation([Part("네.")])

    async with in_process(a_door(conversation)) as client:
        await ask(client, a_call("안녕"), **{"X-Request-Id": "chp-1"})

    assert conversation.heard == [Message(Account("kakao", "b1!:u1"), "chp-1", "안녕", Clock().time)]


async def test_the_same_words_sent_twice_are_two_messages() -> None:
    conversation = FakeConversation([Part("네.")])

    async with in_process(a_door(conversation)) as client:
        await asyncio.gather(ask(client, a_call("안녕")), ask(client, a_call("안녕")))

    assert len({message.id for message in conversation.heard}) == 2


async def test_an_endless_request_id_is_replaced() -> None:
    conversation = FakeConversation([Part("네.")])

    async with in_process(a_door(conversation)) as client:
        await ask(client, a_call("안녕"), **{"X-Request-Id": "c" * 5000})

    assert len(conversation.heard[0].id) == 32


async def test_words_beside_a_picture_are_heard_without_its_address() -> None:
    conversation = FakeConversation([Part("네.")])

    async with in_process(a_door(conversation)) as client:
        await ask(client, a_call(f"무서워요 {PHOTO}", params={"media": {"type": "image", "url": PHOTO}}))

    assert [message.text for message in conversation.heard] == ["무서워요 "]


# Who may call.


@pytest.mark.parametrize("sent", [None, b"", b"wrong", "열려라".encode(), b"\xff\xfe"])
async def test_without_the_secret_the_door_stays_shut(sent: bytes | None) -> None:
    conversation = FakeConversation([Part("네.")])

    async with in_process(a_door(conversation)) as client:
        client.headers = httpx.Headers([] if sent is None else [(b"X-Mentos-Key", sent)])
        response = await client.post("/kakao/skill", json=a_call())

    assert response.status_code == 401
    assert conversation.heard == []


async def test_an_empty_secret_is_refused() -> None:
    with pytest.raises(ValueError, match="secret"):
        KakaoDoor(
            conversation=FakeConversation([]),
            header="X-Mentos-Key",
            secret="",
            callback_hosts=[],
            strings=STRINGS,
            tones=[],
            now=Clock(),
        )


async def test_a_call_that_breaks_off_leaves_the_door_open_and_the_log_empty(caplog: pytest.LogCaptureFixture) -> None:
    conversation = FakeConversation([Part("네.")])

    async with served(a_door(conversation)) as client:
        reader, writer = await asyncio.open_connection("127.0.0.1", client.base_url.port)
        key = SECRET[b"X-Mentos-Key"]
        writer.write(
            b"POST /kakao/skill HTTP/1.1\r\nHost: d\r\nX-Mentos-Key: " + key + b"\r\nContent-Length: 99\r\n\r\n{"
        )
        await writer.drain()
        writer.close()
        await writer.wait_closed()
        answer = await ask(client, a_call())

    assert texts(answer) == ["네."]
    assert len(conversation.heard) == 1
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []
    assert reader.at_eof()


# Where a delayed answer may go.

KEPT = [
    "https://bot-api.kakao.com/v1/bots/b1!/callback/t",
    "https://bot-api.kakao.com/v1/bots/b1/callback/dG9r%3D%3D?x=%2f&y=a+b",
    "http://127.0.0.1:8123/callback",
]
REFUSED: list[object] = [
    None,
    7,
    {"url": "https://bot-api.kakao.com/"},
    "",
    "callback please",
    "/v1/callback",
    "//bot-api.kakao.com/t",
    "http://bot-api.kakao.com/t",
    "ftp://bot-api.kakao.com/t",
    "file:///etc/passwd",
    "https://bot-api.kakao.com:8443/t",
    "https://bot-api.kakao.com:99999/t",
    "http://127.0.0.1:99999/t",
    "https://bot-api.kakao.com.evil.example/t",
    "https://evil-bot-api.kakao.com/t",
    "https://accounts.kakao.com/logout",
    "https://me@bot-api.kakao.com/t",
    "https://bot-api.kakao.com@evil.example/t",
    "https://evil.example\\@bot-api.kakao.com/t",
    "https://bot-api.kakao.com\\t",
    "https://bot-api.kakao.com/t#f",
    "https://bot-api.kakao.com/t\r\nHost: evil.example",
    "https://bot-api.kakao.com/t t",
    " https://bot-api.kakao.com/t",
    "https://bot-api.kakao.com/t\n",
    "https://bot-api.kakao.com/\u00e9",
    "https://bot\uff0dapi.kakao.com/t",
    "https://127.0.0.1:8000/admin",
    "http://localhost:8123/t",
    "http://127.0.0.2/t",
    "http://2130706433/t",
    "http://169.254.169.254/latest/meta-data/",
    "gopher://127.0.0.1:6379/_FLUSHALL",
]


def fixture_callbacks(prefix: str) -> list[Any]:
    calls = [json.loads((FIXTURES / e["file"]).read_bytes()) for e in MANIFEST if e["file"].startswith(prefix)]
    return [call["userRequest"].get("callbackUrl") for call in calls]


@pytest.mark.parametrize("url", [*KEPT, *fixture_callbacks("req_text_callback")])
def test_a_callback_of_kakao_is_kept_byte_for_byte(url: str) -> None:
    assert str(callback_target(url, ["bot-api.kakao.com", "127.0.0.1"])) == url


@pytest.mark.parametrize("url", [*REFUSED, *fixture_callbacks("malformed_callback")], ids=repr)
def test_any_other_callback_is_refused(url: object) -> None:
    assert callback_target(url, ["bot-api.kakao.com", "127.0.0.1"]) is None


def test_the_default_port_may_be_spelled_out() -> None:
    assert callback_target("https://bot-api.kakao.com:443/t", ["bot-api.kakao.com"]) is not None


def test_loopback_is_refused_where_it_is_not_allowed() -> None:
    assert callback_target("http://127.0.0.1:8000/t", ["bot-api.kakao.com"]) is None


def test_plain_http_is_refused_for_an_allowed_host_elsewhere() -> None:
    assert callback_target("http://192.0.2.1/t", ["192.0.2.1"]) is None


@pytest.mark.parametrize("url", ["http://bot-api.kakao.com/t", "https://accounts.kakao.com/logout", 7])
async def test_with_a_callback_that_is_refused_the_answer_comes_at_once(url: object) -> None:
    conversation = FakeConversation([Part("그랬군요."), asyncio.Event()])

    async with in_process(a_door(conversation, answer_within=SOON)) as client:
        answer = await ask(client, a_call(callbackUrl=url))

    assert texts(answer) == ["그랬군요."]


# In time, and late.


async def test_an_answer_in_time_needs_no_callback(callback: Callback) -> None:
    door = a_door(FakeConversation([Part("그랬군요.")]))

    async with served(door) as client:
        answer = await ask(client, a_call(callbackUrl=callback.url))
        await door.drain()

    assert texts(answer) == ["그랬군요."]
    assert callback.posts == []


async def test_a_late_answer_is_posted_once_to_the_very_address_after_the_ack(callback: Callback) -> None:
    ready = asyncio.Event()
    door = a_door(FakeConversation([Part("그랬군요."), ready, Part("언제부터였어요?")]), answer_within=SOON)

    async with served(door) as client:
        ack = await ask(client, a_call(callbackUrl=callback.url))
        posted_before = list(callback.posts)
        ready.set()
        await door.drain()

    assert ack == {"version": "2.0", "useCallback": True, "data": {"text": STRINGS["waiting"]}}
    assert posted_before == []
    [(path, answer)] = callback.posts
    validate(answer)
    assert callback.url.endswith(path)
    assert texts(answer) == ["그랬군요. 언제부터였어요?"]


async def test_a_callback_stays_behind_the_ack_even_when_the_answer_follows_at_once(callback: Callback) -> None:
    ready, told = asyncio.Event(), asyncio.Event()
    door = a_door(FakeConversation([ready, Part("네."), told]), answer_within=SOON, ack_lead=NEVER)

    async with served(door) as client:
        await ask(client, a_call(callbackUrl=callback.url))
        told.set()
        ready.set()
        async with httpx.AsyncClient() as other:
            await other.post(callback.url, json="a post that came later")

    assert [body for _, body in callback.posts] == ["a post that came later"]


async def test_the_callback_carries_what_there_is_when_time_is_up_and_the_rest_can_be_heard(callback: Callback) -> None:
    ready = asyncio.Event()
    conversation = FakeConversation([Part("그랬군요."), ready, Part("언제부터였어요?")])
    door = a_door(conversation, answer_within=SOON, callback_within=SOON * 2)

    async with served(door) as client:
        await ask(client, a_call(callbackUrl=callback.url))
        await callback.arrived.wait()
        ready.set()
        await door.drain()
        rest = await ask(client, a_call("이어서 듣기"))

    [(_, answer)] = callback.posts
    assert texts(answer) == ["그랬군요."]
    assert typed(answer) == ["이어서 듣기"]
    assert texts(rest) == ["언제부터였어요?"]
    assert len(conversation.heard) == 1


async def test_a_callback_with_nothing_to_tell_yet_says_so(callback: Callback) -> None:
    ready = asyncio.Event()
    door = a_door(FakeConversation([ready]), answer_within=SOON, callback_within=SOON * 2)

    async with served(door) as client:
        await ask(client, a_call(callbackUrl=callback.url))
        await callback.arrived.wait()
        ready.set()
        await door.drain()

    assert [texts(answer) for _, answer in callback.posts] == [[STRINGS["slow"]]]


FAILURES = [
    (200, b'{"taskId": "t-1", "status": "FAIL", "message": "Invalid callback token.", "timestamp": 1}'),
    (200, b'{"taskId": "t-1", "status": "ERROR", "message": "Internal server error occured.", "timestamp": 1}'),
    (400, b'{"taskId": "t-1", "status": "SUCCESS", "message": "Bad request", "timestamp": 1}'),
    (502, b'{"message": "Bad gateway"}'),
    *((200, (FIXTURES / e["file"]).read_bytes()) for e in MANIFEST if e["file"].startswith("cbresult_fail")),
]


@pytest.mark.parametrize(("status", "verdict"), FAILURES)
async def test_an_answer_whose_callback_fails_comes_with_the_next_message(
    callback: Callback, caplog: pytest.LogCaptureFixture, status: int, verdict: bytes
) -> None:
    callback.status, callback.verdict = status, verdict
    ready = asyncio.Event()
    door = a_door(FakeConversation([ready, Part("늦은 대답이에요.")], [Part("새 대답이에요.")]), answer_within=SOON)

    async with in_process(door) as client:
        await ask(client, a_call("첫 말", callbackUrl=callback.url))
        ready.set()
        await door.drain()
        answer = await ask(client, a_call("다음 말"))
        again = await ask(client, a_call("또 다음 말"))

    assert len(callback.posts) == 1
    assert texts(answer) == ["늦은 대답이에요. 새 대답이에요."]
    assert texts(again) == ["새 대답이에요."]
    assert json.loads(verdict)["message"] in caplog.text
    assert "말" not in caplog.text
    assert "대답" not in caplog.text


async def test_a_callback_answered_without_a_verdict_counts_as_taken(callback: Callback) -> None:
    callback.verdict = b""
    ready = asyncio.Event()
    door = a_door(FakeConversation([ready, Part("늦은 대답이에요.")]), answer_within=SOON)

    async with in_process(door) as client:
        await ask(client, a_call(callbackUrl=callback.url))
        ready.set()
        await door.drain()
        answer = await ask(client, a_call("이어서 듣기"))

    assert texts(answer) == [STRINGS["nothing_left"]]


async def test_a_redirected_callback_is_not_followed_and_counts_as_failed(callback: Callback) -> None:
    callback.status, callback.headers = 307, {"Location": "/elsewhere"}
    ready = asyncio.Event()
    door = a_door(FakeConversation([ready, Part("늦은 대답이에요.")], [Part("새 대답이에요.")]), answer_within=SOON)

    async with in_process(door) as client:
        await ask(client, a_call(callbackUrl=callback.url))
        ready.set()
        await door.drain()
        answer = await ask(client, a_call())

    assert len(callback.posts) == 1
    assert texts(answer) == ["늦은 대답이에요. 새 대답이에요."]


async def test_an_answer_whose_callback_cannot_be_reached_is_kept() -> None:
    ready = asyncio.Event()
    door = a_door(FakeConversation([ready, Part("늦은 대답이에요.")]), answer_within=SOON)

    async with in_process(door) as client:
        await ask(client, a_call(callbackUrl=f"http://127.0.0.1:{free_port()}/t"))
        ready.set()
        await door.drain()
        answer = await ask(client, a_call("이어서 듣기"))

    assert texts(answer) == ["늦은 대답이에요."]


async def test_the_admin_centres_rehearsal_is_answered_without_its_callback(callback: Callback) -> None:
    door = a_door(FakeConversation([Part("그랬군요."), asyncio.Event()]), answer_within=SOON)
    params = {"surface": "BuilderBotTest", "ignoreMe": "true"}

    async with in_process(door) as client:
        answer = await ask(client, a_call(callbackUrl=callback.url, params=params))

    assert texts(answer) == ["그랬군요."]
    assert callback.posts == []


async def test_without_a_callback_the_rest_is_there_for_the_asking() -> None:
    ready = asyncio.Event()
    conversation = FakeConversation([Part("그랬군요."), ready, Part("언제부터였어요?")])

    async with served(a_door(conversation, answer_within=SOON)) as client:
        first = await ask(client, a_call())
        ready.set()
        rest = await ask(client, a_call("이어서 듣기"))
        after = await ask(client, a_call("이어서 듣기"))

    assert texts(first) == ["그랬군요."]
    assert typed(first) == ["이어서 듣기"]
    assert texts(rest) == ["언제부터였어요?"]
    assert typed(rest) == []
    assert texts(after) == [STRINGS["nothing_left"]]
    assert len(conversation.heard) == 1


async def test_asking_for_the_rest_waits_for_it_as_long_as_an_answer_may_take() -> None:
    ready = asyncio.Event()
    conversation = FakeConversation([ready, Part("다 왔어요.")])

    async with in_process(a_door(conversation, answer_within=SOON)) as client:
        first = await ask(client, a_call())
        second = await ask(client, a_call("이어서 듣기"))
        ready.set()
        third = await ask(client, a_call("이어서 듣기"))

    assert texts(first) == texts(second) == [STRINGS["slow"]]
    assert typed(first) == typed(second) == ["이어서 듣기"]
    assert texts(third) == ["다 왔어요."]


async def test_the_rest_comes_before_the_answer_to_the_next_message() -> None:
    ready = asyncio.Event()
    conversation = FakeConversation([Part("하나."), ready, Part("둘.")], [Part("셋.")])

    async with in_process(a_door(conversation, answer_within=SOON)) as client:
        await ask(client, a_call())
        ready.set()
        answer = await ask(client, a_call("그리고요"))

    assert texts(answer) == ["둘. 셋."]
    assert [message.text for message in conversation.heard] == ["요즘 잠이 안 와요", "그리고요"]


async def test_the_rest_is_told_to_nobody_else() -> None:
    ready = asyncio.Event()
    conversation = FakeConversation([Part("하나."), ready, Part("둘.")], [Part("셋.")])

    async with in_process(a_door(conversation, answer_within=SOON)) as client:
        await ask(client, a_call(person="u1"))
        ready.set()
        answer = await ask(client, a_call(person="u2"))

    assert texts(answer) == ["셋."]


async def test_the_rest_is_forgotten_after_an_hour() -> None:
    clock = Clock()
    ready = asyncio.Event()
    conversation = FakeConversation([Part("하나."), ready, Part("둘.")])

    async with in_process(a_door(conversation, answer_within=SOON, now=clock)) as client:
        await ask(client, a_call())
        ready.set()
        clock.time += timedelta(hours=1)
        answer = await ask(client, a_call("이어서 듣기"))

    assert texts(answer) == [STRINGS["nothing_left"]]


async def test_only_the_last_thousand_people_are_waited_for() -> None:
    ready = asyncio.Event()
    conversation = FakeConversation([Part("하나."), ready, Part("둘.")])

    async with in_process(a_door(conversation, answer_within=AT_ONCE)) as client:
        for person in range(1001):
            await ask(client, a_call(person=f"u{person}"))
        ready.set()
        first = await ask(client, a_call("이어서 듣기", person="u0"))
        last = await ask(client, a_call("이어서 듣기", person="u1000"))

    assert texts(first) == [STRINGS["nothing_left"]]
    assert texts(last) != [STRINGS["nothing_left"]]


async def test_an_answer_too_long_for_three_bubbles_goes_on_for_the_asking() -> None:
    sentence = "오늘 하루도 여기까지 오느라 애쓰셨어요."
    conversation = FakeConversation([Part(sentence)] * 200)

    async with in_process(a_door(conversation)) as client:
        first = await ask(client, a_call())
        second = await ask(client, a_call("이어서 듣기"))

    assert typed(first) == ["이어서 듣기"]
    assert " ".join([*texts(first), *texts(second)]) == " ".join([sentence] * 200)


async def test_an_answer_that_breaks_off_is_still_an_answer(caplog: pytest.LogCaptureFixture) -> None:
    conversation = FakeConversation([RuntimeError("비밀 이야기")], [Part("하나."), RuntimeError("비밀 이야기")])

    async with in_process(a_door(conversation)) as client:
        nothing = await ask(client, a_call())
        something = await ask(client, a_call())

    assert texts(nothing) == [STRINGS["silence"]]
    assert texts(something) == ["하나."]
    assert "RuntimeError" in caplog.text
    assert "비밀" not in caplog.text


# Words of crisis.

HELP = Part("지금 많이 힘드시군요.\n\n자살예방상담 109\n" + "곁에 있어요. " * 120, Kind.CRISIS)


async def test_words_of_crisis_come_first_whole_and_alone_in_their_bubble() -> None:
    question = Part("저장해도 될까요?", Kind.CONSENT)
    conversation = FakeConversation([Part("들었어요."), question, HELP])

    async with in_process(a_door(conversation)) as client:
        answer = await ask(client, a_call())

    assert texts(answer) == [HELP.text.strip(), "들었어요.\n\n저장해도 될까요?"]
    assert typed(answer) == []


async def test_words_of_crisis_wait_for_nothing_and_for_no_callback(callback: Callback) -> None:
    ready = asyncio.Event()
    conversation = FakeConversation([HELP, ready, Part("지금 혼자 계세요?")], [Part("네.")])
    door = a_door(conversation)

    async with served(door) as client:
        answer = await ask(client, a_call(callbackUrl=callback.url))
        ready.set()
        following = await ask(client, a_call("네"))

    assert texts(answer) == [HELP.text.strip()]
    assert typed(answer) == []
    assert texts(following) == ["지금 혼자 계세요? 네."]
    assert callback.posts == []


async def test_words_of_crisis_are_never_left_to_the_callback(callback: Callback) -> None:
    door = a_door(FakeConversation([HELP, asyncio.Event()]), answer_within=SOON)

    async with in_process(door) as client:
        answer = await ask(client, a_call(callbackUrl=callback.url))

    assert texts(answer) == [HELP.text.strip()]


async def test_words_of_crisis_do_not_wait_for_an_earlier_answer() -> None:
    conversation = FakeConversation([HELP, asyncio.Event()], [HELP])

    async with in_process(a_door(conversation)) as client:
        await ask(client, a_call())
        answer = await ask(client, a_call("도와줘요"))

    assert texts(answer) == [HELP.text.strip()]


async def test_what_follows_words_of_crisis_is_waited_for_like_any_answer() -> None:
    ready = asyncio.Event()
    conversation = FakeConversation([HELP, ready, Part("지금 혼자 계세요?")], [Part("네.")])

    async with in_process(a_door(conversation)) as client:
        await ask(client, a_call())
        asking = asyncio.create_task(ask(client, a_call("이어서 듣기")))
        await ask(client, a_call(person="u2"))
        ready.set()
        rest = await asking

    assert texts(rest) == ["지금 혼자 계세요?"]


async def test_words_of_crisis_that_come_late_end_the_wait_for_the_callback(callback: Callback) -> None:
    ready = asyncio.Event()
    door = a_door(FakeConversation([Part("들었어요."), ready, HELP, asyncio.Event()]), answer_within=SOON)

    async with in_process(door) as client:
        await ask(client, a_call(callbackUrl=callback.url))
        ready.set()
        await callback.arrived.wait()

    assert [texts(answer) for _, answer in callback.posts] == [[HELP.text.strip(), "들었어요."]]


# Quick replies.


async def test_the_consent_question_brings_its_two_answers() -> None:
    conversation = FakeConversation([Part("반가워요."), Part("저장해도 될까요?", Kind.CONSENT)])

    async with in_process(a_door(conversation)) as client:
        answer = await ask(client, a_call())

    assert [(choice["label"], choice["messageText"]) for choice in answer["template"]["quickReplies"]] == [
        ("네, 괜찮아요", "/동의 네"),
        ("아니요", "/동의 아니요"),
    ]
    assert all(choice["extra"]["v"] == 1 for choice in answer["template"]["quickReplies"])


@pytest.mark.parametrize(("said", "shown"), [("/말투", 10), (" /말투 ", 10), ("/말투 선비", 0), ("말투가 좋네요", 0)])
async def test_tones_are_offered_to_those_who_ask_for_them(said: str, shown: int) -> None:
    async with in_process(a_door(FakeConversation([Part("골라 주세요.", Kind.NOTICE)]))) as client:
        answer = await ask(client, a_call(said))

    assert typed(answer) == [command for _, command in TONES][:shown]


async def test_tones_are_offered_in_the_welcome() -> None:
    async with in_process(a_door(FakeConversation([]))) as client:
        answer = await ask(client, a_call("웰컴", block={"name": "웰컴 블록"}))

    assert typed(answer) == [command for _, command in TONES][:10]


# Bubbles.


def test_sentences_run_on_and_blocks_stand_apart() -> None:
    parts = [Part("하나."), Part("둘."), Part("알림 하나", Kind.NOTICE), Part("알림 둘", Kind.NOTICE), Part("셋.")]

    assert bubbles(parts) == (["하나. 둘.\n\n알림 하나\n\n알림 둘\n\n셋."], "")


def test_a_bubble_is_not_folded_where_three_have_room() -> None:
    laid, rest = bubbles([Part("가" * 98 + ".")] * 14)

    assert [len(text) for text in laid] == [499, 499, 399]
    assert rest == ""


def test_a_long_answer_fills_its_bubbles() -> None:
    laid, rest = bubbles([Part("가" * 98 + ".")] * 29)

    assert [len(text) for text in laid] == [999, 999, 899]
    assert rest == ""


@pytest.mark.parametrize("end", ["\n\n", "\n", ". ", " "])
def test_a_cut_falls_where_a_reader_would_pause(end: str) -> None:
    before = "가" * 300 + end
    laid, _ = bubbles([Part(before + "나" * 300)])

    assert laid == [before.strip(), "나" * 300]


def test_a_paragraph_that_comes_too_early_is_no_cut() -> None:
    laid, _ = bubbles([Part("가.\n\n" + "나나. " * 200)])

    assert all(len(text) > 400 for text in laid[:-1])


def test_an_earlier_paragraph_is_a_better_cut_than_a_later_word() -> None:
    laid, _ = bubbles([Part("가" * 300 + "\n\n" + "나나. " * 100)])

    assert laid[0] == "가" * 300


CLUSTERS = {
    "family": "👨‍👩‍👧‍👦",
    "rainbow flag": "🏳️‍🌈",
    "skin tone": "👍🏽",
    "worker with a skin tone": "👩🏽‍💻",
    "flag": "🇰🇷",
    "flag of tags": "🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f",
    "keycap": "1\ufe0f\u20e3",
    "accent": "q\u0301",
    "old hangul": "\u1112\u119e\u11ab",
    "old initials": "\u1140\u1161",
    "pair": "😢",
}


@pytest.mark.parametrize("cluster", CLUSTERS.values(), ids=CLUSTERS)
@pytest.mark.parametrize("offset", range(4))
def test_what_reads_as_one_character_is_never_torn(cluster: str, offset: int) -> None:
    laid, rest = bubbles([Part("가" * offset + cluster * 1600)])

    assert len(laid) == 3
    assert laid[0].removeprefix("가" * offset).replace(cluster, "") == ""
    assert "".join([*laid[1:], rest]).replace(cluster, "") == ""
    assert all(text.startswith(cluster) and text.endswith(cluster) for text in [*laid[1:], rest])
    assert all(len(text.encode("utf-16-le")) > 1_900 for text in laid)


def test_a_character_longer_than_a_bubble_is_torn_rather_than_refused() -> None:
    laid, rest = bubbles([Part("q" + "\u0301" * 5000)])

    assert [len(text) for text in laid] == [1000, 1000, 1000]
    assert len("".join(laid) + rest) == 5001


def test_short_words_of_crisis_share_a_bubble() -> None:
    assert bubbles([Part("첫째.", Kind.CRISIS), Part("둘째.", Kind.CRISIS)]) == (["첫째.\n\n둘째."], "")


def test_two_words_of_crisis_are_both_whole() -> None:
    first, second = Part("첫째.\n\n" + "가" * 600, Kind.CRISIS), Part("둘째.\n\n" + "나" * 600, Kind.CRISIS)

    assert bubbles([first, second]) == ([first.text, second.text], "")


def visible(text: str) -> str:
    return "".join(c for c in text if unicodedata.category(c)[0] not in "ZC")


def in_plenty(text: str) -> st.SearchStrategy[str]:
    return st.integers(1, 700).map(lambda times: text[:40] * times)


PIECES = st.one_of(st.text(), st.sampled_from([*CLUSTERS.values(), "가나 다.", "\n", "\x00\x07"])).flatmap(in_plenty)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.builds(Part, PIECES, st.sampled_from(Kind)), max_size=4))
def test_whatever_is_said_the_bubbles_are_valid_and_nothing_is_lost(parts: list[Part]) -> None:
    laid, rest = bubbles(parts)

    validate({"version": "2.0", "template": {"outputs": [{"simpleText": {"text": text}} for text in laid or ["-"]]}})
    urgent_first = sorted(parts, key=lambda part: part.kind is not Kind.CRISIS)
    assert visible("".join([*laid, rest])) == "".join(visible(clean(part.text)) for part in urgent_first)


# The checker that these tests trust.

GOOD: list[object] = [
    {"version": "2.0", "template": {"outputs": [{"simpleText": {"text": "가" * 1000}}] * 3}},
    {"version": "2.0", "useCallback": True, "data": {"text": "잠시만요."}},
    *(json.loads((FIXTURES / e["file"]).read_bytes()) for e in MANIFEST if e["kind"] == "response"),
]
ONE = [{"simpleText": {"text": "네."}}]
CHOICE = {"label": "네", "action": "message", "messageText": "네"}
BAD: list[object] = [
    [],
    {"template": {"outputs": ONE}},
    {"version": "2.0", "template": {"outputs": []}},
    {"version": "2.0", "template": {"outputs": ONE * 4}},
    {"version": "2.0", "template": {"outputs": [{"simpleText": {"text": ""}}]}},
    {"version": "2.0", "template": {"outputs": [{"simpleText": {"text": "😢" * 501}}]}},
    {"version": "2.0", "template": {"outputs": [{"simpleText": {"text": "가\x00"}}]}},
    {"version": "2.0", "template": {"outputs": ONE, "quickReplies": [CHOICE] * 11}},
    {"version": "2.0", "template": {"outputs": ONE, "quickReplies": [CHOICE | {"label": "가" * 15}]}},
    {"version": "2.0", "template": {"outputs": ONE}, "data": {"a": "가" * 11_000}},
    *(json.loads((FIXTURES / e["file"]).read_bytes()) for e in MANIFEST if e["kind"] == "response_invalid"),
]


@pytest.mark.parametrize("answer", GOOD, ids=lambda _: "good")
def test_the_checker_accepts_what_kakao_shows(answer: object) -> None:
    validate(answer)


@pytest.mark.parametrize("answer", BAD, ids=lambda _: "bad")
def test_the_checker_rejects_what_kakao_refuses(answer: object) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        validate(answer)


async def test_what_was_told_whole_is_confirmed_and_what_was_not_is_not(callback: Callback) -> None:
    callback.status = 502
    never = asyncio.Event()
    conversation = FakeConversation([Part("첫 대답이에요.")], [never, Part("늦은 대답이에요.")], [Part("셋째예요.")])
    door = a_door(conversation, answer_within=SOON)

    async with in_process(door) as client:
        await ask(client, a_call("첫 말"))
        await door.drain()
        after_the_first = [message.text for message in conversation.confirmed]
        await ask(client, a_call("둘째 말", callbackUrl=callback.url))
        never.set()
        await door.drain()
        after_the_lost_one = [message.text for message in conversation.confirmed]
        await ask(client, a_call("셋째 말"))
        await door.drain()

    assert after_the_first == after_the_lost_one == ["첫 말"]
    assert {message.text for message in conversation.confirmed} == {"첫 말", "둘째 말", "셋째 말"}


def left_over(*, ago: timedelta) -> Message:
    return Message(Account("kakao", "b0:u1"), "old", "밀린 말", Clock()() - ago)


async def test_what_was_heard_before_the_last_stop_is_answered_with_the_next_message() -> None:
    conversation = FakeConversation([Part("밀린 대답이에요.")], [Part("새 대답이에요.")])
    conversation.left_over = [left_over(ago=timedelta(minutes=2))]
    door = a_door(conversation)

    async with in_process(door) as client:
        answer = await ask(client, a_call("새 말") | {"bot": {"id": "b0"}})
        await door.drain()
        another = await ask(client, a_call("또 새 말") | {"bot": {"id": "b0"}})

    assert texts(answer) == ["밀린 대답이에요. 새 대답이에요."]
    assert "old" in {message.id for message in conversation.confirmed}
    assert texts(another) == ["새 대답이에요."]


async def test_what_another_process_may_be_answering_is_left_to_it() -> None:
    conversation = FakeConversation([Part("새 대답이에요.")])
    conversation.left_over = [left_over(ago=timedelta(seconds=10))]

    async with in_process(a_door(conversation)) as client:
        await ask(client, a_call("새 말"))

    assert [message.text for message in conversation.heard] == ["새 말"]


async def test_an_answer_that_is_asked_for_is_told_wherever_it_was_made() -> None:
    conversation = FakeConversation([Part("밀린 대답이에요.")])
    conversation.left_over = [left_over(ago=timedelta(seconds=10))]
    door = a_door(conversation)

    async with in_process(door) as client:
        answer = await ask(client, a_call(STRINGS["continue"]))
        await door.drain()

    assert texts(answer) == ["밀린 대답이에요."]
    assert [message.id for message in conversation.confirmed] == ["old"]


class Forgotten(FakeConversation):
    """Never says what is unanswered, as a database that hangs."""

    async def unanswered(self, messenger: str, address: str | None = None) -> Sequence[Message]:
        await asyncio.Event().wait()
        return ()


@pytest.mark.parametrize("said", ["요즘 힘들어요", "나 오늘 밤에 죽으려고 해. 유서도 썼어"])
async def test_what_was_left_over_keeps_nobody_waiting(said: str) -> None:
    conversation = Forgotten([Part("새 대답이에요.")])
    within = NEVER if "죽" in said else 0.5  # danger does not even ask

    async with in_process(a_door(conversation, answer_within=within)) as client:
        answer = await asyncio.wait_for(ask(client, a_call(said)), 10)

    assert texts(answer) == ["새 대답이에요."]
