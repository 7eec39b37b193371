from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from perishield.tracking.association import assign, iou_matrix, nearness_matrix


def test_iou_of_the_same_half_and_distant_boxes() -> None:
    a = np.array([[0, 0, 10, 10]], float)
    b = np.array([[0, 0, 10, 10], [0, 5, 10, 15], [20, 20, 30, 30]], float)
    assert iou_matrix(a, b)[0] == pytest.approx([1, 1 / 3, 0])


@given(arrays(float, st.tuples(st.integers(1, 5), st.integers(1, 5)), elements=st.floats(0, 1)))
def test_assignment_is_one_to_one_and_the_best_there_is(similarity: np.ndarray) -> None:
    least = 0.25
    rows, columns = assign(similarity, least)
    assert len(set(rows.tolist())) == len(rows)
    assert len(set(columns.tolist())) == len(columns)
    assert (similarity[rows, columns] >= least).all()
    kept = np.where(similarity >= least, similarity, 0)
    if kept.shape[0] > kept.shape[1]:
        kept = kept.T
    best = max(
        sum(kept[row, column] for row, column in enumerate(chosen))
        for chosen in itertools.permutations(range(kept.shape[1]), kept.shape[0])
    )
    assert similarity[rows, columns].sum() == pytest.approx(best)


def test_assignment_of_nothing_is_empty() -> None:
    for shape in ((0, 0), (0, 3), (3, 0)):
        rows, columns = assign(np.zeros(shape), 0.1)
        assert len(rows) == len(columns) == 0


def test_nearness_falls_with_distance_and_ends_at_the_reach() -> None:
    a = np.array([[0, 0, 40, 100]], float)
    b = np.array([[0, 0, 40, 100], [30, 0, 40, 100], [61, 0, 40, 100]], float)
    near = nearness_matrix(a, b, np.array([0.6]), np.array([1.8]))[0]
    assert near == pytest.approx([1, 0.5, 0])


def test_boxes_of_other_shapes_are_out_of_reach_unless_they_may() -> None:
    a = np.array([[0, 0, 40, 100]], float)
    half = np.array([[0, 0, 40, 50]], float)
    assert nearness_matrix(a, half, np.array([1.0]), np.array([1.8])) == 0
    assert nearness_matrix(a, half, np.array([1.0]), np.array([4.0])) == 1
