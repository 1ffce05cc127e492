"""How turns become memories, and how these follow what is true of the rows."""

from collections import Counter
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import update

from bot.conversation.model import Scope, TurnId, UserId
from bot.conversation.ports import NoMemory
from storage.memories import SqlMemories
from storage.tables import dialog
from storage.vectors import Embedding, Vectors, VectorsUnreachable
from storage.vectors_edge import EdgeVectors
from tests.storage.conftest import Place, Storage, opened
from tests.storage.examples import FRIEND, GUEST, JUN, MINA, NOON, Talker, an_answer, yes


class Words:
    """Fulfils `Embedder`: a text is found by its words."""

    def document(self, question: str, text: str, *, before: str) -> Mapping[str, float]:
        return Counter(question.split() + text.split())

    def query(self, text: str) -> Mapping[str, float]:
        return Counter(text.split())


class Leaky:
    """`Vectors` whose filter was forgotten: everybody's points answer every search."""

    def __init__(self, vectors: Vectors, everyone: Sequence[Talker]) -> None:
        self._vectors = vectors
        self._everyone = everyone
        self.where = vectors.where

    def __getattr__(self, name: str) -> object:
        return getattr(self._vectors, name)

    async def search(
        self, user_id: UserId, query: Embedding, *, without: Collection[TurnId], limit: int
    ) -> Sequence[TurnId]:
        return [turn_id for turn_id in range(1, 200) if turn_id not in without]  # type: ignore[misc]


class Gone(Leaky):
    """`Vectors` out of reach."""

    async def search(
        self, user_id: UserId, query: Embedding, *, without: Collection[TurnId], limit: int
    ) -> Sequence[TurnId]:
        raise VectorsUnreachable("Qdrant does not answer; start it")


@pytest.fixture
async def house(place: Place) -> AsyncIterator[Storage]:
    async with opened(place) as storage:
        for talker in MINA, JUN, GUEST:
            await storage.people.consent(talker.account, talker.person, yes())
        yield storage


@pytest.fixture
async def vectors(tmp_path: Path) -> AsyncIterator[Vectors]:
    edge = await EdgeVectors.open(tmp_path / "vectors", dense_size=None)
    yield edge
    await edge.close()


@pytest.fixture
def memories(house: Storage, vectors: Vectors) -> SqlMemories:
    return memories_of(house, vectors)


def memories_of(house: Storage, vectors: Vectors) -> SqlMemories:
    return SqlMemories(database=house.rows, keys=house.keys, vectors=vectors, embedder=Words())


async def tell(house: Storage, talker: Talker, *texts: str, reply: str = "그랬군요.") -> list[TurnId]:
    ids: list[TurnId] = []
    for text in texts:
        message = talker.says(text, message_id=f"{text} {len(ids)}", at=NOON)
        turn = await house.counsels.hear(talker.user_id, message, character=FRIEND)
        await house.counsels.answer(talker.user_id, turn.id, an_answer(reply))
        ids.append(turn.id)
    return ids


async def spoil(house: Storage, turn_id: TurnId) -> None:
    """Make a turn unreadable, as a damaged disk does."""
    spoilt = update(dialog).where(dialog.c.dialog_id == turn_id).values(u_message=b"\x01" + bytes(40))
    await house.rows.write(lambda connection: connection.execute(spoilt))


async def recalled(memories: SqlMemories, talker: Talker, text: str, **limits: Collection[TurnId]) -> list[str]:
    found = await memories.recall(talker.user_id, text, without=limits.get("without", ()), limit=10)
    return [memory.text for memory in found]


async def test_what_was_said_is_recalled_by_what_it_shares_with_what_is_said(
    house: Storage, memories: SqlMemories
) -> None:
    _, cat, _ = await tell(house, MINA, "오늘 비가 왔어요", "고양이 나비를 키워요", "면접을 봤어요")
    assert await memories.drain()

    (memory,) = await memories.recall(MINA.user_id, "고양이 밥", without=(), limit=10)

    assert (memory.turn_id, memory.text, memory.at) == (cat, "고양이 나비를 키워요", NOON)


async def test_nothing_is_recalled_before_the_outbox_is_worked_off(house: Storage, memories: SqlMemories) -> None:
    await tell(house, MINA, "고양이 나비를 키워요")

    assert await recalled(memories, MINA, "고양이") == []
    assert await memories.waiting() == 1
    await memories.drain()
    assert await memories.waiting() == 0
    assert await recalled(memories, MINA, "고양이") == ["고양이 나비를 키워요"]


