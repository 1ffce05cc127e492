"""`mentos chat`: alone in this process, through a running server, or off the record for a pipe."""

import asyncio
import sys
from contextlib import AsyncExitStack

import typer

from bot.app import Apologising, now, open_mentos, open_off_record
from bot.conversation.model import Account
from bot.conversation.ports import Conversation
from bot.messengers.relay import RelayedConversation
from bot.messengers.terminal import account_here, answer_pipe, chat
from bot.report import report
from bot.resources import strings
from bot.settings import Settings
from storage.folder import DataFolder, FolderHeld


def talk(settings: Settings, *, is_guest: bool) -> None:
    """Talk until the person leaves or the pipe ends. A pipe is off the record, unless consent is assumed."""
    account = account_here(is_guest=is_guest)
    is_piped = not sys.stdin.isatty()
    stack = AsyncExitStack()
    with asyncio.Runner() as runner:
        try:
            conversation = runner.run(_open(settings, stack, account, is_piped=is_piped))
            if is_piped:
                runner.run(answer_pipe(conversation, lines=sys.stdin.buffer, out=sys.stdout, account=account, now=now))
            else:
                chat(
                    conversation, runner=runner, account=account, words=strings(settings.language)["terminal"], now=now
                )
        finally:
            runner.run(stack.aclose())


async def _hold(settings: Settings) -> DataFolder:
    """Hold the data folder, or wait until the server that holds it has said where it listens."""
    for _ in range(50):
        try:
            return DataFolder(settings.home)
        except FolderHeld as held:
            if held.holder and held.holder.port:
                raise
            await asyncio.sleep(0.2)
    return DataFolder(settings.home)


async def _open(settings: Settings, stack: AsyncExitStack, account: Account, *, is_piped: bool) -> Conversation:
    if is_piped and not settings.consent.assume:
        return (await stack.enter_async_context(open_off_record(settings))).conversation
    try:
        folder = await _hold(settings)
    except FolderHeld as held:
        if held.holder is None or held.holder.port is None or held.holder.token is None:
            raise
        relayed = RelayedConversation(port=held.holder.port, token=held.holder.token, account=account, now=now)
        return Apologising(relayed, language=settings.language)

    stack.callback(folder.close)
    mentos = await stack.enter_async_context(open_mentos(settings))
    await mentos.sweep()
    if not is_piped:
        for line in report(mentos):
            typer.echo(line)
    return mentos.conversation
