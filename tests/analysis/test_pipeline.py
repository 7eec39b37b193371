"""What the pipeline makes of a person whom the network names only at first: movement carries him over the line."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from perishield.analysis.pipeline import CameraPipeline, Judged
from perishield.model.media import TIMESCALE
from perishield.model.rules import Tripwire
from perishield.model.site import Analysis, Camera
from perishield.model.vision import Detections
from perishield.rules.engine import RuleEngine
from perishield.vision.picture import Picture
from perishield.vision.watch import CameraWatch, Due

WIDTH, HEIGHT = 640, 360
NAMES = ("person",)
GROUND = np.random.default_rng(3).integers(70, 110, (HEIGHT // 4, WIDTH // 4)).repeat(4, 0).repeat(4, 1)
WAIT, NAMED, LAST = 12, 8, 36


def _box(index: int) -> tuple[int, int, int, int]:
    left = 60 + 12 * (index - WAIT)
    return left, 140, left + 28, 230


def _picture(index: int, *, somebody: bool) -> Picture:
    noise = np.random.default_rng(index).integers(-2, 3, GROUND.shape)
    luma = (GROUND + noise).clip(0, 255).astype(np.uint8)
    if somebody:
        left, top, right, bottom = _box(index)
        luma[top:bottom, left:right] = 190
    frame = av.VideoFrame.from_ndarray(np.repeat(luma[..., None], 3, axis=2), format="rgb24")
    time = index * TIMESCALE // 6
    return Picture("yard", 1, time, index / 6, index / 6, index % 12 == 0, frame.reformat(format="yuv420p"))


def _walk(*, somebody: bool, named: int) -> list[Judged]:
    """An empty yard, then somebody from left to right, found by the detector in his first `named` pictures."""
    engine = RuleEngine()
    engine.configure([Tripwire(id="line", camera="yard", name="line", line=((0.45, 0.0), (0.45, 1.0)))])
    camera = Camera(id="yard", name="yard", url="", analysis=Analysis(fps=6.0))
    pipeline = CameraPipeline("yard", camera, CameraWatch(Path(), 6.0), engine)
    judged = []
    for index in range(WAIT + LAST):
        there = WAIT <= index < WAIT + named
        boxes = np.array([_box(index)] if there else [], np.float32).reshape(-1, 4)
        count = len(boxes)
        found = Detections(boxes, np.full(count, 0.5, np.float32), np.zeros(count, np.int16), NAMES)
        picture = _picture(index, somebody=somebody and index >= WAIT)
        judged.append(pipeline.judge(Due(picture, gate_open=True), found, "network"))
    return judged


def test_who_was_named_crosses_also_where_nobody_names_him() -> None:
    judged = _walk(somebody=True, named=NAMED)
    events = [event for each in judged for event in each.events]
    assert [(event.label, event.score) for event in events] == [("person", pytest.approx(0.5))]
    # The line lies at 288 pixels; by then nobody had named him for a second and a half.
    assert events[0].wall > (WAIT + NAMED) / 6 + 1


def test_the_same_without_movement_is_nothing() -> None:
    judged = _walk(somebody=False, named=NAMED)
    assert [event for each in judged for event in each.events] == []


def test_movement_that_nobody_named_is_nothing_to_a_network() -> None:
    judged = _walk(somebody=True, named=0)
    assert all(not each.frame.tracks and not each.tracked for each in judged)
