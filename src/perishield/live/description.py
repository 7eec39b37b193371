"""What a camera sends, read back from a segment's init: parameter sets, and how its sound is coded."""

from __future__ import annotations

from dataclasses import dataclass

from perishield.model.media import AudioFormat, Codec, VideoFormat
from perishield.sources.bits import BitstreamError
from perishield.sources.bitstream import split_record
from perishield.streams.fmp4_reader import parse_init

_STSD_HEAD = 8
_VISUAL_ENTRY = 86
"""Bytes of a VisualSampleEntry before its boxes (ISO/IEC 14496-12 clause 12.1.3)."""


@dataclass(frozen=True, slots=True)
class Description:
    """The formats of one init segment."""

    video: VideoFormat
    audio: AudioFormat | None


def describe(init: bytes) -> Description | None:
    """The formats in an init segment, or None where it is none of ours."""
    known = parse_init(init)
    if known is None:
        return None
    entry = known.sample_entry
    name = b"avcC" if known.codec is Codec.H264 else b"hvcC"
    position = _STSD_HEAD + _VISUAL_ENTRY
    while position + 8 <= len(entry):
        size = int.from_bytes(entry[position : position + 4], "big")
        if size < 8:
            return None
        if entry[position + 4 : position + 8] == name:
            try:
                _, sets = split_record(known.codec, entry[position + 8 : position + size])
            except BitstreamError:
                return None
            video = VideoFormat(known.codec, known.width, known.height, tuple(sets), known.mime)
            return Description(video, known.audio)
        position += size
    return None
