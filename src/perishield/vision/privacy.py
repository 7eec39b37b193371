"""Privacy masks burnt into pictures and videos that leave the platform. What is stored is never touched."""

from __future__ import annotations

import fractions
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from threading import Event as Flag
from typing import TYPE_CHECKING, Any

from perishield.model.errors import StorageError
from perishield.model.evidence import Polygon
from perishield.model.geometry import Point
from perishield.vision.annotate import decode_jpeg

if TYPE_CHECKING:
    import numpy as np
    from av import VideoFrame
    from av.video.stream import VideoStream
    from numpy.typing import NDArray

_QUALITY = 88
_TICKS = 90_000
_OPTIONS = {"preset": "veryfast", "crf": "23"}
_LIMIT = {"max_pixels": "64000000", "threads": "1"}


def covered(polygons: Sequence[Polygon], width: int, height: int) -> NDArray[np.bool_]:
    """(height, width), True where a mask lies; a pixel that is touched counts as covered.

    >>> covered([((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0))], 8, 2).sum(axis=1).tolist()
    [5, 5]
    """
    import numpy as np

    found: NDArray[np.bool_] = np.zeros((height, width), np.bool_)
    for polygon in polygons:
        corners = [(x * width, y * height) for x, y in polygon]
        edges = list(pairwise([*corners, corners[0]]))
        for row in range(height):
            for line in (row + 0.001, row + 0.5, row + 0.999):
                winding = 0
                # Non-zero winding: an outline that crosses itself leaves no hole.
                for (left, turn), (right, _) in pairwise(sorted(_crossings(edges, line))):
                    winding += turn
                    if winding:
                        found[row, max(0, math.floor(left)) : min(width, math.floor(right) + 1)] = True
        # Slivers between two scan lines, and what the outline itself touches.
        for (x1, y1), (x2, y2) in edges:
            steps = math.ceil(max(abs(x2 - x1), abs(y2 - y1)) * 2) + 1
            xs = np.clip(np.linspace(x1, x2, steps).astype(int), 0, width - 1)
            ys = np.clip(np.linspace(y1, y2, steps).astype(int), 0, height - 1)
            found[ys, xs] = True
    return found


def _crossings(edges: Iterable[tuple[Point, Point]], y: float) -> Iterator[tuple[float, int]]:
    """Where edges cross that height, and which way they go."""
    for (x1, y1), (x2, y2) in edges:
        if (y1 <= y) != (y2 <= y):
            yield x1 + (y - y1) * (x2 - x1) / (y2 - y1), 1 if y2 > y1 else -1


def masked_jpeg(jpeg: bytes, polygons: Sequence[Polygon]) -> bytes:
    """The picture with masks in black; blocks. Raises StorageError (`corrupt`)."""
    import simplejpeg

    pixels = decode_jpeg(jpeg)
    pixels[covered(polygons, pixels.shape[1], pixels.shape[0])] = 0
    return bytes(simplejpeg.encode_jpeg(pixels, quality=_QUALITY, colorspace="RGB", colorsubsampling="420"))


def masked_video(
    source: Path,
    target: Path,
    polygons: Sequence[Polygon],
    cancel: Flag,
    on_second: Callable[[float], None] = lambda second: None,
) -> None:
    """The video encoded anew as H.264 with masks in black and without sound; blocks for about its length or less.

    `on_second` hears how many seconds of it are done.
    Raises StorageError: `corrupt` where it cannot be decoded, `missing` where the file is gone, `cancelled`.
    """
    import av
    import av.error

    painter = Painter(polygons)
    draft = target.with_suffix(f"{target.suffix}.part")
    try:
        with av.open(str(source)) as given, av.open(str(draft), "w", "mp4", options={"movflags": "+faststart"}) as made:
            video = given.streams.video[0]
            video.codec_context.options = _LIMIT
            video.codec_context.thread_count = 1
            out: VideoStream | None = None
            last, told = -1, 0.0
            for frame in given.decode(video):
                if cancel.is_set():
                    raise StorageError("masking this clip was cancelled; ask again", code="cancelled")
                if out is None:
                    out = _stream(made, frame)
                picture = painter.paint(frame, out.width, out.height)
                seconds = float((frame.pts or 0) * frame.time_base) if frame.time_base is not None else 0.0
                picture.pts = last = max(last + 1, round(seconds * _TICKS))
                picture.time_base = fractions.Fraction(1, _TICKS)
                made.mux(out.encode(picture))
                if seconds >= told + 1:
                    told = seconds
                    on_second(seconds)
            if out is None:
                raise StorageError("this clip has no picture that can be decoded", code="corrupt")
            made.mux(out.encode(None))
        draft.replace(target)
    except FileNotFoundError as error:
        raise StorageError("this clip is gone", code="missing") from error
    except (av.error.FFmpegError, ValueError, IndexError) as error:
        raise StorageError(f"this clip cannot be masked: {error}", code="corrupt") from error
    finally:
        draft.unlink(missing_ok=True)


def _stream(made: Any, frame: VideoFrame) -> VideoStream:
    out: VideoStream = made.add_stream("libx264", rate=25)
    # Even sizes, which 4:2:0 needs; the odd column or row is given up.
    out.width, out.height, out.pix_fmt = max(2, frame.width // 2 * 2), max(2, frame.height // 2 * 2), "yuv420p"
    out.codec_context.time_base = out.time_base = fractions.Fraction(1, _TICKS)
    out.codec_context.thread_count = 1
    out.codec_context.options = dict(_OPTIONS)
    return out


class Painter:
    """Blackens the planes of pictures; what lies under a mask is worked out once for each size."""

    def __init__(self, polygons: Sequence[Polygon]) -> None:
        self._polygons = polygons
        self._size = (0, 0)
        self._luma: Any = None
        self._chroma: Any = None

    def draw(self, polygons: Sequence[Polygon]) -> None:
        """These are the masks from now on."""
        if tuple(polygons) != tuple(self._polygons):
            self._polygons, self._size = polygons, (0, 0)

    def paint(self, frame: VideoFrame, width: int, height: int) -> VideoFrame:
        import numpy as np
        from av import VideoFrame as Frame

        planes = frame.reformat(width=width, height=height, format="yuv420p", threads=1).to_ndarray()
        if self._size != (width, height):
            self._size = (width, height)
            self._luma = covered(self._polygons, width, height)
            self._chroma = self._luma.reshape(height // 2, 2, width // 2, 2).any(axis=(1, 3)).reshape(-1)
        planes = np.array(planes, np.uint8)
        planes[:height][self._luma] = 16
        rest = planes[height:].reshape(2, -1)
        rest[:, self._chroma] = 128
        return Frame.from_ndarray(planes, format="yuv420p")
