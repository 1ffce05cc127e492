"""What counts as a command, and what as an answer to the consent question."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.conversation.commands import Command, Verb, parse, read_consent
from bot.conversation.model import Scope

EVERYTHING, STORAGE, NOTHING = frozenset(Scope), frozenset({Scope.STORAGE}), frozenset[Scope]()


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("/말투 선비", Command(Verb.TONE, "선비")),
        ("  /tone  Scholar ", Command(Verb.TONE, "Scholar")),
        ("/TONE", Command(Verb.TONE, "")),
        ("/동의 네", Command(Verb.CONSENT, "네")),
        ("/새상담", Command(Verb.NEW, "")),
        ("/", Command(Verb.UNKNOWN, "")),
        ("/없는말", Command(Verb.UNKNOWN, "")),
        ("말투 선비", None),
        ("그 사람이 /말투 라고 했어요", None),
        ("", None),
        ("/말투 " + "가" * 200, None),
        ("/말투\n그리고 할 말이 있어요", None),
    ],
)
def test_a_command_is_a_short_line_that_starts_with_a_slash(text: str, command: Command | None) -> None:
    assert parse(text) == command


@pytest.mark.parametrize(
    ("text", "scopes"),
    [
        *[
            (yes, EVERYTHING)
            for yes in ("네", "네!", " 네 ", "넵", "예", "응", "ㅇㅇ", "좋아요~", "네 ㅎㅎ", "YES", "동의해요.")
        ],
        *[(storage, STORAGE) for storage in ("저장만", "저장만요", "storage")],
        *[(no, NOTHING) for no in ("아니요", "아뇨", "아니오...", "싫어요", "ㄴㄴ", "No")],
        *[
            (neither, None)
            for neither in ("괜찮아요", "네 그런데 질문이 있어요", "아니 그게 아니라", "", "잘 모르겠어요", "넷")
        ],
    ],
)
def test_only_a_plain_yes_or_no_answers_the_question(text: str, scopes: frozenset[Scope] | None) -> None:
    assert read_consent(text) == scopes


@given(st.text())
def test_nothing_that_can_be_typed_breaks_them(text: str) -> None:
    parse(text)
    assert read_consent(f"가나다 {text}") is None
