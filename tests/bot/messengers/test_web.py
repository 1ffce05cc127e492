"""The web door from outside: who is let in, what is shut, and whose words anybody sees."""

import asyncio
import json
import os
import re
import socket
import uuid
from collections.abc import AsyncIterator
from html import unescape
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bot.conversation.model import Account
from bot.messengers.web.guard import host_of
from bot.messengers.web.visitors import account_of
from bot.safety.assess import assess
from bot.safety.replies import words as crisis_words
from tests.fakes import SayingResponder
from tests.web_door import ARRIVE, SAY, HeldResponder, Place, event, told, web_strings

pytestmark = pytest.mark.asyncio(loop_scope="module")

KO = web_strings()["ko"]["web"]
JOIN = "/gradio_api/queue/join"
HOME = "http://127.0.0.1:8000"
REMOTE = re.compile(r"""(?:src|href)=["'](?:https?:)?//""")


QUIET = b'aria-busy=\\"false\\"'


class Visitor:
    """A browser without a screen: cookies, events, and what the events showed. It leaves a page that shows `wanted`."""

    def __init__(self, place: Place, *, base_url: str = HOME) -> None:
        self.http = httpx.AsyncClient(transport=httpx.ASGITransport(self._leaving(place.app)), base_url=base_url)
        self.prefix = ""
        self.wanted = QUIET

    def _leaving(self, app: ASGIApp) -> ASGIApp:
        async def leaving(scope: Scope, receive: Receive, send: Send) -> None:
            has_left = False

            async def tell(message: Message) -> None:
                nonlocal has_left
                if has_left:
                    return
                has_left = self.wanted in message.get("body", b"")
                await send({**message, "more_body": False} if has_left else message)

            await app(scope, receive, tell)

        return leaving

    async def arrive(self) -> str:
        return (await self.http.get("/", follow_redirects=True)).text

    async def say(self, said: str, **more: object) -> str:
        """Say something and return the last state of the conversation, as HTML."""
        session = await self.join(SAY, {"text": said, "ticket": str(uuid.uuid4()), **more})
        await self.told(session)
        return await self.shown()

    async def shown(self) -> str:
        """Return the conversation as a page that is opened now shows it, once nothing is being said."""
        async with asyncio.timeout(10):
            return (await self.told(await self.join(ARRIVE)))[-1]

    async def join(self, number: int, data: object = None) -> str:
        session = uuid.uuid4().hex[:10]
        joined = await self.http.post(f"{self.prefix}{JOIN}", json=event(number, data, session=session))
        assert joined.status_code == 200, joined.text
        return session

    async def told(self, session: str) -> list[str]:
        stream = await self.http.get(f"{self.prefix}/gradio_api/queue/data", params={"session_hash": session})
        return told(stream.text)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def place(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Place]:
    place = Place(tmp_path_factory.mktemp("home"), responder=SayingResponder("그러셨군요."), hosts=["talk.example"])
    place.door.open()
    yield place
    await place.door.drain()
    place.door.close()


@pytest_asyncio.fixture(loop_scope="module")
async def visitor(place: Place) -> Visitor:
    return Visitor(place)


async def test_a_newcomer_gets_a_cookie_that_no_script_and_no_other_site_can_use(visitor: Visitor) -> None:
    first = (await visitor.http.get("/")).headers["set-cookie"]
    assert re.fullmatch(r"mentos=[\w-]{43}; HttpOnly; Max-Age=34560000; Path=/; SameSite=lax", first)
    again = (await visitor.http.get("/")).headers["set-cookie"]
    assert again == first


async def test_the_cookie_stays_within_https(place: Place) -> None:
    visitor = Visitor(place, base_url="https://talk.example")
    assert "; Secure" in (await visitor.http.get("/")).headers["set-cookie"]
    assert "; Secure" in (await visitor.http.get("/guest")).headers["set-cookie"]


