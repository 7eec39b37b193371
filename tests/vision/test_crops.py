"""A second look at pieces of the picture: where, how much, and what becomes of the boxes."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from perishield.model.media import TIMESCALE
from perishield.model.vision import Detections
from perishield.vision.crops import FarSight, with_pieces
from perishield.vision.detector import nothing
from perishield.vision.picture import Picture
from perishield.vision.pieces import cut, merged

NAMES = ("person", "car")
GROUND = np.random.default_rng(2).integers(90, 130, (180, 320, 1)).repeat(3, 2).repeat(4, 0).repeat(4, 1)


def boxes(*rows: tuple[float, float, float, float, float, int]) -> Detections:
    if not rows:
        return nothing(NAMES)
    table = np.array(rows, np.float32)
    return Detections(table[:, :4], table[:, 4], table[:, 5].astype(np.int16), NAMES)


def shot(index: int, place: tuple[int, int] | None = None, form: str = "yuv420p") -> Picture:
    """A noisy 1280x720 yard, a fifth of a second after the one before; `place`: top left of somebody of 12x36."""
    noise = np.random.default_rng(index).integers(-2, 3, GROUND.shape)
    picture = (GROUND + noise).clip(0, 255).astype(np.uint8)
    if place is not None:
        picture[place[1] : place[1] + 36, place[0] : place[0] + 12] = (250, 20, 20)
    frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format=form)
    return Picture("yard", 1, index * TIMESCALE // 5, 0.0, 0.0, False, frame)


class Reddish:
    """Finds whatever is red, at the size at which it is shown: a network that sees nothing below 30 pixels of 416."""

    name, model, batch = "reddish", "reddish.onnx", 8

    def __init__(self) -> None:
        self.sizes: list[list[tuple[int, int]]] = []

    def detect(self, pictures: Sequence[Picture]) -> list[Detections]:
        self.sizes.append([(picture.width, picture.height) for picture in pictures])
        return [self._look(picture) for picture in pictures]

    def forget(self, camera: str) -> None: ...

    def _look(self, picture: Picture) -> Detections:
        rgb = picture.frame.to_ndarray(format="rgb24").astype(int)
        rows, columns = np.nonzero((rgb[..., 0] > 170) & (rgb[..., 1] < 90))
        if len(rows) == 0 or (rows.max() - rows.min()) * 416 / picture.width < 30:
            return boxes()
        return boxes((columns.min(), rows.min(), columns.max() + 1, rows.max() + 1, 0.8, 0))


def test_who_is_too_small_for_the_whole_picture_is_found_where_it_moves() -> None:
    inner = Reddish()
    far = FarSight(inner)
    for index in range(8):
        (found,) = far.detect([shot(index)])
        assert len(found) == 0
    assert far.pieces == 0, "where nothing moves nothing is looked at twice"
    for index in range(8, 14):
        x = 700 + index * 12
        (found,) = far.detect([shot(index, (x, 300))])
        assert len(found) == 1
        assert found.boxes[0] == pytest.approx((x, 300, x + 12, 336), abs=3)
    # A piece by half smaller, since nothing else moves: shown to a network of 416 half as large again.
    assert {size for sizes in inner.sizes for size in sizes} == {(1280, 720), (278, 278)}


def test_a_piece_is_as_large_as_what_moves_asks_for() -> None:
    inner = Reddish()
    far = FarSight(inner, most=1)
    for index in range(8):
        far.detect([shot(index)])
    picture = shot(8, (600, 300)).frame.to_ndarray(format="rgb24")
    picture[200:430, 500:512] = 250
    picture[200:430, 760:772] = 250
    frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="yuv420p")
    far.detect([Picture("yard", 1, 8 * TIMESCALE // 5, 0.0, 0.0, False, frame)])
    assert inner.sizes[-1] == [(1280, 720), (416, 416)]


@pytest.mark.parametrize(("score", "again"), [(0.3, True), (0.9, False)])
def test_who_is_seen_beyond_doubt_in_the_whole_picture_is_not_looked_at_again(score: float, *, again: bool) -> None:
    class Sure(Reddish):
        def _look(self, picture: Picture) -> Detections:
            found = super()._look(picture)
            return found if picture.width < 1280 else boxes(*((x, 300, x + 12, 336, score, 0) for x in self.there))

        there: tuple[int, ...] = ()

    inner = Sure()
    far = FarSight(inner)
    for index in range(8):
        far.detect([shot(index)])
    for index in range(8, 12):
        x = 700 + index * 2
        inner.there = (x,)
        far.detect([shot(index, (x, 300))])
    assert (len(inner.sizes[-1]) > 1) is again


@pytest.mark.parametrize(("name", "most", "looks"), [("yolox", 2, True), ("yolox", 0, False), ("motion", 2, False)])
def test_only_networks_have_pieces(name: str, most: int, *, looks: bool) -> None:
    inner = Reddish()
    inner.name = name
    assert isinstance(with_pieces(inner, most), FarSight) is looks


def test_what_was_seen_in_the_last_picture_counts_whether_pictures_come_one_by_one_or_in_a_batch() -> None:
    shots = [shot(index, (300 + 25 * index, 300) if index > 2 else None) for index in range(12)]
    inner, other = Reddish(), Reddish()
    inner.batch = other.batch = 32
    one_by_one, at_once = FarSight(inner), FarSight(other)
    singly = [found for each in shots for found in one_by_one.detect([each])]
    together = at_once.detect(shots)
    assert [found.boxes.tolist() for found in singly] == [found.boxes.tolist() for found in together]
    assert inner.sizes == other.sizes


def test_pieces_are_bounded_per_picture_and_per_second() -> None:
    far = FarSight(Reddish(), most=3, per_s=2.0)
    places = [(100, 100), (1100, 100), (100, 600), (1100, 600)]
    far.draw("yard", [(0.1, 0.5), (0.5, 0.5), (0.9, 0.5)])
    counts = []
    for index in range(30):
        before = far.pieces
        far.detect([shot(index, places[index % 4] if index > 5 else None)])
        counts.append(far.pieces - before)
    assert max(counts) <= 3
    assert sum(counts) <= 3 + 2.0 * 30 / 5


def test_drawn_lines_are_looked_along_by_turns_while_something_moves() -> None:
    far = FarSight(Reddish(), most=4, per_s=100)
    far.draw("yard", [(0.2, 0.2), (0.5, 0.2), (0.8, 0.2)])
    for index in range(8):
        far.detect([shot(index)])
    assert far.pieces == 0
    far.detect([shot(8, (600, 600))])
    assert far.pieces == 4


def test_a_small_picture_has_no_pieces() -> None:
    far = FarSight(Reddish())
    small = np.zeros((240, 320, 3), np.uint8)
    for index in range(10):
        small[100:140, index * 20 : index * 20 + 10] = (250, 20, 20)
        frame = av.VideoFrame.from_ndarray(small, format="rgb24").reformat(format="yuv420p")
        far.detect([Picture("yard", 1, index * 18_000, 0.0, 0.0, False, frame)])
    assert far.pieces == 0


def test_a_flood_of_light_is_not_looked_into() -> None:
    far = FarSight(Reddish())
    for index in range(8):
        far.detect([shot(index)])
    bright = np.full((720, 1280, 3), 120, np.uint8)
    bright[:, :700] = 240
    frame = av.VideoFrame.from_ndarray(bright, format="rgb24").reformat(format="yuv420p")
    far.detect([Picture("yard", 1, 8 * 18_000, 0.0, 0.0, False, frame)])
    assert far.pieces == 0


@pytest.mark.parametrize("form", ["yuv420p", "yuvj420p", "nv12", "yuv444p"])
def test_a_piece_shows_what_the_picture_shows_there(form: str) -> None:
    picture = shot(3, (640, 400), form)
    piece = cut(picture, (500, 300, 916, 716))
    assert (piece.width, piece.height) == (416, 416)
    whole = picture.frame.to_ndarray(format="rgb24")[300:716, 500:916].astype(int)
    part = piece.frame.to_ndarray(format="rgb24").astype(int)
    assert np.abs(whole - part).mean() < 2.5


def test_each_object_once_and_no_halves() -> None:
    whole = boxes((100, 100, 200, 400, 0.9, 0))
    left, right = (0, 0, 416, 416), (312, 0, 728, 416)
    found = merged(
        whole,
        [
            # The same again, a hand of it, and somebody cut by the piece's right edge.
            (left, boxes((102, 102, 199, 390, 0.6, 0), (100, 200, 130, 230, 0.7, 0), (380, 50, 416, 150, 0.8, 0))),
            (right, boxes((68, 50, 108, 150, 0.7, 0), (5, 5, 410, 410, 0.9, 1))),
        ],
        1280,
        720,
    )
    assert sorted(found.boxes.tolist()) == [[100, 100, 200, 400], [380, 50, 420, 150]]


@given(
    st.lists(
        st.tuples(
            st.floats(0, 400), st.floats(0, 400), st.floats(4, 300), st.floats(4, 300), st.floats(0.1, 1),
            st.integers(0, 1),
        ),
        max_size=12,
    )
)  # fmt: skip
def test_boxes_stay_within_their_piece_and_whole_boxes_are_never_lost_to_worse_ones(
    rows: list[tuple[float, float, float, float, float, int]],
) -> None:
    window = (200, 100, 616, 516)
    inside = [(x, y, min(x + w, 416), min(y + h, 416), s, k) for x, y, w, h, s, k in rows]
    whole = boxes((10, 10, 60, 90, 0.95, 0))
    found = merged(whole, [(window, boxes(*inside))], 1280, 720)
    assert [10, 10, 60, 90] in found.boxes.tolist()
    others: NDArray[np.float32] = np.array([box for box in found.boxes.tolist() if box != [10, 10, 60, 90]])
    if len(others):
        assert (others[:, 0] > 202 - 1e-3).all()
        assert (others[:, 2] < 614 + 1e-3).all()
    assert all(a >= b for a, b in pairwise(found.scores.tolist()))
