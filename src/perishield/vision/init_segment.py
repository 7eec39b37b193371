"""Finds the decoder configuration in a segment file's first bytes.

ISO/IEC 14496-12 boxes moov/trak/mdia/minf/stbl/stsd, then 14496-15 sample entries avc1|avc3|hvc1|hev1 with the
record avcC or hvcC, whose bytes are what libavcodec calls extradata.
"""

from __future__ import annotations

from collections.abc import Iterator

from perishield.model.errors import StorageError

_PATH = (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd")
_ENTRIES = {b"avc1": b"avcC", b"avc3": b"avcC", b"hvc1": b"hvcC", b"hev1": b"hvcC"}
_SAMPLE_ENTRY = 8 + 70
"""Bytes of VisualSampleEntry before its child boxes (14496-12, 12.1.3)."""


def _boxes(data: bytes, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """(type, start of the body, end) of each box between two offsets."""
    while start + 8 <= end:
        size = int.from_bytes(data[start : start + 4], "big")
        body = start + 8
        if size == 1:
            size = int.from_bytes(data[start + 8 : start + 16], "big")
            body += 8
        elif size == 0:
            size = end - start
        if size < body - start or start + size > end:
            return
        yield data[start + 4 : start + 8], body, start + size
        start += size


def decoder_configuration(init: bytes) -> bytes:
    """The avcC or hvcC record of the first video track. Raises StorageError (`corrupt`)."""
    found = _search(init, 0, len(init), 0)
    if found is None:
        raise StorageError("segment: its first bytes describe no H.264 or H.265 track", code="corrupt")
    return found


def _search(data: bytes, start: int, end: int, depth: int) -> bytes | None:
    if depth < len(_PATH):
        for kind, body, stop in _boxes(data, start, end):
            if kind == _PATH[depth]:
                inner = body + 8 if kind == b"stsd" else body
                found = _search(data, inner, stop, depth + 1)
                if found is not None:
                    return found
        return None
    for kind, body, stop in _boxes(data, start, end):
        wanted = _ENTRIES.get(kind)
        if wanted is None:
            continue
        for child, low, high in _boxes(data, body + _SAMPLE_ENTRY, stop):
            if child == wanted:
                return data[low:high]
    return None
