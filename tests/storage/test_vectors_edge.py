"""What a folder of vectors survives, and what it leaves behind."""

import asyncio
import json
import shutil
import struct
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
import qdrant_edge

from bot.conversation.model import EmotionLabel, TurnId, UserId
from storage import vectors_edge
from storage.vectors import Embedding, Point, VectorsUnreachable
from storage.vectors_edge import EdgeVectors
from tests.storage.examples import JUN, MINA, NOON

WORD = 7
HERS = Embedding({WORD: 1.0})


def points(numbers: Collection[int], *, of: UserId = MINA.user_id, embedding: Embedding = HERS) -> list[Point]:
    return [Point(TurnId(number), of, NOON, EmotionLabel.SAD, embedding) for number in numbers]


@asynccontextmanager
async def opened(
    folder: Path, *, dense_size: int | None = None, encoder: str | None = None
) -> AsyncIterator[EdgeVectors]:
    vectors = await EdgeVectors.open(folder, dense_size=dense_size, encoder=encoder)
    try:
        yield vectors
    finally:
        await vectors.close()


async def hers(vectors: EdgeVectors) -> set[int]:
    return set(await vectors.search(MINA.user_id, HERS, without=(), limit=10_000))


@pytest.fixture
async def folder(tmp_path: Path) -> Path:
    """A folder with Mina's turns 0 to 99."""
    folder = tmp_path / "vectors"
    async with opened(folder) as vectors:
        await vectors.upsert(points(range(100)))
    return folder


def shards(folder: Path) -> list[Path]:
    return list(folder.glob("shard-*"))


def the_shard(folder: Path) -> Path:
    (shard,) = shards(folder)
    return shard


# What is found again.


async def test_a_new_folder_wants_to_be_filled_and_has_nothing_to_explain(tmp_path: Path) -> None:
    async with opened(tmp_path / "data" / "vectors") as vectors:
        assert await vectors.count() == 0
        assert vectors.reason is None

    assert (tmp_path / "data" / "vectors").stat().st_mode & 0o777 == 0o700


async def test_what_was_put_is_there_when_the_folder_is_opened_again(folder: Path) -> None:
    async with opened(folder) as vectors:
        assert await hers(vectors) == set(range(100))
        assert await vectors.count() > 0
        assert vectors.reason is None


async def test_a_folder_that_stayed_empty_still_wants_to_be_filled(tmp_path: Path) -> None:
    async with opened(tmp_path / "vectors"):
        pass

    async with opened(tmp_path / "vectors") as vectors:
        assert await vectors.count() == 0
        assert vectors.reason is None


PUTS_ONE_BY_ONE = """
import asyncio, sys
from pathlib import Path
from tests.storage.test_vectors_edge import EdgeVectors, points
async def main():
    vectors = await EdgeVectors.open(Path(sys.argv[1]), dense_size=None)
    number = 0
    while True:
        await vectors.upsert(points([number]))
        print(number, flush=True)
        number += 1
asyncio.run(main())
"""


