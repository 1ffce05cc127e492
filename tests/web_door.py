"""A web door over working fakes: a whole counsellor behind it, and nothing stored anywhere."""

import asyncio
import json
import struct
import zlib
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import cache, cached_property
from pathlib import Path
from typing import Self

from fastapi import FastAPI

from bot.conversation.counsellor import Counsellor
from bot.conversation.model import Character, Mendable, Message, Moment, Situation, Turn, UserId
from bot.conversation.off_record import OffTheRecord
from bot.conversation.ports import Responder
from bot.journal.pages import Pages
from bot.messengers.web.door import WebDoor
from bot.resources import strings
from tests.fakes import CHARACTERS, Clock, FixedEmotions, InMemoryMemories, InMemoryPeople, MarkingStylist

ARRIVE, SAY = 0, 1
"""The page's events, in the order in which it names them."""


def event(number: int, data: object = None, *, session: str = "s") -> dict[str, object]:
    """Return an event as a browser sends it."""
    return {"data": [], "event_data": data, "fn_index": number, "trigger_id": None, "session_hash": session}


def told(stream: str) -> list[str]:
    """Read from a stream all that an event showed in the place of the conversation.

    What follows the first state comes as edits of it, `[action, path, value]`, of which a page of ours is all replaced.
    """
    messages = [json.loads(line[6:]) for line in stream.splitlines() if line.startswith("data: ")]
    assert [said for said in messages if said["msg"] == "process_completed" and not said["success"]] == []
    shown = [said["output"]["data"][0] for said in messages if said.get("output", {}).get("data")]
    return [html if isinstance(html, str) else html[-1][-1] for html in shown if html]


@cache
def web_strings() -> Mapping[str, Mapping[str, Mapping[str, str]]]:
    return {language: strings(language) for language in ("ko", "en")}


class TickingClock(Clock):
    """A second later each time that it is asked."""

    def __call__(self) -> datetime:
        self.advance(timedelta(seconds=1))
        return self.time


class HeldResponder:
    """Fulfils `Responder`: says one sentence, and the other once it is released."""

    def __init__(self) -> None:
        self.released = asyncio.Event()

    async def draft(self, situation: Situation) -> AsyncGenerator[str]:
        yield "첫 문장이에요. 그리고 "
        await self.released.wait()
        yield "둘째 문장이에요."


class Rows(OffTheRecord):
    """Fulfils `Counsels` in memory, as a database that can be taken away, or hang at some of what it is asked."""

    def __init__(self, *, now: Callable[[], datetime]) -> None:
        super().__init__(now=now)
        self.is_gone = False
        self.hangs_at: frozenset[str] = frozenset()
        self.is_back = asyncio.Event()

    async def hear(self, user_id: UserId, message: Message, *, character: Character) -> Turn:
        await self._reach("hear")
        return await super().hear(user_id, message, character=character)

    async def recent(self, user_id: UserId, *, limit: int) -> Sequence[Turn]:
        await self._reach("recent")
        return await super().recent(user_id, limit=limit)

    async def lately(self, user_id: UserId, *, since: datetime, limit: int) -> Sequence[Turn]:
        await self._reach("lately")
        return await super().lately(user_id, since=since, limit=limit)

    async def deliver(self, user_id: UserId, message: Message, *, at: datetime) -> None:
        await self._reach("deliver")
        await super().deliver(user_id, message, at=at)

    async def _reach(self, asked: str) -> None:
        if self.is_gone:
            raise Mendable("the database is gone")
        if asked in self.hangs_at:
            await self.is_back.wait()


class Pencil:
    """Draws one white dot, and remembers what it was asked to draw."""

    def __init__(self) -> None:
        self.drawn: list[Sequence[Moment]] = []

    def __call__(self, moments: Sequence[Moment], /, *, words: Mapping[str, str]) -> bytes:
        self.drawn.append(moments)
        return b"\x89PNG\r\n\x1a\n" + b"".join(
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
            for name, data in (
                (b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)),
                (b"IDAT", zlib.compress(b"\x00\xff")),
                (b"IEND", b""),
            )
        )


class Place:
    """The door and everything behind it."""

    def __init__(
        self,
        home: Path,
        *,
        responder: Responder,
        hosts: Sequence[str] = (),
        public_url: str | None = None,
        before: Self | None = None,
    ) -> None:
        """`before` is the place of a bot that was stopped, of which the stores are left."""
        self.clock: TickingClock = before.clock if before else TickingClock()
        clock = self.clock
        self.people: InMemoryPeople = before.people if before else InMemoryPeople()
        self.stored: Rows = before.stored if before else Rows(now=clock)
        off_record = OffTheRecord(now=clock)
        self.pencil = Pencil()
        conversation = Counsellor(
            people=self.people,
            counsels=self.stored,
            off_record=off_record,
            memories=InMemoryMemories(),
            emotions=FixedEmotions(),
            responder=responder,
            stylist=MarkingStylist(),
            characters=CHARACTERS,
            words=strings("ko"),
            language="ko",
            now=clock,
        )
        character_id = next(iter(CHARACTERS))
        self.journal = Pages(people=self.people, counsels=self.stored, off_record=off_record, character_id=character_id)
        self.door = WebDoor(
            conversation=conversation,
            journal=self.journal,
            characters=list(CHARACTERS.values()),
            strings=web_strings(),
            draw=self.pencil,
            draw_days=self.pencil,
            home=home,
            now=clock,
            guest_hours=24,
            hosts=hosts,
            public_url=public_url,
        )

    @cached_property
    def app(self) -> FastAPI:
        app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
        self.door.mount(app)
        return app
