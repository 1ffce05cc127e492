"""The transcripts in the documents are what Mentos says today."""

from bench.transcripts import FOLDER, transcripts


async def test_the_transcripts_are_reproduced_from_what_the_person_says() -> None:
    made = await transcripts()

    assert {path.stem: path.read_text("utf-8") for path in FOLDER.glob("*.md")} == made
    assert len(made) == 12
    assert all(text.count("\n| ") == 16 for text in made.values())
