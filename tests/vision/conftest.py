"""Real footage for tests: pictures encoded by x264 or x265 and laid down as chunks in a segment file."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from perishield.model.media import TIMESCALE, ChunkRef, Codec, VideoFormat
from perishield.streams.fmp4 import chunk_head, init_segment

START = 1_760_000_000.0


@dataclass(frozen=True)
class Unit:
    """One encoded access unit in MP4 form."""

    data: bytes
    pts: int
    dts: int
    key: bool


@dataclass(frozen=True)
class Footage:
    """A segment file and the references to its chunks."""

    root: Path
    path: str
    refs: list[ChunkRef]
    units: list[Unit]

    @property
    def file(self) -> Path:
        return self.root / self.path


def nal_units(data: bytes) -> list[bytes]:
    """NAL units of an Annex B access unit (H.264 annex B)."""
    return [part.rstrip(b"\0") for part in data.replace(b"\0\0\0\1", b"\0\0\1").split(b"\0\0\1") if part.strip(b"\0")]


def encode(
    pictures: Iterable[NDArray[np.uint8]], codec: str, fps: int, options: dict[str, str]
) -> tuple[VideoFormat, list[Unit]]:
    """Pictures (height, width, 3) RGB through a real encoder; times in stream ticks."""
    encoder: av.VideoCodecContext | None = None
    packets = []
    step = TIMESCALE // fps
    for index, picture in enumerate(pictures):
        if encoder is None:
            encoder = av.CodecContext.create(codec, "w")
            encoder.height, encoder.width = picture.shape[:2]
            encoder.pix_fmt = "yuv420p"
            encoder.framerate = Fraction(fps)
            encoder.time_base = Fraction(1, TIMESCALE)
            encoder.thread_count = 1
            encoder.options = options
            encoder.flags |= 1 << 22  # AV_CODEC_FLAG_GLOBAL_HEADER
        frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
        frame.pts = index * step
        packets += encoder.encode(frame)
    assert encoder is not None
    packets += encoder.encode(None)
    shift = -min(packet.dts for packet in packets)
    units = []
    for packet in packets:
        data = b"".join(len(nal).to_bytes(4, "big") + nal for nal in nal_units(bytes(packet)))
        units.append(Unit(data, packet.pts + shift, packet.dts + shift, packet.is_keyframe))
    kind = Codec.H264 if codec == "libx264" else Codec.H265
    sets = tuple(nal_units(bytes(encoder.extradata)))
    if kind is Codec.H265:
        sets = tuple(nal for nal in sets if (nal[0] >> 1) & 63 in (32, 33, 34))
    else:
        sets = tuple(nal for nal in sets if nal[0] & 31 in (7, 8))
    return VideoFormat(kind, encoder.width, encoder.height, sets, "avc1.64001f"), units


def lay_down(
    root: Path,
    video: VideoFormat,
    units: list[Unit],
    *,
    camera: str = "gate",
    per_chunk: int = 8,
    epoch: int = 1,
    number: int = 0,
    offset: int = 0,
    name: str = "1760000000",
    start: float = START,
) -> Footage:
    """Cut access units into chunks at key frames and at `per_chunk`, and write the segment file.

    `offset`: stream ticks of the first unit. Each frame arrives 40 ms after it was taken.
    """
    path = f"recordings/{camera}/2025-10-09/08/{name}.mp4"
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    init = init_segment(video)
    body = bytearray(init)
    groups: list[list[int]] = []
    for index, unit in enumerate(units):
        if not groups or unit.key or len(groups[-1]) >= per_chunk:
            groups.append([])
        groups[-1].append(index)
    refs = []
    for group in groups:
        chosen = [units[index] for index in group]
        following = group[-1] + 1
        last = units[following].dts if following < len(units) else chosen[-1].dts + (units[1].dts - units[0].dts)
        times = [unit.dts for unit in chosen] + [last]
        durations = tuple(b - a for a, b in itertools.pairwise(times))
        composition = tuple(unit.pts - unit.dts for unit in chosen)
        if not any(composition):
            composition = ()
        head = chunk_head(
            number + len(refs), times[0], chosen[0].key, durations, [len(u.data) for u in chosen], composition
        )
        begin = len(body)
        body += head
        for unit in chosen:
            body += unit.data
        refs.append(
            ChunkRef(
                camera=camera,
                epoch=epoch,
                number=number + len(refs),
                path=path,
                init_length=len(init),
                offset=begin,
                length=len(body) - begin,
                segment_time=offset,
                stream_time=offset + times[0],
                wall=start + chosen[0].pts / TIMESCALE,
                arrival=start + chosen[0].dts / TIMESCALE + 0.04,
                key=chosen[0].key,
                discontinuity=False,
                codec=video.codec,
                mime=video.mime,
                width=video.width,
                height=video.height,
                sizes=tuple(len(unit.data) for unit in chosen),
                durations=durations,
                composition=composition,
                arrivals=tuple(round((unit.dts - times[0]) * 1000 / TIMESCALE) for unit in chosen),
            )
        )
    file.write_bytes(bytes(body))
    return Footage(root, path, refs, units)


def stamped(count: int, width: int = 320, height: int = 192) -> list[NDArray[np.uint8]]:
    """Pictures that carry their own number as ten black or white blocks, over a still texture."""
    rng = np.random.default_rng(7)
    ground = rng.integers(90, 130, (height, width, 1), dtype=np.uint8).repeat(3, axis=2)
    pictures = []
    for number in range(count):
        picture = ground.copy()
        for bit in range(10):
            picture[16:48, bit * 32 : bit * 32 + 32] = 230 if number >> bit & 1 else 20
        pictures.append(picture)
    return pictures


def stamp(luma: NDArray[np.uint8]) -> int:
    """The number that a stamped picture carries."""
    return sum(1 << bit for bit in range(10) if luma[24:40, bit * 32 + 8 : bit * 32 + 24].mean() > 128)


Record = Callable[..., Footage]


@pytest.fixture
def record(tmp_path: Path) -> Record:
    """record(pictures, codec="libx264", fps=25, gop=25, options={}, **chunks) -> Footage under tmp_path."""

    def make(
        pictures: Iterable[NDArray[np.uint8]],
        *,
        codec: str = "libx264",
        fps: int = 25,
        gop: int = 25,
        options: dict[str, str] | None = None,
        **chunks: object,
    ) -> Footage:
        chosen = {"preset": "ultrafast", "g": str(gop), "keyint_min": str(gop), "crf": "23"}
        if codec == "libx264":
            chosen |= {"sc_threshold": "0", "tune": "zerolatency"}
        else:
            chosen |= {"x265-params": f"keyint={gop}:min-keyint={gop}:scenecut=0:bframes=0:log-level=none"}
        video, units = encode(pictures, codec, fps, chosen | (options or {}))
        return lay_down(tmp_path, video, units, **chunks)  # type: ignore[arg-type]

    return make


@pytest.fixture
def stamped_pictures() -> Callable[..., list[NDArray[np.uint8]]]:
    return stamped


@pytest.fixture
def read_stamp() -> Callable[[NDArray[np.uint8]], int]:
    return stamp


@pytest.fixture
def rearranged() -> Callable[..., ChunkRef]:
    """dataclasses.replace for chunk references."""
    return replace
