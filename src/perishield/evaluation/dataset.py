"""Labelled clips: a JSON file that lists clips, the lines and zones drawn on them, and what crosses them when.

    {"clips": [{"file", "width"?, "height"?, "lines"?: [{"id", "p1": [x, y], "p2": [x, y]}],
                "zones"?: [{"id", "polygon": [[x, y], ...]}],
                "fences"?: [{"id", "outer": [[x, y], ...], "inner": [[x, y], ...], "direction"?, "within_s"?}],
                "events"?: [{"rule", "type", "t", "tol_s"?, "person"?, "direction"?}] or null,
                "sha256"?, "fps"?, "frames"?, "expect_no_person_events"?}]}

Coordinates are pixels of the clip (of the video itself where width and height are not given). Times are seconds from
its first frame (frame index / fps). `events` null or absent: nobody labelled the clip. A fence's `direction` is which
way across both of its lines leads inwards, as rules have it: `left_to_right` (the default) or `right_to_left`. Unknown
keys are ignored.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

from perishield.model.errors import DatasetError
from perishield.model.geometry import Point

EventType = Literal["line_cross", "zone_enter", "zone_exit", "fence_cross"]
TYPES: tuple[EventType, ...] = ("line_cross", "zone_enter", "zone_exit", "fence_cross")
DIRECTIONS = ("left", "right", "up", "down")
TOLERANCE_S = 1.0
"""How far a finding may lie from an event that does not say."""
_INWARDS = ("left_to_right", "right_to_left")


@dataclass(frozen=True, slots=True)
class LabelledLine:
    id: str
    start: Point
    end: Point


@dataclass(frozen=True, slots=True)
class LabelledZone:
    id: str
    polygon: tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class LabelledFence:
    id: str
    outer: tuple[Point, ...]
    inner: tuple[Point, ...]
    direction: Literal["left_to_right", "right_to_left"] = "left_to_right"
    within_s: float = 20.0


@dataclass(frozen=True, slots=True)
class Truth:
    """One thing that happens. `direction` names the way across the line on the screen; None where it is not said."""

    rule: str
    type: EventType
    time_s: float
    tolerance_s: float
    direction: str | None = None
    person: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledClip:
    """`width`, `height`, `fps`, `frames`: 0 where the dataset does not tell. `events`: None without labels."""

    file: str
    path: Path
    sha256: str
    width: int
    height: int
    fps: float
    frames: int
    lines: tuple[LabelledLine, ...]
    zones: tuple[LabelledZone, ...]
    fences: tuple[LabelledFence, ...] = ()
    events: tuple[Truth, ...] | None
    expect_no_person_events: bool


class _Fields:
    """A JSON object that knows where it stands in its file, for errors that name the field."""

    def __init__(self, path: Path, where: str, value: object) -> None:
        self.path = path
        self.where = where
        if not isinstance(value, Mapping):
            raise self.error("", "is not an object")
        self._values: Mapping[str, Any] = value

    def error(self, field: str, problem: str) -> DatasetError:
        name = ".".join(part for part in (self.where, field) if part) or "the file"
        return DatasetError(f"{self.path}: {name} {problem}", file=str(self.path), field=name)

    def get(self, field: str) -> Any:
        return self._values.get(field)

    def text(self, field: str, default: str | None = None) -> str:
        value = self._values.get(field, default)
        if not isinstance(value, str) or (default is None and not value):
            raise self.error(field, "is missing" if value is None else "is not a text")
        return value

    def number(self, field: str, default: float | None = None, *, above: float = -math.inf) -> float:
        value = self._values.get(field)
        if value is None:
            value = default
        if value is None:
            raise self.error(field, "is missing")
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
            raise self.error(field, "is not a number")
        if value <= above and value != default:
            raise self.error(field, f"must be more than {above:g}, not {value:g}")
        return float(value)

    def objects(self, field: str) -> list[_Fields]:
        value = self._values.get(field)
        if value is None:
            return []
        if not isinstance(value, Sequence) or isinstance(value, str):
            raise self.error(field, "is not a list")
        name = f"{self.where}.{field}" if self.where else field
        return [_Fields(self.path, f"{name}[{index}]", item) for index, item in enumerate(value)]

    def points(self, field: str, value: object, least: int) -> tuple[Point, ...]:
        try:
            points = tuple((float(x), float(y)) for x, y in cast("Sequence[tuple[float, float]]", value))
        except (TypeError, ValueError):
            raise self.error(field, "is not made of [x, y] pixel coordinates") from None
        if len(points) < least:
            raise self.error(field, f"needs at least {least} points")
        if not all(math.isfinite(x) and math.isfinite(y) for x, y in points):
            raise self.error(field, "has a coordinate that is not finite")
        return points


def read_dataset(path: Path, *, missing_ok: bool = False) -> tuple[LabelledClip, ...]:
    """Every clip of a dataset; clip files lie beside it, by relative paths, and must be there unless `missing_ok`.

    Raises DatasetError naming file and field.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read: {error.strerror}", file=str(path), field="") from error
    except ValueError as error:
        raise DatasetError(f"{path}: is not JSON: {error}", file=str(path), field="") from error
    fields = _Fields(path, "", value)
    clips = tuple(_clip(item, missing_ok) for item in fields.objects("clips"))
    if not clips:
        raise fields.error("clips", "is missing or empty")
    return clips


