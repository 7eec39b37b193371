"""Whether an object counts for a rule: class, evidence, score, size, speed."""

from __future__ import annotations

import math
from dataclasses import dataclass

from perishield.model.remarks import Remark
from perishield.model.rules import Rule
from perishield.model.vision import MOTION
from perishield.rules.measure import Measure
from perishield.rules.trail import Trail

UNKNOWN_HEIGHT = Remark("height_uncalibrated", "height: the ground is not calibrated there")
UNKNOWN_SPEED = Remark("speed_too_soon", "speed: not followed for long enough")
UNKNOWN_METRES = Remark("speed_uncalibrated", "speed: the ground is not calibrated there")


@dataclass(frozen=True, slots=True)
class Size:
    """How big and how fast an object was. Metres are None where the ground is not calibrated, `speed` where it was
    not followed for long enough. `height` is a share of the picture's, `pixels` the same in pixels."""

    pixels: float
    height: float
    height_m: float | None
    speed: float | None
    speed_mps: float | None


def size_of(rule: Rule, trail: Trail, width: int, measure: Measure) -> Size:
    """As of the object's last detection."""
    height = measure.picture
    at = trail.at["foot"].point
    speed = speed_mps = None
    stretch = trail.stretch(rule.anchor)
    if stretch is not None:
        (x1, y1), (x2, y2), seconds = stretch
        a, b = (x1 * width, y1 * height), (x2 * width, y2 * height)
        speed = math.dist(a, b) / max(trail.height, 1.0) / seconds
        metres = measure.metres(a, b) if rule.anchor == "foot" else None
        speed_mps = metres / seconds if metres is not None else None
    return Size(trail.height, trail.height / height, measure.height_m(at, trail.height), speed, speed_mps)


def patience(rule: Rule, trail: Trail, picture: int) -> str:
    """What the object still lacks to count and may yet get: `label`, `evidence` or `score`; empty: nothing."""
    if trail.label not in (*rule.labels, MOTION):
        return "label"
    if rule.of_pictures:
        if trail.evidence(picture, rule.of_pictures)[0] < rule.min_hits:
            return "evidence"
    elif trail.hits < rule.min_hits:
        return "evidence"
    return "score" if trail.score < rule.min_score else ""


def limits(rule: Rule, size: Size) -> tuple[str, tuple[Remark, ...]]:
    """Which limit the object does not keep (`size`, `speed` or empty), and which could not be told (and so held)."""
    doubts = []
    if rule.min_height or rule.max_height:
        height = {"share": size.height, "px": size.pixels, "m": size.height_m}[rule.height_unit]
        if height is None:
            doubts.append(UNKNOWN_HEIGHT)
        elif not _between(height, rule.min_height, rule.max_height):
            return "size", ()
    if rule.min_speed or rule.max_speed:
        speed = size.speed_mps if rule.speed_unit == "m" else size.speed
        if speed is None:
            doubts.append(UNKNOWN_SPEED if size.speed is None else UNKNOWN_METRES)
        elif not _between(speed, rule.min_speed, rule.max_speed):
            return "speed", ()
    return "", tuple(doubts)


def weighed(rule: Rule) -> tuple[str, ...]:
    """By what an event of this rule is tested, in that order."""
    tests = {
        "label": True,
        "evidence": True,
        "score": rule.min_score > 0,
        "size": rule.min_height or rule.max_height,
        "speed": rule.min_speed or rule.max_speed,
        "arming": True,
        "schedule": rule.schedule is not None and rule.arming == "scheduled",
        "one_shot": rule.one_shot,
        "cooldown": rule.cooldown_s > 0,
        "rule_cooldown": rule.rule_cooldown_s > 0,
        "condition": rule.condition,
    }
    return tuple(name for name, set_ in tests.items() if set_)


def _between(value: float, least: float, most: float) -> bool:
    return value >= least and (not most or value <= most)
