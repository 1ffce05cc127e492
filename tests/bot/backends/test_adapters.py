"""Which adapters a server has, asked on real sockets: a server may lack them, come later, or come back with others."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace

import aiohttp
import pytest

from bot.backends import adapters as backends
from bot.backends import replica as replicas
from bot.backends.adapters import Adapters, lacking_at
from bot.backends.faults import ChatFault, Fault
from bot.backends.replica import Asked, Replica
from bot.backends.tgi import TGI, Sampling
from bot.conversation.model import Emotion, EmotionLabel, Situation
from tests.chat_server import ChatServer, chat_server
from tests.fakes import character

OWN, BASE = "안녕하십니까.", "그랬군요."
ASKED = Asked([{"role": "user", "content": "잠이 안 와요"}], {"max_tokens": 64})
SITUATION = Situation(
    "잠이 안 와요",
    character("expert", "lora:expert"),
    Emotion(((EmotionLabel.ANXIOUS, 0.9),), is_confident=True),
    (),
)
VLLM = [{"id": "base", "owned_by": "vllm"}, {"id": "harry", "owned_by": "vllm"}]


def with_adapters(*names: str) -> ChatServer:
    """A server that answers for these in words of their own, and for all others as the base model, as TGI does."""
    return ChatServer(pieces=[BASE], by_model={name: ChatServer(pieces=[OWN]) for name in names or ("another",)})


@pytest.fixture(autouse=True)
def _never_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replicas, "SUSPECT_FOR_S", (0.0, 0.0))


@asynccontextmanager
async def asked_at(*servers: ChatServer, at_once: int = 8) -> AsyncIterator[list[Replica]]:
    """The servers, started, as they are asked."""
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(aiohttp.ClientSession())
        asked = []
        for server in servers:
            await stack.enter_async_context(chat_server(server))
            asked.append(Replica(server.url, session=session, api_key=None, at_once=at_once, kind=None))
            stack.push_async_callback(asked[-1].close)
        yield asked


async def said_by(replica: Replica, *, first_s: float = 5) -> str:
    return "".join([piece async for piece in replica.say(ASKED, first_s=first_s)])


async def lacking(server: ChatServer, *adapters: str) -> frozenset[str] | None:
    async with asked_at(server) as [replica]:
        await replica.look()
        return await lacking_at(replica, adapters)


# What the answers tell.


async def test_an_adapter_that_answers_as_the_base_model_is_lacking() -> None:
    server = with_adapters("expert")
    assert await lacking(server, "expert", "expret") == frozenset({"expret"})
    assert all(asked["temperature"] == 0 for asked in server.asked)


async def test_an_adapter_that_a_server_does_not_know_is_lacking() -> None:
    own = ChatServer(pieces=[OWN], finish_reason="length")
    server = ChatServer(info=None, models=VLLM, by_model={"harry": own, "typo": ChatServer(status=404)})
    assert await lacking(server, "harry", "typo") == frozenset({"typo"})


@pytest.mark.parametrize(
    "server",
    [
        ChatServer(status=500),
        ChatServer(status=429, by_model={"another": ChatServer()}),
        ChatServer(by_model={"expert": ChatServer(pieces=[OWN]), "tgi": ChatServer(status=503)}),
        ChatServer(by_model={"expert": ChatServer(pieces=[b"data: {broken\n\n"])}),
        ChatServer(by_model={"expert": ChatServer(pieces=[b"data: \xff\xfe\n\n"])}),
        ChatServer(by_model={"expert": ChatServer(pieces=[OWN], closes=True)}),
    ],
    ids=["failed", "overloaded", "the base does not answer", "broken", "no text", "cut"],
)
async def test_of_a_server_that_gives_no_answers_nothing_is_told(server: ChatServer) -> None:
    server.by_model = server.by_model or {"expert": server}
    assert await lacking(server, "expert") is None


# Beside the people.


async def test_a_server_whose_every_place_is_taken_is_asked_all_the_same() -> None:
    server = with_adapters("expert")
    server.hold_before = 0
    async with asked_at(server, at_once=1) as [replica]:
        await replica.look()
        held = asyncio.create_task(said_by(replica))
        await server.was_asked.wait()
        server.by_model = {"expert": ChatServer(pieces=[OWN]), "tgi": ChatServer(pieces=["늘 같은 말이에요."])}
        assert await lacking_at(replica, ["expert"]) == frozenset()
        server.released.set()
        assert await held == BASE


async def test_while_a_server_is_asked_its_one_place_is_free_for_a_person() -> None:
    canary = ChatServer(pieces=[OWN], hold_before=0)
    server = ChatServer(pieces=[BASE], by_model={"expert": canary})
    async with asked_at(server, at_once=1) as [replica]:
        adapters = Adapters(["expert"], [replica])
        learning = asyncio.create_task(adapters.learn())
        await server.was_asked.wait()
        assert await said_by(replica) == BASE
        assert replica.in_flight == 0
        canary.released.set()
        await learning
        assert adapters.at(replica) == {"expert"}


async def test_one_prompt_is_asked_at_a_time() -> None:
    server = with_adapters("expert", "harry")
    server.by_model["expert"].hold_before = 0
    async with asked_at(server) as [replica]:
        learning = asyncio.create_task(Adapters(["expert", "harry"], [replica]).learn())
        await server.was_asked.wait()
        for _ in range(20):
            await replica.look()  # meanwhile a second prompt would have come
        assert len(server.asked) == 1
        server.by_model["expert"].released.set()
        await learning


@pytest.mark.parametrize("answer", [ChatServer(status=404), ChatServer(status=500), ChatServer(hold_before=0)])
async def test_no_answer_keeps_people_from_a_server(monkeypatch: pytest.MonkeyPatch, answer: ChatServer) -> None:
    monkeypatch.setattr(backends, "WITHIN_S", 0.1)
    server = ChatServer(pieces=[BASE], by_model={"expert": answer, "harry": answer})
    async with asked_at(server) as [replica]:
        await Adapters(["expert", "harry"], [replica]).learn()
        assert not replica.is_suspect
        assert not replica.is_resting


# When it is asked.


async def test_a_server_that_is_down_has_nothing_until_it_is_up_and_was_asked() -> None:
    server = with_adapters("expert")
    server.health = 503
    async with asked_at(server) as [replica]:
        adapters = Adapters(["expert"], [replica])
        await adapters.learn()
        assert adapters.at(replica) == adapters.anywhere == frozenset()
        assert server.asked == []
        server.health = 200
        await replica.look()
        assert adapters.at(replica) == frozenset()
        await adapters.learn()
        assert adapters.at(replica) == adapters.anywhere == {"expert"}


async def test_a_server_that_never_was_up_is_looked_for_again_and_one_that_failed_is_left_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(replicas, "SUSPECT_FOR_S", (60.0, 60.0))
    server = with_adapters("expert")
    server.health = 503
    async with asked_at(server) as [replica]:
        adapters = Adapters(["expert"], [replica])
        await adapters.learn()
        assert replica.is_resting
        server.health = 200
        await adapters.learn()
        assert adapters.at(replica) == {"expert"}
        server.first = [ChatServer(status=500)]
        with pytest.raises(ChatFault):
            await said_by(replica)
        looked = server.looked
        await adapters.learn()
        assert server.looked == looked


@pytest.mark.parametrize(
    "gone",
    [ChatServer(status=500), ChatServer(pieces=["네"], closes=True), ChatServer(status=404)],
    ids=["failed", "cut", "another model"],
)
async def test_what_comes_back_is_trusted_with_nothing_until_it_is_asked_again(gone: ChatServer) -> None:
    server = with_adapters("expert", "harry")
    async with asked_at(server) as [replica]:
        adapters = Adapters(["expert", "harry"], [replica])
        await adapters.learn()
        assert adapters.at(replica) == {"expert", "harry"}
        server.first = [gone]
        with pytest.raises(ChatFault):
            await said_by(replica)
        server.by_model = {"harry": ChatServer(pieces=[OWN])}
        await replica.look()
        assert adapters.at(replica) == frozenset()
        assert adapters.anywhere == {"expert", "harry"}
        await adapters.learn()
        assert adapters.at(replica) == adapters.anywhere == {"harry"}


async def test_a_server_that_only_was_slow_is_trusted_as_before() -> None:
    server = with_adapters("expert")
    async with asked_at(server) as [replica]:
        adapters = Adapters(["expert"], [replica])
        await adapters.learn()
        server.hold_before = 0
        with pytest.raises(ChatFault) as raised:
            await said_by(replica, first_s=0.1)
        assert raised.value.fault is Fault.SLOW
        assert adapters.at(replica) == {"expert"}


async def test_what_is_known_is_not_asked_again_for_a_while_and_then_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    server = with_adapters("expert")
    async with asked_at(server) as [replica]:
        adapters = Adapters(["expert"], [replica])
        await adapters.learn()
        asked = len(server.asked)
        await adapters.learn()
        assert len(server.asked) == asked
        monkeypatch.setattr(backends, "KNOWN_FOR_S", 0.0)
        adapters = Adapters(["expert"], [replica])
        await adapters.learn()
        server.by_model = {"another": ChatServer()}  # it was started anew, and nobody saw it gone
        await adapters.learn()
        assert adapters.at(replica) == frozenset()


async def test_a_server_that_goes_while_it_is_asked_is_asked_again() -> None:
    server = with_adapters("expert")
    server.by_model["expert"].hold_before = 0
    async with asked_at(server) as [replica]:
        adapters = Adapters(["expert"], [replica])
        learning = asyncio.create_task(adapters.learn())
        await server.was_asked.wait()
        server.first = [ChatServer(status=500)]
        with pytest.raises(ChatFault):
            await said_by(replica)
        server.by_model["expert"].released.set()
        await learning
        assert adapters.at(replica) == frozenset()
        await adapters.learn()
        assert adapters.at(replica) == {"expert"}


async def test_what_a_server_lacks_is_logged_once_and_again_when_it_is_something_else(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(backends, "KNOWN_FOR_S", 0.0)
    server = with_adapters("harry")
    with caplog.at_level(logging.WARNING):
        async with asked_at(server) as [replica]:
            adapters = Adapters(["expert", "harry"], [replica])
            for _ in range(3):
                await adapters.learn()
            server.by_model = {"another": ChatServer()}
            await adapters.learn()
    assert [record.getMessage() for record in caplog.records] == [
        f"{server.url}: no adapter expert: see LORA_ADAPTERS",
        f"{server.url}: no adapter expert, harry: see LORA_ADAPTERS",
    ]


# Several servers.


@asynccontextmanager
async def answering(*servers: ChatServer) -> AsyncIterator[TGI]:
    async with asked_at(*servers) as asked:
        adapters = Adapters(["expert"], asked)
        await adapters.learn()
        for server in servers:
            server.asked.clear()
        yield TGI(asked, adapters=adapters.at, sampling=Sampling(), max_input_tokens=3072, first_s=5)


async def words_of(model: TGI, situation: Situation = SITUATION) -> str:
    return "".join([piece async for piece in model.draft(situation)])


async def test_of_two_servers_the_one_that_has_the_adapter_is_asked_for_it() -> None:
    lacks, has = with_adapters(), with_adapters("expert")
    async with answering(lacks, has) as model:
        assert {await words_of(model) for _ in range(8)} == {OWN}
    assert lacks.asked == []


async def test_what_needs_no_adapter_is_asked_of_both() -> None:
    lacks, has = with_adapters(), with_adapters("expert")
    plain = replace(SITUATION, character=character("free", "prompt"))
    async with answering(lacks, has) as model:
        lacks.hold_before = has.hold_before = 0
        held = [asyncio.create_task(words_of(model, plain)) for _ in range(4)]
        async with asyncio.timeout(5):
            while len(lacks.asked) + len(has.asked) < 4:  # noqa: ASYNC110 - of the servers, which tell nobody
                await asyncio.sleep(0.005)
        assert (len(lacks.asked), len(has.asked)) == (2, 2)
        lacks.released.set()
        has.released.set()
        await asyncio.gather(*held)


async def test_while_the_one_that_has_it_is_down_the_base_model_of_the_other_acts_the_character() -> None:
    lacks, has = with_adapters(), with_adapters("expert")
    async with answering(lacks, has) as model:
        has.first = [ChatServer(status=500)] * 8
        has.health = 503
        assert await words_of(model) == BASE
        assert await words_of(model) == BASE
    assert {asked["model"] for asked in lacks.asked} == {"tgi"}
    assert "expert의 성격" in str(lacks.asked[-1]["messages"][0])
