from __future__ import annotations

import os
from pathlib import Path

import pytest

from perishield.streams.layout import POOL, RECORDINGS, hour_folder, sidecar_path
from perishield.streams.ring import Ring
from perishield.streams.segments import MediaRoot

NOW = 1_790_000_000.0


def segment(media: Path, pool: str, camera: str, age_s: float, size: int = 100) -> str:
    """An old file with its sidecar; returns its path."""
    wall = NOW - age_s
    path = f"{hour_folder(pool, camera, wall)}/{int(wall)}.mp4"
    for name, content in ((path, bytes(size)), (sidecar_path(path), b"{}")):
        (media / name).parent.mkdir(parents=True, exist_ok=True)
        (media / name).write_bytes(content)
        os.utime(media / name, (wall, wall))
    return path


def ring(media: Path, *, recordings_s: float = 0.0, min_free_bytes: int = 0) -> Ring:
    return Ring(MediaRoot(media), pool_s=1800, recordings_s=recordings_s, min_free_bytes=min_free_bytes)


def left(media: Path) -> set[str]:
    return {str(path.relative_to(media)) for path in media.rglob("*.mp4")}


def test_the_pool_keeps_its_minutes_and_recordings_their_days(tmp_path: Path) -> None:
    old = [segment(tmp_path, POOL, camera, 1801) for camera in ("a", "b")]
    aged = segment(tmp_path, RECORDINGS, "a", 90_000)
    kept = {
        segment(tmp_path, POOL, "a", 1700),
        segment(tmp_path, RECORDINGS, "a", 1801),
    }
    under_test = ring(tmp_path, recordings_s=86_400)
    removed = [pair for _ in range(4) for pair in under_test.step(NOW)]
    assert sorted(removed) == sorted([("a", old[0]), ("b", old[1]), ("a", aged)])
    assert left(tmp_path) == kept
    assert {path.suffix for path in tmp_path.rglob("*.*")} == {".mp4", ".json"}
    assert len(list(tmp_path.rglob("*.json"))) == len(kept)


def test_empty_folders_go(tmp_path: Path) -> None:
    for age in (7200, 10_800, 180_000):
        segment(tmp_path, POOL, "a", age)
    under_test = ring(tmp_path)
    under_test.step(NOW)
    under_test.step(NOW)
    assert not list((tmp_path / POOL / "a").iterdir())


def test_a_step_deletes_a_bounded_number_of_files_oldest_first(tmp_path: Path) -> None:
    paths = [segment(tmp_path, POOL, "a", 9000 - index) for index in range(100)]
    under_test = ring(tmp_path)
    first = under_test.step(NOW)
    assert [path for _, path in first] == paths[:64]
    for _ in range(3):
        under_test.step(NOW)
    assert not left(tmp_path)


def test_unlimited_recordings_are_never_touched(tmp_path: Path) -> None:
    kept = segment(tmp_path, RECORDINGS, "a", 10_000_000)
    under_test = ring(tmp_path)
    assert [under_test.step(NOW) for _ in range(3)] == [[], [], []]
    assert left(tmp_path) == {kept}


def test_a_full_disk_eats_the_oldest_of_the_pool_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recording = segment(tmp_path, RECORDINGS, "a", 90_000, 4000)
    oldest = segment(tmp_path, POOL, "b", 3000, 4000)
    older = segment(tmp_path, POOL, "a", 2000, 4000)
    young = segment(tmp_path, POOL, "a", 10, 4000)
    under_test = ring(tmp_path, min_free_bytes=10_000)
    room = 20_000
    monkeypatch.setattr(
        under_test, "_free", lambda: room - sum(path.stat().st_size for path in tmp_path.rglob("*.mp4"))
    )
    assert under_test.guard(NOW) == [("b", oldest), ("a", older)]
    assert left(tmp_path) == {recording, young}
    assert not under_test.root.full

    room = 12_000
    assert under_test.guard(NOW) == []
    assert under_test.root.full, "what is left may not be deleted, so nothing more is written"
    room = 30_000
    under_test.guard(NOW)
    assert not under_test.root.full


def test_free_space_is_read_from_the_disk(tmp_path: Path) -> None:
    under_test = ring(tmp_path, min_free_bytes=1 << 62)
    under_test.guard(NOW)
    assert under_test.root.full
