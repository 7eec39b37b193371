"""Frames of sound from RTP payloads.

    MPEG4-GENERIC   RFC 3640 sections 3.2 and 3.3.5/6   AAC in hbr and lbr mode, whole, several, or in fragments
    MP4A-LATM       RFC 3016 section 4                  AAC in LATM, set up out of band or in band
    OPUS            RFC 7587 section 4                  one packet each
    PCMA, PCMU      RFC 3551 section 4.5.14             G.711 of any packet length

Firmware also puts whole ADTS frames where RFC 3640 wants raw ones: these are unwrapped.
"""

from __future__ import annotations

import binascii
from typing import Protocol

from perishield.model.media import TIMESCALE, AudioCodec, AudioFormat
from perishield.sources.aac import Bits, StreamMux, adts_length, audio_format, read_stream_mux, split_adts, write_config
from perishield.sources.bits import BitstreamError
from perishield.sources.rtsp.sdp import Track

_ONE_UNIT = b"\0\x10"
"""AU-headers-length of one header in hbr mode."""
_LARGEST_FRAME = 1 << 16


class AudioPayload(Protocol):
    """`format` is None until it is known; it may come in band. `skipped` counts what could not be read."""

    format: AudioFormat | None
    skipped: int

    def frames(self, data: bytes, start: int, end: int, marker: bool) -> list[bytes]:
        """The frames that the payload data[start:end] completes. Never raises."""
        ...

    def lose(self) -> None:
        """Packets are missing: forget what is unfinished."""
        ...


class WholePayload:
    """A payload is a frame: Opus and G.711."""

    def __init__(self, audio: AudioFormat) -> None:
        self.format: AudioFormat | None = audio
        self.skipped = 0

    def frames(self, data: bytes, start: int, end: int, marker: bool) -> list[bytes]:
        return [data[start:end]] if end > start else []

    def lose(self) -> None:
        """Nothing is ever unfinished."""


class AacPayload:
    """RFC 3640 without interleaving. `size_bits`, `index_bits` and `delta_bits` are the fields of an AU header."""

    def __init__(self, audio: AudioFormat, size_bits: int = 13, index_bits: int = 3, delta_bits: int = 3) -> None:
        self.format: AudioFormat | None = audio
        self.skipped = 0
        self._size_bits = size_bits
        self._first = size_bits + index_bits
        self._other = size_bits + delta_bits
        self._fragment = bytearray()

    def frames(self, data: bytes, start: int, end: int, marker: bool) -> list[bytes]:
        if (
            end - start > 4
            and data.startswith(_ONE_UNIT, start)
            and self._first == 16
            and self._size_bits == 13
            and end - start - 4 == (data[start + 2] << 8 | data[start + 3]) >> 3
            and not self._fragment
            and data[start + 4] != 0xFF
        ):
            # What nearly every packet of every camera is.
            return [data[start + 4 : end]]
        if end - start < 3:
            self.skipped += 1
            return []
        if data[start] == 0xFF and adts_length(data[start:end], 0):
            return self._unwrapped(data[start:end])
        bits = data[start] << 8 | data[start + 1]
        body = start + 2 + (bits + 7) // 8
        if body > end or bits < self._first:
            self.skipped += 1
            return []
        header = int.from_bytes(data[start + 2 : body], "big") >> -bits % 8
        sizes = []
        left, width = bits, self._first
        while left >= width:
            sizes.append(header >> (left - self._size_bits) & ((1 << self._size_bits) - 1))
            left, width = left - width, self._other
        if len(sizes) == 1:
            return self._single(data[body:end], sizes[0], marker)
        self._fragment.clear()
        frames = []
        for size in sizes:
            if body + size > end:
                self.skipped += 1
                break
            if size:
                frames += self._unwrapped(data[body : body + size])
            body += size
        return frames

    def _single(self, piece: bytes, size: int, marker: bool) -> list[bytes]:
        """A frame, or a part of one: every part's header tells the size of the whole (section 3.2.3.2)."""
        fragment = self._fragment
        if not fragment and len(piece) >= size:
            return self._unwrapped(piece[:size] if size else piece)
        fragment += piece
        if len(fragment) < size and not marker and len(fragment) < _LARGEST_FRAME:
            return []
        whole = bytes(fragment)
        fragment.clear()
        if len(whole) != size:
            self.skipped += 1
            return []
        return self._unwrapped(whole)

    def _unwrapped(self, frame: bytes) -> list[bytes]:
        if frame[:1] == b"\xff":
            _, raw = split_adts(frame)
            if raw:
                return [one for one in raw if one]
        return [frame] if frame else []

    def lose(self) -> None:
        self._fragment.clear()


