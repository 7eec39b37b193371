"""Video on its way through the house, never decoded here.

Stream time counts in ticks of 1/90000 s (RFC 3551's clock for video) from the start of a camera's epoch and never
runs backwards inside it. `wall` and `arrival` are Unix seconds, UTC: `wall` is when the camera took the picture as
well as we know, `arrival` is when the bytes reached this host.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from perishield.model.packet import TIMESCALE, Packet

__all__ = [
    "TIMESCALE",
    "AudioCodec",
    "AudioFormat",
    "ChunkRef",
    "Codec",
    "Packet",
    "PacketSink",
    "SegmentRow",
    "StreamCondition",
    "StreamState",
    "VideoFormat",
]


class Codec(StrEnum):
    H264 = "h264"
    H265 = "h265"


@dataclass(frozen=True, slots=True)
class VideoFormat:
    """What a decoder needs before the first packet.

    `parameter_sets`: NAL units without start codes; (SPS, PPS) for H.264, (VPS, SPS, PPS) for H.265.
    `mime`: RFC 6381 codecs string such as `avc1.64001f` or `hvc1.1.6.L93.B0`.
    """

    codec: Codec
    width: int
    height: int
    parameter_sets: tuple[bytes, ...]
    mime: str


class AudioCodec(StrEnum):
    AAC = "aac"
    OPUS = "opus"
    PCMA = "pcma"
    PCMU = "pcmu"


@dataclass(frozen=True, slots=True)
class AudioFormat:
    """What an audio decoder needs.

    `rate`: samples a second as decoded; `channels`: as decoded. `config`: AudioSpecificConfig for AAC (ISO/IEC
    14496-3), empty otherwise. `mime`: RFC 6381 string (`mp4a.40.2`, `opus`), or empty where browsers play none (G.711).
    """

    codec: AudioCodec
    rate: int
    channels: int
    config: bytes = b""
    mime: str = ""


class PacketSink(Protocol):
    """Where a source delivers. Calls are synchronous, in order, and on the source's event loop.

    `format` is called before the first packet and whenever parameter sets change; the next packet is then a key
    frame. `discontinuity` is called when packets were lost or time jumped; the next packet is a key frame too.
    `audio_format` tells what sound comes, or None when there is none any more; without it no `audio` is called. Sound
    is in order by itself, and comes at most a few hundred milliseconds before or after its pictures. `rest` says that
    what was read together is delivered and more may take a while; a source need not say so.
    """

    def format(self, video: VideoFormat) -> None: ...

    def packet(self, packet: Packet) -> None: ...

    def discontinuity(self, reason: str) -> None: ...

    def audio_format(self, audio: AudioFormat | None) -> None: ...

    def audio(self, packet: Packet) -> None: ...

    def rest(self) -> None: ...


@dataclass(frozen=True, slots=True)
class ChunkRef:
    """Where a chunk lies: a whole moof+mdat pair inside a segment file that begins with ftyp+moov.

    Track 1 is the video, track 2 the sound where there is some; sound lies before the pictures in `mdat`.

    `path` is relative to the media root. A file's first `init_length` bytes are its init segment. The chunk's bytes
    are [offset, offset+length); its access units are the last `sum(sizes)` bytes of these, in decode order.
    `stream_time` is the first frame's decode time in ticks. Inside the file, `tfdt` counts from the segment's start;
    `segment_time` is that start in stream ticks, so tfdt = stream_time - segment_time.
    `key` says that the first frame is a key frame; no other frame of a chunk is one.
    `composition` holds pts - dts per frame in ticks, and is empty when all are zero.
    `arrivals` holds, per frame, whole milliseconds after `arrival`.
    `discontinuity`: frames are missing, or time jumped, between the previous chunk and this one.
    `mime` names the video; `audio` the sound's codec (`aac`, `opus`, `pcma`, `pcmu`), empty without.
    """

    camera: str
    epoch: int
    number: int
    path: str
    init_length: int
    offset: int
    length: int
    segment_time: int
    stream_time: int
    wall: float
    arrival: float
    key: bool
    discontinuity: bool
    codec: Codec
    mime: str
    width: int
    height: int
    sizes: tuple[int, ...]
    durations: tuple[int, ...]
    composition: tuple[int, ...]
    arrivals: tuple[int, ...]
    audio: str = ""

    @property
    def duration(self) -> int:
        """Ticks from this chunk's first frame to the next chunk's."""
        return sum(self.durations)


class StreamCondition(StrEnum):
    CONNECTING = "connecting"
    LIVE = "live"
    FAILED = "failed"
    OFF = "off"


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamState:
    """How a camera's stream is, published when it changes and every few seconds.

    `code` and `message` say why it is not live (codes of `SourceError` and `StorageError`); both are empty otherwise.
    """

    camera: str
    condition: StreamCondition
    since: float
    epoch: int = 0
    code: str = ""
    message: str = ""
    codec: str = ""
    width: int = 0
    height: int = 0
    fps: float = 0.0
    bitrate: int = 0
    frames: int = 0
    frames_lost: int = 0
    reconnects: int = 0
    recording: bool = False
    clock: str = "arrival"
    """Where wall-clock times come from: `arrival`, or `camera` (RTCP sender reports)."""
    transport: str = ""
    """How RTP comes: `tcp`, `tls`, `udp`; empty for other sources."""
    packets_lost: int = 0
    """RTP packets that never came in time; `packets_late` of them came later."""
    packets_late: int = 0
    packets_reordered: int = 0
    packets_duplicate: int = 0
    source_changes: int = 0
    """Changes of the sender's SSRC, or of its packet numbers, without notice."""
    time_jumps: int = 0
    """Leaps of the camera's clock that stream time did not follow."""
    clock_corrections: int = 0
    """How often a clock that runs fast or slow made stream time bend back to the host's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentRow:
    """One segment file, as its sidecar tells it and the index keeps it."""

    camera: str
    pool: str
    path: str
    epoch: int
    start: float
    """Unix seconds UTC of the first frame."""
    duration: float
    size: int
    frames: int
    stream_time: int
    codec: str
    mime: str
    width: int
    height: int
    init_length: int
    keyframes: tuple[tuple[int, int], ...]
    """(ticks from the segment's start, byte offset of the chunk) for every key frame."""
    complete: bool
    """False while the file is being written, or where a crash cut it short and it was rebuilt."""
    audio: str = ""
    """Codec of the sound in it, or empty."""
