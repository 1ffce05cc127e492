"""What is said to a Qdrant server over the wire, and what happens when it does not answer."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.conversation.model import EmotionLabel, TurnId
from storage.vectors import PLACES, Embedding, Point, VectorsUnreachable, place_of
from storage.vectors_server import ServerVectors
from tests.qdrant_server import QdrantServer, connected, qdrant_server
from tests.storage.examples import JUN, MINA, NOON

HERS = Embedding({7: 1.0, 8: 0.5}, (1.0, 0.0, 0.0))
POINT = Point(TurnId(1), MINA.user_id, NOON, EmotionLabel.SAD, HERS)


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[QdrantServer]:
    async with qdrant_server(tmp_path) as server:
        yield server


@pytest.fixture
async def vectors(server: QdrantServer) -> AsyncIterator[ServerVectors]:
    vectors = await connected(server.url, dense_size=3, timeout=1)
    yield vectors
    await vectors.close()


async def hers(vectors: ServerVectors) -> list[TurnId]:
    return list(await vectors.search(MINA.user_id, HERS, without=(), limit=5))


async def test_a_collection_is_made_once_and_named_after_its_layout(server: QdrantServer) -> None:
    first = await connected(server.url, dense_size=None)
    assert await first.count() == 0
    await first.upsert([Point(TurnId(1), MINA.user_id, NOON, EmotionLabel.SAD, Embedding({7: 1.0}))])
    await first.close()

    again = await connected(server.url, dense_size=None)
    assert await again.count() > 0
    assert await again.count() == 1
    await again.close()

    other = await connected(server.url, dense_size=768)
    assert await other.count() == 0
    await other.close()
    assert server.collections() == ["mentos_768", "mentos_sparse"]


NAMES = [
    "jhgan/ko-sroberta-multitask",
    "jhgan/ko_sroberta_multitask",
    "somebody/ko-sroberta-multitask",
    "jhgan/ko-sroberta-multitask@2",
    "JHGAN/KO-SROBERTA-MULTITASK",
    "한국어/문장",
    "x" * 300,
]


def test_no_two_encoders_share_a_place_and_each_name_is_fit_for_one() -> None:
    places = {place_of(name, size) for name in NAMES for size in (384, 768)} | {
        place_of(None, 768),
        place_of(None, None),
    }

    assert len(places) == 2 * len(NAMES) + 2
    assert all(re.fullmatch(PLACES, place) for place in places)
    assert all(re.fullmatch(r"[a-z0-9_-]{1,80}", place) for place in places)
    assert any(place.startswith("ko-sroberta-multitask-") for place in places)


async def test_what_is_deleted_is_deleted_from_every_encoder_s_collection(server: QdrantServer) -> None:
    places = [("one", 3), ("two", 3), (None, 3), (None, None)]
    everywhere = [await connected(server.url, dense_size=size, encoder=name) for name, size in places]
    for vectors, (_, size) in zip(everywhere, places, strict=True):
        embedding = Embedding({7: 1.0}, (1.0, 0.0, 0.0) if size else None)
        await vectors.upsert(
            [
                *(Point(TurnId(each), MINA.user_id, NOON, EmotionLabel.SAD, embedding) for each in (1, 2)),
                Point(TurnId(3), JUN.user_id, NOON, EmotionLabel.SAD, embedding),
            ]
        )

    await everywhere[0].delete(MINA.user_id, {TurnId(1)})
    assert [await vectors.count(MINA.user_id) for vectors in everywhere] == [1] * 4
    await everywhere[3].forget(MINA.user_id)

    assert [await vectors.count(MINA.user_id) for vectors in everywhere] == [0] * 4
    assert [await vectors.count(JUN.user_id) for vectors in everywhere] == [1] * 4
    for vectors in everywhere:
        await vectors.close()


async def test_pruning_removes_what_other_encoders_left_and_nothing_of_another_deployment(server: QdrantServer) -> None:
    others = ["mentos_staging", "mentoss"]
    theirs = [await connected(server.url, dense_size=size, collection=name) for name in others for size in (None, 768)]
    old = [await connected(server.url, dense_size=3, encoder=name) for name in ("one", None)]
    new = await connected(server.url, dense_size=3, encoder="two")
    foreign = {"mentos_staging_sparse", "mentos_staging_768", "mentoss_sparse", "mentoss_768"}

    gone = await new.prune()

    assert gone == ["mentos_3", f"mentos_{place_of('one', 3)}"]
    assert set(server.collections()) == {*foreign, f"mentos_{place_of('two', 3)}"}
    for vectors in (*theirs, *old, new):
        await vectors.close()


async def test_a_collection_that_is_pruned_during_a_deletion_is_no_longer_asked_for(server: QdrantServer) -> None:
    old = await connected(server.url, dense_size=3, encoder="one")
    new = await connected(server.url, dense_size=3, encoder="two")
    await new.upsert([POINT])

    outcomes = await asyncio.gather(new.forget(MINA.user_id), new.prune(), return_exceptions=True)
    await new.forget(MINA.user_id)

    assert {type(each) for each in outcomes} <= {type(None), list, VectorsUnreachable}
    assert await new.count() == 0
    for vectors in old, new:
        await vectors.close()


async def test_two_processes_that_start_at_once_share_the_collection(server: QdrantServer) -> None:
    both = await asyncio.gather(*(connected(server.url, dense_size=3) for _ in range(2)))

    await both[0].upsert([POINT])

    assert await hers(both[1]) == [1]
    for vectors in both:
        await vectors.close()


async def test_no_word_goes_over_the_wire(server: QdrantServer, vectors: ServerVectors) -> None:
    await vectors.upsert([POINT])

    ((_, path, body),) = [each for each in server.requests if "/points?" in each[1]]
    assert "wait=true" in path
    (sent,) = body["points"]
    assert sent == {
        "id": 1,
        "vector": {"sparse": {"indices": [7, 8], "values": [1.0, 0.5]}, "dense": [1.0, 0.0, 0.0]},
        "payload": {"user_id": MINA.user_id, "at": "2026-11-22T03:00:00.123456+00:00", "emotion": "슬픔(우울한)"},
    }


async def test_every_part_of_a_search_is_among_the_person_s_own(server: QdrantServer, vectors: ServerVectors) -> None:
    await vectors.search(MINA.user_id, HERS, without={TurnId(9)}, limit=5)

    _, _, asked = server.requests[-1]
    own = {"key": "user_id", "match": {"value": MINA.user_id}}
    words, meaning = asked["prefetch"]
    assert [own] == asked["filter"]["must"] == words["filter"]["must"] == meaning["filter"]["must"]
    assert words["params"] == {"idf": {"corpus": {"must": [own]}}}


@pytest.mark.parametrize("fault", [400, 403, 429, 500, 503, 599, "cut", "silent", "html"])
async def test_a_server_that_fails_is_unreachable_until_it_is_well(
    server: QdrantServer, vectors: ServerVectors, fault: int | str
) -> None:
    await vectors.upsert([POINT])
    server.fault = fault

    deeds = hers(vectors), vectors.upsert([POINT]), vectors.count(), vectors.forget(JUN.user_id)
    for failure in await asyncio.gather(*deeds, return_exceptions=True):
        assert isinstance(failure, VectorsUnreachable)
        assert "Cannot use the Qdrant server at 127.0.0.1:" in str(failure)
        assert MINA.user_id not in str(failure)
        assert failure.__cause__ is failure.__context__ is None

    server.fault = None
    assert await hers(vectors) == [1]


async def test_a_server_that_went_away_is_used_again_when_it_is_back(
    server: QdrantServer, vectors: ServerVectors
) -> None:
    await vectors.upsert([POINT])
    await server.stop()
    with pytest.raises(VectorsUnreachable, match="ConnectError"):
        await hers(vectors)

    await server.start()

    assert await hers(vectors) == [1]


async def test_a_recall_that_is_cut_off_in_the_middle_ends(server: QdrantServer, vectors: ServerVectors) -> None:
    server.fault = "silent"
    recalls = [asyncio.create_task(hers(vectors)) for _ in range(5)]
    await server.until(lambda: sum("/query" in path for _, path, _ in server.requests) == 5)

    await server.stop()

    outcomes = await asyncio.gather(*recalls, return_exceptions=True)
    assert [type(each) for each in outcomes] == [VectorsUnreachable] * 5


async def test_a_collection_that_somebody_removed_is_made_anew_by_the_next_use(
    server: QdrantServer, vectors: ServerVectors
) -> None:
    await vectors.upsert([POINT])
    somebody = await connected(server.url, dense_size=3)
    await somebody._client.delete_collection("mentos_3")
    await somebody.close()
    with pytest.raises(VectorsUnreachable, match="memory rebuild"):
        await vectors.upsert([POINT])

    await vectors.upsert([POINT])

    assert await vectors.count() == 1


async def test_a_server_that_was_away_at_first_is_used_once_it_is_there(server: QdrantServer) -> None:
    await server.stop()
    vectors = ServerVectors(server.url, dense_size=3, timeout=1)
    with pytest.raises(VectorsUnreachable):
        await vectors.count()

    await server.start()
    await vectors.upsert([POINT])

    assert await hers(vectors) == [1]
    await vectors.close()


async def test_a_wrong_key_is_said_and_the_right_one_opens(server: QdrantServer) -> None:
    server.api_key = "right"

    for key in None, "wrong":
        with pytest.raises(VectorsUnreachable, match="set the API key"):
            await open_with(key, server)

    vectors = await open_with("right", server)
    assert await vectors.count() == 0
    await vectors.close()


async def open_with(key: str | None, server: QdrantServer) -> ServerVectors:
    if key is None:
        return await connected(server.url, dense_size=3)
    with pytest.warns(UserWarning, match="insecure connection"):
        return await connected(server.url, dense_size=3, api_key=key)


async def test_a_server_that_cannot_weigh_words_for_one_person_is_refused(server: QdrantServer) -> None:
    server.version = "1.18.2"

    with pytest.raises(VectorsUnreachable, match=r"is version 1\.18\.2: install 1\.19 or newer"):
        await connected(server.url, dense_size=None)

    assert server.collections() == []


async def test_nobody_listening_is_said_with_the_place(server: QdrantServer) -> None:
    await server.stop()

    with pytest.raises(VectorsUnreachable, match=r"127\.0\.0\.1:\d+/mentos_sparse \(ConnectError\): see that"):
        await connected(server.url, dense_size=None)


@pytest.mark.parametrize("url", ["ftp://qdrant", "http://[qdrant", "http://qdrant:sixty"])
async def test_what_is_no_url_of_a_server_is_said(url: str) -> None:
    with pytest.raises(VectorsUnreachable, match="write http://host:6333"):
        await connected(url, dense_size=None)


async def test_a_password_in_the_url_is_not_shown(server: QdrantServer) -> None:
    await server.stop()

    with pytest.raises(VectorsUnreachable) as failure:
        await connected(server.url.replace("//", "//mina:hunter2@"), dense_size=None)

    assert "hunter2" not in json.dumps(str(failure.value))
