"""Addresses: credentials apart, control attributes resolved as cameras mean them (RFC 2326 appendix C.1.1).

Base addresses that servers send are trusted for their path and query only: behind NAT they name hosts that nobody
can reach, and some are no addresses at all.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import quote, unquote

from perishield.model.errors import SourceError, mask_url

DEFAULT_PORT = 554
DEFAULT_TLS_PORT = 322
_ADDRESS = re.compile(r"(?P<scheme>rtsp[sx]?)://(?P<rest>.*)", re.IGNORECASE | re.DOTALL)
_HOST = re.compile(r"(?:\[(?P<six>[0-9a-fA-F:.%]+)\]|(?P<host>[^\x00-\x20\x7f:/?#\[\]]+))(?::(?P<port>[0-9]{1,5}))?")
_FOREIGN_BASE = re.compile(r"(?:rtsp[sx]?://)*[^/?]*(?P<path>[/?].*)?", re.IGNORECASE | re.DOTALL)
_SECURE_RTP = re.compile(r"(?i)(?<=[?&])enableSrtp(?:=[^&]*)?(?:&|$)")
_UNSAFE = re.compile(r"[\x00-\x20\x7f-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where to connect, and what to ask for. `url` is the request address: no credentials, no fragment. `tls`: all
    travels inside TLS.
    """

    host: str
    port: int
    url: str
    username: str = ""
    password: str = field(default="", repr=False)
    tls: bool = False

    @property
    def origin(self) -> str:
        """`rtsp://host:port` of `url`, without path."""
        start = self.url.index("://") + 3
        return self.url[: start + len(_split_authority(self.url[start:])[0])]


def parse_url(url: str, username: str = "", password: str = "") -> Endpoint:
    """Credentials beside the address win over those inside it. Raises SourceError (`unreachable`).

    Passwords with `@ : / ? #` are taken as they stand or percent-encoded: what precedes the last `@` before the path
    is the user information. `rtsps` is RTSP inside TLS, and so is `rtspx`, as UniFi's consoles are known by: RTP is
    not encrypted once more there, and the request for that is taken out of the address.

    >>> parse_url("rtsp://admin:p@ss@10.0.0.4/ch1").url
    'rtsp://10.0.0.4/ch1'
    """
    match = _ADDRESS.fullmatch(url.strip())
    if match is None:
        raise SourceError(
            f"{mask_url(url)!r} is no RTSP address; write rtsp://host:port/path", code="unreachable", url=mask_url(url)
        )
    info, rest = _split_user(match["rest"])
    authority, tail = _split_authority(rest)
    host = _HOST.fullmatch(authority)
    tls = match["scheme"].lower() != "rtsp"
    port = int(host["port"] or (DEFAULT_TLS_PORT if tls else DEFAULT_PORT)) if host else 0
    if host is None or not 0 < port < 65536:
        raise SourceError(
            f"{mask_url(url)!r} names no host; write rtsp://host:port/path", code="unreachable", url=mask_url(url)
        )
    if info and not username:
        user, _, secret = info.partition(":")
        username, password = unquote(user), unquote(secret)
    tail = _UNSAFE.sub(lambda bad: quote(bad[0]), tail.split("#", 1)[0])
    if tail.startswith("?"):
        tail = "/" + tail
    if tls:
        tail = _SECURE_RTP.sub("", tail).rstrip("?&")
    scheme = "rtsps" if tls else "rtsp"
    return Endpoint(host["six"] or host["host"], port, f"{scheme}://{authority}{tail}", username, password, tls)


def _split_user(rest: str) -> tuple[str, str]:
    """User information and what follows it. A raw `/` may stand in the password: then no host precedes it."""
    authority, _ = _split_authority(rest)
    if "@" in authority:
        cut = authority.rindex("@")
        return rest[:cut], rest[cut + 1 :]
    cut = rest.find("@", len(authority))
    if cut > 0 and ":" in authority and _HOST.fullmatch(authority) is None:
        while True:
            following, _ = _split_authority(rest[cut + 1 :])
            if "@" not in following:
                return rest[:cut], rest[cut + 1 :]
            cut += 1 + following.rindex("@")
    return "", rest


def _split_authority(rest: str) -> tuple[str, str]:
    for position, letter in enumerate(rest):
        if letter in "/?#":
            return rest[:position], rest[position:]
    return rest, ""


def base_url(endpoint: Endpoint, *offered: str | None) -> str:
    """The first usable of Content-Base and Content-Location, with our own host; else the request address."""
    for candidate in offered:
        path = _foreign_path((candidate or "").strip())
        if path:
            return endpoint.origin + path
    return endpoint.url


def _foreign_path(address: str) -> str:
    """Path and query of an address as servers write them: doubled schemes, no scheme, IPv6 without brackets."""
    if not address or _UNSAFE.search(address):
        return ""
    if address.startswith("/"):
        return address
    match = _FOREIGN_BASE.fullmatch(address)
    return (match["path"] or "") if match else ""


def resolve_control(endpoint: Endpoint, base: str, control: str) -> str:
    """The address of a track: appended to the base, query included, as live555 and FFmpeg have taught servers."""
    control = _UNSAFE.sub("", control)
    if control in ("", "*"):
        return base
    if _ADDRESS.fullmatch(control):
        path = _foreign_path(control)
        return endpoint.origin + path if path else base
    if control.startswith("?") or base.endswith("/"):
        return base + (control[1:] if control.startswith("/") and base.endswith("/") else control)
    return base + control if control.startswith("/") else f"{base}/{control}"


def resolve_control_strictly(endpoint: Endpoint, base: str, control: str) -> str:
    """By RFC 3986: the last path segment makes way, the query goes. For servers that know no track otherwise."""
    control = _UNSAFE.sub("", control)
    path = base[len(endpoint.origin) :].split("?", 1)[0]
    if control.startswith("/"):
        return endpoint.origin + control
    return endpoint.origin + (path.rsplit("/", 1)[0] if "/" in path else "") + "/" + control


def resolve_control_before_query(endpoint: Endpoint, base: str, control: str) -> str:
    """Appended to the base's path, with the base's query behind."""
    path, mark, query = base[len(endpoint.origin) :].partition("?")
    return resolve_control(endpoint, endpoint.origin + path, control) + mark + query


def control_candidates(endpoint: Endpoint, base: str, control: str) -> list[str]:
    """Addresses of a track, the likeliest first; the next is for servers that do not know the one before."""
    if control in ("", "*"):
        return [base]
    ways = (resolve_control, resolve_control_strictly, resolve_control_before_query)
    return list(dict.fromkeys(resolve(endpoint, base, control) for resolve in ways))
