from __future__ import annotations

from collections.abc import Callable

import pytest

from perishield.model.alarms import Event, EventKind
from perishield.model.rules import Fence

Walk = Callable[..., list[Event]]

OUTSIDE, BETWEEN, INSIDE = (500, 800), (500, 520), (500, 250)


def fence(**changes: object) -> Fence:
    """Outside is below, inside above; both lines run from left to right, so inwards is right to left."""
    values: dict[str, object] = {
        "id": "f",
        "camera": "yard",
        "name": "fence",
        "cooldown_s": 0,
        "outer": ((0.1, 0.6), (0.9, 0.6)),
        "inner": ((0.1, 0.45), (0.9, 0.45)),
        "direction": "right_to_left",
    }
    return Fence(**(values | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize("rate", [5, 6, 12.5, 25])
def test_outer_then_inner_is_one_event_at_the_inner_line(walk: Walk, rate: float) -> None:
    (event,) = walk(fence(), [OUTSIDE, INSIDE], rate=rate)
    assert event.kind is EventKind.FENCE
    assert event.direction == "right_to_left"
    assert event.point == pytest.approx((0.5, 0.45))
    assert event.wall == pytest.approx(1_000_000 + 350 / 80)


def test_the_other_way_is_nothing(walk: Walk) -> None:
    assert walk(fence(), [INSIDE, OUTSIDE]) == []
    assert len(walk(fence(direction="left_to_right", outer=fence().inner, inner=fence().outer), [INSIDE, OUTSIDE])) == 1


def test_inner_before_outer_is_nothing(walk: Walk) -> None:
    swapped = fence(outer=fence().inner, inner=fence().outer)
    assert walk(swapped, [OUTSIDE, INSIDE]) == []


def test_one_line_alone_is_nothing(walk: Walk) -> None:
    assert walk(fence(), [OUTSIDE, BETWEEN, OUTSIDE]) == []
    assert walk(fence(), [BETWEEN, INSIDE]) == []


def test_around_the_end_of_the_outer_line_is_nothing(walk: Walk) -> None:
    assert walk(fence(outer=((0.3, 0.6), (0.9, 0.6))), [(200, 800), (200, 520), (500, 520), INSIDE]) == []


def test_too_late_is_nothing(walk: Walk) -> None:
    loiter = [OUTSIDE, BETWEEN, (300, 520), (700, 520), (300, 520), BETWEEN, INSIDE]
    assert len(walk(fence(within_s=20), loiter)) == 1
    assert walk(fence(within_s=10), loiter) == []


def test_a_climber_seen_from_outside_rises_over_both_lines(walk: Walk) -> None:
    top, landing = (500, 400), (500, 440)
    assert len(walk(fence(), [OUTSIDE, (500, 590), top, landing, INSIDE], speed=60)) == 1


def test_a_climber_seen_from_inside_rises_back_over_the_outer_line_first(walk: Walk) -> None:
    from_above = fence(outer=((0.1, 0.4), (0.9, 0.4)), inner=((0.1, 0.55), (0.9, 0.55)), direction="left_to_right")
    way = [(500, 250), (500, 420), (500, 330), (500, 700)]
    (event,) = walk(from_above, way, speed=60)
    assert event.point == pytest.approx((0.5, 0.55))


def test_coming_back_over_the_inner_line_needs_the_outer_one_again(walk: Walk) -> None:
    assert len(walk(fence(), [OUTSIDE, INSIDE, BETWEEN, INSIDE])) == 1
    assert len(walk(fence(), [OUTSIDE, INSIDE, OUTSIDE, INSIDE])) == 2


def test_lines_closer_than_the_margin_still_count_in_order(walk: Walk) -> None:
    close = fence(inner=((0.1, 0.597), (0.9, 0.597)))
    assert len(walk(close, [OUTSIDE, INSIDE], rate=5)) == 1
    assert walk(close, [INSIDE, OUTSIDE], rate=5) == []
