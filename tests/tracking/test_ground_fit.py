from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perishield.model.errors import GroundError
from perishield.model.geometry import Point
from perishield.model.ground import Ground, GroundPoint
from perishield.tracking.ground_fit import fit_ground

WIDTH, HEIGHT = 1280, 720
CORNERS = ((-4.0, 6.0), (4.0, 6.0), (-5.0, 20.0), (5.0, 20.0))


class Pole:
    """A pinhole camera on a pole at the plan's origin: looks north (turned by `turn`), `tilt` below the horizon."""

    def __init__(self, high: float = 5.0, tilt: float = 20.0, turn: float = 0.0, focal: float = 900.0) -> None:
        self.high, self.focal = high, focal
        self.tilt, self.turn = math.radians(tilt), math.radians(turn)

    def pixel(self, x: float, y: float, z: float = 0.0) -> Point:
        x, y = x * math.cos(self.turn) - y * math.sin(self.turn), x * math.sin(self.turn) + y * math.cos(self.turn)
        drop = self.high - z
        depth = y * math.cos(self.tilt) + drop * math.sin(self.tilt)
        down = drop * math.cos(self.tilt) - y * math.sin(self.tilt)
        assert depth > 0
        return WIDTH / 2 + self.focal * x / depth, HEIGHT / 2 + self.focal * down / depth

    def pair(self, x: float, y: float) -> GroundPoint:
        u, v = self.pixel(x, y)
        return GroundPoint(picture=(u / WIDTH, v / HEIGHT), site=(x, y))

    def ground(self, corners: tuple[Point, ...] = CORNERS) -> Ground:
        return Ground(fit_ground([self.pair(*corner) for corner in corners]), WIDTH, HEIGHT)


@settings(max_examples=50, deadline=None)
@given(st.floats(2, 20), st.floats(8, 60), st.floats(-25, 25), st.floats(500, 3000), st.floats(-4, 4), st.floats(7, 18))
def test_every_place_is_found_again(high: float, tilt: float, turn: float, focal: float, x: float, y: float) -> None:
    pole = Pole(high, tilt, turn, focal)
    ground = pole.ground()
    (found,) = ground.project([pole.pixel(x, y)])
    assert found == pytest.approx((x, y), abs=1e-6)
    assert ground.valid(pole.pixel(x, y))


@settings(max_examples=50, deadline=None)
@given(st.floats(3, 12), st.floats(10, 45), st.floats(-25, 25), st.floats(600, 2500), st.floats(0.5, 2.5))
def test_heights_are_known_where_the_camera_looks_from_the_side(
    high: float, tilt: float, turn: float, focal: float, tall: float
) -> None:
    pole = Pole(high, tilt, turn, focal)
    foot, head = pole.pixel(1, 10), pole.pixel(1, 10, tall)
    box = (foot[0] - 20, head[1], foot[0] + 20, foot[1])
    assert pole.ground().height(box) == pytest.approx(tall, rel=1e-4)
    assert pole.ground().upright(foot, tall) == pytest.approx(foot[1] - head[1], rel=1e-4)


def test_a_camera_that_looks_straight_down_knows_widths_but_no_heights() -> None:
    corners = ((0, 1), (1, 1), (0, 0), (1, 0))
    pairs = [GroundPoint(picture=(x, y), site=(12.8 * x, 7.2 - 7.2 * y)) for x, y in corners]
    ground = Ground(fit_ground(pairs), WIDTH, HEIGHT)
    assert ground.height((100, 100, 150, 200)) is None
    assert ground.upright((125, 200), 1.7) is None
    assert ground.width((100, 100, 150, 200)) == pytest.approx(0.5)