class LatmPayload:
    """RFC 3016: audioMuxElements, one or more packets each. `mux` is the set-up where the SDP told it."""

    def __init__(self, mux: StreamMux | None, *, in_band: bool) -> None:
        self.format: AudioFormat | None = None
        self.skipped = 0
        self._mux = mux
        self._in_band = in_band
        self._element = bytearray()
        if mux is not None:
            self._tell(mux)

    def _tell(self, mux: StreamMux) -> None:
        self._mux = mux
        try:
            if self.format is None or self.format.config != mux.config:
                self.format = audio_format(mux.config)
        except BitstreamError:
            self.skipped += 1

    def frames(self, data: bytes, start: int, end: int, marker: bool) -> list[bytes]:
        element = self._element
        element += data[start:end]
        if not marker:
            if len(element) > _LARGEST_FRAME:
                element.clear()
                self.skipped += 1
            return []
        whole = bytes(element)
        element.clear()
        try:
            return self._read(whole)
        except BitstreamError:
            self.skipped += 1
            return []

    def _read(self, element: bytes) -> list[bytes]:
        """AudioMuxElement (ISO/IEC 14496-3 clause 1.7.3.1)."""
        bits = Bits(element)
        if self._in_band and not bits.take(1):
            self._tell(read_stream_mux(bits))
        mux = self._mux
        if mux is None or self.format is None:
            return []
        frames = []
        for _ in range(mux.frames):
            size = more = bits.take(8)
            while more == 255:
                more = bits.take(8)
                size += more
            frames.append(bits.take(8 * size).to_bytes(size, "big"))
        return [frame for frame in frames if frame]

    def lose(self) -> None:
        self._element.clear()


def payload_for(track: Track) -> AudioPayload | None:
    """What reads that track of an SDP; None where we cannot."""
    rate, channels = rate_of(track), track.channels or 1
    if track.encoding in ("PCMA", "PCMU") and 1_000 <= rate <= 48_000 and channels <= 2:
        return WholePayload(AudioFormat(AudioCodec(track.encoding.lower()), rate, channels))
    if track.encoding == "OPUS":
        return WholePayload(AudioFormat(AudioCodec.OPUS, 48_000, 2, b"", "opus"))
    if track.encoding == "MPEG4-GENERIC":
        return _generic(track)
    if track.encoding == "MP4A-LATM":
        return _latm(track)
    return None


def rate_of(track: Track) -> int:
    """Timestamps a second; where a description does not tell, what is usual."""
    if track.rate != TIMESCALE:
        return track.rate
    return {"OPUS": 48_000, "PCMA": 8_000, "PCMU": 8_000}.get(track.encoding, 16_000)


def _generic(track: Track) -> AudioPayload | None:
    """Without a usable `config`, low complexity at the track's own rate."""
    parameters = track.parameters
    low = parameters.get("mode", "").lower() == "aac-lbr"
    sizes = [
        _number(parameters.get(name), usual)
        for name, usual in (
            ("sizelength", 6 if low else 13),
            ("indexlength", 2 if low else 3),
            ("indexdeltalength", 2 if low else 3),
        )
    ]
    try:
        audio = audio_format(_hex(parameters.get("config", "")))
    except BitstreamError:
        try:
            audio = audio_format(write_config(rate_of(track), track.channels or 1))
        except BitstreamError:
            return None
    return AacPayload(audio, *sizes)


def _latm(track: Track) -> AudioPayload | None:
    in_band = track.parameters.get("cpresent", "1").strip() != "0"
    try:
        mux: StreamMux | None = read_stream_mux(Bits(_hex(track.parameters.get("config", ""))))
    except BitstreamError:
        mux = None
    if mux is None and not in_band:
        try:
            mux = StreamMux(write_config(rate_of(track), track.channels or 1), 1)
        except BitstreamError:
            return None
    return LatmPayload(mux, in_band=in_band)


def _number(text: str | None, usual: int) -> int:
    value = (text or "").strip()
    return int(value) if value.isdecimal() and len(value) <= 2 and 0 < int(value) <= 32 else usual


def _hex(text: str) -> bytes:
    try:
        return binascii.unhexlify(text.strip().strip('"'))
    except (binascii.Error, ValueError):
        return b""
