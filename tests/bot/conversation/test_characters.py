"""Character files, read and found."""

import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest

from bot.conversation.characters import CharacterError, find, load
from bot.conversation.model import CharacterId, Decorations, Gravity, Mendable

STYLES = "haeyo banmal munche seonbi android azae enfp expert halbae naruto sosim"
RULES = {f"rule:{style}" for style in STYLES.split()}

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a character file, whole but for what the test says."""

    def written(**changes: str | None) -> Path:
        keys = {
            "id": '"robot"',
            "name": '"로봇"',
            "name_en": '"Robot"',
            "renderers": '["rule:haeyo"]',
            "persona": '"차분하게 듣습니다."',
            "greeting": '"안녕하세요."',
            "sample": '"그러셨군요."',
        } | changes
        lines = (f"{key} = {value}\n" for key, value in keys.items() if value is not None)
        (tmp_path / "robot.toml").write_text("".join(lines), encoding="utf-8")
        return tmp_path

    return written


def test_the_default_character_comes_first_and_the_others_by_file_name() -> None:
    others = "android azae enfp expert friend halbae munche naruto seonbi sosim"
    assert list(load(available=RULES)) == ["mentos", *others.split()]


def test_a_file_in_a_second_folder_adds_a_character(write: Write) -> None:
    characters = load(available=RULES, folders=[write()])

    assert characters[CharacterId("robot")].greeting == "안녕하세요."


def test_a_folder_that_is_not_there_holds_no_characters(tmp_path: Path) -> None:
    assert load(available=RULES, folders=[tmp_path / "none"]) == load(available=RULES)


@pytest.mark.parametrize(
    ("available", "renderer"),
    [
        ({"rule", "kobart:선비"}, "kobart:선비"),
        ({"rule", "kobart"}, "kobart:선비"),
        ({"rule", "prompt"}, "rule:seonbi"),
        (RULES, "rule:seonbi"),
        ({"prompt"}, "prompt"),
    ],
)
def test_the_first_renderer_that_is_available_by_name_or_kind_renders(
    write: Write, available: set[str], renderer: str
) -> None:
    folder = write(renderers='["kobart:선비", "rule:seonbi", "prompt"]')

    characters = load(available=available, folders=[folder])

    assert characters[CharacterId("robot")].renderer == renderer


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"greeting": None}, "'greeting' is missing"),
        ({"sample": '"  "'}, "'sample' is missing"),
        ({"name": "7"}, "'name' is missing or no text"),
        ({"renderers": None}, "'renderers' is missing"),
        ({"renderers": '"rule:haeyo"'}, "no list of texts"),
        ({"renderers": '["magic:wand"]'}, "'magic:wand'"),
        ({"renderers": '["rule"]'}, "'rule'"),
        ({"renderers": '["kobart:선비"]'}, "nothing here renders 'kobart:선비'"),
        ({"aliases": "[1]"}, "'aliases'"),
        ({"id": '"mentos"'}, "'mentos' is taken"),
        ({"name": '"끝나지 않은'}, "no TOML"),
    ],
)
def test_a_broken_file_is_named_with_what_is_wrong_in_one_line(
    write: Write, changes: dict[str, str | None], said: str
) -> None:
    folder = write(**changes)

    with pytest.raises(CharacterError) as raised:
        load(available=RULES, folders=[folder])

    message = str(raised.value)
    assert "robot.toml" in message
    assert said in message
    assert "\n" not in message
    assert isinstance(raised.value, Mendable)


def test_bytes_that_are_no_text_are_a_broken_file(tmp_path: Path) -> None:
    (tmp_path / "robot.toml").write_bytes(b'name = "\xff"')

    with pytest.raises(CharacterError, match=r"robot\.toml"):
        load(available=RULES, folders=[tmp_path])


@pytest.mark.parametrize(
    ("words", "character"),
    [
        ("seonbi", "seonbi"),
        ("선비", "seonbi"),
        (" 선 비 ", "seonbi"),
        ("SCHOLAR", "seonbi"),
        ("반말", "friend"),
        ("편한말", "friend"),
        ("해요체", "mentos"),
        (unicodedata.normalize("NFD", "문어체"), "munche"),
    ],
)
def test_a_character_is_found_by_id_name_or_alias_whatever_the_case_and_the_blanks(words: str, character: str) -> None:
    found = find(load(available=RULES), words)

    assert found is not None
    assert found.id == character


@pytest.mark.parametrize("words", ["", "  ", "해적", "선비님"])
def test_words_that_name_nobody_find_nobody(words: str) -> None:
    assert find(load(available=RULES), words) is None


def test_no_two_characters_answer_to_the_same_words() -> None:
    characters = load(available=RULES)

    for character in characters.values():
        for words in (character.id, character.name, character.name_en, *character.aliases):
            assert find(characters, words) is character


def test_what_softens_and_adorns_a_character_is_read(write: Write) -> None:
    folder = write(softened='["rule:banmal"]', decorations='{ openers = ["허허,"], closers = ["~"], until = "heavy" }')

    robot = load(available=RULES, folders=[folder])[CharacterId("robot")]

    assert robot.softened == "rule:banmal"
    assert robot.decorations == Decorations(("허허,",), ("~",), Gravity.HEAVY)


def test_a_character_that_says_nothing_of_it_stays_as_it_is_in_grave_moments(write: Write) -> None:
    robot = load(available=RULES, folders=[write()])[CharacterId("robot")]

    assert (robot.softened, robot.decorations) == ("rule:haeyo", Decorations())


def test_a_weight_that_is_none_is_refused(write: Write) -> None:
    with pytest.raises(CharacterError, match="until"):
        load(available=RULES, folders=[write(decorations='{ openers = ["허허,"], until = "always" }')])
