"""What answers when what should answer does not: the second model, the script, the embedded models."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from prometheus_client import REGISTRY
from sqlalchemy import select

from bot.app import Mentos, now, open_mentos
from bot.backends import inference as backends
from bot.conversation.model import Account, CharacterId, Kind, Mendable, Part
from bot.settings import Settings
from storage.tables import metadata
from tests.chat_server import ChatServer, chat_server
from tests.fakes import message
from tests.inference import LOST, FakeInference, engines, served

PATIENCE_S = 5
FIRST, SECOND, OWN = "첫째 모델이에요.", "둘째 모델이에요.", "안녕하십니까."


@pytest.fixture(autouse=True)
def _learns_when_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.app.LEARN_EVERY_S", 3600.0)


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


async def test_whoever_has_seen_enough_of_a_reply_stops_the_model(tmp_path: Path) -> None:
    model = ChatServer(pieces=[f"{FIRST} ", SECOND], hold_before=1)
    async with chat_server(model), mentos_with(tmp_path, llm={"url": model.url}) as mentos:
        async for part in mentos.conversation.respond(message("요즘 잠이 안 와요", at=now())):
            assert part.text == FIRST
            break
        await asyncio.wait_for(model.left_early.wait(), PATIENCE_S)


async def test_whoever_does_not_wait_for_a_reply_stops_the_model(tmp_path: Path) -> None:
    model = ChatServer(hold_before=0)
    async with chat_server(model), mentos_with(tmp_path, llm={"url": model.url}) as mentos:
        saying = asyncio.create_task(say(mentos, "요즘 잠이 안 와요"))
        await model.was_asked.wait()
        saying.cancel()
        await asyncio.wait_for(model.left_early.wait(), PATIENCE_S)
        with pytest.raises(asyncio.CancelledError):
            await saying


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
        assert renderer_of(mentos, "expert") == "rule:expert"
    own = ChatServer(pieces=["안녕하십니까."])
    model = ChatServer(pieces=["그랬군요."], by_model={"expert": own})
    async with chat_server(model), mentos_with(tmp_path, llm={"url": model.url}) as mentos:
        assert renderer_of(mentos, "expert") == "lora:expert"


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
        own.status = base.status = 500
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


# Servers that come up later, or come back with other models.


def renderer_of(mentos: Mentos, character: str) -> str:
    return mentos.characters[CharacterId(character)].renderer


def with_adapter(name: str) -> ChatServer:
    """A server that answers for an adapter in words of its own, and for all others as the base model, as TGI does."""
    return ChatServer(pieces=[FIRST], by_model={name: ChatServer(pieces=[OWN])})


async def models_in(mentos: Mentos, table: str) -> list[tuple[str, str]]:
    """Return each `character_id` with its `character_model`, in the order in which they were stored."""
    assert mentos.storage
    columns = metadata.tables[table].c
    wanted = select(columns.character_id, columns.character_model).order_by(columns[f"{table}_id"])
    return await mentos.storage.rows.read(
        lambda connection: [(row.character_id, row.character_model) for row in connection.execute(wanted)]
    )


async def test_an_adapter_of_a_server_that_comes_up_later_speaks_without_a_restart(
    tmp_path: Path, unused_tcp_port: int
) -> None:
    url = f"http://127.0.0.1:{unused_tcp_port}"
    async with mentos_with(tmp_path, llm={"url": url}) as mentos:
        await say(mentos, "/말투 전문가", "0")
        assert await reply(mentos, "요즘 잠이 안 와요", "1")
        assert renderer_of(mentos, "expert") == "rule:expert"
        async with chat_server(with_adapter("expert"), port=unused_tcp_port):
            await until_up(mentos)
            await mentos.learn()
            assert await reply(mentos, "회사 일이 많아요", "2") == OWN
        assert renderer_of(mentos, "expert") == "lora:expert"
        assert await models_in(mentos, "counsel") == [("expert", "rule:expert")]
        await say(mentos, "/새상담", "3")
        await say(mentos, "주말에는 쉬었어요", "4")
        assert await models_in(mentos, "counsel") == [("expert", "rule:expert"), ("expert", "lora:expert")]


async def test_a_server_that_comes_up_later_without_the_adapter_is_never_asked_for_it(tmp_path: Path) -> None:
    server = with_adapter("another")
    server.health = 503
    async with chat_server(server), mentos_with(tmp_path, llm={"url": server.url}) as mentos:
        await say(mentos, "/말투 전문가", "0")
        server.health = 200
        await until_up(mentos)
        assert FIRST not in await reply(mentos, "요즘 잠이 안 와요", "1")  # the rules say it in the expert's manner
        assert {asked["model"] for asked in server.asked} == {"tgi"}
        await mentos.learn()
        asked = len(server.asked)
        assert await reply(mentos, "회사 일이 많아요", "2")
        assert {each["model"] for each in server.asked[asked:]} == {"tgi"}
        assert renderer_of(mentos, "expert") == "rule:expert"


async def test_a_server_that_comes_back_with_other_adapters_is_asked_for_those(tmp_path: Path) -> None:
    server = with_adapter("expert")
    async with chat_server(server), mentos_with(tmp_path, llm={"url": server.url}) as mentos:
        await say(mentos, "/말투 전문가", "0")
        assert await reply(mentos, "요즘 잠이 안 와요", "1") == OWN
        server.first, server.by_model = [ChatServer(closes=True, pieces=["네"])], {"another": ChatServer()}
        assert await reply(mentos, "회사 일이 많아요", "2")
        await until_up(mentos)
        asked = len(server.asked)
        assert await reply(mentos, "주말에는 쉬었어요", "3") == FIRST
        assert "전문가처럼" in str(server.asked[-1]["messages"][0])  # acted by the base model, until it was asked
        assert {each["model"] for each in server.asked[asked:]} == {"tgi"}
        await mentos.learn()
        assert renderer_of(mentos, "expert") == "rule:expert"
        server.by_model = {"expert": ChatServer(pieces=[OWN])}
        server.first = [ChatServer(closes=True, pieces=["네"])]
        await reply(mentos, "오늘은 비가 와요", "4")
        await until_up(mentos)
        await mentos.learn()
        assert await reply(mentos, "내일은 산책을 하려고요", "5") == OWN


async def test_of_two_servers_one_that_lacks_the_adapter_is_not_asked_for_it(tmp_path: Path) -> None:
    lacks, has = with_adapter("another"), with_adapter("expert")
    async with (
        chat_server(lacks),
        chat_server(has),
        mentos_with(tmp_path, llm={"url": f"{lacks.url},{has.url}"}) as mentos,
    ):
        await say(mentos, "/말투 전문가", "0")
        lacks.asked.clear()
        for number in range(4):
            assert await reply(mentos, f"오늘은 {number}번 산책했어요", f"1{number}") == OWN
        assert lacks.asked == []


async def test_nobody_waits_while_a_server_is_asked_for_its_adapters(tmp_path: Path) -> None:
    server = with_adapter("expert")
    server.health = 503
    server.by_model["expert"].hold_before = 0
    async with (
        chat_server(server),
        mentos_with(tmp_path, llm={"url": server.url, "at_once": 1}) as mentos,
    ):
        server.health = 200
        await until_up(mentos)
        learning = asyncio.create_task(mentos.learn())
        await server.was_asked.wait()
        assert await reply(mentos, "요즘 잠이 안 와요", "1") == FIRST
        assert not learning.done()
        server.by_model["expert"].released.set()
        await learning
        assert renderer_of(mentos, "expert") == "lora:expert"


async def test_an_inference_server_that_comes_up_later_is_used_without_a_restart(
    tmp_path: Path, unused_tcp_port: int
) -> None:
    async with mentos_with(tmp_path, inference={"url": f"http://127.0.0.1:{unused_tcp_port}"}) as mentos:
        await say(mentos, "/말투 선비", "0")
        assert "(선비)" not in await reply(mentos, "요즘 잠이 안 와요", "1")
        assert mentos.local.models == {}
        assert (await mentos.check())["inference"] == "unreachable"
        assert part_up("inference") == 0
        heard: list[str] = []
        async with served(engines(heard=heard), port=unused_tcp_port):
            await mentos.learn()
            assert {"inference": "ok", "tone": "ok", "emotion": "ok"}.items() <= (await mentos.check()).items()
            assert part_up("inference") == part_up("tone") == 1
            assert "(선비)" in await reply(mentos, "회사 일이 많아요", "2")
            assert heard == ["회사 일이 많아요"]  # read for its emotion
        assert await models_in(mentos, "counsel") == [("seonbi", "rule:seonbi")]
        await say(mentos, "/말투 나루토", "3")
        await say(mentos, "주말에는 쉬었어요", "4")
        assert await models_in(mentos, "counsel") == [("seonbi", "rule:seonbi"), ("naruto", "kobart:나루토")]
        assert ("seonbi", "kobart:선비") in await models_in(mentos, "character")


async def test_the_rules_speak_for_styles_that_an_inference_server_lacks(tmp_path: Path, unused_tcp_port: int) -> None:
    async with mentos_with(tmp_path, inference={"url": f"http://127.0.0.1:{unused_tcp_port}"}) as mentos:
        await say(mentos, "/말투 선비", "0")
        async with served(engines(styles=["나루토", "해적"]), port=unused_tcp_port):
            await mentos.learn()
            assert "(선비)" not in await reply(mentos, "요즘 잠이 안 와요", "1")
            assert (renderer_of(mentos, "seonbi"), renderer_of(mentos, "naruto")) == ("rule:seonbi", "kobart:나루토")
            assert (await mentos.check())["tone"] == "ok"
        async with served(engines(), port=unused_tcp_port):
            await mentos.learn()
            assert "(선비)" in await reply(mentos, "회사 일이 많아요", "2")
        async with served(engines(styles=["나루토"]), port=unused_tcp_port):  # and nothing is learnt of it yet
            said = await reply(mentos, "주말에는 쉬었어요", "3")
            assert said
            assert "(선비)" not in said


async def test_whom_only_an_adapter_can_render_is_answered_for_until_it_is_there(tmp_path: Path) -> None:
    (tmp_path / "characters").mkdir()
    keys = "".join(f'{key} = "harry"\n' for key in ("id", "name", "name_en", "persona", "greeting", "sample"))
    (tmp_path / "characters" / "harry.toml").write_text(f'{keys}renderers = ["lora:harry"]\n', encoding="utf-8")
    server = with_adapter("another")
    server.health = 503
    async with chat_server(server), mentos_with(tmp_path, llm={"url": server.url}) as mentos:
        await say(mentos, "/말투 harry", "0")
        assert await reply(mentos, "요즘 잠이 안 와요", "1")
        server.health = 200
        await until_up(mentos)
        await mentos.learn()
        assert await reply(mentos, "회사 일이 많아요", "2") == FIRST
        assert {asked["model"] for asked in server.asked if asked["temperature"]} == {"tgi"}


async def test_an_inference_server_that_does_better_at_nothing_is_asked_for_nothing(tmp_path: Path) -> None:
    heard: list[str] = []
    plain = engines(heard=heard)
    about = {task: replace(each, runtime="rules", styles=("seonbi",)) for task, each in plain.about.items()}
    async with (
        served(replace(plain, about=about)) as url,
        mentos_with(tmp_path, inference={"url": url}) as mentos,
    ):
        assert await reply(mentos, "요즘 잠이 안 와요")
        assert heard == []
        assert renderer_of(mentos, "seonbi") == "rule:seonbi"
        assert not {"emotion", "tone", "embedding"} & (await mentos.check()).keys()


async def test_servers_are_looked_at_by_themselves(
    tmp_path: Path, unused_tcp_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.app.LEARN_EVERY_S", 0.01)
    server = with_adapter("expert")
    server.health = 503
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(chat_server(server))
        mentos = await stack.enter_async_context(
            mentos_with(tmp_path, llm={"url": server.url}, inference={"url": f"http://127.0.0.1:{unused_tcp_port}"})
        )
        await stack.enter_async_context(served(engines(), port=unused_tcp_port))
        server.health = 200
        await until(lambda: renderer_of(mentos, "expert") == "lora:expert")
        await until(lambda: renderer_of(mentos, "seonbi") == "kobart:선비")


async def test_when_that_breaks_people_are_answered_and_operators_see_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("bot.app.LEARN_EVERY_S", 0.01)

    async def breaks(_: object) -> None:
        raise ZeroDivisionError("나의 비밀")

    server = with_adapter("expert")
    async with chat_server(server), mentos_with(tmp_path, llm={"url": server.url}) as mentos:
        monkeypatch.setattr("bot.models.Speech.learn", breaks)
        await until(lambda: "learning" in mentos.failed)
        assert await reply(mentos, "요즘 잠이 안 와요") == FIRST
        assert {"learning": "ZeroDivisionError", "llm": "ok"}.items() <= (await mentos.check()).items()
    assert "ZeroDivisionError in" in caplog.text
    assert "비밀" not in caplog.text


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not holds():  # noqa: ASYNC110 - what is learnt beside the conversation is told to nobody
            await asyncio.sleep(0.01)


async def until_up(mentos: Mentos) -> None:
    """Until the language model was looked at after it came back."""
    async with asyncio.timeout(10):
        while (await mentos.check())["llm"] != "ok":  # noqa: ASYNC110 - it is left alone for a while
            await asyncio.sleep(0.01)


def part_up(part: str) -> float | None:
    return REGISTRY.get_sample_value("mentos_part_up", {"part": part})


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


async def test_small_models_outside_the_network_are_refused_and_nobody_is_asked_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_work = FakeInference()
    async with served(engines(heard=at_work.heard)) as url:
        go_far(monkeypatch)
        with pytest.raises(Mendable, match=r"MENTOS_INFERENCE__URL: llm\.example\.com"):
            async with mentos_with(tmp_path, inference={"url": url}):
                pass
    assert at_work.heard == []


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
        async with served(engines(), port=urlsplit(url).port or 0):
            assert "(선비)" in await reply(mentos, "주말에는 쉬었어요", "3")
            assert (is_up("tone"), (await mentos.check())["tone"]) == (1, "ok")


def is_up(part: str) -> float | None:
    return REGISTRY.get_sample_value("mentos_part_up", {"part": part})


async def test_memories_by_meaning_wait_for_a_server_that_is_away(tmp_path: Path, unused_tcp_port: int) -> None:
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
