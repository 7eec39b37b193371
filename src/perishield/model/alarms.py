"""From a rule's finding to a record that wants a person."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from perishield.model.geometry import Box, Point


class EventKind(StrEnum):
    TRIPWIRE = "tripwire"
    ZONE_ENTER = "zone_enter"
    ZONE_EXIT = "zone_exit"
    FENCE = "fence"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """A rule's finding, with all that explains it. Coordinates are normalised to the picture (0..1).

    `wall` is the moment of the crossing, `arrival` when the deciding picture reached this host (Unix seconds, UTC),
    `stream_time` the crossing in stream ticks of `epoch`.
    `path` is the track's anchor points up to the crossing as (stream ticks, x, y), oldest first.
    `rule` is the rule as it stood then. `snapshot` is the picture's path relative to the media root, or empty.
    `direction` is `left_to_right` or `right_to_left` for lines, else empty.
    """

    id: str
    camera: str
    epoch: int
    kind: EventKind
    rule: dict[str, Any]
    level: int
    label: str
    score: float
    track: int
    stream_time: int
    wall: float
    arrival: float
    point: Point
    direction: str
    box: Box
    path: tuple[tuple[int, float, float], ...]
    detector: str
    snapshot: str = ""


class AlarmState(StrEnum):
    NEW = "new"


class ClipState(StrEnum):
    PENDING = "pending"
    READY = "ready"
    UNAVAILABLE = "unavailable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """An event that wants a person."""

    id: str
    event: Event
    state: AlarmState
    level: int
    raised: float
    """Unix seconds UTC at which it was stored."""
    camera_name: str
    clip_state: ClipState
    clip: str = ""
    """Path relative to the media root, once ready."""
    clip_start: float = 0.0
    """Unix seconds UTC of the clip's first frame."""
    clip_duration: float = 0.0
    clip_note: str = ""
    """Why there is no clip, or why it is shorter than asked for."""