async def test_people_are_known_by_a_digest_and_guests_as_guests(visitor: Visitor, place: Place) -> None:
    before = set(place.people.people)
    await visitor.arrive()
    await visitor.say("안녕하세요")
    await visitor.say("/동의 네")
    await visitor.http.get("/guest")
    await visitor.say("안녕하세요")
    await visitor.say("/동의 네")
    known, guest = (account for account in place.people.people if account not in before)
    assert [known.is_guest, guest.is_guest] == [False, True]
    assert [known.messenger, guest.messenger] == ["web", "web"]
    assert len({known.address, guest.address, *visitor.http.cookies.values()}) == 4


async def test_a_guest_s_cookie_ends_with_the_browser(visitor: Visitor) -> None:
    made = (await visitor.http.get("/guest")).headers["set-cookie"]
    assert "max-age" not in made.lower()
    assert "HttpOnly" in made


async def test_without_a_cookie_nothing_is_heard_and_the_remedy_is_said(visitor: Visitor) -> None:
    assert KO["no_cookie"] in await visitor.say("/동의 네")


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "localhost:8000",
        "127.0.0.1:8000",
        "[::1]:8000",
        "[0:0:0:0:0:0:0:1]",
        "talk.example",
        "TALK.example.",
    ],
)
async def test_our_own_names_are_let_in(visitor: Visitor, host: str) -> None:
    assert (await visitor.http.get("/", headers={"Host": host})).status_code == 200


@pytest.mark.parametrize(
    "host", ["rebound.example", "127.0.0.1.rebound.example", "[::2]:8000", "", "a@localhost", "localhost:x"]
)
async def test_other_names_are_told_what_the_operator_can_do(visitor: Visitor, host: str) -> None:
    refused = await visitor.http.get("/", headers={"Host": host})
    assert refused.status_code == 400
    assert "MENTOS_WEB__HOSTS" in refused.text
    assert "MENTOS_PUBLIC_URL" in refused.text
    assert "set-cookie" not in refused.headers


async def test_a_proxy_speaks_for_our_own_names_only(visitor: Visitor) -> None:
    for name, status in (("talk.example", 200), ("rebound.example", 400)):
        assert (await visitor.http.get("/", headers={"X-Forwarded-Host": name})).status_code == status


async def test_the_public_url_is_one_of_our_names(tmp_path: Path) -> None:
    place = Place(tmp_path, responder=SayingResponder("네."), public_url="https://public.example/")
    visitor = Visitor(place)
    assert (await visitor.http.get("/", headers={"Host": "public.example"})).status_code == 200


async def test_hosts_are_read_without_their_port() -> None:
    assert [host_of(name) for name in ("[::1]:80", "A.b:1", "x", "::1", "a b", "")] == [
        "::1",
        "a.b",
        "x",
        None,
        None,
        None,
    ]


@pytest.mark.parametrize("prefix", ["", "/en"])
@pytest.mark.parametrize(
    "shut",
    [
        "POST /gradio_api/upload",
        "GET /gradio_api/upload_progress",
        "GET /gradio_api/file=/etc/passwd",
        "GET /gradio_api/file/etc/passwd",
        "GET /gradio_api/proxy=http://127.0.0.1/",
        "GET /gradio_api/stream/a/b/c/playlist.m3u8",
        "GET /gradio_api/info",
        "GET /gradio_api/startup-events",
        "GET /gradio_api/openapi.json",
        "GET /gradio_api/runs",
        "POST /gradio_api/run/say",
        "POST /gradio_api/call/say",
        "POST /gradio_api/component_server",
        "POST /gradio_api/process_recording",
        "POST /gradio_api/vibe-edit",
        "POST /gradio_api/reset",
        "POST /gradio_api/cancel",
        "GET /gradio_api/deep_link",
        "GET /config",
        "GET /monitoring",
        "GET /docs",
        "GET /openapi.json",
        "POST /login",
        "GET /static/../routes.py",
        "GET /assets/..%2f..%2froutes.py",
        "GET /svelte/svelte.js",
        "PUT /",
        "OPTIONS /gradio_api/queue/join",
    ],
)
async def test_what_the_page_does_not_need_is_shut(visitor: Visitor, prefix: str, shut: str) -> None:
    method, _, path = shut.partition(" ")
    answer = await visitor.http.request(method, prefix + path, headers={"Origin": HOME})
    assert answer.status_code == 404


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://elsewhere.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:9999"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
async def test_other_sites_cannot_speak_for_a_visitor(visitor: Visitor, place: Place, headers: dict[str, str]) -> None:
    await visitor.arrive()
    consent = event(SAY, {"text": "/동의 네"})
    assert (await visitor.http.post(JOIN, json=consent, headers=headers)).status_code == 403
    assert _account(visitor) not in place.people.people


