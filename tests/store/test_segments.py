"""The index of segment files."""

from __future__ import annotations

from dataclasses import replace

from perishield.model.media import SegmentRow
from perishield.store.coverage import coverage_between, first_footage, marks, save_coverage
from perishield.store.database import Database
from perishield.store.segments import (
    forget_segments,
    has_segment,
    indexed_cameras,
    indexed_days,
    list_segments,
    newest_segment,
    paths_of_day,
    save_segments,
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
        assert await forget_segments(session, [row.path for row in rows[1:]]) == 1199
        assert await forget_segments(session, ["recordings/no/such/file.mp4"]) == 0
    async with database.read() as session:
        assert await paths_of_day(session, "gate", 0) == {rows[0].path}
        assert await has_segment(session, rows[0].path)
        assert not await has_segment(session, rows[1].path)


async def test_cameras_and_days_of_the_index_are_found_one_after_the_other(database: Database) -> None:
    starts = [3 * 86_400 - 0.5, 3 * 86_400, 3 * 86_400 + 10, 900 * 86_400 + 5]
    rows = [replace(make_segment(start), path=f"a/{start}") for start in starts]
    async with database.write() as session:
        assert await indexed_cameras(session) == []
        await save_segments(session, [*rows, make_segment(5, "yard"), make_segment(5, "gate~detect")])
    async with database.read() as session:
        assert await indexed_cameras(session) == ["gate", "gate~detect", "yard"]
        assert await indexed_days(session, "gate") == [2, 3, 900]
        assert await indexed_days(session, "nowhere") == []
        assert await paths_of_day(session, "gate", 3) == {rows[1].path, rows[2].path}


async def test_an_hour_is_out_of_date_when_one_of_its_segments_comes_or_goes(database: Database) -> None:
    early, late = make_segment(100.0), make_segment(4000.0)

    async def known() -> dict[int, bytes]:
        async with database.read() as session:
            return (await coverage_between(session, 0, 10)).get("gate", {})

    async with database.write() as session:
        await save_segments(session, [early, late])
        await save_coverage(session, "gate", {0: b"[1]", 1: b"[2]", 2: b"[]"})
        await save_coverage(session, "gate", {2: b"[3]"})
        await save_coverage(session, "yard", {0: b"[4]"})
    assert await known() == {0: b"[1]", 1: b"[2]", 2: b"[3]"}
    async with database.write() as session:
        await save_segments(session, [replace(early, frames=3)])
    assert await known() == {1: b"[2]", 2: b"[3]"}
    async with database.write() as session:
        await forget_segments(session, [late.path])
    assert await known() == {2: b"[3]"}
    async with database.read() as session:
        assert (await coverage_between(session, 0, 10, "yard")) == {"yard": {0: b"[4]"}}
        assert [mark[:2] for mark in await marks(session, "gate", 0, 1)] == [(100.0, 10.0)]
        assert await first_footage(session, "gate") == 100.0
