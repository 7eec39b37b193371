"""What of a camera's footage is kept for long: decided by its settings and the time alone.

Windows are minutes of the local day in the schedule's zone. An instant is turned into local time and never the other
way round, so days on which clocks change need no rule of their own: the hour that is skipped never comes, and the one
that comes twice is inside or outside both times.
"""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo

from perishield.model.site import Recording, RecordMode

_LATEST = 32_503_680_000.0
_zones: dict[str, tzinfo | None] = {}


def keeps(recording: Recording, wall: float) -> bool:
    """Whether a frame of that moment (Unix seconds) goes to the recordings, and not to the temporary pool."""
    return not withheld(recording, wall)


def withheld(recording: Recording, wall: float) -> str:
    """Why not: `off`, `schedule` or `event`; empty where it is kept.

    Footage around events passes through the pool and is kept from there. A zone that this host does not know cannot
    tell when not to record, so it is always recorded.
    """
    mode = recording.mode
    if mode is RecordMode.CONTINUOUS:
        return ""
    if mode is not RecordMode.SCHEDULED:
        return str(mode.value)
    return "" if in_windows(recording, wall) else "schedule"


def in_windows(recording: Recording, wall: float) -> bool:
    """Whether that moment lies in one of the windows."""
    if not recording.windows:
        return False
    zone = _zone(recording.timezone)
    if zone is None:
        return True
    local = datetime.fromtimestamp(min(max(0.0, wall), _LATEST), zone)
    day, minute = local.weekday(), local.hour * 60 + local.minute
    return any(day in window.days and window.start <= minute < window.end for window in recording.windows)


class Schedule:
    """A policy in use. Asked at every key frame, it reckons once a minute: windows and offsets to UTC are whole
    minutes."""

    __slots__ = ("_minute", "_reason", "recording")

    def __init__(self, recording: Recording) -> None:
        self.recording = recording
        self._minute = -1
        self._reason = ""

    def withheld(self, wall: float) -> str:
        """See `withheld`."""
        minute = int(wall // 60)
        if minute != self._minute:
            self._minute = minute
            self._reason = withheld(self.recording, wall)
        return self._reason


def _zone(name: str) -> tzinfo | None:
    if not name:
        return UTC
    if name not in _zones:
        # Imported here: most recorders never need it, and it costs milliseconds at their start.
        from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

        try:
            _zones[name] = ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            _zones[name] = None
    return _zones[name]
