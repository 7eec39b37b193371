"""The sound of a clip on the air: a track of its own, in step with the pictures (RFC 3640, RFC 7587, RFC 3551)."""

from __future__ import annotations

import asyncio
import random
import struct
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from perishield.model.media import TIMESCALE, AudioCodec, AudioFormat
from perishield.sources.aac import audio_format, split_adts
from perishield.sources.bits import BitstreamError
from perishield.sources.rtsp.rtcp import sender_report
from perishield.sources.sound import frame_ticks

CONTROL = "trackID=1"
_TYPES = {AudioCodec.AAC: 97, AudioCodec.OPUS: 111, AudioCodec.PCMA: 8, AudioCodec.PCMU: 0}
_CODECS = {
    "aac": AudioCodec.AAC,
    "opus": AudioCodec.OPUS,
    "pcm_alaw": AudioCodec.PCMA,
    "pcm_mulaw": AudioCodec.PCMU,
}
_HEAD = struct.Struct("!BBHII")
_G711_MS = 40
_SLOT_S = 0.003
_SLOTS = 10


@dataclass(frozen=True, slots=True)
class SoundFrame:
    """One RTP payload. Its sound begins at `shown` and it is sent when that is over, at `due`: ticks of the loop."""

    payload: bytes
    shown: int
    due: int


@dataclass(frozen=True, slots=True)
class ClipSound:
    """`source` is the SSRC of its packets."""

    audio: AudioFormat
    sound_frames: tuple[SoundFrame, ...]
    source: int

    @property
    def rate(self) -> int:
        """Of the RTP timestamps."""
        return self.audio.rate

    def description(self) -> list[str]:
        """Lines of the SDP."""
        audio, kind = self.audio, _TYPES[self.audio.codec]
        lines = [f"m=audio 0 RTP/AVP {kind}"]
        if audio.codec is AudioCodec.AAC:
            lines += [
                f"a=rtpmap:{kind} MPEG4-GENERIC/{audio.rate}/{audio.channels}",
                f"a=fmtp:{kind} streamtype=5;profile-level-id=1;mode=AAC-hbr;sizelength=13;indexlength=3;"
                f"indexdeltalength=3;config={audio.config.hex().upper()}",
            ]
        elif audio.codec is AudioCodec.OPUS:
            lines.append(f"a=rtpmap:{kind} opus/48000/2")
        return [*lines, "a=recvonly", f"a=control:{CONTROL}"]


def sound_of(stream: Any, packets: Sequence[Any], first_pts: int, duration: int) -> ClipSound | None:
    """The sound of a loop of `duration` ticks whose first picture is shown at `first_pts` ticks of the file.

    None where it is of a codec that cameras do not send.
    """
    codec = _CODECS.get(stream.codec_context.name)
    base = stream.time_base
    if codec is None or base is None:
        return None
    datas = [(bytes(packet), packet.pts) for packet in packets if packet.size and packet.pts is not None]
    try:
        audio, datas = _format(codec, stream, datas)
    except BitstreamError:
        return None
    frames = []
    for data, pts in datas:
        begin = round(pts * base * TIMESCALE) - first_pts
        for piece in _pieces(audio, data):
            lasts = frame_ticks(audio, len(piece), piece[:2])
            if begin >= 0 and begin + lasts <= duration:
                frames.append(SoundFrame(_payload(codec, piece), begin, begin + lasts))
            begin += lasts
    return ClipSound(audio, tuple(frames), random.getrandbits(32)) if frames else None


def _format(codec: AudioCodec, stream: Any, datas: list[tuple[bytes, int]]) -> tuple[AudioFormat, Any]:
    context = stream.codec_context
    if codec is AudioCodec.OPUS:
        return AudioFormat(codec, 48_000, 2, b"", "opus"), datas
    if codec is not AudioCodec.AAC:
        whole = b"".join(data for data, _ in datas)
        return AudioFormat(codec, context.sample_rate, context.channels), [(whole, datas[0][1])] if datas else []
    config = bytes(context.extradata or b"")
    if not config and datas:
        config, _ = split_adts(datas[0][0])
        datas = [(b"".join(split_adts(data)[1]), pts) for data, pts in datas]
    return audio_format(config), datas


