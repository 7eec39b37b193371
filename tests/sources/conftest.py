"""Clips made on the spot, a sink that remembers, and the camera farm."""

from __future__ import annotations

import asyncio
import dataclasses
import fractions
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from perishield.model.media import AudioFormat, Codec, Packet, StreamState, VideoFormat
from perishield.model.site import Camera
from perishield.sources.reception import Reception
from perishield.sources.rtsp.session import Patience
from perishield.sources.rtsp.source import RtspSource
from perishield.sources.simulator import Faults, Simulator, SimulatorClip

CLIPS = {
    "plain": ("libx264", {"preset": "ultrafast", "bf": "0"}),
    "reordered": ("libx264", {"preset": "veryfast", "bf": "2"}),
    "hevc": ("libx265", {"preset": "ultrafast", "x265-params": "log-level=none:keyint=10:bframes=0:pools=1"}),
    "hevc_open": ("libx265", {"preset": "ultrafast", "x265-params": "log-level=none:keyint=10:bframes=3:pools=1"}),
}


def encode(
    path: Path,
    codec: str,
    options: dict[str, str],
    *,
    width: int = 160,
    height: int = 120,
    frames: int = 50,
    rate: int = 25,
) -> Path:
    """A moving pattern, a key frame every ten."""
    noise = np.random.default_rng(7).integers(0, 255, (height, width * 2, 3), dtype=np.uint8)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate, options=options)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.gop_size = 10
        stream.codec_context.time_base = fractions.Fraction(1, rate)
        for index in range(frames):
            shift = index * 3 % width
            picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(noise[:, shift : shift + width]), format="rgb24")
            picture.pts = index
            container.mux(stream.encode(picture.reformat(format="yuv420p")))
        container.mux(stream.encode(None))
    return path


@pytest.fixture(scope="session")
def clip_files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("clips")
    return {name: encode(folder / f"{name}.mp4", codec, options) for name, (codec, options) in CLIPS.items()}


@pytest.fixture(scope="session")
def clips(clip_files: dict[str, Path]) -> dict[str, SimulatorClip]:
    return {name: SimulatorClip.load(path) for name, path in clip_files.items()}


@pytest.fixture(scope="session")
def quick_clips(tmp_path_factory: pytest.TempPathFactory) -> dict[str, SimulatorClip]:
    """At 100 frames a second; `other` is of another size."""
    folder = tmp_path_factory.mktemp("quick")
    made = {
        "plain": (CLIPS["plain"], 160),
        "other": (CLIPS["plain"], 192),
        "reordered": (CLIPS["reordered"], 160),
        "hevc": (CLIPS["hevc"], 160),
    }
    return {
        name: SimulatorClip.load(encode(folder / f"{name}.mp4", *how, width=width, frames=100, rate=100))
        for name, (how, width) in made.items()
    }


@pytest.fixture(scope="session")
def make_clip() -> Callable[..., Path]:
    return encode


@dataclass
class RecordingSink:
    """Keeps all that a source delivers and checks the rules of PacketSink on the way."""

    formats: list[VideoFormat] = field(default_factory=list)
    packets: list[Packet] = field(default_factory=list)
    discontinuities: list[str] = field(default_factory=list)
    log: list[str] = field(default_factory=list)
    audio_formats: list[AudioFormat | None] = field(default_factory=list)
    sounds: list[Packet] = field(default_factory=list)
    wants_key: bool = True

    def format(self, video: VideoFormat) -> None:
        self.formats.append(video)
        self.log.append("format")
        self.wants_key = True

    def packet(self, packet: Packet) -> None:
        assert self.formats, "a packet came before any format"
        assert packet.key or not self.wants_key, "a key frame was due"
        assert packet.size == sum(len(part) for part in packet.data)
        assert packet.pts >= packet.dts >= 0
        assert not self.packets or packet.dts > self.packets[-1].dts
        self.wants_key = False
        self.packets.append(packet)
        self.log.append("key" if packet.key else "packet")

    def discontinuity(self, reason: str) -> None:
        self.discontinuities.append(reason)
        self.log.append("discontinuity")
        self.wants_key = True

    def rest(self) -> None: ...

    def audio_format(self, audio: AudioFormat | None) -> None:
        self.audio_formats.append(audio)

    def audio(self, packet: Packet) -> None:
        assert any(self.audio_formats[-1:]), "sound came before its format"
        self.sounds.append(packet)

    def decode(self, first: int = 0) -> int:
        """How many pictures a decoder makes of the packets; fails on the first error that it reports."""
        video = self.formats[-1]
        decoder = av.CodecContext.create("h264" if video.codec is Codec.H264 else "hevc", "r")
        decoder.options = {"err_detect": "explode"}
        sets = b"".join(b"\0\0\0\1" + nal for nal in video.parameter_sets)
        pictures = 0
        for packet in self.packets[first:]:
            data, annexb, position = b"".join(packet.data), bytearray(sets if packet.key else b""), 0
            while position < len(data):
                size = int.from_bytes(data[position : position + 4], "big")
                annexb += b"\0\0\0\1" + data[position + 4 : position + 4 + size]
                position += 4 + size
            assert position == len(data), "lengths do not add up"
            pictures += len(decoder.decode(av.Packet(bytes(annexb))))
        return pictures + len(decoder.decode(None))


@pytest.fixture
def sink() -> RecordingSink:
    return RecordingSink()


async def wait_until(condition: Callable[[], Any], what: str = "condition", deadline_s: float = 40.0) -> None:
    end = time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < end, f"{what} did not come true within {deadline_s:g} s"
        await asyncio.sleep(0.02)


@pytest.fixture
def until() -> Callable[..., Awaitable[None]]:
    return wait_until


@pytest.fixture
async def farm(clips: dict[str, SimulatorClip]) -> AsyncIterator[Callable[..., Awaitable[Simulator]]]:
    """Starts simulators of all clips; keyword arguments are the simulator's own."""
    running: list[Simulator] = []

    async def start(faults: Faults | None = None, **options: Any) -> Simulator:
        simulator = Simulator(clips, faults=faults, **options)
        await simulator.start()
        running.append(simulator)
        return simulator

    yield start
    for simulator in running:
        await simulator.close()


class Watched:
    """A running RtspSource with what it delivered and said."""

    def __init__(self, url: str, patience: Patience, **settings: Any) -> None:
        self.sink = RecordingSink()
        self.states: list[StreamState] = []
        camera = Camera(id="gate-3", name="Gate 3", url=url, **settings)
        self.source = RtspSource(camera, self.sink, self.states.append, epoch=5, first_retry_s=0.05, patience=patience)
        self.task = asyncio.create_task(self.source.run())

    @property
    def state(self) -> StreamState:
        return self.states[-1]

    @property
    def reception(self) -> Reception:
        return self.source._status.reception

    @property
    def codes(self) -> list[str]:
        return [state.code for state in self.states]

    async def stop(self) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


@pytest.fixture
async def watch() -> AsyncIterator[Callable[..., Watched]]:
    running: list[Watched] = []

    def start(url: str, **options: Any) -> Watched:
        """`options`: of Patience, and the camera's own settings."""
        pauses = {"after_auth_failed_s": 0.1, "after_not_found_s": 0.1, "after_busy_s": 0.1, "tick_s": 0.1}
        patience = {field.name for field in dataclasses.fields(Patience)}
        pauses |= {name: options.pop(name) for name in patience & options.keys()}
        running.append(Watched(url, Patience(**pauses), **options))
        return running[-1]

    yield start
    for watched in running:
        await watched.stop()
        if watched.task.done() and not watched.task.cancelled():
            watched.task.result()
