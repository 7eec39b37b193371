from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest

from perishield.model.media import ChunkRef, Packet, SegmentRow, VideoFormat
from perishield.streams.chunker import Chunker
from perishield.streams.layout import RECORDINGS, read_sidecar, sidecar_path
from perishield.streams.recovery import describe, recover
from perishield.streams.segments import MediaRoot, SegmentWriter

Footage = tuple[VideoFormat, list[Packet]]


@pytest.fixture
def recorded(footage: Footage, tmp_path: Path) -> tuple[Path, list[SegmentRow]]:
    """Two segments of two seconds, and their rows."""
    video, packets = footage
    rows: list[SegmentRow] = []
    refs: list[ChunkRef] = []
    writer = SegmentWriter(MediaRoot(tmp_path), "gate-3", RECORDINGS, 2.0, rows.append, lambda error: None)
    chunker = Chunker("gate-3", 77, writer, refs.append, chunk_bytes=4_000)
    chunker.format(video)
    for packet in packets:
        chunker.packet(packet)
    chunker.close()
    return tmp_path, rows


def test_a_file_alone_rebuilds_its_row(recorded: tuple[Path, list[SegmentRow]]) -> None:
    media, rows = recorded
    for row in rows:
        assert describe(media, row.path, complete=True) == row


def test_files_without_a_sidecar_are_described_anew(recorded: tuple[Path, list[SegmentRow]]) -> None:
    media, rows = recorded
    (media / sidecar_path(rows[1].path)).unlink()
    expected = replace(rows[1], complete=False)
    assert recover(media, time.time() + 1) == [expected]
    assert read_sidecar(media, rows[1].path) == expected
    assert recover(media, time.time() + 1) == []


def test_an_empty_sidecar_counts_as_missing(recorded: tuple[Path, list[SegmentRow]]) -> None:
    media, rows = recorded
    (media / sidecar_path(rows[1].path)).write_bytes(b"")
    assert recover(media, time.time() + 1) == [replace(rows[1], complete=False)]


def test_a_torn_chunk_is_cut_off(recorded: tuple[Path, list[SegmentRow]]) -> None:
    media, rows = recorded
    path = media / rows[1].path
    (media / sidecar_path(rows[1].path)).unlink()
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    (row,) = recover(media, time.time() + 1)
    assert row.frames < rows[1].frames
    assert path.read_bytes() == whole[: row.size]
    assert describe(media, row.path) == row


def test_a_file_without_one_whole_chunk_is_removed(recorded: tuple[Path, list[SegmentRow]]) -> None:
    media, rows = recorded
    path = media / rows[0].path
    (media / sidecar_path(rows[0].path)).unlink()
    path.write_bytes(path.read_bytes()[: rows[0].init_length + 50])
    assert recover(media, time.time() + 1) == []
    assert not path.exists()


def test_files_being_written_are_left_alone(recorded: tuple[Path, list[SegmentRow]]) -> None:
    media, rows = recorded
    (media / sidecar_path(rows[1].path)).unlink()
    assert recover(media, time.time() - 60) == []
    assert len(recover(media, time.time() + 1)) == 1


def test_foreign_files_are_passed_over(recorded: tuple[Path, list[SegmentRow]]) -> None:
    media, rows = recorded
    foreign = (media / rows[0].path).with_name("holiday.mp4")
    foreign.write_bytes(b"not ours")
    assert recover(media, time.time() + 1) == []
    assert foreign.exists()
    assert describe(media, "recordings/gate-3/holiday.mp4") is None


def test_a_missing_folder_has_nothing_to_recover(tmp_path: Path) -> None:
    assert recover(tmp_path / "nowhere", time.time()) == []
