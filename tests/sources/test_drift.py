"""Stream time beside the host's clock, for cameras whose own runs at another rate than they tell."""

from __future__ import annotations

import random

import pytest

from perishield.model.media import TIMESCALE
from perishield.sources.rtsp.clock import RtpClock
from perishield.sources.rtsp.drift import Drift


def run(
    true_rate: float, seconds: int, *, delay=lambda second, noise: noise.uniform(0, 0.3)
) -> tuple[list[float], int]:
    """Leads of stream time over the host after every second, and how many corrections there were."""
    clock, drift = RtpClock(0), Drift(TIMESCALE)
    noise = random.Random(3)
    leads, corrections, first = [], 0, None
    for frame in range(seconds * 25):
        taken = frame / 25
        arrival = 500.0 + taken + delay(taken, noise)
        clock.ticks(int(taken * true_rate) & 0xFFFFFFFF, arrival)
        first = clock.lead_s if first is None else first
        if frame % 12 == 0 and (rate := drift.look(clock.lead_s, arrival)):
            clock.retune(rate)
            corrections += 1
        if frame % 25 == 24:
            leads.append(clock.position[1] / TIMESCALE - taken)
    return leads, corrections


@pytest.mark.parametrize("true_rate", [TIMESCALE * 1.2, TIMESCALE * 0.8, TIMESCALE * 1.01, TIMESCALE * 0.99, 48_000])
def test_a_clock_at_another_rate_is_followed(true_rate):
    leads, corrections = run(true_rate, 1800)
    assert corrections > 0
    assert max(abs(lead) for lead in leads[-600:]) < 3


def test_quartz_stays_within_seconds_for_a_day():
    leads, corrections = run(TIMESCALE * (1 + 200e-6), 86_400)
    assert max(abs(lead) for lead in leads) < 2.5
    assert 0 < corrections < 500


def test_a_good_clock_is_left_alone():
    assert run(TIMESCALE, 3600)[1] == 0


def test_a_network_that_is_late_for_half_a_minute_is_no_drift():
    late = lambda second, noise: max(0.0, 20.0 - (second - 300)) if second > 300 else noise.uniform(0, 0.1)  # noqa: E731
    leads, corrections = run(TIMESCALE, 900, delay=late)
    assert corrections == 0
    assert max(abs(lead) for lead in leads) < 0.2
