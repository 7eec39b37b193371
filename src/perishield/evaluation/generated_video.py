"""A generated scene as it was watched: MP4 with the rules' lines and what was followed drawn in."""

from __future__ import annotations

import os
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from perishield.evaluation.generated import SceneRun, row_of
from perishield.evaluation.standard import scene_of
from perishield.model.geometry import Box, Point
from perishield.model.rules import Fence, LineCount, Rule, Tripwire

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from perishield.model.vision import TrackFrame
    from perishield.vision.detector import Detector

Colour = tuple[int, int, int]
_LINE: Colour = (235, 70, 50)
_PERSON: Colour = (60, 220, 90)
_OTHER: Colour = (90, 140, 240)
_ALARM: Colour = (255, 40, 40)
_ALARM_S = 1.0
_MOST = 2000


def write(seed: int, detector: Detector, out: Path) -> dict[str, Any]:
    """Watch the scene again; pictures that nobody looked at are left out. The scene's result.

    A red frame stands for a second around each finding. `out` appears only when whole.
    """
    import av

    scene = scene_of(seed)
    kept: list[tuple[NDArray[np.uint8], TrackFrame]] = []

    def keep(rgb: NDArray[np.uint8], frame: TrackFrame) -> None:
        # All pictures of half an hour would not fit into memory.
        if len(kept) < _MOST:
            kept.append((rgb, frame))

    run = SceneRun(scene, detector, on_picture=keep)
    run.run()
    draft = out.with_name(f".{out.stem}.{os.getpid()}.part")
    try:
        with av.open(str(draft), "w", format="mp4") as container:
            stream = container.add_stream("libx264", rate=Fraction(scene.fps).limit_denominator(1000))
            stream.width, stream.height, stream.pix_fmt = scene.width, scene.height, "yuv420p"
            for index, (rgb, frame) in enumerate(kept):
                picture = rgb.copy()
                for rule in scene.rules:
                    for start, end in _lines(rule):
                        _stroke(picture, start, end, _LINE)
                for track in frame.tracks:
                    _outline(picture, track.box, _PERSON if track.label == "person" else _OTHER)
                if any(abs(found.time_s - frame.wall) <= _ALARM_S / 2 for found in run.found):
                    for inset in range(4):
                        _outline(picture, (inset, inset, scene.width - 1 - inset, scene.height - 1 - inset), _ALARM)
                shown = av.VideoFrame.from_ndarray(picture, format="rgb24")
                shown.pts = index
                container.mux(stream.encode(shown))
            container.mux(stream.encode(None))
        draft.replace(out)
    finally:
        draft.unlink(missing_ok=True)
    return row_of(run)


def _lines(rule: Rule) -> list[tuple[Point, Point]]:
    if isinstance(rule, Fence):
        chains = [rule.outer, rule.inner]
    elif isinstance(rule, Tripwire | LineCount):
        chains = [rule.line]
    else:
        chains = [(*rule.polygon, rule.polygon[0])]
    return [pair for chain in chains for pair in pairwise(chain)]


def _stroke(picture: NDArray[np.uint8], start: Point, end: Point, colour: Colour) -> None:
    """A line between points that are shares of the picture."""
    high, wide = picture.shape[:2]
    share = np.linspace(0, 1, wide)
    columns = ((start[0] + (end[0] - start[0]) * share) * (wide - 1)).astype(int)
    rows = ((start[1] + (end[1] - start[1]) * share) * (high - 1)).astype(int)
    picture[rows, columns] = colour


def _outline(picture: NDArray[np.uint8], box: Box, colour: Colour) -> None:
    high, wide = picture.shape[:2]
    x0, x1 = (min(max(int(x), 0), wide - 1) for x in (box[0], box[2]))
    y0, y1 = (min(max(int(y), 0), high - 1) for y in (box[1], box[3]))
    picture[[y0, y1], x0 : x1 + 1] = colour
    picture[y0 : y1 + 1, [x0, x1]] = colour
