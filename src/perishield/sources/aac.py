"""AAC as cameras announce and wrap it.

AudioSpecificConfig   ISO/IEC 14496-3 clause 1.6.2.1   in SDP, FLV, MP4: what a decoder needs
ADTS                  ISO/IEC 13818-7 clause 6.2       the same and frame lengths, before every frame
StreamMuxConfig       ISO/IEC 14496-3 clause 1.7.3     LATM's way of saying it
"""

from __future__ import annotations

from dataclasses import dataclass

from perishield.model.media import TIMESCALE, AudioCodec, AudioFormat
from perishield.sources.bits import BitstreamError

RATES = (96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350)
_CHANNELS = {1: 1, 2: 2, 3: 3, 4: 4, 5: 5, 6: 6, 7: 8, 11: 7, 12: 8, 14: 8}
_LOW_COMPLEXITY, _SBR, _PARAMETRIC_STEREO = 2, 5, 29
_SYNC_EXTENSION, _SYNC_STEREO = 0x2B7, 0x548
_SHORT_FRAMES = (23, 39)
"""Low delay and enhanced low delay: frames of 512 or 480 samples."""
_GENERAL_AUDIO = (1, 2, 3, 4, 6, 7, 17, 19, 20, 21, 22, 23)


class Bits:
    """Bits of any bytes, first the highest; every read past the end raises BitstreamError."""

    __slots__ = ("_value", "left")

    def __init__(self, data: bytes) -> None:
        self._value = int.from_bytes(data, "big")
        self.left = len(data) * 8

    def take(self, count: int) -> int:
        left = self.left - count
        if count < 0 or left < 0:
            raise BitstreamError("audio configuration ends too early")
        self.left = left
        return (self._value >> left) & ((1 << count) - 1)

    def fork(self) -> Bits:
        """The same bits, read on their own from here."""
        other = Bits(b"")
        other._value, other.left = self._value, self.left
        return other


@dataclass(frozen=True, slots=True)
class AacConfig:
    """`rate` and `channels` as decoded; a frame holds `samples` at `core_rate`. `size` is the record's length in bits,
    as far as it was read.
    """

    object_type: int
    rate: int
    channels: int
    core_rate: int
    samples: int
    size: int = 0

    @property
    def frame_ticks(self) -> int:
        """Ticks that a frame lasts, rounded down."""
        return self.samples * TIMESCALE // self.core_rate


def read_config(data: bytes) -> AacConfig:
    """An AudioSpecificConfig. Raises BitstreamError where it is none of AAC with a usable rate."""
    return _read_config(Bits(data))


def _read_config(bits: Bits) -> AacConfig:
    whole = bits.left
    kind = _object_type(bits)
    core_rate = rate = _rate(bits)
    layout = bits.take(4)
    extended = kind in (_SBR, _PARAMETRIC_STEREO)
    if extended:
        rate = _rate(bits)
        stereo = kind == _PARAMETRIC_STEREO
        core = _object_type(bits)
    else:
        stereo, core = False, kind
    short = False
    if core in _GENERAL_AUDIO:
        short = bits.take(1) == 1
        if bits.take(1):
            bits.take(14)
        bits.take(1)
    elif core == 39:
        short = bits.take(1) == 1
    else:
        raise BitstreamError(f"audio object type {core} is no AAC")
    if not extended and layout:
        rate = _extension(bits, rate)
    channels = _CHANNELS.get(layout, 0)
    if layout == 0:
        channels = 2
    if not channels or not 1_000 <= core_rate <= 192_000 or not 1_000 <= rate <= 192_000:
        raise BitstreamError("audio configuration with an impossible rate or number of channels")
    usual, shortened = (512, 480) if core in _SHORT_FRAMES else (1024, 960)
    samples = shortened if short else usual
    if stereo and channels == 1:
        channels = 2
    return AacConfig(kind, rate, channels, core_rate, samples, whole - bits.left)


def _extension(bits: Bits, rate: int) -> int:
    """Backward compatible signalling of SBR (14496-3 clause 1.6.5.3): the rate as decoded."""
    ahead = bits.fork()
    if ahead.left < 17 or ahead.take(11) != _SYNC_EXTENSION or ahead.take(5) != _SBR:
        return rate
    bits.take(16)
    if bits.take(1):
        rate = _rate(bits)
        ahead = bits.fork()
        if ahead.left >= 12 and ahead.take(11) == _SYNC_STEREO:
            bits.take(12)
    return rate


