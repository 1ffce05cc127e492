"""What is remembered from one counsel to the next, through everything that a running Mentos is made of."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bot.app import Mentos, now, open_mentos
from bot.conversation.model import Account, EmotionLabel, Kind, Message, TurnId, UserId
from bot.remember import rebuild
from bot.settings import Embedding as ByMeaning
from bot.settings import Inference, Qdrant, Settings
from storage.vectors import Embedding, Point
from storage.vectors_server import ServerVectors
from tests.inference import engines, served
from tests.qdrant_server import QdrantServer, connected, qdrant_server

MINA = Account("web", "mina")
JUN = Account("web", "jun")
CAT = "고양이 나비를 키워요"


@asynccontextmanager
async def opened(home: Path, qdrant: Qdrant | None = None) -> AsyncIterator[Mentos]:
    async with open_mentos(Settings(home=home, qdrant=qdrant or Qdrant())) as mentos:
        yield mentos


@pytest.fixture
async def mentos(tmp_path: Path) -> AsyncIterator[Mentos]:
    async with opened(tmp_path) as mentos:
        yield mentos


async def say(mentos: Mentos, *texts: str, account: Account = MINA) -> str:
    """Say things one after another, and return the last reply."""
    reply = ""
    for text in texts:
        message = Message(account, f"{text} {now()}", text, now())
        reply = " ".join([part.text async for part in mentos.conversation.respond(message)])
        await mentos.conversation.delivered(message)
    return reply


async def tell_of_the_cat(mentos: Mentos, consent: str = "네", cat: str = CAT) -> TurnId:
    """Say it in a counsel of its own, and return its turn."""
    await say(mentos, "안녕하세요", consent, cat)
    [*_, turn] = await mentos.journal.counsel(MINA)
    await say(mentos, "/새상담")
    return turn.id


async def recalled(mentos: Mentos, account: Account = MINA) -> set[TurnId]:
    """Return the turns before the open counsel that its last turn was answered with."""
    [*earlier, last] = await mentos.journal.counsel(account)
    assert last.answer
    return set(last.answer.recalled) - {turn.id for turn in earlier}


async def test_what_was_said_in_one_counsel_is_recalled_in_a_later_one(mentos: Mentos) -> None:
    cat = await tell_of_the_cat(mentos)

    reply = await say(mentos, "우리 고양이가 밥을 잘 안 먹어요")

    assert await recalled(mentos) == {cat}
    assert "전에도 고양이 이야기를 들려주셨지요." in reply


async def test_it_is_recalled_after_a_restart_too(tmp_path: Path) -> None:
    async with opened(tmp_path) as mentos:
        cat = await tell_of_the_cat(mentos)
    async with opened(tmp_path) as mentos:
        await say(mentos, "우리 고양이가 밥을 잘 안 먹어요")
        assert await recalled(mentos) == {cat}


async def test_another_person_recalls_none_of_it(mentos: Mentos) -> None:
    await tell_of_the_cat(mentos)

    reply = await say(mentos, "안녕하세요", "네", "우리 고양이가 밥을 잘 안 먹어요", account=JUN)

    assert await recalled(mentos, JUN) == set()
    assert "전에도" not in reply


async def test_who_allows_storage_only_is_not_reminded(mentos: Mentos) -> None:
    await tell_of_the_cat(mentos, "저장만")

    await say(mentos, "우리 고양이가 밥을 잘 안 먹어요")

    assert await recalled(mentos) == set()


async def test_a_vector_folder_that_cannot_be_used_is_made_again_and_said_so(tmp_path: Path) -> None:
    async with opened(tmp_path) as mentos:
        cat = await tell_of_the_cat(mentos)
    (tmp_path / "vectors" / "layout.json").write_text("{")

    async with opened(tmp_path) as mentos:
        assert mentos.storage
        assert mentos.storage.is_relearning
        await mentos.remember()
        await say(mentos, "우리 고양이가 밥을 잘 안 먹어요")
        assert await recalled(mentos) == {cat}


async def test_a_missing_vector_folder_is_made_again(tmp_path: Path) -> None:
    async with opened(tmp_path) as mentos:
        cat = await tell_of_the_cat(mentos)
    (tmp_path / "vectors").rename(tmp_path / "elsewhere")

    async with opened(tmp_path) as mentos:
        await mentos.remember()
        await say(mentos, "우리 고양이가 밥을 잘 안 먹어요")
        assert await recalled(mentos) == {cat}


async def test_the_moods_of_the_last_days_are_drawn_beside_the_open_counsel(mentos: Mentos) -> None:
    await say(mentos, "안녕하세요", "네", "너무 슬퍼요", "/새상담", "오늘 정말 기뻐요")

    reply = await say(mentos, "/기분")

    assert "이번 이야기" in reply
    assert "지난 한 달" in reply


async def test_a_correction_is_kept_beside_the_guess(mentos: Mentos) -> None:
    await say(mentos, "안녕하세요", "네", "내일이 면접이에요", "/감정 설렘", "/감정 고마움")

    [turn] = await mentos.journal.counsel(MINA)

    assert turn.answer
    assert turn.answer.emotion.name == "GRATEFUL"


async def test_an_emergency_is_never_recalled(mentos: Mentos) -> None:
    await tell_of_the_cat(mentos, cat="고양이만 아니면 죽고 싶어요")
    await mentos.remember()

    await say(mentos, "우리 고양이가 밥을 잘 안 먹어요")

    assert await recalled(mentos) == set()


async def test_what_was_danger_only_by_what_was_said_before_is_never_recalled_either(mentos: Mentos) -> None:
    await say(mentos, "안녕하세요", "네", "나 진짜 죽고 싶어")
    assert "109" in await say(mentos, "네, 다 준비해 놨어요")
    assert mentos.storage
    await mentos.remember()
    person = await mentos.journal.person(MINA)

    found = await mentos.storage.memories.recall(person.user_id, "다 준비해 놨어요", without=(), limit=8)

    assert [memory.text for memory in found] == []


async def test_help_is_given_when_there_is_no_memory_at_all(tmp_path: Path, unused_tcp_port: int) -> None:
    async with opened(tmp_path, Qdrant(url=f"http://127.0.0.1:{unused_tcp_port}")) as mentos:
        message = Message(MINA, "1", "나 죽고 싶어", now())
        [helped] = [part async for part in mentos.conversation.respond(message)]
        assert helped.kind is Kind.CRISIS


async def test_without_a_qdrant_server_mentos_starts_answers_and_says_that_memory_is_away(
    tmp_path: Path, unused_tcp_port: int
) -> None:
    async with opened(tmp_path, Qdrant(url=f"http://127.0.0.1:{unused_tcp_port}")) as mentos:
        reply = await say(mentos, "안녕하세요", "네", CAT)

        assert reply
        assert await mentos.check() == {"database": "ok", "keys": "ok", "memory": "unreachable"}


@pytest.fixture
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[QdrantServer]:
    async with qdrant_server(tmp_path_factory.mktemp("server")) as server:
        yield server


@pytest.fixture
async def former(server: QdrantServer) -> AsyncIterator[ServerVectors]:
    """What an encoder left that is not used any more."""
    vectors = await connected(server.url, dense_size=3, encoder="a/former-encoder")
    yield vectors
    await vectors.close()


async def test_what_is_undone_is_gone_from_what_a_former_encoder_left_as_well(
    tmp_path: Path, server: QdrantServer, former: ServerVectors
) -> None:
    async with opened(tmp_path, Qdrant(url=server.url)) as mentos:
        await say(mentos, "안녕하세요", "네", CAT)
        [*_, cat] = await mentos.journal.counsel(MINA)
        person = await mentos.journal.person(MINA)
        meaning = Embedding({7: 1.0}, (1.0, 0.0, 0.0))
        await former.upsert([Point(cat.id, person.user_id, now(), EmotionLabel.SAD, meaning)])

        await say(mentos, "/취소")
        await mentos.remember()

        assert await former.count() == 0


async def test_a_rebuild_that_prunes_makes_the_memories_anew_and_removes_what_a_former_encoder_left(
    tmp_path: Path, server: QdrantServer, former: ServerVectors, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = Settings(home=tmp_path, qdrant=Qdrant(url=server.url))
    async with opened(settings.home, settings.qdrant) as mentos:
        await tell_of_the_cat(mentos)
    left = Embedding({7: 1.0}, (1.0, 0.0, 0.0))
    await former.upsert([Point(TurnId(1), UserId("somebody"), now(), EmotionLabel.SAD, left)])

    await rebuild(settings)
    assert len(server.collections()) == 2
    await rebuild(settings, prune=True)

    assert server.collections() == ["mentos_sparse"]
    assert "former-encoder" in capsys.readouterr().out
    async with opened(settings.home, settings.qdrant) as mentos:
        await say(mentos, "우리 고양이가 밥을 잘 안 먹어요")
        assert await recalled(mentos)


@pytest.mark.parametrize("is_away", [True, False])
async def test_a_rebuild_says_how_many_memories_wait_for_the_encoder(
    tmp_path: Path,
    unused_tcp_port: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    is_away: bool,  # noqa: FBT001 - a parameter
) -> None:
    async with opened(tmp_path) as mentos:
        await tell_of_the_cat(mentos)
    async with served(engines()) as url:
        where = Inference(url=f"http://127.0.0.1:{unused_tcp_port}" if is_away else url)
        await rebuild(Settings(home=tmp_path, inference=where, embedding=ByMeaning(model="turning", size=2)))
    assert ("낱말로만" in capsys.readouterr().out) == is_away
