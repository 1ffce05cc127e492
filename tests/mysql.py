"""A MySQL server for tests: the one at `MENTOS_TEST_MYSQL_URL`, or a private MariaDB that ends with them."""

import getpass
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import NoReturn

import pytest
from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import create_async_engine

from tests.ports import free_port

WHERE_SERVERS_LIE = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin", "/usr/libexec"])
SECONDS_TO_START = 60
HOW_TO_GET_THEM = (
    "no MySQL here. Install mariadb-server, or set MENTOS_TEST_MYSQL_URL=mysql+asyncmy://user:password@host:port/mysql "
    "to a server on which that user may create databases"
)


@pytest.fixture(scope="session")
def mysql_server() -> Iterator[str | None]:
    """The URL of a server, or None where there is neither one nor a binary to start one with."""
    if url := os.environ.get("MENTOS_TEST_MYSQL_URL"):
        yield url
    elif mariadbd := shutil.which("mariadbd", path=WHERE_SERVERS_LIE):
        with private_server(mariadbd) as (url, _):
            yield url
    else:
        yield None


@contextmanager
def mortal_mysql() -> Iterator[tuple[str, "subprocess.Popen[bytes]"]]:
    """Give the URL and the process of a server of one's own, to be stopped or killed; skip where there is no binary."""
    mariadbd = shutil.which("mariadbd", path=WHERE_SERVERS_LIE)
    if mariadbd is None:
        _skip()
    with private_server(mariadbd) as server:
        yield server


@asynccontextmanager
async def fresh_mysql(server: str | None) -> AsyncIterator[str]:
    """Give the URL of an empty database, dropped afterwards; skip where there is no server."""
    if server is None:
        _skip()
    name = f"mentos_test_{uuid.uuid4().hex}"
    engine = create_async_engine(server, isolation_level="AUTOCOMMIT")
    try:
        async with engine.connect() as connection:
            await connection.execute(text(f"CREATE DATABASE {name} CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci"))
            try:
                yield make_url(server).set(database=name).render_as_string(hide_password=False)
            finally:
                await connection.execute(text(f"DROP DATABASE {name}"))
    finally:
        await engine.dispose()


def _skip() -> NoReturn:
    if os.environ.get("MENTOS_REQUIRE_MYSQL") == "1":
        pytest.fail(HOW_TO_GET_THEM)
    pytest.skip(HOW_TO_GET_THEM)


@contextmanager
def private_server(mariadbd: str) -> Iterator[tuple[str, "subprocess.Popen[bytes]"]]:
    folder = Path(tempfile.mkdtemp(prefix="mentos-mysql-"))  # short: a socket's path has at most 107 bytes
    try:
        _install(folder)
        port = free_port()
        server = subprocess.Popen(
            [
                mariadbd,
                "--no-defaults",
                f"--user={getpass.getuser()}",
                f"--datadir={folder / 'data'}",
                f"--socket={folder / 'socket'}",
                f"--pid-file={folder / 'pid'}",
                f"--log-error={folder / 'log'}",
                "--bind-address=127.0.0.1",
                f"--port={port}",
                "--skip-networking=0",
                "--innodb-flush-log-at-trx-commit=0",  # its data is thrown away
                "--innodb-doublewrite=0",
                "--innodb-buffer-pool-size=32M",
                "--innodb-log-file-size=16M",
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            _wait_for(server, port, log=folder / "log")
            yield f"mysql+asyncmy://root@127.0.0.1:{port}/mysql", server
        finally:
            server.send_signal(signal.SIGCONT)
            server.terminate()
            server.wait()
    finally:
        shutil.rmtree(folder)


def _install(folder: Path) -> None:
    install = shutil.which("mariadb-install-db", path=WHERE_SERVERS_LIE)
    if install is None:
        pytest.fail("mariadbd is here, but mariadb-install-db is not: install the whole mariadb-server package")
    subprocess.run(
        [
            install,
            "--no-defaults",
            f"--user={getpass.getuser()}",
            f"--datadir={folder / 'data'}",
            "--auth-root-authentication-method=normal",
            "--skip-test-db",
        ],
        check=True,
        capture_output=True,
    )


def _wait_for(server: "subprocess.Popen[bytes]", port: int, *, log: Path) -> None:
    give_up = time.monotonic() + SECONDS_TO_START
    while server.poll() is None and time.monotonic() < give_up:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    pytest.fail(f"mariadbd did not start: {log.read_text() if log.exists() else 'it left no log'}")
