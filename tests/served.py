"""`mentos serve` as a process, talked to through its doors."""

import asyncio
import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from tests.command import environment

SECRET = {"MENTOS_KAKAO__SECRET": "secret"}
WITHOUT_PAGE = {"MENTOS_WEB__ENABLED": "false"}
"""It takes half of the time to start."""


class Served:
    """A running server, what it printed, and where it listens."""

    def __init__(self, process: asyncio.subprocess.Process, lines: list[str]) -> None:
        self.process = process
        self.lines = lines
        [self.url] = re.findall(r"http://[\d.]+:\d+(?= \(/healthz)", "\n".join(lines))

    async def kakao(self, text: str, *, person: str = "haneul", **headers: str) -> tuple[int, str]:
        """Say something in KakaoTalk; return the status and all words of the answer."""
        payload = {
            "bot": {"id": "b0t"},
            "userRequest": {"utterance": text, "user": {"id": person, "type": "botUserKey", "properties": {}}},
        }
        key = {"X-Mentos-Key": SECRET["MENTOS_KAKAO__SECRET"]}
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{self.url}/kakao/skill", json=payload, headers={**key, **headers}) as response,
        ):
            body = await response.json()
        outputs = body.get("template", {}).get("outputs", [])
        return response.status, "\n".join(output["simpleText"]["text"] for output in outputs)

    async def get(self, path: str) -> tuple[int, str]:
        async with aiohttp.ClientSession() as session, session.get(self.url + path) as response:
            return response.status, await response.text()


@asynccontextmanager
async def serving(home: Path, *arguments: str, under: Sequence[str] = (), **variables: str) -> AsyncIterator[Served]:
    process = await asyncio.create_subprocess_exec(
        *(*under, sys.executable, "-m", "bot", "serve", "--port", "0", *arguments),
        env=environment(home, **{**SECRET, **WITHOUT_PAGE, **variables}),
        cwd=home.parent,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stdout
    lines: list[str] = []
    try:
        while not lines or "/healthz" not in lines[-1]:
            line = (await asyncio.wait_for(process.stdout.readline(), 60)).decode()
            if not line:
                assert process.stderr
                pytest.fail((await process.stderr.read()).decode())
            lines.append(line.rstrip())
        yield Served(process, lines)
    finally:
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGKILL)
        await process.communicate()
