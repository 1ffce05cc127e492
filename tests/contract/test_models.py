"""What the conversation may expect of whoever reads emotions, restyles and drafts, wherever they are at work."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, aclosing, asynccontextmanager

import aiohttp
import pytest

from bot.backends.embedded import load_emotions, load_scripted, load_stylist
from bot.backends.inference import ModelEmotions, ModelStylist
from bot.backends.replica import Replica
from bot.backends.resilience import Deadline, Fallback
from bot.backends.tgi import TGI, Sampling
from bot.conversation.model import Emotion, EmotionLabel, Situation
from bot.conversation.ports import EmotionReader, NoReply, Responder, Stylist
from tests.chat_server import ChatServer, chat_server
from tests.fakes import CHARACTERS, SayingResponder
from tests.inference import FakeInference, in_process, over_http, patient

TEXTS = [
    "요즘 잠이 안 와요",
    "",
    "   ",
    "!?…",
    "hello there",
    "ㅠㅠㅠㅠ",
    "가" * 1_000_000,
    "\ud800 반쪽",
    "👩‍👩‍👧 좋아요",
]


@asynccontextmanager
async def embedded() -> AsyncIterator[tuple[EmotionReader, Stylist, str]]:
    yield load_emotions(), load_stylist(), "rule:seonbi"


@asynccontextmanager
async def stand_in() -> AsyncIterator[tuple[EmotionReader, Stylist, str]]:
    models = FakeInference()
    yield (
        ModelEmotions(models, near=load_emotions(), patient=patient("emotion")),
        ModelStylist(models, near=load_stylist(), instead={}, patient=patient("tone")),
        "kobart:선비",
    )


@asynccontextmanager
async def at_work_here() -> AsyncIterator[tuple[EmotionReader, Stylist, str]]:
    async with in_process() as models:
        yield (
            ModelEmotions(models, near=load_emotions(), patient=patient("emotion")),
            ModelStylist(models, near=load_stylist(), instead={}, patient=patient("tone")),
            "kobart:선비",
        )


@asynccontextmanager
async def at_work_elsewhere() -> AsyncIterator[tuple[EmotionReader, Stylist, str]]:
    async with over_http() as models:
        yield (
            ModelEmotions(models, near=load_emotions(), patient=patient("emotion")),
            ModelStylist(models, near=load_stylist(), instead={}, patient=patient("tone")),
            "kobart:선비",
        )


Models = Callable[[], AbstractAsyncContextManager[tuple[EmotionReader, Stylist, str]]]
everywhere = pytest.mark.parametrize(
    "models",
    [embedded, stand_in, at_work_here, at_work_elsewhere],
    ids=["embedded", "stand-in", "this process", "HTTP"],
)


@everywhere
async def test_whatever_is_written_has_all_eleven_feelings(models: Models) -> None:
    async with models() as (reader, _, _):
        for text in TEXTS:
            found = await reader.read(text)
            assert isinstance(found, Emotion)
            assert {label for label, _ in found.ranking} == set(EmotionLabel)
            assert sum(score for _, score in found.ranking) == pytest.approx(1, abs=0.01)


@everywhere
async def test_many_are_read_at_once(models: Models) -> None:
    async with models() as (reader, _, _):
        alone = await reader.read("요즘 잠이 안 와요")
        together = await asyncio.gather(*(reader.read("요즘 잠이 안 와요") for _ in range(50)))
    assert {found.label for found in together} == {alone.label}


@everywhere
async def test_every_sentence_is_given_back_in_some_manner(models: Models) -> None:
    async with models() as (_, stylist, renderer):
        for text in ["오늘은 어떠셨어요?", "그러셨군요.", "자살예방상담 109에 전화하실 수 있어요.", "!?", "\ud800"]:
            said = await stylist.restyle(text, renderer)
            assert said.strip()
            assert [c for c in said if c.isdigit()] == [c for c in text if c.isdigit()]


# Drafts.

SITUATION = Situation(
    "요즘 잠이 안 와요",
    next(iter(CHARACTERS.values())),
    Emotion(tuple((label, 1 / 11) for label in EmotionLabel), is_confident=False),
    (),
)


@asynccontextmanager
async def script() -> AsyncIterator[Responder]:
    yield load_scripted()


@asynccontextmanager
async def saying() -> AsyncIterator[Responder]:
    yield SayingResponder("그러셨군요. 언제부터요?")


@asynccontextmanager
async def language_model() -> AsyncIterator[Responder]:
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(chat_server(ChatServer()))
        session = await stack.enter_async_context(aiohttp.ClientSession())
        replica = Replica(server.url, session=session, api_key=None, at_once=64, kind=None)
        stack.push_async_callback(replica.close)
        yield TGI([replica], sampling=Sampling(), max_input_tokens=3072, first_s=5)


@asynccontextmanager
async def ladder() -> AsyncIterator[Responder]:
    async with language_model() as model:
        yield Fallback(Deadline(model, first_s=5, total_s=5), load_scripted(), on_fallback=lambda: None)


Drafts = Callable[[], AbstractAsyncContextManager[Responder]]
everyone = pytest.mark.parametrize(
    "drafts", [script, saying, language_model, ladder], ids=["script", "stand-in", "language model", "ladder"]
)


@everyone
async def test_a_draft_has_words(drafts: Drafts) -> None:
    async with drafts() as responder:
        assert "".join([piece async for piece in responder.draft(SITUATION)]).strip()


@everyone
async def test_a_draft_can_be_left(drafts: Drafts) -> None:
    async with drafts() as responder:
        async with aclosing(responder.draft(SITUATION)) as pieces:
            await anext(pieces)
        assert "".join([piece async for piece in responder.draft(SITUATION)]).strip()


@everyone
async def test_many_drafts_are_written_at_once(drafts: Drafts) -> None:
    async def write(responder: Responder) -> str:
        return "".join([piece async for piece in responder.draft(SITUATION)])

    async with drafts() as responder:
        written = await asyncio.gather(*(write(responder) for _ in range(30)))
    assert all(each.strip() for each in written)


async def test_a_language_model_that_cannot_says_so_in_one_way(unused_tcp_port: int) -> None:
    async with aiohttp.ClientSession() as session:
        url = f"http://127.0.0.1:{unused_tcp_port}"
        replica = Replica(url, session=session, api_key=None, at_once=1, kind=None)
        model = TGI([replica], sampling=Sampling(), max_input_tokens=3072, first_s=1)
        with pytest.raises(NoReply):
            await anext(model.draft(SITUATION))
        await replica.close()
