"""The engines over HTTP, asked through real sockets: answers, refusals, and what is never said."""

import asyncio
import io
import json
import logging
import math
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import pytest
import uvicorn
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from inference_server import app as api
from inference_server.app import app_of
from inference_server.batching import Batcher
from inference_server.emotion import LABELS, Ranking
from inference_server.engines import About, Embedding, Engines
from inference_server.models import Task

SECRET = "비밀스러운말"
ROUTES = ("/v1/emotion", "/v1/tone", "/v1/embed")
JSON = {"Content-Type": "application/json"}
CALM = Ranking(tuple((label, 1 / len(LABELS)) for label in LABELS), is_confident=False)


def calm(texts: Sequence[str]) -> list[Ranking]:
    return [CALM for _ in texts]


def aloud(asked: Sequence[tuple[str, str]]) -> list[str]:
    return [f"{text}!" for text, _ in asked]


def pointing(texts: Sequence[str]) -> list[Embedding]:
    return [Embedding(np.array([0.6, 0.8], dtype=np.float32), {text: 1.0}) for text in texts]


def engines(
    *,
    read: Callable[[Sequence[str]], Sequence[Ranking]] = calm,
    embed: Callable[[Sequence[str]], Sequence[Embedding]] = pointing,
    waiting_at_most: int = 256,
    missing: tuple[str, ...] = (),
) -> Engines:
    """Small engines that work; one item a batch, so that what waits can be counted."""
    about: dict[Task, About] = {
        "emotion": About("emotion", "calm", None, "numpy", labels=LABELS),
        "tone": About("tone", "loud", "abc", "rules", styles=("loud", "quiet")),
        "embedding": About("embedding", "pointing", None, "torch", size=2),
    }
    return Engines(
        reading=Batcher(read, name="emotion", at_most=1, waiting_at_most=waiting_at_most),
        restyling=Batcher(aloud, name="tone"),
        embedding=Batcher(embed, name="embedding"),
        about=about,
        missing=missing,
    )


@dataclass(frozen=True)
class Answer:
    status: int
    text: str
    headers: dict[str, str]

    @property
    def body(self) -> Any:  # noqa: ANN401 - whatever JSON the server answers
        return json.loads(self.text, parse_constant=pytest.fail)

    @property
    def error(self) -> str:
        """The type of the error, after a look at its shape."""
        assert self.headers["Content-Type"] == "application/json"
        [(name, error)] = self.body.items()
        assert (name, sorted(error)) == ("error", ["message", "type"])
        assert SECRET not in self.text
        return str(error["type"])


def as_bytes(body: object) -> bytes:
    return body if isinstance(body, bytes) else json.dumps(body).encode()


class Client:
    """Asks a server; each request has a connection of its own."""

    def __init__(self, url: str, stop: Callable[[], None] = lambda: None) -> None:
        self.url = url
        self.stop = stop

    async def post(self, path: str, body: object, **headers: str) -> Answer:
        data = body if isinstance(body, AsyncIterator) else io.BytesIO(as_bytes(body))
        async with (
            aiohttp.ClientSession(headers={**JSON, **headers}) as session,
            session.post(self.url + path, data=data) as response,
        ):
            return Answer(response.status, await response.text(), dict(response.headers))

    async def get(self, path: str) -> Answer:
        async with aiohttp.ClientSession() as session, session.get(self.url + path) as response:
            return Answer(response.status, await response.text(), dict(response.headers))


@asynccontextmanager
async def serving(over: Engines, *, waits_s: int = 10, **options: float) -> AsyncIterator[Client]:
    """Serve in this process, where `caplog` hears every line; `waits_s` is for requests at hand when it is stopped."""
    config = uvicorn.Config(
        app_of(over, **options), lifespan="off", ws="none", log_config=None, timeout_graceful_shutdown=waits_s
    )
    server = uvicorn.Server(config)
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        running = asyncio.create_task(server.serve(sockets=[listening]))
        try:
            yield Client(f"http://127.0.0.1:{listening.getsockname()[1]}", lambda: setattr(server, "should_exit", True))
        finally:
            server.should_exit = True
            await running
            await over.close()


