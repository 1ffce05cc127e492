"""`mentos memory rebuild`: the vectors made anew from the rows, with progress."""

from contextlib import AsyncExitStack

import typer

from bot.app import open_mentos
from bot.resources import strings
from bot.settings import Settings
from storage.folder import DataFolder


async def rebuild(settings: Settings, *, prune: bool = False) -> None:
    """Forget every vector and make all of them again. Stopped midway, it goes on at the next start.

    With `prune` the vectors of other encoders are removed when that is done, and their names said: no process that
    still uses one should be running.

    Raises `FolderHeld` while a server runs over the same data folder, and `VectorsUnreachable`.
    """
    words = strings(settings.language)["memory"]
    async with AsyncExitStack() as stack:
        folder = DataFolder(settings.home)
        stack.callback(folder.close)
        mentos = await stack.enter_async_context(open_mentos(settings))
        if (storage := mentos.storage) is None:
            return
        await storage.memories.rebuild()
        waiting = await storage.memories.waiting()
        with typer.progressbar(length=waiting, label=words["rebuilding"], show_pos=True) as bar:
            while not await storage.memories.drain(batches=1):
                left = await storage.memories.waiting()
                bar.update(waiting - left)
                waiting = left
            bar.update(waiting)
        for name in await storage.vectors.prune() if prune else ():
            typer.echo(f"- {name}")
        typer.echo(words["rebuilt"].format(count=await storage.vectors.count(), where=storage.vectors.where))
        if unencoded := await storage.memories.unencoded():
            typer.echo(words["unencoded"].format(count=unencoded))
