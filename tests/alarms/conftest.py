"""A store, a spool and a camera's footage, all real, in temporary folders."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from perishield.alarms.intake import Announcement
from perishield.bus.spool import Spool
from perishield.evaluation.texture_clip import read_packets, write_clip
from perishield.model.alarms import Event
from perishield.model.media import TIMESCALE, Packet
from perishield.store.database import Database
from perishield.streams.chunker import Chunker
from perishield.streams.segments import MediaRoot, SegmentWriter


@pytest.fixture
def make_event(make_event: Callable[..., Event]) -> Callable[..., Event]:
    """Of a camera that is never late."""

    def make(name: str, *, wall: float = 1_790_000_000.0, **fields: Any) -> Event:
        return make_event(name, **{"wall": wall, "arrival": wall, **fields})

    return make


@pytest.fixture
async def database(tmp_path: Path, new_database: Callable[[Path], str]) -> AsyncIterator[Database]:
    opened = await Database.open(new_database(tmp_path / "perishield.db"))
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
