"""The drawings in the READMEs say what the tables say, and both languages say the same."""

import re
from pathlib import Path

import pytest

from storage.tables import metadata

ROOT = Path(__file__).parent.parent
READMES = [ROOT / "README.md", ROOT / "README.ko.md"]


def drawn_tables(readme: Path) -> dict[str, list[str]]:
    [erd] = re.findall(r"```mermaid\nerDiagram\n(.*?)```", readme.read_text("utf-8"), re.S)
    return {
        name: [line.split()[1] for line in body.strip().splitlines()]
        for name, body in re.findall(r"^    (\w+) \{\n(.*?)^    \}", erd, re.S | re.M)
    }


@pytest.mark.parametrize("readme", READMES, ids=lambda path: path.name)
def test_the_erd_shows_every_table_with_its_columns(readme: Path) -> None:
    assert drawn_tables(readme) == {
        table.name: [column.name for column in table.columns] for table in metadata.tables.values()
    }


@pytest.mark.parametrize("readme", READMES, ids=lambda path: path.name)
def test_every_file_that_is_linked_exists(readme: Path) -> None:
    linked = re.findall(r"\]\(([^)#:]+)\)", readme.read_text("utf-8"))
    assert linked
    assert [path for path in linked if not (ROOT / path).exists()] == []


def test_both_languages_show_the_same_commands() -> None:
    english, korean = (
        [
            line.split("#")[0].split()
            for block in re.findall(r"```sh\n(.*?)```", path.read_text("utf-8"), re.S)
            for line in block.splitlines()
        ]
        for path in READMES
    )
    assert english == [[word.replace("글.txt", "texts.txt") for word in command] for command in korean]


def test_the_specified_columns_keep_their_names() -> None:
    specified = {
        "user": "user_id password name dt_birth gender language",
        "counsel": "counsel_id character_id user_id dt_start dt_end",
        "dialog": "dialog_id counsel_id dt_dialog u_message ai_message dialog_emotion past_dialog change_dialog",
        "emotion_log": "emotion_id counsel_id counsel_emotion dt_emotion_log",
        "character": "character_id character_name character_model",
    }
    for table, columns in specified.items():
        assert set(columns.split()) <= set(metadata.tables[table].columns.keys())
