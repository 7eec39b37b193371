"""A picture with what explains an alarm drawn over it: the box, the way, what the rule draws."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from perishield.model.alarms import Event
from perishield.model.errors import StorageError
from perishield.model.geometry import Point

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_RULE = (255, 196, 0)
_WAY = (0, 220, 255)
_BOX = (255, 48, 48)
_EDGE = (0, 0, 0)
_QUALITY = 90
_LARGEST = 64_000_000
_LINES = ("line", "outer", "inner")


def annotated(jpeg: bytes, event: Event) -> bytes:
    """The same picture as JPEG, drawn over; blocks. Raises StorageError (`corrupt`) where it is none."""
    import simplejpeg

    pixels = decode_jpeg(jpeg)
    for line in _shapes(event.rule):
        _stroke(pixels, line, _RULE)
    _stroke(pixels, [(x, y) for _, x, y in event.path], _WAY)
    left, top, right, bottom = event.box
    _stroke(pixels, [(left, top), (right, top), (right, bottom), (left, bottom), (left, top)], _BOX)
    return bytes(simplejpeg.encode_jpeg(pixels, quality=_QUALITY, colorspace="RGB", colorsubsampling="420"))


def decode_jpeg(jpeg: bytes) -> NDArray[np.uint8]:
    """(height, width, 3) RGB, writeable. Raises StorageError (`corrupt`)."""
    import numpy as np
    import simplejpeg

    try:
        height, width, _, _ = simplejpeg.decode_jpeg_header(jpeg)
        if height * width > _LARGEST:
            raise StorageError(f"this picture is too large: {width} x {height}", code="corrupt")
        return np.array(simplejpeg.decode_jpeg(jpeg, colorspace="RGB"), np.uint8)
    except ValueError as error:
        raise StorageError(f"this picture is damaged: {error}", code="corrupt") from error


def _shapes(rule: Mapping[str, Any]) -> Iterable[list[Point]]:
    """Lines and outlines of a rule, as plain data of any kind that a rule had when the alarm was raised."""
    for name in _LINES:
        yield _points(rule.get(name))
    outline = _points(rule.get("polygon"))
    yield [*outline, *outline[:1]]


def _points(value: object) -> list[Point]:
    if not isinstance(value, Sequence) or isinstance(value, str):
        return []
    points = [item for item in value if isinstance(item, Sequence) and len(item) == 2]
    return [(float(x), float(y)) for x, y in points if isinstance(x, (int, float)) and isinstance(y, (int, float))]


def _stroke(pixels: NDArray[np.uint8], points: Sequence[Point], colour: tuple[int, int, int]) -> None:
    """A line through normalised points, dark at its edge so that it shows on any ground."""
    height, width = pixels.shape[:2]
    scaled = [(x * width - 0.5, y * height - 0.5) for x, y in points]
    thick = max(1.2, min(height, width) / 300)
    for reach, paint in ((thick + max(1.0, thick / 2), _EDGE), (thick, colour)):
        for start, end in pairwise(scaled):
            _segment(pixels, start, end, reach, paint)


def _segment(pixels: NDArray[np.uint8], start: Point, end: Point, reach: float, colour: tuple[int, int, int]) -> None:
    """Blend in by distance from the segment, so that slanting lines have smooth edges."""
    import numpy as np

    height, width = pixels.shape[:2]
    margin = reach + 1
    left, right = max(0, int(min(start[0], end[0]) - margin)), min(width, int(max(start[0], end[0]) + margin) + 2)
    top, bottom = max(0, int(min(start[1], end[1]) - margin)), min(height, int(max(start[1], end[1]) + margin) + 2)
    if left >= right or top >= bottom:
        return
    dx, dy = end[0] - start[0], end[1] - start[1]
    length = dx * dx + dy * dy
    x = np.arange(left, right, dtype=np.float32)[None, :] - start[0]
    # Row by row: a diagonal through a large picture must not take memory for the whole of it.
    for row in range(top, bottom):
        y = row - start[1]
        along = np.clip((x * dx + y * dy) / length, 0, 1) if length else np.zeros_like(x)
        distance = np.hypot(x - along * dx, y - along * dy)[0]
        cover = np.clip(reach + 0.5 - distance, 0, 1)[:, None]
        if cover.any():
            part = pixels[row, left:right]
            pixels[row, left:right] = (part * (1 - cover) + np.array(colour) * cover).astype(np.uint8)
