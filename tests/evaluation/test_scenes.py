from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest

from perishield.evaluation.scenes import (
    FrameTruth,
    Scene,
    cached,
    cached_all,
    climbs,
    demo_scenes,
    fingerprint,
    frames,
    load,
    render,
)
from perishield.evaluation.scenes.camera import View
from perishield.evaluation.scenes.compose import truths
from perishield.evaluation.scenes.scene import Actor, ClimbOver, DogLook, Go, PersonLook
from perishield.model.errors import DatasetError
from perishield.model.geometry import Point, crossing, foot, side
from perishield.model.rules import Fence, check


def tiny(scene: Scene, **changes: object) -> Scene:
    """The same camera on a small picture for two seconds, with somebody in it at once."""
    actors = (
        Actor(name="walker", look=PersonLook(), start_s=0.0, at=(16.0, -3.5), moves=(Go((10.0, -3.5), 1.4),)),
        Actor(name="dog", look=DogLook(), start_s=0.0, at=(14.0, -1.8), moves=(Go((8.0, -2.0), 2.0),)),
    )
    small = replace(scene, width=160, height=90, seconds=2.0, actors=actors)
    return replace(small, **changes)  # type: ignore[arg-type]


@pytest.fixture(params=[scene.name for scene in demo_scenes()])
def scene(request: pytest.FixtureRequest) -> Scene:
    return next(scene for scene in demo_scenes() if scene.name == request.param)


def fence_of(scene: Scene) -> Fence:
    (rule,) = [rule for rule in scene.rules if isinstance(rule, Fence)]
    return rule


def paths(frames: Iterator[FrameTruth]) -> dict[str, list[tuple[float, Point]]]:
    """Each actor's foot points, as a box's lower edge gives them, in pixels."""
    found: dict[str, list[tuple[float, Point]]] = {}
    for frame in frames:
        for seen in frame.actors:
            found.setdefault(seen.actor, []).append((frame.time_s, foot(seen.box)))
    return found


def crossings(path: list[tuple[float, Point]], line: tuple[Point, ...], scene: Scene) -> list[tuple[float, str]]:
    """(time, direction) of every crossing of a normalised line."""
    points = [(x * scene.width, y * scene.height) for x, y in line]
    found = []
    for (_, a), (time_s, b) in pairwise(path):
        for start, end in pairwise(points):
            if crossing(a, b, start, end) is not None:
                found.append((time_s, "left_to_right" if side(b, start, end) > 0 else "right_to_left"))
    return found


def test_demo_has_climbs_enough_and_well_apart() -> None:
    both = [climb for scene in demo_scenes() for climb in climbs(scene)]
    assert 2 * len(both) >= 4
    assert min(climb.crossing_s for climb in both) <= 20
    for scene in demo_scenes():
        moments = [climb.crossing_s for climb in climbs(scene)]
        gaps = [b - a for a, b in zip(moments, [*moments[1:], moments[0] + scene.seconds], strict=True)]
        assert min(gaps) >= 12


def test_rules_are_what_a_user_could_draw(scene: Scene) -> None:
    for rule in scene.rules:
        check(rule)
        assert rule.camera == scene.name


def test_climbers_cross_outer_then_inner_and_nobody_else_does(scene: Scene) -> None:
    rule = fence_of(scene)
    expected = {climb.actor: climb for climb in climbs(scene)}
    walked = paths(truths(replace(scene, fps=6)))
    assert len(walked) == len(scene.actors)
    for actor, path in walked.items():
        outer = [time_s for time_s, way in crossings(path, rule.outer, scene) if way == rule.direction]
        inner = [time_s for time_s, way in crossings(path, rule.inner, scene) if way == rule.direction]
        if actor not in expected:
            assert not outer
            assert not inner
            continue
        climb = expected[actor]
        assert len(inner) == 1
        assert max(time_s for time_s in outer if time_s <= inner[0]) >= climb.start_s
        assert climb.crossing_s <= inner[0] <= climb.end_s


