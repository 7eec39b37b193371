"""The same store on a private PostgreSQL: migrations, upserts, what the index is asked."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import text

from perishield.alarms.intake import raise_alarm
from perishield.model.alarms import Event, EventKind
from perishield.model.media import SegmentRow
from perishield.model.rules import Tripwire
from perishield.model.site import Camera, Recording, RecordMode
from perishield.model.storage import CopyState, SegmentCopy
from perishield.recording.reindex import Reindexed, reindex
from perishield.store.alarms import add_alarm, alarms_since
from perishield.store.cameras import add_camera, delete_camera, list_cameras
from perishield.store.copies import add_copies, copies_of, save_copy
from perishield.store.coverage import coverage_between, save_coverage
from perishield.store.database import Database
from perishield.store.holds import add_hold, list_holds
from perishield.store.privacy import all_masks, save_masks
from perishield.store.rules import add_rule, list_rules
from perishield.store.segments import (
    forget_segments,
    indexed_cameras,
    indexed_days,
    list_segments,
    paths_of_day,
    save_segments,
)

pytestmark = pytest.mark.real("postgresql")

WALL = 1_790_000_000.0


@pytest.fixture
async def database(cluster: str) -> AsyncIterator[Database]:
    opened = await Database.open(cluster)
    yield opened
    async with opened.write() as session:
        tables = "accounts, cameras, rules, alarms, segments, coverage, holds, segment_copies, removed_footage, meta"
        tables += ", privacy_masks, evidence, alarm_holds, chain_checkpoints, alarm_records, chain_heads"
        await session.execute(text(f"TRUNCATE {tables} CASCADE"))
    await opened.close()


def row_at(start: float, camera: str = "gate", **fields: object) -> SegmentRow:
    row = SegmentRow(
        camera=camera, pool="recordings", path=f"recordings/{camera}/x/{int(start)}.mp4", epoch=1, start=start,
        duration=10.0, size=3 * 2**32, frames=250, stream_time=2**40, codec="h264", mime="avc1.64001f", width=1280,
        height=720, init_length=700, keyframes=((0, 700),), complete=True, audio="aac",
    )  # fmt: skip
    return replace(row, **fields)  # type: ignore[arg-type]


async def test_segments_are_renewed_and_forgotten(database: Database) -> None:
    rows = [row_at(WALL + 10 * number) for number in range(1200)]
    async with database.write() as session:
        await save_segments(session, [replace(row, complete=False, frames=1) for row in rows])
        await save_coverage(session, "gate", {497_222: b"[1]", 1: b"[]"})
        await save_coverage(session, "gate", {1: b"[2]"})
    async with database.write() as session:
        await save_segments(session, [*rows, row_at(WALL, "yard"), row_at(5, "gate~detect")])
    async with database.read() as session:
        assert await list_segments(session, "gate", None, None, 2000) == (rows, 1200)
        assert await indexed_cameras(session) == ["gate", "gate~detect", "yard"]
        assert await indexed_days(session, "gate") == [20717]
        assert await coverage_between(session, 0, 10**6) == {"gate": {1: b"[2]"}}, "what changed is out of date"
    async with database.write() as session:
        assert await forget_segments(session, [row.path for row in rows[1:]]) == 1199
    async with database.read() as session:
        assert await paths_of_day(session, "gate", 20717) == {rows[0].path}


async def test_cameras_rules_holds_and_alarms_are_kept(database: Database) -> None:
    camera = Camera(id="gate", name="大门", url="rtsp://x/", recording=Recording(mode=RecordMode.EVENT, pre_s=4.0))
    event = Event(
        id="a", camera="gate", epoch=3, kind=EventKind.TRIPWIRE, rule={"id": "line"}, level=2, label="person",
        score=0.75, track=7, stream_time=2**40, wall=WALL, arrival=WALL, point=(0.5, 0.5), direction="",
        box=(0, 0, 1, 1),
        path=(), detector="motion",
    )  # fmt: skip
    async with database.write() as session:
        kept = await add_camera(session, camera)
        await add_rule(session, Tripwire(id="line", camera="gate", name="Line", line=((0.1, 0.5), (0.9, 0.5))))
        hold = await add_hold(session, "gate", WALL, WALL + 10, "x", "admin")
        assert await add_alarm(session, raise_alarm(event, "Gate", WALL))
        assert not await add_alarm(session, raise_alarm(event, "Gate", WALL)), "told twice, stored once"
    async with database.read() as session:
        assert await list_cameras(session) == [kept]
        assert await list_holds(session) == [hold]
        assert [alarm.event for alarm in await alarms_since(session, WALL)] == [event]
    async with database.write() as session:
        assert await delete_camera(session, "gate")
        assert await list_rules(session) == []


async def test_masks_are_kept_changed_and_forgotten(database: Database) -> None:
    one, two = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0)), ((0.25, 0.5), (0.5, 0.5), (0.5, 0.125))
    for masks in ((one,), (one, two)):
        async with database.write() as session:
            await save_masks(session, "gate", masks)
        async with database.read() as session:
            assert await all_masks(session) == {"gate": masks}
    async with database.write() as session:
        await save_masks(session, "gate", ())
        assert await all_masks(session) == {}


async def test_copies_of_segments_are_kept(database: Database) -> None:
    row = row_at(WALL)
    waiting = SegmentCopy(
        segment=row.path, target="nas", state=CopyState.WAITING, size=row.size, recorded=WALL, changed=WALL
    )
    async with database.write() as session:
        await save_segments(session, [row])
        await add_copies(session, [waiting, waiting])
        await save_copy(session, replace(waiting, state=CopyState.KEPT))
        assert await forget_segments(session, [row.path]) == 0, "a copy is kept elsewhere"
    async with database.read() as session:
        assert [copy.state for copy in (await copies_of(session, [row.path]))[row.path]] == [CopyState.KEPT]


async def test_an_index_is_made_again_from_files(database: Database, tmp_path: Path) -> None:
    from perishield.evaluation.texture_clip import read_packets, write_clip
    from perishield.streams.chunker import Chunker
    from perishield.streams.segments import MediaRoot, SegmentWriter

    write_clip(tmp_path / "clip.mp4", width=192, height=128, seconds=4, bitrate=200_000, gop_s=1.0)
    video, packets = read_packets(tmp_path / "clip.mp4")
    rows: list[SegmentRow] = []
    writer = SegmentWriter(MediaRoot(tmp_path / "media"), "gate", "recordings", 2.0, rows.append, lambda _: None)
    chunker = Chunker("gate", 3, writer, lambda _: None)
    chunker.format(video)
    for packet in packets:
        chunker.packet(packet)
    chunker.close()
    assert await reindex(tmp_path / "media", database) == Reindexed(segments=len(rows), added=len(rows))
    async with database.read() as session:
        assert (await list_segments(session, "gate", None, None, 9))[0] == rows
