"""Footage of the pool is kept as a second name of the same file, once, and in time."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from perishield.recording import keep as keeping
from perishield.recording.clip import cut_clip
from perishield.recording.index import list_segments, sidecars_of_day
from perishield.recording.keep import keep
from perishield.streams.layout import POOL, RECORDINGS, read_sidecar, sidecar_path, write_sidecar

WALL = 1_790_000_000.0


@pytest.fixture
def pooled(archive: Any) -> Any:
    """Ten seconds in segments of two, in the pool."""
    archive.record(0, 250, pool=POOL)
    return archive


def test_the_segments_that_touch_the_time_get_a_second_name_and_a_sidecar(pooled: Any) -> None:
    kept = keep(pooled.media, "gate-3", WALL + 3, WALL + 5)
    assert [row.path for row, _ in kept.rows] == [
        row.path.replace(POOL, RECORDINGS, 1) for row in pooled.rows if WALL + 1 < row.start < WALL + 5
    ]
    assert not kept.waiting
    for row, source in kept.rows:
        assert (pooled.media / row.path).samefile(pooled.media / source)
        assert read_sidecar(pooled.media, row.path) == row
        assert row.pool == RECORDINGS
    assert len(list_segments(pooled.media, "gate-3", WALL, WALL + 10)) == len(pooled.rows), "listed once"
    day = int(WALL // 86_400)
    assert len(sidecars_of_day(pooled.media, "gate-3", day)) == len(pooled.rows)


def test_kept_footage_outlives_the_ring_and_plays_once(pooled: Any, tmp_path: Path) -> None:
    keep(pooled.media, "gate-3", WALL + 2.5, WALL + 5.5)
    both = cut_clip(pooled.media, "gate-3", WALL + 2.5, WALL + 5.5, tmp_path / "both.mp4")
    for row in pooled.rows:
        (pooled.media / row.path).unlink()
        (pooled.media / sidecar_path(row.path)).unlink()
    after = cut_clip(pooled.media, "gate-3", WALL + 2.5, WALL + 5.5, tmp_path / "after.mp4")
    assert (after.frames, after.note) == (both.frames, "")
    assert (tmp_path / "both.mp4").read_bytes() == (tmp_path / "after.mp4").read_bytes()


def test_keeping_again_changes_nothing(pooled: Any) -> None:
    first = keep(pooled.media, "gate-3", WALL, WALL + 10)
    again = keep(pooled.media, "gate-3", WALL, WALL + 10)
    assert (len(first.rows), again.rows) == (len(pooled.rows), [])
    assert again.done == first.done
    assert keep(pooled.media, "gate-3", WALL, WALL + 10, first.done).done == set()


def test_a_crash_between_file_and_sidecar_is_made_good(pooled: Any) -> None:
    row, _ = keep(pooled.media, "gate-3", WALL, WALL + 1).rows[0]
    (pooled.media / sidecar_path(row.path)).unlink()
    assert [again for again, _ in keep(pooled.media, "gate-3", WALL, WALL + 1).rows] == [row]


def test_another_recording_of_the_same_second_is_left_alone(pooled: Any) -> None:
    first = pooled.rows[0]
    other = replace(
        first, pool=RECORDINGS, path=first.path.replace(POOL, RECORDINGS, 1), epoch=1, stream_time=5, size=9
    )
    (pooled.media / other.path).parent.mkdir(parents=True)
    (pooled.media / other.path).write_bytes(b"something")
    write_sidecar(pooled.media, other)
    row, _ = keep(pooled.media, "gate-3", WALL, WALL + 1).rows[0]
    assert row.path == other.path.replace(".mp4", "-1.mp4")
    assert (pooled.media / other.path).read_bytes() == b"something"
    assert keep(pooled.media, "gate-3", WALL, WALL + 1).rows == []


def test_what_is_still_written_waits(archive: Any) -> None:
    archive.record(0, 120, pool=POOL, close=False)
    kept = keep(archive.media, "gate-3", WALL, WALL + 10)
    assert kept.waiting
    assert len(kept.rows) == len(archive.rows) > 0


def test_where_the_file_system_has_no_links_it_copies_with_the_time(
    pooled: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = pooled.media / pooled.rows[0].path
    os.utime(source, (1_000_000, 1_000_000))

    def refuse(*_: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    row, _ = keep(pooled.media, "gate-3", WALL, WALL + 1).rows[0]
    target = pooled.media / row.path
    assert target.read_bytes() == source.read_bytes()
    assert not target.samefile(source)
    assert target.stat().st_mtime == 1_000_000
    assert keep(pooled.media, "gate-3", WALL, WALL + 1).rows == [], "a copy is known again"
    assert [path.name for path in target.parent.iterdir() if path.name.startswith(".")] == []


@pytest.mark.skipif(not os.access("/dev/shm", os.W_OK), reason="there is no second file system")
def test_a_pool_on_another_file_system_is_copied_from(pooled: Any, tmp_path_factory: pytest.TempPathFactory) -> None:
    import shutil
    import tempfile

    with tempfile.TemporaryDirectory(dir="/dev/shm") as memory:
        shutil.copytree(pooled.media / POOL, Path(memory) / POOL)
        shutil.rmtree(pooled.media / POOL)
        (pooled.media / POOL).symlink_to(Path(memory) / POOL)
        kept = keep(pooled.media, "gate-3", WALL, WALL + 10)
        assert len(kept.rows) == len(pooled.rows)
    assert all((pooled.media / row.path).stat().st_size == row.size for row, _ in kept.rows)


def test_what_the_ring_took_first_is_gone_without_a_fault(pooled: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    taken = pooled.media / pooled.rows[1].path
    place = keeping._place

    def ring_is_faster(source: Path, target: Path) -> None:
        if source == taken:
            source.unlink()
        place(source, target)

    monkeypatch.setattr(keeping, "_place", ring_is_faster)
    kept = keep(pooled.media, "gate-3", WALL, WALL + 10)
    assert len(kept.rows) == len(pooled.rows) - 1
