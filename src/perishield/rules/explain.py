"""Events, with all that explains them."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from perishield.model.alarms import Event
from perishield.model.geometry import Box, Point
from perishield.model.remarks import Remark
from perishield.model.rules import Rule, rule_to_dict
from perishield.model.vision import MOTION, TrackFrame
from perishield.rules.sighting import Finding
from perishield.rules.trail import Trail
from perishield.rules.verdict import Size, weighed

_LOWEST_LEVEL = 4


def track_event(
    frame: TrackFrame, rule: Rule, finding: Finding, size: Size, track: int, trail: Trail, picture: int
) -> Event:
    """What one track did. `size` is as of the finding, `picture` the number of the deciding one in its scene."""
    point = (finding.point[0] / frame.width, finding.point[1] / frame.height)
    level = min(rule.level + 1, _LOWEST_LEVEL) if trail.label == MOTION else rule.level
    stood: dict[str, Any] = rule_to_dict(rule)
    return Event(
        id=uuid.uuid4().hex,
        camera=frame.camera,
        epoch=frame.epoch,
        kind=finding.kind,
        rule=stood,
        level=level,
        label=trail.label,
        score=trail.score,
        track=track,
        stream_time=finding.ticks,
        wall=finding.wall,
        arrival=frame.arrival,
        point=point,
        direction=finding.direction,
        box=trail.box,
        path=trail.path(rule.anchor, finding.ticks, point),
        detector=frame.detector,
        height=size.height,
        height_m=size.height_m,
        speed=size.speed or 0.0,
        speed_mps=size.speed_mps,
        scores=trail.scores,
        evidence=trail.evidence(picture, rule.of_pictures),
        stayed_s=finding.stayed_s,
        count=finding.count,
        weighed=weighed(rule),
        doubts=(*finding.doubts, *_renamed(trail)),
    )


def scene_event(frame: TrackFrame, rule: Rule, finding: Finding, score: float) -> Event:
    """What a whole picture showed. A finding without a box is about the whole picture."""
    point = (finding.point[0] / frame.width, finding.point[1] / frame.height)
    x1, y1, x2, y2 = finding.box or (0.0, 0.0, frame.width, frame.height)
    return Event(
        id=uuid.uuid4().hex,
        camera=frame.camera,
        epoch=frame.epoch,
        kind=finding.kind,
        rule=rule_to_dict(rule),
        level=rule.level,
        label=rule.labels[0],
        score=score,
        track=-1,
        stream_time=finding.ticks,
        wall=finding.wall,
        arrival=frame.arrival,
        point=point,
        direction="",
        box=(_share(x1, frame.width), _share(y1, frame.height), _share(x2, frame.width), _share(y2, frame.height)),
        path=((finding.ticks, *point),),
        detector=frame.detector,
        stayed_s=finding.stayed_s,
        count=finding.count,
        weighed=weighed(rule),
    )


def _renamed(trail: Trail) -> tuple[Remark, ...]:
    if not trail.said:
        return ()
    return (Remark("label_too", f"label: the detector said {trail.said} too", {"label": trail.said}),)


def _share(value: float, size: int) -> float:
    return min(max(value / size, 0.0), 1.0)


def with_totals(event: Event, totals: Sequence[int], total: int) -> Event:
    """The event of a line that counts."""
    return replace(event, totals=(totals[0], totals[1]), count=total)


def around(line: Sequence[Point], width: int, height: int) -> Box:
    """The box around a line (0..1 of the picture), in pixels."""
    xs, ys = [x * width for x, _ in line], [y * height for _, y in line]
    return min(xs), min(ys), max(xs), max(ys)
