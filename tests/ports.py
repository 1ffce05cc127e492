"""Ports for servers that are started later, or anew in the same place, while other tests run beside them."""

import random
import socket

BELOW_WHAT_SYSTEMS_GIVE = range(20_000, 32_768)
"""To whoever asks for any port, Linux gives one from 32,768 on, and others one from 49,152 on."""


def free_port() -> int:
    """Return a port of loopback that the system gives nobody by itself."""
    for port in random.SystemRandom().sample(BELOW_WHAT_SYSTEMS_GIVE, 100):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise OSError("no port is free on loopback")
