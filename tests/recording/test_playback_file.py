from __future__ import annotations

import io
import os
import subprocess
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from perishield.evaluation.texture_clip import read_packets, write_clip
from perishield.model.errors import StorageError
from perishield.model.media import TIMESCALE, Codec, SegmentRow
from perishield.recording.playback_file import PlaybackFile
from perishield.recording.playback_plan import Gaps, plan, without_doubles
from perishield.recording.segment_reader import LocalFootage

WALL = 1_790_000_000.0


def files(archive: Any, start: float, end: float, gaps: Gaps = Gaps.CLOSE) -> list[PlaybackFile]:
    footage = LocalFootage(archive.media)
    return [PlaybackFile(footage, part) for part in plan(footage, "gate-3", archive.rows, start, end, gaps)]


def whole(file: PlaybackFile) -> bytes:
    return b"".join(bytes(block) for block in file.read(0, file.size))


def units(data: bytes) -> list[tuple[int, bytes]]:
    """(decode time in ticks, bytes) of every access unit, as a foreign demuxer reads the file."""
    with av.open(io.BytesIO(data)) as container:
        stream = container.streams.video[0]
        assert stream.time_base is not None
        return [
            (round(item.dts * stream.time_base * TIMESCALE), bytes(item))
            for item in container.demux(stream)
            if item.dts is not None and item.size
        ]


def test_a_range_over_segments_is_the_source_frame_by_frame(archive: Any) -> None:
    archive.record(0, 250)
    (file,) = files(archive, WALL + 1.5, WALL + 6.3)
    assert file.part.lead == 7200, "B-frames: pictures are shown later than decoded"
    assert file.part.offset == TIMESCALE // 2 + 7200, "what lies between the key frame and the time asked for"
    data = whole(file)
    assert len(data) == file.size
    found = units(data)
    assert [unit for _, unit in found] == [archive.unit(25 + index) for index in range(len(found))]
    assert [dts for dts, _ in found] == [index * 3600 for index in range(len(found))]
    assert file.part.wall_end == pytest.approx(WALL + 1 + len(found) / 25)
    assert WALL + 6.3 <= file.part.wall_end < WALL + 7.3


def test_a_foreign_player_can_seek_by_the_index(archive: Any) -> None:
    archive.record(0, 250)
    (file,) = files(archive, WALL, WALL + 10)
    with av.open(io.BytesIO(whole(file))) as container:
        assert container.duration == 10_000_000
        container.seek(7_500_000)
        frame = next(container.decode(video=0))
        assert frame.time == pytest.approx(7, abs=1)


@pytest.mark.parametrize("gaps", list(Gaps))
def test_gaps_are_closed_up_or_kept_and_the_timeline_says_where(archive: Any, gaps: Gaps) -> None:
    archive.record(0, 75)
    archive.record(150, 250, epoch=78)
    (file,) = files(archive, WALL, WALL + 10, gaps)
    found = units(whole(file))
    steps = [two - one for (one, _), (two, _) in pairwise(found)]
    jump = 3600 if gaps is Gaps.CLOSE else 76 * 3600
    assert steps[74] == jump
    assert set(steps[:74] + steps[75:]) == {3600}
    first, second = file.part.spans
    assert (first.media, first.wall, first.duration) == (7200, WALL, 75 * 3600)
    assert (second.media, second.wall, second.duration) == (7200 + 75 * 3600 + jump - 3600, WALL + 6, 100 * 3600)


def test_a_new_part_begins_where_the_picture_changes(archive: Any, tmp_path: Path) -> None:
    archive.record(0, 75)
    write_clip(tmp_path / "other.mp4", codec=Codec.H264, width=256, height=128, seconds=3, bitrate=200_000, gop_s=1)
    archive.video, archive.packets = read_packets(tmp_path / "other.mp4")
    archive.wall = WALL + 3
    archive.record(0, 75, epoch=78)
    first, second = files(archive, WALL + 0.5, WALL + 5)
    assert (first.part.init.width, second.part.init.width) == (320, 256)
    assert (first.part.ticks, second.part.wall) == (3 * TIMESCALE, WALL + 3)
    assert second.part.offset == second.part.lead
    for file, pictures in ((first, 75), (second, 50)):
        with av.open(io.BytesIO(whole(file))) as container:
            assert sum(1 for _ in container.decode(video=0)) == pictures


def test_footage_that_is_kept_and_still_in_the_pool_plays_once(archive: Any) -> None:
    archive.record(0, 250)
    doubles = [replace(row, pool="pool", path=row.path.replace("recordings", "pool")) for row in archive.rows[1:3]]
    assert without_doubles([*doubles, *archive.rows]) == archive.rows


