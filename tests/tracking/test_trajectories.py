from __future__ import annotations

import pytest

from perishield.model.ground import GroundPlane, GroundPoint
from perishield.model.vision import TrackBox, TrackFrame
from perishield.tracking.trajectories import Trajectories


def frame(wall: float, *tracks: TrackBox, camera: str = "gate") -> TrackFrame:
    return TrackFrame(
        camera=camera, epoch=1, stream_time=0, wall=wall, arrival=wall, width=1000, height=500, tracks=tracks
    )


def track(x: float, number: int = 1, *, seen: bool = True) -> TrackBox:
    return TrackBox(number, "person", 0.8, (x - 10, 200, x + 10, 250), 5, seen, (100.0, 0.0))


def test_a_way_is_known_while_it_is_made_and_ends_when_nobody_is_seen() -> None:
    ways = Trajectories()
    for picture in range(20):
        assert ways.take(frame(picture / 5, track(100 + 20 * picture))) == []
    (way,) = ways.live("gate")
    assert (way.label, way.start, way.end, len(way.path)) == ("person", 0, 3.8, 20)
    assert way.path[-1] == pytest.approx((3.8, 0.48, 0.5))
    assert way.velocity == pytest.approx((0.1, 0))
    assert list(ways.live("yard")) == []
    assert ways.end_lost(8.7) == []
    (ended,) = ways.end_lost(8.9)
    first, last = ended.path
    assert first == pytest.approx((0, 0.1, 0.5))
    assert last == pytest.approx((3.8, 0.48, 0.5))
    assert len(ways) == 0


def test_what_is_only_predicted_is_no_part_of_a_way_and_two_pictures_are_none() -> None:
    ways = Trajectories()
    ways.take(frame(0, track(100)))
    ways.take(frame(1, track(110)))
    ways.take(frame(2, track(120, seen=False)))
    assert len(next(ways.live()).path) == 2
    assert ways.end_lost(100) == []
    assert len(ways) == 0


def test_a_clock_set_back_ends_ways_instead_of_keeping_them_forever() -> None:
    ways = Trajectories()
    for picture in range(3):
        ways.take(frame(1000 + picture, track(100)))
    assert len(ways.end_lost(10)) == 1


def test_a_way_of_a_whole_day_stays_small() -> None:
    ways = Trajectories()
    for picture in range(20_000):
        ways.take(frame(picture / 5, track(500 + 400 * ((picture * 37) % 101 - 50) / 50)))
    (way,) = ways.live()
    assert len(way.path) <= 512
    assert way.path[0][0] == 0
    assert way.path[-1][0] == pytest.approx(19_999 / 5)


def test_speed_is_in_metres_where_the_ground_is_known() -> None:
    ways = Trajectories()
    corners = ((0, 1), (1, 1), (0, 0), (1, 0))
    points = tuple(GroundPoint(picture=(x, y), site=(20 * x, 10 - 10 * y)) for x, y in corners)
    ways.calibrate({"gate": GroundPlane(points=points, matrix=(20, 0, 0, 0, -10, 10, 0, 0, 1), error_m=0)})
    ways.take(frame(0, track(100)))
    ways.take(frame(0, track(100), camera="yard"))
    by_camera = {way.camera: way.metres_per_s for way in ways.live()}
    assert by_camera == {"gate": pytest.approx(2.0), "yard": None}
