"""Whether words that are sent to an address leave the operator's own network."""

import asyncio
import socket
from ipaddress import ip_address
from urllib.parse import urlsplit


async def outside(url: str) -> str | None:
    """Return the host of a URL that is not private, None for one that is.

    A name without a dot is of this machine or of a container beside it. A name that cannot be looked up may be
    anywhere.
    """
    host = urlsplit(url).hostname or ""
    if "." not in host and ":" not in host:
        return None
    try:
        return None if ip_address(host).is_private else host
    except ValueError:
        pass
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError:
        return host
    return None if all(ip_address(address[0]).is_private for *_, address in found) else host
