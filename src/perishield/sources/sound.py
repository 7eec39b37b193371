"""How long coded frames of sound last."""

from __future__ import annotations

from functools import lru_cache

from perishield.model.media import TIMESCALE, AudioCodec, AudioFormat
from perishield.sources.aac import read_config
from perishield.sources.bits import BitstreamError

_OPUS_SILK = (10, 20, 40, 60)
_OPUS_CELT = (2.5, 5, 10, 20)
_LONGEST_OPUS = TIMESCALE * 120 // 1000


def opus_ticks(head: bytes) -> int:
    """Ticks of an Opus packet by its first two bytes (RFC 6716 section 3.1); 0 for an empty one."""
    if not head:
        return 0
    kind = head[0] >> 3
    if kind < 12:
        milliseconds: float = _OPUS_SILK[kind & 3]
    elif kind < 16:
        milliseconds = 20 if kind & 1 else 10
    else:
        milliseconds = _OPUS_CELT[kind & 3]
    code = head[0] & 3
    count = (1, 2, 2)[code] if code < 3 else (head[1] & 63 if len(head) > 1 else 1)
    return min(round(milliseconds * TIMESCALE / 1000) * max(1, count), _LONGEST_OPUS)


def frame_ticks(audio: AudioFormat, size: int, head: bytes) -> int:
    """Ticks that a frame of `size` bytes which begins with `head` lasts, rounded down; at least 1."""
    if audio.codec is AudioCodec.AAC:
        return _aac_ticks(audio.config)
    if audio.codec is AudioCodec.OPUS:
        return opus_ticks(head) or TIMESCALE // 50
    return max(1, size * TIMESCALE // max(1, audio.rate * audio.channels))


@lru_cache(maxsize=64)
def _aac_ticks(config: bytes) -> int:
    try:
        return max(1, read_config(config).frame_ticks)
    except BitstreamError:
        return 1024 * TIMESCALE // 16_000
