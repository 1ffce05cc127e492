"""`python -m inference_server`: serve the models, or export and pin them for that."""

import argparse
import asyncio
import logging
import signal
import socket
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import uvicorn
from pydantic import ValidationError

from inference_server.app import app_of
from inference_server.engines import Engines, open_engines
from inference_server.models import Models

GRACE_S = 15


class NoAddress(Exception):
    """The server cannot listen there; one sentence says why and what to do."""


def main() -> int:
    """Run a command and return its exit status. What an operator can mend is one sentence, never a traceback."""
    parser = argparse.ArgumentParser(prog="python -m inference_server", description=__doc__)
    parser.add_argument("command", choices=("serve", "export", "pin"), help="`COMMAND --help` says more")
    command, rest = parser.parse_args(sys.argv[1:2]).command, sys.argv[2:]
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    try:
        if command == "export":
            from inference_server.export import export_command

            return export_command(rest)
        if command == "pin":
            from inference_server.models import pin_command

            return pin_command(rest)
        return serve_command(rest)
    except ValidationError as error:
        fault = error.errors()[0]
        sys.stderr.write(f"MENTOS_MODELS__{str(fault['loc'][0]).upper()} does not fit: {fault['msg']}\n")
        return 1
    except NoAddress as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except KeyboardInterrupt:
        return 130


def serve_command(argv: Sequence[str]) -> int:
    """`python -m inference_server serve [--host HOST] [--port PORT]`: serve until a signal. Raises `NoAddress`.

    One process serves one group of models and starts no workers: a second process would load every model again. For
    more, start more of these behind any load balancer; they hold no state. Callers are not asked who they are: leave
    the address on loopback or in a network of your own.
    """
    parser = argparse.ArgumentParser(
        prog="python -m inference_server serve", description="Serve emotion, tone and embedding over HTTP."
    )
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=8090, help="0 takes any free one (default: %(default)s)")
    asked = parser.parse_args(argv)
    models = Models()
    with bind(asked.host, asked.port) as listening:
        asyncio.run(serve(open_engines(models), listening))
    return 0


async def serve(engines: Engines, listening: socket.socket) -> None:
    """Serve the engines until a signal; then let the requests at hand finish, and close the engines."""
    server = _Server(
        uvicorn.Config(
            app_of(engines),
            lifespan="off",
            ws="none",
            log_level="warning",
            access_log=False,
            timeout_graceful_shutdown=GRACE_S,
        )
    )
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, server.handle_exit, number, None)
    listening.listen()
    for sentence in engines.missing:
        sys.stderr.write(f"{sentence}\n")
    sys.stdout.write(f"{_url(listening)}: {', '.join(_introductions(engines))}\n")
    sys.stdout.flush()
    try:
        await server.serve(sockets=[listening])
    finally:
        await engines.close()


class _Server(uvicorn.Server):
    """Leaves the signals to us: uvicorn raises them again when it has stopped, before the engines are closed."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def bind(host: str, port: int) -> socket.socket:
    """Take the address, before models are loaded for nothing; nobody can connect yet. Raises `NoAddress`."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio sends at once (TCP_NODELAY) only where the protocol is named: else small answers wait 40 ms for an ACK
    bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
    except (OSError, OverflowError) as error:
        bound.close()
        why = error.strerror if isinstance(error, OSError) else "ports end at 65535"
        raise NoAddress(f"cannot listen on {host}:{port}: {why}; choose with --host and --port") from error
    return bound


def _url(listening: socket.socket) -> str:
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _introductions(engines: Engines) -> Iterator[str]:
    for about in engines.about.values():
        yield f"{about.task} by {about.name} ({about.runtime})"


if __name__ == "__main__":
    sys.exit(main())
