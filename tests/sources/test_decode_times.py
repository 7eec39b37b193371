from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from perishield.sources.decode_times import DecodeTimes


@given(st.integers(0, 3), st.lists(st.integers(0, 3), max_size=20))
def test_decode_times_rise_and_never_pass_presentation(reorder, groups):
    """A key frame, then a frame shown later and up to `reorder` that are shown before it, again and again."""
    order, start = [0], 1
    for size in groups:
        before = min(size, reorder)
        order += [start + before, *range(start, start + before)]
        start += before + 1
    times = DecodeTimes()
    times.configure(1 if reorder else 0, 3600)
    pairs = [times.times(times.delay + 3600 * place) for place in order]
    assert all(later[0] > earlier[0] for earlier, later in pairwise(pairs))
    assert [pts for _, pts in pairs] == [(3600 if reorder else 0) + 3600 * place for place in order]
    assert all(dts <= pts for dts, pts in pairs)


@given(st.lists(st.integers(0, 10**6), max_size=80), st.integers(0, 4))
def test_whatever_comes_decode_times_rise(stamps, reorder):
    times = DecodeTimes()
    times.configure(reorder, 0)
    pairs = [times.times(stamp) for stamp in stamps]
    assert all(later[0] > earlier[0] for earlier, later in pairwise(pairs))
    assert all(dts <= pts for dts, pts in pairs)


def test_an_untold_reorder_depth_is_learnt():
    times = DecodeTimes()
    pairs = [times.times(pts * 3600) for pts in (0, 3, 1, 2, 6, 4, 5, 9, 7, 8, 12, 10, 11)]
    assert times.reorder >= 1
    assert [pts for _, pts in pairs[7:]] == [pts * 3600 for pts in (9, 7, 8, 12, 10, 11)]