async def test_an_answer_is_recalled_by_the_question_before_it(house: Storage, memories: SqlMemories) -> None:
    await tell(house, MINA, "안녕", reply="반가워요. 고양이 이름은 무엇인가요?")
    await tell(house, MINA, "나비라고 해요")
    await memories.drain()

    assert await recalled(memories, MINA, "고양이") == ["나비라고 해요"]


async def test_what_is_at_hand_anyway_is_left_out(house: Storage, memories: SqlMemories) -> None:
    first, second = await tell(house, MINA, "고양이 하나", "고양이 둘")
    await memories.drain()

    assert await recalled(memories, MINA, "고양이", without={second}) == ["고양이 하나"]
    assert await recalled(memories, MINA, "고양이", without={first, second}) == []


async def test_an_undone_turn_is_forgotten(house: Storage, memories: SqlMemories, vectors: Vectors) -> None:
    await tell(house, MINA, "고양이 하나", "고양이 둘")
    await memories.drain()

    await house.counsels.undo(MINA.user_id, at=NOON)

    assert await recalled(memories, MINA, "고양이") == ["고양이 하나"]
    await memories.drain()
    assert await vectors.count() == 1


async def test_who_allows_storage_only_is_forgotten_and_remembered_again_when_they_allow_it(
    house: Storage, memories: SqlMemories, vectors: Vectors
) -> None:
    await tell(house, MINA, "고양이 하나")
    await tell(house, JUN, "고양이 준")
    await memories.drain()

    await house.people.consent(MINA.account, MINA.person, yes(Scope.STORAGE))
    await tell(house, MINA, "고양이 둘")
    await memories.drain()
    assert (await vectors.count(MINA.user_id), await vectors.count(JUN.user_id)) == (0, 1)

    await house.people.consent(MINA.account, MINA.person, yes())
    await memories.drain()
    assert sorted(await recalled(memories, MINA, "고양이")) == ["고양이 둘", "고양이 하나"]


async def test_a_no_and_a_yes_before_anybody_looked_forget_nothing(house: Storage, memories: SqlMemories) -> None:
    await tell(house, MINA, "고양이 하나")
    await memories.drain()
    await house.people.consent(MINA.account, MINA.person, yes(Scope.STORAGE))
    await house.people.consent(MINA.account, MINA.person, yes())

    await memories.drain()

    assert await recalled(memories, MINA, "고양이") == ["고양이 하나"]


async def test_an_erased_guest_leaves_no_vectors(house: Storage, memories: SqlMemories, vectors: Vectors) -> None:
    await tell(house, GUEST, "고양이 하나")
    await tell(house, MINA, "고양이 둘")
    await memories.drain()

    await house.counsels.expire(guests_before=NOON + timedelta(days=1), turns_before=None, at=NOON)
    await memories.drain()

    assert (await vectors.count(GUEST.user_id), await vectors.count()) == (0, 1)
    assert await memories.waiting() == 0


async def test_expired_turns_leave_no_vectors(house: Storage, memories: SqlMemories, vectors: Vectors) -> None:
    await tell(house, MINA, "고양이 하나")
    await memories.drain()

    await house.counsels.expire(guests_before=NOON - timedelta(days=1), turns_before=NOON + timedelta(days=1), at=NOON)
    await memories.drain()

    assert await vectors.count() == 0


async def test_a_turn_that_cannot_be_read_is_no_reason_to_make_all_again(house: Storage, memories: SqlMemories) -> None:
    broken, _ = await tell(house, MINA, "고양이 하나", "고양이 둘")
    await spoil(house, broken)

    await memories.rebuild()
    await memories.drain()

    assert await memories.is_complete()
    assert await recalled(memories, MINA, "고양이") == ["고양이 둘"]


async def test_lost_vectors_are_made_again_from_the_rows(
    house: Storage, memories: SqlMemories, vectors: Vectors
) -> None:
    await tell(house, MINA, "고양이 하나", "강아지 둘")
    await tell(house, JUN, "고양이 준")
    await house.people.consent(JUN.account, JUN.person, yes(Scope.STORAGE))
    await memories.drain()
    await vectors.clear()
    assert not await memories.is_complete()

    await memories.rebuild()
    await memories.drain()

    assert await memories.is_complete()
    assert await recalled(memories, MINA, "고양이") == ["고양이 하나"]
    assert await vectors.count(JUN.user_id) == 0


