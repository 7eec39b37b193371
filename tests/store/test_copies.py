"""Copies of segments: what is due, what a restart makes of it, and what keeps a segment in the index."""

from __future__ import annotations

from dataclasses import replace

from perishield.model.media import SegmentRow
from perishield.model.storage import CopyState, SegmentCopy
from perishield.store import copies as store
from perishield.store.database import Database
from perishield.store.segments import forget_segments, has_segment, save_segments


def row(number: int, *, camera: str = "gate", pool: str = "recordings") -> SegmentRow:
    start = 1_790_000_000.0 + 10 * number
    return SegmentRow(
        camera=camera,
        pool=pool,
        path=f"{pool}/{camera}/2026-09-21/14/{start:.0f}.mp4",
        epoch=1,
        start=start,
        duration=10.0,
        size=1000,
        frames=250,
        stream_time=0,
        codec="h264",
        mime="avc1.64001f",
        width=640,
        height=360,
        init_length=700,
        keyframes=((0, 700),),
        complete=True,
    )


def copy_of(segment: SegmentRow, target: str = "nas", **fields: object) -> SegmentCopy:
    plain = SegmentCopy(
        segment=segment.path, target=target, state=CopyState.WAITING, size=segment.size, recorded=1.0, changed=1.0
    )
    return replace(plain, **fields)  # type: ignore[arg-type]


async def test_a_copy_that_is_known_is_not_begun_again(database: Database) -> None:
    segment = row(0)
    async with database.write() as session:
        await store.add_copies(session, [copy_of(segment, state=CopyState.KEPT, sha256="ab")])
        await store.add_copies(session, [copy_of(segment), copy_of(segment, "cloud")])
    async with database.read() as session:
        found = (await store.copies_of(session, [segment.path, "recordings/other"]))[segment.path]
    assert {(copy.target, copy.state, copy.sha256) for copy in found} == {
        ("nas", CopyState.KEPT, "ab"),
        ("cloud", CopyState.WAITING, ""),
    }


async def test_what_is_due_comes_in_the_order_of_waiting(database: Database) -> None:
    async with database.write() as session:
        await store.add_copies(
            session,
            [
                copy_of(row(0), due=50.0, state=CopyState.FAILED),
                copy_of(row(1), due=0.0, recorded=9.0),
                copy_of(row(2), due=0.0, recorded=3.0),
                copy_of(row(3), due=200.0, state=CopyState.FAILED),
                copy_of(row(4), state=CopyState.KEPT),
                copy_of(row(5), "other"),
            ],
        )
        due = await store.next_copies(session, "nas", 100.0, 10)
    assert [copy.segment for copy in due] == [row(2).path, row(1).path, row(0).path]


async def test_a_restart_takes_up_what_was_on_its_way(database: Database) -> None:
    async with database.write() as session:
        await store.add_copies(session, [copy_of(row(0), state=CopyState.COPYING, due=900.0), copy_of(row(1))])
        assert await store.begin_anew(session) == 1
        assert len(await store.next_copies(session, "nas", 1.0, 10)) == 2


async def test_a_segment_with_a_copy_stays_in_the_index_when_its_file_goes(database: Database) -> None:
    kept, waiting, bare = row(0), row(1), row(2)
    async with database.write() as session:
        await save_segments(session, [kept, waiting, bare])
        await store.add_copies(session, [copy_of(kept, state=CopyState.KEPT), copy_of(waiting)])
        await forget_segments(session, [kept.path, waiting.path, bare.path])
    async with database.read() as session:
        assert await has_segment(session, kept.path)
        assert not await has_segment(session, waiting.path)
        assert not await has_segment(session, bare.path)


async def test_pages_visit_every_recording_once(database: Database) -> None:
    rows = [row(number, camera=camera) for camera in ("a", "b-2") for number in range(7)]
    async with database.write() as session:
        await save_segments(session, [*rows, row(0, camera="a", pool="pool")])
    seen, after = [], store.FIRST
    async with database.read() as session:
        while page := await store.recorded_segments(session, after, 3):
            seen += [segment.path for segment in page]
            after = (page[-1].camera, page[-1].start, page[-1].path)
    assert seen == [segment.path for segment in rows]


async def test_removed_footage_is_booked_as_spans(database: Database) -> None:
    async with database.write() as session:
        for number in (0, 1, 3, 2, 9):
            await store.book_removed(session, row(number), reason="retention", detail="cloud", now=5.0)
        await store.book_removed(session, row(4, camera="other"), reason="retention", detail="cloud", now=5.0)
        spans = await store.removed_footage(session, "gate", 0.0, 1e12)
        none = await store.removed_footage(session, "gate", 0.0, 1_790_000_000.0)
    assert none == []
    assert spans[0].start == 1_790_000_000.0
    assert spans[-1].until == 1_790_000_100.0
    covered = {int(second) for span in spans for second in range(int(span.start), int(span.until))}
    assert covered == {*range(1_790_000_000, 1_790_000_040), *range(1_790_000_090, 1_790_000_100)}


async def test_totals_count_copies_and_bytes_of_each_target(database: Database) -> None:
    async with database.write() as session:
        await store.add_copies(
            session,
            [
                copy_of(row(0), state=CopyState.KEPT, size=5_000_000_000),
                copy_of(row(1), state=CopyState.KEPT, size=7),
                copy_of(row(2), state=CopyState.FAILED, error="busy"),
            ],
        )
        totals = {(total.target, total.state): total for total in await store.copy_totals(session)}
        listed, count = await store.list_copies(session, state="failed")
    assert (totals["nas", CopyState.KEPT].count, totals["nas", CopyState.KEPT].size) == (2, 5_000_000_007)
    assert count == 1
    assert listed[0].error == "busy"
