"""What answers when what should answer does not: the second model, the script, the embedded models."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import REGISTRY

from bot.app import Mentos, now, open_mentos
from bot.backends import inference as backends
from bot.conversation.model import Account, Kind, Mendable, Part
from bot.settings import Settings
from tests.chat_server import ChatServer, chat_server
from tests.fakes import message
from tests.inference import LOST, FakeInference, engines, served

FIRST, SECOND = "첫째 모델이에요.", "둘째 모델이에요."


@asynccontextmanager
async def mentos_with(home: Path, **settings: Any) -> AsyncIterator[Mentos]:  # noqa: ANN401 - settings of any part
    chosen = {"home": home, "consent": {"assume": "storage,memory"}, **settings}
    async with open_mentos(Settings(**chosen)) as mentos:
        yield mentos


async def say(mentos: Mentos, text: str, id_: str = "1", *, by: str = "haneul") -> list[Part]:
    heard = message(text, id_=id_, account=Account("terminal", by), at=now())
    parts = [part async for part in mentos.conversation.respond(heard)]
    await mentos.conversation.delivered(heard)
    return parts


async def reply(mentos: Mentos, text: str, id_: str = "1") -> str:
    return " ".join([part.text for part in await say(mentos, text, id_)])


async def test_the_second_model_answers_for_the_first_and_the_script_for_both(tmp_path: Path) -> None:
    first, second = ChatServer(pieces=[FIRST]), ChatServer(pieces=[SECOND])
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(chat_server(first))
        await stack.enter_async_context(chat_server(second))
        mentos = await stack.enter_async_context(
            mentos_with(tmp_path, llm={"url": first.url}, second_llm={"url": second.url})
        )
        assert await reply(mentos, "요즘 잠이 안 와요", "1") == FIRST
        first.status = 500
        assert await reply(mentos, "회사 일이 많아요", "2") == SECOND
        second.status = 500
        scripted = await reply(mentos, "주말에는 쉬었어요", "3")
        assert scripted
        assert scripted not in {FIRST, SECOND}


async def test_what_the_first_model_spent_is_taken_off_the_second_one_s_time(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first, second = ChatServer(status=422), ChatServer(pieces=[f"{SECOND} ", "그리고"], hold_before=1)
    times = {"first_token_s": 0.7, "total_s": 11}
    async with (
        chat_server(first),
        chat_server(second),
        mentos_with(
            tmp_path, llm={"url": first.url, "first_token_s": 10}, second_llm={"url": second.url, **times}
        ) as mentos,
    ):
        assert await reply(mentos, "요즘 잠이 안 와요") == SECOND
    assert "the language model failed midway: nothing more within 1.0 s" in caplog.text


@pytest.mark.parametrize(
    "settings",
    [
        {"llm": {}, "second_llm": {"total_s": 15}},
        {"llm": {"first_token_s": 60}, "second_llm": {}},
        {"llm": {"first_token_s": 30}, "second_llm": {"first_token_s": 15}},
    ],
)
async def test_a_second_model_for_which_no_time_is_left_is_a_mistake(
    tmp_path: Path, settings: dict[str, dict[str, float]]
) -> None:
    urls = {part: {"url": "http://127.0.0.1:9", **settings[part]} for part in settings}
    with pytest.raises(Mendable, match="MENTOS_SECOND_LLM__TOTAL_S"):
        async with mentos_with(tmp_path, **urls):
            pass


async def test_what_is_up_is_said_to_operators(tmp_path: Path) -> None:
    first, second = ChatServer(pieces=[FIRST]), ChatServer(pieces=[SECOND])
    async with (
        chat_server(first),
        chat_server(second),
        mentos_with(tmp_path, llm={"url": first.url}, second_llm={"url": second.url}) as mentos,
    ):
        await reply(mentos, "요즘 잠이 안 와요")
        assert {"llm": "ok", "second_llm": "ok"}.items() <= (await mentos.check()).items()
        first.status, first.health = 500, 503
        await reply(mentos, "회사 일이 많아요", "2")
        assert {"llm": "unreachable", "second_llm": "ok"}.items() <= (await mentos.check()).items()


async def test_danger_goes_to_no_model(tmp_path: Path) -> None:
    model = ChatServer(pieces=[FIRST])
    async with chat_server(model), mentos_with(tmp_path, llm={"url": model.url}) as mentos:
        [part] = await say(mentos, "나 진짜 죽고 싶어")
        assert part.kind is Kind.CRISIS
        assert model.asked == []
        for number in range(8):
            await say(mentos, f"오늘은 {number}번 산책했어요", str(number))
        assert not any("죽고" in str(asked["messages"]) for asked in model.asked)


async def test_a_character_without_its_adapter_is_spoken_by_rules(tmp_path: Path) -> None:
    canary = ChatServer(pieces=["늘 같은 말이에요."])
    model = ChatServer(pieces=["그랬군요."], by_model={"expert": canary, "tgi": canary})
    async with chat_server(model), mentos_with(tmp_path, llm={"url": model.url}) as mentos:
        assert mentos.characters["expert"].renderer == "rule:expert"  # type: ignore[index]
    own = ChatServer(pieces=["안녕하십니까."])
    model = ChatServer(pieces=["그랬군요."], by_model={"expert": own})
    async with chat_server(model), mentos_with(tmp_path, llm={"url": model.url}) as mentos:
        assert mentos.characters["expert"].renderer == "lora:expert"  # type: ignore[index]


async def test_the_second_model_acts_a_character_whose_adapter_it_lacks(tmp_path: Path) -> None:
    own, base = ChatServer(pieces=["안녕하십니까."]), ChatServer(pieces=["그랬군요."])
    first = ChatServer(status=500, by_model={"expert": own, "tgi": base})
    second = ChatServer(pieces=[SECOND], by_model={"expert": ChatServer(status=404)})
    async with (
        chat_server(first),
        chat_server(second),
        mentos_with(tmp_path, llm={"url": first.url}, second_llm={"url": second.url}) as mentos,
    ):
        await say(mentos, "/말투 전문가", "0")
        own.status = 500
        assert await reply(mentos, "요즘 잠이 안 와요", "1") == SECOND
        assert "전문가처럼" in str(second.asked[-1]["messages"][0])


async def test_danger_by_what_was_said_before_goes_to_no_model(tmp_path: Path) -> None:
    model = ChatServer(pieces=[FIRST])
    meaning = {"model": "turning", "size": 2}
    at_work = FakeInference()
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(chat_server(model))
        url = await stack.enter_async_context(served(engines(heard=at_work.heard)))
        mentos = await stack.enter_async_context(
            mentos_with(tmp_path, llm={"url": model.url}, inference={"url": url}, embedding=meaning)
        )
        for number, text in enumerate(["나 진짜 죽고 싶어", "네, 다 준비해 놨어요", "졸려요 다 먹었어"]):
            [part] = await say(mentos, text, str(number))
            assert part.kind is Kind.CRISIS
        await mentos.remember()
        assert mentos.storage
        assert await mentos.storage.vectors.count() == 3
    assert model.asked == []
    assert at_work.heard == []


# Where words leave the network.


def go_far(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the address of the language model be one that is not private."""

    async def far(_: str) -> str:
        return "llm.example.com"

    monkeypatch.setattr("bot.models.outside", far)


