"""Every door in one process: HTTP with KakaoTalk, Discord, the terminal's relay, and the sweep behind them."""

import asyncio
import errno
import gc
import itertools
import logging
import os
import re
import secrets
import signal
import socket
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, contextmanager
from datetime import UTC
from functools import partial
from typing import TYPE_CHECKING

import aiohttp
import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.types import Scope

from bot.app import Mentos, now, open_mentos
from bot.conversation.model import Mendable, shorten
from bot.messengers.kakao import PATH as KAKAO
from bot.messengers.kakao import KakaoDoor, read_skill_request
from bot.messengers.relay import Relay
from bot.messengers.web import safety, visitors
from bot.messengers.web.guard import said_in
from bot.peers import Asker, AtHome, Peers
from bot.report import report
from bot.resources import strings
from bot.safety.assess import assess
from bot.settings import Settings
from storage.folder import DataFolder, Holder

if TYPE_CHECKING:
    from bot.messengers.web.door import WebDoor

log = logging.getLogger(__name__)

PORTS_TRIED = 20
PICTURE = (720, 540)
SWEEP_EVERY_S = 60
SWEEPS_UNTIL_SETTLED = 60
GRACE_S = 45
LONGEST_PAUSE_S = 300
PATIENCE_S, URGENT_PATIENCE_S, PICTURE_PATIENCE_S = 4.5, 1.5, 30.0
"""How long a bot may be silent before another answers in its place. KakaoTalk waits for five seconds."""
AT_HOME = re.compile(r"(?:/en)?/(?:gradio_api/queue/(?P<what>join|data)|(?:mood|days)\.png)")
"""What of the page only its person's home can answer."""


class NoPort(Mendable):
    """No address to listen on."""


async def serve(settings: Settings, *, host: str, port: int, say: Callable[[str], None]) -> None:
    """Serve until SIGTERM or SIGINT; then finish the turns at hand. What is left is found again at the next start."""
    listening = listen(host, port)
    async with AsyncExitStack() as stack:
        folder = DataFolder(settings.home)
        stack.callback(folder.close)
        mentos = await stack.enter_async_context(open_mentos(settings))
        words = mentos.words["serve"]

        token = secrets.token_urlsafe(32)
        relay = Relay(mentos.conversation, token=token, now=now)
        folder.announce(Holder(os.getpid(), await relay.open(), token))

        kakao_secret = settings.kakao.secret.get_secret_value() if settings.kakao.secret else secrets.token_urlsafe(24)
        kakao = KakaoDoor(
            conversation=mentos.conversation,
            header=settings.kakao.header,
            secret=kakao_secret,
            callback_hosts=settings.kakao.callback_hosts,
            tones=[(character.name, f"/말투 {character.id}") for character in mentos.characters.values()],
            strings=mentos.words["kakao"],
            now=now,
        )
        app = http(mentos, kakao)
        bound_host, bound_port = listening.getsockname()[:2]
        web = await _web(mentos, settings, app, host=bound_host) if settings.web.enabled else None
        if web:
            stack.callback(web.close)
        peers = Peers(settings.peers.split(",")) if settings.peers else None
        at_home = AtHome(app, peers=peers, asker=asker_of) if peers else None
        server = _Server(
            uvicorn.Config(
                at_home or app,
                lifespan="off",
                log_level="warning",
                access_log=False,
                timeout_graceful_shutdown=GRACE_S,
            )
        )
        doors: dict[str, Coroutine[None, None, None]] = {
            "http": server.serve(sockets=[listening]),
            "sweep": _sweep(mentos),
        }
        if at_home:
            stack.push_async_callback(at_home.close)
            doors["peers"] = at_home.watch()
        if settings.discord.token:
            doors["discord"] = _discord(mentos, settings, token=settings.discord.token.get_secret_value())

        _keep_what_is_loaded()

        for line in report(mentos):
            say(line)
        shown_host = f"[{bound_host}]" if ":" in bound_host else bound_host
        if port and bound_port != port:
            say(words["port_taken"].format(port=port, free=bound_port))
        say(words["kakao_on"] if settings.kakao.secret else words["kakao_off"].format(secret=kakao_secret))
        say(words["discord_on"] if settings.discord.token else words["discord_off"])
        say(words["web_on"].format(url=f"http://{shown_host}:{bound_port}/") if web else words["web_off"])
        if settings.peers:
            say(words["peers_on"].format(names=settings.peers))
        say(words["http_on"].format(url=f"http://{shown_host}:{bound_port}"))
        drains = [kakao.drain(), relay.drain(), *(each.drain() for each in (web, at_home) if each)]
        await _run_until_stopped(doors, server=server, drains=drains, failed=mentos.failed)


