"""A person at a keyboard, or a pipe: lines in, sentences out."""

import asyncio
import getpass
import locale
import os
import sys
import uuid
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import BinaryIO, TextIO

from bot.conversation.model import Account, Kind, Message
from bot.conversation.ports import Conversation

MESSENGER = "terminal"
QUIT = {"/quit", "/exit", "/끝", "/나가기"}


def account_here(*, is_guest: bool = False) -> Account:
    """The person of this login; a guest is somebody new each time."""
    if is_guest:
        return Account(MESSENGER, uuid.uuid4().hex, is_guest)
    try:
        return Account(MESSENGER, getpass.getuser())
    except (KeyError, OSError):  # a user that has no name here, as in a container
        return Account(MESSENGER, str(os.getuid()))


def chat(
    conversation: Conversation,
    *,
    runner: asyncio.Runner,
    account: Account,
    words: Mapping[str, str],
    now: Callable[[], datetime],
) -> None:
    """Talk until `/quit`, the end of input or Ctrl-C. Lines are edited by readline."""
    locale.setlocale(locale.LC_CTYPE, "")
    if locale.nl_langinfo(locale.CODESET) != "UTF-8":  # readline would take Hangul for key strokes
        os.environ["LC_ALL"] = "C.UTF-8"
    import readline  # noqa: F401 - importing it is what gives `input` its line editing

    _say(f"\n{words['hint']}\n")
    runner.run(_catch_up(conversation, account, words))
    while True:
        try:
            line = input(words["prompt"])
            if line.strip().lower() in QUIT:
                break
            message = Message(account, uuid.uuid4().hex, line, now())
            runner.run(_show(conversation, message))
        except (EOFError, KeyboardInterrupt):
            break
    _say(f"\n{words['goodbye']}")


async def answer_pipe(
    conversation: Conversation, *, lines: BinaryIO, out: TextIO, account: Account, now: Callable[[], datetime]
) -> None:
    """Answer each line of a pipe with one line; a fixed block keeps its own line breaks. Bytes may be anything."""
    for raw in iter(lines.readline, b""):
        text = raw.decode("utf-8", errors="replace").rstrip("\r\n")
        if text.strip().lower() in QUIT:
            break
        message = Message(account, uuid.uuid4().hex, text, now())
        parts = [part.text async for part in conversation.respond(message)]
        print(" ".join(parts), file=out, flush=True)
        await conversation.delivered(message)


async def _catch_up(conversation: Conversation, account: Account, words: Mapping[str, str]) -> None:
    """Answer what was heard before Mentos stopped."""
    mine = await conversation.unanswered(MESSENGER, account.address)
    if mine:
        _say(words["catch_up"])
    for message in mine:
        _say(f"{words['prompt']}{message.text}")
        await _show(conversation, message)


async def _show(conversation: Conversation, message: Message) -> None:
    previous: Kind | None = None
    async for part in conversation.respond(message):
        between = "" if previous is None else " " if part.kind == previous == Kind.SAID else "\n\n"
        _say(f"{between}{part.text.strip()}", end="")
        previous = part.kind
    _say("\n")
    await conversation.delivered(message)


def _say(text: str, *, end: str = "\n") -> None:
    sys.stdout.write(text + end)
    sys.stdout.flush()
