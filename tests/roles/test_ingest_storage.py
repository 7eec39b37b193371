"""What disks do to a recorder: they fill, stall, lose their power and vanish; and what it says of it afterwards."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import time
from dataclasses import replace
from pathlib import Path

import av
import pytest
from tests.disks import ext4_disk, memory_disk
from tests.roles.ingest_node import Node, listen

from perishield.bus import topics
from perishield.bus.topics import StoragePressure
from perishield.model.footage import JournalEntry
from perishield.model.media import TIMESCALE
from perishield.model.site import Recording, RecordMode, TimeWindow
from perishield.recording.index import list_segments
from perishield.streams.fmp4_reader import read_init, walk
from perishield.streams.journal import read_journal
from perishield.streams.mount import MARKER
from perishield.streams.recovery import recover

pytestmark = pytest.mark.long


def journal(node: Node, camera: str | None = None) -> list[JournalEntry]:
    entries = read_journal(node.data / "journal", 0, time.time() + 60)
    return [entry for entry in entries if camera is None or entry.camera == camera]


def last(node: Node, camera: str) -> tuple[str, str]:
    states = [(entry.state, entry.detail) for entry in journal(node, camera) if entry.state != "span"]
    return states[-1] if states else ("", "")


def newest_frame(path: Path) -> float:
    """Wall-clock time at which the last whole chunk of that file ends."""
    fd = os.open(path, os.O_RDONLY)
    try:
        init = read_init(fd)
        assert init is not None
        assert init.origin is not None
        ticks = max((chunk.decode_time + chunk.duration for chunk in walk(fd, len(init.data))), default=0)
        return init.origin.wall + ticks / TIMESCALE
    finally:
        os.close(fd)


@pytest.mark.parametrize("attempt", range(3))
async def test_a_power_cut_costs_at_most_a_second_of_footage(node: Node, tmp_path: Path, attempt: int) -> None:
    with ext4_disk(tmp_path / "image", node.media, 256) as disk:
        names = [f"gate-{number}" for number in range(4)]
        node.publish_site(*(node.camera(name) for name in names))
        await node.start(segment_s=4.0)
        began = time.monotonic()
        moment = random.Random(attempt).uniform(4.5, 7.5)
        await node.until(lambda: time.monotonic() - began > moment and all(node.frames(name) > 60 for name in names))
        arrived = {
            name: max(chunk.wall + chunk.duration / TIMESCALE for chunk in node.chunks if chunk.camera == name)
            for name in names
        }
        cut = time.time()
        disk.cut_power()
        await node.end(signal.SIGKILL)
        disk.unmount()
        disk.mount()
        recover(node.media, time.time() + 60)
        for name in names:
            rows = list_segments(node.media, name, 0, time.time() + 60)
            kept = max(newest_frame(node.media / row.path) for row in rows)
            assert kept >= cut - 1.0, f"{cut - kept:.2f} s lost, {arrived[name] - kept:.2f} s of what was told of"
            for row in rows:
                with av.open(str(node.media / row.path)) as container:
                    assert sum(1 for _ in container.decode(video=0)) == row.frames


async def test_a_disk_that_stalls_holds_up_nobody_and_is_made_up_for(node: Node, tmp_path: Path) -> None:
    """The recordings' disk hangs; the camera in the pool, on another, goes on, and so do the connections."""
    levels: list[StoragePressure] = []
    listening = asyncio.create_task(listen(node.bus, topics.PRESSURE, levels))
    with ext4_disk(tmp_path / "image", node.media / "recordings", 256) as disk:
        node.publish_site(node.camera("gate-1"), node.camera("gate-2", record=False))
        await node.start(segment_s=60.0)
        await node.until(lambda: node.frames("gate-1") > 20 and node.frames("gate-2") > 20)
        with disk.stalled():
            before = node.frames("gate-2")
            await node.until(lambda: any(pressure.level >= 2 for pressure in levels))
            told = node.frames("gate-1")
            await node.until(lambda: node.frames("gate-2") > before + 100)
            assert node.frames("gate-1") == told
        await node.until(lambda: node.frames("gate-1") > told + 100)
        await node.until(lambda: levels[-1].level == 0)
        assert await node.end() == 0
        mine = [chunk for chunk in node.chunks if chunk.camera == "gate-1"]
        assert [chunk.number for chunk in mine] == list(range(mine[0].number, mine[0].number + len(mine)))
        assert not any(chunk.discontinuity for chunk in mine[1:]), "nothing was lost, it only came later"
        (row,) = list_segments(node.media, "gate-1", 0, time.time() + 60)
        assert row.frames == node.frames("gate-1")
    listening.cancel()
    raised = [pressure.level for pressure in levels]
    assert raised.index(1) < raised.index(2)


