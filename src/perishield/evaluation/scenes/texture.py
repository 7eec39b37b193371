"""Value noise and colour: the raw stuff of grass, gravel, walls and clouds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from perishield.evaluation.scenes.camera import Array

_SIZE = 256


class Noise:
    """Smooth random fields over the plane, the same for the same seed."""

    def __init__(self, seed: int) -> None:
        self._lattice = np.random.default_rng(seed).random((_SIZE + 1, _SIZE + 1), dtype=np.float32)
        self._lattice[-1], self._lattice[:, -1] = self._lattice[0], self._lattice[:, 0]

    def at(self, x: Array, y: Array) -> Array:
        """Values 0..1 at lattice coordinates, interpolated."""
        floor_x, floor_y = np.floor(x), np.floor(y)
        part_x, part_y = x - floor_x, y - floor_y
        part_x *= part_x * (3 - 2 * part_x)
        part_y *= part_y * (3 - 2 * part_y)
        column, row = floor_x.astype(np.int32) & (_SIZE - 1), floor_y.astype(np.int32) & (_SIZE - 1)
        start = row * (_SIZE + 1) + column
        flat = self._lattice.ravel()
        upper, lower = flat[start], flat[start + _SIZE + 1]
        upper += part_x * (flat[start + 1] - upper)
        lower += part_x * (flat[start + _SIZE + 2] - lower)
        value: Array = upper + part_y * (lower - upper)
        return value

    def octaves(
        self, x: Array, y: Array, waves: Sequence[tuple[float, float]], footprint: Array | None = None
    ) -> Array:
        """Sum of (wavelength, amplitude) octaves around 0; those finer than the footprint (metres) fade away."""
        total = np.zeros(np.broadcast_shapes(x.shape, y.shape), np.float32)
        for number, (wave, amplitude) in enumerate(waves):
            value = self.at(
                x / np.float32(wave) + np.float32(17.3 * number), y / np.float32(wave) + np.float32(5.7 * number)
            )
            value = (value - np.float32(0.5)) * np.float32(2 * amplitude)
            if footprint is not None:
                value *= np.clip(wave / np.maximum(footprint, 1e-6) - 0.6, 0, 1)
            total += value
        return total


def tone(linear: Array) -> Array:
    """Linear light to grey levels 0..255: gamma, and the gentle S that cameras add for contrast."""
    value = np.power(np.clip(linear, 0, 1), np.float32(1 / 2.2))
    curved: Array = value * (np.float32(0.35) + value * (np.float32(1.95) - np.float32(1.3) * value))
    return curved * np.float32(255)


def pulses(position: Array, footprint: Array, pitch: float, width: float) -> Array:
    """Share 0..1 of a pixel's footprint that upright bars cover: a pulse train filtered by a box, exactly."""
    half = np.maximum(footprint, 1e-5) / 2

    def integral(x: Array) -> Array:
        whole: Array = np.floor(x / pitch)
        return whole * width + np.minimum(x - whole * pitch, width)

    shifted = position + np.float32(width / 2)
    share: Array = (integral(shifted + half) - integral(shifted - half)) / (2 * half)
    return np.clip(share, 0, 1).astype(np.float32)


def softened(picture: Array, amount: float = 0.22) -> Array:
    """A lens' slight blur: each pixel shares `amount` of itself with its neighbours, on both axes."""
    keep = np.float32(1 - amount)
    part = np.float32(amount / 2)
    for axis in (0, 1):
        before = np.concatenate((picture.take([0], axis), picture.take(range(picture.shape[axis] - 1), axis)), axis)
        after = np.concatenate((picture.take(range(1, picture.shape[axis]), axis), picture.take([-1], axis)), axis)
        picture = picture * keep + (before + after) * part
    return picture


def halved(picture: Array) -> Array:
    """2 x 2 pixels to one, by their mean."""
    height, width = picture.shape[0] // 2, picture.shape[1] // 2
    blocks = picture[: height * 2, : width * 2].reshape(height, 2, width, 2, *picture.shape[2:])
    mean: Array = blocks.mean(axis=(1, 3), dtype=np.float32)
    return mean


def levels(picture: Array, ceiling: int) -> NDArray[np.uint8]:
    """Grey levels as bytes, kept off both ends so that noise and rain can be added to bytes without wrapping."""
    return np.clip(picture, 12, ceiling).astype(np.uint8)
