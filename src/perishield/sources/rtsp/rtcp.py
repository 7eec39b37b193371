"""RTCP (RFC 3550 section 6): sender reports read, receiver reports written."""

from __future__ import annotations

import struct
from dataclasses import dataclass

NTP_EPOCH = 2_208_988_800
"""Seconds from 1900-01-01, where NTP time begins, to 1970-01-01."""

_SENDER_REPORT, _RECEIVER_REPORT, _DESCRIPTION = 200, 201, 202
_NAME = b"\x01\x0aperishield\0\0\0\0"
"""CNAME item, ended and padded to 32 bits."""


@dataclass(frozen=True, slots=True)
class SenderReport:
    """`wall` is Unix seconds, UTC, at RTP timestamp `timestamp`; `middle` the 32 bits that a report echoes as LSR."""

    source: bytes
    wall: float
    timestamp: int
    middle: int


def read_sender_report(data: bytes) -> SenderReport | None:
    """The first sender report of a compound packet. NTP time 0, which says "no clock", gives None as well."""
    position = 0
    while position + 4 <= len(data):
        size = 4 + 4 * (data[position + 2] << 8 | data[position + 3])
        if data[position] & 0xC0 != 0x80:
            return None
        if data[position + 1] == _SENDER_REPORT and position + 20 <= len(data):
            seconds, fraction, timestamp = struct.unpack_from("!III", data, position + 8)
            if seconds == 0:
                return None
            wall = seconds - NTP_EPOCH + fraction / 2**32
            middle = (seconds & 0xFFFF) << 16 | fraction >> 16
            return SenderReport(data[position + 4 : position + 8], wall, timestamp, middle)
        position += size
    return None


def receiver_report(
    own: int, source: bytes, *, lost_share: int, lost: int, highest: int, middle: int, delay: float
) -> bytes:
    """RR and CNAME for one sender. `delay` is seconds since its last report, `lost_share` lost packets in 1/256."""
    block = source + struct.pack(
        "!B3sIIII",
        min(lost_share, 255),
        min(lost, 0x7FFFFF).to_bytes(3, "big"),
        highest & 0xFFFFFFFF,
        0,
        middle,
        min(int(delay * 65536), 0xFFFFFFFF) if middle else 0,
    )
    report = struct.pack("!BBHI", 0x81, _RECEIVER_REPORT, 7, own) + block
    return report + struct.pack("!BBHI", 0x81, _DESCRIPTION, 1 + len(_NAME) // 4, own) + _NAME


def sender_report(source: int, wall: float, timestamp: int, packets: int, octets: int) -> bytes:
    """SR without report blocks."""
    seconds = int(wall)
    fraction = int((wall - seconds) * 2**32) & 0xFFFFFFFF
    return struct.pack(
        "!BBHIIIIII",
        0x80,
        _SENDER_REPORT,
        6,
        source,
        (seconds + NTP_EPOCH) & 0xFFFFFFFF,
        fraction,
        timestamp & 0xFFFFFFFF,
        packets & 0xFFFFFFFF,
        octets & 0xFFFFFFFF,
    )
