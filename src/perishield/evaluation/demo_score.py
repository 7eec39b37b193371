"""A headless demo run against its scenes' truth: what was climbed, what was told, and how late."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class TrueClimb:
    """Somebody came over the fence of `camera` between `start` and `end` (Unix seconds, UTC)."""

    camera: str
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class HeardAlarm:
    """An alarm as a client of the WebSocket heard it at `heard`; all times in Unix seconds, UTC."""

    id: str
    camera: str
    wall: float
    arrival: float
    heard: float


@dataclass(frozen=True, slots=True)
class SceneTimeline:
    """A clip that loops on a camera: loop n begins at `started` + n * `length_s`. Climbs in seconds of the clip."""

    camera: str
    started: float
    length_s: float
    climbs: tuple[tuple[float, float], ...]

    def between(self, begin: float, end: float) -> list[TrueClimb]:
        """Climbs that lie wholly inside [begin, end]."""
        found: list[TrueClimb] = []
        loop = max(0, int((begin - self.started) // self.length_s) - 1)
        while (origin := self.started + loop * self.length_s) <= end:
            for first, last in self.climbs:
                if begin <= origin + first and origin + last <= end:
                    found.append(TrueClimb(self.camera, origin + first, origin + last))
            loop += 1
        return found


def score(climbs: Sequence[TrueClimb], alarms: Sequence[HeardAlarm], *, slack_s: float = 1.5) -> dict[str, Any]:
    """Match each climb with the first alarm of its camera inside its time, widened by `slack_s` on both sides.

    An alarm that matches no climb is false, and so is a second one for the same climb.
    `latency_ms_*`: from the arrival of the frame that decided to the alarm on the WebSocket, over all alarms.
    """
    left = sorted(alarms, key=lambda alarm: alarm.wall)
    found: list[dict[str, Any]] = []
    missed: list[dict[str, Any]] = []
    for climb in sorted(climbs, key=lambda climb: climb.start):
        match = next(
            (
                alarm
                for alarm in left
                if alarm.camera == climb.camera and climb.start - slack_s <= alarm.wall <= climb.end + slack_s
            ),
            None,
        )
        if match is None:
            missed.append({"camera": climb.camera, "start": climb.start, "end": climb.end})
            continue
        left.remove(match)
        found.append({"camera": climb.camera, "alarm": match.id, "after_s": round(match.wall - climb.start, 2)})
    delays = sorted((alarm.heard - alarm.arrival) * 1000 for alarm in alarms)
    return {
        "climbs": len(climbs),
        "found": len(found),
        "missed": len(missed),
        "false": len(left),
        "latency_ms_p50": percentile(delays, 50),
        "latency_ms_p95": percentile(delays, 95),
        "details": {
            "found": found,
            "missed": missed,
            "false": [{"camera": alarm.camera, "alarm": alarm.id, "wall": alarm.wall} for alarm in left],
        },
    }


def percentile(ordered: Sequence[float], percent: float) -> float | None:
    """Nearest-rank percentile of ascending values, rounded to a tenth; None where there are none."""
    if not ordered:
        return None
    rank = max(1, -(-len(ordered) * percent // 100))
    return round(ordered[int(rank) - 1], 1)
