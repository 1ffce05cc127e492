"""An adapter for each character on a real server that none of us wrote: vLLM, with tiny ones made on the spot.

`make test-adapters` makes the environment of the server and asks it; MENTOS_TEST_VLLM names another.
"""

import asyncio
import os
import signal
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest

from bot.app import Mentos, now, open_mentos
from bot.backends.adapters import lacking_at
from bot.backends.dialects import Kind as ServerKind
from bot.backends.faults import ChatFault, Fault
from bot.backends.replica import Asked, Replica
from bot.backends.tgi import TGI, Sampling
from bot.conversation.model import Account, Emotion, EmotionLabel, Kind, Situation
from bot.settings import Settings
from tests.fakes import character, message
from tests.models.adapters import ADAPTERS, BASE, RANK
from tests.ports import free_port

HOW_TO_GET_IT = (
    "MENTOS_TEST_VLLM names no virtual environment with the program vllm: `make test-adapters` makes one and asks it"
)
NAME = "tiny-llama"
STARTS_WITHIN_S = 300
PATIENCE_S = 60
ROOT = Path(__file__).parents[2]
SAID = [{"role": "user", "content": "요즘 잠이 안 와요"}]
CALM = Emotion(((EmotionLabel.EVERYDAY, 0.9),), is_confident=True)

CHARACTER = """
id = "{id}"
name = "{id}"
name_en = "{id}"
renderers = ["lora:{adapter}", "prompt"]
persona = "이야기를 듣는 인공지능입니다."
greeting = "안녕하세요."
sample = "안녕하세요."
"""


@dataclass(frozen=True)
class Server:
    """`vllm serve` on loopback, which counts what it does."""

    url: str

    async def figure(self, name: str) -> float:
        async with aiohttp.ClientSession() as session, session.get(f"{self.url}/metrics") as response:
            lines = (await response.text()).splitlines()
        return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(f"vllm:{name}{{"))

    async def until(self, name: str, figure: float) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while await self.figure(name) != figure:  # noqa: ASYNC110 - it is another process
                await asyncio.sleep(0.1)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    environment = Path(os.environ.get("MENTOS_TEST_VLLM") or "nowhere").absolute()
    if not (environment / "bin" / "vllm").is_file():
        pytest.skip(HOW_TO_GET_IT)
    folder = tmp_path_factory.mktemp("adapters")
    subprocess.run(
        [environment / "bin" / "python", "-m", "tests.models.adapters", folder],
        env=_variables(folder),
        cwd=ROOT,
        check=True,
    )
    with _serving(environment / "bin" / "vllm", folder) as url:
        yield Server(url)


