"""What every implementer of `Vectors` promises."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from itertools import count
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from qdrant_client import AsyncQdrantClient

from bot.conversation.model import EmotionLabel, TurnId, UserId
from storage.vectors import FUSION, Embedding, Fusion, Point, Vectors
from storage.vectors_edge import EdgeVectors
from tests.qdrant_server import connected, qdrant_server, real_qdrant
from tests.storage.examples import JUN, MINA, NOON

Open = Callable[..., Awaitable[Vectors]]

EVERYDAY, WORK, CAT = 11, 22, 33
"""Words, as their HMACs."""


@pytest.fixture(params=["edge", "server", "real_server"])
async def open_vectors(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Open]:
    """Opens empty vectors of a dense size, or of none, with a fusion."""
    async with AsyncExitStack() as stack:

        async def open_(dense_size: int | None, fusion: Fusion = FUSION) -> Vectors:
            vectors: Vectors
            if request.param == "edge":
                vectors = await EdgeVectors.open(tmp_path / "vectors", dense_size=dense_size, fusion=fusion)
            elif request.param == "server":
                server = await stack.enter_async_context(qdrant_server(tmp_path))
                vectors = await connected(server.url, dense_size=dense_size, fusion=fusion)
            else:
                url, name = real_qdrant(), f"mentos_test_{uuid.uuid4().hex}"
                vectors = await connected(url, dense_size=dense_size, fusion=fusion, collection=name)
                stack.push_async_callback(_drop, url, f"{name}_{dense_size or 'sparse'}")
            stack.push_async_callback(vectors.close)
            return vectors

        yield open_


async def _drop(url: str, collection: str) -> None:
    client = AsyncQdrantClient(url=url, check_compatibility=False)
    await client.delete_collection(collection)
    await client.close()


@pytest.fixture
async def vectors(open_vectors: Open) -> Vectors:
    return await open_vectors(None)


def about(*words: int, dense: tuple[float, ...] | None = None) -> Embedding:
    return Embedding(dict.fromkeys(words, 1.0), dense)


def point(turn_id: int, *words: int, of: UserId = MINA.user_id, dense: tuple[float, ...] | None = None) -> Point:
    return Point(TurnId(turn_id), of, NOON, EmotionLabel.ANXIOUS, about(*words, dense=dense))


async def found(
    vectors: Vectors, query: Embedding, *, of: UserId = MINA.user_id, without: Sequence[int] = (), limit: int = 100
) -> list[int]:
    return list(await vectors.search(of, query, without=[TurnId(each) for each in without], limit=limit))


async def test_what_was_put_is_found_by_each_of_its_words(vectors: Vectors) -> None:
    await vectors.upsert([point(1, WORK, EVERYDAY), point(2, CAT)])

    assert await found(vectors, about(WORK)) == [1]
    assert await found(vectors, about(EVERYDAY)) == [1]
    assert await found(vectors, about(CAT)) == [2]
    assert await found(vectors, about(404)) == []


async def test_more_shared_words_are_fitter(vectors: Vectors) -> None:
    await vectors.upsert([point(1, WORK), point(2, WORK, CAT, EVERYDAY), point(3, WORK, CAT)])

    assert await found(vectors, about(WORK, CAT, EVERYDAY)) == [2, 3, 1]


async def test_a_heavier_word_is_fitter(vectors: Vectors) -> None:
    await vectors.upsert([point(1, WORK), point(2, CAT)])

    assert await found(vectors, Embedding({WORK: 1.0, CAT: 2.0})) == [2, 1]
    assert await found(vectors, Embedding({WORK: 2.0, CAT: 1.0})) == [1, 2]


async def test_a_rare_word_counts_more_than_a_common_one(vectors: Vectors) -> None:
    await vectors.upsert([*(point(each, EVERYDAY) for each in range(1, 9)), point(9, CAT)])

    assert (await found(vectors, about(EVERYDAY, CAT)))[0] == 9


async def test_how_rare_a_word_is_depends_on_nobody_else(vectors: Vectors) -> None:
    hers = [point(1, CAT), point(2, WORK), point(3, WORK), point(4, WORK)]
    await vectors.upsert(hers)
    alone = await found(vectors, about(CAT, WORK))
    assert alone[0] == 1

    await vectors.upsert([point(each, CAT, of=JUN.user_id) for each in range(100, 200)])

    assert await found(vectors, about(CAT, WORK)) == alone


async def test_what_is_excluded_is_not_found(vectors: Vectors) -> None:
    await vectors.upsert([point(each, WORK) for each in range(1, 6)])

    assert set(await found(vectors, about(WORK), without=[2, 4, 404])) == {1, 3, 5}


async def test_no_more_are_returned_than_asked_for(vectors: Vectors) -> None:
    await vectors.upsert([point(each, WORK) for each in range(1, 200)])

    assert len(await found(vectors, about(WORK), limit=3)) == 3
    assert len(await found(vectors, about(WORK), limit=150)) == 150


async def test_the_excluded_do_not_take_the_place_of_others(vectors: Vectors) -> None:
    await vectors.upsert([point(each, WORK) for each in range(1, 200)])

    assert len(await found(vectors, about(WORK), without=range(1, 190), limit=9)) == 9


async def test_deleted_turns_are_gone_and_the_others_stay(vectors: Vectors) -> None:
    await vectors.upsert([point(1, WORK), point(2, WORK), point(3, WORK)])

    await vectors.delete(MINA.user_id, {TurnId(1), TurnId(3), TurnId(404)})
    await vectors.delete(MINA.user_id, ())

    assert await found(vectors, about(WORK)) == [2]


async def test_nobody_deletes_the_turns_of_another(vectors: Vectors) -> None:
    await vectors.upsert([point(1, WORK)])

    await vectors.delete(JUN.user_id, {TurnId(1)})

    assert await found(vectors, about(WORK)) == [1]


async def test_a_forgotten_person_is_gone_and_the_others_stay(vectors: Vectors) -> None:
    await vectors.upsert([point(1, WORK), point(2, CAT), point(3, WORK, of=JUN.user_id)])

    await vectors.forget(MINA.user_id)

    assert await found(vectors, about(WORK, CAT)) == []
    assert await found(vectors, about(WORK), of=JUN.user_id) == [3]
    assert (await vectors.count(MINA.user_id), await vectors.count(JUN.user_id), await vectors.count()) == (0, 1, 1)


async def test_putting_a_turn_again_replaces_it(vectors: Vectors) -> None:
    await vectors.upsert([point(1, WORK), point(2, WORK)])
    await vectors.upsert([point(1, WORK), point(2, WORK)])
    assert await vectors.count(MINA.user_id) == 2

    await vectors.upsert([point(1, CAT)])

    assert await found(vectors, about(WORK)) == [2]
    assert await found(vectors, about(CAT)) == [1]


async def test_a_cleared_place_is_empty_and_can_be_filled_again(vectors: Vectors) -> None:
    await vectors.upsert([point(1, WORK), point(2, WORK, of=JUN.user_id)])

    await vectors.clear()

    assert await vectors.count() == 0
    assert await found(vectors, about(WORK)) == []
    await vectors.upsert([point(1, CAT)])
    assert await found(vectors, about(CAT)) == [1]


async def test_an_empty_query_finds_nothing(vectors: Vectors) -> None:
    await vectors.upsert([point(1, WORK), point(2)])

    assert await found(vectors, about()) == []


async def test_putting_nothing_changes_nothing(vectors: Vectors) -> None:
    await vectors.upsert([])

    assert await vectors.count() == 0


async def test_a_turn_without_a_word_is_kept_though_no_word_finds_it(vectors: Vectors) -> None:
    await vectors.upsert([point(1), point(2, WORK)])

    assert await vectors.count(MINA.user_id) == 2
    assert await found(vectors, about(WORK)) == [2]


async def test_ten_thousand_words_find_what_shares_one(vectors: Vectors) -> None:
    await vectors.upsert([point(1, WORK), point(2, CAT), point(3, *range(1_000, 11_000))])

    assert await found(vectors, about(WORK, *range(100_000, 110_000))) == [1]
    assert (await found(vectors, about(*range(1_000, 11_000))))[0] == 3


@pytest.mark.parametrize("turn_id", [0, 1, 2**63, 2**64 - 1])
@pytest.mark.parametrize("word", [0, 2**31, 2**32 - 1])
async def test_ids_and_words_reach_to_the_edges(vectors: Vectors, turn_id: int, word: int) -> None:
    await vectors.upsert([point(turn_id, word), point(77, CAT)])

    assert await found(vectors, about(word)) == [turn_id]
    assert await found(vectors, about(word), without=[turn_id]) == []
    await vectors.delete(MINA.user_id, {TurnId(turn_id)})
    assert await found(vectors, about(word)) == []


async def test_twenty_search_at_once_and_each_finds_their_own(vectors: Vectors) -> None:
    people = [UserId(f"person-{each}") for each in range(20)]
    await vectors.upsert([point(each, WORK, each + 100, of=person) for each, person in enumerate(people)])

    answers = await asyncio.gather(*(found(vectors, about(WORK), of=person) for person in people))

    assert answers == [[each] for each in range(20)]


async def test_a_flush_changes_nothing(vectors: Vectors) -> None:
    await vectors.upsert([point(1, WORK)])

    await vectors.flush()

    assert await found(vectors, about(WORK)) == [1]


async def test_meaning_is_found_where_no_word_is_shared(open_vectors: Open) -> None:
    vectors = await open_vectors(3)
    await vectors.upsert([point(1, WORK, dense=(1.0, 0.0, 0.0)), point(2, CAT, dense=(0.0, 1.0, 0.0)), point(3, WORK)])

    assert (await found(vectors, about(dense=(0.1, 0.9, 0.0))))[0] == 2
    assert (await found(vectors, about(404, dense=(0.9, 0.1, 0.0))))[0] == 1


async def test_where_more_words_are_shared_meaning_still_decides(open_vectors: Open) -> None:
    vectors = await open_vectors(3)
    here, near, aside, away = (1.0, 0.0, 0.0), (1.0, 0.2, 0.0), (0.0, 1.0, 0.0), (-1.0, 0.0, 0.0)
    more_words, fitting = 1, 2
    await vectors.upsert(
        [
            point(more_words, WORK, CAT, dense=away),
            point(fitting, WORK, dense=near),
            *(point(each, 404, dense=aside) for each in range(10, 20)),
        ]
    )

    assert (await found(vectors, about(WORK, CAT)))[0] == more_words
    assert (await found(vectors, about(WORK, CAT, dense=here)))[0] == fitting


async def test_a_shared_word_counts_for_more_than_meaning_alone(open_vectors: Open) -> None:
    vectors = await open_vectors(3)
    here, away = (1.0, 0.0, 0.0), (-1.0, 0.0, 0.0)
    await vectors.upsert([point(1, 404, dense=here), point(2, WORK, dense=away)])

    assert await found(vectors, about(WORK, dense=here)) == [2, 1]


async def test_the_meaning_of_another_is_never_found(open_vectors: Open) -> None:
    vectors = await open_vectors(3)
    same = (1.0, 0.0, 0.0)
    await vectors.upsert([point(1, WORK, dense=same), point(2, WORK, dense=same, of=JUN.user_id)])

    assert await found(vectors, about(WORK, dense=same)) == [1]
    assert await found(vectors, about(dense=same), without=[1]) == []


async def test_how_much_meaning_counts_beside_words_can_be_chosen(open_vectors: Open) -> None:
    vectors = await open_vectors(3, Fusion(sparse_weight=0.3, dense_weight=1.0, least_cosine=0.0))
    here, away = (1.0, 0.0, 0.0), (-1.0, 0.0, 0.0)
    await vectors.upsert([point(1, 404, dense=here), point(2, WORK, dense=away)])

    assert (await found(vectors, about(WORK, dense=here)))[0] == 1


async def test_what_is_too_far_in_meaning_is_not_found_by_it(open_vectors: Open) -> None:
    vectors = await open_vectors(3, Fusion(least_cosine=0.5))
    await vectors.upsert(
        [
            point(1, WORK, dense=(1.0, 0.2, 0.0)),
            point(2, WORK, dense=(0.2, 1.0, 0.0)),
            point(3, CAT, dense=(0.0, 0.0, 1.0)),
        ]
    )

    assert await found(vectors, about(404, dense=(1.0, 0.0, 0.0))) == [1]
    assert await found(vectors, about(CAT, dense=(1.0, 0.0, 0.0))) == [3, 1]


async def test_a_turn_whose_meaning_comes_later_is_replaced_and_not_doubled(open_vectors: Open) -> None:
    vectors = await open_vectors(3)
    await vectors.upsert([point(1, WORK), point(2, CAT, dense=(0.0, 1.0, 0.0))])
    await vectors.upsert([point(1, WORK, dense=(1.0, 0.0, 0.0))])

    assert (await found(vectors, about(404, dense=(1.0, 0.0, 0.0))))[0] == 1
    assert await vectors.count() == 2


async def test_a_forgotten_person_is_found_by_meaning_no_more(open_vectors: Open) -> None:
    vectors = await open_vectors(3)
    same = (1.0, 0.0, 0.0)
    await vectors.upsert(
        [point(1, WORK, dense=same), point(2, WORK, dense=same), point(3, WORK, dense=same, of=JUN.user_id)]
    )

    await vectors.delete(MINA.user_id, {TurnId(1)})
    assert await found(vectors, about(dense=same)) == [2]
    await vectors.forget(MINA.user_id)

    assert await found(vectors, about(dense=same)) == []
    assert await found(vectors, about(dense=same), of=JUN.user_id) == [3]


async def test_pruning_leaves_what_is_searched(open_vectors: Open) -> None:
    vectors = await open_vectors(3)
    await vectors.upsert([point(1, WORK, dense=(1.0, 0.0, 0.0))])

    assert list(await vectors.prune()) == []

    assert await found(vectors, about(WORK)) == [1]


async def test_words_alone_are_enough_where_meaning_is_kept(open_vectors: Open) -> None:
    vectors = await open_vectors(3)
    await vectors.upsert([point(1, WORK, dense=(1.0, 0.0, 0.0)), point(2, CAT)])

    assert await found(vectors, about(CAT)) == [2]
    assert await found(vectors, about(WORK)) == [1]


@pytest.mark.parametrize("dense_size", [None, 3])
async def test_the_vector_of_another_encoder_is_refused(open_vectors: Open, dense_size: int | None) -> None:
    vectors = await open_vectors(dense_size)

    with pytest.raises(ValueError, match="size 2"):
        await vectors.upsert([point(1, WORK), point(2, WORK, dense=(1.0, 0.0))])
    with pytest.raises(ValueError, match="size 2"):
        await found(vectors, about(WORK, dense=(1.0, 0.0)))

    assert await vectors.count() == 0


WORDS = st.sets(st.integers(1, 5), min_size=1, max_size=3)
DEEDS = st.lists(
    st.one_of(
        st.tuples(st.just("upsert"), st.integers(0, 1), st.integers(0, 5), WORDS),
        st.tuples(st.just("delete"), st.integers(0, 1), st.integers(0, 5), WORDS),
        st.tuples(st.just("forget"), st.integers(0, 1), st.just(0), WORDS),
    ),
    max_size=25,
)
_numbers = count()


@given(deeds=DEEDS)
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_whatever_two_people_do_each_finds_exactly_their_own(
    vectors: Vectors, deeds: list[tuple[str, int, int, set[int]]]
) -> None:
    example = next(_numbers)
    people = [UserId(f"{example}-mina"), UserId(f"{example}-jun")]
    said: list[dict[int, set[int]]] = [{}, {}]
    for deed, who, number, words in deeds:
        turn_id = example * 100 + who * 10 + number
        if deed == "upsert":
            await vectors.upsert([point(turn_id, *words, of=people[who])])
            said[who][turn_id] = words
        elif deed == "delete":  # also asked for by the other, in vain
            await vectors.delete(people[1 - who], {TurnId(turn_id)})
            await vectors.delete(people[who], {TurnId(turn_id)})
            said[who].pop(turn_id, None)
        else:
            await vectors.forget(people[who])
            said[who].clear()

    for person, turns in zip(people, said, strict=True):
        for word in range(1, 6):
            expected = {turn_id for turn_id, words in turns.items() if word in words}
            assert set(await found(vectors, about(word), of=person)) == expected
        assert await vectors.count(person) == len(turns)
