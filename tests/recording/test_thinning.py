from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from perishield.model.media import TIMESCALE
from perishield.recording.thinning import KeyFrame, Thinner, key_frame_chunk


@given(
    speed=st.sampled_from([4.0, 8.0, 16.0]),
    gop_s=st.floats(0.2, 10),
    size=st.integers(100, 500_000),
    rate=st.floats(1_000, 2_000_000),
)
def test_no_more_bytes_a_second_than_the_footage_has_or_one_picture(
    speed: float, gop_s: float, size: int, rate: float
) -> None:
    thinner = Thinner(speed)
    taken = [number for number in range(400) if thinner.takes(round(number * gop_s * TIMESCALE), size, rate)]
    watched = 400 * gop_s / speed
    assert taken[0] == 0
    assert len(taken) * size <= (watched + 2) * max(rate, size) + 2 * size
    gaps = [(after - before) * gop_s / speed for before, after in pairwise(taken)]
    assert all(gap < 1 + gop_s / speed + 1e-6 for gap in gaps), "there is a picture every second of watching"


def test_a_frame_is_held_until_it_is_known_how_long_it_lasts() -> None:
    thinner = Thinner(8)
    first, second = KeyFrame(0, 0, b"one"), KeyFrame(90_000, 7200, b"two")
    assert [thinner.hold(first), thinner.hold(second), thinner.hold(None), thinner.hold(None)] == [
        None,
        first,
        second,
        None,
    ]
    chunk = key_frame_chunk(second, 180_000)
    assert chunk.endswith(b"mdattwo")