async def test_people_are_told_where_their_words_go_before_any_goes_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_far(monkeypatch)
    model = ChatServer(pieces=[FIRST])
    async with chat_server(model), mentos_with(tmp_path, llm={"url": model.url}) as mentos:
        *_, notice = await say(mentos, "요즘 잠이 안 와요", "1")
        assert notice.kind is Kind.NOTICE
        assert "llm.example.com" in notice.text
        assert model.asked == []
        assert await reply(mentos, "회사 일이 많아요", "2") == FIRST


@pytest.mark.parametrize("first", ["나 진짜 죽고 싶어", "저 우울증인가요?"])
async def test_whoever_was_answered_in_fixed_words_was_not_told_yet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: str
) -> None:
    go_far(monkeypatch)
    model = ChatServer(pieces=[FIRST])
    async with chat_server(model), mentos_with(tmp_path, llm={"url": model.url}) as mentos:
        said = [await reply(mentos, first, "0")]
        for number in range(1, 9):
            before = len(model.asked)
            said.append(await reply(mentos, f"오늘은 {number}번 산책했어요", str(number)))
            if len(model.asked) > before:
                break
        assert any("llm.example.com" in each for each in said[:-1])
        assert model.asked


async def test_a_counsel_that_began_here_is_told_before_it_goes_on_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = ChatServer(pieces=[FIRST])
    async with chat_server(model):
        async with mentos_with(tmp_path, llm={"url": model.url}) as mentos:
            assert await reply(mentos, "요즘 잠이 안 와요", "1") == FIRST
        go_far(monkeypatch)
        async with mentos_with(tmp_path, llm={"url": model.url}) as mentos:
            asked = len(model.asked)
            assert "llm.example.com" in await reply(mentos, "회사 일이 많아요", "2")
            assert len(model.asked) == asked
            assert await reply(mentos, "주말에는 쉬었어요", "3") == FIRST


async def test_a_private_address_is_not_spoken_of(tmp_path: Path) -> None:
    model = ChatServer(pieces=[FIRST])
    async with chat_server(model), mentos_with(tmp_path, llm={"url": model.url}) as mentos:
        assert await reply(mentos, "요즘 잠이 안 와요") == FIRST


# The smaller models.


