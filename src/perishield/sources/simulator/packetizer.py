"""NAL units into interleaved RTP packets (RFC 6184 sections 5.6 and 5.8, RFC 7798 sections 4.4.1 and 4.4.3)."""

from __future__ import annotations

import struct

from perishield.model.media import Codec
from perishield.sources.rtsp.packetizer import fragments

PAYLOAD_TYPE = 96
_MTU = 1_400
_HEAD = struct.Struct("!BBHBBHII")


def packetize(codec: Codec, nals: list[bytes], source: int, *, mtu: int = _MTU) -> tuple[bytearray, tuple[int, ...]]:
    """One access unit as `$`-framed packets on channel 0, and where each frame begins.

    Sequence numbers (at frame + 6) and timestamps (at frame + 8) are left zero for `stamp`.
    """
    buffer = bytearray()
    frames = []
    for index, nal in enumerate(nals):
        payloads = [nal] if len(nal) <= mtu else fragments(codec, nal, mtu)
        for number, payload in enumerate(payloads):
            last = index == len(nals) - 1 and number == len(payloads) - 1
            frames.append(len(buffer))
            buffer += _HEAD.pack(0x24, 0, 12 + len(payload), 0x80, PAYLOAD_TYPE | (0x80 if last else 0), 0, 0, source)
            buffer += payload
    return buffer, tuple(frames)


def stamp(buffer: bytearray, frames: tuple[int, ...], sequence: int, timestamp: int) -> int:
    """Write numbers and timestamp into a packetized access unit; returns the next sequence number."""
    for frame in frames:
        struct.pack_into("!HI", buffer, frame + 6, sequence, timestamp)
        sequence = (sequence + 1) & 0xFFFF
    return sequence
