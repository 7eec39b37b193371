from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from perishield.evaluation import generated, generated_video
from perishield.evaluation.generated_figures import figures
from perishield.evaluation.intervals import garwood, wilson
from perishield.evaluation.scenes.camera import View
from perishield.evaluation.standard import scene_of
from perishield.model.media import TIMESCALE
from perishield.model.vision import Detections
from perishield.vision.motion import MotionDetector
from perishield.vision.picture import Picture


def _results(cache: Path, scenes: int) -> list[dict[str, Any]]:
    return generated.results("standard", "motion", models_dir=Path(), cache=cache, scenes=scenes, hours=0)


def test_a_small_suite_is_watched_and_kept_and_what_is_damaged_is_made_again(tmp_path: Path) -> None:
    first = _results(tmp_path, 1)
    (kept,) = tmp_path.rglob("10000.json")
    written = kept.stat().st_mtime_ns
    assert first[0]["seed"] == 10_000
    assert first[0]["events"] == 1
    assert first[0]["analysed"] > 10
    assert _results(tmp_path, 1) == first
    assert kept.stat().st_mtime_ns == written
    kept.write_text("{")
    (again,) = _results(tmp_path, 1)
    assert {**again, "cpu_s": 0} == {**first[0], "cpu_s": 0}


def test_a_quiet_place_is_looked_at_once_in_two_seconds() -> None:
    scene = replace(scene_of(15_003, seconds=60.0), passing=())
    scene = replace(scene, scene=replace(scene.scene, actors=(), trees=()))
    run = generated.SceneRun(scene, MotionDetector())
    run.run()
    # Eight seconds of warming up at the full rate, then key frames, and at most one look at mere noise.
    assert 48 + 26 <= run.analysed <= 48 + 26 + 40
    assert run.found == []


class _Wanderer:
    """Finds somebody who walks through from the twentieth second on, wherever it looks."""

    name, model, batch = "wanderer", "wanderer.onnx", 1

    def detect(self, pictures: Sequence[Picture]) -> list[Detections]:
        return [self._at(picture.stream_time / TIMESCALE) for picture in pictures]

    def forget(self, camera: str) -> None: ...

    def _at(self, time_s: float) -> Detections:
        x = 10 + 12 * (time_s - 20)
        boxes = [(x, 200, x + 30, 290)] if time_s >= 20 else []
        count = len(boxes)
        return Detections(
            np.array(boxes, np.float32).reshape(-1, 4),
            np.full(count, 0.8, np.float32),
            np.zeros(count, np.int16),
            ("person",),
        )


@pytest.mark.parametrize("seed", [10000, 10014, 10039, 10089, 15014])
def test_the_ground_is_calibrated_well_enough_to_tell_how_high_people_are(seed: int) -> None:
    scene = scene_of(seed)
    plane = generated.ground_of(scene)
    ground = plane(scene.width, scene.height)
    view = View(scene.scene.camera, scene.width, scene.height)
    assert len(plane.points) >= 6
    for mark in plane.points:
        foot, head = view.pixel((*mark.site, 0.0)), view.pixel((*mark.site, 1.7))
        assert ground.upright(foot, 1.7) == pytest.approx(foot[1] - head[1], rel=0.1)


def test_the_gate_stays_open_while_somebody_is_followed() -> None:
    scene = replace(scene_of(15_003, seconds=60.0), passing=())
    scene = replace(scene, scene=replace(scene.scene, actors=(), trees=()))
    looked: list[float] = []
    run = generated.SceneRun(scene, _Wanderer(), on_picture=lambda rgb, frame: looked.append(frame.wall))
    run.run()
    # The chunk after the key frame that showed him is open already, and every one from there on.
    assert sum(22 <= moment < 60 for moment in looked) == 38 * 6
    assert sum(10 <= moment < 20 for moment in looked) == 5


def test_a_replay_is_a_video(tmp_path: Path) -> None:
    out = tmp_path / "scene.mp4"
    row = generated_video.write(10_003, MotionDetector(), out)
    with av.open(str(out)) as container:
        frames = sum(1 for _ in container.decode(video=0))
    assert frames == row["analysed"]
    assert list(tmp_path.iterdir()) == [out]


def test_seeds_of_one_place_go_together_and_quiet_ones_alone() -> None:
    groups = list(generated._groups([10_000, 10_001, 10_003, 15_000, 15_001]))
    assert groups == [[10_000, 10_001], [10_003], [15_000], [15_001]]


def _row(*, quiet: bool, events: int = 0, found: int = 0, false: int = 0, px: float = 80.0) -> dict[str, Any]:
    return {
        "seed": 1,
        "tags": {"weather": "rain", "light": "noon", "distance": "near", "behaviour": "walk"},
        "person_px": px,
        "seconds": 1800.0,
        "quiet": quiet,
        "events": events,
        "found": found,
        "delays_s": [0.1] * found,
        "missed": [{"rule": "line", "person": "a", "t": 1.0}] * (events - found),
        "false": [{"rule": "yard", "t": 1.0, "label": "person", "score": 0.5}] * false,
        "analysed": 10,
        "opened": 1,
        "cpu_s": 1.0,
    }


def test_figures_tell_recall_of_the_tall_and_alarms_of_the_quiet() -> None:
    rows = [
        _row(quiet=False, events=3, found=2, false=1),
        _row(quiet=False, events=1, px=30.0),
        *[_row(quiet=True, false=1)] * 2,
    ]
    result = figures(rows)
    assert result["recall"] == pytest.approx(2 / 3, abs=1e-4)
    assert result["by"]["weather"]["rain"]["events"] == 4
    assert result["by"]["height_px"]["0-40"]["recall"] == 0
    assert result["quiet_camera_hours"] == 1.0
    assert result["false_alarms_per_camera_hour"] == 2.0
    assert len(result["missed"]) == 2
    assert len(result["false"]) == 3


def test_intervals_are_the_published_ones() -> None:
    # Newcombe 1998, table I: 81 of 263; Garwood 1936: a count of 4.
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=1e-4)
    assert garwood(4, 1.0) == pytest.approx((1.0899, 10.2416), abs=1e-3)
    assert garwood(0, 1.0) == pytest.approx((0.0, 3.6889), abs=1e-3)
