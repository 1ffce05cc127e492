"""The smaller models as the conversation asks for them: they may fail, and what means danger is sent to none."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import aiohttp
import pytest
from aiohttp import web

from bot.backends import inference as backends
from bot.backends.embedded import load_emotions, load_stylist
from bot.backends.inference import (
    Inference,
    Model,
    ModelEmotions,
    ModelEncoder,
    ModelStylist,
    NoAnswer,
    OverHttp,
    Patient,
)
from bot.conversation.model import EmotionLabel
from bot.conversation.ports import NoEncoding
from tests.inference import LOST, REFUSED, FakeInference, in_process, over_http, patient, vector_of

SAD = "너무 슬퍼서 눈물이 나요"
DANGER = "나 진짜 죽고 싶어"


def emotions(models: FakeInference) -> ModelEmotions:
    return ModelEmotions(models, near=load_emotions(), patient=patient("emotion"))


def stylist(models: FakeInference) -> ModelStylist:
    instead = {"kobart:선비": "rule:seonbi"}
    return ModelStylist(models, near=load_stylist(), instead=instead, patient=patient("tone"))


async def test_the_model_says_what_a_message_feels() -> None:
    found = await emotions(FakeInference()).read(SAD)
    assert found.label is EmotionLabel.HAPPY
    assert found.is_confident


async def test_a_model_that_is_not_there_yet_is_not_asked() -> None:
    models, waiting = FakeInference(), Patient("emotion")
    reader = ModelEmotions(models, near=load_emotions(), patient=waiting)
    assert (await reader.read(SAD)).label is EmotionLabel.SAD
    assert models.heard == []
    waiting.model = (await models.models())["emotion"]
    assert (await reader.read(SAD)).label is EmotionLabel.HAPPY


async def test_what_is_embedded_says_it_while_the_model_fails_and_the_model_again_afterwards(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(backends, "RESTS_S", (0.0, 0.0))
    models = FakeInference()
    reader = emotions(models)
    models.is_broken = True
    assert (await reader.read(SAD)).label is EmotionLabel.SAD
    models.is_broken = False
    assert (await reader.read(SAD)).label is EmotionLabel.HAPPY


async def test_a_model_that_failed_is_left_alone_for_a_while() -> None:
    failures: list[int] = []
    models = FakeInference()
    resting = Patient("emotion", model=Model("glad", is_embedded=False), on_failure=lambda: failures.append(1))
    reader = ModelEmotions(models, near=load_emotions(), patient=resting)
    models.is_broken = True
    await reader.read(SAD)
    models.is_broken = False
    assert (await reader.read(SAD)).label is EmotionLabel.SAD
    assert models.heard == []
    assert failures == [1]


async def test_a_model_that_failed_again_and_again_and_answered_is_left_alone_as_briefly_as_at_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = 100.0
    monkeypatch.setattr(backends, "monotonic", lambda: clock)
    models, reading = FakeInference(), patient("emotion")
    reader = ModelEmotions(models, near=load_emotions(), patient=reading)
    rests: list[float] = []
    for is_broken in True, True, True, False, True:
        models.is_broken = is_broken
        begun = clock
        await reader.read(SAD)
        while reading.is_resting:
            clock += 1
        rests.append(clock - begun)
    assert rests == [5, 10, 20, 0, 5]


async def test_danger_is_read_here() -> None:
    models = FakeInference()
    await emotions(models).read(DANGER)
    found = await ModelEncoder(models, name="turning", size=2, patient=Patient("")).encode(
        ["고양이", DANGER, "강아지가"]
    )
    assert DANGER not in models.heard
    assert [tuple(each) for each in found] == [vector_of("고양이"), (), vector_of("강아지가")]


async def test_a_model_speaks_in_its_styles_and_the_rules_in_theirs() -> None:
    speaking = stylist(FakeInference())
    assert await speaking.restyle("그랬군요.", "kobart:선비") == "그랬군요. (선비)"
    assert await speaking.restyle("그랬군요.", "rule:seonbi") == await load_stylist().restyle(
        "그랬군요.", "rule:seonbi"
    )


async def test_the_rules_speak_for_a_model_that_fails() -> None:
    models = FakeInference()
    models.is_broken = True
    speaking = stylist(models)
    for _ in range(2):
        said = await speaking.restyle("그랬군요.", "kobart:선비")
        assert said == await load_stylist().restyle("그랬군요.", "rule:seonbi")
    assert await speaking.restyle("그랬군요.", "kobart:나루토") == "그랬군요."


wherever = pytest.mark.parametrize("at_work", [in_process, over_http], ids=["in this process", "over HTTP"])
AtWork = Callable[..., AbstractAsyncContextManager[Inference]]


@wherever
async def test_a_text_at_which_a_model_breaks_does_not_hold_up_the_others(at_work: AtWork) -> None:
    async with at_work() as models:
        encoding = patient("embedding")
        found = await ModelEncoder(models, name="turning", size=2, patient=encoding).encode(["고양이", REFUSED, "개"])
    assert list(found) == [pytest.approx(vector_of("고양이")), (), pytest.approx(vector_of("개"))]
    assert not encoding.is_resting


@wherever
@pytest.mark.parametrize("texts", [["고양이"], ["고양이", "강아지가"]], ids=["one text", "two"])
async def test_a_model_that_breaks_at_every_text_is_at_fault_and_not_the_texts(
    at_work: AtWork, texts: list[str]
) -> None:
    async with at_work(breaking=LOST) as models:
        with pytest.raises(NoEncoding):
            await ModelEncoder(models, name="turning", size=2, patient=Patient("")).encode(texts)


@wherever
async def test_a_model_that_breaks_is_left_alone_as_one_that_is_gone(at_work: AtWork) -> None:
    async with at_work(breaking=LOST) as models:
        reading, speaking = patient("emotion"), patient("tone")
        found = await ModelEmotions(models, near=load_emotions(), patient=reading).read(SAD)
        await ModelStylist(models, near=load_stylist(), instead={}, patient=speaking).restyle("네.", "kobart:선비")
    assert found.label is EmotionLabel.SAD
    assert reading.is_resting
    assert speaking.is_resting


async def test_an_encoder_that_fails_says_so() -> None:
    models = FakeInference()
    models.is_broken = True
    encoder = ModelEncoder(models, name="turning", size=2, patient=Patient(""))
    with pytest.raises(NoEncoding):
        await encoder.encode(["고양이"])


# A server that is not as it should be.

HUGE = {
    "results": [{"scores": [{"label": "기쁨", "score": 10**400}], "is_confident": True}],
    "texts": None,
    "model": "None",
    "dense": [[10**400]],
}
Answering = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def server_that(answer: Answering) -> AsyncIterator[OverHttp]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    async with aiohttp.ClientSession() as session:
        yield OverHttp(f"http://127.0.0.1:{runner.addresses[0][1]}", session=session)
    await runner.cleanup()


def says(body: object, *, status: int = 200, content_type: str = "application/json") -> Answering:
    async def answer(_: web.Request) -> web.StreamResponse:
        text = body if isinstance(body, str) else json.dumps(body)
        return web.Response(status=status, text=text, content_type=content_type)

    return answer


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(says({"error": {"type": "overloaded"}}, status=429), id="overloaded"),
        pytest.param(says({"error": {"type": "failed"}}, status=500), id="failed"),
        pytest.param(says("<html>나의 비밀</html>", content_type="text/html"), id="a page"),
        pytest.param(says("{"), id="half of an answer"),
        pytest.param(says("[" * 200_000), id="too deep"),
        pytest.param(says(HUGE), id="a number of 400 digits"),
        pytest.param(says([]), id="a list"),
        pytest.param(says({}), id="nothing in it"),
        pytest.param(says({"results": [], "texts": [], "dense": []}), id="too few"),
        pytest.param(says({"results": [{"scores": 1}], "texts": 1, "dense": [["a"]]}), id="another shape"),
        pytest.param(says({"results": None, "texts": None, "dense": None}), id="null"),
        pytest.param(says("", status=307), id="redirected"),
    ],
)
async def test_every_odd_answer_is_no_answer(answer: Answering) -> None:
    async with server_that(answer) as inference:
        for call in (
            inference.emotion(["비밀"]),
            inference.tone(["비밀"], "선비"),
            inference.embed(["비밀"], model="None"),
        ):
            with pytest.raises(NoAnswer) as raised:
                await call
            assert "비밀" not in str(raised.value)


async def test_a_server_that_hangs_has_no_answer_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backends, "EMOTION_S", 0.2)

    async def hang(_: web.Request) -> web.StreamResponse:
        await asyncio.Event().wait()
        raise AssertionError

    async with server_that(hang) as inference:
        with pytest.raises(NoAnswer, match="nothing within"):
            await inference.emotion(["안녕"])


async def test_nobody_listening_has_no_answer(unused_tcp_port: int) -> None:
    async with aiohttp.ClientSession() as session:
        with pytest.raises(NoAnswer):
            await OverHttp(f"http://127.0.0.1:{unused_tcp_port}", session=session).models()
