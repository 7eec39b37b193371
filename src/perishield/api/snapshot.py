"""A camera's latest key frame as JPEG: decoded only when somebody asks, once per key frame."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from perishield.live.hub import LiveHub
from perishield.model.errors import StorageError
from perishield.model.media import ChunkRef, Codec, SegmentRow
from perishield.store.database import Database
from perishield.store.segments import newest_segment
from perishield.streams.fmp4_reader import walk

_QUALITY = 85
_MOST_KEPT = 64


class Snapshots:
    """Decodes in a thread, one picture at a time; the decoder is loaded with the first."""

    def __init__(self, media: Path, database: Database, live: LiveHub) -> None:
        self._media = media
        self._database = database
        self._live = live
        self._kept: dict[str, tuple[tuple[str, int], bytes]] = {}
        self._one = asyncio.Lock()

    async def latest(self, camera: str) -> bytes:
        """JPEG bytes of the live stream's latest key frame, else of the last recorded one.

        Raises StorageError (`missing`) where there is none.
        """
        async with self._one:
            ref = self._live.latest_key(camera)
            picture = await self._picture(camera, ref) if ref else None
            if picture is None:
                async with self._database.read() as session:
                    row = await newest_segment(session, camera)
                ref = await asyncio.to_thread(_last_key, self._media, row) if row else None
                picture = await self._picture(camera, ref) if ref else None
        if picture is None:
            raise StorageError(
                f"camera {camera!r}: there is no picture yet; it comes with the stream's first key frame",
                code="missing",
                camera=camera,
            )
        return picture

    async def _picture(self, camera: str, ref: ChunkRef) -> bytes | None:
        mark = (ref.path, ref.offset)
        kept = self._kept.get(camera)
        if kept and kept[0] == mark:
            return kept[1]
        picture = await asyncio.to_thread(_decode, self._media, ref)
        if picture is not None:
            if len(self._kept) >= _MOST_KEPT:
                self._kept.pop(next(iter(self._kept)))
            self._kept[camera] = (mark, picture)
        return picture


def _decode(media: Path, ref: ChunkRef) -> bytes | None:
    import simplejpeg

    from perishield.vision.decoder import ChunkDecoder

    decoder = ChunkDecoder(media)
    try:
        picture = decoder.skim(ref)
        if picture is None:
            return None
        pixels = picture.frame.to_ndarray(format="rgb24")
    finally:
        decoder.close()
    encoded: bytes = simplejpeg.encode_jpeg(pixels, quality=_QUALITY, colorspace="RGB", colorsubsampling="420")
    return encoded


def _last_key(media: Path, row: SegmentRow) -> ChunkRef | None:
    """A reference to the last key frame of a stored segment."""
    if not row.keyframes:
        return None
    try:
        fd = os.open(media / row.path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        chunk = next(walk(fd, row.keyframes[-1][1]), None)
    finally:
        os.close(fd)
    if chunk is None or not chunk.key:
        return None
    return ChunkRef(
        camera=row.camera,
        epoch=row.epoch,
        number=chunk.number,
        path=row.path,
        init_length=row.init_length,
        offset=chunk.offset,
        length=chunk.length,
        segment_time=row.stream_time,
        stream_time=row.stream_time + chunk.decode_time,
        wall=row.start,
        arrival=row.start,
        key=True,
        discontinuity=True,
        codec=Codec(row.codec),
        mime=row.mime,
        width=row.width,
        height=row.height,
        sizes=chunk.sizes,
        durations=chunk.durations,
        composition=chunk.composition,
        arrivals=(0,) * len(chunk.sizes),
    )
