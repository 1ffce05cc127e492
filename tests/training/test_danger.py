import re
from pathlib import Path

from bot.safety.assess import Level
from tests.training.likeness import alike
from training import data

FILES = sorted((Path(data.__file__).parent / "danger").glob("*.tsv"))
LABELS = {*Level, "none_soft"}
MEANS = re.compile(r"번개탄|연탄|농약|목을? ?매|밧줄|수면제|뛰어내|투신|\d+ ?알(?![가-힣])|동맥|커터칼")


def rows() -> list[list[str]]:
    return [line.split("\t") for path in FILES for line in path.read_text("utf-8").splitlines()]


def test_each_message_has_a_level_and_what_makes_it_one() -> None:
    assert rows()
    assert [row for row in rows() if len(row) != 3 or row[0] not in LABELS or not row[1] or not row[2]] == []


def test_no_message_of_danger_tells_a_means() -> None:
    assert [row[1] for row in rows() if not row[0].startswith("none") and MEANS.search(row[2])] == []


def test_no_two_messages_are_alike() -> None:
    assert alike([message for _, _, message in rows()]) == []
