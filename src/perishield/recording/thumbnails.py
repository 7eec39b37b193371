"""Thumbnails: the picture of a moment as JPEG, at the size asked for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from perishield.model.media import TIMESCALE, SegmentRow
from perishield.recording.keyframes import group, key_frame_at
from perishield.recording.playback_plan import missing
from perishield.recording.segment_reader import Footage
from perishield.vision.still import StillDecoder, encode_frame, fitted

_QUALITY = 80


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """`wall`: Unix seconds of the picture; `decoder`: `software` or the hardware's name."""

    jpeg: bytes
    wall: float
    width: int
    height: int
    decoder: str


def thumbnail(
    footage: Footage,
    decoder: StillDecoder,
    camera: str,
    rows: Iterable[SegmentRow],
    moment: float,
    *,
    width: int,
    exact: bool,
) -> Thumbnail:
    """The key frame at or before `moment`, or with `exact` the picture that is shown then. Blocks.

    Raises StorageError: `missing` without footage of that moment, `corrupt` where it cannot be decoded.
    """
    frame = key_frame_at(rows, moment)
    if frame is None:
        raise missing(camera)
    # Half a millisecond on: times that were rounded to milliseconds still mean their own picture.
    found = group(footage, frame, moment + 0.0005 if exact else None)
    until = round((moment + 0.0005 - found.wall) * TIMESCALE) if exact else None
    picture = decoder.decode(found.codec, found.configuration, found.units, until)
    wall = found.wall + (picture.pts if picture.pts is not None else found.units[0][0]) / TIMESCALE
    small = fitted(picture, width)
    return Thumbnail(encode_frame(small, _QUALITY), wall, small.width, small.height, decoder.name)