def test_speed_and_scale_are_the_projections_own() -> None:
    pole = Pole(turn=10)
    ground = pole.ground()
    before, now, after = pole.pixel(1, 9.99), pole.pixel(1, 10), pole.pixel(1, 10.01)
    velocity = ((after[0] - before[0]) * 50, (after[1] - before[1]) * 50)
    assert ground.velocity(now, velocity) == pytest.approx((0, 1), abs=1e-3)
    assert ground.speed(now, velocity) == pytest.approx(1, rel=1e-3)
    left, right = ground.project([(600, 500), (601, 500)])
    assert ground.scale_at((600.5, 500)) == pytest.approx(math.dist(left, right), rel=1e-3)


def test_neither_sky_nor_far_beyond_the_points_is_believed() -> None:
    pole = Pole()
    ground = pole.ground()
    assert ground.valid(pole.pixel(0, 40))
    assert not ground.valid(pole.pixel(0, 200))
    assert not ground.valid((640, 0))
    assert ground.width((600, -50, 640, 0)) is None
    assert ground.height((600, -50, 640, 0)) is None
    assert ground.upright((620, 0), 1.7) is None


def test_another_picture_size_is_the_same_ground() -> None:
    pole = Pole()
    plane = fit_ground([pole.pair(*corner) for corner in CORNERS])
    u, v = pole.pixel(2, 9)
    assert Ground(plane, WIDTH // 2, HEIGHT // 2).project([(u / 2, v / 2)])[0] == pytest.approx((2, 9))


def test_more_points_share_their_errors_and_the_error_is_told() -> None:
    pole = Pole()
    pairs = [pole.pair(*place) for place in (*CORNERS, (0, 12), (3, 15))]
    off = [*pairs[:-1], GroundPoint(picture=pairs[-1].picture, site=(3.3, 15))]
    assert fit_ground(pairs).error_m == pytest.approx(0, abs=1e-9)
    assert 0.01 < fit_ground(off).error_m < 0.3


def pairs_of(*rows: tuple[float, float, float, float]) -> list[GroundPoint]:
    return [GroundPoint(picture=(u, v), site=(x, y)) for u, v, x, y in rows]


GOOD = ((0.1, 0.9, -4, 5), (0.9, 0.9, 4, 5), (0.3, 0.4, -4, 20), (0.7, 0.4, 4, 20))


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        (GOOD[:3], "at least four"),
        (((0.1, 0.9, 0, 0), (0.2, 0.8, 1, 1), (0.3, 0.7, 2, 2), (0.4, 0.6, 3, 3)), "one line"),
        ((*GOOD[:3], (0.2, 0.65, 3, 12)), "one line"),
        ((*GOOD[:3], GOOD[2]), "one line"),
        ((GOOD[0],) * 4, "one line"),
        (tuple((u, v, x, -y) for u, v, x, y in GOOD), "mirrored"),
        (tuple((u, v, y, x) for u, v, x, y in GOOD), "mirrored"),
        ((GOOD[0], GOOD[1], (*GOOD[2][:2], *GOOD[3][2:]), (*GOOD[3][:2], *GOOD[2][2:])), "horizon"),
        ((*GOOD, (0.5, 0.6, 30, 9)), "point 5|horizon"),
        ((*GOOD[:3], (0.7, 0.4, math.nan, 20)), "finite"),
    ],
)
def test_points_that_make_no_plane_are_refused(rows: tuple[tuple[float, float, float, float], ...], says: str) -> None:
    with pytest.raises(GroundError, match=says) as caught:
        fit_ground(pairs_of(*rows))
    assert caught.value.code == "ground_invalid"


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(*[st.floats(0, 1)] * 2, *[st.floats(-1e6, 1e6)] * 2), min_size=4, max_size=6))
def test_any_points_make_a_plane_or_a_clear_refusal(rows: list[tuple[float, float, float, float]]) -> None:
    try:
        plane = fit_ground(pairs_of(*rows))
    except GroundError:
        return
    ground = Ground(plane, 100, 100)
    assert all(ground.valid((u * 100, v * 100)) for u, v, _, _ in rows)
