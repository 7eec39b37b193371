"""Coded frames into RTP payloads: what `depacketizer` undoes.

H.264    RFC 6184 sections 5.6 (single NAL unit) and 5.8 (FU-A)
H.265    RFC 7798 sections 4.4.1 and 4.4.3
AAC      RFC 3640 section 3.3.6 (AAC-hbr, one access unit a packet)
Opus     RFC 7587 section 4.2, G.711 RFC 3551 section 4.5.14: the frame itself
"""

from __future__ import annotations

from collections.abc import Iterable

from perishield.model.media import AudioCodec, Codec

MTU = 1_200
"""Largest payload: fits whatever tunnel the packet may take, SRTP's tag included."""
_LARGEST_AU = 0x1FFF


def video_payloads(codec: Codec, nals: Iterable[bytes], mtu: int = MTU) -> list[bytes]:
    """Payloads of one access unit in order; the last one's packet carries the marker."""
    found: list[bytes] = []
    for nal in nals:
        if len(nal) <= mtu:
            found.append(nal)
        else:
            found += fragments(codec, nal, mtu)
    return found


def fragments(codec: Codec, nal: bytes, mtu: int) -> list[bytes]:
    """One NAL unit in FU-A (H.264) or fragmentation units (H.265) of at most `mtu` bytes."""
    if codec is Codec.H264:
        kind, body, header = nal[0] & 31, memoryview(nal)[1:], bytes((nal[0] & 0xE0 | 28,))
    else:
        kind, body, header = (nal[0] >> 1) & 63, memoryview(nal)[2:], bytes((nal[0] & 0x81 | 49 << 1, nal[1]))
    step = mtu - len(header) - 1
    size = len(body)
    pieces = []
    for offset in range(0, size, step):
        flags = (0x80 if offset == 0 else 0) | (0x40 if offset + step >= size else 0)
        pieces.append(b"".join((header, bytes((flags | kind,)), body[offset : offset + step])))
    return pieces


def audio_payload(codec: AudioCodec, frame: bytes) -> bytes:
    """The payload of one coded frame; empty where it is too large for its packaging."""
    if codec is not AudioCodec.AAC:
        return frame
    if len(frame) > _LARGEST_AU:
        return b""
    return b"\x00\x10" + (len(frame) << 3).to_bytes(2, "big") + frame
