"""What is seen and followed. Boxes are `xyxy` in pixels of the analysed picture."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from perishield.model.geometry import Box, Point

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MOTION = "motion"
"""The label of what the built-in motion detector finds: something moved, nobody knows what."""

PERSON = "person"
SMALL_ANIMALS = frozenset({"bird", "cat", "dog", "sheep"})
LARGE_ANIMALS = frozenset({"horse", "cow", "elephant", "bear", "zebra", "giraffe"})
VEHICLES = ("bicycle", "car", "motorcycle", "bus", "train", "truck", "boat")


@dataclass(frozen=True, slots=True)
class Detections:
    """All boxes of one picture.

    `boxes`: float32 (n, 4) xyxy pixels. `scores`: float32 (n,), 0..1. `classes`: int16 (n,), indices into `names`.
    """

    boxes: NDArray[np.float32]
    scores: NDArray[np.float32]
    classes: NDArray[np.int16]
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.boxes)


class TrackBox(msgspec.Struct, frozen=True):
    """One followed object in one picture.

    A struct of the codec and no dataclass: hundreds are made for every picture, and this is made ten times as fast.
    """

    id: int
    label: str
    score: float
    box: Box
    hits: int
    """Pictures in which the object was really detected so far."""
    seen: bool = True
    """False where the box is only predicted."""
    velocity: Point = (0.0, 0.0)
    """Filtered speed of the foot (middle of the lower edge), pixels a second."""
    said: str = ""
    """What the detector calls it, where `label` is something else on second thoughts."""
    parent: int = 0
    """The object behind which it was hidden until it was first seen, where both have been seen since; 0 for none."""

    @property
    def pace(self) -> float:
        """Its speed in box heights a second, which needs no calibration."""
        return math.hypot(*self.velocity) / max(self.box[3] - self.box[1], 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackFrame:
    """Every followed object of one analysed picture, as it goes to rules, live view and map."""

    camera: str
    epoch: int
    stream_time: int
    wall: float
    arrival: float
    width: int
    height: int
    tracks: tuple[TrackBox, ...]
    gate_open: bool = True
    """False: this picture was a lone key frame while nothing moved."""
    detector: str = ""
