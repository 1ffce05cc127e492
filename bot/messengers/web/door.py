"""The web door: a page at `/`, whose visitors are known by a cookie, and whose replies go on while they reload it."""

import asyncio
import logging
import os
import re
from collections.abc import AsyncIterator, Callable, Collection, Coroutine, Mapping, Sequence
from contextlib import nullcontext
from datetime import datetime, timedelta
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Any, Protocol
from uuid import uuid4

import gradio as gr
from fastapi import FastAPI, Request, Response
from fastapi.responses import PlainTextResponse, RedirectResponse

from bot.conversation.model import Account, Character, Mendable, Message, Moment, clean
from bot.conversation.ports import Conversation, Journal
from bot.messengers.web import visitors
from bot.messengers.web.desk import Desk, Exchange
from bot.messengers.web.frame import framed
from bot.messengers.web.guard import Guard, host_of
from bot.messengers.web.view import View
from bot.resources import text
from bot.safety.assess import assess

log = logging.getLogger(__name__)

LANGUAGES = {"ko": "", "en": "/en"}
READ_AT_MOST = 100_000
EVENTS_AT_ONCE = 10_000
DESKS_KEPT_FOR = timedelta(hours=1)
MONTH = timedelta(days=30)
_TICKET = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")

LOOK_FOR_EVENTS_S = 0.02
LOOK_FOR_PROGRESS_S = 1.0
"""Gradio's queue looks at its lists again and again, each millisecond by itself: 6 % of a core of an idle bot."""

FIRST_SHOWN_S = 1.0
"""How long a page waits for the journal before it shows what there is: help waits for nothing."""

PULSE_S = 15.0
"""How long a page that was left may go unnoticed: Gradio looks whether it is still open when it is told something."""

_Shown = tuple[str | dict[str, Any], str | dict[str, Any]]


class Draw(Protocol):
    def __call__(self, moments: Sequence[Moment], /, *, words: Mapping[str, str]) -> bytes:
        """Draw moments, of which there is one at least, oldest first, as a PNG."""
        ...


