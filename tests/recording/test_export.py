from __future__ import annotations

import hashlib
import itertools
import json
import subprocess
from pathlib import Path
from typing import Any

import av
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from perishield.evaluation.texture_clip import read_packets, write_clip
from perishield.model.errors import StorageError
from perishield.model.media import TIMESCALE
from perishield.model.remarks import sentence
from perishield.recording import mp4_tables
from perishield.recording.export import CancelledError, ExportedFile, Watch, export, lacks
from perishield.recording.segment_reader import LocalFootage

WALL = 1_790_000_000.0


def exported(archive: Any, start: float, end: float, folder: Path, **more: Any) -> list[ExportedFile]:
    watch = more.pop("watch", Watch())
    return export(LocalFootage(archive.media), "gate-3", archive.rows, start, end, folder, watch, **more)


def shown(path: Path) -> list[float]:
    """Times of the pictures that a player shows."""
    with av.open(str(path)) as container:
        return [float(frame.time or 0) for frame in container.decode(video=0)]


@pytest.fixture(scope="session")
def truth(clip_file: Path) -> list[str]:
    """Every picture of the clip, decoded."""
    return pictures(clip_file)


def pictures(path: Path, most: int = 10_000) -> list[str]:
    """Hashes of the pictures that a player shows."""
    with av.open(str(path)) as container:
        frames = itertools.islice(container.decode(video=0), most)
        return [hashlib.sha256(frame.to_ndarray().tobytes()).hexdigest() for frame in frames]


def test_an_export_begins_and_ends_at_the_frame_asked_for(archive: Any, tmp_path: Path, truth: list[str]) -> None:
    archive.record(0, 250)
    (file,) = exported(archive, WALL + 1.52, WALL + 6.32, tmp_path / "out")
    path = tmp_path / "out" / file.name
    assert file.name == "gate-3_20260921T141321Z.mp4"
    assert file.start == WALL + 1.52
    assert file.duration_s == pytest.approx(4.8)
    with av.open(str(path)) as container:
        assert container.duration == 4_800_000
    found = pictures(path)
    assert found == truth[38 : 38 + len(found)]
    assert len(found) == 120
    assert file.size == path.stat().st_size
    assert file.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert [entry.name for entry in path.parent.iterdir()] == [file.name]


def test_the_index_stands_in_front(archive: Any, tmp_path: Path) -> None:
    archive.record(0, 250)
    (file,) = exported(archive, WALL, WALL + 10, tmp_path)
    data = (tmp_path / file.name).read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")


