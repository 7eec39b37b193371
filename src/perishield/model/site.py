"""Cameras and what is asked of them. Lean: the ingest process imports this."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from perishield.model.doubts import Doubts
from perishield.model.ground import GroundPlane
from perishield.model.health import HealthWatch

CAMERA_ID = re.compile(r"[a-z0-9](?:[a-z0-9_-]{0,61}[a-z0-9])?")
"""Lower-case letters, digits, dash and underscore: it is a folder's name and part of addresses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysis:
    """How a camera is watched. `fps` is the rate at which pictures are analysed while something moves."""

    enabled: bool = True
    fps: float = 6.0
    min_score: float = 0.3
    doubts: Doubts = field(default_factory=Doubts)
    health: HealthWatch = field(default_factory=HealthWatch)
    steady: bool = False
    """Take the camera's own shaking out before objects are followed (masts in the wind)."""
    livestock: bool = False
    """Horses or cattle are about: who is taken for one is none who creeps."""


class RecordMode(StrEnum):
    """`off`: footage only passes through the temporary pool. `event`: it is kept around events."""

    CONTINUOUS = "continuous"
    SCHEDULED = "scheduled"
    EVENT = "event"
    OFF = "off"


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeWindow:
    """A part of the week: `days` 0 (Monday) to 6, `start` and `end` minutes of the day, local to the schedule's zone.

    `end` may be 1440; a window over midnight is two.
    """

    days: tuple[int, ...]
    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """What of a camera's footage is kept, and for how long.

    `windows` in `timezone` (IANA name, empty: UTC) count for `scheduled`, and limit `event` where there are any.
    `pre_s` and `post_s` frame an event. `keep_days` and `keep_gib` of 0 leave it to the settings.
    """

    mode: RecordMode = RecordMode.CONTINUOUS
    windows: tuple[TimeWindow, ...] = ()
    timezone: str = ""
    pre_s: float = 10.0
    post_s: float = 10.0
    keep_days: float = 0.0
    keep_gib: float = 0.0
    priority: int = 0
    """Cameras of lower priority give way first when the disk cannot keep up."""


class Transport(StrEnum):
    """How RTP travels. `auto`: TCP first, UDP where the camera refuses it."""

    AUTO = "auto"
    TCP = "tcp"
    UDP = "udp"


@dataclass(frozen=True, slots=True, kw_only=True)
class Camera:
    """A device and its settings. `url` carries no credentials; they are kept beside it and masked everywhere."""

    id: str
    name: str
    url: str
    username: str = ""
    password: str = field(default="", repr=False)
    enabled: bool = True
    recording: Recording = Recording()
    analysis: Analysis = Analysis()
    detect_url: str = ""
    """A smaller stream of the same camera for analysis; empty: the recorded one is analysed."""
    transport: Transport = Transport.AUTO
    audio: bool = True
    """Take in sound where the camera sends some."""
    tls_fingerprint: str = ""
    """SHA-256 (hex) of an RTSPS camera's own certificate; empty: it must be signed by an authority that is trusted."""
    ground: GroundPlane | None = None
    """Where on the site's plan the ground in the picture lies, once calibrated."""
    revision: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """What every worker needs to know, published whole whenever it changes.

    `rules` and `tasks` stay plain dictionaries here, so that the ingest process need not know them
    (`rules.rule_from_dict`, `tasks.Task`).
    """

    revision: int
    cameras: tuple[Camera, ...]
    rules: tuple[dict[str, Any], ...] = ()
    tasks: tuple[dict[str, Any], ...] = ()
