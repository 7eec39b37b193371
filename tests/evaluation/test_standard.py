from __future__ import annotations

from itertools import islice

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perishield.evaluation.scenes.places import LIGHTS, WEATHERS
from perishield.evaluation.standard import scene_of, seeds, suite
from perishield.model.errors import DatasetError
from perishield.model.rules import check


def test_a_suite_is_known_by_its_seed() -> None:
    assert seeds("standard", scenes=3, hours=1, seed=4) == [40000, 40001, 40002, 45000, 45001]
    assert suite("standard", scenes=4, hours=0.5) == suite("standard", scenes=4, hours=0.5)


def test_another_seed_is_another_suite() -> None:
    assert scene_of(10_003).scene != scene_of(20_003).scene


def test_every_weather_meets_every_light() -> None:
    seen = {
        (scene.tags["weather"], scene.tags["light"]) for scene in map(scene_of, seeds("standard", scenes=90, hours=0))
    }
    assert len(seen) == len(WEATHERS) * len(LIGHTS)


def test_ten_hours_are_ten_hours_and_nobody_comes_in() -> None:
    quiet = [scene_of(seed) for seed in seeds("standard", scenes=0, hours=10)]
    assert sum(scene.seconds for scene in quiet) == 36_000
    assert all(scene.quiet and not scene.events and scene.clip.expect_no_person_events for scene in quiet)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 50), st.integers(0, 300))
def test_whoever_comes_in_does_so_within_the_scene_and_across_what_is_drawn(base: int, number: int) -> None:
    scene = scene_of(base * 10_000 + number)
    assert scene.events
    assert scene.person_px > 25
    ids = {rule.id for rule in scene.rules}
    for rule in scene.rules:
        check(rule)
    for truth in scene.events:
        assert truth.rule in ids
        assert 5 < truth.time_s < scene.seconds


def test_pictures_are_the_same_whenever_they_are_asked_for() -> None:
    scene, again = scene_of(10_004), scene_of(10_004)
    last = int(scene.events[0].time_s * scene.fps) + 1
    shown = list(islice(scene.frames(), last))
    moment, picture, people = shown[-1]
    alone, seen = again.footage.at(moment)
    assert picture.shape == (360, 640, 3)
    assert np.array_equal(picture, alone)
    assert people == seen
    assert {actor.kind for actor in people} == {"person"}
    assert not np.array_equal(picture, shown[-2][1])


def test_whoever_crosses_is_where_the_truth_says() -> None:
    scene = scene_of(10_005)
    (line,) = scene.clip.lines
    before, after = (scene.footage.at(scene.events[0].time_s + late)[1][0].foot for late in (-1.0, 1.0))

    def side(foot: tuple[float, float]) -> float:
        along = (line.end[0] - line.start[0], line.end[1] - line.start[1])
        return along[0] * (foot[1] - line.start[1]) - along[1] * (foot[0] - line.start[0])

    assert side(before) < 0 < side(after)


def test_infrared_has_no_colour() -> None:
    scene = next(scene for scene in suite("standard", scenes=30, hours=0) if scene.infrared)
    picture, _ = scene.footage.at(2.0)
    spread = picture.astype(int).max(axis=2) - picture.min(axis=2)
    assert spread.max() <= 3


@pytest.mark.parametrize("arguments", [{"name": "other"}, {"name": "standard", "seed": 0}])
def test_what_there_is_not_is_refused(arguments: dict[str, object]) -> None:
    with pytest.raises(DatasetError):
        suite(**arguments)  # type: ignore[arg-type]


def test_a_seed_of_no_suite_is_refused() -> None:
    with pytest.raises(DatasetError, match="77"):
        scene_of(77)
