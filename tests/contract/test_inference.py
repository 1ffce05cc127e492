"""What every set of smaller models promises, wherever they are at work."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest

from bot.backends.inference import Inference, NoAnswer, Refused
from tests.inference import GLAD, REFUSED, STYLES, FakeInference, in_process, over_http, vector_of

Open = Callable[[], AbstractAsyncContextManager[Inference]]


@asynccontextmanager
async def fake() -> AsyncIterator[FakeInference]:
    yield FakeInference()


@pytest.fixture(params=[fake, in_process, over_http], ids=["stand-in", "in this process", "over HTTP"])
def opened(request: pytest.FixtureRequest) -> Open:
    found: Open = request.param
    return found


async def test_it_says_what_does_each_task(opened: Open) -> None:
    async with opened() as inference:
        models = await inference.models()
    assert models["emotion"].name == "glad"
    assert models["tone"].styles == STYLES
    assert models["embedding"].name == "turning"
    assert not any(model.is_embedded for model in models.values())


async def test_every_text_is_answered_in_its_place(opened: Open) -> None:
    texts = ["하나", "둘이에요", "", "셋 하고도 넷"]
    async with opened() as inference:
        assert list(await inference.emotion(texts)) == [GLAD] * 4
        assert list(await inference.tone(texts, "선비")) == [f"{text} (선비)" for text in texts]
        for text, found in zip(texts, await inference.embed(texts, model="turning"), strict=True):
            assert found == pytest.approx(vector_of(text))


async def test_a_style_that_there_is_not_has_no_answer(opened: Open) -> None:
    async with opened() as inference:
        with pytest.raises(NoAnswer):
            await inference.tone(["하나"], "없는 말투")


async def test_another_encoder_than_the_wanted_one_has_no_answer(opened: Open) -> None:
    async with opened() as inference:
        with pytest.raises(NoAnswer):
            await inference.embed(["하나"], model="another")


async def test_a_text_on_which_the_model_fails_is_refused_and_the_others_are_answered(opened: Open) -> None:
    async with opened() as inference:
        with pytest.raises(Refused):
            await inference.embed(["하나", REFUSED], model="turning")
        [found] = await inference.embed(["하나"], model="turning")
    assert found == pytest.approx(vector_of("하나"))
