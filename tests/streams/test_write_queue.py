from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.disks import ext4_disk
from tests.streams.test_segments import VIDEO, WALL, whole_files

from perishield.model.errors import StorageError
from perishield.model.media import TIMESCALE, AudioCodec, AudioFormat, ChunkRef, Packet, SegmentRow
from perishield.streams.chunker import Chunker
from perishield.streams.durability import Durability
from perishield.streams.layout import POOL, RECORDINGS
from perishield.streams.media_root import MediaRoot
from perishield.streams.segments import SegmentWriter
from perishield.streams.write_queue import REFUSED, Budget, WriteQueue

SIZE = 4_000


class Cameras:
    """Chunks through real queues on a real event loop."""

    def __init__(self, media: Path, limit: int = 1 << 20) -> None:
        self.root = MediaRoot(media)
        self.budget = Budget(limit)
        self.queues = {pool: WriteQueue(self.root, self.budget) for pool in (RECORDINGS, POOL)}
        self.refs: list[ChunkRef] = []
        self.rows: list[SegmentRow] = []
        self.faults: list[str] = []
        self.thread: set[int] = set()

    def camera(self, name: str, pool: str = RECORDINGS, priority: int = 0) -> Chunker:
        writer = SegmentWriter(
            self.root, name, pool, 2.0, self.rows.append, self._fault, writing=self.queues, priority=priority
        )
        chunker = Chunker(name, 1, writer, self._chunk, chunk_bytes=40_000)
        chunker.format(VIDEO)
        return chunker

    def _chunk(self, ref: ChunkRef) -> None:
        self.thread.add(threading.get_ident())
        self.refs.append(ref)

    def _fault(self, error: StorageError | None) -> None:
        self.faults.append(error.code if error else "")

    async def drain(self) -> None:
        for queue in self.queues.values():
            assert await queue.drain(20)


def feed(chunker: Chunker, first: int, frames: int, wall: float = WALL) -> None:
    for number in range(first, first + frames):
        dts = number * 3600
        now = wall + dts / TIMESCALE
        chunker.packet(Packet([bytes(SIZE)], SIZE, dts, dts, number % 25 == 0, now, now))


async def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.005)


