from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perishield.model.vision import Detections
from perishield.tracking.byte_tracker import ByteTracker
from perishield.tracking.camera_motion import STILL, CameraMotion, Shift

WIDTH, HEIGHT = 1280, 720


def scene(seed: int = 3) -> np.ndarray:
    """A still yard, (180 + 80, 320 + 80) grey: blocks and slopes as buildings and ground have them."""
    rng = np.random.default_rng(seed)
    rows, columns = 260, 400
    image = np.linspace(60, 120, rows)[:, None] * np.ones(columns)
    for _ in range(60):
        y, x = rng.integers(0, rows - 10), rng.integers(0, columns - 10)
        image[y : y + rng.integers(5, 60), x : x + rng.integers(5, 60)] = rng.integers(20, 230)
    return image


def thumbnail(image: np.ndarray, x: int, y: int, noise: np.random.Generator | None = None) -> np.ndarray:
    """160 x 90, of the part of the scene that a camera moved by (x, y) shows at 320 x 180."""
    part = image[40 + y : 220 + y, 40 + x : 360 + x].reshape(90, 2, 160, 2).mean(axis=(1, 3))
    if noise is not None:
        part = part + noise.normal(0, 4, part.shape)
    return part.clip(0, 255).astype(np.uint8)


@settings(max_examples=40, deadline=None)
@given(st.integers(-20, 20), st.integers(-20, 20), st.integers(0, 5))
def test_a_shaken_scene_tells_how_far_even_half_pixels_of_the_thumbnail(x: int, y: int, seed: int) -> None:
    noise = np.random.default_rng(1)
    image = scene(seed)
    motion = CameraMotion()
    motion.shift(thumbnail(image, 0, 0, noise), WIDTH, HEIGHT)
    shift = motion.shift(thumbnail(image, x, y, noise), WIDTH, HEIGHT)
    # A camera that moves right moves the picture left; 4 pixels of the picture to one of the scene.
    assert (shift.x, shift.y) == pytest.approx((-4 * x, -4 * y), abs=2.0)


def test_a_first_picture_a_flat_one_and_a_cut_say_nothing() -> None:
    motion = CameraMotion()
    assert motion.shift(thumbnail(scene(), 0, 0), WIDTH, HEIGHT) is STILL
    assert motion.shift(np.full((90, 160), 80, np.uint8), WIDTH, HEIGHT) is STILL
    motion.shift(thumbnail(scene(1), 0, 0), WIDTH, HEIGHT)
    assert motion.shift(np.random.default_rng(2).integers(0, 255, (90, 160)).astype(np.uint8), WIDTH, HEIGHT) is STILL
    motion.shift(thumbnail(scene(1), 0, 0), WIDTH, HEIGHT)
    motion.restart()
    assert motion.shift(thumbnail(scene(1), 8, 0), WIDTH, HEIGHT) is STILL
    assert motion.shift(np.zeros((45, 80), np.uint8), WIDTH, HEIGHT) is STILL


def test_who_walks_through_a_steady_picture_moves_nothing() -> None:
    image = scene()
    motion = CameraMotion()
    for picture in range(10):
        small = thumbnail(image, 0, 0)
        small[40:70, 20 + 8 * picture : 32 + 8 * picture] = 10
        assert motion.shift(small, WIDTH, HEIGHT) is STILL


def walk(steady: bool) -> set[int]:
    """The ids of two people who cross the picture of a camera that shakes, 6 pictures a second."""
    rng = np.random.default_rng(5)
    image, motion, tracker = scene(), CameraMotion(), ByteTracker(6)
    ids: set[int] = set()
    for picture in range(40):
        x, y = (int(value) for value in rng.integers(-12, 13, 2))
        shift = motion.shift(thumbnail(image, x, y, rng), WIDTH, HEIGHT)
        feet = [(200 + 12 * picture - 4 * x, 400 - 4 * y), (260 + 12 * picture - 4 * x, 400 - 4 * y)]
        boxes = np.array([[foot - 14, ground - 70, foot + 14, ground] for foot, ground in feet], np.float32)
        seen = Detections(boxes, np.full(2, 0.9, np.float32), np.zeros(2, np.int16), ("person",))
        tracks = tracker.update(seen, picture / 6, shift if steady else Shift())
        ids |= {track.id for track in tracks}
    return ids


def test_people_before_a_shaking_camera_keep_their_ids_where_it_is_steadied() -> None:
    assert walk(steady=True) == {1, 2}
    assert len(walk(steady=False)) > 2
