"""What the API takes in."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from perishield.api.passwords import LONGEST, SHORTEST

_MOST_REVISION = 2**31
_CAMERA_ID = r"^[a-z0-9](?:[a-z0-9_-]{0,61}[a-z0-9])?$"

Name = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100, pattern=r"^[^\x00-\x1f]+$")
]
Id = Annotated[str, StringConstraints(pattern=_CAMERA_ID)]
Username = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=64, pattern=r"^[^\x00-\x1f]+$")
]
Revision = Annotated[int, Field(ge=0, le=_MOST_REVISION)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
PointBody = tuple[Share, Share]
Points = Annotated[list[PointBody], Field(max_length=64)]
Label = Annotated[str, StringConstraints(min_length=1, max_length=64)]


class LoginBody(BaseModel):
    model_config = ConfigDict(json_schema_extra={"examples": [{"username": "admin", "password": "a long passphrase"}]})

    username: Annotated[str, StringConstraints(strip_whitespace=True, max_length=64)]
    password: Annotated[str, StringConstraints(max_length=LONGEST)] = Field(repr=False)


class SetupBody(BaseModel):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"token": "from the printed link", "username": "admin", "password": "a long passphrase"}]
        }
    )

    token: Annotated[str, StringConstraints(max_length=200)] = Field(repr=False)
    username: Username
    password: Annotated[str, StringConstraints(min_length=SHORTEST, max_length=LONGEST)] = Field(repr=False)


class _RuleBody(BaseModel):
    id: Id | None = None
    camera: Annotated[str, StringConstraints(max_length=63)]
    name: Name
    enabled: bool = True
    level: Annotated[int, Field(ge=1, le=4)] = 2
    labels: Annotated[list[Label], Field(min_length=1, max_length=100)] = Field(default_factory=lambda: ["person"])
    min_score: Share = 0.0
    min_hits: Annotated[int, Field(ge=1, le=100)] = 3
    anchor: Literal["foot", "centre"] = "foot"
    cooldown_s: float = Field(default=10.0, ge=0, le=86_400, allow_inf_nan=False)
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
                }
            ]
        }
    )

    kind: Literal["tripwire"]
    line: Points
    direction: Literal["any", "left_to_right", "right_to_left"] = "any"


class ZoneBody(_RuleBody):
    kind: Literal["zone"]
    polygon: Points
    on: Annotated[list[Literal["enter", "exit"]], Field(min_length=1, max_length=2)] = Field(
        default_factory=lambda: ["enter"]  # type: ignore[arg-type]
    )


class FenceBody(_RuleBody):
    kind: Literal["fence"]
    outer: Points
    inner: Points
    direction: Literal["left_to_right", "right_to_left"] = "left_to_right"
    within_s: float = Field(default=20.0, ge=0.1, le=3600, allow_inf_nan=False)


RuleBody = Annotated[TripwireBody | ZoneBody | FenceBody, Field(discriminator="kind")]
