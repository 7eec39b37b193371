from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from perishield.model.errors import StorageError
from perishield.model.media import TIMESCALE, ChunkRef, Codec, Packet, SegmentRow, VideoFormat
from perishield.streams import segments
from perishield.streams.chunker import Chunker
from perishield.streams.fmp4_reader import read_init, walk
from perishield.streams.layout import RECORDINGS, read_sidecar, segment_second
from perishield.streams.segments import MediaRoot, SegmentWriter

VIDEO = VideoFormat(
    Codec.H264,
    1280,
    720,
    (bytes.fromhex("6742c01fda014016e840000003004000000c8360ca80"), bytes.fromhex("68ce3c80")),
    "avc1.42c01f",
)
WALL = 1_790_000_000.5


class Recording:
    def __init__(self, media: Path) -> None:
        self.root = MediaRoot(media)
        self.refs: list[ChunkRef] = []
        self.rows: list[SegmentRow] = []
        self.faults: list[str] = []
        writer = SegmentWriter(self.root, "gate-3", RECORDINGS, 2.0, self.rows.append, self._fault)
        self.chunker = Chunker("gate-3", 77, writer, self.refs.append, chunk_bytes=40_000)
        self.chunker.format(VIDEO)
        self.frame = 0

    def _fault(self, error: StorageError | None) -> None:
        self.faults.append(error.code if error else "")

    def feed(self, seconds: float, size: int = 4_000) -> None:
        for _ in range(int(seconds * 25)):
            dts = self.frame * 3600
            wall = WALL + dts / TIMESCALE
            self.chunker.packet(Packet([bytes(size)], size, dts, dts, self.frame % 25 == 0, wall, wall))
            self.frame += 1


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one megabyte."""
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(tmp_path)], capture_output=True, text=True
    )
    if mounted.returncode:
        pytest.skip(f"cannot mount a small file system: {mounted.stderr.strip()}")
    yield tmp_path
    subprocess.run(["umount", str(tmp_path)], check=True)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segments, "_RETRY_S", 0.0)


def whole_files(media: Path) -> int:
    """Asserts that every segment file consists of whole chunks only; returns their frames."""
    frames = 0
    for path in media.rglob("*.mp4"):
        fd = os.open(path, os.O_RDONLY)
        init = read_init(fd)
        assert init is not None
        size = len(init.data)
        for chunk in walk(fd, size):
            size += chunk.length
            frames += len(chunk.sizes)
        os.close(fd)
        assert size == path.stat().st_size
    return frames


def test_files_lie_by_day_and_hour_with_a_sidecar_each(tmp_path: Path) -> None:
    recording = Recording(tmp_path)
    recording.feed(5)
    recording.chunker.close()
    folder = "recordings/gate-3/2026-09-21/14"
    assert [row.path for row in recording.rows] == [f"{folder}/{1_790_000_000 + second}.mp4" for second in (0, 2, 4)]
    assert [read_sidecar(tmp_path, row.path) for row in recording.rows] == recording.rows
    assert [row.duration for row in recording.rows] == [2.0, 2.0, 1.0]
    assert not list(tmp_path.rglob("*.tmp"))


def test_a_second_file_of_the_same_second_takes_the_next_name(tmp_path: Path) -> None:
    for _ in range(3):
        recording = Recording(tmp_path)
        recording.feed(1)
        recording.chunker.close()
    names = sorted(path.name for path in tmp_path.rglob("*.mp4"))
    assert names == ["1790000000-1.mp4", "1790000000-2.mp4", "1790000000.mp4"]
    assert {segment_second(name) for name in names} == {1_790_000_000}


@pytest.mark.parametrize("wall", [-5.0, 0.0, 1e15])
def test_absurd_clocks_still_find_a_folder(tmp_path: Path, wall: float) -> None:
    rows: list[SegmentRow] = []
    chunker = Chunker(
        "c", 1, SegmentWriter(MediaRoot(tmp_path), "c", RECORDINGS, 2.0, rows.append, lambda e: None), lambda ref: None
    )
    chunker.format(VIDEO)
    chunker.packet(Packet([b"abcd"], 4, 0, 0, True, wall, WALL))
    chunker.close()
    assert (tmp_path / rows[0].path).is_file()


@pytest.mark.usefixtures("impatient")
def test_a_full_disk_is_told_leaves_whole_chunks_and_is_left_behind(small_disk: Path) -> None:
    recording = Recording(small_disk)
    recording.feed(20)
    assert recording.faults[0] == "disk_full"
    kept = whole_files(small_disk)
    assert 0 < kept < recording.frame
    assert kept == sum(len(ref.sizes) for ref in recording.refs)
    assert kept + recording.chunker.frames_unkept + 10 >= recording.frame
    for path in small_disk.rglob("*.mp4"):
        path.unlink()
    recording.feed(2)
    recording.chunker.close()
    assert recording.faults[-1] == ""
    assert recording.refs[-1].path in {row.path for row in recording.rows}


def test_a_write_that_stops_half_way_is_taken_back(tmp_path: Path) -> None:
    """RLIMIT_FSIZE makes the kernel cut a write short, as a full disk does."""
    script = f"""
import resource, sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from pathlib import Path
import test_segments as t
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
recording = t.Recording(Path({str(tmp_path)!r}))
recording.feed(3)
print(recording.faults[0], t.whole_files(Path({str(tmp_path)!r})), sum(len(r.sizes) for r in recording.refs))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    fault, in_files, told = done.stdout.split()
    assert fault == "not_writable"
    assert int(in_files) == int(told) > 0


@pytest.mark.usefixtures("impatient")
def test_a_folder_that_cannot_be_made_is_told_and_tried_again(tmp_path: Path) -> None:
    obstacle = tmp_path / "recordings"
    obstacle.write_bytes(b"in the way")
    recording = Recording(tmp_path)
    recording.feed(3)
    assert recording.faults == ["not_writable"]
    assert not recording.refs
    obstacle.unlink()
    recording.feed(2)
    assert recording.faults == ["not_writable", ""]
    assert recording.refs[0].discontinuity


def test_while_the_guard_forbids_writing_nothing_is_written(tmp_path: Path) -> None:
    recording = Recording(tmp_path)
    recording.feed(1)
    recording.root.full.add(RECORDINGS)
    recording.feed(1)
    before = whole_files(tmp_path)
    recording.feed(1)
    assert recording.faults == ["disk_full"]
    assert whole_files(tmp_path) == before
    assert len(recording.rows) == 1, "the open segment was closed properly"
