"""Decides, per camera, whether everything is decoded or key frames alone.

The sizes of packets open the gate early, without a single picture decoded: where something moves, P-frames grow. That
signal is weak under constant bit rate and at night (an AUC of 0.61 was measured), so it never keeps the gate shut:
each key frame is decoded and compared with the one before, whatever the packets say. Objects that move hold the gate
open; a timer closes it.

Both signals measure themselves against what the camera showed while nothing was followed, and both learn from being
wrong: an opening that led to nothing makes whatever caused it count for less, one that led to an object forgives.
"""

from __future__ import annotations

import math
import statistics
from collections import Counter, deque
from collections.abc import Iterable
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

from perishield.model.geometry import Box
from perishield.model.media import TIMESCALE, ChunkRef
from perishield.vision.blobs import grown
from perishield.vision.nms import iou

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Reason(StrEnum):
    """Why the gate opened or stays open."""

    WARM_UP = "warm_up"
    PACKETS = "packets"
    KEY_FRAME = "key_frame"
    OBJECTS = "objects"
    SPARSE_KEYS = "sparse_keys"


_JITTER = 1 / 64
"""Share of the picture's width by which boxes of what rests jump about."""
_SPARSE = 3.5 * TIMESCALE
"""Between two key frames: an alarm is to come within five seconds, and the rest of the way takes its time, too."""


class Gate:
    """One camera's gate. Times are stream ticks of the present epoch.

    `hold_s`: how long it stays open after the last object. `probe_s`: how long it is open on mere suspicion.
    `warm_up_s`: how long it is open at the beginning, so that a background can be learned.
    """

    def __init__(self, hold_s: float = 4.0, warm_up_s: float = 8.0, probe_s: float = 2.5) -> None:
        self.reasons: Counter[Reason] = Counter()
        self._hold = int(hold_s * TIMESCALE)
        self._probe = int(min(probe_s, hold_s) * TIMESCALE)
        self._warm_up = int(warm_up_s * TIMESCALE)
        self._begin()

    def _begin(self) -> None:
        self._until: int | None = None
        self._sizes, self._keys, self._resting = PacketSizes(), KeyFrames(), Resting()
        self._suspicion: Reason | None = None
        """Why it opened last, until that has proved right or wrong."""
        self._followed_until = -1
        self._key: int | None = None
        self._key_gap = 0

    def restart(self) -> None:
        """Begin anew: another epoch, or a picture of another size."""
        self._begin()

    def is_open(self, time: int) -> bool:
        return self._until is not None and time < self._until

    def chunk(self, ref: ChunkRef) -> bool:
        """Look at a chunk's packet sizes; True while the gate is open for it."""
        if self._until is None:
            self.reasons[Reason.WARM_UP] += 1
            self._until = ref.stream_time + self._warm_up
        self._resting.margin = ref.width * _JITTER
        if ref.key:
            self._key_gap = 0 if self._key is None else ref.stream_time - self._key
            self._key = ref.stream_time
        was_open = self.is_open(ref.stream_time)
        if not was_open and self._suspicion is not None:
            self._settle(right=False)
        # What is large while somebody is followed is not what is usual here.
        grew = self._sizes.grew(ref, learn=ref.stream_time >= self._followed_until)
        if grew and not was_open:
            self._open(ref.stream_time + ref.duration, Reason.PACKETS)
        if max(self._key_gap, ref.stream_time - (self._key or 0)) > _SPARSE:
            self.reasons[Reason.SPARSE_KEYS] += not was_open
            self._until = max(self._until, ref.stream_time + self._probe)
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
            self.reasons[Reason.OBJECTS] += 1
            self._until = self._followed_until = max(self._until or 0, time + self._hold)
            if self._suspicion is not None:
                self._settle(right=True)

    def _open(self, time: int, reason: Reason) -> None:
        self.reasons[reason] += 1
        self._suspicion = reason
        self._until = max(self._until or 0, time + self._probe)

    def _settle(self, *, right: bool) -> None:
        if self._suspicion is Reason.PACKETS:
            self._sizes.settle(right=right)
        elif self._suspicion is Reason.KEY_FRAME:
            self._keys.settle(right=right)
        self._suspicion = None


