from __future__ import annotations

from typing import Any

from perishield.recording.index import list_segments
from perishield.streams.layout import POOL, sidecar_path

WALL = 1_790_000_000.0


def test_segments_that_touch_the_time_are_found_in_order(archive: Any) -> None:
    archive.record(0, 250)
    assert len(archive.rows) == 5
    assert list_segments(archive.media, "gate-3", WALL, WALL + 10) == archive.rows
    assert list_segments(archive.media, "gate-3", WALL + 3.9, WALL + 4.1) == archive.rows[1:3]
    assert list_segments(archive.media, "gate-3", WALL + 4, WALL + 6) == archive.rows[2:3]
    assert list_segments(archive.media, "gate-3", WALL + 10, WALL + 20) == []
    assert list_segments(archive.media, "gate-3", WALL - 20, WALL) == []


def test_the_number_of_segments_can_be_limited(archive: Any) -> None:
    archive.record(0, 250)
    assert list_segments(archive.media, "gate-3", 0, WALL + 10, limit=2) == archive.rows[:2]


def test_other_cameras_and_pools_stay_out(archive: Any) -> None:
    archive.record(0, 50)
    assert list_segments(archive.media, "gate-4", WALL, WALL + 10) == []
    assert list_segments(archive.media, "gate-3", WALL, WALL + 10, pools=(POOL,)) == []


def test_the_segment_being_written_is_found_up_to_its_last_whole_chunk(archive: Any) -> None:
    archive.record(0, 120, close=False)
    rows = list_segments(archive.media, "gate-3", WALL, WALL + 10)
    assert [row.complete for row in rows] == [True, True, False]
    assert sum(row.frames for row in rows) == 120
    assert list_segments(archive.media, "gate-3", WALL, WALL + 10, unfinished=False) == archive.rows


def test_a_damaged_sidecar_counts_as_missing(archive: Any) -> None:
    archive.record(0, 50)
    (archive.media / sidecar_path(archive.rows[0].path)).write_bytes(b"{")
    (row,) = list_segments(archive.media, "gate-3", WALL, WALL + 10)
    assert (row.frames, row.complete) == (50, False)


def test_segments_are_found_over_midnight(archive: Any) -> None:
    midnight = 1_790_035_200.0
    archive.wall = midnight - 2
    archive.record(0, 100)
    assert [row.path.split("/")[2:4] for row in archive.rows] == [["2026-09-21", "23"], ["2026-09-22", "00"]]
    assert list_segments(archive.media, "gate-3", midnight - 1, midnight + 1) == archive.rows
