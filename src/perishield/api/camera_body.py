"""A camera as the API takes it in: its address, its stream for analysis, what of it is kept."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StringConstraints, field_validator, model_validator
from pydantic_core.core_schema import ValidationInfo

from perishield.api.bodies import Id, Name, Revision, Share
from perishield.model.doubts import Doubt, Doubts
from perishield.model.ground import GroundPlane, GroundPoint
from perishield.model.health import Ailment, HealthWatch
from perishield.model.site import Analysis, Recording, RecordMode, TimeWindow, Transport

_DAY_MINUTES = 1440
_FINGERPRINT = re.compile(r"[0-9a-f]{64}")

Address = Annotated[str, StringConstraints(max_length=2048)]
Minute = Annotated[int, Field(strict=True, ge=0, le=_DAY_MINUTES)]
Days = Annotated[list[Annotated[int, Field(strict=True, ge=0, le=6)]], Field(min_length=1, max_length=7)]


class DoubtsBody(BaseModel):
    """What may speak against an alarm; the `ignored` ones do not."""

    enabled: StrictBool = True
    ignored: Annotated[list[Doubt], Field(max_length=len(Doubt))] = Field(default_factory=list)


class HealthBody(BaseModel):
    """What is watched of the camera itself. `level` of the alarm, 1 (most urgent) to 4; 0: no alarm."""

    enabled: StrictBool = True
    ignored: Annotated[list[Ailment], Field(max_length=len(Ailment))] = Field(default_factory=list)
    level: Annotated[int, Field(strict=True, ge=0, le=4)] = 4


class AnalysisBody(BaseModel):
    """How a camera is watched; `fps` while something moves.

    On PUT, `steady`, `livestock`, `doubts` and `health` left out stay as they are.
    """

    enabled: StrictBool = True
    fps: float = Field(strict=True, default=6.0, gt=0, le=60, allow_inf_nan=False)
    min_score: Share = 0.3
    steady: StrictBool | None = Field(
        default=None, description="Take the camera's own shaking out, on masts in the wind."
    )
    livestock: StrictBool | None = Field(
        default=None, description="Horses or cattle are about: who is taken for one is no person who creeps."
    )
    doubts: DoubtsBody | None = None
    health: HealthBody | None = None

    def analysis(self, before: Analysis) -> Analysis:
        """As the model has it; `before` is what it changes."""
        steady, livestock, doubts, health = before.steady, before.livestock, before.doubts, before.health
        if self.steady is not None:
            steady = self.steady
        if self.livestock is not None:
            livestock = self.livestock
        if self.doubts is not None:
            doubts = Doubts(enabled=self.doubts.enabled, ignored=tuple(dict.fromkeys(self.doubts.ignored)))
        if self.health is not None:
            ignored = tuple(dict.fromkeys(self.health.ignored))
            health = HealthWatch(enabled=self.health.enabled, ignored=ignored, level=self.health.level)
        return Analysis(
            enabled=self.enabled,
            fps=self.fps,
            min_score=self.min_score,
            steady=steady,
            livestock=livestock,
            doubts=doubts,
            health=health,
        )


Metres = Annotated[float, Field(strict=True, ge=-1e6, le=1e6, allow_inf_nan=False)]


class GroundPointBody(BaseModel):
    """The same place in the picture (0 to 1) and on the plan (metres: x east, y north)."""

    picture: tuple[Share, Share]
    site: tuple[Metres, Metres]


class GroundBody(BaseModel):
    """Four places on the ground or more, spread over it."""

    points: Annotated[list[GroundPointBody], Field(min_length=4, max_length=32)]

    def plane(self) -> GroundPlane:
        """Raises GroundError where the points make no plane."""
        # Here, since it brings numpy, which nothing else in this process needs at its start.
        from perishield.tracking.ground_fit import fit_ground

        return fit_ground([GroundPoint(picture=point.picture, site=point.site) for point in self.points])


class WindowBody(BaseModel):
    """A part of the week: `days` 0 (Monday) to 6, `start` and `end` minutes of the day. Over midnight: two windows."""

    days: Days
    start: Minute = 0
    end: Minute = _DAY_MINUTES

    @field_validator("end")
    @classmethod
    def _after_start(cls, end: int, info: ValidationInfo) -> int:
        if end <= info.data.get("start", 0):
            raise ValueError("lies after start; a window over midnight is two windows")
        return end


class RecordingBody(BaseModel):
    """What of a camera's footage is kept, and for how long; `keep_days` and `keep_gib` of 0 leave it to the node."""

    mode: RecordMode = RecordMode.CONTINUOUS
    windows: Annotated[list[WindowBody], Field(max_length=100, validate_default=True)] = Field(default_factory=list)
    timezone: Annotated[str, StringConstraints(max_length=64)] = ""
    pre_s: float = Field(strict=True, default=10.0, ge=0, le=600, allow_inf_nan=False)
    post_s: float = Field(strict=True, default=10.0, ge=0, le=600, allow_inf_nan=False)
    keep_days: float = Field(strict=True, default=0.0, ge=0, le=36_500, allow_inf_nan=False)
    keep_gib: float = Field(strict=True, default=0.0, ge=0, le=1_000_000, allow_inf_nan=False)
    priority: int = Field(strict=True, default=0, ge=-100, le=100)

    @field_validator("windows")
    @classmethod
    def _some_window(cls, windows: list[WindowBody], info: ValidationInfo) -> list[WindowBody]:
        if not windows and info.data.get("mode") is RecordMode.SCHEDULED:
            raise ValueError("a schedule without windows would never record; add one, or choose another mode")
        return windows

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, zone: str) -> str:
        if zone:
            try:
                ZoneInfo(zone)
            except (KeyError, ValueError, OSError):
                raise ValueError(
                    "is no time zone of the IANA database, such as Europe/Berlin or Asia/Shanghai"
                ) from None
        return zone

    def policy(self) -> Recording:
        windows = tuple(TimeWindow(days=tuple(sorted(set(w.days))), start=w.start, end=w.end) for w in self.windows)
        return Recording(**{**dict(self), "windows": windows})


