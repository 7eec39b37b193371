"""Where cameras and recorders may be: in any network that is routed, but not in this node unless somebody says so.

Cameras live in private networks, so these are open. Loopback, link-local and metadata addresses are not: a camera
there would be a way to the node's own services, or to a cloud's secrets. Names are judged when they are connected to,
by what they lead to then. Lean: the ingest process imports this.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Sequence
from dataclasses import dataclass

from perishield.model.errors import SourceError
from perishield.model.outward import IpAddress, Resolve, inner_address, refusal, system_resolve

FORBIDDEN = "address_forbidden"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceReach:
    """`allowed`: addresses ("127.0.0.1"), networks ("169.254.0.0/16") and single doors ("127.0.0.1:8554") that are open
    besides; metadata addresses never are. `own_ports`: of this node's own servers, which only their own doors open.
    """

    allowed: tuple[str, ...] = ()
    own_ports: tuple[int, ...] = ()

    def refusal(self, address: IpAddress, port: int) -> str:
        """Why nothing is fetched from there; empty where it may be."""
        inner = inner_address(address)
        why = refusal(inner, lan=True)
        if why and not (inner.is_loopback or (inner.is_link_local and not refusal(inner, lan=True, link_local=True))):
            return why
        doors = [door for network, door in map(_read, self.allowed) if inner in network and door in (0, port)]
        if port in self.own_ports and port not in doors and is_own(inner):
            return "this is a server of this node itself, and no camera"
        return f"{why}; or allow it in [security] device_addresses" if why and not doors else ""


def check_allowed(entry: str) -> None:
    """Raise ValueError where an entry of `allowed` is none."""
    _read(entry)


def literal(host: str) -> IpAddress | None:
    """The address that a host is written as, in whichever way resolvers take; None for a name."""
    name = host.rstrip(".").partition("%")[0].lower()
    if name == "localhost" or name.endswith(".localhost"):
        return ipaddress.IPv4Address("127.0.0.1")
    try:
        return ipaddress.ip_address(name)
    except ValueError:
        pass
    try:
        # 2130706433, 0x7f000001 and 0177.0.0.1 are 127.0.0.1 to resolvers.
        return ipaddress.IPv4Address(socket.inet_aton(name))
    except (OSError, ValueError):
        return None


async def judged(host: str, port: int, reach: DeviceReach, *, resolve: Resolve = system_resolve) -> str:
    """The address to connect to: of a name, the first of its addresses, all of which must be allowed.

    Connect to that and to nothing else: to resolve again is to let the name's owner answer differently the second
    time. Raises SourceError (`address_forbidden`), OSError or UnicodeError where there is no such name.
    """
    written = literal(host)
    found: Sequence[str] = [str(written)] if written is not None else await resolve(host)
    for text in found:
        why = reach.refusal(ipaddress.ip_address(text.partition("%")[0]), port)
        if why:
            raise SourceError(f"{host}: {why}", code=FORBIDDEN, retry_after_s=60.0, host=host)
    if not found:
        raise socket.gaierror(socket.EAI_NONAME, "the name has no address")
    return found[0]


def is_own(address: IpAddress) -> bool:
    """Whether this host has that address: only then can a socket be bound to it."""
    if address.is_loopback:
        return True
    family = socket.AF_INET6 if address.version == 6 else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as trial:
            trial.bind((str(address), 0))
    except OSError:
        return False
    return True


def _read(entry: str) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, int]:
    """The network and the port, 0 for any."""
    host, port = entry, 0
    if entry.startswith("["):
        host, closed, rest = entry[1:].partition("]")
        if not closed or not (rest == "" or rest.startswith(":")):
            raise ValueError("write [address]:port")
        port = _port(rest[1:]) if rest else 0
    elif entry.count(":") == 1:
        host, _, rest = entry.partition(":")
        port = _port(rest)
    return ipaddress.ip_network(host, strict=False), port


def _port(text: str) -> int:
    port = int(text)
    if not 0 < port < 65536:
        raise ValueError("a port is 1 to 65535")
    return port
