"""Recorded segments as the chunk references that they were when they were live."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from perishield.model.media import TIMESCALE, ChunkRef, Codec, SegmentRow
from perishield.streams.fmp4_reader import Chunk, walk


def chunk_refs(media: Path, rows: Iterable[SegmentRow], start: float, end: float) -> Iterator[ChunkRef]:
    """The chunks of these segments with footage in [start, end) (Unix seconds), oldest first.

    The first of a segment begins with its key frame even where that lies before `start`. A segment that is gone or cut
    short gives what there is of it: whoever counts sees the difference. One segment is open at a time.
    """
    for row in rows:
        try:
            fd = os.open(media / row.path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            continue
        try:
            held: list[ChunkRef] = []
            for chunk in walk(fd, row.init_length):
                ref = _ref(row, chunk)
                if ref.wall >= end:
                    break
                if ref.wall + ref.duration / TIMESCALE > start:
                    yield from held
                    held = []
                    yield ref
                else:
                    # Without its key frame no picture of a group can be decoded.
                    held = [ref] if ref.key else [*held, ref]
        finally:
            os.close(fd)


def _ref(row: SegmentRow, chunk: Chunk) -> ChunkRef:
    wall = row.start + chunk.decode_time / TIMESCALE
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
        wall=wall,
        arrival=wall,
        key=chunk.key,
        # A gap shows in the numbers, by which the decoder goes.
        discontinuity=False,
        codec=Codec(row.codec),
        mime=row.mime,
        width=row.width,
        height=row.height,
        sizes=chunk.sizes,
        durations=chunk.durations,
        composition=chunk.composition,
        arrivals=(),
        audio=row.audio,
    )