class CameraBody(BaseModel):
    """A camera. Credentials inside `url` are moved to `username` and `password`; `password` never comes back."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "name": "Gate 3",
                    "url": "rtsp://10.0.0.4:554/stream1",
                    "username": "viewer",
                    "password": "secret",
                    "enabled": True,
                    "recording": {"mode": "event", "pre_s": 10, "post_s": 20, "keep_days": 30},
                    "analysis": {"enabled": True, "fps": 6, "min_score": 0.3},
                    "detect_url": "rtsp://10.0.0.4:554/stream2",
                }
            ]
        }
    )

    id: Id | None = None
    name: Name
    url: Annotated[Address, Field(min_length=1)]
    username: Annotated[str, StringConstraints(max_length=256)] = ""
    password: Annotated[str, StringConstraints(max_length=256)] | None = Field(default=None, repr=False)
    enabled: StrictBool = True
    recording: RecordingBody = RecordingBody()
    analysis: AnalysisBody = AnalysisBody()
    detect_url: Address = Field(default="", description="A smaller stream of the same camera for analysis.")
    transport: Transport = Transport.AUTO
    audio: StrictBool = True
    tls_fingerprint: Annotated[str, StringConstraints(max_length=128)] = Field(
        default="", description="SHA-256 of an RTSPS camera's own certificate, in hex, colons allowed."
    )
    ground: GroundBody | None = Field(default=None, description="Calibrates the ground; null: none.")
    revision: Revision | None = Field(default=None, description="On PUT: refuse with 409 when it has another by now.")

    @model_validator(mode="before")
    @classmethod
    def _no_switch(cls, body: Any) -> Any:
        # Overlooked, an old client's "do not record" would record.
        if isinstance(body, Mapping) and "record" in body:
            raise ValueError("`record` is gone; say recording: {mode: continuous, scheduled, event or off}")
        return body

    @field_validator("tls_fingerprint")
    @classmethod
    def _sha256(cls, given: str) -> str:
        plain = given.strip().lower().removeprefix("sha256:").replace(":", "").replace(" ", "")
        if plain and not _FINGERPRINT.fullmatch(plain):
            raise ValueError("is 64 hexadecimal digits (SHA-256 of the certificate), with or without colons")
        return plain
