"""Chunks put on another timeline without changing their length: only bytes in `moof` are overwritten.

Sound that a player cannot take keeps its place and loses its meaning: its `traf` becomes a `free` box, so that nothing
refers to its samples any more.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from perishield.recording.playback_head import VIDEO_TRACK, boxes
from perishield.recording.segment_reader import SegmentReader

_NUMBER_SHIFT = 4
"""A chunk's sequence number is its decode time by sixteenths: it grows, and needs no counting."""

_BLOCK = 1 << 19
_LARGEST_CHUNK = 1 << 26


def retimed(
    reader: SegmentReader, start: int, stop: int, delta: int, *, sound: bool, block_size: int = _BLOCK
) -> Iterator[tuple[bytearray, int]]:
    """Bytes [start, stop) of a segment in runs of whole chunks, each moved by `delta` ticks.

    Each comes with the new decode time of its last chunk. Ends at `stop`, or at the first thing that is no whole chunk.
    """
    wanted = block_size
    while start < stop:
        asked = min(wanted, stop - start)
        block = bytearray(reader.pread(asked, start))
        done = wanted = time = 0
        while len(block) - done >= 8:
            moof = moof_length(block[done : done + 8])
            if not moof or done + moof + 8 > len(block):
                wanted = moof and moof + 8
                break
            size = moof + int.from_bytes(block[done + moof : done + moof + 4], "big")
            if block[done + moof + 4 : done + moof + 8] != b"mdat" or done + size > len(block):
                wanted = size
                break
            time = retime(block, done, done + moof, delta, sound=sound)
            done += size
        if done:
            del block[done:]
            yield block, time
            start += done
            wanted = max(wanted, block_size)
        elif len(block) < asked or not asked < wanted <= min(_LARGEST_CHUNK, stop - start):
            return


def moof_length(head: bytes | bytearray) -> int:
    """Bytes of the `moof` that `head` begins with; 0 where it begins with something else."""
    if len(head) < 8 or head[4:8] != b"moof":
        return 0
    return int.from_bytes(head[:4], "big")


def retime(data: bytearray, start: int, end: int, delta: int, *, sound: bool) -> int:
    """Move the `moof` in `data[start:end]` by `delta` ticks; returns the video's new decode time.

    ISO/IEC 14496-12 clauses 8.8.5 (mfhd), 8.8.7 (tfhd, without optional fields before the id), 8.8.12 (tfdt, version
    1). Boxes that are not as we write them are left alone.
    """
    number_at = time = 0
    for kind, low, high in boxes(data, start + 8, end):
        if kind == b"mfhd":
            number_at = low + 12
        elif kind == b"traf":
            time = _retime_track(data, low, high, delta, sound) or time
    if number_at:
        struct.pack_into(">I", data, number_at, 1 + (time >> _NUMBER_SHIFT) & 0xFFFFFFFF)
    return time


def _retime_track(data: bytearray, start: int, end: int, delta: int, sound: bool) -> int:
    video = False
    for kind, low, high in boxes(data, start + 8, end):
        if kind == b"tfhd" and high - low >= 16:
            (track,) = struct.unpack_from(">I", data, low + 12)
            video = track == VIDEO_TRACK
            if not video and not sound:
                data[start + 4 : start + 8] = b"free"
                return 0
        elif kind == b"tfdt" and high - low == 20 and data[low + 8] == 1:
            (before,) = struct.unpack_from(">Q", data, low + 12)
            after = max(0, before + delta)
            struct.pack_into(">Q", data, low + 12, after)
            return after if video else 0
    return 0
