"""Walks over a picture of 1000 x 1000 pixels, for every rule."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence

import pytest

from perishield.model.alarms import Event
from perishield.model.geometry import Point
from perishield.model.media import TIMESCALE
from perishield.model.rules import Rule
from perishield.model.vision import TrackBox, TrackFrame
from perishield.rules.engine import RuleEngine

Walk = Callable[..., list[Event]]
SIZE = 1000
HEIGHT = 100.0


def along(
    corners: Sequence[Point], rate: float, speed: float = 80.0, phase: float = 0.0
) -> Iterator[tuple[float, Point]]:
    """(seconds, point) on the way along `corners` at `speed` pixels a second, seen `rate` times a second."""
    legs = [(a, b, math.dist(a, b)) for a, b in itertools.pairwise(corners)]
    total = sum(length for _, _, length in legs)
    for picture in itertools.count():
        time_s = (picture + phase) / rate
        left = time_s * speed
        if left > total:
            return
        for a, b, length in legs:
            if left <= length and length:
                yield time_s, (a[0] + (b[0] - a[0]) * left / length, a[1] + (b[1] - a[1]) * left / length)
                break
            left -= length


def frame_at(time_s: float, *tracks: TrackBox, epoch: int = 1, size: int = SIZE) -> TrackFrame:
    return TrackFrame(
        camera="yard",
        epoch=epoch,
        stream_time=round(time_s * TIMESCALE),
        wall=1_000_000 + time_s,
        arrival=1_000_000.2 + time_s,
        width=size,
        height=size,
        tracks=tracks,
        detector="test",
    )


def track_at(point: Point, hits: int, **changes: object) -> TrackBox:
    """A box of 40 x 100 pixels whose foot stands at `point`."""
    x, y = point
    values: dict[str, object] = {"id": 1, "label": "person", "score": 0.8, "seen": True} | changes
    return TrackBox(box=(x - 20, y - HEIGHT, x + 20, y), hits=hits, **values)  # type: ignore[arg-type]


@pytest.fixture
def walk() -> Walk:
    """Events that one walk raises."""

    def run(
        rules: Rule | Sequence[Rule],
        corners: Sequence[Point],
        *,
        rate: float = 10,
        speed: float = 80.0,
        phase: float = 0.0,
        **changes: object,
    ) -> list[Event]:
        engine = RuleEngine()
        engine.configure(rules if isinstance(rules, Sequence) else [rules])
        events: list[Event] = []
        for index, (time_s, point) in enumerate(along(corners, rate, speed, phase)):
            events += engine.update(frame_at(time_s, track_at(point, index + 1, **changes)))
        return events

    return run


@pytest.fixture
def frames() -> Callable[..., TrackFrame]:
    return frame_at


@pytest.fixture
def tracks() -> Callable[..., TrackBox]:
    return track_at
