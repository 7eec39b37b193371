"""What stands before the chunks of a playback: the camera's own init segment, told how long it is and where to seek."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence

from perishield.streams.fmp4 import index_room, segment_index

VIDEO_TRACK = 1
BROWSER_SOUND = frozenset({"aac", "opus"})
"""Sound that browsers play; G.711 they do not."""

_MOST_INDEXED = 4096


def boxes(data: bytes | bytearray | memoryview, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """(type, start, end) of the boxes in [start, end), their headers included; ends at the first broken one."""
    while start + 8 <= end:
        size, kind = struct.unpack_from(">I4s", data, start)
        if size < 8 or start + size > end:
            return
        yield kind, start, start + size
        start += size


def playback_head(init: bytes, *, sound: bool, ticks: int, pieces: Sequence[tuple[int, int]]) -> bytes:
    """`ftyp`, `moov` and `sidx` of a file whose chunks follow at once.

    `init`: of the first segment. `ticks`: length of the whole. `pieces`: bytes and ticks of each run of chunks that
    begins with a key frame; neighbours are joined where there are too many for an index of bounded size.
    """
    joined = _joined(pieces)
    # Where the index has its exact size, demuxers find that it covers the file to its end.
    room = index_room(len(joined))
    return init_segment(init, sound=sound, ticks=ticks) + segment_index(joined, room)


def init_segment(init: bytes, *, sound: bool, ticks: int | None = None) -> bytes:
    """The init segment without our origin box, and without its sound where that is not wanted.

    With `ticks` it bears the length of the whole (`mehd`, ISO/IEC 14496-12 clause 8.8.2).
    """
    parts = []
    for kind, start, end in boxes(init, 0, len(init)):
        parts.append(_moov(init, start, end, sound, ticks) if kind == b"moov" else init[start:end])
    return b"".join(parts)


def same_decoder(one: bytes, other: bytes, *, sound: bool) -> bool:
    """Whether a decoder that was set up with one init segment takes the chunks of the other."""
    return one == other or init_segment(one, sound=sound) == init_segment(other, sound=sound)


def _moov(data: bytes, start: int, end: int, sound: bool, ticks: int | None) -> bytes:
    parts = []
    for kind, low, high in boxes(data, start + 8, end):
        if kind == b"uuid" or (kind == b"trak" and not sound and track_id(data, low, high) != VIDEO_TRACK):
            continue
        if kind == b"mvex":
            parts.append(_mvex(data, low, high, sound, ticks))
        elif kind == b"mvhd":
            # next_track_ID: the same whether or not there was sound.
            parts.append(data[low : high - 4] + struct.pack(">I", VIDEO_TRACK + 2))
        else:
            parts.append(data[low:high])
    return _box(b"moov", b"".join(parts))


def track_id(data: bytes, start: int, end: int) -> int:
    """Of a `trak` box: from its `tkhd` (clause 8.3.2), whose times have 32 or 64 bits."""
    for kind, low, _ in boxes(data, start + 8, end):
        if kind == b"tkhd":
            (found,) = struct.unpack_from(">I", data, low + (28 if data[low + 8] else 20))
            return int(found)
    return 0


def _mvex(data: bytes, start: int, end: int, sound: bool, ticks: int | None) -> bytes:
    parts = [] if ticks is None else [_box(b"mehd", struct.pack(">IQ", 0x01000000, ticks))]
    for kind, low, high in boxes(data, start + 8, end):
        (track,) = struct.unpack_from(">I", data, low + 12) if high - low >= 16 else (0,)
        if kind == b"mehd" or (kind == b"trex" and not sound and track != VIDEO_TRACK):
            continue
        parts.append(data[low:high])
    return _box(b"mvex", b"".join(parts))


def _joined(pieces: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    step = -(-len(pieces) // _MOST_INDEXED) or 1
    return [
        (sum(size for size, _ in pieces[first : first + step]), sum(ticks for _, ticks in pieces[first : first + step]))
        for first in range(0, len(pieces), step)
    ]


def _box(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I4s", len(body) + 8, kind) + body