@asynccontextmanager
async def another_process(folder: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """One that puts turns 0, 1, 2 … and writes each number once it is put, until it is killed."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PUTS_ONE_BY_ONE, str(folder), stdout=asyncio.subprocess.PIPE
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


@pytest.mark.parametrize("puts", [1, 60, 400])
async def test_a_killed_process_loses_nothing_that_was_put(tmp_path: Path, puts: int) -> None:
    async with another_process(tmp_path / "vectors") as process:
        assert process.stdout
        for _ in range(puts):
            await process.stdout.readline()
        process.kill()
        rest, _ = await process.communicate()
    acknowledged = set(range(puts + rest.count(b"\n")))

    async with opened(tmp_path / "vectors") as vectors:
        assert vectors.reason is None
        assert await hers(vectors) >= acknowledged


# Who holds it.


async def test_a_folder_of_another_process_is_left_as_it_is(tmp_path: Path) -> None:
    folder = tmp_path / "vectors"
    async with another_process(folder) as process:
        assert process.stdout
        for _ in range(20):
            await process.stdout.readline()
        with pytest.raises(VectorsUnreachable, match="in use by another process: stop that"):
            await EdgeVectors.open(folder, dense_size=None)
        await process.stdout.readline()

    async with opened(folder) as vectors:
        assert vectors.reason is None
        assert await hers(vectors) >= set(range(20))


async def test_a_folder_is_opened_once_at_a_time(folder: Path) -> None:
    async with opened(folder):
        with pytest.raises(VectorsUnreachable, match="in use"):
            await EdgeVectors.open(folder, dense_size=None)

    async with opened(folder) as vectors:
        assert await hers(vectors) == set(range(100))


async def test_a_shard_that_another_program_has_loaded_is_left_as_it_is(folder: Path) -> None:
    program = qdrant_edge.EdgeShard.load(str(the_shard(folder)))
    with pytest.raises(VectorsUnreachable, match="in use"):
        await EdgeVectors.open(folder, dense_size=None)
    program.close()

    async with opened(folder) as vectors:
        assert await hers(vectors) == set(range(100))


async def test_a_place_that_cannot_be_a_folder_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(VectorsUnreachable, match="let this user write there"):
        await EdgeVectors.open(tmp_path / "file" / "vectors", dense_size=None)


# What cannot be trusted.


def layout_of(**changes: object) -> Callable[[Path], None]:
    def rewrite(folder: Path) -> None:
        layout = json.loads((folder / "layout.json").read_text())
        layout["made_by"] |= changes
        (folder / "layout.json").write_text(json.dumps(layout))

    return rewrite


def layout_reads(content: bytes) -> Callable[[Path], None]:
    def rewrite(folder: Path) -> None:
        (folder / "layout.json").write_bytes(content)

    return rewrite


def no_layout(folder: Path) -> None:
    (folder / "layout.json").unlink()


def no_shard(folder: Path) -> None:
    shutil.rmtree(the_shard(folder))


def no_segments(folder: Path) -> None:
    shutil.rmtree(the_shard(folder) / "segments")
    shutil.rmtree(the_shard(folder) / "wal")


def no_payload(folder: Path) -> None:
    """What the engine reads neither to load a shard nor to search it."""
    (page,) = the_shard(folder).glob("segments/*/payload_storage/page_0.dat")
    page.write_bytes(b"")


UNTRUSTED: dict[str, tuple[Callable[[Path], None], str]] = {
    "another engine": (layout_of(engine="0.8.1"), "another version"),
    "another format": (layout_of(format=0), "another version"),
    "another encoder": (layout_of(vectors="another-00000000_768"), "another encoder"),
    "no layout": (no_layout, "cut short"),
    "half a layout": (layout_reads(b'{"shard": "sha'), "cannot be read"),
    "a list for a layout": (layout_reads(b"[]"), "cannot be read"),
    "binary for a layout": (layout_reads(b"\xff\xfe"), "cannot be read"),
    "no shard": (no_shard, "damaged"),
    "no segments": (no_segments, "damaged"),
    "no payload": (no_payload, "damaged"),
}


@pytest.mark.parametrize(("spoil", "reason"), UNTRUSTED.values(), ids=UNTRUSTED)
async def test_what_cannot_be_trusted_is_made_anew_and_said(
    folder: Path, spoil: Callable[[Path], None], reason: str
) -> None:
    spoil(folder)

    async with opened(folder) as vectors:
        assert await vectors.count() == 0
        assert vectors.reason
        assert reason in vectors.reason
        await vectors.upsert(points([1, 2]))

    async with opened(folder) as vectors:
        assert await hers(vectors) == {1, 2}
        assert vectors.reason is None


async def test_a_folder_with_vectors_of_another_size_is_made_anew(folder: Path) -> None:
    async with opened(folder, dense_size=3) as vectors:
        assert await vectors.count() == 0
        assert vectors.reason
        await vectors.upsert(points([1], embedding=Embedding({WORD: 1.0}, (1.0, 0.0, 0.0))))

    async with opened(folder, dense_size=3) as vectors:
        assert await hers(vectors) == {1}


def empty(file: Path) -> None:
    file.write_bytes(b"")


def halve(file: Path) -> None:
    with file.open("r+b") as opened_file:
        opened_file.truncate(file.stat().st_size // 2)


def scribble(file: Path) -> None:
    with file.open("r+b") as opened_file:
        opened_file.write(b"\xfe" * min(4096, file.stat().st_size))


def copied(folder: Path, to: Path) -> Path:
    subprocess.run(["cp", "-a", "--sparse=always", folder, to], check=True)  # most of its 200 MB are holes
    return to


async def test_whichever_file_is_damaged_all_is_found_or_made_anew(folder: Path, tmp_path: Path) -> None:
    files = sorted(path.relative_to(folder) for path in the_shard(folder).rglob("*") if path.is_file())
    made_anew = 0
    for number, file in enumerate(files):
        spoil = (empty, halve, scribble, Path.unlink)[number % 4]
        copy = copied(folder, tmp_path / str(number))
        spoil(copy / file)

        async with opened(copy) as vectors:
            turns = await hers(vectors)
            assert turns in (set(), set(range(100))), (spoil, file)
            assert bool(vectors.reason) == (turns == set()), (spoil, file)
            made_anew += turns == set()
        shutil.rmtree(copy)

    assert 0 < made_anew < len(files)


async def test_damage_that_shows_later_is_said_and_mended_by_the_next_start(folder: Path) -> None:
    (tracker,) = the_shard(folder).glob("segments/*/vector_storage-sparse/store/tracker.dat")
    vectors = await EdgeVectors.open(folder, dense_size=None)
    scribble(tracker)
    with pytest.raises(VectorsUnreachable, match="start Mentos again, and it is made anew"):
        await vectors.upsert(points(range(100)))
    with suppress(VectorsUnreachable):
        await vectors.close()

    async with opened(folder) as vectors:
        assert await vectors.count() == 0
        assert vectors.reason == "it was damaged, or its making was cut short"


async def test_a_full_disk_is_said_before_it_ends_the_process(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened(folder) as vectors:
        monkeypatch.setattr(vectors_edge, "LEAST_ROOM", 2**62)
        with pytest.raises(VectorsUnreachable, match="make room there"):
            await vectors.upsert(points([1]))
        with pytest.raises(VectorsUnreachable, match="make room there"):
            await vectors.clear()
        assert await hers(vectors) == set(range(100))
    with pytest.raises(VectorsUnreachable, match="make room there"):
        await EdgeVectors.open(folder, dense_size=None)

    monkeypatch.undo()
    async with opened(folder) as vectors:
        assert await hers(vectors) == set(range(100))


# What is left behind.

SENTINEL = UserId("forgotten-5e47f1c0a9d2")
SECRET = Embedding({0xD1CEBEAD: 0.7391}, (0.123456, 0.654321, -0.424242))


def traces(folder: Path) -> dict[str, int]:
    """How many files still hold who somebody was, or one of their words."""
    content = [path.read_bytes() for path in folder.rglob("*") if path.is_file()]
    word = 0xD1CEBEAD
    marks = {
        "person": [SENTINEL.encode()],
        "word": [struct.pack("<I", word), struct.pack(">I", word), bytes(json.dumps(word), "ascii")],
    }
    return {name: sum(any(mark in each for mark in of) for each in content) for name, of in marks.items()}


@pytest.mark.parametrize("way", ["forget", "delete", "clear"])
async def test_no_byte_of_the_forgotten_is_left(tmp_path: Path, way: str) -> None:
    folder = tmp_path / "vectors"
    async with opened(folder, dense_size=3) as vectors:
        await vectors.upsert(points(range(1_000, 1_300)))
        await vectors.upsert(points(range(60), of=SENTINEL, embedding=SECRET))
        await vectors.flush()
        assert all(traces(folder).values())

        if way == "forget":
            await vectors.forget(SENTINEL)
            await vectors.compact()
        elif way == "delete":
            await vectors.delete(SENTINEL, [TurnId(each) for each in range(60)])
            await vectors.compact()
        else:
            await vectors.clear()

        assert traces(folder) == {"person": 0, "word": 0}
        assert await hers(vectors) == (set() if way == "clear" else set(range(1_000, 1_300)))

    assert traces(folder) == {"person": 0, "word": 0}
    async with opened(folder, dense_size=3) as vectors:
        assert await hers(vectors) == (set() if way == "clear" else set(range(1_000, 1_300)))


@pytest.mark.parametrize(
    ("encoder", "dense_size"), [("a/new-encoder", 3), ("an/old-encoder", 4), (None, 3), (None, None)]
)
async def test_nothing_of_another_encoder_s_vectors_is_left_when_the_folder_is_open(
    tmp_path: Path, encoder: str | None, dense_size: int | None
) -> None:
    folder = tmp_path / "vectors"
    async with opened(folder, dense_size=3, encoder="an/old-encoder") as vectors:
        await vectors.upsert(points(range(60), of=SENTINEL, embedding=SECRET))
        await vectors.flush()
        assert "old-encoder" in the_shard(folder).name
        assert all(traces(folder).values())

    async with opened(folder, dense_size=dense_size, encoder=encoder) as vectors:
        assert traces(folder) == {"person": 0, "word": 0}
        assert await vectors.count() == 0
        assert vectors.reason == "it was made by another version, or by another encoder"


async def test_the_same_encoder_finds_its_vectors_again(tmp_path: Path) -> None:
    folder = tmp_path / "vectors"
    async with opened(folder, dense_size=3, encoder="an/old-encoder") as vectors:
        await vectors.upsert(points(range(3), embedding=Embedding({WORD: 1.0}, (1.0, 0.0, 0.0))))

    async with opened(folder, dense_size=3, encoder="an/old-encoder") as vectors:
        assert vectors.reason is None
        assert await hers(vectors) == {0, 1, 2}


async def test_compacting_keeps_the_order_of_what_is_found(tmp_path: Path) -> None:
    async with opened(tmp_path / "vectors") as vectors:
        for number in range(1, 251):
            await vectors.upsert(points([number], embedding=Embedding({WORD: 1.0 + number * 37 % 251 / 251})))
        before = await vectors.search(MINA.user_id, HERS, without=(), limit=250)
        assert len(before) == 250

        await vectors.compact()

        assert await vectors.search(MINA.user_id, HERS, without=(), limit=250) == before


async def test_what_happens_while_it_is_compacted_is_kept(tmp_path: Path) -> None:
    async with opened(tmp_path / "vectors") as vectors:
        await vectors.upsert(points(range(1_000)))
        expected, number = set(range(1_000)), 0

        compacting = asyncio.create_task(vectors.compact())
        while not compacting.done():
            added, removed = 2_000 + number, number * 17 % 1_000
            await vectors.upsert(points([added]))
            await vectors.delete(MINA.user_id, {TurnId(removed)})
            expected = (expected | {added}) - {removed}
            assert await hers(vectors) == expected
            number += 1
        await compacting

        assert number > 3
        assert await hers(vectors) == expected


async def test_a_compaction_that_is_cancelled_changes_nothing(folder: Path) -> None:
    async with opened(folder) as vectors:
        await vectors.upsert(points(range(2_000)))
        compacting = asyncio.create_task(vectors.compact())
        while len(shards(folder)) < 2:
            await vectors.count()
        compacting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await compacting

        await vectors.delete(MINA.user_id, {TurnId(5)})
        await vectors.compact()
        assert await hers(vectors) == set(range(2_000)) - {5}

    assert len(shards(folder)) == 1


async def test_clearing_during_a_compaction_brings_nothing_back(folder: Path) -> None:
    async with opened(folder) as vectors:
        await vectors.upsert(points(range(1_000)))

        await asyncio.gather(vectors.compact(), vectors.clear(), vectors.compact())

        assert await hers(vectors) == set()


async def test_forgetting_during_a_compaction_brings_nothing_back(folder: Path) -> None:
    async with opened(folder) as vectors:
        await vectors.upsert(points(range(1_000)))
        await vectors.upsert(points([5_000], of=JUN.user_id))

        await asyncio.gather(vectors.compact(), vectors.forget(MINA.user_id))

        assert await vectors.count(MINA.user_id) == 0
        assert await vectors.count() == 1


def test_the_engine_is_imported_only_where_it_is_used() -> None:
    asked = "import sys, storage.vectors; sys.exit('qdrant_edge' in sys.modules or 'qdrant_client' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", asked], check=False).returncode == 0


async def test_a_folder_that_vanishes_is_said_and_not_raised_as_something_else(tmp_path: Path) -> None:
    vectors = await EdgeVectors.open(tmp_path / "vectors", dense_size=None)
    shutil.rmtree(tmp_path / "vectors")

    with pytest.raises(VectorsUnreachable):
        await vectors.clear()
    with suppress(VectorsUnreachable):
        await vectors.close()
