"""Recorders of other makers that keep a camera's footage, asked for what this node has not recorded itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class RecorderKind(StrEnum):
    """`hikvision`: ISAPI; `dahua`: HTTP API with CGI programs."""

    HIKVISION = "hikvision"
    DAHUA = "dahua"


class RecorderClock(StrEnum):
    """What the times in searches mean. Most devices write their local time, whatever letter they put behind it."""

    LOCAL = "local"
    UTC = "utc"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorder:
    """Where a camera's footage lies besides. `url`: http(s)://host[:port]; `channel` counts from 1."""

    camera: str
    kind: RecorderKind
    url: str
    username: str
    password: str = field(repr=False)
    channel: int = 1
    clock: RecorderClock = RecorderClock.LOCAL
