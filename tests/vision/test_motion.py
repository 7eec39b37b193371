"""The detector that needs no model, on yards drawn here and on the demo site's scenes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from perishield.evaluation.scenes.compose import frames
from perishield.evaluation.scenes.demo import demo_scenes
from perishield.evaluation.scenes.truth import climbs
from perishield.model.media import TIMESCALE
from perishield.model.vision import MOTION, Detections, TrackFrame
from perishield.rules.engine import RuleEngine
from perishield.tracking.byte_tracker import ByteTracker
from perishield.vision.motion import MotionDetector
from perishield.vision.onnx_model import as_picture

FPS = 6
WIDTH, HEIGHT = 640, 360
SURE = 0.6
Array = NDArray[np.float64]
Paint = Callable[[Array, float], None]


def yard(seconds: float, *paints: Paint, seed: int = 4) -> Iterator[tuple[float, NDArray[np.uint8]]]:
    """A textured yard with sensor noise, (time, RGB picture) at the rate of analysis; `paints` change it in place."""
    rng = np.random.default_rng(seed)
    ground = rng.normal(110, 12, (HEIGHT // 4, WIDTH // 4)).repeat(4, 0).repeat(4, 1)
    for number in range(int(seconds * FPS)):
        moment = number / FPS
        picture = ground + rng.normal(0, 3, ground.shape)
        for paint in paints:
            paint(picture, moment)
        yield moment, np.repeat(picture.clip(0, 255).astype(np.uint8)[..., None], 3, axis=2)


def person(start_s: float, speed: float = 60.0, y: float = 240.0) -> Paint:
    """A figure 24 x 96 pixels that walks to the right from the left edge, its feet at `y`."""

    def paint(picture: Array, moment: float) -> None:
        x = (moment - start_s) * speed
        if moment >= start_s and x < WIDTH - 24:
            left = int(x)
            picture[int(y) - 96 : int(y) - 76, left + 7 : left + 17] = 190
            picture[int(y) - 76 : int(y) - 40, left : left + 24] = 60
            picture[int(y) - 40 : int(y), left + 4 : left + 20] = 30

    return paint


def seen(pictures: Iterable[tuple[float, NDArray[np.uint8]]], camera: str = "a") -> list[tuple[float, Detections]]:
    detector = MotionDetector()
    result = []
    for moment, rgb in pictures:
        (found,) = detector.detect([as_picture(rgb, camera, round(moment * TIMESCALE))])
        result.append((moment, found))
    return result


def sure(result: list[tuple[float, Detections]]) -> list[tuple[float, NDArray[np.float32]]]:
    return [(moment, box) for moment, found in result for box in found.boxes[found.scores >= SURE]]


def test_somebody_who_walks_is_boxed_from_head_to_foot() -> None:
    found = sure(seen(yard(16, person(6.0))))
    moments = [moment for moment, _ in found]
    assert moments[0] < 7.5
    assert len(moments) == len(set(moments)) >= 45
    for moment, box in found:
        x = (moment - 6.0) * 60
        if 30 < x < 560:
            assert box[0] == pytest.approx(x, abs=9)
            assert box[2] == pytest.approx(x + 24, abs=9)
            assert box[3] == pytest.approx(240, abs=5)
            assert box[1] == pytest.approx(144, abs=8)


def test_what_it_finds_is_called_motion_and_nothing_more() -> None:
    for _, found in seen(yard(8, person(5.0))):
        assert found.names == (MOTION,)
        assert found.boxes.dtype == found.scores.dtype == np.float32
        assert found.boxes.shape == (len(found), 4)
        assert (found.classes == 0).all()


def test_two_people_are_two_boxes_also_after_they_passed_each_other() -> None:
    def back(picture: Array, moment: float) -> None:
        x = int(560 - (moment - 6.0) * 60)
        if moment >= 6 and x > 0:
            picture[150:250, x : x + 26] = 200

    found = sure(seen(yard(14, person(6.0), back)))
    early = [box for moment, box in found if moment == pytest.approx(8.0)]
    late = [box for moment, box in found if moment == pytest.approx(13.0)]
    assert len(early) == 2
    assert len(late) == 2


def swaying(picture: Array, moment: float) -> None:
    rng = np.random.default_rng(int(moment * 10))
    shift = int(6 * np.sin(moment * 2.1))
    picture[40:140, 420 + shift : 520 + shift : 9] = 40
    picture[40:140:11, 420 + shift : 520 + shift] += rng.normal(0, 30, 100)


def raining(picture: Array, moment: float) -> None:
    rng = np.random.default_rng(int(moment * 100) + 1)
    for x, y in rng.integers((0, 0), (WIDTH - 2, HEIGHT - 24), (100, 2)):
        picture[y : y + 22, x : x + 2] += 40


def dusk(picture: Array, moment: float) -> None:
    picture *= 1.0 - 0.02 * moment


def lamp(picture: Array, moment: float) -> None:
    if 8 <= moment < 14:
        picture *= 1.5


def cloud(picture: Array, moment: float) -> None:
    edge = np.clip((np.arange(WIDTH) - (moment - 6) * 50) / 120, 0, 1)
    picture *= 0.65 + 0.35 * edge


@pytest.mark.parametrize("nuisance", [swaying, raining, dusk, lamp, cloud])
def test_what_stays_in_place_is_never_sure(nuisance: Paint) -> None:
    assert sure(seen(yard(22, nuisance))) == []


@pytest.mark.parametrize("nuisance", [swaying, raining, dusk])
def test_a_person_is_found_in_spite_of_it(nuisance: Paint) -> None:
    found = sure(seen(yard(24, nuisance, person(14.0))))
    assert len({moment for moment, _ in found}) >= 30
    people = [box for moment, box in found if abs((box[0] + box[2]) / 2 - (moment - 14.0) * 60 - 12) < 20]
    assert len(people) >= 0.95 * len(found)


def test_a_shadow_lying_beside_somebody_does_not_move_his_feet() -> None:
    walker = person(6.0)

    def shaded(picture: Array, moment: float) -> None:
        x = int((moment - 6.0) * 60)
        if 0 <= x < WIDTH - 110:
            picture[232:240, x + 12 : x + 100] *= 0.6
        walker(picture, moment)

    found = sure(seen(yard(14, shaded)))
    middles = [(box[0] + box[2]) / 2 - ((moment - 6.0) * 60 + 12) for moment, box in found if 7.5 < moment < 13]
    assert len(middles) > 25
    assert np.median(np.abs(middles)) < 10


def test_cameras_do_not_mix_and_a_batch_is_as_good_as_single_pictures() -> None:
    alone = [found for _, found in seen(yard(12, person(6.0)))]
    detector = MotionDetector()
    together = []
    for (moment, one), (_, other) in zip(yard(12, person(6.0)), yard(12, seed=9), strict=True):
        ticks = round(moment * TIMESCALE)
        found, empty = detector.detect([as_picture(one, "a", ticks), as_picture(other, "b", ticks)])
        together.append(found)
        assert (empty.scores < SURE).all()
    for first, second in zip(alone, together, strict=True):
        assert np.array_equal(first.boxes, second.boxes)
        assert np.array_equal(first.scores, second.scores)


def test_a_new_epoch_or_size_begins_with_an_empty_yard() -> None:
    detector = MotionDetector()
    for moment, rgb in yard(10, person(3.0)):
        detector.detect([as_picture(rgb, "a", round(moment * TIMESCALE))])
    (_, rgb) = next(yard(1, seed=77))
    (after,) = detector.detect([replace(as_picture(rgb, "a", 0), epoch=2)])
    assert len(after) == 0
    (smaller,) = detector.detect([as_picture(np.ascontiguousarray(rgb[:180, :320]), "a", 90_000)])
    assert len(smaller) == 0
    detector.forget("a")
    detector.forget("nobody")


@pytest.mark.parametrize("number", [0, 1], ids=["north-fence", "south-fence"])
def test_every_climb_of_the_demo_is_found_and_nothing_else(number: int) -> None:
    """Dog, fox, walkers, trees, rain, shadows: only who comes over the fence raises the fence rule."""
    scene = replace(demo_scenes()[number], width=640, height=360)
    detector, tracker, engine = MotionDetector(), ByteTracker(FPS), RuleEngine()
    engine.configure(scene.rules)
    raised = []
    for picture, truth in frames(scene):
        if truth.index % 2:
            continue
        ticks = round(truth.time_s * TIMESCALE)
        (found,) = detector.detect([as_picture(picture, scene.name, ticks)])
        tracks = tracker.update(found, truth.time_s)
        frame = TrackFrame(
            camera=scene.name,
            epoch=1,
            stream_time=ticks,
            wall=truth.time_s,
            arrival=truth.time_s,
            width=640,
            height=360,
            tracks=tuple(tracks),
        )
        raised += [event.wall for event in engine.update(frame)]
    expected = climbs(scene)
    assert len(raised) == len(expected)
    for wall, climb in zip(sorted(raised), expected, strict=True):
        assert climb.start_s <= wall <= climb.end_s