@pytest.mark.parametrize("harm", ["gone", "short", "foreign", "garbled"])
def test_what_vanished_since_becomes_a_hole_of_the_same_length(archive: Any, tmp_path: Path, harm: str) -> None:
    archive.record(0, 250)
    (file,) = files(archive, WALL, WALL + 10)
    path = archive.media / archive.rows[2].path
    data = path.read_bytes()
    if harm == "gone":
        path.unlink()
    elif harm == "short":
        os.truncate(path, len(data) - 1500)
    elif harm == "foreign":
        write_clip(tmp_path / "b.mp4", width=256, height=128, seconds=2, bitrate=200_000)
        path.write_bytes((tmp_path / "b.mp4").read_bytes())
    else:
        path.write_bytes(data[: len(data) // 2] + os.urandom(len(data) - len(data) // 2))
    harmed = whole(file)
    assert len(harmed) == file.size
    found = units(harmed)
    expected = [archive.unit(index) for index in range(250)]
    assert [unit for _, unit in found[-100:]] == expected[-100:], "what follows the hole plays"
    assert [unit for _, unit in found[:100]] == expected[:100]
    assert len(found) < 250
    assert dict(found)[150 * 3600] == archive.unit(150), "at its time"


def test_no_footage_is_an_error_in_words(archive: Any) -> None:
    archive.record(0, 50)
    with pytest.raises(StorageError, match="no footage") as caught:
        files(archive, WALL + 100, WALL + 105)
    assert caught.value.code == "missing"
    (archive.media / archive.rows[0].path).unlink()
    with pytest.raises(StorageError, match="no footage"):
        files(archive, WALL, WALL + 1)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150, deadline=None)
@given(data=st.data())
def test_any_bytes_asked_for_are_those_of_the_whole(archive: Any, data: st.DataObject) -> None:
    if not archive.rows:
        archive.record(0, 120)
        archive.record(160, 250, epoch=78)
    start = data.draw(st.floats(0, 4.5))
    gaps = data.draw(st.sampled_from(Gaps))
    for file in files(archive, WALL + start, WALL + start + data.draw(st.floats(0.2, 10)), gaps):
        everything = whole(file)
        assert len(everything) == file.size
        low = data.draw(st.integers(0, file.size))
        high = data.draw(st.integers(low, file.size))
        assert b"".join(bytes(block) for block in file.read(low, high)) == everything[low:high]
        assert PlaybackFile(LocalFootage(archive.media), file.part).etag == file.etag


@settings(max_examples=100, deadline=None)
@given(
    rows=st.lists(
        st.builds(
            SegmentRow,
            camera=st.just("c"),
            pool=st.sampled_from(["recordings", "pool"]),
            path=st.text("abc/.", max_size=5),
            epoch=st.integers(0, 3),
            start=st.floats(0, 100),
            duration=st.floats(0, 20),
            size=st.integers(0, 10_000),
            frames=st.integers(0, 9),
            stream_time=st.integers(0, 10_000_000),
            codec=st.just("h264"),
            mime=st.sampled_from(["avc1.64001f", "avc1.4d401f"]),
            width=st.integers(0, 1),
            height=st.just(1),
            init_length=st.integers(0, 600),
            keyframes=st.just(()),
            complete=st.booleans(),
        ),
        max_size=12,
    )
)
def test_rows_of_any_kind_without_files_are_no_footage(rows: list[SegmentRow], tmp_path_factory: Any) -> None:
    with pytest.raises(StorageError, match="no footage"):
        plan(LocalFootage(tmp_path_factory.getbasetemp() / "none"), "c", rows, 10, 90, Gaps.REAL)


@pytest.mark.real("ffmpeg")
def test_ffprobe_finds_no_error_in_a_hundred_ranges(archive: Any, tmp_path: Path) -> None:
    archive.record(0, 120)
    archive.record(160, 250, epoch=78)
    for number in range(100):
        start = (number * 37 % 47) / 10
        for file in files(archive, WALL + start, WALL + start + 0.3 + number % 7, list(Gaps)[number % 2]):
            path = tmp_path / "range.mp4"
            path.write_bytes(whole(file))
            command = ["ffprobe", "-v", "error", "-show_entries", "packet=pts", "-of", "csv", str(path)]
            answer = subprocess.run(command, capture_output=True, text=True)
            assert (answer.returncode, answer.stderr) == (0, "")
            assert answer.stdout.count("packet") == len(units(path.read_bytes()))
