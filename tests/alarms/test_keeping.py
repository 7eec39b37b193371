"""What surrounds an event, and what is held, leaves the pool in time: also what is still written, and over restarts."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from perishield.alarms.intake import raise_alarm
from perishield.alarms.keeping import Keeper, Window, merged
from perishield.evaluation.texture_clip import read_packets
from perishield.model.media import TIMESCALE, Packet, SegmentRow
from perishield.model.site import Camera, Recording, RecordMode, TimeWindow
from perishield.store.alarms import add_alarm
from perishield.store.cameras import add_camera
from perishield.store.database import Database
from perishield.store.holds import add_hold
from perishield.streams.chunker import Chunker
from perishield.streams.segments import MediaRoot, SegmentWriter

EVENT = Recording(mode=RecordMode.EVENT, pre_s=3.0, post_s=2.0)


@pytest.fixture
def pool(clip_file: Path, tmp_path: Path) -> Callable[..., Chunker]:
    """Puts seconds [first, last) of the clip into the pool in segments of two, the clip's first being at `wall`."""
    video, packets = read_packets(clip_file)

    def run(
        wall: float, first: float = 0.0, last: float = 14.0, *, camera: str = "gate", close: bool = True
    ) -> Chunker:
        writer = SegmentWriter(MediaRoot(tmp_path / "media"), camera, "pool", 2.0, lambda _: None, lambda _: None)
        chunker = Chunker(camera, 3, writer, lambda _: None, chunk_bytes=16_000)
        chunker.format(video)
        for packet in packets:
            if first <= packet.dts / TIMESCALE < last:
                moment = wall + packet.dts / TIMESCALE
                chunker.packet(Packet(packet.data, packet.size, packet.dts, packet.pts, packet.key, moment, moment))
        if close:
            chunker.close()
        else:
            chunker.tick(wall + 3600)
        return chunker

    return run


class Site:
    def __init__(self, database: Database, media: Path) -> None:
        self.database = database
        self.media = media
        self.kept: list[tuple[SegmentRow, str]] = []
        self._news = asyncio.Event()

    def keeper(self, **options: Any) -> Keeper:
        return Keeper(self.database, self.media, self._take, pool_s=1800, **options)

    def _take(self, row: SegmentRow, path: str) -> None:
        self.kept.append((row, path))
        self._news.set()

    async def reach(self, count: int) -> None:
        async with asyncio.timeout(20):
            while len(self.kept) < count:
                self._news.clear()
                await self._news.wait()

    async def camera(self, recording: Recording, name: str = "gate") -> None:
        async with self.database.write() as session:
            await add_camera(session, Camera(id=name, name=name, url="rtsp://10.0.0.4/", recording=recording))

    async def alarm(self, event: Any) -> None:
        async with self.database.write() as session:
            await add_alarm(session, raise_alarm(event, event.camera, event.arrival))

    def seconds(self, wall: float) -> list[int]:
        return sorted(round(row.start - wall) for row, _ in self.kept)


@pytest.fixture
def site(database: Database, tmp_path: Path) -> Site:
    return Site(database, tmp_path / "media")


async def test_an_event_keeps_what_surrounds_it_and_no_more(site: Site, pool: Any, make_event: Any) -> None:
    wall = float(int(time.time()) - 100)
    pool(wall)
    await site.camera(EVENT)
    await site.alarm(make_event("a", wall=wall + 7.5))
    keeper = site.keeper()
    await keeper.step()
    assert site.seconds(wall) == [4, 6, 8]
    assert all(path.startswith("pool/") and row.pool == "recordings" for row, path in site.kept)
    assert not await keeper.step(), "it is done"
    assert len(site.kept) == 3


async def test_other_modes_keep_nothing(site: Site, pool: Any, make_event: Any) -> None:
    wall = float(int(time.time()) - 100)
    pool(wall)
    await site.camera(Recording(mode=RecordMode.OFF))
    await site.alarm(make_event("a", wall=wall + 7))
    await site.keeper().step()
    assert site.kept == []


@pytest.mark.parametrize(("end", "kept"), [(1440, 3), (0, 0)])
async def test_windows_limit_events(site: Site, pool: Any, make_event: Any, end: int, kept: int) -> None:
    wall = float(int(time.time()) - 100)
    pool(wall)
    window = TimeWindow(days=(0, 1, 2, 3, 4, 5, 6), start=0, end=end)
    await site.camera(replace(EVENT, windows=(window,)))
    await site.alarm(make_event("a", wall=wall + 7.5))
    await site.keeper().step()
    assert len(site.kept) == kept


async def test_a_segment_that_is_still_written_is_kept_when_it_is_closed(
    site: Site, pool: Any, make_event: Any
) -> None:
    wall = float(int(time.time()) - 100)
    chunker = pool(wall, 0, 7, close=False)
    await site.camera(EVENT)
    await site.alarm(make_event("a", wall=wall + 5.5))
    keeper = site.keeper(round_s=0.05)
    running = asyncio.create_task(keeper.run())
    await site.reach(2)
    assert site.seconds(wall) == [2, 4]
    chunker.close()
    await site.reach(3)
    running.cancel()
    assert site.seconds(wall) == [2, 4, 6]


async def test_a_restart_keeps_what_the_last_run_did_not_come_to(site: Site, pool: Any, make_event: Any) -> None:
    wall = float(int(time.time()) - 900)
    pool(wall)
    await site.camera(EVENT)
    await site.alarm(make_event("old", wall=wall + 7.5))
    await site.alarm(make_event("older than the pool", wall=wall - 86_400))
    await site.keeper().step()
    assert site.seconds(wall) == [4, 6, 8]
    await site.keeper().step()
    assert len(site.kept) == 3, "what was kept before a restart is known on the disk"


async def test_a_hold_keeps_what_is_only_in_the_pool(site: Site, pool: Any) -> None:
    wall = float(int(time.time()) - 200)
    pool(wall)
    await site.camera(Recording(mode=RecordMode.OFF))
    keeper = site.keeper()
    await keeper.step()
    async with site.database.write() as session:
        await add_hold(session, "gate", wall + 5, wall + 9, "Theft", "admin")
    await keeper.step()
    assert site.seconds(wall) == [4, 6, 8]


async def test_a_hold_into_the_future_keeps_whatever_comes(site: Site, pool: Any) -> None:
    wall = float(int(time.time()) - 20)
    pool(wall, 0, 4)
    await site.camera(Recording(mode=RecordMode.OFF))
    async with site.database.write() as session:
        await add_hold(session, "gate", wall, wall + 86_400, "Watch", "admin")
    keeper = site.keeper()
    assert await keeper.step()
    pool(wall, 4, 10)
    assert await keeper.step()
    assert site.seconds(wall) == [0, 2, 4, 6, 8]


async def test_a_disk_that_refuses_is_tried_again(
    site: Site, pool: Any, make_event: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    wall = float(int(time.time()) - 100)
    pool(wall)
    await site.camera(EVENT)
    await site.alarm(make_event("a", wall=wall + 7.5))
    blocked = site.media / "recordings"
    blocked.write_text("a file where a folder should be")
    keeper = site.keeper()
    assert await keeper.step()
    assert site.kept == []
    blocked.unlink()
    await keeper.step()
    assert len(site.kept) == 3


def test_windows_that_touch_are_one() -> None:
    a, b = frozenset("a"), frozenset("b")
    parts = [Window("y", 0, 5, a), Window("x", 8, 9, a), Window("x", 0, 5, a), Window("x", 4, 8, b)]
    assert merged(parts) == [Window("x", 0, 9, a | b), Window("y", 0, 5, a)]
