"""The way to a camera, tried by itself: its name, its port, its certificate."""

from __future__ import annotations

import asyncio
import hashlib
import socket
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_address

from perishield.model.errors import SourceError
from perishield.sources.doctor.step import Step, fail, ok
from perishield.sources.rtsp import tls

Address = tuple[int, tuple[str, int]]
"""(family, (host, port)) of one of a name's addresses."""


@dataclass(frozen=True, slots=True)
class Door:
    """Where a camera listens. `fingerprint`: SHA-256 (hex) of the certificate that is expected, or empty."""

    host: str
    port: int
    tls: bool = False
    fingerprint: str = ""


async def reach(
    door: Door, patience_s: float, tell: Callable[[Step], None], forbidden: Callable[[str], bool] = lambda _: False
) -> bool:
    """Tell the steps `dns`, `tcp` and, with TLS, `tls`; False where one failed, or leads to a `forbidden` address."""
    addresses = await _resolve(door, patience_s, tell)
    if not addresses:
        return False
    if any(forbidden(host) for _, (host, _) in addresses):
        says = f"{door.host} leads to an address that nothing is ever fetched from here"
        tell(fail("tcp", "tcp_forbidden", says, "write the camera's own address", host=door.host))
        return False
    if not await _connect(door, addresses, patience_s, tell):
        return False
    return not door.tls or await _handshake(door, patience_s, tell)


def _literal(host: str) -> bool:
    try:
        ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


async def _resolve(door: Door, patience_s: float, tell: Callable[[Step], None]) -> list[Address]:
    began = time.monotonic()
    try:
        async with asyncio.timeout(patience_s):
            found = await asyncio.get_running_loop().getaddrinfo(door.host, door.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError, TimeoutError):
        way_out = "check the spelling, or write the camera's IP address"
        says = f"the name {door.host!r} is unknown here"
        tell(fail("dns", "dns_unknown", says, way_out, _ms(began), host=door.host))
        return []
    addresses = [(int(family), (str(where[0]), door.port)) for family, _, _, _, where in found]
    shown = ", ".join(dict.fromkeys(host for _, (host, _) in addresses))
    if _literal(door.host):
        tell(ok("dns", "dns_literal", f"{door.host} is an address, nothing to look up", _ms(began), host=door.host))
    else:
        tell(ok("dns", "dns_found", f"{door.host} is {shown}", _ms(began), host=door.host, addresses=shown))
    return addresses


async def _connect(door: Door, addresses: list[Address], patience_s: float, tell: Callable[[Step], None]) -> bool:
    began = time.monotonic()
    error: Exception = OSError("no address")
    for _, (host, port) in addresses:
        try:
            async with asyncio.timeout(patience_s):
                _, writer = await asyncio.open_connection(host, port)
        except (OSError, TimeoutError) as refused:
            error = refused
            continue
        # Without a word, so that the camera holds no session for it.
        writer.transport.abort()
        tell(ok("tcp", "tcp_open", f"{host} port {port} accepts connections", _ms(began), host=host, port=port))
        return True
    where = {"host": door.host, "port": door.port}
    if isinstance(error, ConnectionRefusedError):
        says = f"{door.host} refuses connections at port {door.port}"
        tell(fail("tcp", "tcp_refused", says, "check the port, and that RTSP is switched on", _ms(began), **where))
    elif isinstance(error, TimeoutError):
        says = f"{door.host} does not answer at port {door.port} within {patience_s:g} s"
        way_out = "check power, cable, address, and firewalls between here and the camera"
        tell(fail("tcp", "tcp_silent", says, way_out, _ms(began), **where, seconds=patience_s))
    else:
        reason = getattr(error, "strerror", None) or type(error).__name__
        says = f"{door.host} port {door.port} cannot be reached: {reason}"
        way_out = "check address, cable, and that this machine has a way into the camera's network"
        tell(fail("tcp", "tcp_unreachable", says, way_out, _ms(began), **where, reason=reason))
    return False


async def _handshake(door: Door, patience_s: float, tell: Callable[[Step], None]) -> bool:
    """Looks at the certificate without judging it first: most cameras have signed their own."""
    began = time.monotonic()
    try:
        certificate, version = await _certificate(door, tls.context(pinned=True), patience_s)
    except (OSError, TimeoutError, ssl.SSLError) as error:
        reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or type(error).__name__
        way_out = "check that this port speaks RTSPS (often 322), and which TLS versions the camera offers"
        tell(fail("tls", "tls_failed", f"no TLS at this port: {reason}", way_out, _ms(began), reason=str(reason)))
        return False
    seen = hashlib.sha256(certificate).hexdigest()
    try:
        wanted = tls.clean_fingerprint(door.fingerprint) if door.fingerprint else ""
    except SourceError as error:
        tell(fail("tls", "tls_fingerprint", error.message, f"this camera's is {seen}", _ms(began)))
        return False
    facts = {"fingerprint": seen, "version": version}
    if wanted and wanted == seen:
        tell(ok("tls", "tls_pinned", f"{version}, the certificate is the one you trust", _ms(began), **facts))
        return True
    if wanted:
        says = f"{version}, but the certificate is another than the one you trust: SHA-256 {seen}"
        way_out = "find out why it changed before you trust the new one"
        tell(fail("tls", "tls_changed", says, way_out, _ms(began), **facts))
        return False
    try:
        await _certificate(door, tls.context(pinned=False), patience_s)
    except (OSError, TimeoutError, ssl.SSLError):
        says = f"{version}, but no authority vouches for the certificate: SHA-256 {seen}"
        way_out = "compare this fingerprint with the camera's own page, then enter it in the camera's settings"
        tell(fail("tls", "tls_untrusted", says, way_out, _ms(began), **facts))
        return False
    tell(ok("tls", "tls_trusted", f"{version}, the certificate is signed by a known authority", _ms(began), **facts))
    return True


async def _certificate(door: Door, context: ssl.SSLContext, patience_s: float) -> tuple[bytes, str]:
    """The peer's certificate (DER) and the TLS version. Raises OSError, ssl.SSLError, TimeoutError."""
    async with asyncio.timeout(patience_s):
        _, writer = await asyncio.open_connection(door.host, door.port, ssl=context, server_hostname=door.host)
    try:
        session: ssl.SSLObject = writer.get_extra_info("ssl_object")
        return session.getpeercert(binary_form=True) or b"", session.version() or "TLS"
    finally:
        writer.transport.abort()


def _ms(began: float) -> float:
    return round((time.monotonic() - began) * 1000, 1)
