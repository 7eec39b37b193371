"""Paths as bytes of a row."""

from __future__ import annotations

import struct
from collections.abc import Sequence

from perishield.model.errors import StorageError
from perishield.model.trajectory import Step

_POINT = struct.Struct("<IHH")
_SHARE = 65_535
_LONGEST_MS = 0xFFFFFFFF


def packed(path: Sequence[Step]) -> bytes:
    """8 bytes a point: milliseconds, then x and y in 65535ths of the picture; beyond its borders is held at them."""
    return b"".join(
        _POINT.pack(
            min(max(round(time * 1000), 0), _LONGEST_MS),
            round(min(max(x, 0.0), 1.0) * _SHARE),
            round(min(max(y, 0.0), 1.0) * _SHARE),
        )
        for time, x, y in path
    )


def unpacked(data: bytes) -> tuple[Step, ...]:
    """Raises StorageError (`corrupt`) for bytes that are no path."""
    if len(data) % _POINT.size:
        raise StorageError(f"path: {len(data)} bytes are no whole points; the row is damaged", code="corrupt")
    return tuple((time / 1000, x / _SHARE, y / _SHARE) for time, x, y in _POINT.iter_unpack(data))
