"""How turns become memories, and how these follow what is true of the rows."""

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import update

from bot.conversation.model import READ_AT_MOST, Scope, TurnId, UserId
from bot.conversation.ports import NoMemory
from storage.memories import Patience, SqlMemories
from storage.tables import dialog
from storage.vectors import Embedding, Point, Vectors, VectorsUnreachable
from storage.vectors_edge import EdgeVectors
from storage.vectors_server import ServerVectors
from tests.fakes import HashingEncoder
from tests.qdrant_server import QdrantServer, qdrant_server
from tests.storage.conftest import Place, Storage, opened
from tests.storage.examples import FRIEND, GUEST, JUN, MINA, NOON, Talker, an_answer, yes

NOTHING = "네"


class Words:
    """Fulfils `Embedder`: a text is found by its words, unless it says nothing."""

    def document(self, question: str, text: str, *, before: str) -> Mapping[str, float]:
        return Counter(question.split() + text.split()) if text != NOTHING else {}

    def query(self, text: str) -> Mapping[str, float]:
        return Counter(text.split()) if text != NOTHING else {}


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
        message = talker.says(text, message_id=f"{text[:40]} {len(ids)}", at=NOON)
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


# What is found by its meaning.

CAT, INTERVIEW = "고양이가 많이 아파요", "내일 면접을 보러 가요"
ABOUT_A_CAT = "저희 고양이도 아파해요"
"""Shares no word with what was said, and letters with one thing."""


class Attentive(Leaky):
    """`Vectors` that keep what they were handed."""

    def __init__(self, vectors: Vectors) -> None:
        super().__init__(vectors, ())
        self.points: dict[TurnId, Point] = {}

    async def upsert(self, points: Sequence[Point]) -> None:
        self.points |= {point.turn_id: point for point in points}
        await self._vectors.upsert(points)

    def meaning_of(self, turn_id: TurnId) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        dense = self.points[turn_id].embedding.dense
        assert dense
        return np.array(dense)


@dataclass(slots=True)
class Meaningful:
    """Memories with an encoder over a folder, and how often they had to do without it."""

    memories: SqlMemories
    encoder: HashingEncoder
    vectors: Vectors
    failures: list[None]


@pytest.fixture
def encoder() -> HashingEncoder:
    return HashingEncoder()


Meaning = Callable[..., Awaitable[Meaningful]]


@pytest.fixture
async def meaning(house: Storage, tmp_path: Path) -> AsyncIterator[Meaning]:
    """Opens memories with an encoder, at a patience, over a folder or over the vectors that are given."""
    async with AsyncExitStack() as stack:

        async def open_(
            encoder: HashingEncoder,
            patience: Patience = Patience(),  # noqa: B008 - a value
            vectors: Vectors | None = None,
        ) -> Meaningful:
            if vectors is None:
                vectors = await EdgeVectors.open(tmp_path / "meanings", dense_size=encoder.size, encoder=encoder.name)
                stack.push_async_callback(vectors.close)
            failures: list[None] = []
            memories = SqlMemories(
                database=house.rows,
                keys=house.keys,
                vectors=vectors,
                embedder=Words(),
                encoder=encoder,
                patience=patience,
                on_no_encoding=lambda: failures.append(None),
            )
            return Meaningful(memories, encoder, vectors, failures)

        yield open_


async def test_what_the_words_miss_is_found_by_its_meaning(
    house: Storage, memories: SqlMemories, meaning: Meaning, encoder: HashingEncoder
) -> None:
    await tell(house, MINA, CAT, INTERVIEW)
    await memories.drain()
    assert await recalled(memories, MINA, ABOUT_A_CAT) == []

    meaningful = await meaning(encoder)
    await meaningful.memories.rebuild()
    await meaningful.memories.drain()

    assert await recalled(meaningful.memories, MINA, ABOUT_A_CAT) == [CAT]
    assert meaningful.failures == []


async def test_the_turns_of_a_batch_are_encoded_in_one_call_by_their_own_words(
    house: Storage, meaning: Meaning, encoder: HashingEncoder
) -> None:
    memories = (await meaning(encoder)).memories
    long = "가나다라" * READ_AT_MOST
    await tell(house, MINA, CAT, NOTHING, long, reply="그랬군요. 고양이는 몇 살인가요?")
    await tell(house, JUN, INTERVIEW)

    await memories.drain()

    [texts] = encoder.asked
    shortened, *whole = sorted(texts)
    assert whole == [CAT, INTERVIEW]
    assert len(shortened) < READ_AT_MOST + 10