@contextmanager
def command(*arguments: str, folder: Path, **variables: str) -> Iterator[subprocess.Popen[bytes]]:
    """`python -m inference_server …` as an operator starts it, with no MENTOS_ variable but these."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("MENTOS_")}
    process = subprocess.Popen(
        [sys.executable, "-m", "inference_server", *arguments],
        env={**inherited, **variables},
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def announced(process: subprocess.Popen[bytes]) -> str:
    """Wait for the one line at the start."""
    assert process.stdout
    line = process.stdout.readline().decode()
    if not line:
        assert process.stderr
        pytest.fail(process.stderr.read().decode())
    return line


def url_in(line: str) -> str:
    [url] = re.findall(r"http://[\d.]+:\d+", line)
    return str(url)


@pytest.fixture(scope="module")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """The command with what it serves by default."""
    with command("serve", "--port", "0", folder=tmp_path_factory.mktemp("empty")) as process:
        yield Client(url_in(announced(process)))


class Held:
    """Work that waits to be let go, and remembers what it was given."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.released = threading.Event()
        self._begun = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def __call__(self, texts: Sequence[str]) -> list[Ranking]:
        self.seen += texts
        self._loop.call_soon_threadsafe(self._begun.set)
        assert self.released.wait(60)
        return calm(texts)

    async def begun(self) -> None:
        await asyncio.wait_for(self._begun.wait(), 60)


@pytest.fixture
async def held() -> AsyncIterator[Held]:
    work = Held()
    try:
        yield work
    finally:
        work.released.set()


async def test_each_text_is_read_in_its_place_with_the_likeliest_label_first(embedded: Client) -> None:
    answer = await embedded.post("/v1/emotion", {"texts": ["오늘 면접에 붙어서 정말 기뻐요!", "너무 우울하고 슬퍼요"]})

    assert answer.status == 200
    happy, sad = answer.body["results"]
    assert (happy["scores"][0]["label"], sad["scores"][0]["label"]) == ("기쁨(행복한)", "슬픔(우울한)")
    for result in (happy, sad):
        scores = [score["score"] for score in result["scores"]]
        assert scores == sorted(scores, reverse=True)
        assert math.isclose(sum(scores), 1, abs_tol=1e-5)
        assert result["is_confident"] in (True, False)


async def test_texts_are_restyled_in_their_order(embedded: Client) -> None:
    answer = await embedded.post("/v1/tone", {"texts": ["밥은 드셨어요?", "", "고마워요."], "style": "banmal"})

    assert answer.status == 200
    assert answer.body == {"model": "embedded-tone", "texts": ["밥은 먹었어?", "", "고마워."]}


async def test_without_an_encoder_texts_have_terms_and_no_vector(embedded: Client) -> None:
    answer = await embedded.post("/v1/embed", {"texts": ["고양이가 밥을 먹어요", "…"]})

    assert answer.status == 200
    assert (answer.body["size"], answer.body["dense"]) == (None, None)
    cat, nothing = answer.body["sparse"]
    assert cat["고양이/N"] == 1.0
    assert nothing == {}


async def test_with_an_encoder_texts_have_a_vector_each() -> None:
    async with serving(engines()) as client:
        answer = await client.post("/v1/embed", {"texts": ["하나", "둘"]})

    assert answer.body["size"] == 2
    assert np.allclose(answer.body["dense"], [[0.6, 0.8], [0.6, 0.8]])
    assert answer.body["sparse"] == [{"하나": 1.0}, {"둘": 1.0}]


async def test_the_models_are_named_with_what_to_expect_of_them(embedded: Client) -> None:
    models = {model["task"]: model for model in (await embedded.get("/v1/models")).body["models"]}

    assert sorted(models) == ["embedding", "emotion", "tone"]
    assert models["emotion"]["labels"] == list(LABELS)
    assert "seonbi" in models["tone"]["styles"]
    assert [models[task]["runtime"] for task in ("emotion", "tone", "embedding")] == ["numpy", "rules", "rules"]
    answer = await embedded.post("/v1/emotion", {"texts": ["안녕하세요"]})
    assert answer.body["model"] == models["emotion"]["name"]


