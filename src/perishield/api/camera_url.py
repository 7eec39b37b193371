"""Addresses of cameras: what is accepted, and credentials taken out of them."""

from __future__ import annotations

import re
import socket
import unicodedata
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

from perishield.api.problems import ProblemError

SCHEMES = ("rtsp", "rtsps", "rtspx", "rtmp", "http", "https", "file")
"""`rtspx` is how one maker spells RTSP over TLS whose certificate nobody can check."""
LONGEST = 2048
_EXAMPLE = "rtsp://10.0.0.4:554/stream1"

_METADATA_ADDRESSES = {
    ip_address("169.254.169.254"),
    ip_address("169.254.170.2"),
    ip_address("100.100.100.200"),
    ip_address("fd00:ec2::254"),
}
_METADATA_NAMES = {
    "metadata",
    "metadata.google.internal",
    "metadata.goog",
    "instance-data",
    "instance-data.ec2.internal",
    "metadata.tencentyun.com",
}
_UNPRINTABLE = re.compile(r"[\x00-\x20\x7f-\x9f\u2028\u2029]")


def clean_url(url: str, username: str, password: str | None, field: str = "url") -> tuple[str, str, str | None]:
    """The address without credentials, then the user and the password: those inside the address win.

    Raises ProblemError (422, `invalid`, that `field`) with a sentence for what is no camera's address. A name that a
    resolver sends to a metadata address is not seen here: only administrators may add cameras.
    """
    url = url.strip()
    if not url or len(url) > LONGEST:
        raise _wrong(field, f"a camera's address has 1 to {LONGEST} characters", "address_length", most=LONGEST)
    if _UNPRINTABLE.search(url):
        raise _wrong(
            field, "a camera's address has no blanks or control characters; write a blank as %20", "address_blank"
        )
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise _wrong(
            field, f"this is no address: {_without_input(error)}; an example is {_EXAMPLE}", "address_none"
        ) from None
    scheme = parts.scheme.lower()
    if scheme not in SCHEMES:
        known = ", ".join(f"{name}://" for name in SCHEMES)
        raise _wrong(
            field, f"a camera's address begins with {known}; an example is {_EXAMPLE}", "address_scheme", known=known
        )
    if scheme == "file":
        if parts.netloc not in ("", "localhost") or parts.path in ("", "/"):
            raise _wrong(
                field, "a file's address has three slashes and a path, such as file:///clip.mp4", "address_file"
            )
        return urlunsplit((scheme, "", parts.path, "", "")), username, password
    host = parts.hostname or ""
    if not host:
        raise _wrong(field, f"the address names no host; an example is {_EXAMPLE}", "address_no_host")
    if is_metadata(host):
        raise _wrong(
            field,
            f"{host} is a cloud's metadata service, not a camera; it is never fetched from here",
            "address_metadata",
            host=host,
        )
    if parts.username is not None:
        username = unquote(parts.username)
        password = unquote(parts.password) if parts.password is not None else password
        if max(len(username), len(password or "")) > 256:
            raise _wrong(
                field,
                "user and password inside the address have at most 256 characters each",
                "address_login",
                most=256,
            )
    shown = f"[{host}]" if ":" in host else host
    netloc = shown if port is None else f"{shown}:{port}"
    return urlunsplit((scheme, netloc, parts.path, parts.query, "")), username, password


def is_metadata(host: str) -> bool:
    """Whether a host is a cloud's metadata service, however the address is spelt."""
    name = host.rstrip(".").lower()
    if name in _METADATA_NAMES:
        return True
    address: IPv4Address | IPv6Address
    try:
        address = ip_address(name.partition("%")[0])
    except ValueError:
        try:
            # Resolvers take 2852039166, 0xa9fea9fe and 0251.0376.0251.0376 for addresses too.
            address = IPv4Address(socket.inet_aton(name))
        except (OSError, ValueError):
            return False
    if isinstance(address, IPv6Address):
        address = address.ipv4_mapped or address.sixtofour or address
    return address in _METADATA_ADDRESSES


def slug(name: str) -> str:
    """An id made from a name.

    >>> slug("Gate 3 (north)")
    'gate-3-north'
    >>> slug("大门")
    'camera'
    """
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:63].rstrip("-") or "camera"


def _without_input(error: ValueError) -> str:
    # urllib quotes what it could not read, and that may be a password.
    return "its port is not a number from 0 to 65535" if "port" in str(error).lower() else "it cannot be taken apart"


def _wrong(field: str, message: str, why: str, **params: Any) -> ProblemError:
    return ProblemError(422, f"{field}: {message}", field=field, why=why, **params)