async def test_words_that_say_nothing_bring_nothing_back(
    house: Storage, meaning: Meaning, encoder: HashingEncoder
) -> None:
    memories = (await meaning(encoder)).memories
    await tell(house, MINA, NOTHING, NOTHING * 3)
    await memories.drain()

    assert await recalled(memories, MINA, NOTHING * 2) == [NOTHING * 3]
    assert await recalled(memories, MINA, NOTHING) == []


async def test_a_recall_goes_on_by_words_when_the_encoder_is_gone(
    house: Storage, meaning: Meaning, encoder: HashingEncoder, caplog: pytest.LogCaptureFixture
) -> None:
    meaningful = await meaning(encoder)
    await tell(house, MINA, CAT)
    await meaningful.memories.drain()
    encoder.is_gone = True

    assert await recalled(meaningful.memories, MINA, "고양이가 보고 싶어요") == [CAT]

    assert len(meaningful.failures) == 1
    [record] = caplog.records
    assert record.getMessage() == "remembered or recalled by words alone: the encoder is away; start it"


async def test_a_recall_goes_on_by_words_when_the_encoder_is_slow_and_asks_it_again_the_next_time(
    house: Storage, meaning: Meaning, encoder: HashingEncoder, caplog: pytest.LogCaptureFixture
) -> None:
    meaningful = await meaning(encoder, Patience(query_s=0.01))
    await tell(house, MINA, CAT)
    await meaningful.memories.drain()
    encoder.is_silent = True
    assert await recalled(meaningful.memories, MINA, "고양이가 보고 싶어요") == [CAT]
    assert len(meaningful.failures) == 1
    assert "said nothing within 0.01 s" in caplog.text
    assert "고양이" not in caplog.text

    encoder.is_silent = False
    patient = await meaning(encoder, vectors=meaningful.vectors)
    assert await recalled(patient.memories, MINA, ABOUT_A_CAT) == [CAT]


async def test_a_slow_encoder_is_asked_for_every_message(
    house: Storage, meaning: Meaning, encoder: HashingEncoder
) -> None:
    meaningful = await meaning(encoder, Patience(query_s=0.01))
    encoder.is_silent = True

    await recalled(meaningful.memories, MINA, CAT)
    await recalled(meaningful.memories, MINA, CAT)

    assert len(encoder.asked) == len(meaningful.failures) == 2


async def test_a_gone_encoder_is_let_alone_for_a_while(
    house: Storage, meaning: Meaning, encoder: HashingEncoder
) -> None:
    meaningful = await meaning(encoder)
    encoder.is_gone = True
    await tell(house, MINA, CAT, INTERVIEW)

    for _ in range(20):
        assert await meaningful.memories.drain()
        await recalled(meaningful.memories, MINA, CAT)

    assert len(encoder.asked) == 1
    assert len(meaningful.failures) == 21


@pytest.mark.parametrize("fault", ["is_gone", "is_silent"])
async def test_what_is_said_while_the_encoder_is_away_is_found_by_words_and_later_by_meaning(
    house: Storage, meaning: Meaning, encoder: HashingEncoder, fault: str
) -> None:
    meaningful = await meaning(encoder, Patience(batch_s=0.01, rest_s=0.0))
    setattr(encoder, fault, True)
    await tell(house, MINA, CAT, INTERVIEW)
    assert await meaningful.memories.drain(batches=1)
    assert (await meaningful.memories.waiting(), await meaningful.memories.unencoded()) == (0, 2)
    assert await meaningful.vectors.count() == 2

    setattr(encoder, fault, False)
    assert await recalled(meaningful.memories, MINA, "고양이가 보고 싶어요") == [CAT]
    assert await recalled(meaningful.memories, MINA, ABOUT_A_CAT) == []
    patient = (await meaning(encoder, vectors=meaningful.vectors)).memories
    await patient.drain()

    assert (await patient.waiting(), await patient.unencoded()) == (0, 0)
    assert await recalled(patient, MINA, ABOUT_A_CAT) == [CAT]
    assert await patient.is_complete()
    asked = len(encoder.asked)
    await patient.drain()
    assert len(encoder.asked) == asked