async def test_as_many_and_as_long_texts_as_are_allowed_are_answered(embedded: Client) -> None:
    long = "요즘 잠이 안 와요. " * 1_700
    for path in ROUTES:
        extra = {"style": "haeyo"} if path == "/v1/tone" else {}
        for texts in (["안녕하세요"] * 64, [long[:20_000]]):
            assert (await embedded.post(path, {"texts": texts, **extra})).status == 200


def nested(depth: int) -> bytes:
    return b'{"texts": ' + b"[" * depth + b"]" * depth + b"}"


BAD: dict[str, object] = {
    "no body": b"",
    "garbage": f'{{"texts": ["{SECRET}"'.encode(),
    "not UTF-8": b'{"texts": ["\xff\xfe"]}',
    "nested too deeply": nested(100_000),
    "a number with too many digits": b'{"texts": [' + b"9" * 5_000 + b"]}",
    "a list": [SECRET],
    "a text": SECRET,
    "null": None,
    "nothing asked": {},
    "no texts": {"texts": []},
    "one text too many": {"texts": [SECRET] * 65},
    "a text instead of a list": {"texts": SECRET},
    "numbers": {"texts": [1, 2.5]},
    "a million numbers": b'{"texts": [' + b"1," * 1_000_000 + b"1]}",
    "a null among them": {"texts": [SECRET, None]},
    "a text that is too long": {"texts": [SECRET * 4_000]},
    "a megabyte of text": {"texts": ["a" * 1_000_000]},
    "half of a surrogate pair": b'{"texts": ["\\ud800"]}',
    "an unknown field": {"texts": ["안녕"], SECRET: 1},
    "a hundred thousand unknown fields": {f"{number}": 0 for number in range(100_000)},
}


@pytest.mark.parametrize("body", BAD.values(), ids=BAD.keys())
async def test_what_is_not_as_it_must_be_is_refused_without_being_quoted(embedded: Client, body: object) -> None:
    for path in ROUTES:
        asked = {**body, "style": "haeyo"} if isinstance(body, dict) and path == "/v1/tone" else body
        answer = await embedded.post(path, asked)
        assert (answer.status, answer.error) == (422, "invalid")


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
async def test_only_json_is_taken_so_that_no_other_page_can_ask_by_a_form(embedded: Client, content_type: str) -> None:
    answer = await embedded.post("/v1/emotion", {"texts": [SECRET]}, **{"Content-Type": content_type})
    assert (answer.status, answer.error) == (422, "invalid")
    assert "Content-Type" in answer.text


async def test_the_place_of_the_first_fault_is_named(embedded: Client) -> None:
    answer = await embedded.post("/v1/emotion", {"texts": ["안녕", 7, SECRET]})
    assert "texts.1" in answer.body["error"]["message"]


@pytest.mark.parametrize("style", [SECRET, "", "HAEYO", "x" * 65])
async def test_an_unknown_style_is_refused_and_the_known_ones_are_named(embedded: Client, style: str) -> None:
    answer = await embedded.post("/v1/tone", {"texts": ["안녕하세요"], "style": style})
    assert (answer.status, answer.error) == (422, "invalid")
    assert len(style) > 64 or "seonbi" in answer.body["error"]["message"]


@pytest.mark.parametrize("deadline", ["0", "-1", "soon", "1.5", "nan", "600001", "9" * 5_000])
async def test_a_deadline_is_a_number_of_milliseconds(embedded: Client, deadline: str) -> None:
    answer = await embedded.post("/v1/emotion", {"texts": ["안녕"]}, **{"X-Deadline-Ms": deadline})
    assert (answer.status, answer.error) == (422, "invalid")
    assert "X-Deadline-Ms" in answer.text


async def test_other_paths_and_methods_are_refused_in_json_too(embedded: Client) -> None:
    for answer, status in (
        (await embedded.get(f"/{SECRET}"), 404),
        (await embedded.get("/docs"), 404),
        (await embedded.post("/v1/emotion/", {"texts": ["안녕"]}), 404),
        (await embedded.get("/v1/emotion"), 405),
    ):
        assert (answer.status, answer.error) == (status, "invalid")


