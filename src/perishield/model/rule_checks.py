"""What a rule must be to make sense. Conditions are compiled where they are judged (`perishield.rules.condition`)."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

from perishield.model.errors import RuleError
from perishield.model.geometry import Point, area
from perishield.model.rules import Count, Fence, LeftObject, LineCount, Loiter, Rule, Tripwire, WrongWay, Zone
from perishield.model.schedule import check_schedule, two_schedules

_DAY_S = 86_400.0
LONGEST_CONDITION = 500


def check_rule(rule: Rule) -> None:
    """Raise RuleError, naming the field, where the rule makes no sense."""
    if not rule.name.strip():
        raise RuleError("rule: give it a name", field="name")
    if rule.level not in (1, 2, 3, 4):
        raise _wrong(rule, "level", f"level is 1 (most urgent) to 4, not {rule.level}")
    _within(rule, "min_score", rule.min_score, 0, 1)
    _within(rule, "min_hits", rule.min_hits, 1, 100)
    _within(rule, "of_pictures", rule.of_pictures, 0, 100)
    if 0 < rule.of_pictures < rule.min_hits:
        raise _wrong(rule, "of_pictures", f"{rule.min_hits} detections cannot be among {rule.of_pictures} pictures")
    _within(rule, "cooldown_s", rule.cooldown_s, 0, _DAY_S)
    _within(rule, "rule_cooldown_s", rule.rule_cooldown_s, 0, _DAY_S)
    _within(rule, "rearm_after_s", rule.rearm_after_s, 0, 30 * _DAY_S)
    _within(rule, "rearmed", rule.rearmed, 0, 1e11)
    _within(rule, "band", rule.band, 0, 1)
    _within(rule, "band_px", rule.band_px, 0.5, 100)
    tallest = {"share": 1, "px": 100_000, "m": 1000}[rule.height_unit]
    _limits(rule, "height", rule.min_height, rule.max_height, tallest)
    _limits(rule, "speed", rule.min_speed, rule.max_speed, 1000)
    if not rule.labels or not all(rule.labels):
        raise _wrong(rule, "labels", "choose at least one class")
    if len(rule.condition) > LONGEST_CONDITION:
        raise _wrong(rule, "condition", f"a condition has at most {LONGEST_CONDITION} characters")
    if rule.schedule is not None and rule.schedule_id is not None:
        raise two_schedules(rule.name, rule.schedule_id)
    if rule.schedule is not None:
        check_schedule(rule.name, rule.schedule)
    _shape(rule)


def _shape(rule: Rule) -> None:
    match rule:
        case Tripwire() | LineCount():
            _points(rule, "line", rule.line, 2)
            if isinstance(rule, LineCount):
                _within(rule, "each", rule.each, 0, 1_000_000)
                _within(rule, "every_s", rule.every_s, 0, 7 * _DAY_S)
        case Zone():
            _polygon(rule, rule.polygon)
            if not rule.on or len(set(rule.on)) != len(rule.on):
                raise _wrong(rule, "on", "'on' takes enter, exit, inside, or several of them")
            _within(rule, "stay_s", rule.stay_s, 0, _DAY_S)
            _within(rule, "every_s", rule.every_s, 0, _DAY_S)
        case Fence():
            _fence(rule)
        case Loiter():
            _polygon(rule, rule.polygon)
            _within(rule, "stay_s", rule.stay_s, 1, _DAY_S)
            _within(rule, "radius", rule.radius, 0, 1000)
            _within(rule, "forgive_s", rule.forgive_s, 0, 10)
            _within(rule, "every_s", rule.every_s, 0, _DAY_S)
        case WrongWay():
            _polygon(rule, rule.polygon)
            _points(rule, "way", rule.way, 2)
            if len(rule.way) != 2:
                raise _wrong(rule, "way", "the allowed way is one arrow: two points")
            _within(rule, "tolerance_deg", rule.tolerance_deg, 5, 89)
            _within(rule, "distance", rule.distance, 0.01, 1000)
            _within(rule, "least_s", rule.least_s, 0, 3600)
        case Count():
            _polygon(rule, rule.polygon)
            if (rule.at_least is None) == (rule.at_most is None):
                raise _wrong(rule, "at_least", "say either at least how many, or at most how many")
            _within(rule, "at_least", rule.at_least or 1, 1, 1000)
            _within(rule, "at_most", rule.at_most or 0, 0, 1000)
            _within(rule, "for_s", rule.for_s, 0, _DAY_S)
            _within(rule, "forgive_s", rule.forgive_s, 0, 60)
            _within(rule, "every_s", rule.every_s, 0, _DAY_S)
        case LeftObject():
            _polygon(rule, rule.polygon)
            _within(rule, "stay_s", rule.stay_s, 5, _DAY_S)
            _within(rule, "settle_s", rule.settle_s, 1, 3600)
            _within(rule, "forgive_s", rule.forgive_s, 1, 600)
            _within(rule, "still", rule.still, 0.05, 1)


def _fence(rule: Fence) -> None:
    _points(rule, "outer", rule.outer, 2)
    if len(rule.between) > 8:
        raise _wrong(rule, "between", "at most 8 lines lie between the outer and the inner one")
    for line in rule.between:
        _points(rule, "between", line, 2)
    if rule.inner:
        _points(rule, "inner", rule.inner, 2)
    elif rule.depth <= 0:
        raise _wrong(rule, "inner", "draw the inner line, or say how deep beyond the outer one counts")
    elif rule.between:
        raise _wrong(rule, "between", "lines lie between an outer and an inner line; draw the inner one")
    _within(rule, "depth", rule.depth, 0, 1 if rule.depth_unit == "share" else 1000)
    _within(rule, "within_s", rule.within_s, 0.1, 3600)


def _wrong(rule: Rule, field: str, text: str) -> RuleError:
    return RuleError(f"rule {rule.name!r}: {text}", field=field)


def _within(rule: Rule, field: str, value: float, least: float, most: float) -> None:
    if not least <= value <= most:
        raise _wrong(rule, field, f"{field} is {least:g} to {most:.12g}, not {value:g}")


def _limits(rule: Rule, what: str, least: float, most: float, top: float) -> None:
    _within(rule, f"min_{what}", least, 0, top)
    _within(rule, f"max_{what}", most, 0, top)
    if most and least > most:
        raise _wrong(rule, f"max_{what}", f"max_{what} {most:g} is below min_{what} {least:g}: nothing would count")


def _points(rule: Rule, field: str, points: Sequence[Point], least: int) -> None:
    if len(points) < least:
        raise _wrong(rule, field, f"{field} needs at least {least} points")
    if len(points) > 64:
        raise _wrong(rule, field, f"{field} has more than 64 points")
    for x, y in points:
        if not (math.isfinite(x) and math.isfinite(y) and 0 <= x <= 1 and 0 <= y <= 1):
            text = f"{field} has the point ({x:g}, {y:g}) outside the picture; coordinates run from 0 to 1"
            raise _wrong(rule, field, text)
    for first, second in itertools.pairwise(points):
        if first == second:
            raise _wrong(rule, field, f"{field} has the same point twice in a row")


def _polygon(rule: Rule, points: Sequence[Point]) -> None:
    _points(rule, "polygon", points, 3)
    if area(points) < 1e-5:
        raise _wrong(rule, "polygon", "the zone has no area")
