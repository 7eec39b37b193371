"""Rules as the API takes them in. What they mean together is checked by `perishield.model.rules.check`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StringConstraints

from perishield.api.bodies import Id, Name, PointBody, Revision, Share
from perishield.model.rule_checks import LONGEST_CONDITION
from perishield.model.rules import Anchor, Arming, Direction, LengthUnit, OneWay, SizeUnit, SpeedUnit

Points = Annotated[list[PointBody], Field(max_length=64)]
Label = Annotated[str, StringConstraints(min_length=1, max_length=64)]
Seconds = Annotated[float, Field(strict=True, ge=0, le=30 * 86_400, allow_inf_nan=False)]
Amount = Annotated[float, Field(strict=True, ge=0, le=100_000, allow_inf_nan=False)]
Minute = Annotated[int, Field(strict=True, ge=0, le=1440)]
Weekday = Annotated[int, Field(strict=True, ge=0, le=6)]


class HoursBody(BaseModel):
    """`days` 0 (Monday) to 6; `start` and `end` minutes of the day. An end before the start lies on the next day."""

    days: Annotated[list[Weekday], Field(min_length=1, max_length=7)]
    start: Minute = 0
    end: Minute = 1440


class SpecialDayBody(BaseModel):
    date: Annotated[str, StringConstraints(pattern=r"^\d{4}-\d{2}-\d{2}$")]
    counts_as: Literal["day_off", "working"] = "day_off"


class ScheduleBody(BaseModel):
    """Hours of the week in an IANA time zone; special days have those of another weekday."""

    windows: Annotated[list[HoursBody], Field(max_length=200)]
    timezone: Annotated[str, StringConstraints(max_length=64)] = ""
    special: Annotated[list[SpecialDayBody], Field(max_length=1000)] = Field(default_factory=list)
    day_off_like: Weekday = 6
    working_like: Weekday = 0


class _RuleBody(BaseModel):
    id: Id | None = None
    camera: Annotated[str, StringConstraints(max_length=63)]
    name: Name
    enabled: StrictBool = True
    level: Annotated[int, Field(strict=True, ge=1, le=4)] = 2
    labels: Annotated[list[Label], Field(min_length=1, max_length=100)] = Field(default_factory=lambda: ["person"])
    min_score: Share = 0.0
    min_hits: Annotated[int, Field(strict=True, ge=1, le=100)] = 3
    of_pictures: Annotated[int, Field(strict=True, ge=0, le=100)] = 0
    anchor: Anchor = "foot"
    cooldown_s: Seconds = 10.0
    rule_cooldown_s: Seconds = 0.0
    min_height: Amount = 0.0
    max_height: Amount = 0.0
    height_unit: SizeUnit = "share"
    min_speed: Amount = 0.0
    max_speed: Amount = 0.0
    speed_unit: SpeedUnit = "heights"
    band: Share = 0.06
    band_px: Annotated[float, Field(strict=True, ge=0.5, le=100, allow_inf_nan=False)] = 1.5
    schedule: ScheduleBody | None = None
    schedule_id: Id | None = Field(default=None, description="A named schedule, instead of `schedule`.")
    arming: Arming = Field(default="scheduled", description="On PUT it stays as it is: see /arm and /disarm.")
    one_shot: StrictBool = False
    rearm_after_s: Seconds = 0.0
    condition: Annotated[str, StringConstraints(strip_whitespace=True, max_length=LONGEST_CONDITION)] = ""
    revision: Revision | None = Field(default=None, description="On PUT: refuse with 409 when it has another by now.")

    def plain(self, rule: str) -> dict[str, Any]:
        """The rule as plain data under that id, for `rule_from_dict`."""
        return {**self.model_dump(exclude={"revision", "id"}), "id": rule}


class TripwireBody(_RuleBody):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "kind": "tripwire",
                    "camera": "gate-3",
                    "name": "Gate line",
                    "line": [[0.1, 0.6], [0.9, 0.6]],
                    "direction": "left_to_right",
                    "schedule": {
                        "timezone": "Europe/Berlin",
                        "windows": [{"days": [0, 1, 2], "start": 1320, "end": 360}],
                    },
                    "condition": "speed > 0.5",
                }
            ]
        }
    )

    kind: Literal["tripwire"]
    line: Points
    direction: Direction = "any"


class ZoneBody(_RuleBody):
    kind: Literal["zone"]
    polygon: Points
    on: Annotated[list[Literal["enter", "exit", "inside"]], Field(min_length=1, max_length=3)] = Field(
        default_factory=lambda: ["enter"]  # type: ignore[arg-type]
    )
    stay_s: Seconds = 0.0
    every_s: Seconds = 0.0


class FenceBody(_RuleBody):
    kind: Literal["fence"]
    outer: Points
    inner: Points = Field(default_factory=list)
    between: Annotated[list[Points], Field(max_length=8)] = Field(default_factory=list)
    depth: Amount = 0.0
    depth_unit: LengthUnit = "heights"
    direction: OneWay = "left_to_right"
    within_s: float = Field(strict=True, default=20.0, ge=0.1, le=3600, allow_inf_nan=False)


class LoiterBody(_RuleBody):
    kind: Literal["loiter"]
    polygon: Points
    stay_s: Seconds = 30.0
    radius: Amount = 0.0
    radius_unit: LengthUnit = "heights"
    forgive_s: Seconds = 3.0
    every_s: Seconds = 0.0


class WrongWayBody(_RuleBody):
    kind: Literal["wrong_way"]
    polygon: Points
    way: Points
    tolerance_deg: float = Field(strict=True, default=60.0, ge=5, le=89, allow_inf_nan=False)
    distance: Amount = 1.0
    distance_unit: LengthUnit = "heights"
    least_s: Seconds = 0.5


class CountBody(_RuleBody):
    kind: Literal["count"]
    polygon: Points
    at_least: Annotated[int, Field(strict=True, ge=1, le=1000)] | None = None
    at_most: Annotated[int, Field(strict=True, ge=0, le=1000)] | None = None
    for_s: Seconds = 5.0
    forgive_s: Seconds = 3.0
    every_s: Seconds = 0.0


class LineCountBody(_RuleBody):
    kind: Literal["line_count"]
    line: Points
    direction: Direction = "any"
    each: Annotated[int, Field(strict=True, ge=0, le=1_000_000)] = 0
    every_s: Seconds = 0.0


class LeftObjectBody(_RuleBody):
    kind: Literal["left_object"]
    polygon: Points
    stay_s: Seconds = 60.0
    settle_s: Seconds = 10.0
    forgive_s: Seconds = 10.0
    still: Share = 0.25


RuleBody = Annotated[
    TripwireBody | ZoneBody | FenceBody | LoiterBody | WrongWayBody | CountBody | LineCountBody | LeftObjectBody,
    Field(discriminator="kind"),
]


class ConditionBody(BaseModel):
    """A condition to try: see the fields in `GET /api/rules/condition`."""

    condition: Annotated[str, StringConstraints(max_length=4 * LONGEST_CONDITION)]
