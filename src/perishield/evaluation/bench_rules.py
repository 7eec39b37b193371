"""What judging costs: a crowd that walks about, judged by rules of every kind, in processor time."""

from __future__ import annotations

import math
import random
import statistics
import time
from typing import Any

from perishield.model.media import TIMESCALE
from perishield.model.rules import Count, Fence, LeftObject, LineCount, Loiter, Rule, Tripwire, WrongWay, Zone
from perishield.model.vision import TrackBox, TrackFrame
from perishield.rules.engine import RuleEngine

_FPS = 6
_SQUARE = ((0.2, 0.2), (0.6, 0.25), (0.65, 0.7), (0.15, 0.6))


def run(tracks: int, rules: int, pictures: int) -> dict[str, Any]:
    """Microseconds a picture; the median leaves out what events and start cost, `mean_us` does not."""
    engine = RuleEngine()
    engine.configure([_rule(number) for number in range(rules)])
    rng = random.Random(7)
    walkers = [(rng.random(), rng.random(), rng.uniform(0, 6.28), rng.uniform(0.02, 0.08)) for _ in range(tracks)]
    costs, events = [], 0
    for picture in range(pictures):
        frame = _frame(picture, walkers)
        begin = time.process_time_ns()
        events += len(engine.update(frame))
        costs.append((time.process_time_ns() - begin) / 1000)
    return {
        "tracks": tracks,
        "rules": rules,
        "pictures": pictures,
        "events": events,
        "median_us": round(statistics.median(costs), 1),
        "mean_us": round(statistics.fmean(costs), 1),
        "us_per_track_and_rule": round(statistics.median(costs) / max(1, tracks * rules), 3),
    }


def _frame(picture: int, walkers: list[tuple[float, float, float, float]]) -> TrackFrame:
    seconds = picture / _FPS
    boxes = []
    for number, (x, y, heading, speed) in enumerate(walkers):
        # Back and forth between the borders.
        at_x = abs((x + math.cos(heading) * speed * seconds) % 2 - 1) * 1920
        at_y = abs((y + math.sin(heading) * speed * seconds) % 2 - 1) * 1080
        boxes.append(TrackBox(number, "person", 0.8, (at_x - 20, at_y - 100, at_x + 20, at_y), picture + 1))
    return TrackFrame(
        camera="yard",
        epoch=1,
        stream_time=round(seconds * TIMESCALE),
        wall=1_700_000_000 + seconds,
        arrival=1_700_000_000 + seconds,
        width=1920,
        height=1080,
        tracks=tuple(boxes),
    )


def _rule(number: int) -> Rule:
    base: dict[str, Any] = {"id": f"r{number}", "camera": "yard", "name": f"r{number}"}
    x = 0.1 + 0.8 * (number * 0.618 % 1)
    line = ((x, 0.1), (x, 0.9))
    kinds: list[Rule] = [
        Tripwire(**base, line=line),
        Zone(**base, polygon=_SQUARE, on=("enter", "exit")),
        Fence(**base, outer=line, inner=((x + 0.05, 0.1), (x + 0.05, 0.9)), direction="right_to_left"),
        Loiter(**base, polygon=_SQUARE, radius=3),
        WrongWay(**base, polygon=_SQUARE, way=((0.2, 0.4), (0.6, 0.4))),
        Count(**base, polygon=_SQUARE, at_least=10),
        LineCount(**base, line=line, each=10),
        LeftObject(**base, polygon=_SQUARE),
        Tripwire(**base, line=(*line, (min(x + 0.1, 1), 0.95)), direction="left_to_right"),
        Zone(**base, polygon=_SQUARE, on=("inside",), stay_s=5, every_s=30),
    ]
    return kinds[number % len(kinds)]
