"""The server that stands in for Text Generation Inference is understood by clients that none of us wrote."""

from typing import Any

import pytest

openai = pytest.importorskip("openai", reason="asked by `make test-models`")
huggingface_hub = pytest.importorskip("huggingface_hub", reason="asked by `make test-models`")

from tests.chat_server import ChatServer, chat_server, error_event  # noqa: E402

SAID: Any = [{"role": "user", "content": "잠이 안 와요"}]


async def by_openai(server: ChatServer) -> str:
    async with (
        openai.AsyncOpenAI(base_url=f"{server.url}/v1", api_key="x", max_retries=0) as client,
        await client.chat.completions.create(messages=SAID, model="tgi", max_tokens=64, stream=True) as chunks,
    ):
        return "".join([chunk.choices[0].delta.content or "" async for chunk in chunks])


async def by_hub(server: ChatServer) -> str:
    client = huggingface_hub.AsyncInferenceClient(base_url=f"{server.url}/v1", api_key="x", timeout=30)
    try:
        chunks = await client.chat_completion(SAID, max_tokens=64, stream=True)
        return "".join([chunk.choices[0].delta.content or "" async for chunk in chunks])
    finally:
        await client.close()


@pytest.mark.parametrize("ask", [by_openai, by_hub])
async def test_a_reply_is_read(ask: Any, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ANN401 - either client
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)  # it would refuse loopback too
    server = ChatServer(pieces=[b":\n\n", "그러셨군요. ", "언제부터 그러셨어요?"])
    async with chat_server(server):
        assert await ask(server) == "그러셨군요. 언제부터 그러셨어요?"


async def test_openai_tells_the_errors_apart() -> None:
    async with chat_server(ChatServer(status=429, body='{"error":"Model is overloaded"}')) as server:
        with pytest.raises(openai.RateLimitError):
            await by_openai(server)
    async with chat_server(ChatServer(status=422)) as server:
        with pytest.raises(openai.UnprocessableEntityError):
            await by_openai(server)
    async with chat_server(ChatServer(pieces=["네", error_event("Request failed during generation")])) as server:
        with pytest.raises(openai.APIError):
            await by_openai(server)
