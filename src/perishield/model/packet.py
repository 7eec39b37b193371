"""One access unit on its way from a source to a file."""

from __future__ import annotations

from typing import Final

TIMESCALE: Final = 90_000
"""Ticks of stream time in a second (RFC 3551's clock for video)."""


class Packet:
    """One access unit, as MP4 stores it: NAL units each behind a 4-byte big-endian length.

    `data` is a list of slices to be written in order (`os.writev`, `b"".join`); `size` is their total in bytes.
    `dts` and `pts` are stream ticks; they differ only where the stream has B-frames.

    Sound uses the same class: `data` is one coded frame (raw AAC, an Opus packet, some milliseconds of G.711), `key` is
    True, and `dts` equals `pts`, in the same ticks and on the same stream time as the video.
    """

    __slots__ = ("arrival", "data", "dts", "key", "pts", "size", "wall")

    def __init__(
        self, data: list[bytes], size: int, dts: int, pts: int, key: bool, wall: float, arrival: float
    ) -> None:
        self.data = data
        self.size = size
        self.dts = dts
        self.pts = pts
        self.key = key
        self.wall = wall
        self.arrival = arrival
