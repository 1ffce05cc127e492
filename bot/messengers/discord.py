"""Direct messages on Discord: a person writes to the bot, and the answer comes back as one message."""

import asyncio
import hashlib
import logging
import sys
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime

import aiohttp
import discord
from discord import app_commands

from bot import resources
from bot.conversation.model import Account, Character, Kind, Message, Part, is_blank
from bot.conversation.ports import Conversation
from bot.messengers.cutting import cut, utf16_units
from bot.safety.plan import PARTS

log = logging.getLogger(__name__)

MESSENGER = "discord"
LONGEST = 2_000
"""UTF-16 units in one message; Discord's documents name no unit, and this is the one that is never too long."""

_CANNOT_BE_REACHED = {50007, 50278}  # direct messages closed; no server and no installation shared any more
_REMEMBERED = 2_000
_GRACE = 10.0
_PAUSES = (0.5, 2.0, 8.0)


class DiscordDoor(discord.Client):
    """Reads and writes direct messages and nothing else. `strings` has the keys of `[discord]` in `strings/ko.toml`."""

    def __init__(
        self,
        *,
        conversation: Conversation,
        characters: Sequence[Character],
        strings: Mapping[str, str],
        now: Callable[[], datetime],
        sync_commands: bool,
    ) -> None:
        super().__init__(
            intents=discord.Intents(dm_messages=True),
            allowed_mentions=discord.AllowedMentions.none(),
            max_messages=None,  # the library would keep the last thousand messages in clear
        )
        self._conversation = conversation
        self._strings = strings
        self._now = now
        self._sync_commands = sync_commands
        self._taken_up: deque[str] = deque(maxlen=_REMEMBERED)
        self._running: set[asyncio.Task[object]] = set()

        self._commands = app_commands.CommandTree(self)
        self._commands.error(self._on_command_error)
        self._offer_tones(characters)
        self._offer_plan()

        # at DEBUG the library logs every event and request whole, and with them what people say
        library = logging.getLogger("discord")
        library.setLevel(max(library.level, logging.INFO))

    async def setup_hook(self) -> None:
        await self._commands.set_translator(_InKorean())
        if self._sync_commands:
            try:
                await self._commands.sync()
            except discord.HTTPException as error:
                log.warning("the slash commands could not be registered: %s", _described(error))
        self.dispatch("catch_up")

    async def drain(self, seconds: float) -> None:
        """Let the answers under way finish, then cancel those that have not: they are found again at the next start."""
        try:
            async with asyncio.timeout(seconds):
                while self._running:
                    await asyncio.wait(self._running)
        except TimeoutError:
            log.warning("%d answers were cut off by the end", len(self._running))
            late = list(self._running)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def close(self) -> None:
        await self.drain(_GRACE)
        await super().close()

    # What arrives. The library starts each `on_…` as a task of its own.

    async def on_message(self, heard: discord.Message) -> None:
        if heard.author.bot or heard.is_system() or not isinstance(heard.channel, discord.DMChannel):
            return
        account = Account(MESSENGER, str(heard.author.id))
        message = Message(account, str(heard.id), heard.content, heard.created_at)
        if not is_blank(message.text):
            await self.on_question(heard.channel, message)
        elif self._takes_up(message):
            await self._send(heard.channel, self._strings["unreadable"], nonce=_nonce(message.id, "unreadable"))

    async def on_catch_up(self) -> None:
        """Take up what was heard before the last stop and never answered."""
        self._keep_until_done()
        waiting: defaultdict[int, list[Message]] = defaultdict(list)
        for message in await self._conversation.unanswered(MESSENGER):
            waiting[int(message.account.address)].append(message)
        for address, messages in waiting.items():
            self.dispatch("unanswered", address, messages)

    async def on_unanswered(self, address: int, messages: Sequence[Message]) -> None:
        self._keep_until_done()
        channel = await self.create_dm(discord.Object(address))
        for message in messages:
            self.dispatch("question", channel, message)

    async def on_question(self, channel: discord.DMChannel, message: Message) -> None:
        """Answer, and confirm it when everything has arrived or nothing ever can."""
        if not self._takes_up(message):
            return
        try:
            await self._answer(channel, message)
        except discord.Forbidden as error:
            if error.code not in _CANNOT_BE_REACHED:
                raise
            log.info("message %s cannot be answered: %s", message.id, _described(error))
        await self._conversation.delivered(message)

    async def on_error(self, event_method: str, /, *args: object, **_: object) -> None:
        ids = [arg.id for arg in args if isinstance(arg, Message | discord.Message)]
        log.error("%s failed for %s: %s", event_method, ids, _described(sys.exception()))

    async def _answer(self, channel: discord.DMChannel, message: Message) -> None:
        parts: list[Part] = []
        async with _typing(channel):
            async for part in self._conversation.respond(message):
                if part.kind is Kind.CRISIS:
                    for text in split(part.text):
                        # named by its own words: Discord drops a second message of the same nonce, and help that
                        # says something else than before must arrive
                        await self._send(channel, text, nonce=_nonce(message.id, text))
                else:
                    parts.append(part)

        for number, text in enumerate(pages(parts)):
            await self._send(channel, text, nonce=_nonce(message.id, str(number)))

    async def _send(self, channel: discord.DMChannel, text: str, *, nonce: str) -> None:
        """Send, trying again where the library does not: on a 503 and on a broken connection."""
        for pause in _PAUSES:
            try:
                await channel.send(text, nonce=nonce)
            except (discord.DiscordServerError, aiohttp.ClientError, OSError) as error:
                log.warning("sending is tried again in %s s: %s", pause, _described(error))
                await asyncio.sleep(pause)
            else:
                return
        await channel.send(text, nonce=nonce)

    def _takes_up(self, message: Message) -> bool:
        """Whether this message is new here: the gateway delivers at least once, and may overlap with catching up."""
        if message.id in self._taken_up:
            return False
        self._taken_up.append(message.id)
        self._keep_until_done()
        return True

    def _keep_until_done(self) -> None:
        if task := asyncio.current_task():
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    # The slash commands.

    def _offer_tones(self, characters: Sequence[Character]) -> None:
        @self._commands.command(name=_both("tone", "말투"), description=self._strings["tone_description"])
        @app_commands.rename(character=_both("character", "이름"))
        @app_commands.describe(character=self._strings["tone_option"])
        @app_commands.choices(
            character=[app_commands.Choice(name=_both(c.name_en, c.name), value=str(c.id)) for c in characters]
        )
        @app_commands.allowed_installs(guilds=True, users=True)
        @app_commands.allowed_contexts(guilds=False, dms=True, private_channels=False)
        async def tone(interaction: discord.Interaction, character: str) -> None:
            await self._obey(interaction, f"/말투 {character}")

    def _offer_plan(self) -> None:
        english, korean = resources.strings("en")["plan"], resources.strings("ko")["plan"]

        @self._commands.command(name=_both("safetyplan", "안전계획"), description=self._strings["plan_description"])
        @app_commands.rename(part=_both("part", "항목"), line=_both("line", "내용"))
        @app_commands.describe(part=self._strings["plan_part"], line=self._strings["plan_line"])
        @app_commands.choices(
            part=[app_commands.Choice(name=_both(english[part], korean[part]), value=part) for part in PARTS]
        )
        @app_commands.allowed_installs(guilds=True, users=True)
        @app_commands.allowed_contexts(guilds=False, dms=True, private_channels=False)
        async def plan(interaction: discord.Interaction, part: str = "", line: str = "") -> None:
            await self._obey(interaction, f"/안전계획 {part} {line}".strip())

    async def _obey(self, interaction: discord.Interaction, command: str) -> None:
        self._keep_until_done()
        await interaction.response.defer(thinking=True)  # Discord waits three seconds, and after this fifteen minutes

        account = Account(MESSENGER, str(interaction.user.id))
        message = Message(account, f"interaction:{interaction.id}", command, self._now())
        first, *others = pages([part async for part in self._conversation.respond(message)])
        await interaction.edit_original_response(content=first)
        for text in others:
            await interaction.followup.send(text)
        await self._conversation.delivered(message)

    async def _on_command_error(self, interaction: discord.Interaction, error: app_commands.AppCommandError) -> None:
        cause = error.original if isinstance(error, app_commands.CommandInvokeError) else error
        log.error("command %s failed: %s", interaction.id, _described(cause))


