"""What users draw. Geometry is normalised to the picture (0..1); directions follow the drawing order.

A line is drawn from its first to its last point; its *left* and *right* are those of somebody who walks it that way,
as seen on the screen.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from perishield.model.errors import RuleError
from perishield.model.geometry import Point, area

Direction = Literal["any", "left_to_right", "right_to_left"]
Anchor = Literal["foot", "centre"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleBase:
    """What every rule has.

    `labels`: classes that it judges; a motion detector's finds are judged by every rule.
    `level`: 1 (most urgent) to 4. `min_hits`: detections that a track needs before it counts.
    `cooldown_s`: the same track raises the same rule no sooner than this again.
    """

    id: str
    camera: str
    name: str
    enabled: bool = True
    level: int = 2
    labels: tuple[str, ...] = ("person",)
    min_score: float = 0.0
    min_hits: int = 3
    anchor: Anchor = "foot"
    cooldown_s: float = 10.0
    revision: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Tripwire(RuleBase):
    """A line of two or more points that nobody may cross in `direction`."""

    kind: Literal["tripwire"] = "tripwire"
    line: tuple[Point, ...]
    direction: Direction = "any"


@dataclass(frozen=True, slots=True, kw_only=True)
class Zone(RuleBase):
    """A polygon that nobody may enter (or leave)."""

    kind: Literal["zone"] = "zone"
    polygon: tuple[Point, ...]
    on: tuple[Literal["enter", "exit"], ...] = ("enter",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fence(RuleBase):
    """Two lines: who crosses the outer and then the inner, in that order and within the time, came over the fence.

    `direction` tells which way across both lines leads inwards; draw both the same way.
    """

    kind: Literal["fence"] = "fence"
    outer: tuple[Point, ...]
    inner: tuple[Point, ...]
    direction: Literal["left_to_right", "right_to_left"] = "left_to_right"
    within_s: float = 20.0


Rule = Tripwire | Zone | Fence
KINDS: Mapping[str, type[Tripwire] | type[Zone] | type[Fence]] = {
    "tripwire": Tripwire,
    "zone": Zone,
    "fence": Fence,
}


def rule_to_dict(rule: Rule) -> dict[str, Any]:
    """Plain data, for JSON."""
    return asdict(rule)


def rule_from_dict(data: Mapping[str, Any]) -> Rule:
    """The rule that `rule_to_dict` wrote, validated.

    Raises RuleError naming the field that is wrong.
    """
    kind = data.get("kind")
    cls = KINDS.get(str(kind))
    if cls is None:
        raise RuleError(f"rule: unknown kind {kind!r}; use one of {', '.join(KINDS)}", field="kind")
    fields = dict(data)
    try:
        for key in ("line", "polygon", "outer", "inner"):
            if key in fields:
                fields[key] = tuple((float(x), float(y)) for x, y in fields[key])
        for key in ("labels", "on"):
            if key in fields:
                fields[key] = tuple(str(item) for item in fields[key])
        rule = cls(**fields)
    except (TypeError, ValueError) as error:
        raise RuleError(f"rule {data.get('name', '?')!r}: {error}", field="") from error
    check(rule)
    return rule


def _check_points(rule: RuleBase, field: str, points: Sequence[Point], least: int) -> None:
    if len(points) < least:
        raise RuleError(f"rule {rule.name!r}: {field} needs at least {least} points", field=field)
    if len(points) > 64:
        raise RuleError(f"rule {rule.name!r}: {field} has more than 64 points", field=field)
    for x, y in points:
        if not (math.isfinite(x) and math.isfinite(y) and 0 <= x <= 1 and 0 <= y <= 1):
            raise RuleError(
                f"rule {rule.name!r}: {field} has the point ({x:g}, {y:g}) outside the picture; "
                "coordinates run from 0 to 1",
                field=field,
            )
    for first, second in itertools.pairwise(points):
        if first == second:
            raise RuleError(f"rule {rule.name!r}: {field} has the same point twice in a row", field=field)


def check(rule: Rule) -> None:
    """Raise RuleError where the rule makes no sense."""
    if not rule.name.strip():
        raise RuleError("rule: give it a name", field="name")
    if rule.level not in (1, 2, 3, 4):
        raise RuleError(f"rule {rule.name!r}: level is 1 (most urgent) to 4, not {rule.level}", field="level")
    if not 0 <= rule.min_score <= 1:
        raise RuleError(f"rule {rule.name!r}: min_score is 0 to 1", field="min_score")
    if not 1 <= rule.min_hits <= 100:
        raise RuleError(f"rule {rule.name!r}: min_hits is 1 to 100", field="min_hits")
    if not 0 <= rule.cooldown_s <= 86_400:
        raise RuleError(f"rule {rule.name!r}: cooldown_s is 0 to 86400", field="cooldown_s")
    if not rule.labels:
        raise RuleError(f"rule {rule.name!r}: choose at least one class", field="labels")
    if isinstance(rule, Tripwire):
        _check_points(rule, "line", rule.line, 2)
        if rule.direction not in ("any", "left_to_right", "right_to_left"):
            raise RuleError(f"rule {rule.name!r}: unknown direction {rule.direction!r}", field="direction")
    elif isinstance(rule, Zone):
        _check_points(rule, "polygon", rule.polygon, 3)
        if area(rule.polygon) < 1e-5:
            raise RuleError(f"rule {rule.name!r}: the zone has no area", field="polygon")
        if not rule.on or not set(rule.on) <= {"enter", "exit"}:
            raise RuleError(f"rule {rule.name!r}: 'on' takes enter, exit or both", field="on")
    else:
        _check_points(rule, "outer", rule.outer, 2)
        _check_points(rule, "inner", rule.inner, 2)
        if rule.direction not in ("left_to_right", "right_to_left"):
            raise RuleError(f"rule {rule.name!r}: unknown direction {rule.direction!r}", field="direction")
        if not 0.1 <= rule.within_s <= 3600:
            raise RuleError(f"rule {rule.name!r}: within_s is 0.1 to 3600", field="within_s")
