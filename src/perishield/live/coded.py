"""A chunk's bytes taken apart into coded pictures and sounds, for those who do not send MP4."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from perishield.model.media import ChunkRef, Codec
from perishield.sources.bits import BitstreamError
from perishield.sources.bitstream import split_lengths
from perishield.sources.parameter_sets import nal_kind
from perishield.streams.fmp4 import TFDT_OFFSET

_LEFT_OUT = {Codec.H264: frozenset((9, 12)), Codec.H265: frozenset((35, 38))}
"""Access unit delimiters and filler: RTP does without them."""
_SETS = {Codec.H264: frozenset((7, 8)), Codec.H265: frozenset((32, 33, 34))}

_TRAF = 24
_SOUND_TRAF = struct.Struct(">I4s 28x Q I4s 4x I i")
"""Of the second `traf` (see `streams.fmp4`): its size and kind, decode time, and trun's size, kind, count, offset."""


@dataclass(frozen=True, slots=True)
class Coded:
    """A coded picture (its NAL units without lengths) or sound (one frame). `shown` is stream time in ticks."""

    parts: tuple[bytes, ...]
    shown: int
    sound: bool = False
    key: bool = False


def unpack(ref: ChunkRef, chunk: bytes, sets: tuple[bytes, ...]) -> list[Coded]:
    """Pictures in order of decoding, and among them the sounds; `sets` are put before key frames that bear none.

    `chunk` is moof+mdat, its times counted from anywhere. Raises BitstreamError where the bytes are not what the
    reference says.
    """
    pictures = list(_pictures(ref, chunk, sets))
    if not ref.audio:
        return pictures
    sounds = _sounds(ref, chunk)
    found: list[Coded] = []
    for picture in pictures:
        while sounds and sounds[0].shown <= picture.shown:
            found.append(sounds.pop(0))
        found.append(picture)
    return found + sounds


def _pictures(ref: ChunkRef, chunk: bytes, sets: tuple[bytes, ...]) -> Iterator[Coded]:
    position = len(chunk) - sum(ref.sizes)
    if position < 0:
        raise BitstreamError("the chunk is shorter than its frames")
    time = ref.stream_time
    left_out, kinds = _LEFT_OUT[ref.codec], _SETS[ref.codec]
    for index, size in enumerate(ref.sizes):
        nals = split_lengths(chunk[position : position + size])
        nals = [nal for nal in nals if nal_kind(ref.codec, nal) not in left_out]
        key = ref.key and index == 0
        if key and not any(nal_kind(ref.codec, nal) in kinds for nal in nals):
            nals[:0] = sets
        if nals:
            yield Coded(tuple(nals), time + (ref.composition[index] if ref.composition else 0), key=key)
        position += size
        time += ref.durations[index]


def _sounds(ref: ChunkRef, chunk: bytes) -> list[Coded]:
    try:
        (moof,) = struct.unpack_from(">I", chunk, 0)
        (size,) = struct.unpack_from(">I", chunk, _TRAF)
        traf = _TRAF + size
        if traf >= moof:
            return []
        _, kind, decode_time, _, trun, count, position = _SOUND_TRAF.unpack_from(chunk, traf)
        fields = struct.unpack_from(f">{2 * count}I", chunk, traf + _SOUND_TRAF.size)
    except (struct.error, OverflowError, MemoryError) as error:
        raise BitstreamError("the chunk's head ends too early") from error
    if (kind, trun) != (b"traf", b"trun") or position < 0 or position + sum(fields[1::2]) > len(chunk):
        raise BitstreamError("the chunk's sound is not where its head says")
    (pictures,) = struct.unpack_from(">Q", chunk, TFDT_OFFSET)
    time = ref.stream_time + decode_time - pictures
    found = []
    for ticks, length in zip(fields[0::2], fields[1::2], strict=True):
        found.append(Coded((chunk[position : position + length],), time, sound=True))
        position += length
        time += ticks
    return found
