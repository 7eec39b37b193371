"""The same access unit, put into RTP payloads as odd firmware does it.

aggregate    parameter sets in one STAP-A (RFC 6184 section 5.7.1) or aggregation packet (RFC 7798 section 4.4.2)
padded       the same with zeros behind it
startend     every small NAL unit as a fragment that is the first and the last at once
kinds        fragments after the first name another NAL unit type
reserved     the reserved bit of H.264's fragment header is set
annexb       the whole access unit passed off as one NAL unit, start codes inside
donl         H.265 with decoding order numbers in every payload (RFC 7798 section 4.4), parameter sets aggregated
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, get_args

from perishield.model.media import Codec
from perishield.sources.parameter_sets import nal_kind
from perishield.sources.rtsp.packetizer import fragments

Packaging = Literal["", "aggregate", "padded", "startend", "kinds", "reserved", "annexb", "donl"]
PACKAGINGS: tuple[str, ...] = get_args(Packaging)
_MTU = 1_400
_SETS = {Codec.H264: (7, 8), Codec.H265: (32, 33, 34)}
_SMALL = 400


def nal_units(codec: Codec, payloads: list[bytes]) -> list[bytes]:
    """What the simulator's own packetizer had been given."""
    skip = 1 if codec is Codec.H264 else 2
    nals: list[bytearray] = []
    for payload in payloads:
        first = payload[0]
        kind = nal_kind(codec, payload)
        if kind != (28 if codec is Codec.H264 else 49):
            nals.append(bytearray(payload))
            continue
        header = payload[skip]
        if header & 0x80:
            if codec is Codec.H264:
                nals.append(bytearray((first & 0xE0 | header & 31,)))
            else:
                nals.append(bytearray((first & 0x81 | (header & 63) << 1, payload[1])))
        nals[-1] += payload[skip + 1 :]
    return [bytes(nal) for nal in nals]


def repackage(codec: Codec, nals: list[bytes], packaging: Packaging) -> list[bytes]:
    """Payloads, the last of which ends the access unit."""
    if packaging == "annexb":
        return list(_plain(codec, [b"\0\0\0\1".join(nals)]))
    if packaging in ("aggregate", "padded", "donl"):
        sets = [nal for nal in nals if nal_kind(codec, nal) in _SETS[codec]]
        rest = [nal for nal in nals if nal_kind(codec, nal) not in _SETS[codec]]
        numbered = packaging == "donl" and codec is Codec.H265
        out = [_aggregate(codec, sets, numbered=numbered)] if sets else []
        if packaging == "padded" and out:
            out[0] += bytes(4)
        return out + [_numbered(payload) if numbered else payload for payload in _plain(codec, rest)]
    payloads: list[bytes] = []
    for nal in nals:
        if packaging == "startend" and len(nal) <= _SMALL:
            payloads.append(_whole_fragment(codec, nal))
            continue
        pieces = list(_plain(codec, [nal]))
        if len(pieces) > 1 and codec is Codec.H264 and packaging in ("kinds", "reserved"):
            pieces = [pieces[0], *(_spoilt(piece, packaging) for piece in pieces[1:])]
        payloads += pieces
    return payloads


def _plain(codec: Codec, nals: list[bytes]) -> Iterator[bytes]:
    for nal in nals:
        yield from [nal] if len(nal) <= _MTU else fragments(codec, nal, _MTU)


def _aggregate(codec: Codec, nals: list[bytes], *, numbered: bool) -> bytes:
    if codec is Codec.H264:
        return b"\x78" + b"".join(len(nal).to_bytes(2, "big") + nal for nal in nals)
    out = b"\x60\x01"
    for index, nal in enumerate(nals):
        if numbered:
            out += b"\0\7" if index == 0 else b"\0"
        out += len(nal).to_bytes(2, "big") + nal
    return out


def _numbered(payload: bytes) -> bytes:
    """H.265 with DONL: behind the payload header, or behind the fragment header of a first fragment."""
    if (payload[0] >> 1) & 63 == 49:
        return payload[:3] + b"\0\7" + payload[3:] if payload[2] & 0x80 else payload
    return payload[:2] + b"\0\7" + payload[2:]


def _whole_fragment(codec: Codec, nal: bytes) -> bytes:
    if codec is Codec.H264:
        return bytes((nal[0] & 0xE0 | 28, 0xC0 | nal[0] & 31)) + nal[1:]
    return bytes((nal[0] & 0x81 | 49 << 1, nal[1], 0xC0 | (nal[0] >> 1) & 63)) + nal[2:]


def _spoilt(piece: bytes, packaging: Packaging) -> bytes:
    header = piece[1] | 0x20 if packaging == "reserved" else piece[1] & 0xE0 | 12
    return piece[:1] + bytes((header,)) + piece[2:]
