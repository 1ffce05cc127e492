"""`mentos memory rebuild`: the vectors made anew from the rows, with progress."""

from contextlib import AsyncExitStack

import typer

from bot.app import open_mentos
from bot.resources import strings
from bot.settings import Settings
from storage.folder import DataFolder


async def rebuild(settings: Settings) -> None:
    """Forget every vector and make all of them again. Stopped midway, it goes on at the next start.

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
        typer.echo(words["rebuilt"].format(count=await storage.vectors.count(), where=storage.vectors.where))