async def test_the_page_itself_can(visitor: Visitor) -> None:
    await visitor.arrive()
    own = {"Origin": HOME, "Sec-Fetch-Site": "same-origin"}
    assert (await visitor.http.post(JOIN, json=event(SAY, {"text": "안녕하세요"}), headers=own)).status_code == 200


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b'{"session_hash": 1.5}', b'{"session_hash": "../x"}', b"[" * 100_000]
)
async def test_what_is_no_event_is_refused(visitor: Visitor, body: bytes) -> None:
    assert (await visitor.http.post(JOIN, content=body)).status_code == 400


async def test_a_body_without_end_is_not_read_to_the_end(visitor: Visitor) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while sent < 64 << 20:
            sent += 1 << 20
            yield b" " * (1 << 20)

    assert (await visitor.http.post(JOIN, content=endless())).status_code == 400
    assert sent < 8 << 20


async def test_longer_than_can_be_read_is_refused_kindly(visitor: Visitor, place: Place) -> None:
    await visitor.arrive()
    assert KO["too_long"] in await visitor.say("하" * 100_001)
    assert "모두 100,000자" in await visitor.say("하" * 100_000)


@pytest.mark.parametrize("said", ["/죽고 싶어", "/그만 살고 싶어", "/다시 죽고 싶어", "/감정 죽고 싶어"])
async def test_danger_is_shown_even_behind_the_sign_of_a_command(visitor: Visitor, said: str) -> None:
    await visitor.arrive()
    shown = await visitor.say(said)
    assert "crisis" in shown
    assert "109" in shown.split("crisis")[1]


async def test_on_the_english_page_help_is_english(visitor: Visitor) -> None:
    await visitor.arrive()
    visitor.prefix = "/en"
    helped = re.sub("<[^>]+>", "", unescape(await visitor.say("나 죽고 싶어")))
    assert crisis_words(assess("나 죽고 싶어"), "en").split("\n")[0][:30] in helped


@pytest.mark.parametrize("origin", ["http://[", "null", "", "https://elsewhere.test"])
async def test_whatever_an_origin_is_nothing_but_ours_gets_in(visitor: Visitor, origin: str) -> None:
    await visitor.arrive()
    answered = await visitor.http.post(JOIN, json=event(SAY, {"text": "안녕"}), headers={"Origin": origin})
    assert answered.status_code == 403


async def test_danger_is_heard_however_much_is_pasted_around_it(visitor: Visitor) -> None:
    await visitor.arrive()
    assert "109" in await visitor.say("하" * 100_001 + " 나 오늘 죽으려고 해. 유서도 썼어")


async def test_every_answer_is_closed_to_frames_strangers_and_other_sites(visitor: Visitor) -> None:
    for path in ("/", "/web.css", "/nowhere", "/mood.png"):
        headers = (await visitor.http.get(path)).headers
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert "default-src 'none'" in headers["content-security-policy"]
        assert headers["x-frame-options"] == "DENY"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cross-origin-resource-policy"] == "same-origin"


