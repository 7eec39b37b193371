"""A camera's latest key frame as JPEG: decoded only when somebody asks, once per key frame."""

from __future__ import annotations

import asyncio
from pathlib import Path

from perishield.live.hub import LiveHub
from perishield.model.errors import StorageError
from perishield.model.media import ChunkRef, SegmentRow
from perishield.recording.keyframes import KeyFrame, group
from perishield.recording.segment_reader import Footage
from perishield.store.database import Database
from perishield.store.segments import newest_segment
from perishield.vision.still import StillDecoder, encode_frame, jpeg_of_key_frame

_MOST_KEPT = 64


class Snapshots:
    """Decodes in a thread, one picture at a time; the decoder is loaded with the first."""

    def __init__(self, media: Path, database: Database, live: LiveHub, footage: Footage) -> None:
        self._media = media
        self._database = database
        self._live = live
        self._footage = footage
        self._kept: dict[str, tuple[tuple[str, int], bytes]] = {}
        self._one = asyncio.Lock()

    async def latest(self, camera: str) -> bytes:
        """JPEG bytes of the live stream's latest key frame, else of the last recorded one.

        Raises StorageError (`missing`) where there is none.
        """
        async with self._one:
            picture = await self._live_picture(camera) or await self._recorded_picture(camera)
        if picture is None:
            raise StorageError(
                f"camera {camera!r}: there is no picture yet; it comes with the stream's first key frame",
                code="missing",
                camera=camera,
            )
        return picture

    async def _live_picture(self, camera: str) -> bytes | None:
        ref = self._live.latest_key(camera)
        if ref is None:
            return None
        mark = (ref.path, ref.offset)
        return self._known(camera, mark) or self._keep(camera, mark, await asyncio.to_thread(self._of_chunk, ref))

    async def _recorded_picture(self, camera: str) -> bytes | None:
        async with self._database.read() as session:
            row = await newest_segment(session, camera)
        if row is None or not row.keyframes:
            return None
        mark = (row.path, row.keyframes[-1][1])
        return self._known(camera, mark) or self._keep(camera, mark, await asyncio.to_thread(self._of_segment, row))

    def _of_chunk(self, ref: ChunkRef) -> bytes | None:
        try:
            return jpeg_of_key_frame(ref, self._media)
        except StorageError:
            return None

    def _of_segment(self, row: SegmentRow) -> bytes | None:
        try:
            found = group(self._footage, KeyFrame(row, row.keyframes[-1][1], row.start))
            return encode_frame(StillDecoder().decode(found.codec, found.configuration, found.units))
        except (StorageError, OSError):
            return None

    def _known(self, camera: str, mark: tuple[str, int]) -> bytes | None:
        kept = self._kept.get(camera)
        return kept[1] if kept and kept[0] == mark else None

    def _keep(self, camera: str, mark: tuple[str, int], picture: bytes | None) -> bytes | None:
        if picture is not None:
            if len(self._kept) >= _MOST_KEPT:
                self._kept.pop(next(iter(self._kept)))
            self._kept[camera] = (mark, picture)
        return picture
