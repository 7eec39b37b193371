"""From FFmpeg's packets to access units in MP4 form, paced like a camera. Imports PyAV: for the helper only."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.video.stream import VideoStream

from perishield.model.errors import SourceError
from perishield.model.media import TIMESCALE, Codec
from perishield.sources.bits import BitstreamError
from perishield.sources.bitstream import split_annexb, split_lengths, split_record
from perishield.sources.ffmpeg.order import Order
from perishield.sources.ffmpeg.sound import SoundPasser, choose_sound
from perishield.sources.ffmpeg.wire import (
    ACCESS_UNIT,
    DISCONTINUITY,
    FORMAT,
    PACKET,
    encode_format,
)
from perishield.sources.parameter_sets import ParameterSets, nal_kind

_CODECS = {"h264": Codec.H264, "hevc": Codec.H265}
_PARAMETER_SETS = {Codec.H264: (7, 8), Codec.H265: (32, 33, 34)}
_LEFT_OUT = {Codec.H264: (9, 12), Codec.H265: (35, 38)}
_TEXT_ART = frozenset(("ansi", "bintext", "xbin", "idf"))
"""What FFmpeg takes plain text for."""

_FARTHEST_STEP = 10 * TIMESCALE
_SHORTFALL_S = 1.0

Emit = Callable[[bytes, bytes], None]


def choose_video(container: InputContainer, address: str) -> tuple[VideoStream, Codec]:
    """Raises SourceError."""
    videos = container.streams.video
    for stream in videos:
        codec = _CODECS.get(stream.codec_context.name)
        if codec is not None:
            return stream, codec
    names = ", ".join(sorted({stream.codec_context.name for stream in videos}))
    if not names or _TEXT_ART & {stream.codec_context.name for stream in videos}:
        raise SourceError(f"{address} has no video: check the address", code="not_a_video")
    raise SourceError(
        f"the video of {address} is {names}, which cannot be recorded: convert it to H.264 or H.265",
        code="unsupported_codec",
        codec=names,
    )


class Demuxer:
    """Reads one container, or a loop of it, and emits pipe messages. Stream time begins at 0.

    What has a length is a recording, and is read no faster than real time.
    """

    def __init__(self, order: Order, emit: Emit) -> None:
        self._order = order
        self._emit = emit
        self._offset = 0
        self._last = -1
        self._step = TIMESCALE // 25
        self._started = 0.0
        self._formatted: bytes = b""
        self._sets: ParameterSets | None = None
        self._packets = 0

    def run(self) -> None:
        """Until the end, which raises SourceError; FFmpeg's own errors pass through."""
        order = self._order
        while True:
            before = self._packets
            with av.open(order.target, options=order.options, timeout=(order.timeout_s, order.idle_s)) as container:
                expected = (container.duration or 0) / 1_000_000
                seconds = self._play(container)
            if self._packets == before:
                raise SourceError(f"{order.address} holds no picture to begin with", code="truncated")
            if expected and seconds + max(_SHORTFALL_S, expected / 20) < expected:
                raise SourceError(
                    f"{order.address} breaks off after {seconds:.1f} of {expected:.1f} s: the file is incomplete",
                    code="truncated",
                )
            if not order.loop:
                code = "gone" if expected else "truncated"
                raise SourceError(f"{order.address} has ended; add #loop to its address to repeat a file", code=code)

    def _play(self, container: InputContainer) -> float:
        """One run through; its length in seconds."""
        stream, codec = choose_video(container, self._order.address)
        paced = bool(container.duration)
        self._sets = sets = ParameterSets(codec)
        length_size, nals = split_record(codec, stream.codec_context.extradata or b"")
        for nal in nals:
            sets.offer(nal)
        if stream.average_rate:
            self._step = max(1, int(TIMESCALE / stream.average_rate))
        began = self._last + self._step if self._last >= 0 else 0
        if not self._started:
            self._started = time.monotonic()
        waiting, lost = True, False
        voice = choose_sound(container) if self._order.sound else None
        sound = SoundPasser(voice, self._emit) if voice is not None else None
        for packet, dts, pts in self._timed(container, stream, voice, began):
            if packet.stream is not stream:
                if sound is not None and not waiting:
                    sound.packet(packet, dts)
                continue
            if packet.is_corrupt:
                waiting = lost = True
                continue
            if waiting and not packet.is_keyframe:
                continue
            unit = self._unit(codec, bytes(packet), length_size, key=packet.is_keyframe)
            if unit is None:
                continue
            if paced:
                time.sleep(max(0.0, self._started + dts / TIMESCALE - time.monotonic()))
            if lost:
                self._emit(DISCONTINUITY, b"damage")
            waiting = lost = False
            if packet.is_keyframe:
                self._tell_format(sets)
            self._packets += 1
            self._emit(ACCESS_UNIT, PACKET.pack(packet.is_keyframe, dts, pts) + unit)
        return (self._last + self._step - began) / TIMESCALE

    def _timed(
        self, container: InputContainer, stream: VideoStream, voice: AudioStream | None, began: int
    ) -> Iterator[tuple[Any, int, int]]:
        """Packets with times that go on from `began`, whatever the container says; sound goes with the pictures."""
        base = stream.time_base or Fraction(1, TIMESCALE)
        shift: int | None = None
        for packet in container.demux([stream, voice] if voice is not None else [stream]):
            if not packet.size:
                continue
            if packet.stream is not stream:
                if shift is not None and packet.pts is not None and packet.time_base is not None:
                    moment = round(packet.pts * packet.time_base * TIMESCALE) + shift
                    yield packet, moment, moment
                continue
            last = self._last
            if packet.dts is None and packet.pts is None:
                dts = pts = last + self._step if last >= 0 else 0
            else:
                raw_dts = packet.dts if packet.dts is not None else packet.pts
                raw_pts = packet.pts if packet.pts is not None else raw_dts
                dts, pts = round((raw_dts or 0) * base * TIMESCALE), round((raw_pts or 0) * base * TIMESCALE)
                if shift is None:
                    shift = began - dts
                elif not -TIMESCALE < dts + shift - last < _FARTHEST_STEP:
                    shift = last + self._step - dts
                dts, pts = dts + shift, pts + shift
            dts = max(dts, last + 1)
            self._last = dts
            yield packet, dts, max(dts, pts)

    def _unit(self, codec: Codec, data: bytes, length_size: int, *, key: bool) -> bytes | None:
        sets = self._sets
        try:
            nals = split_lengths(data, length_size) if length_size else split_annexb(data)
        except BitstreamError:
            return None
        parts = []
        for nal in nals:
            kind = nal_kind(codec, nal)
            if kind in _LEFT_OUT[codec]:
                continue
            if kind in _PARAMETER_SETS[codec] and sets is not None and (not sets.offer(nal) or key):
                continue
            parts += [len(nal).to_bytes(4, "big"), nal]
        return b"".join(parts) if parts and sets is not None and sets.complete else None

    def _tell_format(self, sets: ParameterSets) -> None:
        if not sets.changed:
            return
        encoded = encode_format(sets.format())
        if encoded != self._formatted:
            self._formatted = encoded
            self._emit(FORMAT, encoded)
