from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perishield.evaluation.mot_score import MotFrame, score


def frames(*pictures: dict[int, float]) -> list[MotFrame]:
    """Boxes 10 x 10 at the given x, by id."""
    return [
        MotFrame(
            np.array(list(picture), np.intp),
            np.array([[x, 0, x + 10, 10] for x in picture.values()], float).reshape(-1, 4),
        )
        for picture in pictures
    ]


def test_the_same_is_perfect_whatever_the_ids() -> None:
    truth = frames({1: 0, 2: 50}, {1: 5, 2: 50}, {2: 50})
    found = frames({8: 0, 9: 50}, {8: 5, 9: 50}, {9: 50})
    perfect = score(truth, found)
    assert (perfect.mota, perfect.idf1, perfect.hota, perfect.switches) == pytest.approx((1, 1, 1, 0))


def test_a_track_that_changes_its_id_once_in_the_middle() -> None:
    truth = frames(*[{1: 0}] * 10)
    found = frames(*[{7: 0}] * 5, *[{8: 0}] * 5)
    changed = score(truth, found)
    assert changed.switches == 1
    assert changed.mota == pytest.approx(0.9)
    assert changed.idf1 == pytest.approx(2 * 5 / 20)
    # Each half: 5 boxes together, of 10 + 5 - 5 of either; detection is perfect.
    assert changed.hota == pytest.approx(0.5**0.5)


def test_a_miss_and_an_extra_box_count_once_each() -> None:
    truth = frames({1: 0}, {1: 0}, {1: 0}, {1: 0})
    found = frames({7: 0}, {}, {7: 0, 9: 200}, {7: 0})
    one = score(truth, found)
    assert (one.mota, one.switches) == (pytest.approx(0.5), 0)
    assert one.idf1 == pytest.approx(2 * 3 / 8)
    # 3 hits of 4 + 4 - 3 boxes; association of 3 boxes together out of 4 + 3 - 3.
    assert one.hota == pytest.approx((3 / 5 * 3 / 4) ** 0.5)


def test_boxes_that_overlap_by_a_third_count_for_the_lower_demands_of_hota_only() -> None:
    third = score(frames({1: 0}), frames({1: 5}))
    assert (third.mota, third.idf1) == (-1.0, 0.0)
    assert third.hota == pytest.approx(6 / 19)


def test_who_was_followed_stays_followed_although_another_box_fits_better() -> None:
    truth = frames({1: 0}, {1: 0})
    assert score(truth, frames({7: 0}, {7: 2, 8: 0})).switches == 0


def test_nothing_at_all_and_nothing_found() -> None:
    nothing = frames({}, {})
    assert score(nothing, nothing).hota == 1
    assert score(frames({1: 0}), frames({})).mota == 0
    assert score([], []).idf1 == 1


def test_an_id_twice_in_one_picture_is_refused() -> None:
    twice = [MotFrame(np.array([1, 1]), np.array([[0, 0, 10, 10], [20, 0, 30, 10]], float))]
    with pytest.raises(ValueError, match="twice"):
        score(twice, twice)


pictures = st.lists(st.dictionaries(st.integers(1, 5), st.floats(0, 60), max_size=5), min_size=1, max_size=8)


@settings(max_examples=60, deadline=None)
@given(pictures, st.data())
def test_scores_are_shares_and_no_names_matter(truth: list[dict[int, float]], data: st.DataObject) -> None:
    found = data.draw(
        st.lists(
            st.dictionaries(st.integers(1, 5), st.floats(0, 60), max_size=5), min_size=len(truth), max_size=len(truth)
        )
    )
    one = score(frames(*truth), frames(*found))
    assert one.mota <= 1
    assert 0 <= one.idf1 <= 1
    assert 0 <= one.hota <= 1 + 1e-9
    renamed = [{100 - name: x for name, x in picture.items()} for picture in found]
    assert score(frames(*truth), frames(*renamed)).idf1 == pytest.approx(one.idf1)