@contextmanager
def _serving(vllm: Path, folder: Path) -> Iterator[str]:
    port = str(free_port())
    url = f"http://127.0.0.1:{port}"
    command = [vllm, "serve", folder / "model", "--served-model-name", NAME, "--host", "127.0.0.1", "--port", port]
    command += ["--dtype", "float32", "--max-model-len", "4096", "--enforce-eager"]
    command += ["--enable-lora", "--max-lora-rank", str(RANK)]
    # on the CPU who asks for none beside those who ask gets the last place (vllm-project/vllm#48421): it stays empty
    command += ["--max-loras", str(len(ADAPTERS) + 1)]
    command += ["--lora-modules", *(f"{name}={folder / name}" for name in ADAPTERS)]
    log = folder / "log"
    with log.open("wb") as written:
        process = subprocess.Popen(
            [str(word) for word in command],
            env=_variables(folder),
            stdout=written,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        asyncio.run(_started(url, process, log))
        yield url
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(PATIENCE_S)
        with suppress(ProcessLookupError):  # its engine is a process of its own
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _variables(folder: Path) -> dict[str, str]:
    return {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "HF_HUB_OFFLINE": "1",
        "HF_HOME": str(folder / "hub"),
        "VLLM_CACHE_ROOT": str(folder / "cache"),
        "VLLM_CPU_KVCACHE_SPACE": "1",
        "VLLM_NO_USAGE_STATS": "1",
    }


async def _started(url: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    async with aiohttp.ClientSession() as session, asyncio.timeout(STARTS_WITHIN_S):
        while True:
            assert process.poll() is None, f"vllm serve ended at once: see {log}"
            with suppress(aiohttp.ClientError):
                async with session.get(f"{url}/health") as response:
                    if response.status == 200:
                        return
            await asyncio.sleep(0.2)


@pytest.fixture
async def replica(server: Server) -> AsyncIterator[Replica]:
    async with aiohttp.ClientSession() as session:
        replica = Replica(server.url, session=session, api_key=None, at_once=8, kind=None)
        assert await replica.look()
        yield replica
        await replica.close()


@asynccontextmanager
async def talking(server: Server, home: Path) -> AsyncIterator[Mentos]:
    settings = Settings(
        home=home,
        llm={"url": server.url, "temperature": 0, "first_token_s": 60, "total_s": 90},  # type: ignore[arg-type]
        consent={"assume": "storage,memory"},  # type: ignore[arg-type]
    )
    async with open_mentos(settings) as mentos:
        yield mentos


async def said(mentos: Mentos, text: str, number: int, *, who: str = "haneul") -> str:
    heard = message(text, id_=f"{who}-{number}", account=Account("terminal", who), at=now())
    parts = [part async for part in mentos.conversation.respond(heard)]
    await mentos.conversation.delivered(heard)
    return " ".join(part.text for part in parts if part.kind is Kind.SAID)


def written(home: Path, id_: str, *, adapter: str) -> None:
    (home / "characters").mkdir(exist_ok=True)
    (home / "characters" / f"{id_}.toml").write_text(CHARACTER.format(id=id_, adapter=adapter), encoding="utf-8")


async def test_what_it_is_and_the_name_of_its_base_model_are_found(replica: Replica) -> None:
    assert replica.about
    assert replica.about.dialect.kind is ServerKind.VLLM
    assert replica.about.base == NAME
    assert set(replica.about.models) == {NAME, *ADAPTERS}
    assert replica.about.max_total_tokens == 4096


@pytest.mark.parametrize(
    ("renderer", "answer"),
    [("prompt", BASE), *((f"lora:{name}", answer) for name, answer in ADAPTERS.items())],
    ids=["base", *ADAPTERS],
)
async def test_each_adapter_says_what_it_has_learnt(replica: Replica, renderer: str, answer: str) -> None:
    model = TGI(
        [replica],
        adapters=lambda replica: ADAPTERS,
        sampling=Sampling(temperature=0),
        max_input_tokens=3072,
        first_s=PATIENCE_S,
    )
    situation = Situation("요즘 잠이 안 와요", character("somebody", renderer), CALM, ())

    assert "".join([piece async for piece in model.draft(situation)]) == answer


async def test_an_adapter_whose_name_is_misspelt_is_found(replica: Replica) -> None:
    assert await lacking_at(replica, [*ADAPTERS, "exprt"]) == frozenset({"exprt"})


async def test_an_adapter_that_it_lacks_is_not_answered_for(replica: Replica) -> None:
    with pytest.raises(ChatFault) as refused:
        await anext(replica.say(Asked(SAID, {"max_tokens": 64}, "exprt"), first_s=PATIENCE_S))
    assert refused.value.fault is Fault.UNKNOWN_MODEL


async def test_a_whole_conversation_is_in_the_words_of_whom_was_chosen(server: Server, tmp_path: Path) -> None:
    async with talking(server, tmp_path) as mentos:
        assert await said(mentos, "요즘 잠이 안 와요", 0) == BASE
        await said(mentos, "/말투 expert", 1)
        assert await said(mentos, "회사 일이 너무 많아요", 2) == ADAPTERS["expert"]
        assert await said(mentos, "그래도 오늘은 좀 쉬었어요", 3) == ADAPTERS["expert"]
        await said(mentos, "/말투 멘토스", 4)
        assert await said(mentos, "내일은 산책을 하려고요", 5) == BASE
        assert (await mentos.check())["llm"] == "ok"


async def test_a_character_whose_adapter_is_unknown_is_rendered_otherwise(server: Server, tmp_path: Path) -> None:
    written(tmp_path, "harry", adapter="harry")
    written(tmp_path, "hermione", adapter="hermoine")

    async with talking(server, tmp_path) as mentos:
        renderers: dict[str, str] = {id_: each.renderer for id_, each in mentos.characters.items()}
        await said(mentos, "/말투 harry", 0)
        by_harry = await said(mentos, "요즘 잠이 안 와요", 1)
        await said(mentos, "/말투 hermione", 2)
        by_hermione = await said(mentos, "회사 일이 너무 많아요", 3)

    assert (renderers["expert"], renderers["harry"], renderers["hermione"]) == ("lora:expert", "lora:harry", "prompt")
    assert (by_harry, by_hermione) == (ADAPTERS["harry"], BASE)


async def test_eight_people_at_once_are_each_answered_by_whom_they_chose(server: Server, tmp_path: Path) -> None:
    written(tmp_path, "harry", adapter="harry")
    chosen = ["멘토스", "expert", "harry", "expert"] * 2
    people = [f"person-{number}" for number in range(len(chosen))]

    async with talking(server, tmp_path) as mentos:
        for who, tone in zip(people, chosen, strict=True):
            await said(mentos, f"/말투 {tone}", 0, who=who)
        replies = await asyncio.gather(*(said(mentos, "요즘 잠이 안 와요", 1, who=who) for who in people))

    assert replies == [ADAPTERS.get(tone, BASE) for tone in chosen]


async def test_somebody_who_leaves_frees_the_slot(server: Server, replica: Replica) -> None:
    wanted = 3000
    before = await server.figure("generation_tokens_total")
    asked = Asked(SAID, {"max_tokens": wanted, "min_tokens": wanted, "temperature": 0}, "expert")

    async with aclosing(replica.say(asked, first_s=PATIENCE_S)) as reply:
        await anext(reply)
        await server.until("num_requests_running", 1)
    await server.until("num_requests_running", 0)

    assert await server.figure("generation_tokens_total") - before < wanted
