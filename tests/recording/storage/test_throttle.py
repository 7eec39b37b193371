"""The bound on bytes a second, by the bytes and the waits it asks for, not by a stop-watch."""

from __future__ import annotations

import threading

from hypothesis import given
from hypothesis import strategies as st

from perishield.recording.storage.throttle import Throttle


class Clock:
    """Time that passes only by waiting."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now

    def wait(self, seconds: float) -> None:
        self.now += seconds


@given(st.lists(st.integers(1, 5_000_000), min_size=1, max_size=50), st.integers(1000, 10_000_000))
def test_never_lets_more_pass_than_the_rate_and_one_second_saved(sizes: list[int], rate: int) -> None:
    clock = Clock()
    throttle = Throttle(rate, clock=clock, wait=clock.wait)
    for size in sizes:
        throttle.take(size)
        assert throttle.passed <= rate * (clock.now - 100.0 + 1.0) + 1
    assert throttle.passed == sum(sizes)
    assert clock.now - 100.0 <= sum(sizes) / rate + 1e-6


def test_no_rate_means_no_waiting() -> None:
    clock = Clock()
    throttle = Throttle(0, clock=clock, wait=clock.wait)
    throttle.take(1 << 40)
    assert clock.now == 100.0


def test_saves_up_no_more_than_a_second() -> None:
    clock = Clock()
    throttle = Throttle(1000, clock=clock, wait=clock.wait)
    clock.now += 3600
    throttle.take(1000)
    began = clock.now
    throttle.take(1000)
    assert clock.now - began == 1.0


def test_the_end_lets_everybody_go() -> None:
    throttle = Throttle(1)
    throttle.take(1)
    thread = threading.Thread(target=throttle.take, args=(1 << 30,), daemon=True)
    thread.start()
    throttle.stop()
    thread.join(10)
    assert not thread.is_alive()
