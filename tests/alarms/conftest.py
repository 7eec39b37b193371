"""A store, a spool and a camera's footage, all real, in temporary folders."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from perishield.alarms.intake import Announcement
from perishield.bus.spool import Spool
from perishield.evaluation.texture_clip import read_packets, write_clip
from perishield.model.alarms import Event, EventKind
from perishield.model.media import TIMESCALE, Packet
from perishield.store.database import Database, sqlite_url
from perishield.streams.chunker import Chunker
from perishield.streams.segments import MediaRoot, SegmentWriter


def _event(name: str, *, camera: str = "gate", wall: float = 1_790_000_000.0, arrival: float | None = None) -> Event:
    return Event(
        id=name,
        camera=camera,
        epoch=3,
        kind=EventKind.TRIPWIRE,
        rule={"id": "line", "name": "Line", "kind": "tripwire", "line": [[0, 0.5], [1, 0.5]]},
        level=2,
        label="person",
        score=0.75,
        track=7,
        stream_time=900_000,
        wall=wall,
        arrival=wall if arrival is None else arrival,
        point=(0.5, 0.5),
        direction="left_to_right",
        box=(0.4, 0.2, 0.6, 0.5),
        path=((810_000, 0.5, 0.4), (900_000, 0.5, 0.5)),
        detector="motion",
    )


@pytest.fixture
def make_event() -> Callable[..., Event]:
    return _event


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    opened = await Database.open(sqlite_url(tmp_path / "perishield.db"))
    yield opened
    await opened.close()


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "spool" / "events.db")


class Heard(list[Announcement]):
    """What was announced, in order."""

    def __init__(self) -> None:
        super().__init__()
        self._news = asyncio.Event()

    def append(self, announcement: Announcement) -> None:
        super().append(announcement)
        self._news.set()

    async def reach(self, count: int) -> None:
        """Wait until that much was announced."""
        async with asyncio.timeout(20):
            while len(self) < count:
                self._news.clear()
                await self._news.wait()


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture(scope="session")
def clip_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    write_clip(path, width=192, height=128, seconds=14, bitrate=200_000, gop_s=1.0)
    return path


@pytest.fixture
def record(clip_file: Path, tmp_path: Path) -> Callable[..., None]:
    """Records seconds [first, last) of the clip as that camera's footage, beginning at `wall`."""
    video, packets = read_packets(clip_file)

    def run(camera: str, wall: float, first: float = 0.0, last: float = 14.0) -> None:
        writer = SegmentWriter(MediaRoot(tmp_path / "media"), camera, "recordings", 4.0, lambda _: None, lambda _: None)
        chunker = Chunker(camera, 3, writer, lambda _: None, chunk_bytes=16_000)
        chunker.format(video)
        for packet in packets:
            if first <= packet.dts / TIMESCALE < last:
                moment = wall + packet.dts / TIMESCALE
                chunker.packet(Packet(packet.data, packet.size, packet.dts, packet.pts, packet.key, moment, moment))
        chunker.close()

    return run
