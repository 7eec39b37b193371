"""From a rule's finding to a record that wants a person."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from perishield.model.geometry import Box, Point
from perishield.model.remarks import Remark, sentence


class EventKind(StrEnum):
    TRIPWIRE = "tripwire"
    ZONE_ENTER = "zone_enter"
    ZONE_EXIT = "zone_exit"
    ZONE_INSIDE = "zone_inside"
    FENCE = "fence"
    HEALTH = "health"
    """Something is wrong with the camera itself: `label` says what (`model.health.Ailment`)."""
    LOITER = "loiter"
    WRONG_WAY = "wrong_way"
    COUNT = "count"
    LINE_COUNT = "line_count"
    LEFT_OBJECT = "left_object"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """A rule's finding, with all that explains it. Coordinates are normalised to the picture (0..1).

    `wall` is the moment of the crossing, `arrival` when the deciding picture reached this host (Unix seconds, UTC),
    `stream_time` the crossing in stream ticks of `epoch`.
    `path` is the track's anchor points up to the crossing as (stream ticks, x, y), oldest first.
    `rule` is the rule as it stood then. `snapshot` is the picture's path relative to the media root, or empty.
    `direction` is `left_to_right` or `right_to_left` for lines, else empty.
    `track` is -1 and `box` the zone's where a rule judged the scene rather than one object.

    What explains it further: `height` of the box as a share of the picture's, `height_m` (None: not calibrated there);
    `speed` in box heights a second, `speed_mps`; `scores` least, median, most of the detections; `evidence` (k, n):
    the object was detected in k of its last n pictures; `stayed_s` for what lasts; `count` for what counts; `totals`
    of a counted line (left to right, right to left); `weighed`: by what it was tested, in that order, and passed;
    `doubts`: tests that could not be made and were not held against it, with the reason; earlier versions stored bare
    sentences.
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
    height: float = 0.0
    height_m: float | None = None
    speed: float = 0.0
    speed_mps: float | None = None
    scores: tuple[float, float, float] = (0.0, 0.0, 0.0)
    evidence: tuple[int, int] = (0, 0)
    stayed_s: float = 0.0
    count: int = 0
    totals: tuple[int, int] = (0, 0)
    weighed: tuple[str, ...] = ()
    doubts: tuple[Remark | str, ...] = ()

    @property
    def remarks(self) -> tuple[Remark, ...]:
        """The doubts, those of earlier versions without a code."""
        return tuple(Remark("", doubt) if isinstance(doubt, str) else doubt for doubt in self.doubts)


class AlarmState(StrEnum):
    """Where an alarm stands; `model/alarm_life.py` says what may follow what."""

    NEW = "new"
    ACKNOWLEDGED = "acknowledged"
    CONFIRMED = "confirmed"
    DISMISSED = "dismissed"
    CLOSED = "closed"


class Verdict(StrEnum):
    """What a person made of an alarm; it outlasts the closing."""

    NONE = ""
    CONFIRMED = "confirmed"
    DISMISSED = "dismissed"


class ClipState(StrEnum):
    PENDING = "pending"
    READY = "ready"
    UNAVAILABLE = "unavailable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """An event that wants a person. Moments are Unix seconds UTC, None: not yet.

    `revision` counts what people and escalation changed, from 1. `group` is the id of the first alarm of the same
    intrusion, its own where it is the first or alone; `group_began` is that one's crossing. `reason` says why it was
    dismissed (`model.alarm_life.Reason`).
    """

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
    clip_remarks: tuple[Remark, ...] = ()
    """Why there is no clip, or why it is shorter than asked for."""
    revision: int = 1
    verdict: Verdict = Verdict.NONE
    reason: str = ""
    assignee: str = ""
    """Account id; empty: nobody."""
    assignee_name: str = ""
    group: str = ""
    group_began: float = 0.0
    comments: int = 0
    escalations: int = 0
    answered: float | None = None
    """When somebody first took it up."""
    decided: float | None = None
    closed: float | None = None

    @property
    def clip_note(self) -> str:
        """The remarks on its clip in one line."""
        return sentence(self.clip_remarks)
