"""Ways in the making: pictures of tracks in, finished ways out, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from perishield.model.geometry import Box, Point, foot
from perishield.model.ground import Ground, GroundPlane
from perishield.model.trajectory import Step, Trajectory
from perishield.model.vision import TrackBox, TrackFrame
from perishield.tracking.path import simplified

BOUND = 0.004
"""How far a kept path may be from the real one, in shares of the picture: 5 pixels of 1280."""
_POINTS = 512
"""Points of a way in the making before it is thinned out."""
_LOST_S = 5.0
_FEWEST_HITS = 3
_MOST = 20_000


@dataclass(slots=True)
class _Way:
    label: str
    start: float
    end: float
    score: float
    hits: int
    box: Box
    velocity: Point = (0.0, 0.0)
    metres_per_s: float | None = None
    path: list[Step] = field(default_factory=list)
    bound: float = BOUND


class Trajectories:
    """The ways of all objects that move now.

    `given_up` counts ways that were ended early because more than 20,000 were open. A way in the making holds at most
    512 points: beyond that it is simplified, with a bound that doubles whenever that does not halve it.
    """

    def __init__(self) -> None:
        self.given_up = 0
        self._ways: dict[tuple[str, int, int], _Way] = {}
        self._planes: dict[str, GroundPlane] = {}
        self._grounds: dict[tuple[str, int, int], Ground] = {}

    def __len__(self) -> int:
        return len(self._ways)

    def calibrate(self, planes: dict[str, GroundPlane]) -> None:
        """The cameras whose ground is known."""
        if planes != self._planes:
            self._planes = dict(planes)
            self._grounds.clear()

    def take(self, frame: TrackFrame) -> list[Trajectory]:
        """Take in a picture; ways that it ends because there are too many."""
        ended: list[Trajectory] = []
        for track in frame.tracks:
            if not track.seen:
                continue
            key = (frame.camera, frame.epoch, track.id)
            way = self._ways.get(key)
            if way is None:
                if len(self._ways) >= _MOST:
                    oldest = next(iter(self._ways))
                    self.given_up += 1
                    ended += _finished(oldest, self._ways.pop(oldest))
                way = self._ways[key] = _Way(track.label, frame.wall, frame.wall, track.score, track.hits, track.box)
            self._extend(way, track, frame)
        return ended

    def live(self, camera: str | None = None) -> Iterator[Trajectory]:
        """Every way in the making of one camera or all, as far as it has come."""
        for key, way in self._ways.items():
            if camera in (None, key[0]):
                yield _trajectory(key, way, tuple(way.path))

    def end_lost(self, now: float) -> list[Trajectory]:
        """Ways of who was not seen for five seconds before `now` (Unix seconds), simplified."""
        lost = [key for key, way in self._ways.items() if not -_LOST_S <= now - way.end <= _LOST_S]
        return [way for key in lost for way in _finished(key, self._ways.pop(key))]

    def end_all(self) -> list[Trajectory]:
        ended = [way for key, open_way in self._ways.items() for way in _finished(key, open_way)]
        self._ways.clear()
        return ended

    def _extend(self, way: _Way, track: TrackBox, frame: TrackFrame) -> None:
        width, height = max(frame.width, 1), max(frame.height, 1)
        x, y = foot(track.box)
        since = max(frame.wall - way.start, way.path[-1][0] if way.path else 0.0)
        way.path.append((since, min(max(x / width, 0.0), 1.0), min(max(y / height, 0.0), 1.0)))
        way.end = max(way.end, frame.wall)
        way.label, way.hits, way.score = track.label, track.hits, max(way.score, track.score)
        x1, y1, x2, y2 = track.box
        way.box = (x1 / width, y1 / height, x2 / width, y2 / height)
        way.velocity = (track.velocity[0] / width, track.velocity[1] / height)
        ground = self._ground(frame)
        way.metres_per_s = ground.speed((x, y), track.velocity) if ground and ground.valid((x, y)) else None
        if len(way.path) > _POINTS:
            way.path = list(simplified(way.path, way.bound))
            while len(way.path) > _POINTS // 2:
                way.bound *= 2
                way.path = list(simplified(way.path, way.bound))

    def _ground(self, frame: TrackFrame) -> Ground | None:
        plane = self._planes.get(frame.camera)
        if plane is None:
            return None
        key = (frame.camera, frame.width, frame.height)
        ground = self._grounds.get(key)
        if ground is None:
            ground = self._grounds[key] = Ground(plane, max(frame.width, 1), max(frame.height, 1))
        return ground


def _finished(key: tuple[str, int, int], way: _Way) -> list[Trajectory]:
    """The way simplified; none for what was seen in fewer than three pictures, which is noise more often than not."""
    if len(way.path) < _FEWEST_HITS:
        return []
    return [_trajectory(key, way, simplified(way.path, way.bound))]


def _trajectory(key: tuple[str, int, int], way: _Way, path: tuple[Step, ...]) -> Trajectory:
    camera, epoch, track = key
    return Trajectory(
        camera=camera,
        epoch=epoch,
        track=track,
        label=way.label,
        score=way.score,
        hits=way.hits,
        start=way.start,
        end=way.end,
        path=path,
        box=way.box,
        velocity=way.velocity,
        metres_per_s=way.metres_per_s,
    )
