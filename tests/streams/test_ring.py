from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from perishield.streams.ages import Ages
from perishield.streams.holds import Holds
from perishield.streams.layout import POOL, RECORDINGS, hour_folder, sidecar_path
from perishield.streams.media_root import MediaRoot
from perishield.streams.ring import Limits, Removed, Ring

NOW = 1_790_000_000.0


def segment(media: Path, pool: str, camera: str, age_s: float, size: int = 100, seconds: float = 10.0) -> str:
    """An old file with its sidecar; returns its path."""
    wall = NOW - age_s
    path = f"{hour_folder(pool, camera, wall)}/{int(wall)}.mp4"
    described = json.dumps({"start": wall, "duration": seconds}).encode()
    for name, content in ((path, bytes(size)), (sidecar_path(path), described)):
        (media / name).parent.mkdir(parents=True, exist_ok=True)
        (media / name).write_bytes(content)
        os.utime(media / name, (wall, wall))
    return path


def ring(media: Path, *, recordings_s: float = 0.0, min_free_bytes: int = 0, **more: Any) -> Ring:
    return Ring(MediaRoot(media), pool_s=1800, usual=Limits(age_s=recordings_s), min_free_bytes=min_free_bytes, **more)


def left(media: Path) -> set[str]:
    return {str(path.relative_to(media)) for path in media.rglob("*.mp4")}


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of four megabytes."""
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(tmp_path)], capture_output=True, text=True
    )
    if mounted.returncode and os.environ.get("CI") != "true":
        pytest.skip(f"cannot mount a small file system: {mounted.stderr.strip()}")
    assert mounted.returncode == 0, mounted.stderr
    yield tmp_path
    subprocess.run(["umount", str(tmp_path)], check=True)


def test_the_pool_keeps_its_minutes_and_recordings_their_days(tmp_path: Path) -> None:
    old = [segment(tmp_path, POOL, camera, 1801) for camera in ("a", "b")]
    aged = segment(tmp_path, RECORDINGS, "a", 90_000)
    kept = {segment(tmp_path, POOL, "a", 1700), segment(tmp_path, RECORDINGS, "a", 1801)}
    removed = ring(tmp_path, recordings_s=86_400).turn(NOW, 0.0)
    assert sorted(removed) == sorted([("a", old[0]), ("b", old[1]), ("a", aged)])
    assert left(tmp_path) == kept
    assert {path.suffix for path in tmp_path.rglob("*.*")} == {".mp4", ".json"}
    assert len(list(tmp_path.rglob("*.json"))) == len(kept)


def test_cameras_may_have_limits_of_their_own(tmp_path: Path) -> None:
    gone = [segment(tmp_path, RECORDINGS, "short", 4000), segment(tmp_path, RECORDINGS, "usual", 90_000)]
    kept = {segment(tmp_path, RECORDINGS, "usual", 4000), segment(tmp_path, RECORDINGS, "long", 90_000)}
    under_test = ring(tmp_path, recordings_s=86_400)
    under_test.limits = {"short": Limits(age_s=3600), "long": Limits(age_s=900_000)}
    assert sorted(path for _, path in under_test.turn(NOW, 0.0)) == sorted(gone)
    assert left(tmp_path) == kept


def test_empty_folders_go(tmp_path: Path) -> None:
    for age in (7200, 10_800, 180_000):
        segment(tmp_path, POOL, "a", age)
    under_test = ring(tmp_path)
    under_test.turn(NOW, 0.0)
    under_test.turn(NOW, 2000.0)
    assert not (tmp_path / POOL / "a").exists() or not list((tmp_path / POOL / "a").iterdir())


def test_a_turn_deletes_a_bounded_number_of_files_oldest_first(tmp_path: Path) -> None:
    paths = [segment(tmp_path, POOL, "a", 9000 - index) for index in range(100)]
    under_test = ring(tmp_path)
    assert [path for _, path in under_test.turn(NOW, 0.0)] == paths[:64]
    assert [path for _, path in under_test.turn(NOW, 2.0)] == paths[64:]
    assert not left(tmp_path)


def test_unlimited_recordings_are_never_touched(tmp_path: Path) -> None:
    kept = segment(tmp_path, RECORDINGS, "a", 10_000_000)
    under_test = ring(tmp_path)
    assert [under_test.turn(NOW, 1000.0 * number) for number in range(3)] == [[], [], []]
    assert left(tmp_path) == {kept}


def test_it_does_not_look_again_before_something_falls_due(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for camera in ("a", "b", "c"):
        segment(tmp_path, POOL, camera, 600)
    under_test = ring(tmp_path)
    under_test.turn(NOW, 0.0)
    listed: list[object] = []
    real = os.listdir
    monkeypatch.setattr(os, "listdir", lambda folder: listed.append(folder) or real(folder))
    for second in range(2, 1100, 2):
        assert under_test.turn(NOW + second, float(second)) == []
    assert len(listed) <= 2 * 1100 / 30 + 2, "only for cameras that are new"
    assert len(under_test.turn(NOW + 1202, 1202.0)) == 3


def test_a_full_disk_eats_the_oldest_of_the_pool_first_and_then_the_oldest_recordings(disk: Path) -> None:
    size = 200_000
    recording = segment(disk, RECORDINGS, "a", 90_000, size)
    young_recording = segment(disk, RECORDINGS, "a", 1000, size)
    oldest = segment(disk, POOL, "b", 1700, size)
    older = segment(disk, POOL, "a", 1600, size)
    young = segment(disk, POOL, "a", 10, size)
    booked: list[tuple[str, float, float]] = []
    under_test = ring(disk, book=lambda *span: booked.append(span))
    under_test.turn(NOW, 0.0)

    def want(more: int) -> list[Removed]:
        status = os.statvfs(disk)
        under_test.min_free_bytes = status.f_bavail * status.f_frsize + more
        return under_test.turn(NOW, 1.0)

    assert want(1) == [("b", oldest)]
    assert want(1) == [("a", older)]
    assert not booked, "the pool was never meant to last"
    assert want(1) == [("a", recording)]
    assert booked == [("a", NOW - 90_000, NOW - 89_990)]
    assert not under_test.root.full
    assert want(1) == []
    assert under_test.root.full == {POOL, RECORDINGS}, "what is left may not be deleted, so nothing more is written"
    assert left(disk) == {young, young_recording}
    under_test.min_free_bytes = 0
    under_test.turn(NOW, 2.0)
    assert not under_test.root.full


def test_where_recordings_must_stay_a_full_disk_stops_writing(disk: Path) -> None:
    recording = segment(disk, RECORDINGS, "a", 90_000, 1000)
    under_test = ring(disk, min_free_bytes=1 << 62, when_full="stop")
    assert under_test.turn(NOW, 0.0) == []
    assert left(disk) == {recording}
    assert under_test.root.full


def test_recordings_are_kept_within_their_bytes_by_camera_and_in_all(tmp_path: Path) -> None:
    big = [segment(tmp_path, RECORDINGS, "big", 9000 - 100 * number, 1000) for number in range(10)]
    other = [segment(tmp_path, RECORDINGS, "other", 8000 - 100 * number, 1000) for number in range(10)]
    under_test = ring(tmp_path, total_bytes=12_000)
    under_test.limits = {"big": Limits(age_s=0, bytes=5000)}
    removed = [path for turn in range(5) for _, path in under_test.turn(NOW, float(turn))]
    assert removed == big[:8], "five for its own limit, three as the oldest of all"
    fresh = segment(tmp_path, RECORDINGS, "big", 100, 1000)
    under_test.added("big", fresh, 1000)
    assert [path for _, path in under_test.turn(NOW, 9.0)] == [big[8]]
    assert left(tmp_path) == {big[9], *other, fresh}


def test_held_footage_outlives_age_size_and_a_full_disk(tmp_path: Path) -> None:
    held = [segment(tmp_path, pool, "a", 90_000, 1000) for pool in (RECORDINGS, POOL)]
    edge = segment(tmp_path, RECORDINGS, "a", 89_985, 1000)
    gone = segment(tmp_path, RECORDINGS, "b", 90_000, 1000)
    file = tmp_path / "holds.json"
    file.write_text(json.dumps([{"camera": "a", "start": NOW - 89_995, "end": NOW - 89_985, "reason": "case 7"}]))
    under_test = ring(tmp_path, recordings_s=3600, total_bytes=10, min_free_bytes=1 << 62, holds=Holds(file))
    removed = [path for turn in range(4) for _, path in under_test.turn(NOW, turn * 2000.0)]
    assert sorted(removed) == sorted([edge, gone])
    assert left(tmp_path) == set(held)
    file.write_text("[]")
    removed = [path for turn in range(4, 8) for _, path in under_test.turn(NOW, turn * 2000.0)]
    assert sorted(removed) == sorted(held)


def test_holds_that_cannot_be_read_hold_everything_and_a_broken_update_changes_nothing(tmp_path: Path) -> None:
    file = tmp_path / "holds.json"
    file.write_text("[{")
    holds = Holds(file)
    holds.refresh()
    assert holds.covers("a", 0, 1)
    file.write_text('[{"camera": "a", "start": 10, "end": 20}]')
    holds.refresh()
    assert holds.covers("a", 19, 25)
    assert not holds.covers("a", 20, 25)
    assert not holds.covers("b", 0, 100)
    file.write_text('{"not": "a list"}')
    holds.refresh()
    assert holds.covers("a", 19, 25)
    assert not holds.covers("b", 0, 100)
    file.unlink()
    holds.refresh()
    assert not holds.covers("a", 19, 25)


def test_a_clock_set_forward_does_not_age_what_was_there(tmp_path: Path) -> None:
    before = [segment(tmp_path, POOL, "a", age) for age in (1700, 900, 10)]
    under_test = ring(tmp_path)
    assert under_test.turn(NOW, 0.0) == []
    hour = 3600.0
    after = segment(tmp_path, POOL, "a", -hour - 5)
    assert under_test.turn(NOW + hour + 10, 10.0) == []
    removed = [
        path for second in range(20, 3000, 20) for _, path in under_test.turn(NOW + hour + second, float(second))
    ]
    assert removed == [*before, after]
    assert left(tmp_path) == set()


def test_a_clock_set_back_keeps_files_longer_and_loses_none(tmp_path: Path) -> None:
    kept = {segment(tmp_path, POOL, "a", age) for age in (1700, 10)}
    under_test = ring(tmp_path)
    assert [under_test.turn(NOW - 3600 + second, float(second)) for second in range(0, 1700, 100)] == [[]] * 17
    assert left(tmp_path) == kept


def test_leaps_that_the_journal_remembers_count_too() -> None:
    ages = Ages([(1000.0, 5000.0)])
    assert ages.age(900.0, 5100.0) == 200
    assert ages.age(5050.0, 5100.0) == 50
    assert ages.age(900.0, 1000.0) == 100
    assert ages.age(2000.0, 5100.0) == 3100, "written by a clock that was right before the one that leapt"
