"""The document for a clinician, and the public page: they hold everything that can be said, and only what is true."""

import re

import pytest

from bot.messengers.web.safety import page
from bot.resources import toml
from bot.safety.assess import _MEANINGS
from bot.safety.document import document
from bot.safety.gate import Fault, safe_words
from bot.safety.replies import numbers, situations


def test_every_fixed_text_every_number_and_every_rule_is_in_the_document() -> None:
    written = document()
    as_read = written.replace("\n   > ", "\n")
    assert [text for text in situations() if text not in as_read] == []
    assert [number for number in numbers().values() if number not in written] == []
    assert all(safe_words(fault, sentence) in written for fault in Fault for sentence in ("가", "a"))
    assert written.count("* `") == sum(len(family) for _, family in _MEANINGS)
    assert "{" not in re.sub(r"`[^\n]*`", "", written)


@pytest.mark.parametrize(("language", "other"), [("ko", "en"), ("en", "ko")])
def test_the_page_names_every_number_and_leads_to_the_other_language(language: str, other: str) -> None:
    written = page(language)
    assert all(f'href="tel:{number}"' in written for number in numbers().values())
    assert f"/safety?language={other}" in written
    assert all(section["title"] in written for section in toml("safety.toml")[language]["section"])
    assert "<script" not in written


def test_both_languages_say_the_same_in_as_many_sections() -> None:
    korean, english = (toml("safety.toml")[language] for language in ("ko", "en"))
    assert korean.keys() == english.keys()
    assert len(korean["section"]) == len(english["section"])
