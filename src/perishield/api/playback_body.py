"""What playback of several cameras and exports are asked with."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from perishield.api.playback import FASTEST, SLOWEST
from perishield.api.times import Moment
from perishield.model.site import CAMERA_ID
from perishield.recording.playback_plan import Gaps

MOST_CAMERAS = 16

CameraName = Annotated[str, Field(pattern=f"^{CAMERA_ID.pattern}$")]


class RangeIn(BaseModel):
    """[from, to): ISO 8601, or Unix seconds."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    start: Moment = Field(alias="from")
    end: Moment = Field(alias="to")


class PlaybackIn(RangeIn):
    cameras: list[CameraName] = Field(min_length=1, max_length=MOST_CAMERAS)
    speed: float = Field(default=1.0, ge=SLOWEST, le=FASTEST)
    gaps: Gaps = Gaps.CLOSE


class ExportIn(RangeIn):
    camera: CameraName