async def test_a_body_that_is_too_long_is_refused_whether_its_length_is_told_or_not(embedded: Client) -> None:
    body = b'{"texts": ["' + SECRET.encode() * 200_000 + b'"]}'

    async def piecemeal() -> AsyncIterator[bytes]:
        for start in range(0, len(body), 50_000):
            yield body[start : start + 50_000]

    for sent in (body, piecemeal()):
        answer = await embedded.post("/v1/emotion", sent)
        assert (answer.status, answer.error) == (413, "too_large")


async def test_a_body_in_pieces_is_put_together() -> None:
    async def piecemeal() -> AsyncIterator[bytes]:
        for byte in json.dumps({"texts": ["안녕"]}).encode():
            yield bytes([byte])

    async with serving(engines()) as client:
        assert (await client.post("/v1/emotion", piecemeal())).status == 200


async def test_a_body_that_does_not_arrive_is_not_waited_for() -> None:
    async with serving(engines(), arrives_within_s=0.05) as client:
        host, port = client.url.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"POST /v1/emotion HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n")
        writer.write(b'Content-Length: 1000\r\n\r\n{"texts": ["')
        said = await asyncio.wait_for(reader.read(), 60)
        writer.close()
    assert said.startswith(b"HTTP/1.1 504 ")
    assert json.loads(said.partition(b"\r\n\r\n")[2])["error"]["type"] == "expired"


async def test_an_engine_that_breaks_is_told_without_a_trace_or_a_word(caplog: pytest.LogCaptureFixture) -> None:
    def read(texts: Sequence[str]) -> list[Ranking]:
        if SECRET in texts:
            raise ValueError(f"cannot read {texts}")
        return calm(texts)

    async with serving(engines(read=read)) as client:
        with caplog.at_level(logging.DEBUG):
            answer = await client.post("/v1/emotion", {"texts": ["안녕", SECRET]})
        assert (answer.status, answer.error) == (500, "failed")
        assert (await client.post("/v1/emotion", {"texts": ["안녕"]})).status == 200

    assert "ValueError" in caplog.text
    assert SECRET not in caplog.text
    assert "Traceback" not in answer.text + caplog.text


class Panic(BaseException):
    """What a library written in Rust raises when it breaks: no Exception."""


@pytest.mark.parametrize("error", [Panic, asyncio.CancelledError])
async def test_an_engine_that_breaks_in_any_way_is_told_in_json(
    caplog: pytest.LogCaptureFixture, error: type[BaseException]
) -> None:
    def read(texts: Sequence[str]) -> list[Ranking]:
        raise error(SECRET)

    async with serving(engines(read=read)) as client:
        answer = await client.post("/v1/emotion", {"texts": ["안녕"]})

    assert (answer.status, answer.error) == (500, "failed")
    assert error.__name__ in caplog.text
    assert SECRET not in caplog.text
    assert "Traceback" not in caplog.text


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
async def test_what_is_no_number_never_leaves(number: float) -> None:
    def read(texts: Sequence[str]) -> list[Ranking]:
        return [Ranking(((LABELS[0], number),), is_confident=True) for _ in texts]

    def embed(texts: Sequence[str]) -> list[Embedding]:
        return [Embedding(np.array([number, 0], dtype=np.float32), {}) for _ in texts]

    async with serving(engines(read=read, embed=embed)) as client:
        for path in ("/v1/emotion", "/v1/embed"):
            answer = await client.post(path, {"texts": ["안녕"]})
            assert (answer.status, answer.error) == (500, "failed")


async def test_who_cannot_wait_longer_is_told_so(held: Held) -> None:
    async with serving(engines(read=held)) as client:
        answer = await client.post("/v1/emotion", {"texts": [SECRET]}, **{"X-Deadline-Ms": "20"})
        assert (answer.status, answer.error) == (504, "expired")
        held.released.set()
        assert (await client.post("/v1/emotion", {"texts": ["안녕"]})).status == 200


async def test_when_too_many_wait_the_next_is_told_at_once_when_to_come_back(held: Held) -> None:
    async with serving(engines(read=held, waiting_at_most=1)) as client:
        first = asyncio.create_task(client.post("/v1/emotion", {"texts": ["하나"]}))
        await held.begun()
        answer = await client.post("/v1/emotion", {"texts": [SECRET, "둘"]})
        assert (answer.status, answer.error) == (429, "overloaded")
        assert answer.headers["Retry-After"] == "1"
        held.released.set()
        assert (await first).status == 200
    assert held.seen == ["하나"]


