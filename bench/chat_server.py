"""A chat-completions server in a process of its own that costs next to nothing: raw asyncio, events rendered before.

    python bench/chat_server.py PORT TOKENS PAUSE_MS

Each reply is TOKENS events of one Korean syllable or two, a sentence of 20 tokens, PAUSE_MS apart. GET /times returns
when each reply's first sentence and its end were written, in seconds from when it was asked.
"""

import asyncio
import json
import sys

SENTENCE = 20
_WORDS = [*["그때 ", "마음이 "] * 8, "그러", "셨군", "요", ". "]
_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: %s\r\n%s\r\n\r\n"


def _event(content: str, reason: str | None) -> bytes:
    choice = {"index": 0, "delta": {"role": "assistant", "content": content}, "logprobs": None, "finish_reason": reason}
    chunk = {
        "object": "chat.completion.chunk",
        "id": "",
        "created": 1706270978,
        "model": "tgi",
        "system_fingerprint": "3.3.7-sha",
        "choices": [choice],
        "usage": None,
    }
    data = f"data: {json.dumps(chunk, ensure_ascii=False)}\n\n".encode()
    return b"%x\r\n%s\r\n" % (len(data), data)


def _reply(tokens: int) -> list[bytes]:
    events = [_event(_WORDS[number % SENTENCE], None) for number in range(tokens - 1)]
    return [*events, _event("", "stop")]


async def main(port: int, tokens: int, pause_s: float) -> None:
    reply = _reply(tokens)
    info = {"model_id": "bench", "max_concurrent_requests": 512}
    times: list[tuple[float, float]] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = next(
                    (int(line[15:]) for line in head.lower().split(b"\r\n") if line[:15] == b"content-length:"), 0
                )
                await reader.readexactly(length)
                if head.startswith(b"GET"):
                    body = json.dumps(times if b"/times" in head else info if b"/info" in head else {}).encode()
                    writer.write(_HEAD % (b"application/json", b"content-length: %d" % len(body)) + body)
                    continue
                writer.write(_HEAD % (b"text/event-stream", b"transfer-encoding: chunked"))
                now = asyncio.get_running_loop().time
                begun = first = now()
                for number, event in enumerate(reply, 1):
                    if pause_s:
                        await asyncio.sleep(max(begun + number * pause_s - now(), 0))
                    writer.write(event)
                    await writer.drain()
                    if number == SENTENCE:
                        first = now()
                times.append((first - begun, now() - begun))
                writer.write(b"0\r\n\r\n")
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", port)
    print("ready", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]) / 1000))
