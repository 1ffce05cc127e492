"""A browser for tests: the Chromium that is found here, and a page of Mentos on loopback for it."""

import asyncio
import os
import shutil
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import uvicorn
from fastapi import FastAPI
from playwright.async_api import Browser, Page, async_playwright

from bot.messengers.web.door import WebDoor
from tests.ports import free_port

NAMES = ("chromium", "chromium-browser", "google-chrome")
CLOSED = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync"]
"""What the browser is started with, so that it asks nobody anything by itself."""

HOW_TO_GET_ONE = f"no browser here. Install one of {', '.join(NAMES)}"


def found_browser() -> str | None:
    return next(filter(None, map(shutil.which, NAMES)), None)


@asynccontextmanager
async def a_browser() -> AsyncIterator[Browser]:
    """Start the browser of this machine; skip where there is none."""
    found = found_browser()
    if found is None:
        if os.environ.get("MENTOS_REQUIRE_BROWSER") == "1":
            pytest.fail(HOW_TO_GET_ONE)
        pytest.skip(HOW_TO_GET_ONE)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=found, args=CLOSED)
        try:
            yield browser
        finally:
            await browser.close()


@asynccontextmanager
async def served(door: WebDoor, app: FastAPI, *, port: int = 0) -> AsyncIterator[str]:
    """Serve the page on loopback as `mentos serve` does, and give its URL."""
    door.open()
    with socket.socket() as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(("127.0.0.1", port or free_port()))
        port = listening.getsockname()[1]
        config = uvicorn.Config(app, lifespan="off", log_level="warning", timeout_graceful_shutdown=1)
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        while not server.started:  # noqa: ASYNC110 - uvicorn tells nobody
            await asyncio.sleep(0.01)
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            server.should_exit = True
            await door.drain()
            await serving
            door.close()


async def screenshot(page: Page, name: str) -> None:
    """Keep a picture of the page, where `MENTOS_SCREENSHOTS` names a folder."""
    if folder := os.environ.get("MENTOS_SCREENSHOTS"):
        await page.screenshot(path=Path(folder) / f"{name}.png")
