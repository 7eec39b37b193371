"""Volumes a body is made of: round cones, flattened where bodies are flat, each with what it is clad in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from perishield.evaluation.scenes.camera import Array
from perishield.evaluation.scenes.scene import Colour

Cloth = Literal["plain", "stripes", "panels", "vest", "check", "face", "hair", "coat"]


@dataclass(frozen=True, slots=True)
class Part:
    """A round cone from `a` to `b`, squeezed to `squash` of its thickness along `flat`.

    `front` and `up` orient what is drawn on it; `folds` is how strongly its cloth creases.
    """

    a: Array
    b: Array
    radius_a: float
    radius_b: float
    colour: Colour
    cloth: Cloth = "plain"
    second: Colour = (0.0, 0.0, 0.0)
    flat: Array | None = None
    squash: float = 1.0
    front: Array | None = None
    folds: float = 0.0
    shades: bool = False
    """Whether it is large enough to darken its neighbours."""


@dataclass(frozen=True, slots=True)
class Body:
    """All parts of one actor in one frame, and the points it stands on."""

    parts: tuple[Part, ...]
    soles: Array
    """(n, 3) world points under the feet."""
    ground: tuple[float, float]
    """Where it is, seen from above."""


def spread(parts: tuple[Part, ...]) -> tuple[Array, Array]:
    """End points (2n, 3) and their radii (2n,), for bounding boxes."""
    points = np.concatenate([np.stack((part.a, part.b)) for part in parts])
    radii = np.array([radius for part in parts for radius in (part.radius_a, part.radius_b)], np.float32)
    return points.astype(np.float32), radii
