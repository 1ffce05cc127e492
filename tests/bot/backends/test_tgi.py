"""The language-model client against a server that speaks TGI's bytes on a real socket."""

import asyncio
from dataclasses import replace

import aiohttp
import pytest

from bot.backends.resilience import Deadline, Fallback
from bot.backends.tgi import TGI
from bot.conversation.model import Emotion, EmotionLabel, Situation
from bot.conversation.ports import NoReply, Responder
from tests.chat_server import ChatServer, chat_server
from tests.fakes import CHARACTERS, SayingResponder, character

SITUATION = Situation(
    "잠이 안 와요",
    next(iter(CHARACTERS.values())),
    Emotion(((EmotionLabel.ANXIOUS, 0.9),), is_confident=True),
    (),
)


def client(session: aiohttp.ClientSession, url: str, *, api_key: str | None = None) -> TGI:
    return TGI(
        session=session,
        url=url,
        model="tgi",
        api_key=api_key,
        max_input_tokens=3072,
        max_tokens=64,
        temperature=0.7,
        top_p=0.9,
    )


async def words_of(responder: Responder, situation: Situation = SITUATION) -> str:
    return "".join([piece async for piece in responder.draft(situation)])


async def ask(server: ChatServer) -> str:
    async with chat_server(server), aiohttp.ClientSession() as session:
        return await words_of(client(session, server.url))


async def test_streams_what_the_model_says() -> None:
    assert await ask(ChatServer()) == "그러셨군요. 언제부터 그러셨어요?"


async def test_asks_only_what_tgi_understands() -> None:
    server = ChatServer()
    async with chat_server(server), aiohttp.ClientSession() as session:
        await words_of(client(session, f"{server.url}/v1/", api_key="secret"))
    [asked] = server.asked
    headers = asked.pop("headers")
    assert headers["Authorization"] == "Bearer secret"
    assert asked.keys() == {"model", "messages", "stream", "max_tokens", "temperature", "top_p"}
    assert asked["stream"] is True
    assert 0 < asked["top_p"] < 1
    assert asked["messages"][-1] == {"role": "user", "content": "잠이 안 와요"}


async def test_a_lora_character_is_asked_of_its_adapter() -> None:
    server = ChatServer()
    situation = replace(SITUATION, character=character("expert", "lora:expert"))
    async with chat_server(server), aiohttp.ClientSession() as session:
        await words_of(client(session, server.url), situation)
    assert server.asked[0]["model"] == "expert"


async def test_comments_usage_and_empty_pieces_are_not_words() -> None:
    usage = b'data: {"choices":[],"usage":{"total_tokens":3}}\n\n'
    assert await ask(ChatServer(pieces=[b":\n\n", "", "네", "", usage, "."])) == "네."


async def test_a_server_that_marks_no_end_is_understood() -> None:
    assert await ask(ChatServer(marks_end=False)) == "그러셨군요. 언제부터 그러셨어요?"


async def test_a_character_cut_between_two_reads_arrives_whole() -> None:
    event = 'data: {"choices":[{"delta":{"content":"안녕"},"finish_reason":null}]}\n\n'.encode()
    cut = event.index("안".encode()) + 1
    assert await ask(ChatServer(pieces=[event[:cut], event[cut:]])) == "안녕"


async def test_half_a_syllable_is_held_back_and_dropped_when_its_rest_never_comes() -> None:
    assert await ask(ChatServer(pieces=["힘드\ufffd", "셨군요\ufffd"])) == "힘드\ufffd셨군요"


@pytest.mark.parametrize(
    "server",
    [
        pytest.param(ChatServer(status=429), id="overloaded"),
        pytest.param(ChatServer(status=422), id="refused with plain text"),
        pytest.param(ChatServer(status=307), id="redirected"),
        pytest.param(ChatServer(finish_reason=None), id="done without a reason"),
        pytest.param(ChatServer(finish_reason=None, marks_end=False), id="cut off"),
        pytest.param(ChatServer(pieces=[b"data: {not json\n\n"]), id="not json"),
        pytest.param(ChatServer(pieces=[b'data: ["list"]\n\n']), id="not a chunk"),
        pytest.param(
            ChatServer(pieces=[b'data: {"choices":[{"delta":{"content":["a"]},"finish_reason":null}]}\n\n']),
            id="content that is no text",
        ),
        pytest.param(ChatServer(pieces=[b"data: " + b"x" * 3_000_000 + b"\n\n"]), id="a line without end"),
    ],
)
async def test_every_failure_is_one_kind_of_failure(server: ChatServer) -> None:
    with pytest.raises(NoReply):
        await ask(server)


@pytest.mark.parametrize(
    ("message", "told"),
    [
        ("Input validation error: `inputs` 나의 비밀", "Input validation error"),
        ("Too long, got 나의 비밀 as prompt", "the server reports an error"),
    ],
)
async def test_an_error_inside_a_good_status_is_told_without_what_it_quotes(message: str, told: str) -> None:
    error = f'data: {{"error":{{"message":"{message}","http_status_code":422}}}}\n\n'
    with pytest.raises(NoReply, match=told) as raised:
        await ask(ChatServer(pieces=[error.encode()]))
    assert "비밀" not in str(raised.value)


async def test_nobody_listening_is_a_failure(unused_tcp_port: int) -> None:
    async with aiohttp.ClientSession() as session:
        with pytest.raises(NoReply):
            await words_of(client(session, f"http://127.0.0.1:{unused_tcp_port}"))


async def test_a_deadline_gives_up_and_the_server_sees_the_socket_close() -> None:
    server = ChatServer(hold_before=1)
    async with chat_server(server), aiohttp.ClientSession() as session:
        patient = Deadline(client(session, server.url), first_s=5, total_s=0.3)
        with pytest.raises(NoReply):
            await words_of(patient)
        await asyncio.wait_for(server.left_early.wait(), 5)


async def test_the_script_answers_when_the_model_fails_before_a_whole_sentence() -> None:
    fallbacks: list[int] = []
    server = ChatServer(pieces=["반쯤 말하다"], finish_reason=None)
    async with chat_server(server), aiohttp.ClientSession() as session:
        both = Fallback(
            client(session, server.url), SayingResponder("대본이에요."), on_fallback=lambda: fallbacks.append(1)
        )
        assert await words_of(both) == "대본이에요."
    assert fallbacks == [1]


async def test_a_reply_that_is_cut_midway_ends_after_its_last_whole_sentence() -> None:
    server = ChatServer(pieces=["한 문장은 했어요. ", "그리고 반쯤"], finish_reason=None)
    async with chat_server(server), aiohttp.ClientSession() as session:
        both = Fallback(client(session, server.url), SayingResponder("대본이에요."), on_fallback=lambda: None)
        assert await words_of(both) == "한 문장은 했어요.\n"
