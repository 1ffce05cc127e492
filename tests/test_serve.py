"""`mentos serve` as a process: its doors, its neighbours, and how it ends."""

import asyncio
import json
import os
import re
import signal
import socket
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bot.serve import listen
from inference_server.__main__ import bind
from tests.chat_server import ChatServer, chat_server
from tests.command import environment, mentos
from tests.served import serving

WITH_PAGE = {"MENTOS_WEB__ENABLED": "true"}
ASSUMED = {"MENTOS_CONSENT__ASSUME": "storage,memory"}
IN_DANGER = "오늘 죽으려고 해. 유서도 썼어"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def turns(home: Path) -> list[tuple[object, ...]]:
    with sqlite3.connect(home / "mentos.sqlite3") as rows:
        found = rows.execute("select dialog_emotion, dt_answered is not null from dialog order by dialog_id").fetchall()
    rows.close()
    return found


async def test_one_line_a_part_says_what_is_on_and_what_switches_the_rest_on(home: Path) -> None:
    async with serving(home, **WITH_PAGE) as served:
        said = "\n".join(served.lines)
    for name in (
        f"{served.url}/",
        "MENTOS_LLM__URL",
        "MENTOS_DATABASE__URL",
        "MENTOS_DISCORD__TOKEN",
        "/kakao/skill",
        "master.key",
    ):
        assert name in said
    assert (home / "master.key").stat().st_mode & 0o777 == 0o600


async def test_operators_see_health_readiness_and_metrics_without_words_or_ids(home: Path) -> None:
    async with serving(home, **ASSUMED) as served:
        await served.kakao("비밀스러운말이에요", person="person-4711")
        assert (await served.get("/healthz"))[0] == 200
        status, ready = await served.get("/readyz")
        assert status == 200
        assert json.loads(ready)["parts"]["database"] == "ok"
        _, metrics = await served.get("/metrics")
    assert 'mentos_messages_total{messenger="kakao"} 1.0' in metrics
    assert "비밀스러운말" not in metrics
    assert "4711" not in metrics


async def test_kakaotalk_is_answered_and_stored(home: Path) -> None:
    async with serving(home, **ASSUMED) as served:
        status, words = await served.kakao("요즘 잠이 안 와요")
        assert status == 200
        assert words
    assert [answered for _, answered in turns(home)] == [1]


async def test_kakaotalk_is_shut_to_who_does_not_know_the_secret(home: Path) -> None:
    async with serving(home) as served:
        assert (await served.kakao("안녕", **{"X-Mentos-Key": "wrong"}))[0] == 401


async def test_without_a_secret_one_is_made_and_printed(home: Path) -> None:
    async with serving(home, MENTOS_KAKAO__SECRET="") as served:
        [made] = re.findall(r"[\w-]{32}", "\n".join(line for line in served.lines if "KAKAO" in line))
        assert (await served.kakao("안녕", **{"X-Mentos-Key": "wrong"}))[0] == 401
        assert (await served.kakao("안녕", **{"X-Mentos-Key": made}))[0] == 200


