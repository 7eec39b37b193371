from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import pytest

from perishield.model.errors import StorageError
from perishield.model.media import TIMESCALE, VideoFormat
from perishield.recording.clip import cut_clip

WALL = 1_790_000_000.0


def units(path: Path) -> list[tuple[int, bytes]]:
    """(decode time in ticks, bytes) of every access unit, as a foreign demuxer reads the file."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert stream.time_base is not None
        return [
            (round(item.dts * stream.time_base * TIMESCALE), bytes(item))
            for item in container.demux(stream)
            if item.dts is not None and item.size
        ]


def pictures(path: Path) -> int:
    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))


def test_a_clip_over_segment_boundaries_is_the_source_frame_by_frame(archive: Any, tmp_path: Path) -> None:
    archive.record(0, 250)
    target = tmp_path / "evidence" / "a.mp4"
    result = cut_clip(archive.media, "gate-3", WALL + 1.5, WALL + 6.3, target)
    assert result.start == WALL + 1.0, "the key frame at or before the time asked for"
    found = units(target)
    assert [data for _, data in found] == [archive.unit(25 + index) for index in range(len(found))]
    assert [dts for dts, _ in found] == [index * 3600 for index in range(len(found))]
    assert result.frames == len(found) == pictures(target)
    assert result.duration_s == pytest.approx(len(found) / 25)
    assert WALL + 6.3 <= result.start + result.duration_s < WALL + 7.3
    assert result.bytes == target.stat().st_size
    assert result.note == ""
    assert list(target.parent.iterdir()) == [target]


def test_a_finished_clip_tells_its_length_and_can_be_sought(archive: Any, tmp_path: Path) -> None:
    archive.record(0, 250)
    target = tmp_path / "a.mp4"
    result = cut_clip(archive.media, "gate-3", WALL, WALL + 8, target)
    with av.open(str(target)) as container:
        assert container.duration is not None
        assert container.duration / 1e6 == pytest.approx(result.duration_s, abs=0.001)
        container.seek(5_500_000)
        frame = next(container.decode(video=0))
        assert frame.time is not None
        assert 4.9 < frame.time <= 5.5


def test_the_segment_being_written_is_part_of_a_clip(archive: Any, tmp_path: Path) -> None:
    archive.record(0, 130, close=False)
    result = cut_clip(archive.media, "gate-3", WALL + 3, WALL + 6, tmp_path / "a.mp4")
    assert result.frames == 55
    assert result.note == ""
    assert [data for _, data in units(tmp_path / "a.mp4")] == [archive.unit(75 + index) for index in range(55)]


def test_missing_footage_is_left_out_and_said(archive: Any, tmp_path: Path) -> None:
    archive.record(0, 75)
    archive.record(150, 250, epoch=78)
    result = cut_clip(archive.media, "gate-3", WALL, WALL + 8, tmp_path / "a.mp4")
    assert result.note == "3.0 s missing in 1 place(s), left out"
    assert [(one.code, one.params) for one in result.remarks] == [("left_out", {"seconds": 3.0, "places": 1})]
    found = units(tmp_path / "a.mp4")
    assert [data for _, data in found[70:80]] == [archive.unit(index) for index in (*range(70, 75), *range(150, 155))]
    assert all(two - one == 3600 for (one, _), (two, _) in pairwise(found))
    assert pictures(tmp_path / "a.mp4") == result.frames


def test_a_clip_that_could_not_reach_its_ends_says_so(archive: Any, tmp_path: Path) -> None:
    archive.record(50, 150)
    result = cut_clip(archive.media, "gate-3", WALL - 3, WALL + 9, tmp_path / "a.mp4")
    assert result.note == "begins 5.0 s late: no earlier footage; ends 3.0 s early: no later footage"
    assert [one.code for one in result.remarks] == ["begins_late", "ends_early"]
    assert result.frames == 100


def test_a_clip_ends_where_the_picture_format_changes(archive: Any, tmp_path: Path) -> None:
    archive.record(0, 75)
    sps, pps = archive.video.parameter_sets
    archive.video = VideoFormat(archive.video.codec, 640, 360, (sps, pps), archive.video.mime)
    archive.record(75, 150, epoch=78)
    result = cut_clip(archive.media, "gate-3", WALL, WALL + 5, tmp_path / "a.mp4")
    assert result.frames == 75
    assert result.note == "ends 2.0 s early: the camera's picture format changed"
    assert [(one.code, one.params) for one in result.remarks] == [("format_changed", {"seconds": 2.0})]


def test_no_footage_is_an_error_in_words(archive: Any, tmp_path: Path) -> None:
    archive.record(0, 50)
    with pytest.raises(StorageError, match="no footage") as caught:
        cut_clip(archive.media, "gate-3", WALL + 100, WALL + 105, tmp_path / "a.mp4")
    assert caught.value.code == "missing"
    assert not (tmp_path / "a.mp4").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["media"]


def test_a_target_that_cannot_be_written_is_an_error_in_words(archive: Any, tmp_path: Path) -> None:
    archive.record(0, 50)
    (tmp_path / "evidence").write_bytes(b"in the way")
    with pytest.raises(StorageError) as caught:
        cut_clip(archive.media, "gate-3", WALL, WALL + 1, tmp_path / "evidence" / "a.mp4")
    assert caught.value.code == "not_writable"