async def test_chunks_are_told_of_on_the_loop_when_they_can_be_read(tmp_path: Path) -> None:
    cameras = Cameras(tmp_path, 1 << 24)
    chunkers = [cameras.camera(f"gate-{number}") for number in range(5)]
    for chunker in chunkers:
        feed(chunker, 0, 120)
        chunker.close()
    assert not cameras.refs, "nothing is written on the event loop"
    assert cameras.queues[RECORDINGS].queued == cameras.budget.used > 5 * 120 * SIZE
    await cameras.drain()
    assert cameras.thread == {threading.get_ident()}
    assert cameras.budget.used == cameras.queues[RECORDINGS].queued == 0
    assert whole_files(tmp_path) == 5 * 120 == sum(len(ref.sizes) for ref in cameras.refs)
    assert sum(row.frames for row in cameras.rows) == 600
    for name in {ref.camera for ref in cameras.refs}:
        assert [ref.number for ref in cameras.refs if ref.camera == name] == list(range(len(cameras.refs) // 5))


async def test_a_low_delay_chunk_and_a_full_batch_do_not_wait_to_be_handed_over(tmp_path: Path) -> None:
    cameras = Cameras(tmp_path, 1 << 24)
    quick = cameras.camera("quick")
    quick.low_delay = quick.writer.low_delay = True
    feed(quick, 0, 12)
    await until(lambda: cameras.refs)
    slow = cameras.camera("slow")
    feed(slow, 0, 40)
    for _ in range(20):
        await asyncio.sleep(0)
    assert {ref.camera for ref in cameras.refs} == {"quick"}, "ten chunks are no batch"
    feed(slow, 40, 700)
    await until(lambda: {ref.camera for ref in cameras.refs} == {"quick", "slow"})


async def test_what_waits_is_bounded_and_leaves_room_for_another_disk(tmp_path: Path) -> None:
    limit = 400_000
    with ext4_disk(tmp_path / "image", tmp_path / "media" / RECORDINGS, 64) as disk:
        cameras = Cameras(tmp_path / "media", limit)
        hung, free = cameras.camera("hung"), cameras.camera("free", POOL)
        with disk.stalled():
            for second in range(8):
                feed(hung, second * 25, 25)
                for queue in cameras.queues.values():
                    queue.hand_over()
                assert cameras.budget.used <= limit
            assert cameras.queues[RECORDINGS].queued <= limit * 3 // 4
            assert cameras.faults == ["overload"]
            assert hung.frames_unkept > 50
            feed(free, 0, 15)
            free.close()
            assert await cameras.queues[POOL].drain(20), "its disk does not hang"
            assert not await cameras.queues[RECORDINGS].drain(0.05)
        await cameras.drain()
        hung.writer._retry_at = 0.0
        feed(hung, 200, 50)
        hung.close()
        await cameras.drain()
    assert cameras.faults == ["overload", ""]
    mine = [ref for ref in cameras.refs if ref.camera == "hung"]
    assert [ref.stream_time for ref in mine if ref.discontinuity and ref.number] == [200 * 3600]
    assert sum(len(ref.sizes) for ref in mine) + hung.frames_unkept == 250


async def test_cameras_below_the_floor_give_way_at_their_next_key_frame(tmp_path: Path) -> None:
    cameras = Cameras(tmp_path, 1 << 24)
    low, high = cameras.camera("low"), cameras.camera("high", priority=5)
    feed(low, 0, 30)
    feed(high, 0, 30)
    cameras.queues[RECORDINGS].floor = 5
    feed(low, 30, 45)
    feed(high, 30, 45)
    cameras.queues[RECORDINGS].floor = REFUSED
    feed(high, 75, 25)
    low.close()
    high.close()
    await cameras.drain()
    kept = {name: sum(len(ref.sizes) for ref in cameras.refs if ref.camera == name) for name in ("low", "high")}
    assert kept == {"low": 25, "high": 75}, "whole groups of pictures"


async def test_a_clock_set_back_and_forward_an_hour_neither_loses_nor_overwrites_files(tmp_path: Path) -> None:
    cameras = Cameras(tmp_path, 1 << 24)
    chunker = cameras.camera("gate-1")
    for part, shift in enumerate((0.0, -3600.0, 0.0, -4.0, 3600.0, -8.0)):
        feed(chunker, part * 100, 100, WALL + shift)
    chunker.close()
    await cameras.drain()
    assert whole_files(tmp_path) == 600
    assert len({row.path for row in cameras.rows}) == len(cameras.rows) == len(list(tmp_path.rglob("*.mp4")))


def test_what_was_written_is_synced_soon_and_once_for_pools_on_one_disk(tmp_path: Path) -> None:
    synced: dict[int, float] = {}
    first, second = Durability(str(tmp_path), 0.05, synced), Durability(str(tmp_path), 0.05, synced)
    assert first.late_s == 0
    wrote = time.monotonic()
    first.wrote()
    deadline = time.monotonic() + 20
    while first.late_s:
        assert time.monotonic() < deadline
        time.sleep(0.005)
    device = tmp_path.stat().st_dev
    assert synced[device] >= wrote
    assert first.longest_s > 0
    synced[device] = elsewhere = time.monotonic() + 60
    second.wrote()
    while second.late_s:
        assert time.monotonic() < deadline
        time.sleep(0.005)
    assert synced[device] == elsewhere, "the other one has just done it"
    for one in (first, second):
        one.close()


def test_a_disk_that_cannot_be_synced_is_told_once_and_tried_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    under_test = Durability(str(tmp_path / "gone"), 0.01)
    deadline = time.monotonic() + 20
    for _ in range(3):
        under_test.wrote()
        while under_test.late_s:
            assert time.monotonic() < deadline
            time.sleep(0.005)
    assert [record.getMessage() for record in caplog.records] == ["storage.sync_failed"]
    under_test.close()


async def test_what_many_held_back_for_their_sound_is_not_refused_for_coming_at_once(tmp_path: Path) -> None:
    cameras = Cameras(tmp_path, 1_000_000)
    chunkers = [cameras.camera(f"gate-{number}") for number in range(20)]
    for chunker in chunkers:
        chunker.audio_format(AudioFormat(AudioCodec.PCMA, 8_000, 1))
        for number in range(24):
            feed(chunker, number, 1)
            at = WALL + number / 25
            chunker.audio(Packet([bytes(320)], 320, number * 3600, number * 3600, True, at, at))
        await cameras.drain()
        # The sound of the last picture before the key frame stays away.
        feed(chunker, 24, 26)
    assert not cameras.faults
    held = sum(cut.size for chunker in chunkers for cut in chunker._held)
    assert held > cameras.queues[RECORDINGS].limit
    for tick in range(40):
        for chunker in chunkers:
            chunker.tick(WALL + 2 + tick / 10)
        for queue in cameras.queues.values():
            queue.hand_over()
        await asyncio.sleep(0.02)
    assert not cameras.faults
    for chunker in chunkers:
        chunker.close()
        await cameras.drain()
    assert whole_files(tmp_path) == 20 * 50
