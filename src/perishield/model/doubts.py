"""What may speak against an alarm, and what was held back for it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from perishield.model.geometry import Box


class Doubt(StrEnum):
    """Why a track is kept from the rules for now.

    `still`: it stands where the same thing has stood for long. `light`: it came with a change of light. `weather`: one
    of many short-lived things, as rain, snow and insects are. `size`: no person has that size there. `speed`: nothing
    goes that fast. `headlights`: a beam or its reflection at night. `animal`: mostly seen as one. `sway`: it goes to
    and fro in one place.
    """

    STILL = "still"
    LIGHT = "light"
    WEATHER = "weather"
    SIZE = "size"
    SPEED = "speed"
    HEADLIGHTS = "headlights"
    ANIMAL = "animal"
    SWAY = "sway"


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubts:
    """Which doubts count at a camera: all but the `ignored` ones."""

    enabled: bool = True
    ignored: tuple[Doubt, ...] = ()

    def wants(self, doubt: Doubt) -> bool:
        return self.enabled and doubt not in self.ignored


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One track that was held back: when (Unix seconds UTC), where (`box`, normalised), and how it looked (JPEG)."""

    doubt: Doubt
    wall: float
    track: int
    label: str
    score: float
    box: Box
    jpeg: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Suppressed:
    """How many tracks of a camera were held back, by doubt, since its watching began; and the newest of them."""

    camera: str
    counts: dict[str, int]
    since: float
    samples: tuple[Sample, ...] = field(default=())