def _object_type(bits: Bits) -> int:
    kind = bits.take(5)
    return 32 + bits.take(6) if kind == 31 else kind


def _rate(bits: Bits) -> int:
    index = bits.take(4)
    if index == 15:
        return bits.take(24)
    if index >= len(RATES):
        raise BitstreamError("audio configuration with a reserved rate")
    return RATES[index]


def write_config(rate: int, channels: int, object_type: int = _LOW_COMPLEXITY) -> bytes:
    """The AudioSpecificConfig of plain AAC. Raises BitstreamError for what it cannot say."""
    layout = next((code for code, count in _CHANNELS.items() if count == channels), 0)
    if not layout or not 1 <= object_type <= 4:
        raise BitstreamError(f"no AAC has {channels} channels")
    if rate in RATES:
        return (object_type << 11 | RATES.index(rate) << 7 | layout << 3).to_bytes(2, "big")
    return (object_type << 35 | 15 << 31 | (rate & 0xFFFFFF) << 7 | layout << 3).to_bytes(5, "big")


def audio_format(config: bytes) -> AudioFormat:
    """What the sink is told. Raises BitstreamError."""
    read = read_config(config)
    return AudioFormat(AudioCodec.AAC, read.rate, read.channels, config, f"mp4a.40.{read.object_type}")


def is_adts(data: bytes) -> bool:
    """Whether a whole ADTS frame lies at the start."""
    return adts_length(data, 0) > 0


def adts_length(data: bytes, start: int) -> int:
    """Length of the whole ADTS frame at `start`, its header included; 0 where there is none."""
    if len(data) - start < 7 or data[start] != 0xFF or data[start + 1] & 0xF6 != 0xF0:
        return 0
    length = (data[start + 3] & 3) << 11 | data[start + 4] << 3 | data[start + 5] >> 5
    header = 7 if data[start + 1] & 1 else 9
    return length if header < length <= len(data) - start else 0


def split_adts(data: bytes) -> tuple[bytes, list[bytes]]:
    """(AudioSpecificConfig, raw frames) of whole ADTS frames at the start; (b"", []) where there is none.

    Frames of several raw data blocks (13818-7 clause 6.2.2) come out as one.
    """
    config, frames, position = b"", [], 0
    while length := adts_length(data, position):
        second, third, fourth = data[position + 1], data[position + 2], data[position + 3]
        index, layout = third >> 2 & 15, (third & 1) << 2 | fourth >> 6
        if index >= len(RATES):
            break
        config = config or (((third >> 6) + 1) << 11 | index << 7 | layout << 3).to_bytes(2, "big")
        frames.append(data[position + (7 if second & 1 else 9) : position + length])
        position += length
    return config, frames


@dataclass(frozen=True, slots=True)
class StreamMux:
    """LATM's set-up: the AudioSpecificConfig in it, and how many frames make a packet."""

    config: bytes
    frames: int


def read_stream_mux(bits: Bits) -> StreamMux:
    """A StreamMuxConfig of one programme with one layer, version 0. Raises BitstreamError for any other."""
    if bits.take(1):
        raise BitstreamError("LATM version 1 is not read")
    if not bits.take(1):
        raise BitstreamError("LATM without common timing is not read")
    frames = bits.take(6) + 1
    if bits.take(4) or bits.take(3):
        raise BitstreamError("LATM of several programmes or layers is not read")
    size = _read_config(bits.fork()).size
    config = (bits.take(size) << -size % 8).to_bytes((size + 7) // 8, "big")
    if bits.take(min(3, bits.left)):
        raise BitstreamError("LATM frames without lengths are not read")
    if bits.left < 10:
        # Descriptions end here, with nothing more to say.
        return StreamMux(config, frames)
    bits.take(8)
    if bits.take(1):
        while bits.take(1):
            bits.take(8)
        bits.take(8)
    if bits.take(1):
        bits.take(8)
    return StreamMux(config, frames)
