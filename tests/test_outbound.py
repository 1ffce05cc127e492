"""Nobody is told: from its start to its tenth reply, a server speaks to this machine alone."""

import os
import re
import shutil
from pathlib import Path

import pytest

from tests.served import serving

SAID = [
    "안녕하세요", "네", "고양이 나비를 키워요", "/말투 선비", "요즘 잠이 안 와요",
    "/기분", "/새상담", "내일 면접이에요", "고양이가 아파요", "나 죽고 싶어",
]  # fmt: skip


@pytest.mark.skipif(
    shutil.which("strace") is None and not os.environ.get("MENTOS_REQUIRE_STRACE"),
    reason="strace is missing: install it to see that nothing leaves this machine",
)
async def test_no_connection_leaves_this_machine(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    calls = "trace=connect,sendto,sendmsg,sendmmsg"
    under = ("strace", "-f", "-qq", "-e", calls, "-o", str(trace))
    async with serving(tmp_path / "home", under=under, MENTOS_WEB__ENABLED="true") as served:
        for text in SAID:
            status, reply = await served.kakao(text)
            assert (status, bool(reply)) == (200, True)
        assert (await served.get("/"))[0] == 200

    traced = trace.read_text(errors="replace")
    assert "sendto(" in traced
    reached = set(re.findall(r'inet_addr\("([^"]+)"\)|inet_pton\(AF_INET6, "([^"]+)"', traced))
    assert {address for pair in reached for address in pair if address} <= {"127.0.0.1", "::1", "0.0.0.0", "::"}  # noqa: S104
