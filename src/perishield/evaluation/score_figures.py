"""The figures of a score, as plain data: shares with their bounds, false alarms by the hour, time to alarm."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from perishield.evaluation.intervals import garwood, quantile, wilson
from perishield.evaluation.scorer import EVENT_RECORDING, OPERATIONAL_ALERT, Found, Score

Clips = Sequence[tuple[str, Score, float]]
"""File, score and scored seconds of each clip."""


def figures(score: Score, scored_s: float) -> dict[str, Any]:
    """`scored_s`: seconds of video in which labels can tell a false alarm, which is what its rate is of."""
    found, false = len(score.pairs), len(score.false)
    hours = scored_s / 3600
    return {
        "recall": rounded(score.recall),
        "recall_ci": _bounds(wilson(found, score.events)),
        "precision": rounded(score.precision),
        "precision_ci": _bounds(wilson(found, found + false)),
        "f1": rounded(score.f1),
        "f1_operational_alert": rounded(score.f_biased(OPERATIONAL_ALERT)),
        "f1_event_recording": rounded(score.f_biased(EVENT_RECORDING)),
        "events": score.events,
        "found": found,
        "missed": len(score.missed),
        "false_alarms": false,
        "unscored": len(score.unscored),
        "scored_hours": round(hours, 5),
        "false_alarms_per_hour": rounded(false / hours) if hours else None,
        "false_alarms_per_hour_ci": _bounds(garwood(false, hours)),
        "mean_dt_s": rounded(score.mean_dt_s),
        "time_to_alarm_s": delays(score.delays_s),
    }


def delays(values: Sequence[float]) -> dict[str, Any]:
    """How long after the act the alarm goes out, seconds of video. Transport and computing come on top of it."""
    return {
        "count": len(values),
        "mean": rounded(sum(values) / len(values)) if values else None,
        "median": rounded(quantile(values, 0.5)),
        "p90": rounded(quantile(values, 0.9)),
        "max": rounded(max(values, default=None)),
        "within_5_s": rounded(sum(value <= 5 for value in values) / len(values)) if values else None,
    }


def by_type(clips: Clips) -> list[dict[str, Any]]:
    """One row for each kind of event."""
    return _rows(clips, lambda file, kind, rule: (kind,), ("type",))


def by_rule(clips: Clips) -> list[dict[str, Any]]:
    """One row for each line, zone or fence of each clip."""
    return _rows(clips, lambda file, kind, rule: (file, rule), ("file", "rule"))


def by_label(score: Score) -> list[dict[str, Any]]:
    """One row for each class that raised something; what was missed has none."""
    found, false, unscored = (
        _count(item.label for item in items)
        for items in ([finding for _, finding in score.pairs], score.false, score.unscored)
    )
    return [
        {
            "label": label,
            "found": found.get(label, 0),
            "false_alarms": false.get(label, 0),
            "unscored": unscored.get(label, 0),
            "precision": rounded(found.get(label, 0) / total)
            if (total := found.get(label, 0) + false.get(label, 0))
            else None,
        }
        for label in sorted({*found, *false, *unscored})
    ]


def rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def _rows(
    clips: Clips, key: Callable[[str, str, str], tuple[str, ...]], names: tuple[str, ...]
) -> list[dict[str, Any]]:
    parts: dict[tuple[str, ...], Score] = defaultdict(Score)
    for file, score, _ in clips:
        for truth, finding in score.pairs:
            parts[key(file, truth.type, truth.rule)].pairs.append((truth, finding))
        for truth in score.missed:
            parts[key(file, truth.type, truth.rule)].missed.append(truth)
        for finding in score.false:
            parts[key(file, finding.type, finding.rule)].false.append(finding)
        for finding in score.unscored:
            parts[key(file, finding.type, finding.rule)].unscored.append(finding)
    seconds = {file: scored_s for file, _, scored_s in clips}
    total = sum(seconds.values())
    rows = []
    for part, score in sorted(parts.items()):
        row = figures(score, seconds[part[0]] if "file" in names else total)
        rows.append({**dict(zip(names, part, strict=True)), **row})
    return rows


def _count(labels: Iterable[str]) -> Mapping[str, int]:
    counts: dict[str, int] = defaultdict(int)
    for label in labels:
        counts[label] += 1
    return counts


def _bounds(bounds: tuple[float, float] | None) -> list[float] | None:
    return None if bounds is None else [round(bound, 4) for bound in bounds]


def finding_out(found: Found) -> dict[str, Any]:
    """A finding as plain data; times in seconds of the clip."""
    return {
        "rule": found.rule,
        "type": found.type,
        "direction": found.directions[0] if found.directions else None,
        "t": round(found.time_s, 3),
        "alarm_t": rounded(found.raised_s),
        "label": found.label,
        "score": round(found.score, 3),
        "track": found.track,
    }