async def test_however_many_wait_for_the_encoder_new_turns_are_found_by_words(
    house: Storage, meaning: Meaning, encoder: HashingEncoder
) -> None:
    meaningful = await meaning(encoder)
    encoder.is_gone = True
    await tell(house, MINA, *(f"강아지 {number}" for number in range(150)))
    while not await meaningful.memories.drain():
        pass
    assert (await meaningful.memories.waiting(), await meaningful.memories.unencoded()) == (0, 150)

    await tell(house, MINA, CAT)
    await meaningful.memories.drain(batches=1)

    assert await recalled(meaningful.memories, MINA, "고양이가") == [CAT]


class Weary(HashingEncoder):
    """An encoder that does not come to an end with more than 8 texts in any time, and is gone after so many calls."""

    def __init__(self, *, calls: int) -> None:
        super().__init__()
        self._calls = calls

    async def encode(self, texts: Sequence[str]) -> Sequence[tuple[float, ...]]:
        self.is_silent, self.is_gone = len(texts) > 8, len(self.asked) >= self._calls
        return await super().encode(texts)


@pytest.mark.parametrize(("calls", "left"), [(3, 0), (2, 4)], ids=["stays", "goes midway"])
async def test_what_a_slow_encoder_has_done_is_kept(house: Storage, meaning: Meaning, calls: int, left: int) -> None:
    meaningful = await meaning(Weary(calls=calls), Patience(batch_s=0.2))
    await tell(house, MINA, *(f"강아지 {number}" for number in range(20)))

    while not await meaningful.memories.drain():
        pass

    assert (await meaningful.memories.waiting(), await meaningful.memories.unencoded()) == (0, left)
    assert await meaningful.vectors.count() == 20


async def test_a_turn_that_was_undone_while_it_waited_for_the_encoder_is_not_encoded(
    house: Storage, meaning: Meaning, encoder: HashingEncoder
) -> None:
    away = await meaning(encoder)
    encoder.is_gone = True
    await tell(house, MINA, INTERVIEW, CAT)
    await away.memories.drain()
    await house.counsels.undo(MINA.user_id, at=NOON)
    encoder.is_gone = False

    back = await meaning(encoder, vectors=away.vectors)
    await back.memories.drain()

    assert encoder.asked[-1] == [INTERVIEW]
    assert (await back.memories.unencoded(), await back.vectors.count()) == (0, 1)


async def test_a_guest_who_is_erased_while_their_turns_wait_for_the_encoder_leaves_nothing(
    house: Storage, meaning: Meaning, encoder: HashingEncoder
) -> None:
    meaningful = await meaning(encoder)
    encoder.is_gone = True
    await tell(house, GUEST, CAT)
    await meaningful.memories.drain()

    await house.counsels.expire(guests_before=NOON + timedelta(days=1), turns_before=None, at=NOON)
    await meaningful.memories.drain()

    assert (await meaningful.memories.unencoded(), await meaningful.vectors.count()) == (0, 0)


async def test_what_waits_for_the_encoder_is_left_to_a_process_that_has_it(
    house: Storage, meaning: Meaning, encoder: HashingEncoder
) -> None:
    encoder.is_gone = True
    await tell(house, MINA, CAT)
    away = await meaning(encoder)
    await away.memories.drain()
    encoder.is_gone = False

    without = memories_of(house, away.vectors)
    assert await without.drain()
    assert await without.unencoded() == 1
    assert await recalled(without, MINA, "고양이가") == [CAT]

    back = (await meaning(encoder, vectors=away.vectors)).memories
    await back.drain()
    assert await back.unencoded() == 0
    assert await recalled(back, MINA, ABOUT_A_CAT) == [CAT]


async def test_a_rebuild_without_an_encoder_waits_for_none(
    house: Storage, memories: SqlMemories, meaning: Meaning, encoder: HashingEncoder
) -> None:
    encoder.is_gone = True
    await tell(house, MINA, CAT)
    await (await meaning(encoder)).memories.drain()

    await memories.rebuild()
    await memories.drain()

    assert (await memories.waiting(), await memories.unencoded()) == (0, 0)
    assert await memories.is_complete()