async def test_memory_is_bounded_while_a_disk_hangs_and_what_is_given_up_is_booked(node: Node, tmp_path: Path) -> None:
    levels: list[StoragePressure] = []
    listening = asyncio.create_task(listen(node.bus, topics.PRESSURE, levels))
    limit = 1 << 20
    important = Recording(mode=RecordMode.CONTINUOUS, priority=1)
    with ext4_disk(tmp_path / "image", node.media / "recordings", 256) as disk:
        names = [f"gate-{number}" for number in range(6)]
        low, high = names[:3], names[3:]
        node.publish_site(
            *(node.camera(name) for name in low), *(replace(node.camera(name), recording=important) for name in high)
        )
        await node.start(segment_s=60.0, queue_bytes=limit)
        await node.until(lambda: all(node.frames(name) > 20 for name in names))
        with disk.stalled():
            await node.until(lambda: any(pressure.level == 4 for pressure in levels))
            await node.until(lambda: all(last(node, name) == ("disk", "overload") for name in names))
        assert max(pressure.queued_bytes for pressure in levels) <= limit
        await node.until(lambda: all(last(node, name) == ("recording", "") for name in names))
        await node.until(lambda: levels[-1].level == 0)
        assert await node.end() == 0
    listening.cancel()
    for name in names:
        mine = [chunk for chunk in node.chunks if chunk.camera == name]
        gaps = [index for index, chunk in enumerate(mine) if index and chunk.discontinuity]
        assert len(gaps) == 1
        after = mine[gaps[0]]
        assert after.key, "recording goes on with a key frame"
        before = mine[gaps[0] - 1]
        ended = next(entry for entry in journal(node, name) if entry.state == "disk")
        resumed = [entry for entry in journal(node, name) if entry.state == "recording"][-1]
        assert ended.wall <= before.wall + before.duration / TIMESCALE + 0.01, "no second is left without a reason"
        assert not [entry for entry in journal(node, name) if entry.state == "span"]
        assert abs(resumed.wall - after.wall) < 0.01
    stopped = {name: next(e.mono for e in journal(node, name) if e.state == "disk") for name in names}
    assert min(stopped[name] for name in low) <= min(stopped[name] for name in high)


async def test_a_disk_that_fills_is_told_journaled_and_left_with_whole_chunks(node: Node) -> None:
    with memory_disk(node.media, 2):
        node.publish_site(node.camera("gate-1"))
        await node.start(segment_s=2.0)
        await node.until(lambda: (state := node.state("gate-1")) and state.code == "disk_full")
        await node.until(lambda: last(node, "gate-1") == ("disk", "disk_full"))
        for path in node.media.rglob("*.mp4"):
            assert newest_frame(path) > 0
        for path in list(node.media.rglob("*.mp4"))[:-1]:
            path.unlink()
        await node.until(lambda: last(node, "gate-1") == ("recording", ""))
        await node.until(lambda: (state := node.state("gate-1")) and not state.code)
        assert await node.end() == 0


async def test_storage_that_vanishes_is_not_mistaken_for_the_folder_below_it(node: Node, tmp_path: Path) -> None:
    recordings = node.media / "recordings"
    with ext4_disk(tmp_path / "image", recordings, 64) as disk:
        node.publish_site(node.camera("gate-1"))
        await node.start()
        await node.until(lambda: len(node.segments) >= 2)
        mark = (recordings / MARKER).read_text()
        disk.unmount(at_once=True)
        await node.until(lambda: (state := node.state("gate-1")) and state.code == "mount_gone")
        assert last(node, "gate-1") == ("disk", "mount_gone")
        assert not list(recordings.iterdir()), "nothing fills the disk below"
        await node.end(signal.SIGKILL)
        await node.start()
        await node.until(lambda: (state := node.state("gate-1")) and state.code == "mount_gone")
        assert not list(recordings.iterdir())
        disk.mount()
        seen = len(node.segments)
        await node.until(lambda: len(node.segments) > seen + 1 and last(node, "gate-1") == ("recording", ""))
        assert (recordings / MARKER).read_text() == mark
        disk.unmount(at_once=True)
        await node.until(lambda: (state := node.state("gate-1")) and state.code == "mount_gone")
        with memory_disk(recordings, 16):
            (recordings / "holiday.jpg").write_bytes(b"foreign")
            seen = node.frames("gate-1")
            await node.until(lambda: node.states[-1].code == "mount_gone" and len(node.states) > 3)
            assert node.frames("gate-1") == seen
            (recordings / MARKER).touch()
            await node.until(lambda: node.frames("gate-1") > seen)
            known = json.loads((node.data / "storage.json").read_text())
            assert len(known["recordings"]) == 2
        assert await node.end() == 0