async def test_the_texts_of_who_has_left_are_not_worked_on(held: Held, caplog: pytest.LogCaptureFixture) -> None:
    async with serving(engines(read=held, waiting_at_most=1)) as client:
        first = asyncio.create_task(client.post("/v1/emotion", {"texts": ["하나"]}))
        await held.begun()

        async def ask() -> str:
            return (await client.post("/v1/emotion", {"texts": ["재촉"]}, **{"X-Deadline-Ms": "1"})).error

        async def wait_in_line() -> None:
            while (await client.post("/v1/emotion", {"texts": ["떠난 사람"]})).status == 429:
                pass

        leaver = asyncio.create_task(wait_in_line())
        async with asyncio.timeout(60):
            while await ask() != "overloaded":  # until the leaver has the one place
                pass
            leaver.cancel()
            while await ask() != "expired":  # until that place is free again
                pass
        held.released.set()
        assert (await first).status == 200
        assert (await client.post("/v1/emotion", {"texts": ["끝"]})).status == 200
    assert held.seen == ["하나", "끝"]
    assert "failed" not in caplog.text


async def test_a_request_at_hand_is_answered_when_the_server_is_told_to_stop(held: Held) -> None:
    async with serving(engines(read=held)) as client:
        answering = asyncio.create_task(client.post("/v1/emotion", {"texts": ["마지막"]}))
        await held.begun()
        client.stop()
        held.released.set()
        assert (await answering).status == 200


async def test_a_request_that_the_server_cannot_wait_for_is_told_that_it_stops(
    held: Held, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(engines(read=held), waits_s=0) as client:
        answering = asyncio.create_task(client.post("/v1/emotion", {"texts": [SECRET]}))
        await held.begun()
        client.stop()
        answer = await answering
        held.released.set()

    assert (answer.status, answer.error) == (503, "unavailable")
    assert "Traceback" not in caplog.text
    assert SECRET not in caplog.text


async def test_a_model_that_is_not_at_work_makes_the_server_unready_but_not_silent() -> None:
    why = "The emotion model x is not at work, calm answers for it: there is no folder 'x'."
    async with serving(engines(missing=(why,))) as client:
        ready = await client.get("/ready")
        assert (ready.status, ready.error) == (503, "unavailable")
        assert ready.body["error"]["message"] == why
        assert (await client.get("/health")).status == 200
        assert (await client.post("/v1/emotion", {"texts": ["안녕"]})).status == 200


async def test_operators_see_health_readiness_and_metrics_without_words(embedded: Client) -> None:
    await embedded.post("/v1/emotion", {"texts": [SECRET]})

    assert (await embedded.get("/health")).body == {"status": "ok"}
    assert (await embedded.get("/ready")).status == 200
    metrics = (await embedded.get("/metrics")).text
    assert re.search(r'mentos_queue_wait_seconds_count\{name="emotion"\} [1-9]', metrics)
    assert SECRET not in metrics


async def test_nothing_that_people_wrote_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with serving(engines()) as client:
        for path in ROUTES:
            for body in ({"texts": [SECRET], "style": "loud"}, {"texts": [SECRET]}, SECRET, {SECRET: SECRET}):
                await client.post(path, body)
    assert "/v1/emotion" in caplog.text  # something was listened to
    assert SECRET not in caplog.text
    assert json.dumps(SECRET).strip('"') not in caplog.text


async def test_openapi_names_every_route_and_its_errors(embedded: Client) -> None:
    paths = (await embedded.get("/openapi.json")).body["paths"]

    assert set(paths) == {*ROUTES, "/v1/models", "/health", "/ready", "/metrics"}
    for path in ROUTES:
        responses = paths[path]["post"]["responses"]
        assert set(responses) == {"200", "413", "422", "429", "500", "503", "504"}
        for status in set(responses) - {"200"}:
            schema = responses[status]["content"]["application/json"]["schema"]
            assert schema == {"$ref": "#/components/schemas/ErrorResponse"}


async def test_every_example_in_openapi_is_one(embedded: Client) -> None:
    described = (await embedded.get("/openapi.json")).body
    schemas = described["components"]["schemas"]

    for path in ROUTES:
        operation = described["paths"][path]["post"]
        asked, given = (
            part["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
            for part in (operation["requestBody"], operation["responses"]["200"])
        )
        for example in schemas[asked]["examples"]:
            assert (await embedded.post(path, example)).status == 200
        assert schemas[given]["examples"]
    for name, schema in schemas.items():
        for example in schema.get("examples", ()):
            model: type[BaseModel] = getattr(api, name)
            assert model.model_validate(example, strict=True).model_dump() == example


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(exclude_categories=()), max_size=80),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
REQUESTS = st.fixed_dictionaries(
    {"texts": st.lists(st.text(st.characters(exclude_categories=()), max_size=80) | VALUES, max_size=5) | VALUES},
    optional={"style": st.sampled_from(["haeyo", "naruto", "enfp"]) | VALUES, "more": VALUES},
)


@settings(max_examples=80, deadline=None)
@given(st.sampled_from(ROUTES), REQUESTS | VALUES)
async def test_any_json_is_answered_or_refused_in_json(embedded: Client, path: str, body: object) -> None:
    answer = await embedded.post(path, body)

    assert answer.status in (200, 422)
    if answer.status == 422:
        assert answer.error == "invalid"
    else:
        assert answer.body["model"]


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(ROUTES), st.binary(max_size=200))
async def test_any_bytes_are_refused_in_json(embedded: Client, path: str, body: bytes) -> None:
    answer = await embedded.post(path, body)
    assert (answer.status, answer.error) == (422, "invalid")


