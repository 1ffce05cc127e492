"""The language-model client against a server that speaks TGI's bytes on a real socket: the error table, row by row."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import aiohttp
import pytest
from aiohttp.base_protocol import BaseProtocol

from bot.backends import replica as replicas
from bot.backends import tgi
from bot.backends.address import outside
from bot.backends.dialects import Kind, told_apart
from bot.backends.faults import ChatFault, Fault
from bot.backends.replica import Asked, Replica
from bot.backends.resilience import Deadline, Fallback
from bot.backends.stream import said_in
from bot.backends.tgi import TGI, Sampling
from bot.conversation.model import Answer, CounselId, Emotion, EmotionLabel, Situation, Turn, TurnId
from bot.conversation.ports import NoReply, Responder
from tests.chat_server import TGI_INFO, ChatServer, chat_server, error_event, event
from tests.fakes import CHARACTERS, START, SayingResponder, character

SITUATION = Situation(
    "잠이 안 와요",
    next(iter(CHARACTERS.values())),
    Emotion(((EmotionLabel.ANXIOUS, 0.9),), is_confident=True),
    (),
)
EXPERT = replace(SITUATION, character=character("expert", "lora:expert"))
SAMPLING = Sampling(max_tokens=64, temperature=0.7, top_p=0.9, stop=("\nHuman:",))
WHOLE = "그러셨군요. 언제부터 그러셨어요?"


@pytest.fixture(autouse=True)
def _no_long_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    brief = {fault: (most, (0.0, 0.01)) for fault, (most, _) in tgi.RETRIES.items()}
    monkeypatch.setattr(tgi, "RETRIES", brief)


@asynccontextmanager
async def asking(
    *servers: ChatServer, first_s: float = 5, api_key: str | None = None, kind: Kind | None = None, at_once: int = 8
) -> AsyncIterator[tuple[TGI, list[Fault]]]:
    """A client of servers that run, and the faults that it met."""
    faults: list[Fault] = []
    async with aiohttp.ClientSession() as session, AsyncExitStack() as stack:
        asked = [
            Replica(server.url, session=session, api_key=api_key, at_once=at_once, kind=kind) for server in servers
        ]
        for replica in asked:
            stack.push_async_callback(replica.close)
        model = TGI(
            asked,
            adapters=lambda replica: {"expert"},
            sampling=SAMPLING,
            max_input_tokens=3072,
            first_s=first_s,
            on_fault=faults.append,
        )
        yield model, faults


async def words_of(responder: Responder, situation: Situation = SITUATION) -> str:
    return "".join([piece async for piece in responder.draft(situation)])


async def ask(server: ChatServer, situation: Situation = SITUATION) -> str:
    async with chat_server(server), asking(server) as (model, _):
        return await words_of(model, situation)


async def fault_of(server: ChatServer, *, first_s: float = 5) -> Fault:
    """Return the one fault that a reply ends in."""
    async with chat_server(server), asking(server, first_s=first_s) as (model, faults):
        with pytest.raises(NoReply):
            await words_of(model)
    return faults[-1]


# What is asked, and what is said.


async def test_streams_what_the_model_says() -> None:
    assert await ask(ChatServer()) == WHOLE


async def test_asks_only_what_tgi_understands() -> None:
    server = ChatServer()
    async with chat_server(server):
        server.url = f"{server.url}/v1/"
        async with asking(server, api_key="secret") as (model, _):
            await words_of(model)
    [asked] = server.asked
    headers = asked.pop("headers")
    assert headers["Authorization"] == "Bearer secret"
    assert asked.keys() == {"model", "messages", "stream", "max_tokens", "temperature", "top_p", "stop"}
    assert asked["stream"] is True
    assert asked["model"] == "tgi"
    assert 0 < asked["top_p"] < 1
    assert asked["messages"][-1] == {"role": "user", "content": "잠이 안 와요"}


async def test_a_lora_character_is_asked_of_its_adapter() -> None:
    server = ChatServer()
    await ask(server, EXPERT)
    assert server.asked[0]["model"] == "expert"


async def test_turns_of_danger_are_never_sent() -> None:
    said = Turn(TurnId(1), CounselId(1), "나 진짜 죽고 싶어", START, Answer("…", "…", EmotionLabel.SAD, (), START))
    calm = Turn(
        TurnId(2),
        CounselId(1),
        "어제 영화 봤어",
        START + timedelta(minutes=1),
        Answer("재미있으셨어요?", "재미있으셨어요?", EmotionLabel.HAPPY, (), START),
    )
    server = ChatServer()
    await ask(server, replace(SITUATION, recent=(said, calm)))
    sent = json.dumps(server.asked[0]["messages"], ensure_ascii=False)
    assert "죽고" not in sent
    assert "어제 영화 봤어" in sent


async def test_a_prompt_is_no_longer_than_the_server_takes() -> None:
    def spoken(number: int) -> Turn:
        answer = Answer("그랬군요. " * 20, "", EmotionLabel.SAD, (), START)
        return Turn(TurnId(number), CounselId(1), f"{number}번째 이야기 " * 20, START, answer)

    long = replace(SITUATION, recent=tuple(spoken(number) for number in range(8)))
    wide, narrow = ChatServer(), ChatServer(info={**TGI_INFO, "max_input_tokens": 1200})
    await ask(wide, long)
    await ask(narrow, long)
    assert len(narrow.asked[0]["messages"]) < len(wide.asked[0]["messages"])
    assert narrow.asked[0]["messages"][-1] == wide.asked[0]["messages"][-1]


async def test_comments_usage_and_empty_pieces_are_not_words() -> None:
    usage = b'data: {"choices":[],"usage":{"total_tokens":3}}\n\n'
    assert await ask(ChatServer(pieces=[b":\n\n", "", "네", "", usage, "."])) == "네."


async def test_a_server_that_marks_no_end_is_understood() -> None:
    assert await ask(ChatServer(marks_end=False)) == WHOLE


async def test_a_character_cut_between_two_reads_arrives_whole() -> None:
    whole = event("안녕", "stop")
    cut = whole.index("안".encode()) + 1
    connection = BaseProtocol(asyncio.get_running_loop())
    connection.connection_made(asyncio.Transport())
    content = aiohttp.StreamReader(connection, 2**16)
    content.feed_data(whole[:cut])
    said = asyncio.create_task(anext(said_in(content)))
    await asyncio.sleep(0)  # the first half is read
    assert content.total_bytes == cut
    content.feed_data(whole[cut:])
    content.feed_eof()
    assert await said == "안녕"


async def test_half_a_character_whose_rest_never_comes_is_dropped() -> None:
    assert await ask(ChatServer(pieces=["힘드셨군요", "\ufffd"])) == "힘드셨군요"


async def test_what_the_model_itself_wrote_as_no_character_stays() -> None:
    assert await ask(ChatServer(pieces=["힘드\ufffd", "셨군요"])) == "힘드\ufffd셨군요"


@pytest.mark.parametrize(
    "pieces",
    [
        ["그렇군요.\nHuman:"],
        ["그렇군요.", "\nHum", "an:", " 그런데"],
        ["그렇군요.\nHuman: 저는", " 이렇게 말했어요"],
    ],
)
async def test_a_stop_string_and_what_follows_it_are_cut_off(pieces: list[str]) -> None:
    assert await ask(ChatServer(pieces=pieces, finish_reason="stop_sequence")) == "그렇군요."


async def test_what_only_begins_like_a_stop_string_is_said() -> None:
    assert await ask(ChatServer(pieces=["첫째 줄\nHum", "bug 이야기"])) == "첫째 줄\nHumbug 이야기"
    assert await ask(ChatServer(pieces=["끝이 이래요\nHuma"])) == "끝이 이래요\nHuma"


# The error table.

TOO_LONG = "Input validation error: `inputs` must have less than 3072 tokens. Given: 4000"
ROWS = [
    pytest.param(ChatServer(status=429, body='{"error":"Model is overloaded"}'), Fault.OVERLOADED, 4, id="429"),
    pytest.param(ChatServer(pieces=[error_event("Model is overloaded")]), Fault.OVERLOADED, 4, id="200, overloaded"),
    pytest.param(ChatServer(status=503, body="no backend"), Fault.FAILED, 2, id="503"),
    pytest.param(ChatServer(status=422, body="[" * 4000), Fault.REFUSED, 1, id="422, too deep"),
    pytest.param(ChatServer(status=422, body=json.dumps({"error": TOO_LONG})), Fault.TOO_LONG, 1, id="422, too long"),
    pytest.param(ChatServer(pieces=[error_event(TOO_LONG)]), Fault.TOO_LONG, 1, id="200, too long"),
    pytest.param(ChatServer(status=413), Fault.TOO_LONG, 1, id="413"),
    pytest.param(ChatServer(status=422), Fault.REFUSED, 1, id="422 in plain text"),
    pytest.param(
        ChatServer(pieces=[error_event("Input validation error: `top_p` must be > 0.0 and < 1.0")]),
        Fault.REFUSED,
        1,
        id="200, refused",
    ),
    pytest.param(ChatServer(status=400, body='{"error":"syntax"}'), Fault.REFUSED, 1, id="400"),
    pytest.param(ChatServer(status=415), Fault.REFUSED, 1, id="415"),
    pytest.param(ChatServer(status=401, body=""), Fault.UNAUTHORISED, 1, id="401"),
    pytest.param(ChatServer(status=404, body='{"error":{"code":404}}'), Fault.UNKNOWN_MODEL, 2, id="404"),
    pytest.param(ChatServer(status=424, body='{"error_type":"generation"}'), Fault.FAILED, 2, id="424"),
    pytest.param(ChatServer(status=500, body='{"error_type":"incomplete"}'), Fault.FAILED, 2, id="500"),
    pytest.param(
        ChatServer(pieces=[error_event("Request failed during generation: CUDA out of memory")]),
        Fault.FAILED,
        2,
        id="200, failed",
    ),
    pytest.param(ChatServer(pieces=[error_event("Incomplete generation stream")]), Fault.CUT, 2, id="200, incomplete"),
    pytest.param(ChatServer(pieces=[], finish_reason=None), Fault.CUT, 2, id="done without a reason"),
    pytest.param(ChatServer(pieces=[], finish_reason=None, marks_end=False), Fault.CUT, 2, id="nothing at all"),
    pytest.param(ChatServer(pieces=[], closes=True), Fault.CUT, 2, id="the connection is cut"),
    pytest.param(ChatServer(status=307), Fault.MALFORMED, 1, id="redirected"),
    pytest.param(ChatServer(content_type="text/html"), Fault.MALFORMED, 1, id="a page"),
    pytest.param(ChatServer(content_type="application/json"), Fault.MALFORMED, 1, id="no stream"),
    pytest.param(ChatServer(pieces=[b"data: {not json\n\n"]), Fault.MALFORMED, 1, id="not json"),
    pytest.param(ChatServer(pieces=[b'data: ["list"]\n\n']), Fault.MALFORMED, 1, id="not a chunk"),
    pytest.param(ChatServer(pieces=[b"data: \xff\xfe\n\n"]), Fault.MALFORMED, 1, id="not UTF-8"),
    pytest.param(ChatServer(pieces=[b"data: " + b"[" * 100_000 + b"\n\n"]), Fault.MALFORMED, 1, id="too deep"),
    pytest.param(
        ChatServer(pieces=[b'data: {"choices":[{"delta":{"content":["a"]},"finish_reason":null}]}\n\n']),
        Fault.MALFORMED,
        1,
        id="content that is no text",
    ),
    pytest.param(ChatServer(pieces=[b"data: " + b"x" * 10_000_000 + b"\n\n"]), Fault.MALFORMED, 1, id="10 MB a line"),
    pytest.param(ChatServer(pieces=["끝없이 "], finish_reason="length"), Fault.ENDLESS, 1, id="ran into max_tokens"),
]


@pytest.mark.parametrize(("server", "fault", "asked"), ROWS)
async def test_a_row_of_the_error_table(server: ChatServer, fault: Fault, asked: int) -> None:
    """Each fault is told apart, and asked again as often as may help."""
    server.asked.clear()
    assert await fault_of(server) is fault
    assert len(server.asked) == asked


@pytest.mark.parametrize(("server", "fault", "asked"), [row for row in ROWS if row.values[2] > 1])  # type: ignore[operator]
async def test_after_a_passing_fault_the_reply_is_whole(server: ChatServer, fault: Fault, asked: int) -> None:
    recovering = ChatServer(first=[server])
    assert await ask(recovering) == WHOLE
    assert len(recovering.asked) == 2


async def test_a_prompt_that_is_too_long_is_asked_again_with_fewer_turns() -> None:
    answer = Answer("그랬군요. " * 30, "", EmotionLabel.SAD, (), START)
    turns = tuple(Turn(TurnId(n), CounselId(1), "이야기 " * 60, START, answer) for n in range(6))
    server = ChatServer(first=[ChatServer(status=422, body=json.dumps({"error": TOO_LONG}))])
    assert await ask(server, replace(SITUATION, recent=turns)) == WHOLE
    first, second = (len(asked["messages"]) for asked in server.asked)
    assert second < first


@pytest.mark.parametrize(
    "server",
    [
        ChatServer(pieces=["한 마디", error_event("Request failed during generation: OOM")]),
        ChatServer(pieces=["한 마디"], closes=True),
        ChatServer(pieces=["한 마디", error_event("Model is overloaded")]),
    ],
)
async def test_once_it_has_spoken_nothing_is_asked_again(server: ChatServer) -> None:
    server.asked.clear()
    await fault_of(server)
    assert len(server.asked) == 1


@pytest.mark.parametrize("drips", [True, False], ids=["keep-alive comments", "silence"])
async def test_a_server_without_a_first_word_is_slow(drips: bool) -> None:  # noqa: FBT001
    server = ChatServer(hold_before=0, drips=drips)
    assert await fault_of(server, first_s=0.2) is Fault.SLOW


async def test_behind_a_deadline_too_a_server_that_hangs_is_learnt_and_keeps_nobody_else_waiting() -> None:
    server = ChatServer(hold_before=0)
    async with chat_server(server), asking(server, first_s=0.2) as (model, faults):
        patient = Deadline(model, first_s=0.25, total_s=5)
        for _ in range(4):
            with pytest.raises(NoReply):
                await words_of(patient)
        assert faults[0] is Fault.SLOW
        assert len(server.asked) == 1


async def test_whoever_waits_for_a_place_does_not_make_the_server_slow() -> None:
    server = ChatServer(hold_before=1)
    async with chat_server(server), asking(server, at_once=2, first_s=0.2) as (model, faults):
        held = [asyncio.create_task(words_of(model)) for _ in range(2)]
        await until(lambda: server.open == 2)
        with pytest.raises(NoReply):
            await words_of(Deadline(model, first_s=0.5, total_s=5))
        assert set(faults) <= {Fault.OVERLOADED}
        server.released.set()
        assert await asyncio.gather(*held) == [WHOLE] * 2
        assert await words_of(model) == WHOLE


async def test_many_streams_that_are_cut_together_are_one_failure() -> None:
    server = ChatServer(pieces=["한 마디"], closes=True)
    async with chat_server(server), asking(server, at_once=12) as (model, _):
        broken = await asyncio.gather(*(words_of(model) for _ in range(12)), return_exceptions=True)
        assert all(isinstance(each, NoReply) for each in broken)
        server.closes = False
        await until_said(model, "한 마디", within_s=2.5)


async def test_one_broken_event_keeps_nobody_from_a_server_that_is_well() -> None:
    server = ChatServer(first=[ChatServer(pieces=["한 마디", b"data: {broken\n\n"])])
    async with chat_server(server), asking(server) as (model, _):
        with pytest.raises(NoReply):
            await words_of(model)
        assert await words_of(model) == WHOLE


async def test_what_is_done_is_not_waited_for() -> None:
    hangs = ChatServer(pieces=["네.", event("", "stop"), b"data: [DONE]\n\n", "더"], hold_before=3, finish_reason=None)
    assert await asyncio.wait_for(ask(hangs), 3) == "네."


async def test_a_server_that_was_started_anew_with_another_model_is_learnt_anew() -> None:
    gone = ChatServer(status=404, body="{}")
    server = ChatServer(info=None, models=[{"id": "old", "owned_by": "vllm"}])
    async with chat_server(server), asking(server) as (model, _):
        await words_of(model)
        server.models, server.by_model = [{"id": "new", "owned_by": "vllm"}], {"old": gone}
        assert await words_of(model) == WHOLE
    assert server.asked[-1]["model"] == "new"


async def test_an_adapter_that_is_gone_is_acted_by_the_base_model() -> None:
    server = ChatServer(by_model={"expert": ChatServer(status=404, body="{}")})
    assert await ask(server, EXPERT) == WHOLE
    assert [asked["model"] for asked in server.asked] == ["expert", "tgi"]


async def test_an_adapter_that_is_gone_rests_the_server_for_nobody() -> None:
    server = ChatServer(info=None, models=VLLM, by_model={"expert": ChatServer(status=404, body="{}")})
    async with chat_server(server), asking(server) as (model, faults):
        await words_of(model)
        looked = server.looked
        said = await asyncio.gather(*(words_of(model, EXPERT if n % 2 else SITUATION) for n in range(20)))
        assert said == [WHOLE] * 20
        assert (faults, server.looked) == ([Fault.UNKNOWN_MODEL] * 10, looked)


@pytest.mark.usefixtures("_first_comes_first")
@pytest.mark.parametrize("has_it", [True, False], ids=["it has it", "it lacks it too"])
async def test_an_adapter_that_one_server_lacks_is_asked_of_another_and_then_the_base_model(
    has_it: bool,  # noqa: FBT001 - a parameter
) -> None:
    gone = ChatServer(status=404, body="{}")
    first = ChatServer(info=None, models=VLLM, by_model={"expert": gone})
    second = ChatServer(
        info=None, models=VLLM, by_model={"expert": ChatServer(pieces=["안녕하십니까."]) if has_it else gone}
    )
    async with chat_server(first), chat_server(second), asking(first, second) as (model, _):
        await until_both_are_well(model, first, second)
        assert await words_of(model, EXPERT) == ("안녕하십니까." if has_it else WHOLE)
    asked = [each["model"] for server in (first, second) for each in server.asked]
    assert asked == (["expert", "expert"] if has_it else ["expert", "base", "expert"])


@pytest.mark.parametrize("status", [401, 403, 404, 405, 429])
async def test_a_server_that_does_not_show_how_it_is_is_asked(status: int) -> None:
    assert await ask(ChatServer(health=status)) == WHOLE


@pytest.mark.parametrize("models", [5, [3], [{"id": ["a"]}]])
async def test_a_list_of_models_that_is_none_is_no_harm(models: Any) -> None:  # noqa: ANN401 - of any shape
    async with aiohttp.ClientSession() as session, chat_server(ChatServer(info={"model_id": 1})) as server:
        server.models = []
        replica = Replica(server.url, session=session, api_key=None, at_once=1, kind=None)
        assert await replica.look()
    assert told_apart({}, {"data": models}).dialect.kind is Kind.OPENAI


async def until_said(model: TGI, words: str, *, within_s: float) -> None:
    async with asyncio.timeout(within_s):
        while True:
            try:
                assert await words_of(model) == words
            except NoReply:
                await asyncio.sleep(0.05)
            else:
                return


async def test_a_slow_drip_ends_with_the_time_for_the_whole_reply() -> None:
    server = ChatServer(hold_before=1, drips=True)
    async with chat_server(server), asking(server) as (model, _):
        with pytest.raises(NoReply, match="nothing more within"):
            await words_of(Deadline(model, first_s=5, total_s=0.3))
        await asyncio.wait_for(server.left_early.wait(), 5)


@pytest.mark.parametrize(
    "quoting",
    [
        ChatServer(status=422, body='{"error":"Input validation error: 나의 비밀"}'),
        ChatServer(status=500, body="나의 비밀"),
        ChatServer(pieces=[error_event("Input validation error: `inputs` 나의 비밀")]),
        ChatServer(pieces=[error_event("Something with 나의 비밀 as prompt")]),
    ],
)
async def test_an_error_is_told_without_what_it_quotes(quoting: ChatServer) -> None:
    async with chat_server(quoting), asking(quoting) as (model, _):
        with pytest.raises(NoReply) as raised:
            await words_of(model)
    assert "비밀" not in str(raised.value)


async def test_nobody_listening_is_a_fault_at_once(unused_tcp_port: int) -> None:
    async with asking(ChatServer(url=f"http://127.0.0.1:{unused_tcp_port}")) as (model, _):
        with pytest.raises(NoReply):
            await words_of(model)


async def test_a_host_that_accepts_no_connection_is_out_of_reach(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replicas, "_TIMEOUT", aiohttp.ClientTimeout(total=None, connect=0.2))
    async with AsyncExitStack() as stack:
        full = stack.enter_context(socket.socket())
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for _ in range(3):
            waiting = stack.enter_context(socket.socket())
            waiting.settimeout(0)
            waiting.connect_ex(full.getsockname())
        session = await stack.enter_async_context(aiohttp.ClientSession())
        url = f"http://127.0.0.1:{full.getsockname()[1]}"
        replica = Replica(url, session=session, api_key=None, at_once=1, kind=None)
        with pytest.raises(ChatFault) as raised:
            await anext(replica.say(Asked([], {}), first_s=5))
    assert raised.value.fault is Fault.UNREACHABLE


async def test_behind_a_proxy_whose_server_is_gone_nobody_is_kept_waiting() -> None:
    proxy = ChatServer()
    async with chat_server(proxy), asking(proxy) as (model, faults):
        await words_of(model)
        proxy.status = proxy.health = 503
        for _ in range(4):
            with pytest.raises(NoReply):
                await words_of(model)
    assert faults == [Fault.FAILED]
    assert len(proxy.asked) == 2


# Leaving.


async def test_whoever_stops_listening_closes_the_socket() -> None:
    server = ChatServer(hold_before=1)
    async with chat_server(server), asking(server) as (model, _):
        listening = asyncio.create_task(words_of(model))
        await server.was_asked.wait()
        listening.cancel()
        await asyncio.wait_for(server.left_early.wait(), 5)
        with pytest.raises(asyncio.CancelledError):
            await listening


async def test_a_hundred_that_are_left_leave_nothing_open() -> None:
    server = ChatServer(hold_before=1)
    async with chat_server(server), asking(server, at_once=100) as (model, _):
        listening = [asyncio.create_task(words_of(model)) for _ in range(100)]
        await until(lambda: server.open == 100)
        for task in listening:
            task.cancel()
        await asyncio.gather(*listening, return_exceptions=True)
        await until(lambda: server.open == 0)


async def test_no_more_are_asked_at_once_than_the_server_takes() -> None:
    server = ChatServer(hold_before=0, info={**TGI_INFO, "max_concurrent_requests": 4})
    async with chat_server(server), asking(server) as (model, _):
        listening = [asyncio.create_task(words_of(model)) for _ in range(10)]
        await until(lambda: server.open == 3)
        assert len(server.asked) == 3
        server.released.set()
        assert await asyncio.gather(*listening) == [WHOLE] * 10


@pytest.mark.parametrize(("limit", "most"), [(3, 2), (7, 6), (128, 8), (None, 8)])
async def test_a_server_that_was_started_anew_with_another_limit_is_asked_as_many_at_once(
    limit: int | None, most: int
) -> None:
    server = ChatServer(hold_before=0, info={**TGI_INFO, "max_concurrent_requests": 5})
    async with chat_server(server), asking(server) as (model, _):
        server.released.set()
        await words_of(model)
        server.info, server.first = {**TGI_INFO, "max_concurrent_requests": limit}, [ChatServer(status=500)]
        await words_of(model)
        server.released.clear()
        listening = [asyncio.create_task(words_of(model)) for _ in range(10)]
        await until(lambda: server.open == most)
        assert server.open == most
        server.released.set()
        await asyncio.gather(*listening)


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not holds():  # noqa: ASYNC110 - of the server, which tells nobody
            await asyncio.sleep(0.005)


# Several servers.


@pytest.fixture
def _first_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("random.random", lambda: 0.5)


@pytest.mark.usefixtures("_first_comes_first")
async def test_the_least_busy_server_is_asked() -> None:
    busy, idle = ChatServer(hold_before=1), ChatServer()
    async with chat_server(busy), chat_server(idle), asking(busy, idle) as (model, _):
        held = asyncio.create_task(words_of(model))
        await until(lambda: busy.open + len(idle.asked) == 1)
        for _ in range(5):
            await words_of(model)
        assert (len(busy.asked), len(idle.asked)) == (1, 5)
        busy.released.set()
        assert await held == WHOLE


@pytest.mark.usefixtures("_first_comes_first")
@pytest.mark.parametrize(
    "broken",
    [ChatServer(status=500), ChatServer(content_type="text/html"), ChatServer(status=401), ChatServer(status=404)],
    ids=["failed", "a page", "unauthorised", "another model"],
)
async def test_what_one_server_fails_at_another_says(broken: ChatServer) -> None:
    well = ChatServer()
    async with chat_server(broken), chat_server(well), asking(broken, well) as (model, _):
        for _ in range(6):
            assert await words_of(model) == WHOLE
    assert 1 <= len(broken.asked) <= 2  # then it is left alone


@pytest.mark.usefixtures("_first_comes_first")
async def test_what_a_slow_server_does_not_say_another_says() -> None:
    slow, well = ChatServer(hold_before=0), ChatServer()
    async with chat_server(slow), chat_server(well), asking(slow, well, first_s=0.4) as (model, _):
        for _ in range(4):
            said = await words_of(Deadline(model, first_s=0.5, total_s=5))
            assert said.split() == WHOLE.split()
    assert slow.asked


async def test_nobody_waits_before_another_server_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tgi, "RETRIES", {Fault.OVERLOADED: (1, (3600.0, 3600.0))})
    full, well = ChatServer(), ChatServer()
    async with chat_server(full), chat_server(well), asking(full, well) as (model, faults):
        await until_both_are_well(model, full, well)
        full.status = 429
        while not faults:
            assert await asyncio.wait_for(words_of(model), 10) == WHOLE


async def test_a_failure_after_a_success_is_the_first_one_again() -> None:
    server = ChatServer(first=[ChatServer(status=500), ChatServer(), ChatServer(status=500)])
    async with chat_server(server), aiohttp.ClientSession() as session:
        replica = Replica(server.url, session=session, api_key=None, at_once=1, kind=None)
        for fails in True, False, True:
            try:
                async for _ in replica.say(Asked([], {}), first_s=5):
                    pass
            except ChatFault:
                assert fails
    assert not replica.is_resting


async def test_a_server_that_is_slow_leaves_half_of_the_time_for_another() -> None:
    servers = ChatServer(hold_before=0), ChatServer(hold_before=0)
    async with chat_server(servers[0]), chat_server(servers[1]), asking(*servers, first_s=0.8) as (model, _):
        await until_both_are_well(model, *servers)
        for server in servers:
            server.released.clear()
        with pytest.raises(NoReply):
            await words_of(Deadline(model, first_s=0.7, total_s=5))
    assert [len(server.asked) for server in servers] == [1, 1]


async def until_both_are_well(model: TGI, *servers: ChatServer) -> None:
    for server in servers:
        server.released.set()
    while not all(server.asked for server in servers):
        await asyncio.gather(words_of(model), words_of(model))
    for server in servers:
        server.asked.clear()


async def test_a_server_that_failed_is_asked_how_it_is_before_anything_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replicas, "SUSPECT_FOR_S", (0.0, 0.0))
    server = ChatServer(health=503, first=[ChatServer(status=500)])
    async with chat_server(server), asking(server) as (model, _):
        server.health = 200
        assert await words_of(model) == WHOLE
        server.first, server.health = [ChatServer(status=500)], 503
        with pytest.raises(NoReply):
            await words_of(model)
        asked = len(server.asked)
        with pytest.raises(NoReply):
            await words_of(model)
        assert len(server.asked) == asked
        server.health = 200
        assert await words_of(model) == WHOLE


async def test_a_server_that_shows_anybody_how_it_is_is_not_well_until_it_takes_the_key(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(replicas, "SUSPECT_FOR_S", (0.0, 0.0))
    server = ChatServer(status=401, body="")
    async with chat_server(server), asking(server) as (model, faults):
        for _ in range(3):
            with pytest.raises(NoReply):
                await words_of(model)
        assert faults == [Fault.UNAUTHORISED]
        assert [asked["max_tokens"] for asked in server.asked] == [64, 1, 1]
        server.status = 200
        for _ in range(2):
            assert await words_of(model) == WHOLE
        assert [asked["max_tokens"] for asked in server.asked[3:]] == [1, 64, 64]


# What kind of server it is.

VLLM: list[dict[str, object]] = [
    {"id": "base", "owned_by": "vllm", "max_model_len": 1024},
    {"id": "harry", "owned_by": "vllm"},
]


@pytest.mark.parametrize(
    ("server", "kind", "base"),
    [
        (ChatServer(), Kind.TGI, "tgi"),
        (ChatServer(info=None, models=VLLM), Kind.VLLM, "base"),
        (ChatServer(info=None), Kind.OPENAI, "tiny"),
        (ChatServer(info=None, models=[{"id": "/m", "status": {"value": "loaded"}}]), Kind.TRANSFORMERS, "/m"),
        (ChatServer(info=None, models=[]), Kind.OPENAI, None),
    ],
)
async def test_a_server_is_told_by_what_it_says_of_itself(server: ChatServer, kind: Kind, base: str | None) -> None:
    async with chat_server(server), aiohttp.ClientSession() as session:
        replica = Replica(server.url, session=session, api_key=None, at_once=1, kind=None)
        assert await replica.look()
    assert replica.about
    assert replica.about.dialect.kind is kind
    assert replica.about.base == base


async def test_a_server_is_asked_what_it_is_with_the_key() -> None:
    async with chat_server(ChatServer(key="secret")) as server, aiohttp.ClientSession() as session:
        replica = Replica(server.url, session=session, api_key="secret", at_once=1, kind=None)
        assert await replica.look()
    assert replica.about
    assert (replica.about.dialect.kind, replica.about.models) == (Kind.TGI, ("tiny",))


async def test_the_kind_of_a_server_can_be_set() -> None:
    server = ChatServer()
    async with chat_server(server), asking(server, kind=Kind.OPENAI) as (model, _):
        await words_of(model)
    assert server.asked[0]["model"] == "tiny"


# Where words go.


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:8080",
        "http://localhost:80",
        "http://tgi:80",
        "http://10.1.2.3",
        "http://192.168.0.7/v1",
        "http://[::1]:80",
    ],
)
async def test_a_private_address_is_not_named(url: str) -> None:
    assert await outside(url) is None


@pytest.mark.parametrize(
    ("url", "host"), [("https://8.8.8.8/v1", "8.8.8.8"), ("https://llm.example.invalid/v1", "llm.example.invalid")]
)
async def test_an_address_that_is_not_private_is_named(url: str, host: str) -> None:
    assert await outside(url) == host


# Behind it.


async def test_the_script_answers_when_the_model_fails_before_a_whole_sentence() -> None:
    fallbacks: list[int] = []
    server = ChatServer(pieces=["반쯤 말하다"], finish_reason=None)
    async with chat_server(server), asking(server) as (model, _):
        both = Fallback(model, SayingResponder("대본이에요."), on_fallback=lambda: fallbacks.append(1))
        assert await words_of(both) == "대본이에요."
    assert fallbacks == [1]


@pytest.mark.parametrize("finish_reason", [None, "length"], ids=["cut off", "too long"])
async def test_a_reply_that_is_cut_midway_ends_after_its_last_whole_sentence(finish_reason: str | None) -> None:
    server = ChatServer(pieces=["한 문장은 했어요. ", "그리고 반쯤"], finish_reason=finish_reason)
    async with chat_server(server), asking(server) as (model, _):
        both = Fallback(model, SayingResponder("대본이에요."), on_fallback=lambda: None)
        assert await words_of(both) == "한 문장은 했어요.\n"
