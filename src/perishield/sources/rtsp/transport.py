"""The Transport header (RFC 2326 section 12.39): what we ask for, and what servers make of it.

Servers answer in any order of parameters, with one channel of two, with ports of 0, with blanks, with another
transport than asked for, or with none at all.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_CHANNELS = re.compile(r"(?:^|;)\s*interleaved\s*=\s*(\d{1,3})(?:\s*-\s*(\d{1,3}))?", re.IGNORECASE)
_SERVER_PORT = re.compile(r"(?:^|;)\s*server_port\s*=\s*(\d{1,5})(?:\s*-\s*(\d{1,5}))?", re.IGNORECASE)
_CLIENT_PORT = re.compile(r"(?:^|;)\s*client_port\s*=", re.IGNORECASE)
_SOURCE = re.compile(r"(?:^|;)\s*source\s*=\s*\"?([0-9A-Za-z.:%\[\]-]{1,255})", re.IGNORECASE)
_MULTICAST = re.compile(r"(?:^|;)\s*multicast\s*(?:;|$)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class TransportAnswer:
    """What a server grants. `channels` (RTP, RTCP) None: it named none. `ports` (RTP, RTCP) of the server are 0 where
    it named none; `source` is the address it says it sends from, or empty.
    """

    channels: tuple[int, int] | None = None
    ports: tuple[int, int] = (0, 0)
    source: str = ""
    udp: bool = False
    multicast: bool = False


def over_tcp(first: int) -> str:
    """Ask for interleaved packets on channels `first` and the next. No `mode=play`: some servers fail on it."""
    return f"RTP/AVP/TCP;unicast;interleaved={first}-{first + 1}"


def over_udp(port: int) -> str:
    """Ask for datagrams to `port` (RTP) and the next (RTCP)."""
    return f"RTP/AVP;unicast;client_port={port}-{port + 1}"


def read_transport(header: str) -> TransportAnswer:
    """Of several transports in a header the first counts. Never raises."""
    text = header.split(",", 1)[0]
    channels = _CHANNELS.search(text)
    pair = None
    if channels is not None:
        first = int(channels[1]) & 0xFF
        pair = (first, int(channels[2]) & 0xFF if channels[2] else (first + 1) & 0xFF)
    ports = _SERVER_PORT.search(text)
    rtp, control = 0, 0
    if ports is not None:
        rtp = _port(ports[1])
        control = _port(ports[2]) if ports[2] else _port(str(rtp + 1)) if rtp else 0
    source = _SOURCE.search(text)
    multicast = _MULTICAST.search(text) is not None
    datagrams = pair is None and (ports is not None or _CLIENT_PORT.search(text) is not None or multicast)
    return TransportAnswer(pair, (rtp, control), source[1].strip("[]") if source else "", datagrams, multicast)


def _port(text: str) -> int:
    value = int(text)
    return value if value < 65536 else 0
