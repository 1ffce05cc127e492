"""What `mentos doctor` says of parts that are there, and do not work."""

from pathlib import Path
from typing import Any

import pytest

from bot.backends.dialects import Kind
from bot.doctor import examine
from bot.settings import Settings
from tests.chat_server import ChatServer, chat_server
from tests.qdrant_server import qdrant_server


async def examined(home: Path, **settings: Any) -> tuple[bool, str]:  # noqa: ANN401 - settings of any part
    said: list[str] = []
    return await examine(Settings(home=home, **settings), say=said.append), "\n".join(said)


@pytest.mark.parametrize("finish_reason", ["stop", "length"])
async def test_a_language_model_that_says_a_word_is_well(tmp_path: Path, finish_reason: str) -> None:
    async with chat_server(ChatServer(finish_reason=finish_reason)) as server:
        is_well, said = await examined(tmp_path, llm={"url": server.url, "model": "mine"})
    assert is_well
    assert f"✓ 언어 모델: {server.url} (tgi, tiny)" in said
    [asked] = server.asked
    assert (asked["max_tokens"], asked["model"]) == (1, "mine")


@pytest.mark.parametrize(
    ("server", "fault"),
    [
        (ChatServer(status=401, body=""), "unauthorised"),
        (ChatServer(status=500), "failed"),
        (ChatServer(hold_before=0), "slow"),
    ],
)
async def test_a_language_model_that_says_nothing_is_not_well_however_open_its_health_is(
    tmp_path: Path, server: ChatServer, fault: str
) -> None:
    async with chat_server(server):
        is_well, said = await examined(tmp_path, llm={"url": server.url, "first_token_s": 0.5})
    assert not is_well
    assert f"✗ 언어 모델: {server.url} gives no reply ({fault}" in said


async def test_a_server_that_lists_no_model_and_answers_is_well(tmp_path: Path) -> None:
    async with chat_server(ChatServer(info=None, models=[])) as server:
        is_well, said = await examined(tmp_path, llm={"url": server.url, "kind": Kind.TRANSFORMERS})
    assert is_well
    assert f"{server.url} (transformers)" in said


@pytest.mark.parametrize(("key", "is_right"), [("right", True), ("wrong", False), (None, False)])
async def test_qdrant_is_asked_with_its_key(tmp_path: Path, key: str | None, is_right: bool) -> None:  # noqa: FBT001
    async with qdrant_server(tmp_path) as server:
        server.api_key = "right"
        is_well, said = await examined(tmp_path / "home", qdrant={"url": server.url, "api_key": key})
    assert is_well == is_right
    assert ("✓ Qdrant" in said) == is_right
