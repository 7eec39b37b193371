"""Timeline sprites: ten minutes of a camera as one sheet of small pictures, for scrubbing without decoding.

Tile n shows the key frame at or before `start + n * STEP_S`, black where there was no footage.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING

from perishield.model.errors import StorageError
from perishield.model.evidence import Polygon
from perishield.model.media import SegmentRow
from perishield.recording.keyframes import KeyFrame, group, key_frame_at
from perishield.recording.playback_plan import missing
from perishield.recording.segment_reader import Footage
from perishield.vision.still import StillDecoder, fitted, fitted_size

if TYPE_CHECKING:
    import numpy as np
    from av import VideoFrame
    from numpy.typing import NDArray

SHEET_S = 600
STEP_S = 10
COLUMNS, ROWS = 10, 6
TILE_WIDTH, TILE_HEIGHT = 160, 90
_QUALITY = 70


def sheet_start(moment: float) -> int:
    """Unix seconds at which the sheet of that moment begins."""
    return int(moment // SHEET_S) * SHEET_S


def sheet(footage: Footage, decoder: StillDecoder, camera: str, rows: Sequence[SegmentRow], start: int) -> bytes:
    """The sheet as JPEG; blocks for as long as it takes to decode up to sixty key frames.

    Raises StorageError (`missing`) where there is no footage in those ten minutes, or none that can be decoded.
    """
    import numpy as np
    import simplejpeg

    pixels: NDArray[np.uint8] = np.zeros((ROWS * TILE_HEIGHT, COLUMNS * TILE_WIDTH, 3), np.uint8)
    drawn = 0
    before: tuple[KeyFrame, NDArray[np.uint8]] | None = None
    for number in range(COLUMNS * ROWS):
        frame = _key_frame(rows, start + number * STEP_S)
        if frame is None:
            continue
        if before is None or (before[0].row.path, before[0].offset) != (frame.row.path, frame.offset):
            try:
                found = group(footage, frame)
                before = frame, _tile(decoder.decode(found.codec, found.configuration, found.units))
            except StorageError:
                continue
        tile = before[1]
        height, width = tile.shape[:2]
        top = number // COLUMNS * TILE_HEIGHT + (TILE_HEIGHT - height) // 2
        left = number % COLUMNS * TILE_WIDTH + (TILE_WIDTH - width) // 2
        pixels[top : top + height, left : left + width] = tile
        drawn += 1
    if not drawn:
        raise missing(camera)
    return bytes(simplejpeg.encode_jpeg(pixels, quality=_QUALITY, colorspace="RGB", colorsubsampling="420"))


def masked_sheet(jpeg: bytes, sizes: Collection[tuple[int, int]], masks: Sequence[Polygon]) -> bytes:
    """A sheet with privacy masks in black; `sizes`: (width, height) of all pictures that may be on it. Blocks.

    Where nobody knows the sizes any more, all of it is black.
    """
    import numpy as np
    import simplejpeg

    from perishield.vision.annotate import decode_jpeg
    from perishield.vision.privacy import covered

    hidden: NDArray[np.bool_] = np.zeros((TILE_HEIGHT, TILE_WIDTH), np.bool_)
    hidden[:] = not sizes
    for wide, high in sizes:
        width, height = fitted_size(wide, high, TILE_WIDTH, TILE_HEIGHT)
        top, left = (TILE_HEIGHT - height) // 2, (TILE_WIDTH - width) // 2
        hidden[top : top + height, left : left + width] |= covered(masks, width, height)
    pixels = decode_jpeg(jpeg)
    pixels[np.tile(hidden, (ROWS, COLUMNS))] = 0
    return bytes(simplejpeg.encode_jpeg(pixels, quality=_QUALITY, colorspace="RGB", colorsubsampling="420"))


def _key_frame(rows: Iterable[SegmentRow], moment: float) -> KeyFrame | None:
    """At that moment, or where footage only begins after it, within its ten seconds."""
    found = key_frame_at(rows, moment)
    if found is not None:
        return found
    later = [row for row in rows if moment < row.start < moment + STEP_S]
    return key_frame_at(later, later[0].start) if later else None


def _tile(frame: VideoFrame) -> NDArray[np.uint8]:
    import numpy as np

    small = fitted(frame, TILE_WIDTH, TILE_HEIGHT)
    pixels: NDArray[np.uint8] = small.to_ndarray(format="rgb24").astype(np.uint8, copy=False)
    return pixels
