from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from perishield.vision.blobs import blobs, grown


def flooded(mask: np.ndarray) -> list[tuple[tuple[int, int, int, int], int]]:
    """Connected components (8 neighbours) the slow and obvious way: ((x1, y1, x2, y2), pixels)."""
    left = {(int(y), int(x)) for y, x in zip(*np.nonzero(mask), strict=True)}
    found = []
    while left:
        todo, group = [left.pop()], []
        while todo:
            y, x = todo.pop()
            group.append((y, x))
            for near in [(y + dy, x + dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]:
                if near in left:
                    left.remove(near)
                    todo.append(near)
        ys, xs = [y for y, _ in group], [x for _, x in group]
        found.append(((min(xs), min(ys), max(xs) + 1, max(ys) + 1), len(group)))
    return sorted(found)


@given(arrays(bool, st.tuples(st.integers(1, 14), st.integers(1, 14))))
def test_components_are_those_of_a_flood_fill(mask: np.ndarray) -> None:
    found = blobs(mask, np.ones(mask.shape, np.float32), across=0, down=0)
    assert sorted((tuple(map(int, box)), int(area)) for box, area in zip(found.boxes, found.areas, strict=True)) == (
        flooded(mask)
    )
    assert np.allclose(found.weights, found.areas)


@given(arrays(bool, st.tuples(st.integers(3, 16), st.integers(3, 16))))
def test_growing_joins_but_boxes_and_areas_stay_those_of_the_pixels(mask: np.ndarray) -> None:
    found = blobs(mask, mask.astype(np.float32) * 2, across=1, down=2)
    assert found.areas.sum() == mask.sum()
    assert found.weights.sum() == 2 * mask.sum()
    expected = []
    for (x1, y1, x2, y2), _ in flooded(grown(mask, 1, 2)):
        part = mask[y1:y2, x1:x2]
        expected.append(bool(part.any()))
    assert len(found) == len(expected)
    height, width = mask.shape
    for x1, y1, x2, y2 in found.boxes:
        assert 0 <= x1 < x2 <= width
        assert 0 <= y1 < y2 <= height


def test_parts_a_little_apart_are_one_blob() -> None:
    mask = np.zeros((40, 40), bool)
    mask[5:10, 10:15] = True
    mask[13:20, 11:14] = True
    found = blobs(mask, np.ones(mask.shape, np.float32), across=1, down=2)
    assert found.boxes.tolist() == [[10, 5, 15, 20]]


def test_a_picture_of_noise_is_no_picture_of_objects() -> None:
    mask = np.zeros((200, 200), bool)
    mask[::4, ::4] = True
    assert len(blobs(mask, np.ones(mask.shape, np.float32), across=0, down=0, most_runs=1000)) == 0