def test_it_stands_behind_where_the_room_did_not_suffice(
    archive: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("perishield.recording.export._FIXED_ROOM", 16)
    monkeypatch.setattr("perishield.recording.export._SAMPLE_ROOM", 0)
    archive.record(0, 250)
    (file,) = exported(archive, WALL, WALL + 10, tmp_path)
    data = (tmp_path / file.name).read_bytes()
    assert data.index(b"moov") > data.index(b"mdat")
    assert len(shown(tmp_path / file.name)) == 250


def test_missing_footage_is_left_out_and_said(archive: Any, tmp_path: Path) -> None:
    archive.record(25, 75)
    archive.record(150, 200, epoch=78)
    files = exported(archive, WALL - 1, WALL + 10, tmp_path)
    found = lacks(files, WALL - 1, WALL + 10)
    assert [one.code for one in found] == ["begins_late", "left_out", "ends_early"]
    assert sentence(found) == (
        "begins 2.0 s late: no earlier footage; 3.0 s missing in 1 place(s), left out; "
        "ends 2.0 s early: no later footage"
    )
    assert len(shown(tmp_path / files[0].name)) == 100


def test_there_is_a_file_for_each_picture_format(archive: Any, tmp_path: Path) -> None:
    archive.record(0, 75)
    write_clip(tmp_path / "other.mp4", width=256, height=128, seconds=3, bitrate=200_000, gop_s=1)
    archive.video, archive.packets = read_packets(tmp_path / "other.mp4")
    archive.wall = WALL + 3
    archive.record(0, 75, epoch=78)
    first, second = exported(archive, WALL, WALL + 6, tmp_path / "out")
    assert (first.start, second.start) == (WALL, WALL + 3)
    assert [len(shown(tmp_path / "out" / file.name)) for file in (first, second)] == [75, 75]


def test_a_cancelled_export_leaves_no_file(archive: Any, tmp_path: Path) -> None:
    archive.record(0, 250)

    class Stops(Watch):
        def check(self) -> None:
            if self.bytes > 20_000:
                self.cancel.set()
            super().check()

    with pytest.raises(CancelledError):
        exported(archive, WALL, WALL + 10, tmp_path / "out", watch=Stops())
    assert list((tmp_path / "out").iterdir()) == []


def test_a_disk_without_room_is_a_sentence_before_anything_is_written(archive: Any, tmp_path: Path) -> None:
    archive.record(0, 250)
    with pytest.raises(StorageError, match="delete older exports or choose a shorter time") as caught:
        exported(archive, WALL, WALL + 10, tmp_path / "out", min_free_bytes=1 << 60)
    assert caught.value.code == "disk_full"
    assert list((tmp_path / "out").iterdir()) == []


def test_a_folder_that_cannot_be_written_is_a_sentence(archive: Any, tmp_path: Path) -> None:
    archive.record(0, 50)
    (tmp_path / "out").write_bytes(b"in the way")
    with pytest.raises(StorageError) as caught:
        exported(archive, WALL, WALL + 1, tmp_path / "out")
    assert caught.value.code == "not_writable"


@pytest.mark.parametrize("harm", ["gone", "short"])
def test_what_vanishes_under_way_is_a_hole(archive: Any, tmp_path: Path, harm: str) -> None:
    archive.record(0, 250)
    path = archive.media / archive.rows[2].path
    if harm == "gone":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:-1000])
    (file,) = exported(archive, WALL, WALL + 10, tmp_path)
    times = shown(tmp_path / file.name)
    assert 195 <= len(times) < 250
    assert times[-1] == pytest.approx(9.96)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None)
@given(first=st.integers(0, 240), count=st.integers(1, 120))
def test_every_export_shows_exactly_its_frames(
    archive: Any, tmp_path: Path, truth: list[str], first: int, count: int
) -> None:
    if not archive.rows:
        archive.record(0, 250)
    start, end = WALL + first / 25, WALL + min(first + count, 250) / 25
    (file,) = exported(archive, start, end, tmp_path / "out")
    path = tmp_path / "out" / file.name
    assert pictures(path) == truth[first : first + count]
    with av.open(str(path)) as container:
        assert container.duration == pytest.approx((end - start) * 1e6, abs=12)
    path.unlink()


@pytest.mark.real("ffmpeg")
def test_ffprobe_finds_no_error(archive: Any, tmp_path: Path) -> None:
    archive.record(0, 120)
    archive.record(160, 250, epoch=78)
    (file,) = exported(archive, WALL + 0.7, WALL + 9, tmp_path)
    command = ["ffprobe", "-v", "error", "-show_streams", "-show_format", "-count_frames", "-of", "json"]
    answer = subprocess.run([*command, str(tmp_path / file.name)], capture_output=True, text=True)
    assert answer.stderr == ""
    found = json.loads(answer.stdout)
    assert found["format"]["tags"]["creation_time"].startswith("2026-09-21T14:13:20")
    assert float(found["format"]["duration"]) == pytest.approx(file.duration_s, abs=0.01)


@given(values=st.lists(st.tuples(st.integers(-5, 5), st.integers(0, 90_000)), max_size=300))
def test_written_time_never_runs_backwards(values: list[tuple[int, int]], tmp_path_factory: Any) -> None:
    track = mp4_tables.Track(tmp_path_factory.getbasetemp(), sync=True)
    time = 0
    for jump, lasts in values:
        time = max(0, time + jump * TIMESCALE)
        track.sample(time, lasts, 10)
    track.finish()
    assert track.samples == len(values)
    assert track.duration >= len(values)
    track.close()