class Answering(HashingEncoder):
    """An encoder that answers what it is told to."""

    def __init__(self, *answers: tuple[float, ...]) -> None:
        super().__init__()
        self.answers = answers

    async def encode(self, texts: Sequence[str]) -> Sequence[tuple[float, ...]]:
        return self.answers


@pytest.mark.parametrize("answers", [[(1.0, 0.0)], [], [(0.5,) * 32] * 2], ids=["another size", "none", "too many"])
async def test_an_encoder_that_serves_another_model_counts_as_gone(
    house: Storage, meaning: Meaning, caplog: pytest.LogCaptureFixture, answers: list[tuple[float, ...]]
) -> None:
    meaningful = await meaning(Answering(*answers))
    await tell(house, MINA, CAT)

    await meaningful.memories.drain()

    assert await recalled(meaningful.memories, MINA, "고양이가") == [CAT]
    assert await meaningful.memories.unencoded() == 1
    assert "see that it serves this model" in caplog.text


@pytest.mark.parametrize("answer", [(), (0.0,) * 32, (float("nan"),) * 32], ids=["none", "zero", "not a number"])
async def test_a_text_that_has_no_meaning_is_kept_by_its_words(
    house: Storage, meaning: Meaning, answer: tuple[float, ...]
) -> None:
    meaningful = await meaning(Answering(answer))
    await tell(house, MINA, CAT)

    await meaningful.memories.drain()

    assert await recalled(meaningful.memories, MINA, "고양이가") == [CAT]
    assert await meaningful.memories.unencoded() == 0


async def test_meanings_of_one_person_are_comparable_and_those_of_two_are_not(house: Storage, meaning: Meaning) -> None:
    encoder = HashingEncoder(size=768)
    meaningful = await meaning(encoder)
    vectors = Attentive(meaningful.vectors)
    memories = (await meaning(encoder, vectors=vectors)).memories
    a, b = await tell(house, MINA, CAT, ABOUT_A_CAT)
    (c,) = await tell(house, JUN, CAT)

    await memories.drain()

    plain = np.array(await encoder.encode([CAT, ABOUT_A_CAT]))
    hers, hers_too, his = (vectors.meaning_of(turn_id) for turn_id in (a, b, c))
    assert hers @ hers_too == pytest.approx(plain[0] @ plain[1], abs=1e-5)
    assert hers @ hers_too > 0.2
    assert abs(hers @ his) < 0.3  # chance deviates by .036
    assert abs(hers @ plain[0]) < 0.3


class Interrupted(HashingEncoder):
    """An encoder during whose work something else happens."""

    def __init__(self, meanwhile: Callable[[], Awaitable[object]]) -> None:
        super().__init__()
        self._meanwhile = meanwhile

    async def encode(self, texts: Sequence[str]) -> Sequence[tuple[float, ...]]:
        await self._meanwhile()
        return await super().encode(texts)


@pytest.mark.parametrize("erasure", ["undo", "forbid", "expire"])
async def test_what_another_process_deletes_while_it_is_encoded_is_not_put_back(
    house: Storage, meaning: Meaning, encoder: HashingEncoder, erasure: str
) -> None:
    other = await meaning(encoder)

    async def meanwhile() -> None:
        await ERASURES[erasure](house)
        await other.memories.drain()

    await tell(house, GUEST, CAT)
    await (await meaning(Interrupted(meanwhile), vectors=other.vectors)).memories.drain()

    assert await other.vectors.count() == 0
    assert await other.memories.waiting() == await other.memories.unencoded() == 0


async def undo(house: Storage) -> None:
    await house.counsels.undo(GUEST.user_id, at=NOON)


async def forbid(house: Storage) -> None:
    await house.people.consent(GUEST.account, GUEST.person, yes(Scope.STORAGE))


async def expire(house: Storage) -> None:
    await house.counsels.expire(guests_before=NOON + timedelta(days=1), turns_before=None, at=NOON)


async def expire_turns(house: Storage) -> None:
    await house.counsels.expire(guests_before=NOON - timedelta(days=1), turns_before=NOON + timedelta(days=1), at=NOON)


ERASURES: dict[str, Callable[[Storage], Awaitable[None]]] = {
    "undo": undo,
    "forbid": forbid,
    "expire": expire,
    "expire turns": expire_turns,
}


