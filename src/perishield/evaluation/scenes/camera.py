"""A pinhole camera: where world points fall on the picture, and along which rays its pixels look."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from perishield.evaluation.scenes.scene import CameraPose

Array = NDArray[np.floating[Any]]
"""float32 throughout; numpy's own types widen here and there."""
Region = tuple[int, int, int, int]
"""x0, y0, x1, y1 in pixels, the last two exclusive."""


class View:
    """The camera of one scene at one picture size."""

    def __init__(self, pose: CameraPose, width: int, height: int) -> None:
        heading, pitch = np.radians(pose.heading), np.radians(pose.pitch)
        self.width = width
        self.height = height
        self.position = np.array(pose.position, np.float32)
        self.forward = np.array(
            [np.cos(heading) * np.cos(pitch), np.sin(heading) * np.cos(pitch), np.sin(pitch)], np.float32
        )
        self.right = np.array([np.sin(heading), -np.cos(heading), 0.0], np.float32)
        self.up = np.cross(self.right, self.forward).astype(np.float32)
        self.focal = float(width / 2 / np.tan(np.radians(pose.fov) / 2))

    def project(self, points: Array) -> tuple[Array, Array, Array]:
        """(n, 3) world points to pixel columns, rows and depths in metres, each (n,)."""
        offset = np.asarray(points, np.float32) - self.position
        depth = offset @ self.forward
        safe = np.maximum(depth, np.float32(0.05))
        column = self.width / 2 + self.focal * (offset @ self.right) / safe
        row = self.height / 2 - self.focal * (offset @ self.up) / safe
        return column.astype(np.float32), row.astype(np.float32), depth

    def pixel(self, point: tuple[float, float, float]) -> tuple[float, float]:
        """One world point on the picture."""
        column, row, _ = self.project(np.array([point], np.float32))
        return float(column[0]), float(row[0])

    def rays(self, region: Region, samples: int = 1) -> tuple[Array, Array, Array]:
        """Unit directions through the region's pixels, `samples` x `samples` of them each: three (h, w) arrays."""
        x0, y0, x1, y1 = region
        columns = (np.arange((x1 - x0) * samples, dtype=np.float32) + 0.5) / samples + (x0 - self.width / 2)
        rows = (np.arange((y1 - y0) * samples, dtype=np.float32) + 0.5) / samples + (y0 - self.height / 2)
        across = (columns / self.focal).astype(np.float32)[None, :]
        down = (rows / self.focal).astype(np.float32)[:, None]
        inverse = 1 / np.sqrt(1 + across * across + down * down)
        x, y, z = (
            (self.forward[axis] + across * self.right[axis] - down * self.up[axis]) * inverse for axis in range(3)
        )
        return x, y, z

    def inside(self, region: Region) -> Region:
        """The part of a region that is on the picture."""
        x0, y0, x1, y1 = region
        return max(0, x0), max(0, y0), min(self.width, x1), min(self.height, y1)