async def test_the_page_loads_nothing_from_elsewhere_and_runs_no_script_but_its_own(visitor: Visitor) -> None:
    page = await visitor.http.get("/")
    policy = page.headers["content-security-policy"]
    [nonce] = re.findall(r"'nonce-([\w-]+)'", policy)
    assert not REMOTE.search(page.text)
    assert "'unsafe-inline'" not in policy.partition("script-src")[2].partition(";")[0]
    assert set(re.findall(r"<script\b([^>]*)", page.text)) == {
        found for found in re.findall(r"<script\b([^>]*)", page.text) if f'nonce="{nonce}"' in found
    }
    assert nonce not in (await visitor.http.get("/")).headers["content-security-policy"]


async def test_the_page_names_no_way_in_for_programs(visitor: Visitor) -> None:
    page = await visitor.arrive()
    [api] = re.findall(r"window\.gradio_api_info = (.*?);</script>", page)
    assert json.loads(api)["named_endpoints"] == {}
    [config] = re.findall(r"window\.gradio_config = (.*?);</script>", page)
    read: dict[str, Any] = json.loads(config)
    assert read["footer_links"] == []
    assert read["analytics_enabled"] is False
    assert read["run_history"] is False
    assert {event["api_visibility"] for event in read["dependencies"]} == {"private"}


async def test_emergency_numbers_and_what_this_is_are_on_the_page(visitor: Visitor) -> None:
    page = (await visitor.arrive()).replace("\\u0022", '"')
    for number in ("109", "119", "112"):
        assert f"tel:{number}" in page
    assert KO["ai"] in page


async def test_nobody_sees_another_s_words_or_mood(visitor: Visitor, place: Place) -> None:
    await visitor.arrive()
    drawn = len(place.pencil.drawn)
    assert "비밀이에요" in await visitor.say("비밀이에요")
    pictures = ("/mood.png?1", "/days.png?1")
    assert [(await visitor.http.get(picture)).status_code for picture in pictures] == [200, 200]

    stranger = Visitor(place)
    assert [(await stranger.http.get(picture)).status_code for picture in pictures] == [404, 404]
    await stranger.arrive()
    assert [(await stranger.http.get(picture)).status_code for picture in pictures] == [404, 404]
    assert "비밀이에요" not in await stranger.say("저는 다른 사람이에요")
    assert len(place.pencil.drawn) == drawn + 2


async def test_nobody_listens_to_another_s_events_even_with_their_session(visitor: Visitor, place: Place) -> None:
    await visitor.arrive()
    await visitor.say("비밀이에요")
    session = await visitor.join(ARRIVE)
    thief = Visitor(place)
    await thief.arrive()
    with pytest.raises(RuntimeError):  # Gradio knows no such session of theirs
        await thief.told(session)
    assert "비밀이에요" in (await visitor.told(session))[-1]


async def test_a_mood_is_never_kept_by_a_browser(visitor: Visitor) -> None:
    await visitor.arrive()
    await visitor.say("걱정이 많아요")
    picture = await visitor.http.get("/mood.png?1")
    assert picture.headers["cache-control"] == "no-store"
    assert picture.headers["content-type"] == "image/png"
    assert picture.content.startswith(b"\x89PNG")


async def test_the_same_ticket_is_heard_once(visitor: Visitor, place: Place) -> None:
    await visitor.arrive()
    ticket = str(uuid.uuid4())
    for _ in range(3):
        shown = await visitor.say("한 번만", ticket=ticket)
    assert shown.count("한 번만") == 1
    [turn] = await place.journal.counsel(_account(visitor))
    assert turn.text == "한 번만"


async def test_words_sent_anew_to_a_bot_that_was_started_anew_stand_once(
    visitor: Visitor, place: Place, tmp_path: Path
) -> None:
    await visitor.arrive()
    await visitor.say("/동의 네")
    ticket = str(uuid.uuid4())
    await visitor.say("한 번만", ticket=ticket)
    later = Place(tmp_path, responder=SayingResponder("그러셨군요."), before=place)
    later.door.open()
    again = Visitor(later)
    again.http.cookies = visitor.http.cookies

    shown = await again.say("한 번만", ticket=ticket)

    assert (shown.count("한 번만"), shown.count("그러셨군요.")) == (1, 1)
    await later.door.drain()
    later.door.close()