async def test_a_long_outbox_is_worked_off_in_parts(house: Storage, memories: SqlMemories) -> None:
    await tell(house, MINA, *(f"고양이 {number}" for number in range(150)))

    assert [await memories.drain(batches=1) for _ in range(3)] == [False, False, True]
    assert await memories.is_complete()


async def test_a_turn_that_cannot_be_read_any_more_hides_no_other(house: Storage, memories: SqlMemories) -> None:
    broken, _ = await tell(house, MINA, "고양이 하나", "고양이 둘")
    await memories.drain()
    await spoil(house, broken)

    assert await recalled(memories, MINA, "고양이") == ["고양이 둘"]


async def test_vectors_out_of_reach_are_said_to_be_so(house: Storage, vectors: Vectors) -> None:
    memories = memories_of(house, Gone(vectors, ()))  # type: ignore[arg-type]

    with pytest.raises(NoMemory, match="start it"):
        await memories.recall(MINA.user_id, "고양이", without=(), limit=10)


async def test_the_rows_keep_people_apart_when_the_vectors_do_not(
    house: Storage, vectors: Vectors, caplog: pytest.LogCaptureFixture
) -> None:
    memories = memories_of(house, Leaky(vectors, (MINA, JUN)))  # type: ignore[arg-type]
    await tell(house, MINA, "미나의 고양이")
    await tell(house, JUN, "준의 고양이")
    await memories.drain()

    assert await recalled(memories, MINA, "고양이") == ["미나의 고양이"]
    assert await recalled(memories, JUN, "고양이") == ["준의 고양이"]
    assert "cannot be read" not in caplog.text  # another's row is not even fetched


PEOPLE = (MINA, JUN, GUEST)
_STEPS = st.lists(
    st.tuples(
        st.sampled_from(range(len(PEOPLE))),
        st.sampled_from(["tell", "tell", "tell", "undo", "forbid", "allow", "end", "drain", "recall"]),
        st.sampled_from(["고양이", "강아지", "면접", "시험"]),
    ),
    max_size=25,
)


@pytest.mark.parametrize("is_leaky", [False, True], ids=["filtered", "filter removed"])
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(steps=_STEPS)
async def test_nobody_ever_recalls_what_is_anothers(
    tmp_path_factory: pytest.TempPathFactory,
    request: pytest.FixtureRequest,
    caplog: pytest.LogCaptureFixture,
    steps: Sequence[tuple[int, str, str]],
    *,
    is_leaky: bool,
) -> None:
    folder = tmp_path_factory.mktemp("interleaved")
    place = Place(f"sqlite:///{folder / 'rows.sqlite3'}", f"sqlite:///{folder / 'keys.sqlite3'}")
    async with opened(place) as house:
        for talker in PEOPLE:
            await house.people.consent(talker.account, talker.person, yes())
        edge = await EdgeVectors.open(folder / "vectors", dense_size=None)
        memories = memories_of(house, Leaky(edge, PEOPLE) if is_leaky else edge)  # type: ignore[arg-type]
        for number, (who, what, word) in enumerate(steps):
            await _step(house, memories, PEOPLE[who], what, f"{PEOPLE[who].user_id} {word} {number}")
        await memories.drain()
        for talker in PEOPLE:
            found = await recalled(memories, talker, "고양이 강아지 면접 시험")
            assert all(text.startswith(talker.user_id) for text in found)
            assert bool(found) or not await edge.count(talker.user_id)
        assert "cannot be read" not in caplog.text
        await edge.close()


async def _step(house: Storage, memories: SqlMemories, talker: Talker, what: str, text: str) -> None:
    match what:
        case "tell":
            await tell(house, talker, text)
        case "undo":
            await house.counsels.undo(talker.user_id, at=NOON)
        case "forbid":
            await house.people.consent(talker.account, talker.person, yes(Scope.STORAGE))
        case "allow":
            await house.people.consent(talker.account, talker.person, yes())
        case "end":
            await house.counsels.end(talker.user_id, at=NOON)
        case "drain":
            await memories.drain()
        case "recall":
            found = await recalled(memories, talker, text)
            assert all(each.startswith(talker.user_id) for each in found)
