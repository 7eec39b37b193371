"""What is held against the tracks of one camera before rules see them: every doubt says why, counts, and shows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

import msgspec
import numpy as np

from perishield.model.doubts import Doubt, Sample
from perishield.model.geometry import Box
from perishield.model.media import TIMESCALE
from perishield.model.vision import Detections, TrackBox, TrackFrame
from perishield.vision.doubt_animal import Animal
from perishield.vision.doubt_creep import Creeping, Metres
from perishield.vision.doubt_kind import Expected, PersonSize, Speed
from perishield.vision.doubt_light import Headlights, LightChange, Weather
from perishield.vision.doubt_places import StillObjects, Sway
from perishield.vision.doubt_track import Followed, Scene

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from perishield.vision.picture import Picture

_FORGET_S = 15.0
_SAMPLE_EVERY_S = 10.0
_RENAMED = 1_000_000
"""Numbers of tracks that leapt; a tracker does not get that far."""
_THUMBNAIL = 128

OnSample = Callable[[Sample], None]


class Judge(Protocol):
    """One doubt; remembers what it needs of each track until it is told to forget it."""

    doubt: Doubt

    def against(self, known: Followed, scene: Scene) -> bool: ...

    def forget(self, track: int) -> None: ...


class Jury:
    """The doubts about one camera's tracks.

    `wanted` tells which count; `on_sample` is told of each track that is held back, once for every doubt. `counts`
    says how many tracks each held back. A doubted track is judged again in every picture in which it is seen.
    `expected`: how high people are on calibrated ground, `metres`: where on it something is. `livestock`: whether
    horses and cattle are about.
    """

    def __init__(
        self,
        wanted: Callable[[Doubt], bool] = lambda doubt: True,
        on_sample: OnSample | None = None,
        expected: Expected | None = None,
        livestock: Callable[[], bool] = lambda: False,
        metres: Metres | None = None,
    ) -> None:
        self.counts: Counter[Doubt] = Counter()
        self._wanted = wanted
        self._on_sample = on_sample
        self._light = LightChange()
        self._creeping = Creeping(metres, expected)
        self._animal = Animal(livestock, self._creeping)
        self._judges: tuple[Judge, ...] = (
            Speed(),
            StillObjects(),
            self._light,
            Weather(),
            Headlights(),
            self._animal,
            PersonSize(expected=expected, hinted=self._animal.hinted, creeps=self._creeping),
            Sway(),
        )
        self._followed: dict[int, Followed] = {}
        self._told: dict[int, set[Doubt]] = {}
        self._sampled: dict[Doubt, float] = {}
        self._numbers: dict[int, int] = {}
        self._epoch = -1

    def sift(self, picture: Picture, frame: TrackFrame, seen: Detections) -> TrackFrame:
        """The frame without what is doubted. `seen`: all that was detected in the picture, taken for a track or not."""
        if frame.epoch != self._epoch:
            self._epoch = frame.epoch
            self._followed.clear()
        luma = picture.luma()
        scene = Scene(picture.stream_time / TIMESCALE, luma, float(np.median(luma[::16, ::16])))
        self._light.look(scene)
        kept = []
        for track in self._animal.named(frame.tracks, seen):
            if not track.seen:
                kept.append(self._renamed(track))
                continue
            doubt = self._doubt(track, scene)
            if doubt is None:
                kept.append(self._renamed(track))
            else:
                self._note(doubt, track, picture)
        self._forget(scene.time_s)
        return replace(frame, tracks=tuple(kept))

    def _doubt(self, track: TrackBox, scene: Scene) -> Doubt | None:
        known = self._followed.get(track.id)
        if known is None:
            known = self._followed[track.id] = Followed.first(track, scene.time_s)
        else:
            known.see(track, scene.time_s)
        self._creeping.look(known, scene)
        found: Doubt | None = None
        # All are asked, also behind one who doubts already: each learns from what it sees.
        for judge in self._judges:
            if judge.against(known, scene) and found is None and self._wanted(judge.doubt):
                found = judge.doubt
        if found is Doubt.SPEED:
            self._numbers[track.id] = self._numbers.get(track.id, track.id) + _RENAMED
        return found

    def _renamed(self, track: TrackBox) -> TrackBox:
        number = self._numbers.get(track.id)
        return track if number is None else msgspec.structs.replace(track, id=number)

    def _note(self, doubt: Doubt, track: TrackBox, picture: Picture) -> None:
        told = self._told.setdefault(track.id, set())
        if doubt in told:
            return
        told.add(doubt)
        self.counts[doubt] += 1
        if self._on_sample is None:
            return
        # Pictures of a doubt that speaks again and again cost more than they tell.
        rare = picture.wall - self._sampled.get(doubt, 0.0) >= _SAMPLE_EVERY_S
        if rare:
            self._sampled[doubt] = picture.wall
        x1, y1, x2, y2 = track.box
        wide, high = picture.width, picture.height
        self._on_sample(
            Sample(
                doubt=doubt,
                wall=picture.wall,
                track=track.id,
                label=track.label,
                score=track.score,
                box=(x1 / wide, y1 / high, x2 / wide, y2 / high),
                jpeg=thumbnail(picture, track.box) if rare else b"",
            )
        )

    def _forget(self, time_s: float) -> None:
        gone = [name for name, known in self._followed.items() if not 0 <= time_s - known.time_s <= _FORGET_S]
        for name in gone:
            del self._followed[name]
            self._told.pop(name, None)
            self._numbers.pop(name, None)
            self._creeping.forget(name)
            for judge in self._judges:
                judge.forget(name)


def thumbnail(picture: Picture, box: Box) -> bytes:
    """The box and half its size around it as JPEG, at most 128 pixels wide and high."""
    x1, y1, x2, y2 = box
    pad_x, pad_y = (x2 - x1) / 2, (y2 - y1) / 2
    frame = picture.frame.to_ndarray(format="rgb24")
    part = frame[
        max(round(y1 - pad_y), 0) : max(round(y2 + pad_y), 2), max(round(x1 - pad_x), 0) : max(round(x2 + pad_x), 2)
    ]
    step = max(1, -(-max(part.shape[:2]) // _THUMBNAIL))
    small: NDArray[np.uint8] = part[::step, ::step].astype(np.uint8)
    height, width = small.shape[0] // 2 * 2, small.shape[1] // 2 * 2
    if height < 2 or width < 2:
        return b""
    import simplejpeg

    return bytes(simplejpeg.encode_jpeg(np.ascontiguousarray(small[:height, :width]), quality=75))
