"""Sound out of FFmpeg's packets, as it was coded. Imports PyAV: for the helper only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from av.audio.stream import AudioStream
from av.container import InputContainer

from perishield.model.media import AudioCodec, AudioFormat
from perishield.sources.aac import audio_format, split_adts
from perishield.sources.bits import BitstreamError
from perishield.sources.ffmpeg.wire import PACKET, SOUND, SOUND_FORMAT, encode_sound_format
from perishield.sources.sound import frame_ticks

_CODECS = {
    "aac": AudioCodec.AAC,
    "opus": AudioCodec.OPUS,
    "pcm_alaw": AudioCodec.PCMA,
    "pcm_mulaw": AudioCodec.PCMU,
}


def choose_sound(container: InputContainer) -> AudioStream | None:
    """The first stream of sound that can be kept as it is."""
    return next((stream for stream in container.streams.audio if stream.codec_context.name in _CODECS), None)


class SoundPasser:
    """Emits one stream's frames, and their format before the first and when it changes."""

    def __init__(self, stream: AudioStream, emit: Callable[[bytes, bytes], None]) -> None:
        self._stream = stream
        self._emit = emit
        self._audio: AudioFormat | None = None

    def packet(self, packet: Any, dts: int) -> None:
        """A packet at tick `dts`; transport streams and some cameras wrap frames of AAC in ADTS."""
        data = bytes(packet)
        frames = [data]
        config = bytes(self._stream.codec_context.extradata or b"")
        if _CODECS[self._stream.codec_context.name] is AudioCodec.AAC and data[:1] == b"\xff":
            told, raw = split_adts(data)
            if raw:
                config, frames = told, raw
        audio = self._format(config)
        if audio is None:
            return
        if audio != self._audio:
            self._audio = audio
            self._emit(SOUND_FORMAT, encode_sound_format(audio))
        for frame in frames:
            if frame and dts >= 0:
                self._emit(SOUND, PACKET.pack(1, dts, dts) + frame)
            dts += frame_ticks(audio, len(frame), frame[:2])

    def _format(self, config: bytes) -> AudioFormat | None:
        context = self._stream.codec_context
        codec = _CODECS[context.name]
        if codec is AudioCodec.OPUS:
            return AudioFormat(codec, 48_000, 2, b"", "opus")
        if codec is not AudioCodec.AAC:
            return AudioFormat(codec, context.sample_rate, context.channels)
        if self._audio is not None and self._audio.config == config:
            return self._audio
        try:
            return audio_format(config)
        except BitstreamError:
            return None
