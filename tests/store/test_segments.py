"""The index of segment files."""

from __future__ import annotations

from dataclasses import replace

from perishield.model.media import SegmentRow
from perishield.store.database import Database
from perishield.store.segments import (
    forget_segments,
    has_segment,
    list_segments,
    newest_segment,
    save_segments,
    segment_paths,
)


def make_segment(start: float, camera: str = "gate") -> SegmentRow:
    return SegmentRow(
        camera=camera,
        pool="recordings",
        path=f"recordings/{camera}/2026-11-22/17/{int(start)}.mp4",
        epoch=1,
        start=start,
        duration=10.0,
        size=2_500_000,
        frames=250,
        stream_time=2**40,
        codec="h264",
        mime="avc1.64001f",
        width=1280,
        height=720,
        init_length=700,
        keyframes=((0, 700), (90_000, 123_456)),
        complete=True,
    )


async def test_segments_are_found_by_the_time_that_they_touch(database: Database) -> None:
    rows = [make_segment(1000.0 + 10 * number) for number in range(5)]
    async with database.write() as session:
        await save_segments(session, [*rows, make_segment(1000.0, "yard")])
    async with database.read() as session:
        assert await list_segments(session, "gate", None, None, 100) == (rows, 5)
        assert await list_segments(session, "gate", 1010.0, 1030.0, 100) == (rows[1:3], 2)
        assert await list_segments(session, "gate", 1005.0, 1005.1, 100) == (rows[:1], 1)
        assert await list_segments(session, "gate", None, None, 2) == (rows[3:], 5)
        assert await list_segments(session, "gate", 0.0, None, 2) == (rows[:2], 5)
        assert await newest_segment(session, "gate") == rows[-1]
        assert await newest_segment(session, "nowhere") is None


async def test_a_file_has_one_row_however_often_it_is_told(database: Database) -> None:
    row = make_segment(1000.0)
    async with database.write() as session:
        await save_segments(session, [replace(row, complete=False, frames=3)])
        await save_segments(session, [row])
    async with database.read() as session:
        assert await list_segments(session, "gate", None, None, 10) == ([row], 1)


async def test_forgotten_files_are_gone_also_by_the_thousand(database: Database) -> None:
    rows = [make_segment(1000.0 + number) for number in range(1200)]
    async with database.write() as session:
        await save_segments(session, rows)
        await forget_segments(session, [row.path for row in rows[1:]])
    async with database.read() as session:
        assert await segment_paths(session) == {rows[0].path}
        assert await has_segment(session, rows[0].path)
        assert not await has_segment(session, rows[1].path)