# When an encoder is exchanged for another, on a server.


@dataclass(slots=True)
class Change:
    """The memories of processes with the old encoder and with the new one, which share rows and a server."""

    old: Meaningful
    new: Meaningful
    server: QdrantServer
    old_vectors: ServerVectors
    new_vectors: ServerVectors


@pytest.fixture
async def change(house: Storage, meaning: Meaning, tmp_path: Path) -> AsyncIterator[Change]:
    (tmp_path / "server").mkdir()
    async with qdrant_server(tmp_path / "server") as server, AsyncExitStack() as stack:
        both: list[tuple[Meaningful, ServerVectors]] = []
        for name in "old/encoder", "new/encoder":
            encoder = HashingEncoder(name)
            vectors = ServerVectors(server.url, dense_size=encoder.size, encoder=name)
            stack.push_async_callback(vectors.close)
            both.append((await meaning(encoder, vectors=vectors), vectors))
        (old, old_vectors), (new, new_vectors) = both
        yield Change(old, new, server, old_vectors, new_vectors)


async def test_a_new_encoder_s_vectors_are_made_from_the_rows_and_the_old_ones_serve_on(
    house: Storage, change: Change
) -> None:
    await tell(house, MINA, CAT, INTERVIEW)
    await change.old.memories.drain()

    assert not await change.new.memories.is_complete()
    await change.new.memories.rebuild()
    await change.new.memories.drain()

    assert await change.new.memories.is_complete()
    assert await recalled(change.new.memories, MINA, ABOUT_A_CAT) == [CAT]
    assert await recalled(change.old.memories, MINA, ABOUT_A_CAT) == [CAT]
    assert len(change.server.collections()) == 2


@pytest.mark.parametrize("erasure", ERASURES)
@pytest.mark.parametrize("by", ["old", "new"])
async def test_whichever_process_erases_nothing_is_left_with_either_encoder(
    house: Storage, change: Change, erasure: str, by: str
) -> None:
    await tell(house, GUEST, CAT)
    (kept,) = await tell(house, MINA, INTERVIEW) if erasure != "expire turns" else (None,)
    await change.old.memories.drain()
    await change.new.memories.rebuild()
    await change.new.memories.drain()
    assert await change.old_vectors.count(GUEST.user_id) == await change.new_vectors.count(GUEST.user_id) == 1

    await ERASURES[erasure](house)
    await (change.old if by == "old" else change.new).memories.drain()

    for vectors in change.old_vectors, change.new_vectors:
        assert await vectors.count(GUEST.user_id) == 0
        assert await vectors.count() == (1 if kept else 0)


async def test_an_erasure_that_still_waits_reaches_the_old_vectors_when_the_encoder_is_changed_meanwhile(
    house: Storage, change: Change
) -> None:
    await tell(house, GUEST, CAT)
    await tell(house, MINA, CAT, INTERVIEW)
    await change.old.memories.drain()
    await expire(house)
    await house.counsels.undo(MINA.user_id, at=NOON)

    await change.new.memories.rebuild()
    await change.new.memories.drain()

    assert await change.old_vectors.count(GUEST.user_id) == 0
    assert await change.old_vectors.count() == await change.new_vectors.count() == 1


async def test_an_erasure_waits_until_every_place_is_reached(house: Storage, change: Change) -> None:
    await tell(house, GUEST, CAT)
    await change.old.memories.drain()
    await change.new.memories.rebuild()
    await change.new.memories.drain()
    await expire(house)

    change.server.fault = 503
    with pytest.raises(VectorsUnreachable):
        await change.new.memories.drain()
    assert await change.new.memories.waiting() == 1

    change.server.fault = None
    await change.new.memories.drain()
    assert await change.old_vectors.count() == await change.new_vectors.count() == 0


async def test_pruning_leaves_the_new_encoder_s_vectors_only(house: Storage, change: Change) -> None:
    await tell(house, MINA, CAT)
    await change.old.memories.drain()
    await change.new.memories.rebuild()
    await change.new.memories.drain()

    [gone] = await change.new_vectors.prune()

    assert gone not in change.server.collections()
    assert await recalled(change.new.memories, MINA, ABOUT_A_CAT) == [CAT]
    assert await change.new_vectors.prune() == []