class _InKorean(app_commands.Translator):
    async def translate(
        self, string: app_commands.locale_str, locale: discord.Locale, context: app_commands.TranslationContextTypes
    ) -> str | None:
        return string.extras.get("korean") if locale is discord.Locale.korean else None


def _both(english: str, korean: str) -> app_commands.locale_str:
    return app_commands.locale_str(english, korean=korean)


@asynccontextmanager
async def _typing(channel: discord.DMChannel) -> AsyncIterator[None]:
    """Show that an answer is being written, beside it and never in its way."""
    showing = asyncio.create_task(_show_typing(channel))
    try:
        yield
    finally:
        showing.cancel()
        await asyncio.wait([showing])


async def _show_typing(channel: discord.DMChannel) -> None:
    try:
        async with channel.typing():
            await asyncio.Event().wait()
    except (discord.HTTPException, aiohttp.ClientError, OSError) as error:
        log.info("the typing sign was not shown: %s", _described(error))


def _nonce(message_id: str, place: str) -> str:
    """Name a piece of an answer, the same after a restart, within Discord's 25 characters."""
    return hashlib.blake2s(f"{message_id}/{place}".encode(), digest_size=12).hexdigest()


def _described(error: BaseException | None) -> str:
    """The kind of an error, without its words, which may quote a request."""
    if isinstance(error, discord.HTTPException):
        return f"{type(error).__name__} (status {error.status}, code {error.code})"
    return type(error).__name__


def pages(parts: Sequence[Part]) -> list[str]:
    """Lay parts out in messages: sentences run on, everything else is a paragraph, kept whole where it can be."""
    said = " ".join(part.text.strip() for part in parts if part.kind is Kind.SAID)
    blocks = [said, *(part.text for part in parts if part.kind is not Kind.SAID)]

    laid: list[str] = []
    for piece in (piece for block in blocks for piece in split(block)):
        if laid and utf16_units(laid[-1]) + utf16_units(piece) + 2 <= LONGEST:
            laid[-1] += "\n\n" + piece
        else:
            laid.append(piece)
    return laid


def split(text: str, longest: int = LONGEST) -> list[str]:
    """Cut a text into messages of at most `longest` UTF-16 units."""
    pieces = []
    rest = text.strip()
    while rest:
        piece, rest = cut(rest, longest)
        pieces.append(piece)
    return pieces