def _pieces(audio: AudioFormat, data: bytes) -> list[bytes]:
    """G.711 comes in packets of any length; cameras send some tens of milliseconds."""
    if audio.codec in (AudioCodec.AAC, AudioCodec.OPUS):
        return [data]
    step = audio.rate * audio.channels * _G711_MS // 1000
    return [data[at : at + step] for at in range(0, len(data), step)]


def _payload(codec: AudioCodec, frame: bytes) -> bytes:
    return struct.pack("!HH", 16, len(frame) << 3) + frame if codec is AudioCodec.AAC else frame


class Listener(Protocol):
    """Who gets a clip's sound, as RTP packets."""

    def sound(self, packet: bytes) -> None: ...


class SoundTimeline:
    """Stamps and sends one clip's sound, at the pace of the pictures that began at `started` (monotonic seconds)."""

    def __init__(self, sound: ClipSound, duration: int, started: float, started_wall: float) -> None:
        self.clip_sound = sound
        self._duration = duration
        self._started = started
        self._started_wall = started_wall
        self._base = random.getrandbits(32)
        self._sequence = random.getrandbits(16)
        self._listeners: list[set[Listener]] = [set() for _ in range(_SLOTS)]
        self._joined = 0
        self._packets = 0
        self._octets = 0

    def join(self, listener: Listener) -> None:
        self._listeners[self._joined * 7 % _SLOTS].add(listener)
        self._joined += 1

    def leave(self, listener: Listener) -> None:
        for slot in self._listeners:
            slot.discard(listener)

    def report(self) -> bytes:
        """An RTCP sender report that ties this moment to RTP time."""
        elapsed = time.monotonic() - self._started
        timestamp = self._base + round(elapsed * self.clip_sound.rate)
        source = self.clip_sound.source
        return sender_report(source, self._started_wall + elapsed, timestamp, self._packets, self._octets)

    async def run(self) -> None:
        """Until cancelled."""
        loop = asyncio.get_running_loop()
        shift = loop.time() - time.monotonic()
        sound, origin = self.clip_sound, 0
        kind = _TYPES[sound.audio.codec]
        while True:
            for frame in sound.sound_frames:
                due = self._started + shift + (origin + frame.due) / TIMESCALE
                wait = due - loop.time()
                if wait > 0:
                    await asyncio.sleep(wait)
                stamp = (self._base + (origin + frame.shown) * sound.rate // TIMESCALE) & 0xFFFFFFFF
                packet = _HEAD.pack(0x80, 0x80 | kind, self._sequence, stamp, sound.source) + frame.payload
                self._sequence = (self._sequence + 1) & 0xFFFF
                self._packets += 1
                self._octets += len(frame.payload)
                for index, slot in enumerate(self._listeners):
                    if slot:
                        loop.call_at(due + index * _SLOT_S, _send, slot, packet)
                if wait < -1:
                    await asyncio.sleep(0)
            origin += self._duration


def _send(slot: set[Listener], packet: bytes) -> None:
    for listener in tuple(slot):
        listener.sound(packet)


class SoundSender:
    """One client's way to the sound, over its connection (`write`) or by datagrams (`send`, `send_control`)."""

    def __init__(self, timeline: SoundTimeline, *, drop_every_n: int = 0, rate: float = 1.0) -> None:
        self.timeline = timeline
        self.channels = (2, 3)
        self.target: tuple[str, int] | None = None
        self._drop_every_n = drop_every_n
        self._rate = rate
        self._first = -1
        self._packets = 0

    def change(self, packet: bytes) -> bytes:
        """The packet as this client gets to see it; empty where it is lost."""
        self._packets += 1
        if self._drop_every_n and self._packets % self._drop_every_n == 0:
            return b""
        if self._rate != 1:
            stamp = int.from_bytes(packet[4:8], "big")
            self._first = stamp if self._first < 0 else self._first
            moved = self._first + round(((stamp - self._first) & 0xFFFFFFFF) * self._rate)
            packet = packet[:4] + (moved & 0xFFFFFFFF).to_bytes(4, "big") + packet[8:]
        return packet
