"""Sentences out of a stream."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.conversation.sentences import LONGEST, sentences


async def split(*pieces: str) -> list[str]:
    async def stream() -> AsyncGenerator[str]:
        for piece in pieces:
            yield piece

    return [sentence async for sentence in sentences(stream())]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("그러셨군요. 많이 힘드셨겠어요.", ["그러셨군요.", "많이 힘드셨겠어요."]),
        ("정말요?! 와 ㅎㅎ 좋네요.", ["정말요?!", "와 ㅎㅎ 좋네요."]),
        ("아쉬워요 ㅠㅠ. 그래도요… 괜찮아요", ["아쉬워요 ㅠㅠ.", "그래도요…", "괜찮아요"]),
        ("3.5점이면 좋네요. 1. 먼저 쉬어요.", ["3.5점이면 좋네요.", "1. 먼저 쉬어요."]),
        ("“괜찮아. 다 지나가.”라고 하셨군요. 네.", ["“괜찮아. 다 지나가.”라고 하셨군요.", "네."]),
        ("첫 줄이에요\n둘째 줄이에요", ["첫 줄이에요", "둘째 줄이에요"]),
        ("   \n ", []),
    ],
)
async def test_ends_where_a_reader_would_end_it(text: str, expected: list[str]) -> None:
    assert await split(text) == expected
    assert await split(*text) == expected


async def test_the_first_sentence_does_not_wait_for_the_second() -> None:
    async def stream() -> AsyncGenerator[str]:
        yield "그러셨군요. 언"
        raise AssertionError("asked for more before giving what was complete")

    assert await anext(sentences(stream())) == "그러셨군요."


async def test_closing_it_closes_what_it_reads() -> None:
    is_closed = False

    async def stream() -> AsyncGenerator[str]:
        nonlocal is_closed
        try:
            yield "그러셨군요. 언"
        finally:
            is_closed = True

    async with aclosing(sentences(stream())) as whole:
        await anext(whole)
        assert not is_closed
    assert is_closed


async def test_a_sentence_that_never_ends_is_cut_at_a_blank() -> None:
    parts = await split("가나다 " * LONGEST)
    assert all(len(part) <= LONGEST for part in parts)
    assert not any(part.startswith("나") or part.endswith("가") for part in parts)


@given(st.lists(st.text(alphabet='가나 .?!…\n"“”()1a😀', max_size=30), max_size=20))
async def test_no_word_is_lost_however_the_text_is_cut(pieces: list[str]) -> None:
    assert "".join("".join(await split(*pieces)).split()) == "".join("".join(pieces).split())
