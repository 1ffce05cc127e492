"""What several processes cost: passing a request on to where its person is at home, and keeping others out of a turn.

    .venv/bin/python -m bench.peers > bench/results/peers.json

Two processes of `mentos serve` with the script over one MariaDB. The same people ask through their home and through
the other process by turns; wall time in ms from the call to the answer. The lock is beside the least that any
statement costs there.
"""

import asyncio
import base64
import itertools
import json
import shutil
import statistics
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from time import perf_counter

from sqlalchemy import make_url, text

from bot.peers import Peers
from storage.database import Database, open_database
from tests.mysql import WHERE_SERVERS_LIE, private_server
from tests.served import serving

PEOPLE = [f"person{number}" for number in range(8)]
ROUNDS = 25
LOCKS = 500
SAID = "요즘 잠이 잘 안 와요"


async def main() -> None:
    mariadbd = shutil.which("mariadbd", path=WHERE_SERVERS_LIE)
    if mariadbd is None:
        raise SystemExit("no mariadbd here: install mariadb-server")
    with tempfile.TemporaryDirectory() as folder, private_server(mariadbd) as (server, _):
        rows, keys = [str(make_url(server).set(database=name)) for name in ("rows", "keys")]
        database = open_database(server)
        for name in ("rows", "keys"):
            await database.write(lambda connection, name=name: connection.execute(text(f"CREATE DATABASE `{name}`")))
        figures = {**await passed_on(Path(folder), rows, keys), **await locked(database)}
        await database.close()
    print(json.dumps(figures, indent=1))


async def passed_on(folder: Path, rows: str, keys: str) -> dict[str, float]:
    ports = [47_121, 47_122]
    peers = Peers([f"http://127.0.0.1:{port}" for port in ports])
    await peers.look()
    variables = {
        "MENTOS_DATABASE__URL": rows,
        "MENTOS_KEYS__URL": keys,
        "MENTOS_KEYS__MASTER": base64.b64encode(bytes(32)).decode(),
        "MENTOS_CONSENT__ASSUME": "storage",
        "MENTOS_WEB__ENABLED": "false",
        "MENTOS_PEERS": ",".join(f"http://127.0.0.1:{port}" for port in ports),
    }
    took: dict[str, list[float]] = {"at_home_ms": [], "passed_on_ms": []}
    async with AsyncExitStack() as stack:
        bots = [
            await stack.enter_async_context(serving(folder / str(port), "--port", str(port), **variables))
            for port in ports
        ]
        for number in range(ROUNDS + 2):
            for bot in bots if number % 2 else reversed(bots):
                for person in PEOPLE:  # nobody says two things at once, for whose order the second would wait
                    home, *_ = peers.homes_of(f"b0t:{person}")
                    start = perf_counter()
                    await bot.kakao(SAID, person=person)
                    if number >= 2:
                        took["at_home_ms" if bot.url == home else "passed_on_ms"].append(perf_counter() - start)
    medians = {name: round(1_000 * statistics.median(times), 1) for name, times in took.items()}
    return {**medians, "ratio": round(medians["passed_on_ms"] / medians["at_home_ms"], 2)}


async def locked(database: Database) -> dict[str, float]:
    names = itertools.count()

    async def lock() -> None:
        async with database.alone(f"bench {next(names)}"):
            pass

    async def least() -> None:
        await database.read(lambda connection: connection.execute(text("SELECT 1")))

    return {"lock_ms": await median_ms(lock), "least_statement_ms": await median_ms(least)}


async def median_ms(work: Callable[[], Awaitable[None]]) -> float:
    times = []
    for _ in range(LOCKS):
        start = perf_counter()
        await work()
        times.append(perf_counter() - start)
    return round(1_000 * statistics.median(times), 2)


if __name__ == "__main__":
    asyncio.run(main())
