"""Where this node may connect to on somebody's word: an address is resolved once, judged, and connected to as judged.

Whoever may enter a URL could otherwise make the server knock at its own back doors (server-side request forgery):
services on loopback, a cloud's metadata, a router's pages. Connect to the `ip` that is returned and name `host` in
`Host` and in the TLS handshake; to resolve again is to let the name's owner answer differently the second time.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple
from urllib.parse import urlsplit

from perishield.model.errors import PeriShieldError

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve = Callable[[str], Awaitable[Sequence[str]]]
"""From a host's name to all of its addresses. Raises OSError when it has none."""

PORTS = {
    "http": 80,
    "https": 443,
    "ws": 80,
    "wss": 443,
    "rtsp": 554,
    "rtsps": 322,
    "rtspx": 322,
    "rtmp": 1935,
    "smtp": 25,
    "smtps": 465,
}

_METADATA = frozenset(
    ipaddress.ip_address(text) for text in ("169.254.169.254", "fd00:ec2::254", "100.100.100.200", "192.0.0.192")
)
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_SHARED = ipaddress.ip_network("100.64.0.0/10")
"""What carriers put before their customers (RFC 6598): neither private nor public to Python."""


class OutwardError(PeriShieldError):
    """This node does not connect there: `address_refused`, `address_unknown` (no such name), `address_invalid`."""

    code = "address_refused"


class Outward(NamedTuple):
    """Where to connect: the address that was judged, its port, and the name that the URL has."""

    ip: str
    port: int
    host: str


async def system_resolve(host: str) -> Sequence[str]:
    """All addresses of a name, by this host's resolver."""
    found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]


async def checked(
    url: str, *, lan: bool = False, loopback: bool = False, resolve: Resolve = system_resolve, timeout_s: float = 10.0
) -> Outward:
    """Where to connect for this URL. `lan`: private networks are allowed. `loopback`: this host itself, too (tests).

    Raises OutwardError. Of a name with several addresses, all must be allowed.
    """
    host, port = _parts(url)
    try:
        addresses = [ipaddress.ip_address(host)]
    except ValueError:
        addresses = await _resolved(host, resolve, timeout_s)
    for address in addresses:
        why = refusal(address, lan=lan, loopback=loopback)
        if why:
            raise OutwardError(f"address {host!r}: {why}", host=host)
    return Outward(str(addresses[0]), port, host)


def refusal(address: IpAddress, *, lan: bool = False, loopback: bool = False, link_local: bool = False) -> str:
    """Why this node does not connect to an address; empty where it may."""
    inner = inner_address(address)
    if inner in _METADATA:
        return "this is where a cloud keeps its machines' secrets"
    if inner.is_loopback:
        return "" if loopback else "this is the node itself; name another host"
    if inner.is_link_local:
        return "" if link_local else "link-local addresses are not allowed; use one that is routed"
    if inner.is_multicast or inner.is_unspecified or inner == ipaddress.IPv4Address("255.255.255.255"):
        return "this is no single host"
    if inner.is_reserved:
        return "this range is reserved"
    if inner.is_private or inner in _SHARED:
        # Python counts among these what documents and benchmarks use.
        return "" if lan else "it lies in a private network; allow that in the settings, or use a public address"
    return ""


def inner_address(address: IpAddress) -> IpAddress:
    """The IPv4 address that an IPv6 one stands for (mapped, 6to4, NAT64), where it does."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None) or address


def _parts(url: str) -> tuple[str, int]:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise OutwardError(
            "this address cannot be read; write it like https://host:port/path", code="address_invalid"
        ) from None
    port = PORTS.get(parts.scheme.lower()) if port is None else port
    if not host or not port:
        raise OutwardError(
            "this address names no host, or its scheme has no known port; write it like https://host:port/path",
            code="address_invalid",
        )
    return host, port


async def _resolved(host: str, resolve: Resolve, timeout_s: float) -> list[IpAddress]:
    try:
        async with asyncio.timeout(timeout_s):
            texts = await resolve(host)
        # A scope behind an address ("fe80::1%eth0") is of no use elsewhere.
        found: list[IpAddress] = [ipaddress.ip_address(text.partition("%")[0]) for text in texts]
    except (OSError, UnicodeError, ValueError) as error:
        raise OutwardError(
            f"address {host!r}: there is no such name ({str(error) or 'no answer'}); check its spelling and the DNS",
            code="address_unknown",
            host=host,
        ) from error
    if not found:
        raise OutwardError(f"address {host!r}: the name has no address", code="address_unknown", host=host)
    return found
