"""Which model answers which task, and lists of texts through the batchers."""

import asyncio
import threading
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from inference_server.batching import Batcher, Expired, Overloaded
from inference_server.emotion import LABELS, EmbeddedEmotion, Ranking
from inference_server.engines import Engines, UnknownStyle, by_style, open_engines
from inference_server.models import Models
from inference_server.tone import RuleTone

SECRET = "비밀스러운말"
WAIT_S = 60


def configured(**names: str) -> Models:
    """Settings that no variable and no `.env` of the person who tests can change."""
    return Models.model_construct(None, **names)


@pytest.fixture
async def embedded() -> AsyncIterator[Engines]:
    engines = open_engines(configured())
    yield engines
    await engines.close()


def reading(work: Batcher[str, Ranking], embedded: Engines) -> Engines:
    return Engines(
        reading=work, restyling=embedded.restyling, embedding=embedded.embedding, about=embedded.about, missing=()
    )


async def test_what_is_not_configured_is_embedded(embedded: Engines) -> None:
    assert embedded.missing == ()
    assert [about.runtime for about in embedded.about.values()] == ["numpy", "rules", "rules"]
    assert embedded.about["emotion"].labels == LABELS
    assert set(embedded.about["tone"].styles or ()) == RuleTone().styles
    assert embedded.about["embedding"].size is None


async def test_lists_are_answered_as_the_engines_answer_each_text(embedded: Engines) -> None:
    texts = ["오늘 정말 기뻐요!", "", "너무 우울해요", "고양이가 아파요 " * 2_000, "?"]

    emotions = await embedded.emotion(texts, within_s=WAIT_S)
    assert emotions == EmbeddedEmotion().read(texts)
    rules = RuleTone()
    said = await embedded.tone(texts, "seonbi", within_s=WAIT_S)
    assert said == [rules.restyle(text, "seonbi") for text in texts]
    embeddings = await embedded.embed(texts, within_s=WAIT_S)
    assert [one.dense for one in embeddings] == [None] * 5
    assert "고양이/N" in embeddings[3].sparse
    assert embeddings[4].sparse == {}


async def test_of_a_long_text_the_beginning_and_the_end_are_looked_for(embedded: Engines) -> None:
    [found] = await embedded.embed(["고양이가 " + "그래서 " * 4_000 + "바다"], within_s=WAIT_S)
    assert {"고양이/N", "바다/N"} <= set(found.sparse)


async def test_an_unknown_style_is_not_quoted_but_the_known_ones_are_named(embedded: Engines) -> None:
    with pytest.raises(UnknownStyle, match="seonbi") as raised:
        await embedded.tone(["안녕하세요"], SECRET, within_s=WAIT_S)
    assert SECRET not in str(raised.value)


def test_texts_of_several_styles_are_one_call_a_style_and_keep_their_order() -> None:
    calls: list[tuple[list[str], str]] = []

    def restyle(texts: Sequence[str], style: str) -> list[str]:
        calls.append((list(texts), style))
        return [f"{text} {style}" for text in texts]

    said = by_style(restyle)([("a", "x"), ("b", "y"), ("c", "x")])

    assert said == ["a x", "b y", "c x"]
    assert calls == [(["a", "c"], "x"), (["b"], "y")]


@pytest.mark.parametrize("task", ["emotion", "tone", "embedding"])
@pytest.mark.parametrize("name", ["owner/unpinned-model", "no such folder", "empty", "~nobody-here/model", "x" * 300])
async def test_a_model_that_cannot_be_loaded_is_named_and_the_embedded_one_answers(
    task: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()

    engines = open_engines(configured(**{task: name}))

    [why] = engines.missing
    assert task in why
    assert name in why
    assert why.endswith(".")
    assert "\n" not in why
    assert all(about.name.startswith("embedded-") for about in engines.about.values())
    assert len(await engines.emotion(["안녕"], within_s=WAIT_S)) == 1
    assert await engines.tone(["안녕하세요."], "banmal", within_s=WAIT_S) == ["안녕."]
    assert len(await engines.embed(["안녕"], within_s=WAIT_S)) == 1
    await engines.close()


async def test_configured_models_are_at_work_and_named_as_their_folders_are(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="the transformer engines need the extra `models`")
    from tests.models import tiny  # needs torch itself

    engines = open_engines(
        configured(
            emotion=str(tiny.electra(tmp_path / "electra")),
            tone=str(tiny.bart(tmp_path / "bart")),
            embedding=str(tiny.encoder(tmp_path / "encoder")),
        )
    )

    assert engines.missing == ()
    assert {task: about.name for task, about in engines.about.items()} == {
        "emotion": "electra",
        "tone": "bart",
        "embedding": "encoder",
    }
    assert {about.runtime for about in engines.about.values()} == {"torch"}
    long = "요즘 잠이 안 와요. " * 2_000
    assert len(await engines.emotion(["오늘 기뻐요", "", long], within_s=WAIT_S)) == 3
    assert (await engines.tone(["", long], "선비", within_s=WAIT_S)) == ["", long]
    vectors = [one.dense for one in await engines.embed(["고양이", "", long], within_s=WAIT_S)]
    for vector in vectors:
        assert vector is not None
        assert vector.shape == (engines.about["embedding"].size,)
        assert np.isclose(np.linalg.norm(vector), 1)
    await engines.close()


async def test_one_text_that_fails_fails_its_list_and_no_other(embedded: Engines) -> None:
    model = EmbeddedEmotion()

    def read(texts: Sequence[str]) -> list[Ranking]:
        if "부서진 글" in texts:
            raise ArithmeticError
        return model.read(texts)

    engines = reading(Batcher(read, name="emotion"), embedded)
    broken, whole = await asyncio.gather(
        engines.emotion(["하나", "부서진 글"], within_s=WAIT_S),
        engines.emotion(["둘", "셋"], within_s=WAIT_S),
        return_exceptions=True,
    )
    assert isinstance(broken, ArithmeticError)
    assert whole == model.read(["둘", "셋"])
    await engines.close()


async def test_a_list_that_finds_no_room_takes_none(embedded: Engines) -> None:
    released, begun, loop = threading.Event(), asyncio.Event(), asyncio.get_running_loop()
    seen: list[str] = []

    def read(texts: Sequence[str]) -> list[Ranking]:
        seen.extend(texts)
        loop.call_soon_threadsafe(begun.set)
        assert released.wait(WAIT_S)
        return EmbeddedEmotion().read(texts)

    engines = reading(Batcher(read, name="emotion", at_most=1, waiting_at_most=2), embedded)
    first = asyncio.create_task(engines.emotion(["하나"], within_s=WAIT_S))
    await begun.wait()
    with pytest.raises(Overloaded):
        await engines.emotion(["둘", "셋", "넷"], within_s=WAIT_S)
    with pytest.raises(Expired):
        await engines.emotion(["다섯", "여섯"], within_s=0.001)
    released.set()
    await first
    await engines.emotion(["끝"], within_s=WAIT_S)
    assert seen == ["하나", "끝"]
    await engines.close()


async def test_when_closed_nobody_is_let_in(embedded: Engines) -> None:
    await embedded.close()
    with pytest.raises(Overloaded):
        await embedded.embed(["안녕"], within_s=WAIT_S)
