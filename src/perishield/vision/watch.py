"""One camera under watch: its gate, its decoder and the pace at which its pictures are analysed."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from perishield.model.geometry import Box
from perishield.model.media import TIMESCALE, ChunkRef
from perishield.vision.decoder import ChunkDecoder
from perishield.vision.gate import Gate
from perishield.vision.picture import Shrinker

if TYPE_CHECKING:
    from perishield.vision.picture import Picture

_LOOK_BACK = 6 * TIMESCALE
"""How far behind a key frame that opened the gate pictures are still worth analysing."""
_EARLY = TIMESCALE
"""How much before a grown packet."""
_THUMBNAIL = (160, 90)


@dataclass(frozen=True, slots=True, eq=False)
class Due:
    """A picture to analyse. `gate_open` is False for a lone key frame."""

    picture: Picture
    gate_open: bool


class CameraWatch:
    """Takes one camera's chunks in order and hands out the pictures that are due.

    `fps`: pictures analysed a second of stream time while the gate is open; may be changed at any time. `hardware`:
    what to decode with (`hardware.decoder_for`). One thread takes; `saw` may be called by another meanwhile.
    """

    def __init__(self, media_root: Path, fps: float, *, gate: Gate | None = None, hardware: str = "") -> None:
        self.fps = fps
        self.keys_only = False
        """Nothing but key frames is decoded, whatever moves."""
        self.gate = gate or Gate()
        self.open = False
        self.decoder = ChunkDecoder(media_root, hardware=hardware)
        self._shrink = Shrinker(*_THUMBNAIL, "gray")
        self._following = False
        self._last = -1
        self._due = 0
        self._first = 0
        """Where the beat of analysis began. It goes on while the gate is shut, so that what is looked at once it opens
        does not hang on when it opened."""
        self._key = 0
        self._former: ChunkRef | None = None
        self._seen: deque[tuple[list[Box], int]] = deque()

    def take(self, ref: ChunkRef) -> Iterator[Due]:
        """The pictures that this chunk makes due, each later than those before."""
        former, self._former = self._former, ref
        if former is None or former.epoch != ref.epoch or (former.width, former.height) != (ref.width, ref.height):
            self.gate.restart()
            self._following = False
            self._last, self._due, self._key = -1, 0, ref.stream_time
            self._first = ref.stream_time
        self.heed()
        wanted = self.open = self.gate.chunk(ref)
        if self.keys_only:
            self._following = False
            picture = self.decoder.skim(ref)
            if picture is not None:
                self._key = self._last = picture.stream_time
                self.gate.key_frame(self._shrink.luma(picture.frame), picture.stream_time)
                yield Due(picture, gate_open=wanted)
            return
        if wanted:
            if self._following:
                yield from self._paced(self.decoder.follow(ref))
                return
            self._following = True
            self.decoder.skim(ref)
            since = ref.stream_time - _EARLY
            yield from self._paced(self.decoder.catch_up(since), since)
            return
        self._following = False
        picture = self.decoder.skim(ref)
        if picture is None:
            return
        before, self._key = self._key, picture.stream_time
        if self.gate.key_frame(self._shrink.luma(picture.frame), picture.stream_time):
            self._following = self.open = True
            since = max(before, picture.stream_time - _LOOK_BACK)
            yield from self._paced(self.decoder.catch_up(since), since)
        else:
            self._last = picture.stream_time
            self._due = self._after(picture.stream_time)
            yield Due(picture, gate_open=False)

    def saw(self, boxes: Iterable[Box], time: int) -> None:
        """What was found in the picture of that stream time."""
        self._seen.append((list(boxes), time))

    def heed(self) -> None:
        """Let the gate know of what was seen since; `take` does so itself."""
        while self._seen:
            self.gate.objects(*self._seen.popleft())

    def close(self) -> None:
        self.decoder.close()

    def _paced(self, pictures: Iterator[Picture], since: int = -1) -> Iterator[Due]:
        self.decoder.wanted_from = max(since, self._due)
        for picture in pictures:
            time = picture.stream_time
            if picture.key:
                self._key = time
                self.gate.key_frame(self._shrink.luma(picture.frame), time)
            if time <= self._last or time < since or time < self._due:
                continue
            self._last = time
            self._due = self.decoder.wanted_from = self._after(time)
            yield Due(picture, gate_open=True)

    def _after(self, time: int) -> int:
        """From when on a picture is due after one at `time`: the next beat, but no sooner than half of one."""
        period = TIMESCALE / max(self.fps, 0.1)
        beat = self._first + ((time - self._first) // period + 1) * period
        return int(max(beat, time + period / 2))