async def test_an_inference_server_speaks_reads_and_remembers_by_meaning(tmp_path: Path) -> None:
    meaning = {"model": "turning", "size": 2}
    async with served(engines()) as url, mentos_with(tmp_path, inference={"url": url}, embedding=meaning) as mentos:
        await say(mentos, "/말투 선비", "0")
        assert "(선비)" in await reply(mentos, "요즘 잠이 안 와요", "1")
        assert await reply(mentos, "/감정", "2")
        assert mentos.local.encoder
        assert mentos.local.encoder.name == "turning"
        assert {"emotion": "ok", "tone": "ok", "embedding": "ok"}.items() <= (await mentos.check()).items()
        await mentos.remember()
        assert mentos.storage
        assert await mentos.storage.vectors.count() == 1


async def test_the_embedded_models_answer_when_the_inference_server_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It counts as gone until it has answered again, however short it is left alone."""
    monkeypatch.setattr(backends, "RESTS_S", (0.0, 0.0))
    async with AsyncExitStack() as stack:
        async with served(engines()) as url:
            mentos = await stack.enter_async_context(mentos_with(tmp_path, inference={"url": url}))
            await say(mentos, "/말투 선비", "0")
            assert "(선비)" in await reply(mentos, "요즘 잠이 안 와요", "1")
            assert (is_up("tone"), (await mentos.check())["tone"]) == (1, "ok")
        said = await reply(mentos, "회사 일이 너무 많아요", "2")
        assert said
        assert "(선비)" not in said
        assert (is_up("tone"), (await mentos.check())["tone"]) == (0, "embedded")
        async with served(engines(), at=url):
            assert "(선비)" in await reply(mentos, "주말에는 쉬었어요", "3")
            assert (is_up("tone"), (await mentos.check())["tone"]) == (1, "ok")


def is_up(part: str) -> float | None:
    return REGISTRY.get_sample_value("mentos_part_up", {"part": part})


async def test_without_an_inference_server_at_the_start_everything_is_embedded(
    tmp_path: Path, unused_tcp_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.models.LOOK_EVERY_S", 0.0)
    async with mentos_with(tmp_path, inference={"url": f"http://127.0.0.1:{unused_tcp_port}"}) as mentos:
        assert await reply(mentos, "요즘 잠이 안 와요")
        assert mentos.local.models == {}


async def test_memories_by_meaning_wait_for_a_server_that_is_away(
    tmp_path: Path, unused_tcp_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.models.LOOK_EVERY_S", 0.0)
    meaning = {"model": "turning", "size": 2}
    away = {"url": f"http://127.0.0.1:{unused_tcp_port}"}
    async with mentos_with(tmp_path, inference=away, embedding=meaning) as mentos:
        await say(mentos, "고양이 나비가 아파요")
        await mentos.remember()
        assert mentos.storage
        assert await mentos.storage.vectors.count() == 1
        assert await mentos.storage.memories.unencoded() == 1
    async with served(engines()) as url, mentos_with(tmp_path, inference={"url": url}, embedding=meaning) as mentos:
        await mentos.remember()
        assert mentos.storage
        assert await mentos.storage.memories.unencoded() == 0


async def test_models_that_break_at_every_text_show_and_what_they_did_not_encode_waits(tmp_path: Path) -> None:
    meaning = {"model": "turning", "size": 2}
    broken = engines(breaking=LOST)
    async with served(broken) as url, mentos_with(tmp_path, inference={"url": url}, embedding=meaning) as mentos:
        await say(mentos, "/말투 선비", "0")
        await say(mentos, "고양이 나비가 아파요", "1")
        await mentos.remember()
        assert dict.fromkeys(["emotion", "tone", "embedding"], "embedded").items() <= (await mentos.check()).items()
        assert mentos.storage
        assert await mentos.storage.memories.unencoded() == 1
    heard: list[str] = []
    async with (
        served(engines(heard=heard)) as url,
        mentos_with(tmp_path, inference={"url": url}, embedding=meaning) as mentos,
    ):
        await mentos.remember()
    assert heard == ["고양이 나비가 아파요"]


@pytest.mark.parametrize("is_there", [True, False])
@pytest.mark.parametrize("embedding", [{"model": "turning"}, {"size": 2}, {"model": "turning", "size": 2}, {}])
async def test_memory_by_meaning_that_stays_off_although_it_was_wanted_is_said(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    embedding: dict[str, object],
    is_there: bool,  # noqa: FBT001 - a parameter
) -> None:
    async with (
        served(engines()) as url,
        mentos_with(tmp_path, inference={"url": url if is_there else None}, embedding=embedding) as mentos,
    ):
        is_on = mentos.local.encoder is not None
    assert is_on == (is_there and len(embedding) == 2)
    assert ("memory by meaning stays off" in caplog.text) == (bool(embedding) and not is_on)
