"""Which blobs go somewhere. Leaves, rain and noise differ from the background too, but stay or vanish."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from perishield.model.geometry import Box

_FORGET_S = 1.5
_PATIENCE = 2
"""Pictures in a row that may lack a blob which has not travelled yet."""
_SPEED_MEMORY = 0.5
_STRIDE = 4.0
_LEAST_HITS = 3
_MOST_HITS = 16
_TOGETHER_S = 2.5
"""How long two that touch are still told apart by where they were going."""


@dataclass(slots=True, eq=False)
class Mover:
    """A blob followed over pictures; lengths are pixels of the small picture."""

    box: Box
    born: tuple[float, float]
    time_s: float
    hits: int = 1
    missed: int = 0
    waypoint: tuple[float, float] = (0.0, 0.0)
    walked: float = 0.0
    speed: tuple[float, float] = (0.0, 0.0)
    confirmed: bool = False
    alone_s: float = 0.0
    """When it was last seen apart from others."""
    sizes: list[tuple[float, float]] = field(default_factory=list)

    @property
    def centre(self) -> tuple[float, float]:
        return (self.box[0] + self.box[2]) / 2, (self.box[1] + self.box[3]) / 2

    @property
    def way(self) -> float:
        """How far it is from where it was first seen."""
        return math.dist(self.centre, self.born)

    def expected(self, time_s: float) -> Box:
        """Its box, moved on to that time."""
        across, down = (speed * (time_s - self.time_s) for speed in self.speed)
        return self.box[0] + across, self.box[1] + down, self.box[2] + across, self.box[3] + down


class Movers:
    """Follows the blobs of one camera from picture to picture and tells which have travelled."""

    def __init__(self) -> None:
        self._all: list[Mover] = []

    def clear(self) -> None:
        self._all.clear()

    @property
    def confirmed(self) -> list[Mover]:
        """Those on their way, also such as are out of sight for a moment."""
        return [mover for mover in self._all if mover.confirmed]

    def apart(self, time_s: float) -> list[Box]:
        """Where those on their way should be now that were seen apart from others a moment ago."""
        return [
            mover.expected(time_s)
            for mover in self._all
            if mover.confirmed and mover.hits >= 5 and time_s - mover.alone_s <= _TOGETHER_S
        ]

    def update(self, boxes: Sequence[Box], time_s: float, shared: Sequence[bool] = ()) -> list[Mover]:
        """The mover of each box, in the order of the boxes; `shared` marks boxes cut out of a common blob."""
        pairs = []
        for row, mover in enumerate(self._all):
            elapsed = time_s - mover.time_s
            left, top, right, bottom = mover.expected(time_s)
            x, y = (left + right) / 2, (top + bottom) / 2
            size = max(mover.box[2] - mover.box[0], mover.box[3] - mover.box[1])
            for column, box in enumerate(boxes):
                apart = math.dist((x, y), ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2))
                reach = 4.0 + 0.6 * max(size, box[2] - box[0], box[3] - box[1]) * min(1.0, 0.5 + elapsed)
                if apart <= reach:
                    # The larger and the longer known go first.
                    pairs.append((apart / reach - 0.5 * mover.confirmed, row, column))
        found: dict[int, Mover] = {}
        taken: set[int] = set()
        for _, row, column in sorted(pairs):
            if row not in taken and column not in found:
                taken.add(row)
                found[column] = self._all[row]
        # In rain anything finds a neighbour now and then: the more blobs there are, the longer one must prove itself.
        doubtful = len(boxes) - sum(mover.confirmed for mover in found.values())
        needed = min(_LEAST_HITS + doubtful // 3, _MOST_HITS)
        result = []
        for column, box in enumerate(boxes):
            known = found.get(column)
            if known is None:
                middle = ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2)
                known = Mover(box, middle, time_s, waypoint=middle)
                self._all.append(known)
            else:
                _advance(known, box, time_s)
                known.confirmed = known.confirmed or _travels(known, needed)
            if not (shared and shared[column]):
                known.alone_s = time_s
            result.append(known)
        for mover in self._all:
            mover.missed = 0 if mover.time_s == time_s else mover.missed + 1
        self._all = [
            mover
            for mover in self._all
            if (time_s - mover.time_s <= _FORGET_S if mover.confirmed else mover.missed <= _PATIENCE)
        ]
        return result


def _advance(mover: Mover, box: Box, time_s: float) -> None:
    elapsed = max(time_s - mover.time_s, 1e-3)
    before = mover.centre
    mover.box = box
    step = (mover.centre[0] - before[0], mover.centre[1] - before[1])
    keep = _SPEED_MEMORY
    mover.speed = (
        mover.speed[0] * keep + step[0] / elapsed * (1 - keep),
        mover.speed[1] * keep + step[1] / elapsed * (1 - keep),
    )
    stride = math.dist(mover.centre, mover.waypoint)
    if stride >= _STRIDE:
        # By strides, or trembling would add up to a long way at a high rate of pictures.
        mover.walked += stride
        mover.waypoint = mover.centre
    mover.hits += 1
    mover.time_s = time_s
    mover.sizes.append((box[2] - box[0], box[3] - box[1]))
    del mover.sizes[:-12]


def _travels(mover: Mover, needed: int) -> bool:
    """It has left its place, without much turning back."""
    if mover.hits < needed:
        return False
    width = sorted(size[0] for size in mover.sizes)[len(mover.sizes) // 2]
    return mover.way >= max(_STRIDE, 0.6 * width) and mover.way >= 0.5 * mover.walked
