"""The picture that a network is tried on, drawn by code."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def rendered(height: int, width: int) -> NDArray[np.float32]:
    """A picture (3, height, width), 0..255: ground, sky and an upright figure."""
    picture = np.full((3, height, width), 120.0, np.float32)
    picture[:, : height // 2] = 180.0
    middle = width // 2
    picture[:, height // 4 : 3 * height // 4, middle - width // 16 : middle + width // 16] = 40.0
    return picture