async def test_the_journal_follows_a_camera_from_its_first_day_to_its_last(node: Node) -> None:
    node.publish_site(node.camera("gate-1"), node.camera("lost", url="rtsp://127.0.0.1:1/none"))
    await node.start()
    await node.until(lambda: last(node, "gate-1") == ("recording", "") and last(node, "lost")[0] == "camera_down")
    node.publish_site(node.camera("gate-1", record=False))
    await node.until(lambda: last(node, "gate-1") == ("policy", "off") and last(node, "lost") == ("disabled", ""))
    always = (TimeWindow(days=tuple(range(7)), start=0, end=1440),)
    scheduled = Recording(mode=RecordMode.SCHEDULED, windows=always, timezone="Asia/Shanghai")
    node.publish_site(replace(node.camera("gate-1"), recording=scheduled))
    await node.until(lambda: last(node, "gate-1") == ("recording", ""))
    node.publish_site(replace(node.camera("gate-1"), recording=replace(scheduled, windows=())))
    await node.until(lambda: last(node, "gate-1") == ("policy", "schedule"))
    node.publish_site(replace(node.camera("gate-1"), recording=Recording(mode=RecordMode.EVENT)))
    await node.until(lambda: last(node, "gate-1") == ("policy", "event"))
    await node.until(lambda: node.chunks[-1].path.startswith("pool/"))
    node.publish_site()
    await node.until(lambda: last(node, "gate-1") == ("disabled", ""))
    await node.end(signal.SIGKILL)
    killed = time.time()
    node.publish_site(node.camera("gate-1"))
    await node.start()
    await node.until(lambda: last(node, "gate-1") == ("recording", ""))
    assert await node.end() == 0
    recorder = [entry for entry in journal(node, "") if not entry.camera]
    assert [entry.state for entry in recorder] == ["started", "died", "started", "stopped"]
    assert killed - 2.0 < recorder[1].wall <= killed
    mine = [(entry.state, entry.detail) for entry in journal(node, "gate-1")]
    assert mine[:2] == [("camera_down", "connecting"), ("recording", "")]
    changes = [entry for entry in journal(node, "gate-1") if entry.state in ("recording", "policy")]
    keys = sorted(chunk.wall for chunk in node.chunks if chunk.camera == "gate-1" and chunk.key)
    assert all(min(abs(entry.wall - key) for key in keys) < 0.01 for entry in changes), "states change at key frames"


async def test_what_retention_deletes_is_booked_before(node: Node) -> None:
    removed: list[topics.SegmentRemoved] = []
    listening = asyncio.create_task(listen(node.bus, topics.REMOVED, removed))
    node.publish_site(replace(node.camera("gate-1"), recording=Recording(keep_days=3 / 86_400)))
    await node.start()
    await node.until(lambda: len(removed) >= 2)
    listening.cancel()
    spans = [entry for entry in journal(node, "gate-1") if entry.state == "span"]
    rows = {row.path: row for row in node.segments}
    for gone in removed:
        row = rows[gone.path]
        assert any(
            span.reason == "retention"
            and span.detail == "recordings"
            and span.wall - 0.01 <= row.start
            and row.start + row.duration <= span.until + 0.01
            for span in spans
        )


async def test_a_detect_stream_passes_through_the_pool_beside_the_recorded_one(node: Node) -> None:
    camera = replace(node.camera("gate-1", analysed=True), detect_url=f"{node.simulator.urls[0]}?small")
    node.publish_site(camera)
    await node.start(chunk_bytes=1 << 20)
    await node.until(lambda: node.frames("gate-1") > 100 and node.frames("gate-1~detect") > 100)
    main = [chunk for chunk in node.chunks if chunk.camera == "gate-1"]
    detect = [chunk for chunk in node.chunks if chunk.camera == "gate-1~detect"]
    assert all(chunk.path.startswith("recordings/gate-1/") for chunk in main)
    assert all(chunk.path.startswith("pool/gate-1~detect/") for chunk in detect)
    assert max(chunk.duration for chunk in detect[-20:]) <= 0.24 * TIMESCALE, "analysed, so it hurries"
    assert max(chunk.duration for chunk in main[-5:]) > 0.24 * TIMESCALE, "nobody waits for this one"
    assert {state.camera for state in node.states} == {"gate-1"}
    assert {row.camera for row in node.segments} == {"gate-1"}
    assert await node.end() == 0
    assert not [entry for entry in journal(node) if "~" in entry.camera]
