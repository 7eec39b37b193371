"""What is seen and followed. Boxes are `xyxy` in pixels of the analysed picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from perishield.model.geometry import Box

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MOTION = "motion"
"""The label of what the built-in motion detector finds: something moved, nobody knows what."""

PERSON = "person"
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


@dataclass(frozen=True, slots=True)
class TrackBox:
    """One followed object in one picture."""

    id: int
    label: str
    score: float
    box: Box
    hits: int
    """Pictures in which the object was really detected so far."""
    seen: bool = True
    """False where the box is only predicted."""


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