def _clip(item: _Fields, missing_ok: bool) -> LabelledClip:
    file = item.text("file")
    path = item.path.parent / file
    if not path.is_file() and not missing_ok:
        raise item.error("file", f"names {file!r}, which is not there")
    lines = tuple(_line(line) for line in item.objects("lines"))
    zones = tuple(
        LabelledZone(zone.text("id"), zone.points("polygon", zone.get("polygon"), 3)) for zone in item.objects("zones")
    )
    fences = tuple(_fence(fence) for fence in item.objects("fences"))
    names = [line.id for line in lines] + [zone.id for zone in zones] + [fence.id for fence in fences]
    if len(set(names)) != len(names):
        raise item.error("lines", "zones and fences use the same id twice")
    events = None
    if item.get("events") is not None:
        of_zones = {zone.id for zone in zones}
        known = {
            "line_cross": {line.id for line in lines},
            "zone_enter": of_zones,
            "zone_exit": of_zones,
            "fence_cross": {fence.id for fence in fences},
        }
        events = tuple(_truth(event, known) for event in item.objects("events"))
    return LabelledClip(
        file=file,
        path=path,
        sha256=item.text("sha256", "").lower(),
        width=0 if item.get("width") is None else int(item.number("width", above=0)),
        height=0 if item.get("height") is None else int(item.number("height", above=0)),
        fps=item.number("fps", 0.0, above=0),
        frames=int(item.number("frames", 0.0, above=0)),
        lines=lines,
        zones=zones,
        fences=fences,
        events=events,
        expect_no_person_events=bool(item.get("expect_no_person_events")),
    )


def _line(item: _Fields) -> LabelledLine:
    start, end = (item.points(field, [item.get(field)], 1)[0] for field in ("p1", "p2"))
    if start == end:
        raise item.error("p2", "is the same point as p1")
    return LabelledLine(item.text("id"), start, end)


def _fence(item: _Fields) -> LabelledFence:
    outer, inner = (item.points(field, item.get(field), 2) for field in ("outer", "inner"))
    direction = item.text("direction", "left_to_right")
    if direction not in _INWARDS:
        raise item.error("direction", f"is {direction!r}; use one of {', '.join(_INWARDS)}")
    within_s = item.number("within_s", 20.0, above=0)
    return LabelledFence(
        item.text("id"), outer, inner, "left_to_right" if direction == _INWARDS[0] else "right_to_left", within_s
    )


def _truth(item: _Fields, known: Mapping[str, set[str]]) -> Truth:
    kind = item.text("type")
    if kind not in TYPES:
        raise item.error("type", f"is {kind!r}; use one of {', '.join(TYPES)}")
    rule = item.text("rule")
    if rule not in known[kind]:
        raise item.error("rule", f"names {rule!r}, which is no {kind.partition('_')[0]} of the clip")
    direction = item.get("direction")
    if direction is not None and direction not in DIRECTIONS:
        raise item.error("direction", f"is {direction!r}; use one of {', '.join(DIRECTIONS)}")
    return Truth(
        rule=rule,
        type=kind,
        time_s=item.number("t"),
        tolerance_s=item.number("tol_s", TOLERANCE_S, above=0),
        direction=direction,
        person=item.text("person", ""),
    )
