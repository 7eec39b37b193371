"""Video for benchmarks and tests: a textured ground that pans under sensor noise, so that the bitrate is a real one."""

from __future__ import annotations

import struct
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, cast

from perishield.model.errors import DatasetError
from perishield.model.media import TIMESCALE, Codec, Packet, VideoFormat
from perishield.sources.sps_h264 import read_sps as read_h264
from perishield.sources.sps_h265 import read_sps as read_h265

if TYPE_CHECKING:
    import av

_SOUNDS = {
    "aac": ("aac", 16_000),
    "opus": ("libopus", 48_000),
    "pcma": ("pcm_alaw", 8_000),
    "pcmu": ("pcm_mulaw", 8_000),
}
_ENCODERS = {Codec.H264: "libx264", Codec.H265: "libx265"}


def write_clip(
    path: Path,
    *,
    codec: Codec = Codec.H264,
    width: int = 1280,
    height: int = 720,
    fps: int = 25,
    seconds: float = 10.0,
    bitrate: int = 2_000_000,
    gop_s: float = 2.0,
    b_frames: int = 0,
    sound: str = "",
    seed: int = 7,
) -> None:
    """Write a file of that kind, an MP4 unless its name ends in .mov (G.711 needs that). `bitrate` in bit/s, kept by
    the encoder's rate control; a key frame every `gop_s`. `sound`: aac, opus, pcma or pcmu, one channel.
    """
    import av
    import numpy as np

    random = np.random.default_rng(seed)
    coarse = random.integers(0, 160, (height // 8, width // 8), dtype=np.uint8)
    ground = np.kron(coarse, np.ones((16, 16), dtype=np.uint8))
    noise = random.integers(0, 12, ground.shape, dtype=np.uint8)
    gop = max(1, round(gop_s * fps))
    options = {"preset": "ultrafast", "bf": str(b_frames), "sc_threshold": "0"}
    if codec is Codec.H265:
        options["x265-params"] = (
            f"log-level=none:keyint={gop}:min-keyint={gop}:scenecut=0:bframes={b_frames}:open-gop=0"
        )
    with av.open(str(path), "w", format="mov" if path.suffix == ".mov" else "mp4") as container:
        stream = cast("av.VideoStream", container.add_stream(_ENCODERS[codec], rate=fps, options=options))
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.bit_rate = bitrate
        stream.gop_size = gop
        stream.time_base = Fraction(1, fps)
        stream.codec_context.thread_count = 2
        if codec is Codec.H265:
            stream.codec_context.codec_tag = "hvc1"
        voice = None
        if sound:
            encoder, rate = _SOUNDS[sound]
            voice = cast("av.AudioStream", container.add_stream(encoder, rate=rate, layout="mono"))
            if sound in ("aac", "opus"):
                voice.bit_rate = 32_000
        picture = np.full((height * 3 // 2, width), 128, dtype=np.uint8)
        for index in range(round(seconds * fps)):
            top, left = (index * 3) % height, (index * 5) % width
            grain = np.roll(noise, index * 977)[:height, :width]
            picture[:height] = ground[top : top + height, left : left + width] + grain
            frame = av.VideoFrame.from_ndarray(picture, format="yuv420p")
            frame.pts = index
            container.mux(stream.encode(frame))
            if voice is not None:
                container.mux(voice.encode(_tone(voice.rate, index, fps)))
        container.mux(stream.encode())
        if voice is not None:
            container.mux(voice.encode())


def _tone(rate: int, index: int, fps: int) -> av.AudioFrame:
    """The sound of one picture: a tone that climbs for a second, under noise, so that no two frames are alike."""
    import av
    import numpy as np

    first, last = index * rate // fps, (index + 1) * rate // fps
    times = np.arange(first, last) / rate
    tone = 8_000 * np.sin(2 * np.pi * (300 + 200 * (times % 1)) * times)
    noise = np.random.default_rng(index).normal(0, 400, last - first)
    frame = av.AudioFrame.from_ndarray((tone + noise).astype(np.int16)[None], format="s16", layout="mono")
    frame.sample_rate, frame.pts, frame.time_base = rate, first, Fraction(1, rate)
    return frame


def read_packets(path: Path, *, wall: float = 1_700_000_000.0) -> tuple[VideoFormat, list[Packet]]:
    """The clip's access units as sources deliver them, the first at tick 0 and at `wall`.

    Raises DatasetError where the file is no MP4 with H.264 or H.265.
    """
    import av

    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        name = stream.codec_context.name
        if name not in {"h264", "hevc"} or not stream.codec_context.extradata or stream.time_base is None:
            raise DatasetError(f"{path.name}: {name} is neither H.264 nor H.265 in MP4")
        video = _format(Codec.H264 if name == "h264" else Codec.H265, bytes(stream.codec_context.extradata))
        scale = stream.time_base * TIMESCALE
        packets = []
        origin: int | None = None
        for item in container.demux(stream):
            if item.dts is None or item.pts is None:
                continue
            dts, pts = round(item.dts * scale), round(item.pts * scale)
            origin = dts if origin is None else origin
            data = bytes(item)
            moment = wall + (dts - origin) / TIMESCALE
            packets.append(Packet([data], len(data), dts - origin, pts - origin, item.is_keyframe, moment, moment))
    return video, packets


def _format(codec: Codec, record: bytes) -> VideoFormat:
    """From avcC (14496-15 clause 5.3.3.1) or hvcC (clause 8.3.3.1)."""
    sets: list[bytes] = []
    if codec is Codec.H264:
        position = 5
        for mask in (31, 255):
            count = record[position] & mask
            position = _take(record, position + 1, count, sets)
        sequence = read_h264(sets[0])
    else:
        position = 23
        for _ in range(record[22]):
            (count,) = struct.unpack_from(">H", record, position + 1)
            position = _take(record, position + 3, count, sets)
        sets = [nal for kind in (32, 33, 34) for nal in sets if (nal[0] >> 1) & 63 == kind]
        sequence = read_h265(next(nal for nal in sets if (nal[0] >> 1) & 63 == 33))
    return VideoFormat(codec, sequence.width, sequence.height, tuple(sets), sequence.mime)


def _take(record: bytes, position: int, count: int, sets: list[bytes]) -> int:
    for _ in range(count):
        (length,) = struct.unpack_from(">H", record, position)
        sets.append(record[position + 2 : position + 2 + length])
        position += 2 + length
    return position