def test_people_outside_keep_well_away_from_the_outer_line(scene: Scene) -> None:
    rule = fence_of(scene)
    climbing = {climb.actor for climb in climbs(scene)}
    height = scene.height
    for actor, path in paths(truths(replace(scene, fps=4))).items():
        if actor in climbing:
            continue
        for _, point in path:
            # As if a shadow or a loose blob had drawn the foot point down by 3 % of the picture's height.
            shifted = (point[0], point[1] + 0.03 * height)
            start, end = rule.outer[0], rule.outer[-1]
            ends = [(x * scene.width, y * scene.height) for x, y in (start, end)]
            outside = side(point, *ends) > 0
            assert (side(shifted, *ends) > 0) == outside


def test_boxes_stay_on_the_picture_and_feet_near_their_lower_edge(scene: Scene) -> None:
    view = View(scene.camera, scene.width, scene.height)
    seen = 0
    for frame in truths(replace(scene, fps=2)):
        for actor in frame.actors:
            x1, y1, x2, y2 = actor.box
            assert 0 <= x1 < x2 <= scene.width
            assert 0 <= y1 < y2 <= scene.height
            seen += 1
            if x1 > 0 and x2 < scene.width and y2 < scene.height:
                assert x1 - 6 <= actor.foot[0] <= x2 + 6
                assert abs(actor.foot[1] - y2) < 0.2 * (y2 - y1) + 4
                if actor.state == "walk" and actor.kind == "person":
                    column, row = view.pixel((*actor.ground, 0.0))
                    assert np.hypot(column - actor.foot[0], row - actor.foot[1]) < 0.35 * (y2 - y1) + 3
    assert seen > 40


def test_truth_without_rendering_agrees_with_what_is_drawn(scene: Scene) -> None:
    small = tiny(scene, seconds=0.5)
    drawn = [truth for _, truth in frames(small)]
    assert drawn == list(truths(small))
    assert any(frame.actors for frame in drawn) or scene.camera.heading > 180


def test_same_seed_gives_the_same_bytes_and_another_seed_does_not() -> None:
    small = tiny(demo_scenes()[1], seconds=0.5)
    first = [picture for picture, _ in frames(small)]
    again = [picture for picture, _ in frames(small)]
    other = [picture for picture, _ in frames(replace(small, seed=small.seed + 1))]
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first[0], other[0])