async def test_a_taken_port_gives_the_next_free_one(home: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        async with serving(home, "--port", str(port)) as served:
            assert str(port) in "\n".join(served.lines)
            assert int(served.url.rpartition(":")[2]) > port


@pytest.mark.parametrize("binding", [listen, bind], ids=["bot", "inference server"])
async def test_an_answer_is_sent_without_waiting_for_more(binding: Callable[[str, int], socket.socket]) -> None:
    accepted: asyncio.Future[asyncio.StreamWriter] = asyncio.get_running_loop().create_future()
    with binding("127.0.0.1", 0) as listening:
        async with await asyncio.start_server(lambda _, writer: accepted.set_result(writer), sock=listening):
            _, caller = await asyncio.open_connection(*listening.getsockname())
            answerer = await accepted
            assert answerer.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            answerer.close()
            caller.close()


async def test_the_garbage_collector_does_not_look_through_what_was_loaded_at_the_start(home: Path) -> None:
    counting = """
import asyncio, gc
from bot.serve import serve
from bot.settings import read_settings

def say(_):
    print(gc.get_freeze_count(), len(gc.get_objects()), flush=True)

asyncio.run(serve(read_settings(), host="127.0.0.1", port=0, say=say))
"""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", counting), env=environment(home), cwd=home.parent, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout
    spared, looked_through = map(int, (await asyncio.wait_for(process.stdout.readline(), 60)).split())
    process.kill()
    await process.communicate()
    assert spared > 10 * looked_through


async def test_a_door_that_fails_does_not_stop_the_others(home: Path) -> None:
    # a proxy that nobody runs: Discord cannot be reached, whatever the network
    async with serving(home, MENTOS_DISCORD__TOKEN="x", HTTPS_PROXY="http://127.0.0.1:9") as served:
        assert (await served.kakao("안녕"))[0] == 200
        assert (await served.get("/healthz"))[0] == 200


async def test_a_second_process_on_the_folder_says_so(home: Path) -> None:
    async with serving(home) as served:
        second = await asyncio.to_thread(mentos, "serve", "--port", "0", home=home)
        assert second.returncode != 0
        said = second.stderr.decode()
        assert said.strip().count("\n") == 0
        assert str(served.process.pid) in said


async def test_a_terminal_finds_the_running_server_and_talks_to_it(home: Path) -> None:
    async with serving(home, **ASSUMED):
        said = "안녕하세요\n오늘 날씨가 좋네요\n".encode()
        result = await asyncio.to_thread(mentos, "chat", home=home, stdin=said, **ASSUMED)
        assert result.returncode == 0, result.stderr.decode()
        assert len(result.stdout.decode().splitlines()) == 2
    assert len(turns(home)) == 2


async def test_a_stranger_to_the_relay_hears_nothing(home: Path) -> None:
    async with serving(home, **ASSUMED):
        port = json.loads((home / "lock").read_text())["port"]
        for said in (b"hello\n", b'{"token": "wrong", "ask": "respond"}\n', b"\xff\n", b"[]\n", b"{}\n"):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(said)
            assert await reader.read() == b""
            writer.close()
    assert turns(home) == []


async def test_being_told_to_stop_finishes_the_turn_at_hand(home: Path) -> None:
    model = ChatServer(pieces=["한 문장이에요. ", "두 문장이에요."], hold_before=1)
    async with chat_server(model), serving(home, **ASSUMED, **WITH_PAGE, MENTOS_LLM__URL=model.url) as served:
        answer = asyncio.create_task(served.kakao("요즘 잠이 안 와요"))
        await asyncio.wait_for(model.was_asked.wait(), 30)
        served.process.send_signal(signal.SIGTERM)
        model.released.set()
        status, words = await answer
        assert (status, words.count("문장")) == (200, 2)
        assert await asyncio.wait_for(served.process.wait(), 30) == 0
    assert [answered for _, answered in turns(home)] == [1]


async def test_a_turn_that_was_heard_when_the_process_was_killed_is_found_again(home: Path) -> None:
    model = ChatServer(hold_before=0)
    async with chat_server(model), serving(home, **ASSUMED, MENTOS_LLM__URL=model.url) as served:
        relay = json.loads((home / "lock").read_text())
        _, writer = await asyncio.open_connection("127.0.0.1", relay["port"])
        asked = {"token": relay["token"], "ask": "respond", "address": "haneul", "is_guest": False}
        writer.write(json.dumps({**asked, "id": "1", "text": "잊지 말아 주세요"}).encode() + b"\n")
        await asyncio.wait_for(model.was_asked.wait(), 30)
        served.process.kill()
        await served.process.wait()
        writer.close()
    assert turns(home) == [(None, 0)]

    async with serving(home, **ASSUMED):
        relay = json.loads((home / "lock").read_text())
        found = await ask(relay, ask="unanswered", id="", text="")
        assert [line["text"] for line in found] == ["잊지 말아 주세요"]
        assert await ask(relay, ask="respond", **found[0])
        await ask(relay, ask="delivered", **found[0])
        assert await ask(relay, ask="unanswered", id="", text="") == []
    assert [answered for _, answered in turns(home)] == [1]


async def ask(relay: dict[str, str], **asked: str) -> list[dict[str, str]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", int(relay["port"]))
    asked = {"token": relay["token"], "address": "haneul", **asked}
    writer.write(json.dumps({**asked, "is_guest": False}).encode() + b"\n")
    lines = (await reader.read()).splitlines()
    writer.close()
    assert lines.pop() == b"{}"
    return [json.loads(line) for line in lines]


async def test_help_comes_while_the_model_hangs_and_the_database_is_gone(home: Path) -> None:
    model = ChatServer(hold_before=0)
    async with chat_server(model), serving(home, **ASSUMED, MENTOS_LLM__URL=model.url) as served:
        await served.kakao("안녕하세요")
        for name in ("mentos.sqlite3", "mentos.sqlite3-wal", "keys.sqlite3", "keys.sqlite3-wal"):
            os.truncate(home / name, 0)
        status, words = await served.kakao(IN_DANGER)
        assert status == 200
        assert "109" in words
        assert "119" in words
        assert (await served.kakao("안녕하세요"))[0] == 200
