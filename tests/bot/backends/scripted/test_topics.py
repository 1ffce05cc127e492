"""Which situation is heard in what people say."""

import csv
from pathlib import Path

import pytest

from bot import resources
from bot.backends.scripted.topics import Topics
from inference_server.korean import morphemes

CASES = Path(__file__).with_name("topics.tsv")
"""Messages with the topic that they are about, or (`no`) that they must not be taken for. Rules were tuned on these."""


@pytest.fixture(scope="module")
def topics() -> Topics:
    return Topics(analyse=morphemes)


def cases(fits: str) -> list[tuple[str, str]]:
    with CASES.open(encoding="utf-8") as file:
        return [(row["topic"], row["text"]) for row in csv.DictReader(file, delimiter="\t") if row["fits"] == fits]


def heard(topics: Topics, text: str) -> str | None:
    return next((topic.name for topic in topics.met(text)), None)


def test_nearly_every_example_is_heard_as_what_it_tells(topics: Topics) -> None:
    wrong = [(topic, text) for topic, text in cases("yes") if heard(topics, text) != topic]

    assert len(wrong) <= 0.06 * len(cases("yes")), wrong


def test_a_near_miss_is_not_taken_for_it(topics: Topics) -> None:
    assert [(topic, text) for topic, text in cases("no") if heard(topics, text) == topic] == []


@pytest.mark.parametrize(
    ("text", "topic"),
    [
        ("우리 강아지 무지개다리 건넌 뒤로 회사도 가기 싫어요", "grief.pet_died"),
        ("팀장님한테 안 혼났어요", "work.work_general"),
        ("ㅁㄴㅇㄹ", None),
        ("", None),
    ],
)
def test_losses_come_first_and_what_is_denied_is_not_told(topics: Topics, text: str, topic: str | None) -> None:
    assert heard(topics, text) == topic


def test_every_group_of_words_that_a_rule_names_is_there_and_is_used() -> None:
    shared = resources.toml("scripted/words.toml")
    named: set[str] = set()
    for area in resources.names("scripted/topics"):
        table = resources.toml(f"scripted/topics/{area}.toml")
        own = table.get("words", {})
        written = [" ".join([*entry["when"], entry.get("unless", "")]) for n, entry in table.items() if n != "words"]
        used = {word[1:] for text in (*written, *own.values()) for word in text.split() if word.startswith("@")}
        assert used <= {*shared, *own}, area
        assert set(own) <= used, area
        named |= used
    assert set(shared) <= named
