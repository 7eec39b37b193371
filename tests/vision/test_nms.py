from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from perishield.vision.nms import iou, keep_best

Boxes = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int16]]


@st.composite
def candidates(draw: st.DrawFn) -> Boxes:
    count = draw(st.integers(0, 25))
    side = st.integers(0, 60)
    rows = []
    for _ in range(count):
        x, y = draw(side), draw(side)
        rows.append((x, y, x + draw(st.integers(1, 40)), y + draw(st.integers(1, 40))))
    scores = draw(st.lists(st.integers(0, 1000), min_size=count, max_size=count, unique=True))
    classes = draw(st.lists(st.integers(0, 2), min_size=count, max_size=count))
    return (
        np.array(rows, np.float32).reshape(-1, 4),
        np.array(scores, np.float32) / 1000,
        np.array(classes, np.int16),
    )


@given(candidates(), st.sampled_from([0.3, 0.5, 0.7]))
def test_survivors_of_a_class_do_not_overlap_and_the_fallen_met_a_better_one(found: Boxes, overlap: float) -> None:
    boxes, scores, classes = found
    kept = keep_best(boxes, scores, classes, overlap)
    shared = iou(boxes, boxes)
    for position, one in enumerate(kept):
        for other in kept[position + 1 :]:
            assert classes[one] != classes[other] or shared[one, other] <= overlap
    for index in set(range(len(boxes))) - set(kept.tolist()):
        assert any(
            classes[index] == classes[best] and scores[best] > scores[index] and shared[index, best] > overlap
            for best in kept
        )


@given(candidates())
def test_the_best_come_first_and_order_of_input_is_irrelevant(found: Boxes) -> None:
    boxes, scores, classes = found
    kept = keep_best(boxes, scores, classes)
    assert list(scores[kept]) == sorted(scores[kept], reverse=True)
    turned = keep_best(boxes[::-1], scores[::-1], classes[::-1])
    assert [len(boxes) - 1 - index for index in turned] == kept.tolist()


@given(candidates())
def test_suppressing_twice_changes_nothing(found: Boxes) -> None:
    boxes, scores, classes = found
    kept = keep_best(boxes, scores, classes)
    again = keep_best(boxes[kept], scores[kept], classes[kept])
    assert again.tolist() == list(range(len(kept)))


def test_overlap_of_known_boxes() -> None:
    boxes = np.array([[0, 0, 10, 10], [5, 0, 15, 10], [20, 20, 30, 30], [3, 3, 3, 9]], np.float32)
    assert np.allclose(iou(boxes, boxes)[0], [1, 1 / 3, 0, 0])


def test_no_more_than_asked_for_survive() -> None:
    boxes = np.array([[index * 20, 0, index * 20 + 10, 10] for index in range(50)], np.float32)
    assert len(keep_best(boxes, np.linspace(0.1, 0.9, 50).astype(np.float32), np.zeros(50, np.int16), most=7)) == 7
