"""Which of a camera's two streams is analysed, and where its pictures lie on the time of the recorded one.

Everybody else knows a camera by its recorded stream: players draw boxes by its stream time, clips are cut from it. The
two streams have clocks of their own but show the same moments, so wall-clock time leads from one to the other. It
jitters where it comes from arrival, hence the distance of the two origins is averaged.
"""

from __future__ import annotations

import time
from collections.abc import Iterable

from perishield.model.media import TIMESCALE, ChunkRef
from perishield.model.site import Camera
from perishield.streams.layout import main_camera

_PATIENCE_S = 5.0
"""So long may the smaller stream be silent before the recorded one is analysed."""
_SHARE = 1 / 16
_JUMP = TIMESCALE // 2


class _Origin:
    """Stream time minus wall-clock time of one stream, in ticks, averaged over an epoch."""

    __slots__ = ("epoch", "ticks")

    def __init__(self) -> None:
        self.epoch = -1
        self.ticks = 0.0

    def note(self, ref: ChunkRef) -> None:
        fresh = ref.stream_time - ref.wall * TIMESCALE
        if ref.epoch != self.epoch or abs(fresh - self.ticks) > _JUMP:
            self.epoch, self.ticks = ref.epoch, fresh
        else:
            self.ticks += (fresh - self.ticks) * _SHARE


class _Pair:
    __slots__ = ("detect", "heard", "last", "main")

    def __init__(self) -> None:
        self.main = _Origin()
        self.detect = _Origin()
        self.heard = float("-inf")
        self.last = (-1, -1)


class StreamChoice:
    """Of all cameras. Chunks are noted on the event loop, times are asked for by the worker's thread."""

    def __init__(self) -> None:
        self._pairs: dict[str, _Pair] = {}

    def follow(self, cameras: Iterable[Camera]) -> None:
        """These are the cameras now."""
        wanted = {camera.id for camera in cameras if camera.detect_url}
        self._pairs = {name: self._pairs.get(name) or _Pair() for name in wanted}

    def takes(self, ref: ChunkRef, now: float | None = None) -> bool:
        """Note a chunk; whether it is one to analyse. `now`: monotonic seconds."""
        now = time.monotonic() if now is None else now
        camera = main_camera(ref.camera)
        pair = self._pairs.get(camera)
        if pair is None:
            return ref.camera == camera
        if ref.camera == camera:
            pair.main.note(ref)
            return now - pair.heard > _PATIENCE_S
        pair.detect.note(ref)
        pair.heard = now
        return True

    def detects(self, camera: str, now: float | None = None) -> bool:
        """Whether the smaller stream of that camera is the one that is analysed."""
        pair = self._pairs.get(camera)
        return pair is not None and (time.monotonic() if now is None else now) - pair.heard <= _PATIENCE_S

    def on_main(self, stream: str, epoch: int, stream_time: int) -> tuple[int, int]:
        """Epoch and stream time of the recorded stream at that time of `stream`; the same where that is unknown.

        Never runs backwards within an epoch.
        """
        camera = main_camera(stream)
        pair = self._pairs.get(camera)
        if stream == camera or pair is None or pair.main.epoch < 0 or pair.detect.epoch != epoch:
            return epoch, stream_time
        mapped = max(0, round(stream_time + pair.main.ticks - pair.detect.ticks))
        last_epoch, last = pair.last
        if last_epoch == pair.main.epoch:
            mapped = max(mapped, last + 1)
        pair.last = (pair.main.epoch, mapped)
        return pair.last
