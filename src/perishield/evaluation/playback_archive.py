"""A month of a hundred cameras for the playback benchmark: rows of a real database, and footage behind some of them."""

from __future__ import annotations

import asyncio
import json
import os
import random
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from perishield.evaluation.texture_clip import read_packets, write_clip
from perishield.model.media import TIMESCALE, Packet, SegmentRow
from perishield.store.database import Database, sqlite_url
from perishield.streams.chunker import Chunker
from perishield.streams.layout import RECORDINGS, hour_folder
from perishield.streams.segments import MediaRoot, SegmentWriter

_START = 1_780_012_800
"""2026-05-29, midnight UTC."""
_CLIP_S = 10
_DAY_S = 86_400
_INSERT = """
WITH RECURSIVE number(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM number WHERE n + 1 < :count)
INSERT INTO segments (path, camera, pool, epoch, start, duration, size, frames, stream_time, codec, mime, width, height,
    init_length, keyframes, complete, audio)
SELECT 'recordings/' || :camera || '/' || strftime('%Y-%m-%d/%H', :start + n * :length, 'unixepoch') || '/'
    || (:start + n * :length) || '.mp4', :camera, 'recordings', 1, :start + n * :length, :duration, :size, :frames,
    n * :length * 90000, :codec, :mime, :width, :height, :init_length, :keyframes, 1, ''
FROM number
"""


@dataclass(frozen=True, slots=True)
class Archive:
    """`targets`: (camera, Unix seconds) with footage; `segment`: the one file behind all rows."""

    data: Path
    media: Path
    segment: Path
    segment_s: int
    rows: int
    database_bytes: int
    targets: list[tuple[str, float]]
    day_camera: str
    day_start: float
    day_files: list[Path]


def build(
    folder: Path, cameras: int, days: int, segment_s: int, seeks: int, advance: Callable[[float], None]
) -> Archive:
    """Make it below `folder`. The seeks are the same for the same arguments."""
    data, media = folder / "data", folder / "data" / "media"
    row = _record(folder, media, segment_s)
    original = media / row.path
    database = data / "perishield.db"
    asyncio.run(_create(database))
    per_camera = days * _DAY_S // segment_s
    names = [f"cam-{number:03d}" for number in range(cameras)]
    connection = sqlite3.connect(database)
    # A crash of this tool loses nothing that anybody wants.
    connection.execute("PRAGMA synchronous=OFF")
    values = {
        "count": per_camera,
        "start": _START,
        "length": segment_s,
        "duration": row.duration,
        "size": row.size,
        "frames": row.frames,
        "codec": row.codec,
        "mime": row.mime,
        "width": row.width,
        "height": row.height,
        "init_length": row.init_length,
        "keyframes": json.dumps(row.keyframes).encode(),
    }
    for number, name in enumerate(names):
        with connection:
            connection.execute(_INSERT, {**values, "camera": name})
        advance(number / cameras)
    connection.close()
    chance = random.Random(7)
    targets = [(chance.choice(names), _START + chance.random() * (days * _DAY_S - 300)) for _ in range(seeks)]
    for camera, moment in targets:
        first = int((moment - _START) // segment_s)
        for index in range(first, min(first + 60 // segment_s + 2, per_camera)):
            _link(media, original, row, camera, _START + index * segment_s)
    day_camera, day_start = names[-1], _START + (days - 1) * _DAY_S
    day = [_link(media, original, row, day_camera, day_start + n * segment_s) for n in range(_DAY_S // segment_s)]
    return Archive(
        data,
        media,
        original,
        segment_s,
        per_camera * cameras,
        database.stat().st_size,
        targets,
        day_camera,
        day_start,
        day,
    )


async def _create(database: Path) -> None:
    await (await Database.open(sqlite_url(database))).close()


def _record(folder: Path, media: Path, segment_s: int) -> SegmentRow:
    """One segment of 720p25 at 2 Mbit/s, recorded by the real writer from a clip in a loop."""
    write_clip(folder / "clip.mp4", seconds=_CLIP_S, bitrate=2_000_000, gop_s=2.0)
    video, packets = read_packets(folder / "clip.mp4")
    rows: list[SegmentRow] = []
    writer = SegmentWriter(MediaRoot(media), "original", RECORDINGS, 7200, rows.append, lambda _: None)
    chunker = Chunker("original", 1, writer, lambda _: None, chunk_bytes=256 * 1024)
    chunker.format(video)
    for turn in range(-(-segment_s // _CLIP_S)):
        for packet in packets:
            time = packet.dts + turn * _CLIP_S * TIMESCALE
            if time >= segment_s * TIMESCALE:
                break
            wall = _START + time / TIMESCALE
            chunker.packet(
                Packet(packet.data, packet.size, time, time + packet.pts - packet.dts, packet.key, wall, wall)
            )
    chunker.close()
    return rows[0]


def _link(media: Path, original: Path, row: SegmentRow, camera: str, start: int) -> Path:
    path = f"{hour_folder(RECORDINGS, camera, start)}/{start}.mp4"
    target = media / path
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        os.link(original, target)
    return target