async def test_the_command_says_where_it_listens_and_what_answers_and_ends_cleanly(tmp_path: Path) -> None:
    with command("serve", "--port", "0", folder=tmp_path) as process:
        line = announced(process)
        assert "127.0.0.1" in line
        for name in ("embedded-emotion", "embedded-tone", "embedded-terms"):
            assert name in line
        answer = await Client(url_in(line)).post("/v1/emotion", {"texts": [SECRET]})
        assert answer.status == 200
        process.send_signal(signal.SIGTERM)
        out, err = await asyncio.to_thread(process.communicate, timeout=60)
        assert (process.returncode, out, err) == (0, b"", b"")


async def test_a_model_that_cannot_be_loaded_is_said_in_one_sentence_and_replaced(tmp_path: Path) -> None:
    with command("serve", "--port", "0", folder=tmp_path, MENTOS_MODELS__EMOTION="no/such-model") as process:
        client = Client(url_in(announced(process)))
        ready = await client.get("/ready")
        assert (ready.status, ready.error) == (503, "unavailable")
        answer = await client.post("/v1/emotion", {"texts": ["안녕"]})
        assert (answer.status, answer.body["model"]) == (200, "embedded-emotion")
        process.terminate()
        _, err = await asyncio.to_thread(process.communicate, timeout=60)
    assert err.decode().splitlines() == [ready.body["error"]["message"]]
    assert "no/such-model" in err.decode()


@pytest.mark.parametrize(
    ("arguments", "variables", "named"),
    [
        (("serve", "--port", "70000"), {}, "--port"),
        (("serve", "--host", "192.0.2.1", "--port", "0"), {}, "--host"),
        (("serve",), {"MENTOS_MODELS__THREADS": SECRET}, "MENTOS_MODELS__THREADS"),
        (("export", "nowhere", "out", "--task", "emotion"), {}, "nowhere"),
        (("pin", "nowhere"), {}, "owner/name"),
    ],
    ids=["a port that is none", "an address of another machine", "a variable that does not fit", "export", "pin"],
)
def test_what_an_operator_can_mend_is_one_sentence(
    tmp_path: Path, arguments: tuple[str, ...], variables: dict[str, str], named: str
) -> None:
    with command(*arguments, folder=tmp_path, **variables) as process:
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (1, b"")
    assert err.count(b"\n") == 1
    assert named in err.decode()
    assert SECRET not in err.decode()


def test_a_taken_port_is_said_before_any_model_is_loaded(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        with command("serve", "--port", port, folder=tmp_path, MENTOS_MODELS__EMOTION="no/such-model") as process:
            _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert port in err.decode()
    assert "no/such-model" not in err.decode()