async def test_help_is_shown_each_time_though_the_same_words_were_stored_before(tmp_path: Path) -> None:
    before = Place(tmp_path, responder=SayingResponder("그러셨군요."))
    before.door.open()
    visitor = Visitor(before)
    await visitor.arrive()
    await visitor.say("/동의 네")
    assert (await visitor.say("나 죽고 싶어")).count('class="crisis"') == 1
    later = Place(tmp_path, responder=SayingResponder("그러셨군요."), before=before)
    later.door.open()
    again = Visitor(later)
    again.http.cookies = visitor.http.cookies
    assert (await again.shown()).count('class="crisis"') == 1
    later.stored.is_gone = True

    assert (await again.say("나 죽고 싶어")).count('class="crisis"') == 2

    for place in (before, later):
        await place.door.drain()
        place.door.close()


async def test_help_is_shown_by_a_page_whose_journal_does_not_answer(tmp_path: Path) -> None:
    place = Place(tmp_path, responder=SayingResponder("그러셨군요."))
    place.door.open()
    visitor = Visitor(place)
    await visitor.arrive()
    await visitor.say("/동의 네")
    place.stored.hangs_at = frozenset({"recent"})
    visitor.wanted = b"tel:109"
    await visitor.told(await visitor.join(SAY, {"text": "오늘 죽으려고 해. 유서도 썼어"}))

    assert "109" in await visitor.shown()

    place.stored.is_back.set()
    await place.door.drain()
    place.door.close()


def _account(visitor: Visitor) -> Account:
    account = account_of(dict(visitor.http.cookies))
    assert account
    return account


@pytest.mark.parametrize("odd", [{"ticket": "../../etc"}, {"ticket": None}, {"text": None}, {"text": ["a"]}])
async def test_odd_events_are_taken_for_words_or_for_nothing(visitor: Visitor, odd: dict[str, object]) -> None:
    await visitor.arrive()
    assert 'role="log"' in await visitor.say("안녕하세요", **odd)


async def test_words_are_escaped_wherever_they_stand(tmp_path: Path) -> None:
    hostile = "<img src=x onerror=alert(1)><script>alert(2)</script>\"'&"
    place = Place(tmp_path, responder=SayingResponder(hostile))
    place.door.open()
    visitor = Visitor(place)
    await visitor.arrive()
    for said in (hostile, "/다시", f"/감정 {hostile}", f"/말투 {hostile}", "/새상담"):
        shown = await visitor.say(said)
        assert "<img" not in shown
        assert "<script" not in shown
    await place.door.drain()
    place.door.close()


async def test_many_talk_at_once(tmp_path: Path) -> None:
    responder = HeldResponder()
    place = Place(tmp_path, responder=responder)
    place.door.open()
    visitors = [Visitor(place) for _ in range(60)]
    for visitor in visitors:
        await visitor.arrive()
        await visitor.told(await visitor.join(SAY, {"text": "저도요"}))
    urgent = Visitor(place)
    await urgent.arrive()
    assert "109" in await urgent.say("오늘 죽으려고 해. 유서도 썼어")
    responder.released.set()
    for visitor in visitors:
        assert "둘째 문장이에요." in await visitor.shown()
    await place.door.drain()
    place.door.close()


def _files_in(folder: Path) -> list[Path]:
    return [found for found in folder.rglob("*") if found.is_file()]


async def test_nothing_is_written_and_nobody_is_called(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("the page called somebody")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    before = os.environ.get("GRADIO_TEMP_DIR")
    place = Place(tmp_path, responder=SayingResponder("그러셨군요."))
    place.door.open()
    visitor = Visitor(place)
    await visitor.arrive()
    await visitor.say("비밀이에요")
    await place.door.drain()
    place.door.close()
    assert _files_in(tmp_path) == []
    assert os.environ["GRADIO_TEMP_DIR"] == str(tmp_path / "web") != before
