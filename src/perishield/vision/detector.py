"""Where the pipeline and whatever sees things meet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np

from perishield.model.vision import Detections

if TYPE_CHECKING:
    from perishield.vision.picture import Picture


class Detector(Protocol):
    """Finds objects. Called from one thread at a time.

    `name` goes into events and to the console: `motion`, or the model's name. `model` is the model's file name, or
    empty. `batch` is how many pictures it likes at once.
    """

    @property
    def name(self) -> str: ...

    @property
    def model(self) -> str: ...

    @property
    def batch(self) -> int: ...

    def detect(self, pictures: Sequence[Picture]) -> list[Detections]:
        """One `Detections` per picture, in order. Pictures of one camera come in the order of their time."""
        ...

    def forget(self, camera: str) -> None:
        """Drop whatever is remembered of a camera: its picture jumped, changed its size, or it is gone."""
        ...


def nothing(names: tuple[str, ...]) -> Detections:
    """No boxes."""
    return Detections(np.empty((0, 4), np.float32), np.empty(0, np.float32), np.empty(0, np.int16), names)
