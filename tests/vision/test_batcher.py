"""Whose picture comes next, and who gives way."""

from __future__ import annotations

import threading
import time
from collections import Counter, defaultdict

from hypothesis import given
from hypothesis import strategies as st

from perishield.vision.batcher import Batcher, Urgency


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_cameras_take_turns_however_much_one_of_them_brings() -> None:
    batcher: Batcher[str] = Batcher(most_each=50)
    for number in range(50):
        batcher.put("loud", f"loud {number}", Urgency.OPEN)
    for camera in ("a", "b", "c"):
        batcher.put(camera, camera, Urgency.OPEN)
    assert set(batcher.take(4, 0.0)) == {"loud 0", "a", "b", "c"}


def test_a_heavier_camera_gets_its_share_more_often() -> None:
    batcher: Batcher[str] = Batcher(most_each=90)
    for _ in range(90):
        batcher.put("heavy", "heavy", Urgency.OPEN, weight=3)
        batcher.put("light", "light", Urgency.OPEN)
    assert Counter(batcher.take(40, 0.0)) == {"heavy": 30, "light": 10}


def test_what_is_followed_comes_before_what_is_open_and_that_before_idle_pictures() -> None:
    batcher: Batcher[str] = Batcher()
    batcher.put("idle", "idle", Urgency.IDLE)
    batcher.put("open", "open", Urgency.OPEN)
    batcher.put("followed", "followed", Urgency.FOLLOWED)
    assert batcher.take(9, 0.0) == ["followed", "open", "idle"]


def test_what_waited_too_long_is_as_urgent_as_any() -> None:
    clock = Clock()
    batcher: Batcher[str] = Batcher(most_each=100, starve_s=1.0, clock=clock)
    batcher.put("idle", "idle", Urgency.IDLE)
    clock.now += 1.5
    for _ in range(20):
        batcher.put("followed", "followed", Urgency.FOLLOWED)
    assert "idle" in batcher.take(2, 0.0)


def test_a_full_camera_loses_its_oldest_picture_and_nobody_elses() -> None:
    batcher: Batcher[int] = Batcher(most_each=3)
    batcher.put("other", 100, Urgency.IDLE)
    for number in range(5):
        batcher.put("full", number, Urgency.OPEN)
    assert not batcher.has_room("full")
    assert batcher.has_room("other")
    assert batcher.take(9, 0.0) == [2, 3, 4, 100]
    assert batcher.dropped == {"full": 2}


def test_memory_is_bounded_and_idle_pictures_give_way_first() -> None:
    batcher: Batcher[str] = Batcher(most_bytes=1000)
    batcher.put("idle", "idle", Urgency.IDLE, size=400)
    batcher.put("open", "open 1", Urgency.OPEN, size=400)
    batcher.put("open", "open 2", Urgency.OPEN, size=400)
    assert batcher.dropped == {"idle": 1}
    assert batcher.take(9, 0.0) == ["open 1", "open 2"]
    batcher.put("huge", "huge", Urgency.OPEN, size=5000)
    assert batcher.take(9, 0.0) == ["huge"], "one picture is looked at however large it is"


def test_it_waits_for_company_no_longer_than_told() -> None:
    batcher: Batcher[str] = Batcher()
    batcher.put("a", "a", Urgency.OPEN)
    began = time.monotonic()
    assert batcher.take(8, 5.0, wait_s=0.05) == ["a"]
    assert 0.04 <= time.monotonic() - began < 4.0
    batcher.put("a", "a", Urgency.OPEN)
    later = threading.Timer(0.05, batcher.put, ("b", "b", Urgency.OPEN))
    later.start()
    assert batcher.take(2, 5.0, wait_s=30.0) == ["a", "b"], "a full batch does not wait any more"
    later.join()


def test_whom_nobody_watches_any_more_is_not_looked_at() -> None:
    batcher: Batcher[str] = Batcher()
    batcher.put("gone", "gone", Urgency.OPEN, size=10)
    batcher.forget("gone")
    assert batcher.take(8, 0.0) == []


@given(
    st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from(list(Urgency)), st.integers(1, 400)), max_size=80),
    st.lists(st.integers(1, 8), max_size=80),
    st.sampled_from([1200, 1 << 30]),
)
def test_order_is_kept_bounds_hold_and_all_is_accounted_for(
    puts: list[tuple[str, Urgency, int]], takes: list[int], most_bytes: int
) -> None:
    batcher: Batcher[tuple[str, int, int]] = Batcher(most_each=5, most_bytes=most_bytes)
    numbers: Counter[str] = Counter()
    got: dict[str, list[int]] = defaultdict(list)
    left = list(takes)
    for camera, urgency, size in puts:
        batcher.put(camera, (camera, numbers[camera], size), urgency, size=size)
        numbers[camera] += 1
        if left and left[-1] % 2:
            for name, number, _ in batcher.take(left.pop(), 0.0):
                got[name].append(number)
    rest = batcher.take(1000, 0.0)
    assert sum(size for _, _, size in rest) <= most_bytes
    assert all(count <= 5 for count in Counter(name for name, _, _ in rest).values())
    for name, number, _ in rest:
        got[name].append(number)
    for camera, count in numbers.items():
        assert got[camera] == sorted(set(got[camera]))
        assert len(got[camera]) + batcher.dropped[camera] == count
        if most_bytes > 1200:
            assert got[camera][-1] == count - 1, "of one camera's pictures the newest wins"
