"""Decides, per camera, whether everything is decoded or key frames alone.

The sizes of packets open the gate early, without a single picture decoded: where something moves, P-frames grow. That
signal is weak under constant bit rate and at night (an AUC of 0.61 was measured), so it never keeps the gate shut:
each key frame is decoded and compared with the one before, whatever the packets say. Objects that move hold the gate
open; a timer closes it.
"""

from __future__ import annotations

import math
import statistics
from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

from perishield.model.geometry import Box
from perishield.model.media import TIMESCALE, ChunkRef

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Reason(StrEnum):
    """Why the gate opened or stays open."""

    WARM_UP = "warm_up"
    PACKETS = "packets"
    KEY_FRAME = "key_frame"
    OBJECTS = "objects"


class Gate:
    """One camera's gate. Times are stream ticks of the present epoch.

    `hold_s`: how long it stays open after the last reason. `warm_up_s`: how long it is open at the beginning, so that
    a background can be learned.
    """

    def __init__(self, hold_s: float = 4.0, warm_up_s: float = 8.0) -> None:
        self.reasons: Counter[Reason] = Counter()
        self._hold = int(hold_s * TIMESCALE)
        self._warm_up = int(warm_up_s * TIMESCALE)
        self._until: int | None = None
        self._sizes = PacketSizes()
        self._keys = KeyFrames()
        self._resting = Resting()

    def restart(self) -> None:
        """Begin anew: another epoch, or a picture of another size."""
        self._until = None
        self._sizes, self._keys, self._resting = PacketSizes(), KeyFrames(), Resting()

    def is_open(self, time: int) -> bool:
        return self._until is not None and time < self._until

    def chunk(self, ref: ChunkRef) -> bool:
        """Look at a chunk's packet sizes; True while the gate is open for it."""
        if self._until is None:
            self.reasons[Reason.WARM_UP] += 1
            self._until = ref.stream_time + self._warm_up
        if self._sizes.grew(ref):
            self._open(ref.stream_time + ref.duration, Reason.PACKETS)
        return self.is_open(ref.stream_time)

    def key_frame(self, luma: NDArray[np.uint8], time: int) -> bool:
        """Compare a key frame's thumbnail (any fixed shape) with the former one; True while the gate is open.

        It opens the gate but does not hold it open: once everything is decoded, the detector knows better.
        """
        if self._keys.differs(luma) and not self.is_open(time):
            self._open(time, Reason.KEY_FRAME)
        return self.is_open(time)

    def objects(self, boxes: Iterable[Box], time: int) -> None:
        """What was detected or is being followed; what rests for long is no reason to look."""
        if self._resting.moving(boxes, time / TIMESCALE):
            self._open(time, Reason.OBJECTS)

    def _open(self, time: int, reason: Reason) -> None:
        if not self.is_open(time) or reason is Reason.OBJECTS:
            self.reasons[reason] += 1
        self._until = max(self._until or 0, time + self._hold)


class PacketSizes:
    """Sizes of P-frames against what is usual for this camera.

    Frames are gathered into windows of a third of a second; a window is unusual when the logarithm of its mean size
    stands out of the last 25 seconds by `deviations` robust standard deviations and by 12 %.
    """

    _WINDOW = TIMESCALE // 3
    _FLOOR_BYTES = 100
    _LEAST = math.log(1.12)

    def __init__(self, deviations: float = 2.5) -> None:
        self._deviations = deviations
        self._usual: deque[float] = deque(maxlen=75)
        self._bytes = 0
        self._frames = 0
        self._ticks = 0

    def grew(self, ref: ChunkRef) -> bool:
        """Take in a chunk; True where one of the windows that it completes is unusually large."""
        found = False
        for index, (size, ticks) in enumerate(zip(ref.sizes, ref.durations, strict=True)):
            if ref.key and index == 0:
                continue
            self._bytes += size
            self._frames += 1
            self._ticks += ticks
            if self._ticks >= self._WINDOW:
                found = self._window() or found
        return found

    def _window(self) -> bool:
        value = math.log(self._FLOOR_BYTES + self._bytes / self._frames)
        self._bytes = self._frames = self._ticks = 0
        unusual = False
        if len(self._usual) >= 8:
            middle = statistics.median(self._usual)
            spread = 1.4826 * statistics.median(abs(other - middle) for other in self._usual)
            unusual = value > middle + max(self._LEAST, self._deviations * spread)
        self._usual.append(value)
        return unusual


class KeyFrames:
    """Difference between one key frame and the next, against the noise that each place usually shows."""

    _LEAST = 9.0
    _DEVIATIONS = 3.5
    _PIXELS = 5

    def __init__(self) -> None:
        self._former: NDArray[np.float32] | None = None
        self._noise: NDArray[np.float32] | None = None

    def differs(self, luma: NDArray[np.uint8]) -> bool:
        """True where a patch of pixels changed by more than light and noise do."""
        now = luma.astype(np.float32)
        former, self._former = self._former, now
        if former is None or self._noise is None or former.shape != now.shape:
            self._noise = np.full(now.shape, 2.0, np.float32)
            return former is not None
        gain = (float(np.median(now)) + 8.0) / (float(np.median(former)) + 8.0)
        change = np.abs(now - former * np.float32(gain))
        active = change > np.maximum(self._LEAST, self._DEVIATIONS * self._noise)
        self._noise += np.float32(0.15) * (np.minimum(change, 30.0) - self._noise)
        rows = np.add.reduceat(active, np.arange(0, active.shape[0], 4), axis=0, dtype=np.int16)
        patches = np.add.reduceat(rows, np.arange(0, active.shape[1], 4), axis=1)
        # Neighbouring patches together, so that no person falls apart on a grid line.
        paired = patches[:-1] + patches[1:]
        return bool((paired[:, :-1] + paired[:, 1:] >= self._PIXELS).any())


@dataclass(slots=True)
class _Place:
    box: Box
    since: float
    seen: float


class Resting:
    """Remembers where objects stand, so that a parked car does not keep a camera awake for ever."""

    _REST_S = 20.0
    _FORGET_S = 60.0
    _SAME = 0.6

    def __init__(self) -> None:
        self._places: list[_Place] = []

    def moving(self, boxes: Iterable[Box], time_s: float) -> bool:
        """True where any of the boxes has not been in its place for long."""
        self._places = [place for place in self._places if 0 <= time_s - place.seen < self._FORGET_S]
        moving = False
        for box in boxes:
            place = next((place for place in self._places if _overlap(place.box, box) >= self._SAME), None)
            if place is None:
                self._places.append(_Place(box, time_s, time_s))
                moving = True
            else:
                place.seen = time_s
                moving = moving or time_s - place.since < self._REST_S
        return moving


def _overlap(one: Box, other: Box) -> float:
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    if width <= 0 or height <= 0:
        return 0.0
    shared = width * height
    union = (one[2] - one[0]) * (one[3] - one[1]) + (other[2] - other[0]) * (other[3] - other[1]) - shared
    return shared / union
