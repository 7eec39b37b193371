"""A camera on the air in this process: its clip is cut into chunks in real time, and their references fed to a hub."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import pytest

from perishield.evaluation.texture_clip import read_packets, write_clip
from perishield.live.credentials import CredentialBook, issue
from perishield.live.hub import LiveHub
from perishield.live.line import Lines
from perishield.live.rtsp.server import RestreamServer
from perishield.model.media import TIMESCALE, AudioCodec, AudioFormat, ChunkRef, Codec, Packet
from perishield.streams.chunker import Chunker
from perishield.streams.segments import MediaRoot, SegmentWriter

G711 = AudioFormat(AudioCodec.PCMA, 8000, 1)
TONE = bytes((0xD5, 0x34, 0x2A, 0x34, 0xD5, 0xB4, 0xAA, 0xB4))
"""1 kHz in A-law at 8 kHz (ITU-T G.711)."""


class OnAir:
    """`speed` 0: as fast as it goes."""

    def __init__(self, media: Path, hub: LiveHub, clip: Path, camera: str = "gate", *, sound: bool = False) -> None:
        self.refs: list[ChunkRef] = []
        self.media = media
        self.hub = hub
        self.camera = camera
        self.sound = sound
        self.video, self.packets = read_packets(clip)
        self.wall = time.time()
        self._epoch = 0
        self.begin()

    def begin(self) -> None:
        """A new epoch: its time begins at 0 again."""
        self._epoch += 1
        self._segments = SegmentWriter(MediaRoot(self.media), self.camera, "pool", 4.0, lambda _: None, lambda _: None)
        self.chunker = Chunker(self.camera, self._epoch, self._segments, self._told, chunk_s=0.4)
        self.chunker.format(self.video)
        if self.sound:
            self.chunker.audio_format(G711)

    def _told(self, ref: ChunkRef) -> None:
        self.refs.append(ref)
        self.hub.feed(ref)

    def send(self, first: float, last: float) -> None:
        """Seconds [first, last) of the endless loop, at once."""
        length = self.packets[-1].dts + self.packets[1].dts - self.packets[0].dts
        for loop in range(int(last * TIMESCALE // length) + 1):
            for packet in self.packets:
                dts = packet.dts + loop * length
                if first <= dts / TIMESCALE < last:
                    moment = self.wall + dts / TIMESCALE
                    if self.sound:
                        for step in range(2):
                            at = dts + step * 1800
                            self.chunker.audio(Packet([TONE * 20], 160, at, at, True, moment, moment))
                    self.chunker.packet(
                        Packet(packet.data, packet.size, dts, packet.pts + loop * length, packet.key, moment, moment)
                    )

    async def run(self) -> None:
        """In real time until cancelled."""
        began, sent = time.monotonic(), 0.0
        while True:
            now = time.monotonic() - began
            self.send(sent, now)
            self.chunker.tick(self.wall + now)
            sent = now
            await asyncio.sleep(0.02)


@pytest.fixture
def until() -> Callable[..., Awaitable[None]]:
    async def wait(true: Callable[[], bool], seconds: float = 30) -> None:
        deadline = time.monotonic() + seconds
        while not true():
            assert time.monotonic() < deadline, "it never came true"
            await asyncio.sleep(0.02)

    return wait


@pytest.fixture(scope="session")
def live_clips(tmp_path_factory: pytest.TempPathFactory) -> dict[Codec, Path]:
    folder = tmp_path_factory.mktemp("live")
    found = {}
    for codec in Codec:
        found[codec] = folder / f"{codec.value}.mp4"
        write_clip(found[codec], codec=codec, width=192, height=128, seconds=4, bitrate=200_000, gop_s=1.0)
    return found


@pytest.fixture
def hub() -> LiveHub:
    return LiveHub()


@pytest.fixture
def on_air(tmp_path: Path, hub: LiveHub, live_clips: dict[Codec, Path]) -> Callable[..., OnAir]:
    def make(codec: Codec = Codec.H264, camera: str = "gate", *, sound: bool = False) -> OnAir:
        return OnAir(tmp_path, hub, live_clips[codec], camera, sound=sound)

    return make


@pytest.fixture
async def lines(tmp_path: Path, hub: LiveHub) -> AsyncIterator[Lines]:
    opened = Lines(hub, tmp_path)
    yield opened
    await opened.close()


@pytest.fixture
def book(tmp_path: Path) -> CredentialBook:
    return CredentialBook(tmp_path / "restream.json")


@pytest.fixture
async def restream(lines: Lines, book: CredentialBook) -> AsyncIterator[RestreamServer]:
    server = RestreamServer(lines, book.find, lambda camera: camera in {"gate", "yard"}, most=8)
    await server.start("127.0.0.1", 0)
    yield server
    await server.close()


@pytest.fixture
def guest(book: CredentialBook, restream: RestreamServer) -> Callable[..., str]:
    """An address with a credential in it."""

    def make(camera: str = "gate", cameras: tuple[str, ...] = ()) -> str:
        credential, password = issue("test", cameras, 3600)
        book.add(credential)
        return f"rtsp://{credential.username}:{password}@127.0.0.1:{restream.port}/{camera}"

    return make


@pytest.fixture
async def playing(on_air: Callable[..., OnAir]) -> AsyncIterator[Callable[..., OnAir]]:
    """Cameras that send in real time while the test runs."""
    tasks: list[asyncio.Task[None]] = []

    def make(codec: Codec = Codec.H264, camera: str = "gate", *, sound: bool = False) -> OnAir:
        made = on_air(codec, camera, sound=sound)
        tasks.append(asyncio.create_task(made.run()))
        return made

    yield make
    for task in tasks:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
