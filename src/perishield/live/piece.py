"""A chunk as RTP packets (RFC 3550 section 5.1), made once and sent to every viewer of its camera.

`$`-framed as RTSP interleaves them (RFC 2326 section 10.12): pictures on channel 0, sound on channel 2.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from perishield.live.coded import Coded
from perishield.live.description import Description
from perishield.model.media import TIMESCALE, AudioCodec, AudioFormat, ChunkRef
from perishield.sources.rtsp.packetizer import audio_payload, video_payloads

VIDEO_CHANNEL, SOUND_CHANNEL = 0, 2
VIDEO_TYPE, SOUND_TYPE = 96, 97
_FIXED_TYPES = {AudioCodec.PCMU: 0, AudioCodec.PCMA: 8}
_HEAD = struct.Struct("!BBHBBHII")
HEAD = _HEAD.size
"""Bytes before a payload, framing included."""
FRAMING = 4


@dataclass(frozen=True, slots=True)
class Unit:
    """One coded picture or sound: `count` packets from the `first` of its piece on.

    `shown`: ticks on the line's time, which runs on over restarts of the camera.
    """

    shown: int
    first: int
    count: int
    sound: bool
    key: bool


@dataclass(frozen=True, slots=True)
class Piece:
    """`starts` holds where each packet begins in `framed`, and its end. `begins` is the first unit's line time."""

    ref: ChunkRef
    description: Description
    begins: int
    units: tuple[Unit, ...]
    framed: bytes
    starts: tuple[int, ...]

    @property
    def key(self) -> bool:
        return self.ref.key

    def packets(self, unit: Unit) -> list[bytes]:
        """The unit's RTP packets."""
        return [
            self.framed[start + FRAMING : end]
            for start, end in zip(
                self.starts[unit.first : unit.first + unit.count],
                self.starts[unit.first + 1 : unit.first + unit.count + 1],
                strict=True,
            )
        ]

    def payloads(self, unit: Unit) -> list[bytes]:
        """The same without their headers."""
        return [packet[HEAD - FRAMING :] for packet in self.packets(unit)]

    def on_channels(self, video: int | None, sound: int | None) -> bytes:
        """The packets of the tracks that are wanted, on the channels that a client asked for."""
        if (video, sound) == (VIDEO_CHANNEL, SOUND_CHANNEL) or (
            video == VIDEO_CHANNEL and not any(unit.sound for unit in self.units)
        ):
            return self.framed
        parts: list[bytes] = []
        for unit in self.units:
            channel = sound if unit.sound else video
            if channel is not None:
                mark = bytes((channel,))
                for start in range(unit.first, unit.first + unit.count):
                    begin, end = self.starts[start], self.starts[start + 1]
                    parts += (b"$", mark, self.framed[begin + 2 : end])
        return b"".join(parts)


class Track:
    """What one RTP stream counts."""

    def __init__(self, kind: int, source: int, base: int, sequence: int, rate: int) -> None:
        self.kind = kind
        self.source = source
        self.rate = rate
        self.packets = 0
        self.octets = 0
        self._base = base
        self._sequence = sequence

    def timestamp(self, ticks: int) -> int:
        """RTP time of a line time."""
        return (self._base + ticks * self.rate // TIMESCALE) & 0xFFFFFFFF

    def write(self, into: bytearray, starts: list[int], channel: int, payloads: Sequence[bytes], ticks: int) -> None:
        """Append these payloads as packets, the last with the marker."""
        timestamp = self.timestamp(ticks)
        last = len(payloads) - 1
        for index, payload in enumerate(payloads):
            starts.append(len(into))
            kind = self.kind | 0x80 if index == last else self.kind
            into += _HEAD.pack(0x24, channel, 12 + len(payload), 0x80, kind, self._sequence, timestamp, self.source)
            into += payload
            self._sequence = (self._sequence + 1) & 0xFFFF
            self.octets += len(payload)
        self.packets += last + 1


def sound_type(audio: AudioFormat) -> int:
    """RTP payload type of a sound; the fixed ones mean 8 kHz, mono (RFC 3551 section 6)."""
    usual = (audio.rate, audio.channels) == (8000, 1)
    return _FIXED_TYPES.get(audio.codec, SOUND_TYPE) if usual else SOUND_TYPE


def sound_rate(audio: AudioFormat) -> int:
    """The RTP clock of a sound: 48000 for Opus whatever it carries (RFC 7587 section 4.1), else its sampling rate."""
    return 48_000 if audio.codec is AudioCodec.OPUS else max(1, audio.rate)


def make_piece(
    ref: ChunkRef, description: Description, coded: Iterable[Coded], shift: int, video: Track, sound: Track | None
) -> Piece:
    """Packetize a chunk; `shift` is line time less stream time."""
    framed = bytearray()
    starts: list[int] = []
    units: list[Unit] = []
    for part in coded:
        first, shown = len(starts), part.shown + shift
        if not part.sound:
            video.write(framed, starts, VIDEO_CHANNEL, video_payloads(ref.codec, part.parts), shown)
        elif sound is not None and description.audio is not None:
            payload = audio_payload(description.audio.codec, part.parts[0])
            if not payload:
                continue
            sound.write(framed, starts, SOUND_CHANNEL, [payload], shown)
        else:
            continue
        units.append(Unit(shown, first, len(starts) - first, part.sound, part.key))
    starts.append(len(framed))
    return Piece(ref, description, ref.stream_time + shift, tuple(units), bytes(framed), tuple(starts))
