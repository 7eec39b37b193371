"""Masks cover all that they should, in pictures and videos of any size."""

from __future__ import annotations

from pathlib import Path
from threading import Event

import av
import numpy as np
import pytest
import simplejpeg
from hypothesis import given, settings
from hypothesis import strategies as st

from perishield.evaluation.texture_clip import write_clip
from perishield.model.errors import StorageError
from perishield.vision.privacy import covered, masked_jpeg, masked_video

share = st.floats(0, 1)
polygons = st.lists(st.tuples(share, share), min_size=3, max_size=8).map(tuple)


def inside(polygon: tuple[tuple[float, float], ...], x: float, y: float) -> bool:
    """Non-zero winding, by angles: another way than the one that is tried."""
    total = 0.0
    for (x1, y1), (x2, y2) in zip(polygon, (*polygon[1:], polygon[0]), strict=True):
        one, two = complex(x1 - x, y1 - y), complex(x2 - x, y2 - y)
        if abs(one) < 1e-9 or abs(two) < 1e-9:
            return False
        total += np.angle(two / one)
    return abs(total) > np.pi


@settings(max_examples=150, deadline=None)
@given(polygons, st.integers(2, 40), st.integers(2, 40))
def test_every_pixel_whose_middle_lies_inside_is_covered(
    polygon: tuple[tuple[float, float], ...], width: int, height: int
) -> None:
    found = covered([polygon], width, height)
    for row in range(height):
        for column in range(width):
            if inside(polygon, (column + 0.5) / width, (row + 0.5) / height):
                assert found[row, column], (row, column)


@settings(max_examples=60, deadline=None)
@given(polygons)
def test_nothing_far_outside_is_covered(polygon: tuple[tuple[float, float], ...]) -> None:
    found = covered([polygon], 60, 40)
    ys, xs = np.nonzero(found)
    assert xs.min() >= min(x for x, _ in polygon) * 60 - 1.5
    assert xs.max() <= max(x for x, _ in polygon) * 60 + 1.5
    assert ys.min() >= min(y for _, y in polygon) * 40 - 1.5
    assert ys.max() <= max(y for _, y in polygon) * 40 + 1.5


def test_what_lies_under_a_mask_is_gone() -> None:
    secret = np.zeros((64, 96, 3), np.uint8)
    secret[20:40, 20:40] = 255
    jpeg = bytes(simplejpeg.encode_jpeg(secret, quality=95, colorspace="RGB"))
    shown = simplejpeg.decode_jpeg(masked_jpeg(jpeg, [((0.15, 0.25), (0.5, 0.25), (0.5, 0.7), (0.15, 0.7))]))
    assert shown.max() < 10
    with pytest.raises(StorageError, match="damaged"):
        masked_jpeg(b"no picture", [((0, 0), (1, 0), (1, 1))])


@pytest.mark.parametrize("size", [(192, 128), (136, 120)])
def test_videos_keep_their_times_and_lose_what_is_masked(tmp_path: Path, size: tuple[int, int]) -> None:
    source = tmp_path / "clip.mp4"
    write_clip(source, width=size[0], height=size[1], seconds=2, bitrate=200_000, gop_s=1.0)
    masked_video(source, tmp_path / "masked.mp4", [((0, 0), (1, 0), (1, 0.5), (0, 0.5))], Event())
    with av.open(str(source)) as one, av.open(str(tmp_path / "masked.mp4")) as two:
        before = [frame.time for frame in one.decode(video=0)]
        frames = list(two.decode(video=0))
    assert [frame.time for frame in frames] == pytest.approx(before, abs=0.002)
    assert (frames[0].width, frames[0].height) == size
    for frame in frames:
        pixels = frame.to_ndarray(format="rgb24")
        assert pixels[: size[1] // 2 - 4].max() < 24
        assert pixels[size[1] // 2 + 6 :].max() > 60
    assert not list(tmp_path.glob("*.part"))


def test_what_cannot_be_masked_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "bad.mp4").write_bytes(b"no film" * 100)
    everything = [((0.0, 0.0), (1.0, 0.0), (1.0, 1.0))]
    for name, code in (("bad.mp4", "corrupt"), ("none.mp4", "missing")):
        with pytest.raises(StorageError) as error:
            masked_video(tmp_path / name, tmp_path / "out.mp4", everything, Event())
        assert error.value.code == code
    write_clip(tmp_path / "clip.mp4", width=64, height=64, seconds=1, bitrate=100_000, gop_s=1.0)
    stop = Event()
    stop.set()
    with pytest.raises(StorageError, match="cancelled"):
        masked_video(tmp_path / "clip.mp4", tmp_path / "out.mp4", everything, stop)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bad.mp4", "clip.mp4"]
