"""Lists as the API answers them, typed for its description."""

from __future__ import annotations

from typing import Any

from typing_extensions import TypedDict

from perishield.api.outputs import (
    AlarmOut,
    CameraOut,
    DetectorOut,
    ProcessOut,
    SegmentOut,
    StreamOut,
)
from perishield.api.remarks_out import RemarkOut


class CamerasOut(TypedDict):
    items: list[CameraOut]
    total: int


class RulesOut(TypedDict):
    items: list[dict[str, Any]]
    total: int


class StreamsOut(TypedDict):
    items: list[StreamOut]
    total: int


class SegmentsOut(TypedDict):
    items: list[SegmentOut]
    total: int


class GroupOut(TypedDict):
    """One intrusion. `count`: its alarms within reach, `open` of which are not decided; `level`: the most urgent."""

    id: str
    count: int
    open: int
    first: str
    last: str
    level: int
    cameras: list[str]


class AlarmRowOut(AlarmOut):
    """`intrusion`: where groups were asked for."""

    intrusion: GroupOut | None


class AlarmsOut(TypedDict):
    """`total`: how many match; at least so many where `total_exact` is false."""

    items: list[AlarmRowOut]
    total: int
    total_exact: bool
    next: str | None


class TimelineOut(TypedDict):
    media_s: float
    wall: str
    duration_s: float


class PartOut(TypedDict):
    url: str
    mime: str
    width: int
    height: int
    size: int
    start: str
    start_offset_s: float
    duration_s: float
    timeline: list[TimelineOut]


class PlaybackOut(TypedDict):
    url: str
    hls_url: str
    start: str
    start_offset_s: float
    duration_s: float
    mime: str
    parts: list[PartOut]


class WallOut(TypedDict):
    """`items`: a PlaybackOut with its `camera`, or why there is none."""

    items: list[dict[str, Any]]
    speed: float


class KeyFramesOut(TypedDict):
    """`items`: `wall` and `size` (bytes) of each."""

    items: list[dict[str, Any]]
    total: int


class SpritesOut(TypedDict):
    items: list[dict[str, Any]]


ExportOut = TypedDict(
    "ExportOut",
    {
        "id": str,
        "camera": str,
        "from": str,
        "to": str,
        "state": str,
        "progress": float,
        "bytes": int,
        "created": str,
        "finished": str | None,
        "code": str,
        "message": str,
        "note": str,
        "remarks": list[RemarkOut],
        "masked": bool,
        "files": list[dict[str, Any]],
    },
)


class ExportsOut(TypedDict):
    items: list[ExportOut]
    total: int


class DiskOut(TypedDict):
    free: int
    total: int


class PressureOut(TypedDict):
    level: int
    queued_bytes: int
    message: str


class SystemOut(TypedDict):
    version: str
    processes: list[ProcessOut]
    detector: DetectorOut
    disk: DiskOut
    pressure: PressureOut
    demo: bool


class WaysInOut(TypedDict):
    registration: bool
    oidc: str


class SetupOut(TypedDict):
    needed: bool


class HealthOut(TypedDict):
    status: str