class PacketSizes:
    """Sizes of P-frames against what is usual for this camera.

    Frames are gathered into windows of a third of a second; a window is unusual when the logarithm of its mean size
    stands out of the last minute by `deviations` robust standard deviations, by 12 %, and out of the largest two in a
    hundred. Openings in vain raise all that, up to three times.
    """

    _WINDOW = TIMESCALE // 3
    _FLOOR_BYTES = 100
    _LEAST = math.log(1.12)
    _ENOUGH = 8
    _MOST_CAUTION = 3.0
    _FORGETTING = 0.9995
    """A window's share of the caution that outlives it: half is forgotten in eight minutes."""

    def __init__(self, deviations: float = 2.5) -> None:
        self._deviations = deviations
        self._usual: deque[float] = deque(maxlen=180)
        self._caution = 1.0
        self._bytes = 0
        self._frames = 0
        self._ticks = 0

    def grew(self, ref: ChunkRef, *, learn: bool = True) -> bool:
        """Take in a chunk; True where one of the windows that it completes is unusually large. `learn`: it is also
        taken for what is usual."""
        found = False
        for index, (size, ticks) in enumerate(zip(ref.sizes, ref.durations, strict=True)):
            if ref.key and index == 0:
                continue
            self._bytes += size
            self._frames += 1
            self._ticks += ticks
            if self._ticks >= self._WINDOW:
                found = self._window(learn) or found
        return found

    def settle(self, *, right: bool) -> None:
        """What it led to the last time was something, or nothing."""
        self._caution = max(1.0, self._caution * 0.7) if right else min(self._MOST_CAUTION, self._caution * 1.3)

    def _window(self, learn: bool) -> bool:
        value = math.log(self._FLOOR_BYTES + self._bytes / self._frames)
        self._bytes = self._frames = self._ticks = 0
        self._caution = 1.0 + (self._caution - 1.0) * self._FORGETTING
        unusual = False
        if len(self._usual) >= self._ENOUGH:
            ordered = sorted(self._usual)
            middle = ordered[len(ordered) // 2]
            spread = 1.4826 * statistics.median(abs(other - middle) for other in ordered)
            above = max(self._LEAST, self._deviations * spread) * self._caution
            unusual = value > max(middle + above, ordered[math.ceil(len(ordered) * 0.98) - 1])
        if learn:
            self._usual.append(value)
        return unusual


class KeyFrames:
    """Difference between one key frame and the next, against the noise that each place usually shows.

    Where an opening led to nothing, that place needs a larger difference for some minutes.
    """

    _LEAST = 9.0
    _DEVIATIONS = 3.5
    _PIXELS = 5
    _LEARNING = 0.1
    _MOST_CAUTION = 2.5
    _FORGETTING = 0.997
    """Of a key frame: half of the caution is forgotten after 230 of them."""

    def __init__(self) -> None:
        self._former: NDArray[np.float32] | None = None
        self._noise: NDArray[np.float32] | None = None
        self._caution: NDArray[np.float32] | None = None
        self._active: NDArray[np.bool_] | None = None
        self._count = 0

    def differs(self, luma: NDArray[np.uint8]) -> bool:
        """True where a patch of pixels changed by more than light and noise do."""
        now = luma.astype(np.float32)
        former, self._former = self._former, now
        if former is None or self._noise is None or self._caution is None or former.shape != now.shape:
            self._noise = np.full(now.shape, 2.0, np.float32)
            self._caution = np.ones(now.shape, np.float32)
            self._active, self._count = None, 0
            return former is not None
        self._count += 1
        gain = (float(np.median(now)) + 8.0) / (float(np.median(former)) + 8.0)
        change = np.abs(now - former * np.float32(gain))
        active = change > np.maximum(self._LEAST, self._DEVIATIONS * self._noise) * self._caution
        rate = np.float32(max(self._LEARNING, 1 / (self._count + 1)))
        self._noise += rate * (np.minimum(change, 30.0) - self._noise)
        self._caution = 1 + (self._caution - 1) * np.float32(self._FORGETTING)
        rows = np.add.reduceat(active, np.arange(0, active.shape[0], 4), axis=0, dtype=np.int16)
        patches = np.add.reduceat(rows, np.arange(0, active.shape[1], 4), axis=1)
        # Neighbouring patches together, so that no person falls apart on a grid line.
        paired = patches[:-1] + patches[1:]
        found = bool((paired[:, :-1] + paired[:, 1:] >= self._PIXELS).any())
        if found:
            self._active = active
        return found

    def settle(self, *, right: bool) -> None:
        """What it led to the last time was something, or nothing."""
        if self._active is None or self._caution is None:
            return
        place = grown(self._active, 2, 2)
        if right:
            self._caution[place] = 1.0
        else:
            self._caution[place] = np.minimum(self._caution[place] * np.float32(1.4), self._MOST_CAUTION)


class Resting:
    """Remembers where objects stand, so that a parked car does not keep a camera awake for ever.

    Nor do leaves in which a network sees birds: what is tiny jumps about by more than its size, so boxes are compared
    with a margin, and every twig of a tree has its turn within minutes.
    """

    _REST_S = 20.0
    _FORGET_S = 60.0
    _FORGET_RESTED_S = 300.0
    _SAME = 0.6

    def __init__(self) -> None:
        self.margin = 0.0
        """Pixels on each side."""
        self._places = np.zeros((0, 4), np.float32)
        self._times = np.zeros((0, 2))
        """Since when something is at each place, and when it was seen there last."""

    def moving(self, boxes: Iterable[Box], time_s: float) -> bool:
        """True where any of the boxes has not been in its place for long."""
        here = np.array(list(boxes), np.float32).reshape(-1, 4)
        if not len(here):
            return False
        here += np.array([-1, -1, 1, 1], np.float32) * np.float32(self.margin)
        self._forget(time_s)
        same = iou(here, self._places) >= self._SAME
        self._times[same.any(axis=0), 1] = time_s
        rests = (same & (time_s - self._times[:, 0] >= self._REST_S)).any(axis=1)
        new = here[~same.any(axis=1)]
        new = new[~np.triu(iou(new, new) >= self._SAME, 1).any(axis=0)]
        self._places = np.concatenate([self._places, new])
        self._times = np.concatenate([self._times, np.full((len(new), 2), time_s)])
        return not rests.all()

    def _forget(self, time_s: float) -> None:
        since, seen = self._times.T
        away = time_s - seen
        rested = seen - since >= self._REST_S
        kept = (away >= 0) & (away < np.where(rested, self._FORGET_RESTED_S, self._FORGET_S))
        self._places, self._times = self._places[kept], self._times[kept]
