"""The far bench: what it counts, and that its ground shows nobody twice."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from perishield.evaluation import bench_far
from perishield.evaluation.dataset import LabelledClip, LabelledLine
from perishield.model.geometry import Point


def _clip(path: Path, start: Point, end: Point) -> LabelledClip:
    return LabelledClip(
        file="clip.mp4",
        path=path,
        sha256="",
        width=160,
        height=120,
        fps=10.0,
        frames=20,
        lines=(LabelledLine("gate", start, end),),
        zones=(),
        events=(),
        expect_no_person_events=False,
    )


def _write(path: Path) -> None:
    """Somebody dark stands still before a light wall."""
    picture = np.full((120, 160, 3), 200, np.uint8)
    picture[40:110, 120:150] = 20
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 160, 120, "yuv420p"
        for _ in range(20):
            out.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        out.mux(stream.encode(None))


def _boxes(*rows: tuple[float, ...]) -> NDArray[np.float32]:
    return np.array(rows, np.float32).reshape(-1, 4)


def test_what_may_be_a_person_is_neither_missed_nor_false() -> None:
    sure, unsure, nobody = (0.0, 0.0, 10.0, 20.0), (50.0, 0.0, 60.0, 20.0), (90.0, 0.0, 99.0, 20.0)
    tally = bench_far._Tally()
    tally.add({1: _boxes(unsure, nobody)}, {1: _boxes(sure)}, {1: _boxes(sure, unsure)})
    assert (tally.truth, tally.found, tally.false, tally.pictures) == (1, 0, 1, 1)
    tally.add({2: _boxes(sure)}, {2: _boxes(sure)}, {2: _boxes(sure, unsure)})
    assert (tally.truth, tally.found, tally.false, tally.pictures) == (2, 1, 1, 2)


def test_a_line_that_reaches_the_border_goes_on_beyond_it(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    _write(path)
    small = bench_far._shrunk(_clip(path, (80, 0), (80, 119)), 0.5, tmp_path)
    top, height = 330, 60
    (line,) = small.lines
    assert line.start[0] == line.end[0]
    assert line.start[1] < top - 0.5 * height
    assert line.end[1] > top + 1.5 * height


def test_a_line_within_the_picture_ends_where_it_was_drawn(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    _write(path)
    (line,) = bench_far._shrunk(_clip(path, (80, 30), (80, 90)), 0.5, tmp_path).lines
    assert line.end[1] - line.start[1] == pytest.approx(30, abs=1)


def test_nobody_stands_in_the_ground_around(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    _write(path)
    left, top, width, height = 400, 300, 80, 60
    ground = bench_far._ground(_clip(path, (0, 0), (1, 1)), left, top, width, height).astype(int)
    inside = ground[top : top + height, left : left + width]
    assert inside.max() - inside.min() > 150, "the clip's own picture is as it was"
    # Somebody of 15 pixels' width is an edge of 180 grey levels; blurred, no two neighbours differ by a tenth of that.
    outside = ground[:, left + width + 2 :]
    assert np.abs(np.diff(outside, axis=1)).max() < 18
    assert np.abs(np.diff(outside, axis=0)).max() < 18
