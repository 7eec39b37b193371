"""A segment that no longer lies on the recorder's disk, served out of a storage target by byte ranges."""

from __future__ import annotations

from collections.abc import Generator, Mapping

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import Response

from perishield.api.byte_ranges import ranged
from perishield.api.services import Services
from perishield.model.media import SegmentRow
from perishield.recording.segment_reader import SegmentReader
from perishield.store.copies import find_segment

_PIECE = 256 * 1024


async def remote_file(parts: Services, request: Request, path: str, headers: Mapping[str, str]) -> Response | None:
    """The answer, or None where there is no such segment. Raises StorageError where its target does not answer."""
    async with parts.database.read() as session:
        row = await find_segment(session, path)
    if row is None:
        return None
    return await segment_file(parts, request, row, headers)


async def segment_file(parts: Services, request: Request, row: SegmentRow, headers: Mapping[str, str]) -> Response:
    """The bytes of a segment from wherever it lies. Raises StorageError."""
    reader = await anyio.to_thread.run_sync(parts.library.open, row)
    tag = f'"{row.epoch:x}-{row.stream_time:x}-{reader.size:x}"'
    return ranged(
        request, _Reading(reader, row).read, size=reader.size, etag=tag, headers=headers, media_type="video/mp4"
    )


class _Reading:
    def __init__(self, reader: SegmentReader, row: SegmentRow) -> None:
        self._reader = reader
        self._row = row

    def read(self, start: int, stop: int) -> Generator[bytes, None, None]:
        try:
            while start < stop:
                piece = self._reader.pread(min(_PIECE, stop - start), start)
                if not piece:
                    return
                yield piece
                start += len(piece)
        finally:
            self._reader.close()