def test_a_body_behind_the_fence_is_veiled_and_one_before_it_is_not() -> None:
    base = demo_scenes()[0]
    light = replace(base.light, sky=(1.0, 1.0, 1.0))
    white = PersonLook(top=(0.9, 0.9, 0.9), trousers=(0.9, 0.9, 0.9), skin=(0.9, 0.9, 0.9), hair=(0.9, 0.9, 0.9))

    def brightness(y: float) -> float:
        actor = Actor(name="one", look=white, start_s=0.0, at=(12.0, y), moves=(Go((11.5, y), 0.5),))
        still = replace(
            base, width=640, height=360, seconds=0.1, fps=10, actors=(actor,), trees=(), light=light,
            weather=replace(base.weather, noise=0.0),
        )  # fmt: skip
        picture, truth = next(iter(frames(still)))
        x1, y1, x2, y2 = (int(v) for v in truth.actors[0].box)
        legs = picture[(y1 + y2) // 2 : y2, x1:x2].astype(float)
        return float(np.percentile(legs.mean(axis=2), 75))

    assert brightness(1.0) > brightness(-1.0) + 8


def test_loop_has_no_jump_at_its_seam(scene: Scene) -> None:
    """The last frame is no farther from the first than frames in a row are anywhere in the loop."""
    quiet = replace(scene, width=320, height=180, actors=(), weather=replace(scene.weather, noise=0.0, rain=0.0))
    pictures = [picture.astype(np.int16) for picture, _ in frames(replace(quiet, seconds=60.0))]
    steps = [float(np.abs(b - a).mean()) for a, b in pairwise(pictures)]
    seam = float(np.abs(pictures[0] - pictures[-1]).mean())
    assert max(steps) > 0
    assert seam <= max(steps) + 1e-6


def test_scene_is_empty_at_its_seam(scene: Scene) -> None:
    every = list(truths(replace(scene, fps=2)))
    assert not every[0].actors
    assert not every[-1].actors
    # A scene's actors must be gone when the loop ends, or they would vanish in the open.
    last = max(frame.time_s for frame in every if frame.actors)
    assert last < scene.seconds - 0.5


def test_clip_opens_as_a_camera_would_send_it(tmp_path: Path) -> None:
    small = tiny(demo_scenes()[0])
    shares: list[float] = []
    truth = render(small, tmp_path / "north.mp4", progress=shares.append)
    with av.open(str(tmp_path / "north.mp4")) as container:
        video = container.streams.video[0]
        packets = [packet for packet in container.demux(video) if packet.size]
    assert (video.codec_context.name, video.width, video.height) == ("h264", 160, 90)
    assert video.average_rate == small.fps
    assert len(packets) == small.frame_count == len(truth.frames)
    assert all(packet.pts == packet.dts for packet in packets)
    assert [index for index, packet in enumerate(packets) if packet.is_keyframe] == [0]
    assert shares == sorted(shares)
    assert shares[-1] == 1
    assert load(tmp_path / "north.json") == truth
    assert not list(tmp_path.glob(".*"))


def test_key_frames_come_every_two_seconds(tmp_path: Path) -> None:
    render(tiny(demo_scenes()[0], seconds=5.0, fps=6, actors=()), tmp_path / "clip.mp4")
    with av.open(str(tmp_path / "clip.mp4")) as container:
        keys = [index for index, packet in enumerate(container.demux(video=0)) if packet.is_keyframe]
    assert keys == [0, 12, 24]


def test_cached_renders_once_and_drops_what_is_outdated(tmp_path: Path) -> None:
    small = tiny(demo_scenes()[0], seconds=0.5)
    first = cached(small, tmp_path)
    stamp = first.video.stat().st_mtime_ns
    assert cached(small, tmp_path) == first
    assert first.video.stat().st_mtime_ns == stamp
    changed = cached(replace(small, seed=99), tmp_path)
    assert changed.video != first.video
    assert not first.video.exists()
    assert not first.truth.exists()


def test_cached_renders_again_when_the_truth_is_broken(tmp_path: Path) -> None:
    small = tiny(demo_scenes()[0], seconds=0.5)
    clip = cached(small, tmp_path)
    clip.truth.write_text("{")
    assert load(cached(small, tmp_path).truth).scene == small.name


def test_several_scenes_render_together(tmp_path: Path) -> None:
    two = [tiny(scene, seconds=0.25) for scene in demo_scenes()]
    told: dict[str, float] = {}
    clips = cached_all(two, tmp_path, told.__setitem__)
    assert [clip.scene for clip in clips] == [scene.name for scene in two]
    assert all(clip.video.exists() for clip in clips)
    assert set(told.values()) == {1.0}


def test_truth_that_is_none_is_told(tmp_path: Path) -> None:
    broken = tmp_path / "clip.json"
    broken.write_text(json.dumps({"frames": []}))
    with pytest.raises(DatasetError, match=r"clip\.json.*render the scene again"):
        load(broken)


def test_fingerprint_follows_every_detail() -> None:
    one, two = demo_scenes()
    assert fingerprint(one) != fingerprint(two)
    assert fingerprint(one) == fingerprint(demo_scenes()[0])
    moved = replace(one, actors=(*one.actors[1:],))
    assert fingerprint(moved) != fingerprint(one)


def test_climb_in_truth_begins_and_ends_with_its_moves() -> None:
    base = demo_scenes()[0]
    climber = Actor(
        name="one", look=PersonLook(), start_s=1.0, at=(10.0, -2.45), moves=(Go((10.0, -0.45), 1.0), ClimbOver(6.0))
    )
    (climb,) = climbs(replace(base, actors=(climber,)))
    assert climb.start_s == pytest.approx(3.0, abs=0.05)
    assert climb.start_s < climb.crossing_s < climb.end_s
    assert climb.end_s == pytest.approx(9.0, abs=0.05)
