"""Segments that are what they claim pass; every way in which they are not is found and named."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from perishield.model.storage import CopyState, SegmentCopy
from perishield.recording.reindex import Reindexed, reindex
from perishield.recording.verify import verify
from perishield.store.copies import save_copy
from perishield.store.database import Database, sqlite_url
from perishield.store.segments import forget_segments, list_segments, save_segments
from perishield.streams.layout import POOL, sidecar_path, write_sidecar

WALL = 1_790_000_000.0


@pytest.fixture
async def database(tmp_path: Path, new_database: Callable[[Path], str]) -> AsyncIterator[Database]:
    opened = await Database.open(new_database(tmp_path / "perishield.db"))
    yield opened
    await opened.close()


@pytest.fixture
async def kept(archive: Any, database: Database) -> Any:
    """Ten seconds of two cameras, indexed, and long since written."""
    archive.record(0, 250)
    archive.record(0, 100, camera="yard", pool=POOL)
    for row in archive.rows:
        os.utime(archive.media / row.path, (WALL, WALL))
    async with database.write() as session:
        await save_segments(session, archive.rows)
    return archive


async def test_good_segments_pass_also_when_every_picture_is_decoded(kept: Any, database: Database) -> None:
    shares: list[float] = []
    verdict = await verify(kept.media, database, deep=True, progress=shares.append)
    assert verdict.findings == []
    assert (verdict.segments, verdict.indexed) == (len(kept.rows), True)
    assert verdict.bytes == sum(row.size for row in kept.rows)
    assert shares == [0.5, 1.0]
    only = await verify(kept.media, None, camera="gate-3", start=WALL + 1, end=WALL + 5)
    assert only.segments == len(
        [row for row in kept.rows if row.camera == "gate-3" and WALL + 1 <= row.start < WALL + 5]
    )


async def test_every_fault_is_found(kept: Any, database: Database) -> None:
    torn, empty, bare, alone, lying, other, vanished = [kept.media / row.path for row in kept.rows]
    rows = {kept.media / row.path: row for row in kept.rows}
    with torn.open("ab") as file:
        file.write(b"\0\0\1\0moof and no more")
    empty.write_bytes(b"not a video")
    (kept.media / sidecar_path(rows[bare].path)).unlink()
    alone.unlink()
    write_sidecar(kept.media, replace(rows[lying], frames=7, epoch=1))
    for path in (torn, empty, bare, lying):
        os.utime(path, (WALL, WALL))
    async with database.write() as session:
        await forget_segments(session, [rows[other].path])
        await save_segments(session, [replace(rows[vanished], size=1)])
    verdict = await verify(kept.media, database, deep=False)
    found = {(kept.media / one.path, one.kind) for one in verdict.findings}
    assert found >= {
        (torn, "torn"),
        (empty, "unreadable"),
        (bare, "no_sidecar"),
        (alone, "no_segment"),
        (alone, "gone"),
        (lying, "sidecar_differs"),
        (other, "not_indexed"),
        (vanished, "index_differs"),
    }
    assert {path for path, _ in found} <= {torn, empty, bare, alone, lying, other, vanished}
    messages = {one.path: one.message for one in verdict.findings if one.kind == "sidecar_differs"}
    assert "frames" in messages[rows[lying].path]
    assert "epoch" in messages[rows[lying].path]


async def test_pictures_that_cannot_be_decoded_are_found_by_looking_deep(kept: Any, database: Database) -> None:
    row = next(row for row in kept.rows if row.camera == "gate-3")
    path = kept.media / row.path
    data = bytearray(path.read_bytes())
    # The first key frame's slices, its length and the rest of the structure left alone.
    for position in range(row.keyframes[0][1] + 700, row.keyframes[0][1] + 4000):
        data[position] ^= 0x5A
    path.write_bytes(data)
    os.utime(path, (WALL, WALL))
    assert (await verify(kept.media, database)).findings == []
    deep = await verify(kept.media, database, deep=True)
    assert [(one.path, one.kind) for one in deep.findings] == [(row.path, "undecodable")]


async def test_a_copy_elsewhere_excuses_a_file_that_is_gone(kept: Any, database: Database) -> None:
    row = kept.rows[0]
    (kept.media / row.path).unlink()
    (kept.media / sidecar_path(row.path)).unlink()
    assert [one.kind for one in (await verify(kept.media, database)).findings] == ["gone"]
    copy = SegmentCopy(
        segment=row.path, target="nas", state=CopyState.KEPT, size=row.size, recorded=row.start, changed=WALL
    )
    async with database.write() as session:
        await save_copy(session, copy)
    assert (await verify(kept.media, database)).findings == []
    assert (await reindex(kept.media, database)).dropped == 0


async def test_what_is_still_written_is_no_fault(archive: Any, database: Database) -> None:
    archive.record(0, 120, close=False)
    async with database.write() as session:
        await save_segments(session, archive.rows)
    assert (await verify(archive.media, database)).findings == []
    done = await reindex(archive.media, database)
    assert done == Reindexed(segments=len(archive.rows))


async def test_an_index_that_is_lost_comes_back_from_the_files(kept: Any, database: Database, tmp_path: Path) -> None:
    fresh = await Database.open(sqlite_url(tmp_path / "fresh.db"))
    shares: list[float] = []
    done = await reindex(kept.media, fresh, shares.append)
    assert done == Reindexed(segments=len(kept.rows), added=len(kept.rows))
    assert shares[-1] == 1.0
    async with fresh.read() as session, database.read() as old:
        for camera in ("gate-3", "yard"):
            assert await list_segments(session, camera, None, None, 99) == await list_segments(
                old, camera, None, None, 99
            )
    assert await reindex(kept.media, fresh) == Reindexed(segments=len(kept.rows)), "a second time changes nothing"
    await fresh.close()


async def test_an_index_that_is_wrong_is_put_right(kept: Any, database: Database) -> None:
    wrong, bare, gone, void, missing, *_ = kept.rows
    stray = replace(wrong, path="recordings/gate-3/2026-09-21/14/1.mp4", camera="gate-3")
    (kept.media / sidecar_path(bare.path)).unlink()
    (kept.media / gone.path).unlink()
    (kept.media / sidecar_path(gone.path)).unlink()
    (kept.media / void.path).write_bytes(b"")
    os.utime(kept.media / void.path, (WALL, WALL))
    async with database.write() as session:
        await save_segments(session, [replace(wrong, frames=1, keyframes=()), stray])
        await forget_segments(session, [missing.path])
    done = await reindex(kept.media, database)
    assert (done.added, done.dropped, done.described, done.unreadable) == (1, 3, 1, 1)
    # `bare` is described anew, and is not called complete any more.
    assert done.repaired == 2
    async with database.read() as session:
        found, _ = await list_segments(session, "gate-3", None, None, 99)
    assert wrong in found
    assert missing in found
    assert replace(bare, complete=False) in found
    assert not {stray, gone, void} & set(found)


async def test_what_was_kept_out_of_the_pool_is_indexed_once(kept: Any, database: Database) -> None:
    from perishield.recording.keep import keep

    rows = [row for row, _ in keep(kept.media, "yard", WALL, WALL + 100).rows]
    done = await reindex(kept.media, database)
    assert (done.added, done.dropped) == (len(rows), len(rows))
    async with database.read() as session:
        assert (await list_segments(session, "yard", None, None, 99))[0] == rows
    assert (await verify(kept.media, database)).findings == []
