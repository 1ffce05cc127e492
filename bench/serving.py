"""What the language-model client costs: CPU a token, and the time that it adds to the server's own.

    .venv/bin/python bench/serving.py [--python PYTHON] > bench/results/serving.json

The server is another process (`bench/chat_server.py`), so that its CPU is not ours. PYTHON has the openai and
huggingface_hub clients, for comparison in the same run; without it only aiohttp stands beside ours.
"""

import argparse
import asyncio
import gc
import json
import socket
import statistics
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter, process_time

import aiohttp

from bot.backends.replica import Replica
from bot.backends.resilience import Deadline, Fallback
from bot.backends.stream import said_in
from bot.backends.tgi import TGI, Sampling
from bot.conversation.model import Character, CharacterId, Emotion, EmotionLabel, Situation
from bot.conversation.sentences import sentences

TOKENS = 200
SITUATION = Situation(
    "잠이 안 와요",
    Character(CharacterId("mentos"), "멘토스", "Mentos", "rule:haeyo", "", "", "", "rule:haeyo"),
    Emotion(((EmotionLabel.ANXIOUS, 0.9),), is_confident=True),
    (),
)
OTHERS = """
import asyncio, json, sys
from time import process_time
URL, TOKENS, TIMES = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
SAID = [{"role": "user", "content": "잠이 안 와요"}]
async def with_openai():
    import openai
    async with openai.AsyncOpenAI(base_url=URL + "/v1", api_key="x", max_retries=0) as client:
        async def once():
            async with await client.chat.completions.create(messages=SAID, model="tgi", stream=True) as said:
                async for _ in said: pass
        return await cpu(once)
async def with_hub():
    from huggingface_hub import AsyncInferenceClient
    client = AsyncInferenceClient(base_url=URL + "/v1", api_key="x", timeout=30)
    async def once():
        async for _ in await client.chat_completion(SAID, stream=True): pass
    found = await cpu(once)
    await client.close()
    return found
async def cpu(once):
    await once()
    taken = []
    for _ in range(TIMES):
        start = process_time()
        await once()
        taken.append((process_time() - start) * 1e6 / TOKENS)
    return round(min(taken), 1)
async def main():
    print(json.dumps({"openai": await with_openai(), "huggingface_hub": await with_hub()}))
asyncio.run(main())
"""


@contextmanager
def server(tokens: int, pause_ms: float) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, str(Path(__file__).with_name("chat_server.py")), str(port), str(tokens), str(pause_ms)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout
            process.stdout.readline()
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


def model(session: aiohttp.ClientSession, url: str, *, at_once: int = 8) -> tuple[TGI, Replica]:
    replica = Replica(url, session=session, api_key=None, at_once=at_once, kind=None)
    return TGI([replica], sampling=Sampling(TOKENS), max_input_tokens=3072, first_s=60), replica


async def cpu_ms(once: Callable[[], Awaitable[None]], times: int) -> float:
    """Return the least CPU of several runs, in ms per 1,000 tokens: another process may only add to it."""
    await once()
    taken = []
    for _ in range(times):
        start = process_time()
        await once()
        taken.append((process_time() - start) * 1e6 / TOKENS)
    return round(min(taken), 1)


async def costs(times: int) -> dict[str, float]:
    asked = {"messages": [{"role": "user", "content": "잠이 안 와요"}], "stream": True}
    with server(TOKENS, 0) as url:
        async with aiohttp.ClientSession() as session:
            client, replica = model(session, url)
            responder = Fallback(Deadline(client, first_s=60, total_s=60), client, on_fallback=lambda: None)

            async def raw() -> None:
                async with session.post(f"{url}/v1/chat/completions", json=asked) as response:
                    async for line in response.content:
                        if line.startswith(b"data: {"):
                            json.loads(line[6:])["choices"][0]["delta"]["content"]

            async def parsed() -> None:
                async with session.post(f"{url}/v1/chat/completions", json=asked) as response:
                    async for _ in said_in(response.content):
                        pass

            async def ours() -> None:
                async for _ in client.draft(SITUATION):
                    pass

            async def whole() -> None:
                async for _ in sentences(responder.draft(SITUATION)):
                    pass

            found = {
                "aiohttp, line by line": await cpu_ms(raw, times),
                "our stream alone": await cpu_ms(parsed, times),
                "our client": await cpu_ms(ours, times),
                "our client, deadline, fallback and sentences": await cpu_ms(whole, times),
            }
            await replica.close()
    return found


def costs_of_others(times: int, python: str) -> dict[str, float]:
    with server(TOKENS, 0) as url:
        command = [python, "-c", OTHERS, url, str(TOKENS), str(times)]
        found: dict[str, float] = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    return found


async def against_the_server(conversations: int, pause_ms: float) -> dict[str, object]:
    """Compare when the first sentence and the end are shown with when the server wrote them, everybody at once.

    As in `mentos serve`, the server was looked at before, and garbage is not looked for among what was loaded.
    """
    gc.collect()
    gc.freeze()
    with server(TOKENS, pause_ms) as url:
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
            client, replica = model(session, url, at_once=conversations)
            assert await replica.look()
            responder = Fallback(Deadline(client, first_s=60, total_s=60), client, on_fallback=lambda: None)

            async def shown() -> tuple[float, float]:
                begun = perf_counter()
                first = 0.0
                async for _ in sentences(responder.draft(SITUATION)):
                    first = first or perf_counter() - begun
                return first, perf_counter() - begun

            turns = [await asyncio.gather(*(shown() for _ in range(conversations))) for _ in range(2)]
            async with session.get(f"{url}/times") as response:
                own = await response.json()
            await replica.close()
    return {
        "conversations": conversations,
        # all connect in one moment
        "first turn": _beside(turns[0], own[:conversations]),
        "next turn": _beside(turns[1], own[conversations:]),
    }


def _beside(taken: Sequence[tuple[float, float]], own: Sequence[tuple[float, float]]) -> dict[str, float]:
    first, whole = (statistics.median(each[at] for each in taken) for at in (0, 1))
    own_first, own_whole = (statistics.median(each[at] for each in own) for at in (0, 1))
    return {
        "first sentence, s: the server's own": round(own_first, 3),
        "first sentence, s: shown": round(first, 3),
        "first sentence, ratio": round(first / own_first, 3),
        "first sentence, ratio, slowest": round(max(each[0] for each in taken) / max(each[0] for each in own), 3),
        "whole reply, ratio": round(whole / own_whole, 3),
    }


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=40)
    parser.add_argument("--python", help="a Python with openai and huggingface_hub")
    chosen = parser.parse_args()
    others = costs_of_others(chosen.times, chosen.python) if chosen.python else {}
    found = {
        "CPU, ms per 1,000 tokens": {**await costs(chosen.times), **others},
        "beside the server": await against_the_server(100, 30),
    }
    print(json.dumps(found, indent=1, ensure_ascii=False))


if __name__ == "__main__":
    asyncio.run(main())
