"""A sink that measures instead of keeping: key frames, rates, order, sound."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from perishield.model.media import TIMESCALE, AudioFormat, Packet, VideoFormat

_MOST_KEYS = 1000


@dataclass(slots=True)
class Sight:
    """What came since the first key frame. `gops`: seconds between key frames that followed one another."""

    video: VideoFormat | None = None
    sound: AudioFormat | None = None
    frames: int = 0
    size: int = 0
    key_bytes: int = 0
    keys: int = 0
    reordered: int = 0
    breaks: list[str] = field(default_factory=list)
    gops: list[float] = field(default_factory=list)
    sounds: int = 0
    key: asyncio.Event = field(default_factory=asyncio.Event)
    second_key: asyncio.Event = field(default_factory=asyncio.Event)
    key_frame: bytes = b""
    """The first key frame, NAL units behind 4-byte lengths."""
    _first: int = -1
    _last: int = -1
    _last_key: int = -1

    @property
    def seconds(self) -> float:
        """Of stream time seen."""
        return (self._last - self._first) / TIMESCALE if self._last > self._first else 0.0

    @property
    def since_key(self) -> float:
        """Seconds of stream time since the last key frame."""
        return (self._last - self._last_key) / TIMESCALE if self._last_key >= 0 else 0.0

    @property
    def fps(self) -> float:
        return (self.frames - 1) / self.seconds if self.seconds else 0.0

    @property
    def bitrate(self) -> int:
        """Bit/s."""
        return int(self.size * 8 / self.seconds) if self.seconds else 0

    def format(self, video: VideoFormat) -> None:
        self.video = video

    def packet(self, packet: Packet) -> None:
        self.frames += 1
        self.size += packet.size
        self.reordered += packet.pts != packet.dts
        if self._first < 0:
            self._first = packet.dts
        self._last = packet.dts
        if packet.key:
            self._key_frame(packet)

    def _key_frame(self, packet: Packet) -> None:
        self.keys += 1
        self.key_bytes += packet.size
        if self._last_key >= 0:
            if len(self.gops) < _MOST_KEYS:
                self.gops.append((packet.dts - self._last_key) / TIMESCALE)
            self.second_key.set()
        self._last_key = packet.dts
        if not self.key_frame:
            self.key_frame = b"".join(packet.data)
        self.key.set()

    def discontinuity(self, reason: str) -> None:
        if len(self.breaks) < _MOST_KEYS:
            self.breaks.append(reason)
        # The key frame that follows ends no group of pictures: some are missing.
        self._last_key = -1

    def rest(self) -> None: ...

    def audio_format(self, audio: AudioFormat | None) -> None:
        self.sound = audio or self.sound

    def audio(self, packet: Packet) -> None:
        self.sounds += 1