class WebDoor:
    """Serves the page through `mount`. `open` it in the loop that serves, `drain` it before that ends, then `close`."""

    def __init__(
        self,
        *,
        conversation: Conversation,
        journal: Journal,
        characters: Sequence[Character],
        strings: Mapping[str, Mapping[str, Mapping[str, str]]],
        draw: Draw,
        draw_days: Draw,
        home: Path,
        now: Callable[[], datetime],
        guest_hours: float,
        hosts: Collection[str] = (),
        public_url: str | None = None,
    ) -> None:
        """`strings` are those of each language; `hosts` may ask for the page beside this machine and `public_url`."""
        self._conversation = conversation
        self._journal = journal
        self._draw = draw
        self._draw_days = draw_days
        self._now = now
        self._public = public_url
        self._hosts = [*hosts, *filter(None, [_host_in(public_url)])]
        self._words = {language: strings[language]["web"] for language in LANGUAGES}
        self._moods = {language: strings[language]["mood"] for language in LANGUAGES}
        self._desks: dict[str, Desk] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_closing = False

        # read by Gradio as it builds a page, which is when it would make its folder
        os.environ["GRADIO_TEMP_DIR"] = str(home / "web")
        self._views = {
            language: View(
                language=language,
                strings=strings,
                characters=characters,
                guest_hours=guest_hours,
            )
            for language in LANGUAGES
        }
        self._pages = {language: self._page(language) for language in LANGUAGES}

    def mount(self, app: FastAPI) -> None:
        """Take every path that no earlier route of `app` has."""
        inner = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
        inner.add_api_route("/guest", self._guest, methods=["GET"])
        inner.add_api_route("/known", self._known, methods=["GET"])
        inner.add_api_route("/language/{language}", self._language, methods=["GET"])
        inner.add_api_route("/web.css", partial(_file, "web/web.css", "text/css"), methods=["GET"])
        inner.add_api_route("/favicon.svg", partial(_file, "web/favicon.svg", "image/svg+xml"), methods=["GET"])
        inner.add_api_route("/font.ttf", _font, methods=["GET"])

        # the longer path first: "/" takes all
        for language, prefix in reversed(LANGUAGES.items()):
            page = FastAPI()
            gr.mount_gradio_app(
                page,
                self._pages[language],
                path="/",
                footer_links=[],
                run_history=False,
                show_error=False,
                ssr_mode=False,
                max_file_size=0,
                theme=gr.themes.Base(font=["system-ui"], font_mono=["monospace"]),
            )
            inner.add_api_route(f"{prefix}/mood.png", partial(self._mood, language), methods=["GET"])
            inner.add_api_route(f"{prefix}/days.png", partial(self._days, language), methods=["GET"])
            inner.add_api_route(prefix or "/", partial(self._front, language, page), methods=["GET"])
            inner.mount(prefix or "/", page)
        app.mount("/", Guard(inner, hosts=self._hosts, origin=self._public))

    def open(self) -> None:
        """Begin to take events."""
        self._is_closing = False
        for page in self._pages.values():
            page._queue.sleep_when_free = LOOK_FOR_EVENTS_S
            page._queue.progress_update_sleep_when_free = LOOK_FOR_PROGRESS_S
            page.run_startup_events()  # type: ignore[no-untyped-call]

    async def drain(self) -> None:
        """Let the replies under way be finished and stored, then let go of the pages that wait for more."""
        while self._tasks:
            await asyncio.wait(self._tasks)
        self._is_closing = True
        for desk in self._desks.values():
            desk.tell()

    def close(self) -> None:
        """Look for events no more."""
        for page in self._pages.values():
            page.close(verbose=False)

    # Events of the page.

    def _page(self, language: str) -> gr.Blocks:
        view = self._views[language]
        page = gr.Blocks(title=self._words[language]["title"], analytics_enabled=False, fill_width=True)
        with page:
            page.max_threads = EVENTS_AT_ONCE  # events that wait for a reply take a place, not a thread
            page.queue(default_concurrency_limit=None, api_open=False)
            with gr.Column(elem_id="page"):
                _html("top", view.top())
                side, talk = _html("side"), _html("talk")
                composer = _html("composer", view.composer(), script=text("web/web.js"))
                _html("hotlines", f'<footer class="hotlines">{view.hotlines()}</footer>')

            # Gradio hands an event over by the names of these types
            async def arrive(request: gr.Request) -> AsyncIterator[_Shown]:
                async for shown in self._arrive(view, request):
                    yield shown

            async def say(request: gr.Request, event: gr.EventData) -> None:
                self._say(view, request, event)

            listening: dict[str, Any] = {
                "show_progress": "hidden",
                "concurrency_limit": None,
                "api_visibility": "private",
                "trigger_mode": "multiple",
            }
            # a browser mixes up the order of two events that show something in one place
            page.load(arrive, outputs=[talk, side], **listening)
            composer.submit(say, outputs=[], **listening)
        return page

    async def _arrive(self, view: View, request: gr.Request) -> AsyncIterator[_Shown]:
        account = visitors.account_of(request.cookies)
        if account is None:
            yield view.nobody(), ""
            return
        desk = self._desk(account)
        await asyncio.wait([self._start(self._refresh(desk, account))], timeout=FIRST_SHOWN_S)
        async for is_news in desk.watch(at_least_every=PULSE_S):
            desk.last_seen = self._now()
            if self._is_closing:
                yield view.talk(desk, account, is_left=True), gr.skip()
                return
            yield (view.talk(desk, account), view.side(desk, account)) if is_news else (gr.skip(), gr.skip())
            for exchange in list(desk.undelivered()):
                exchange.is_delivered = True
                self._start(self._conversation.delivered(exchange.message))

    def _say(self, view: View, request: gr.Request, event: gr.EventData) -> None:
        account = visitors.account_of(request.cookies)
        if account is None:
            return
        said, ticket = (str(getattr(event, key, "")) for key in ("text", "ticket"))
        id_ = ticket if _TICKET.fullmatch(ticket) else str(uuid4())
        desk = self._desk(account)
        if len(said) > READ_AT_MOST and not assess(said).is_urgent:
            desk.remark(view.too_long)
        elif said and desk.find(id_) is None:
            self._begin(desk, Message(account, id_, clean(said), self._now()))

    # Replies.

    def _begin(self, desk: Desk, message: Message) -> None:
        """Answer a message whether or not anybody stays to watch."""
        self._start(self._answer(desk, desk.begin(message)))

    async def _take_up(self, desk: Desk, account: Account) -> None:
        """Answer what was heard before the last stop, once somebody is there to see it."""
        for message in await self._conversation.unanswered(visitors.MESSENGER, account.address):
            if desk.find(message.id) is None:
                self._begin(desk, message)

    def _start(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._forget)
        return task

    def _forget(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            log.error("something on the page broke off: %s", type(error).__name__)

    async def _answer(self, desk: Desk, exchange: Exchange) -> None:
        """Obey one command after the other, and what is said after a command after it; danger waits for nothing."""
        if exchange.command is None and not assess(exchange.message.text).is_urgent:
            async with desk.turnstile:
                pass
        async with desk.turnstile if exchange.command else nullcontext():
            try:
                async for part in self._conversation.respond(exchange.message):
                    desk.hear(exchange, part)
            finally:
                try:
                    await self._refresh(desk, exchange.message.account, after=exchange)
                finally:
                    desk.end(exchange)

    async def _refresh(self, desk: Desk, account: Account, *, after: Exchange | None = None) -> None:
        try:
            person = await self._journal.person(account)
            turns = await self._journal.counsel(account)
            month = await self._journal.moments(account, since=self._now() - MONTH)
        except Mendable as error:
            log.error("a page shows less than there is: %s", error)
        else:
            desk.refresh(person, turns, month, after=after)
            desk.tell()

    def _desk(self, account: Account) -> Desk:
        desk = self._desks.get(account.address)
        if desk is None:
            desk = self._desks[account.address] = Desk()
            self._start(self._take_up(desk, account))
        desk.last_seen = self._now()
        oldest = desk.last_seen - DESKS_KEPT_FOR
        for address in [a for a, d in self._desks.items() if d.last_seen and d.last_seen < oldest and not d.is_busy]:
            del self._desks[address]
        return desk

    # Requests.

    async def _front(self, language: str, page: FastAPI, request: Request) -> Response:
        remembered = visitors.language_of(request.cookies)
        if remembered != language and language == "ko":
            return RedirectResponse(LANGUAGES[remembered], 303)
        prefix = LANGUAGES[language]
        mounted = {**request.scope, "path": f"{prefix}/", "root_path": prefix}
        response = await framed(
            page, mounted, language=language, words=self._words[language], hotlines=self._views[language].hotlines()
        )
        visitors.recognise(response, request.cookies, is_https=_is_https(request))
        return response

    async def _mood(self, language: str, request: Request) -> Response:
        """Draw for who asks, and for nobody else: there is nothing in the address to ask for another by."""
        account = visitors.account_of(request.cookies)
        if account is None:
            return PlainTextResponse("404", 404)
        desk = self._desk(account)
        if not desk.turns:
            await self._refresh(desk, account)
        return await self._drawn(self._draw, desk.moments, language)

    async def _days(self, language: str, request: Request) -> Response:
        """Draw the last month, likewise."""
        account = visitors.account_of(request.cookies)
        if account is None:
            return PlainTextResponse("404", 404)
        desk = self._desk(account)
        await self._refresh(desk, account)
        return await self._drawn(self._draw_days, desk.month, language)

    async def _drawn(self, draw: Draw, moments: Sequence[Moment], language: str) -> Response:
        if not moments:
            return PlainTextResponse("404", 404)
        picture = await asyncio.to_thread(draw, moments, words=self._moods[language])
        return Response(picture, media_type="image/png", headers={"Cache-Control": "no-store"})

    async def _guest(self, request: Request) -> Response:
        response = RedirectResponse("/", 303)
        visitors.begin_guest(response, is_https=_is_https(request))
        return response

    async def _known(self) -> Response:
        response = RedirectResponse("/", 303)
        visitors.end_guest(response)
        return response

    async def _language(self, request: Request, language: str) -> Response:
        response = RedirectResponse(LANGUAGES[language] or "/", 303)
        visitors.remember_language(response, language, is_https=_is_https(request))
        return response


def _html(id_: str, value: str = "", *, script: str | None = None) -> gr.HTML:
    return gr.HTML(value, elem_id=id_, js_on_load=script, apply_default_css=False)


async def _file(path: str, media_type: str) -> Response:
    return Response(text(path), media_type=media_type, headers={"Cache-Control": "no-cache"})


async def _font() -> Response:
    """A Korean one, for browsers that have none."""
    font = (files("bot.resources") / "fonts" / "NanumSquareRoundR.ttf").read_bytes()
    return Response(font, media_type="font/ttf", headers={"Cache-Control": "max-age=31536000"})


def _is_https(request: Request) -> bool:
    return request.url.scheme == "https"


def _host_in(url: str | None) -> str | None:
    return host_of(url.partition("://")[2].partition("/")[0]) if url else None
