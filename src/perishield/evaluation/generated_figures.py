"""What the results of generated scenes say: recall by condition, false alarms by the camera-hour, how sure that is."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from perishield.evaluation.intervals import garwood, wilson

LEAST_PX = 40.0
"""Height from which on people must be found."""


def figures(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Plain data for JSON, from the rows of `generated.results`. All intervals are of 95 %.

    Recall counts crossings by people of at least `LEAST_PX` pixels; `by` has all crossings. False alarms are those of
    the quiet hours; findings in the other scenes that match nobody are listed, too.
    """
    quiet = [row for row in rows if row["quiet"]]
    crossings = [row for row in rows if not row["quiet"]]
    tall = [row for row in crossings if row["person_px"] >= LEAST_PX]
    hours = sum(row["seconds"] for row in quiet) / 3600
    alarms = sum(len(row["false"]) for row in quiet)
    sure = garwood(alarms, hours)
    delays = sorted(delay for row in crossings for delay in row["delays_s"])
    by = {
        name: _split(crossings, lambda row, name=name: row["tags"][name])  # type: ignore[misc]
        for name in ("weather", "light", "distance", "behaviour")
    }
    by["height_px"] = _split(crossings, _height)
    return {
        **_recall(tall),
        "scenes": len(rows),
        "crossing_scenes": len(crossings),
        "quiet_camera_hours": round(hours, 3),
        "false_alarms": alarms,
        "false_alarms_per_camera_hour": round(alarms / hours, 4) if hours else None,
        "false_alarms_per_camera_hour_95": [round(each, 4) for each in sure] if sure else None,
        "false_by": {name: _rates(quiet, name) for name in ("weather", "light")},
        "false_in_crossing_scenes": sum(len(row["false"]) for row in crossings),
        "median_offset_s": round(delays[len(delays) // 2], 3) if delays else None,
        "pictures_analysed": sum(row["analysed"] for row in rows),
        "cpu_s": round(sum(row["cpu_s"] for row in rows), 1),
        "by": by,
        "missed": [
            {"seed": row["seed"], **row["tags"], "person_px": row["person_px"], **each}
            for row in crossings
            for each in row["missed"]
        ],
        "false": [
            {"seed": row["seed"], "quiet": row["quiet"], **row["tags"], **each} for row in rows for each in row["false"]
        ],
    }


def _recall(rows: Iterable[dict[str, Any]]) -> dict[str, Any]:
    kept = list(rows)
    found, events = sum(row["found"] for row in kept), sum(row["events"] for row in kept)
    return {
        "recall": round(found / events, 4) if events else None,
        "recall_95": [round(each, 4) for each in wilson(found, events) or (0.0, 1.0)],
        "events": events,
        "found": found,
    }


def _split(rows: Sequence[dict[str, Any]], key: Callable[[dict[str, Any]], str]) -> dict[str, Any]:
    groups: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        groups[key(row)].append(row)
    return {name: _recall(group) for name, group in sorted(groups.items())}


def _height(row: dict[str, Any]) -> str:
    height = row["person_px"]
    return next(
        (f"{low}-{high}" for low, high in ((0, 40), (40, 60), (60, 100)) if low <= height < high), "100 and more"
    )


def _rates(rows: Sequence[dict[str, Any]], name: str) -> dict[str, Any]:
    found: dict[str, dict[str, float]] = {}
    for row in rows:
        cell = found.setdefault(row["tags"][name], {"camera_hours": 0.0, "false_alarms": 0})
        cell["camera_hours"] = round(cell["camera_hours"] + row["seconds"] / 3600, 3)
        cell["false_alarms"] += len(row["false"])
    return dict(sorted(found.items()))
