"""What users draw. Geometry is normalised to the picture (0..1); directions follow the drawing order.

A line is drawn from its first to its last point; its *left* and *right* are those of somebody who walks it that way,
as seen on the screen.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

import msgspec

from perishield.model.errors import RuleError
from perishield.model.geometry import Point
from perishield.model.schedule import Schedule

Direction = Literal["any", "left_to_right", "right_to_left"]
OneWay = Literal["left_to_right", "right_to_left"]
Anchor = Literal["foot", "centre"]
Arming = Literal["scheduled", "armed", "disarmed"]
SizeUnit = Literal["share", "px", "m"]
SpeedUnit = Literal["heights", "m"]
LengthUnit = Literal["share", "heights", "m"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleBase:
    """What every rule has. Zero switches a limit off.

    `labels`: classes that it judges; a motion detector's finds are judged by every rule.
    `level`: 1 (most urgent) to 4.
    `min_hits` of `of_pictures`: detections that a track needs, ever (0) or among its last pictures.
    `cooldown_s`: the same track raises the same rule no sooner than this again; `rule_cooldown_s`: any track.
    `min_height`, `max_height`: of the box, as a share of the picture's height, in pixels or metres.
    `min_speed`, `max_speed`: in box heights or metres a second.
    `band`, `band_px`: the anchor is clear of a line beyond this share of the box's height, and this many pixels.
    `schedule_id`: the named schedule that counts instead of `schedule`; workers get its hours, not its name.
    `arming`: `scheduled` watches during the schedule (always where there is none), `armed` always, `disarmed` never.
    `one_shot`: after one event it is spent, until `rearm_after_s` have passed or somebody arms it anew (`rearmed`,
    Unix seconds).
    `condition`: CEL over the event's fields (see `perishield.rules.condition`); empty: none.
    """

    id: str
    camera: str
    name: str
    enabled: bool = True
    level: int = 2
    labels: tuple[str, ...] = ("person",)
    min_score: float = 0.0
    min_hits: int = 3
    of_pictures: int = 0
    anchor: Anchor = "foot"
    cooldown_s: float = 10.0
    rule_cooldown_s: float = 0.0
    min_height: float = 0.0
    max_height: float = 0.0
    height_unit: SizeUnit = "share"
    min_speed: float = 0.0
    max_speed: float = 0.0
    speed_unit: SpeedUnit = "heights"
    band: float = 0.06
    band_px: float = 1.5
    schedule: Schedule | None = None
    schedule_id: str | None = None
    arming: Arming = "scheduled"
    one_shot: bool = False
    rearm_after_s: float = 0.0
    rearmed: float = 0.0
    condition: str = ""
    revision: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Tripwire(RuleBase):
    """A line of two or more points that nobody may cross in `direction`."""

    kind: Literal["tripwire"] = "tripwire"
    line: tuple[Point, ...]
    direction: Direction = "any"


@dataclass(frozen=True, slots=True, kw_only=True)
class Zone(RuleBase):
    """A polygon that nobody may enter, leave, or be inside of for `stay_s`, told again every `every_s` (0: once)."""

    kind: Literal["zone"] = "zone"
    polygon: tuple[Point, ...]
    on: tuple[Literal["enter", "exit", "inside"], ...] = ("enter",)
    stay_s: float = 0.0
    every_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Fence(RuleBase):
    """Lines: who crosses the outer, those `between` and then the inner, in that order and within the time, came over.

    `direction` tells which way across all lines leads inwards; draw them the same way. Without an inner line, who
    crosses the outer one and gets `depth` beyond it came over.
    """

    kind: Literal["fence"] = "fence"
    outer: tuple[Point, ...]
    inner: tuple[Point, ...] = ()
    between: tuple[tuple[Point, ...], ...] = ()
    depth: float = 0.0
    depth_unit: LengthUnit = "heights"
    direction: OneWay = "left_to_right"
    within_s: float = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Loiter(RuleBase):
    """Who stays in the polygon longer than `stay_s`; with a `radius`, within that distance of where he stood.

    Absences up to `forgive_s` interrupt nothing. Told again every `every_s` (0: once a stay).
    """

    kind: Literal["loiter"] = "loiter"
    polygon: tuple[Point, ...]
    stay_s: float = 30.0
    radius: float = 0.0
    radius_unit: LengthUnit = "heights"
    forgive_s: float = 3.0
    every_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class WrongWay(RuleBase):
    """Who moves in the polygon against `way` (from its first point to its second) for `distance` and `least_s`."""

    kind: Literal["wrong_way"] = "wrong_way"
    polygon: tuple[Point, ...]
    way: tuple[Point, ...]
    tolerance_deg: float = 60.0
    distance: float = 1.0
    distance_unit: LengthUnit = "heights"
    least_s: float = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Count(RuleBase):
    """At least `at_least`, or at most `at_most`, in the polygon at once for `for_s`; a guard post stands empty.

    Who is out of sight stays counted for `forgive_s`. Told again every `every_s` (0: once).
    """

    kind: Literal["count"] = "count"
    polygon: tuple[Point, ...]
    at_least: int | None = None
    at_most: int | None = None
    for_s: float = 5.0
    forgive_s: float = 3.0
    every_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LineCount(RuleBase):
    """Crossings of a line, counted by direction; an event every `each` of them, or every `every_s` (0: none)."""

    kind: Literal["line_count"] = "line_count"
    line: tuple[Point, ...]
    direction: Direction = "any"
    each: int = 0
    every_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftObject(RuleBase):
    """Something that stands in the polygon for `stay_s` where nothing stood in the first `settle_s`.

    Nobody is missed who passes before it for up to `forgive_s`. `still`: share of its own height that it may shift.
    """

    kind: Literal["left_object"] = "left_object"
    polygon: tuple[Point, ...]
    stay_s: float = 60.0
    settle_s: float = 10.0
    forgive_s: float = 10.0
    still: float = 0.25


Rule = Tripwire | Zone | Fence | Loiter | WrongWay | Count | LineCount | LeftObject
KINDS: Mapping[str, type[Rule]] = {
    "tripwire": Tripwire,
    "zone": Zone,
    "fence": Fence,
    "loiter": Loiter,
    "wrong_way": WrongWay,
    "count": Count,
    "line_count": LineCount,
    "left_object": LeftObject,
}


def in_metres(rule: Rule) -> str:
    """The first field by which the rule measures metres, which takes a calibrated camera; empty where there is none."""
    if rule.height_unit == "m" and (rule.min_height or rule.max_height):
        return "min_height" if rule.min_height else "max_height"
    if rule.speed_unit == "m" and (rule.min_speed or rule.max_speed):
        return "min_speed" if rule.min_speed else "max_speed"
    if isinstance(rule, Fence) and not rule.inner and rule.depth_unit == "m":
        return "depth"
    if isinstance(rule, Loiter) and rule.radius and rule.radius_unit == "m":
        return "radius"
    if isinstance(rule, WrongWay) and rule.distance and rule.distance_unit == "m":
        return "distance"
    return ""


def rule_to_dict(rule: Rule) -> dict[str, Any]:
    """Plain data, for JSON."""
    return asdict(rule)


def rule_from_dict(data: Mapping[str, Any]) -> Rule:
    """The rule that `rule_to_dict` wrote, validated. What is left out has its default.

    Raises RuleError naming the field that is wrong.
    """
    kind = data.get("kind")
    cls = KINDS.get(str(kind))
    if cls is None:
        raise RuleError(f"rule: unknown kind {kind!r}; use one of {', '.join(KINDS)}", field="kind")
    name = data.get("name", "?")
    for key in data.keys() - {field.name for field in fields(cls)}:
        raise RuleError(f"rule {name!r}: a {kind} has no {key!r}", field=str(key))
    try:
        rule = msgspec.convert(dict(data), cls)
    except msgspec.ValidationError as error:
        text, _, place = str(error).partition(" - at `$.")
        field = place.rstrip("`").partition("[")[0]
        raise RuleError(
            f"rule {name!r}: {field}: {text}" if field else f"rule {name!r}: {text}", field=field
        ) from error
    check(rule)
    return rule


def check(rule: Rule) -> None:
    """Raise RuleError where the rule makes no sense."""
    from perishield.model.rule_checks import check_rule

    check_rule(rule)
