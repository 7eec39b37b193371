"""Scoring a demo run: each climb once, extras are false, latency from the deciding frame."""

from __future__ import annotations

from hypothesis import given, strategies

from perishield.evaluation.demo_score import HeardAlarm, SceneTimeline, TrueClimb, percentile, score


def alarm(name: str, wall: float, camera: str = "north", delay: float = 0.4) -> HeardAlarm:
    return HeardAlarm(name, camera, wall, wall + 0.1, wall + 0.1 + delay)


def test_a_climb_is_found_once_and_a_second_alarm_for_it_is_false() -> None:
    result = score([TrueClimb("north", 10, 14)], [alarm("a", 12), alarm("b", 13)])
    assert (result["climbs"], result["found"], result["missed"], result["false"]) == (1, 1, 0, 1)


def test_another_camera_or_time_does_not_count() -> None:
    result = score([TrueClimb("north", 10, 14)], [alarm("a", 12, "south"), alarm("b", 30)])
    assert (result["found"], result["missed"], result["false"]) == (0, 1, 2)


def test_latency_runs_from_the_arrival_of_the_deciding_frame() -> None:
    result = score([TrueClimb("north", 10, 14)], [alarm("a", 12, delay=0.25)])
    assert result["latency_ms_p50"] == result["latency_ms_p95"] == 250.0


def test_no_alarm_has_no_latency() -> None:
    assert score([TrueClimb("north", 10, 14)], [])["latency_ms_p95"] is None


def test_climbs_repeat_with_the_loop_and_only_whole_ones_count() -> None:
    line = SceneTimeline("north", started=100.0, length_s=60.0, climbs=((15.0, 20.0), (40.0, 45.0)))
    starts = [climb.start for climb in line.between(110.0, 225.0)]
    assert starts == [115.0, 140.0, 175.0, 200.0]
    assert [climb.start for climb in line.between(116.0, 184.0)] == [140.0, 175.0]
    assert line.between(0.0, 118.0) == []


@given(strategies.lists(strategies.floats(0, 1e6), min_size=1))
def test_percentiles_are_values_that_occurred_in_order(values: list[float]) -> None:
    ordered = sorted(values)
    assert round(ordered[0], 1) <= percentile(ordered, 50) <= percentile(ordered, 95) <= round(ordered[-1], 1)  # type: ignore[operator]