def listen(host: str, port: int) -> socket.socket:
    """Bind the port, or the next free one. Raises `NoPort`."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for candidate in range(port, min(port + PORTS_TRIED, 65_536)) if port else [0]:
        # asyncio sends at once (TCP_NODELAY) only where the protocol is named: else small answers wait 40 ms for an ACK
        listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((host, candidate))
            listening.listen()
        except OSError as error:
            listening.close()
            if error.errno != errno.EADDRINUSE:
                raise NoPort(
                    f"cannot listen on {host}:{candidate}: {error.strerror}; choose with --host and --port"
                ) from error
        else:
            return listening
    raise NoPort(f"ports {port} to {port + PORTS_TRIED - 1} are all taken; choose another with --port")


def http(mentos: Mentos, kakao: KakaoDoor) -> FastAPI:
    """KakaoTalk's skill, the page /safety, and for operators /healthz, /readyz and /metrics without text or ids."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    app.include_router(kakao.router)

    @app.get("/healthz")
    async def healthz() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/readyz")
    async def readyz() -> JSONResponse:
        parts = await mentos.check()
        is_ready = parts["database"] == "ok"
        return JSONResponse({"ready": is_ready, "parts": parts}, status_code=200 if is_ready else 503)

    @app.get("/safety")
    async def safety_page(language: str = mentos.settings.language) -> HTMLResponse:
        return HTMLResponse(safety.page(language if language in {"ko", "en"} else "ko"), headers=safety.HEADERS)

    @app.get("/metrics")
    async def metrics() -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    return app


def asker_of(scope: Scope, body: bytes) -> Asker | None:
    """Say whose words, or whose browser, a request comes with. Words that mean danger are soon answered by anybody."""
    if scope["path"] == KAKAO:
        asked = read_skill_request(body)
        return Asker(f"{asked.bot}:{asked.user}", _patience(asked.text)) if asked else None
    browser = visitors.browser_of(Request(scope).cookies)
    if browser == visitors.NOBODY or not (found := AT_HOME.fullmatch(scope["path"])):
        return None
    match found["what"]:
        case "join":
            return Asker(browser, _patience(said_in(body)))
        case "data":
            return Asker(browser, PATIENCE_S, is_stream=True)
        case _:
            return Asker(browser, PICTURE_PATIENCE_S)


def _patience(said: str) -> float:
    return URGENT_PATIENCE_S if assess(shorten(said)).is_urgent else PATIENCE_S


def _keep_what_is_loaded() -> None:
    """Spare what is loaded by now the garbage collector, which stops everybody while it looks through all of it."""
    gc.collect()
    gc.freeze()


class _Server(uvicorn.Server):
    """Leaves the signals to us: uvicorn raises them again when it has stopped, before anything else could finish."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def _run_until_stopped(
    doors: Mapping[str, Coroutine[None, None, None]],
    *,
    server: uvicorn.Server,
    drains: Sequence[Coroutine[None, None, None]],
    failed: dict[str, str],
) -> None:
    """Run the doors side by side. One that fails is logged and shown in /readyz; the others stay open."""
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)

    def note(task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()):
            failed[task.get_name()] = type(error).__name__
            log.error("the %s door failed: %s; the others stay open", task.get_name(), type(error).__name__)

    tasks = [asyncio.create_task(door, name=name) for name, door in doors.items()]
    for task in tasks:
        task.add_done_callback(note)
    await stopped.wait()
    server.should_exit = True  # lets the requests at hand finish
    for task in tasks:
        if task.get_name() != "http":
            task.cancel()
    await asyncio.wait([*tasks, *map(asyncio.ensure_future, drains)], timeout=GRACE_S)


async def _web(mentos: Mentos, settings: Settings, app: FastAPI, *, host: str) -> "WebDoor":
    """Mount the page at `/`, behind every other route."""
    from bot.journal.plot import counsel_png, days_png
    from bot.messengers.web.door import WebDoor  # Gradio and matplotlib are loaded only when the door is on

    local = now().astimezone().tzinfo or UTC
    web = WebDoor(
        conversation=mentos.conversation,
        journal=mentos.journal,
        characters=list(mentos.characters.values()),
        strings={"ko": strings("ko"), "en": strings("en")},
        draw=partial(counsel_png, size=PICTURE, tz=local),
        draw_days=partial(days_png, size=PICTURE, tz=local),
        home=settings.home,
        now=now,
        guest_hours=settings.retention.guest_hours,
        hosts=[*settings.web.hosts, host],
        public_url=settings.public_url,
    )
    web.mount(app)
    web.open()
    return web


async def _discord(mentos: Mentos, settings: Settings, *, token: str) -> None:
    """Stay connected. The library reconnects by itself, but not from a network that is not there at the start."""
    from bot.messengers.discord import DiscordDoor  # the library is loaded only when the door is on

    for attempt in itertools.count():
        door = DiscordDoor(
            conversation=mentos.conversation,
            characters=list(mentos.characters.values()),
            strings=mentos.words["discord"],
            now=now,
            sync_commands=settings.discord.sync_commands,
        )
        async with door:
            mentos.failed.pop("discord", None)
            try:
                await door.start(token)
            except (aiohttp.ClientError, OSError) as error:
                mentos.failed["discord"] = type(error).__name__
                pause = min(2**attempt, LONGEST_PAUSE_S)
                log.warning("Discord cannot be reached (%s), tried again in %s s", type(error).__name__, pause)
                await asyncio.sleep(pause)
            else:
                return


async def _sweep(mentos: Mentos) -> None:
    for number in itertools.count(1):
        try:
            await mentos.sweep()
            await mentos.remember()
            if number % SWEEPS_UNTIL_SETTLED == 0:
                await mentos.settle()
        except Mendable as error:
            log.warning("the sweep waits: %s", error)
        await asyncio.sleep(SWEEP_EVERY_S)
