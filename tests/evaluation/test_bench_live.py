"""The clock that is filmed can be read back, and drift is what is left of a slope with hiccups in it."""

from __future__ import annotations

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perishield.evaluation.bench_live import drift
from perishield.evaluation.clock_camera import FIELD_HEIGHT, FIELDS, WIDTH, Film, fields


@given(st.integers(0, 2**41))
def test_fields_hold_the_time_and_its_check(milliseconds: int) -> None:
    bits = "".join("1" if field else "0" for field in fields(milliseconds))
    value, check = int(bits[:32], 2), int(bits[32:], 2)
    assert value == milliseconds % 2**32
    assert check == (sum(value.to_bytes(4, "big")) * 29 + 85) % 256


def test_the_clock_survives_the_encoder() -> None:
    film, decoder = Film(), av.CodecContext.create("h264", "r")
    moments = [1_790_000_000.123 + index * 0.04 for index in range(60)]
    seen = []
    for index, moment in enumerate(moments):
        for frame in decoder.decode(av.Packet(film.take(moment, index * 3600))):
            row = frame.to_ndarray(format="gray")[FIELD_HEIGHT // 2]
            step = WIDTH // FIELDS
            seen.append([int(row[field * step + step // 2]) > 128 for field in range(FIELDS)])
    seen += [[] for _ in decoder.decode(None)]
    assert seen[: len(moments) - 2] == [fields(int(moment * 1000)) for moment in moments][: len(moments) - 2]


@given(slope=st.floats(-200, 200), base=st.floats(20, 500))
def test_drift_is_the_slope_whatever_single_pictures_do(slope: float, base: float) -> None:
    samples = [
        (second / 10, base + slope * second / 600 + (400 if second % 97 == 0 else 0)) for second in range(3 * 600)
    ]
    assert drift(samples) == pytest.approx(slope, abs=0.5)
    assert drift(samples[:20]) == 0.0
