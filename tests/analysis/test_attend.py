"""What a stream's doubts know of its camera: the calibrated ground tells who is too small to be a person."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import av
import numpy as np

from perishield.analysis.attend import TrackJury
from perishield.analysis.pipeline import CameraPipeline
from perishield.model.doubts import Suppressed
from perishield.model.ground import GroundPoint
from perishield.model.media import TIMESCALE
from perishield.model.site import Camera
from perishield.model.vision import Detections, TrackBox, TrackFrame
from perishield.rules.engine import RuleEngine
from perishield.tracking.ground_fit import fit_ground
from perishield.vision.picture import Picture
from perishield.vision.watch import CameraWatch

WIDTH, HEIGHT = 1280, 720
NOTHING = Detections(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, np.int16), ("person",))
# Seen from a pole of 5 m that looks north, 20 degrees down (focal length 900 pixels).
SEEN = (((150.1, 684.1), (-4, 6)), ((1129.9, 684.1), (4, 6)), ((420.5, 266), (-5, 20)), ((859.5, 266), (5, 20)))
PLANE = fit_ground([GroundPoint(picture=(u / WIDTH, v / HEIGHT), site=(float(x), float(y))) for (u, v), (x, y) in SEEN])


def _sees(jury: TrackJury, number: int, time_s: float, tall: int) -> bool:
    """Whether rules get to see somebody so many pixels high, ten metres away."""
    frame = av.VideoFrame(WIDTH, HEIGHT, "yuv420p")
    picture = Picture("yard", 1, round(time_s * TIMESCALE), time_s, time_s, False, frame)
    track = TrackBox(number, "person", 0.8, (640, 464 - tall, 640 + tall // 3, 464), 5)
    tracked = TrackFrame(
        camera="yard", epoch=1, stream_time=picture.stream_time, wall=time_s, arrival=time_s,
        width=WIDTH, height=HEIGHT, tracks=(track,),
    )  # fmt: skip
    return bool(jury.jury.sift(picture, tracked, NOTHING).tracks)


def test_calibrated_ground_tells_who_is_too_small_and_may_change_at_any_time() -> None:
    told: list[Suppressed] = []
    camera = Camera(id="yard", name="Yard", url="", ground=PLANE)
    pipeline = CameraPipeline("yard", camera, CameraWatch(Path(), 6.0), RuleEngine())
    jury = TrackJury(lambda: pipeline.settings, told.append)
    assert not _sees(jury, 1, 0.0, 30)
    assert _sees(jury, 2, 0.5, 140)
    assert [(each.camera, each.counts) for each in told] == [("yard", {"size": 1})]
    pipeline.follow(replace(camera, ground=None))
    assert _sees(jury, 3, 1.0, 30), "nobody knows how large people are"
    pipeline.follow(camera)
    assert not _sees(jury, 4, 1.5, 30)
