"""Shadow runs: recorded footage through a rule or model that is not live, and what it would have raised.

The project's own segments go through its own gate, decoder, tracker and rules, at the pace of the camera's analysis,
in one thread and holding a handful of pictures. Nothing is written but pictures of what was found.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from perishield.evaluation.recorded_chunks import chunk_refs
from perishield.evaluation.replay import Replay
from perishield.evaluation.shadow_plan import RealAlarm, ShadowError, ShadowPlan, check_range
from perishield.model.alarms import Event
from perishield.model.errors import StorageError
from perishield.model.media import TIMESCALE, SegmentRow
from perishield.model.rules import Rule
from perishield.recording.index import list_segments
from perishield.vision.crops import FarSight
from perishield.vision.still import encode_frame, fitted

if TYPE_CHECKING:
    from perishield.vision.detector import Detector
    from perishield.vision.picture import Picture

MOST_ALARMS = 500
"""Alarms told one by one, with pictures; a rule that raises more in a day is not worth reading on. All are counted."""
_LEAD_S = 10.0
"""Footage looked at before the range, so that gate, background and tracks are warm as they would have been."""
_SAME_S = 5.0
"""A would-be alarm this near to a real one is the same one: a line moved by a step is crossed a moment earlier."""
_PICTURE_WIDTH = 480
_NICENESS = 15


@dataclass(slots=True)
class Watch:
    """What a run tells while it is at work, and how it is ended."""

    progress: Callable[[float], None] = field(default=lambda share: None)
    cancelled: Callable[[], bool] = field(default=lambda: False)


def give_way() -> None:
    """Lower this process's priority for good: whatever records comes first."""
    os.nice(_NICENESS)


def shadow(
    media: Path, plan: ShadowPlan, detector: Detector, real: Sequence[RealAlarm] = (), watch: Watch | None = None
) -> dict[str, Any]:
    """Run the trial; plain data for JSON. Times in Unix seconds.

    `detector`: with the pieces that the site allows, as in operation (`with_pieces`); `pieces` tells how many.
    `real`: alarms that the trial stands against. Raises ShadowError for a range that makes no sense or a run that was
    cancelled, StorageError (`missing`) where nothing of that time is on this host's disk, RuleError.
    """
    check_range(plan.start, plan.end)
    if not plan.rules:
        raise ShadowError(f"camera {plan.camera!r}: there is no rule to try; draw one first")
    rows = _rows(media, plan)
    footage_s = _covered(rows, plan.start, plan.end)
    if footage_s <= 0:
        raise StorageError(
            f"camera {plan.camera!r}: nothing of that time lies on this host's disk; it was not recorded, is deleted, "
            "or was moved to another tier",
            code="missing",
            camera=plan.camera,
        )
    trial = _Trial(media, plan, detector, watch or Watch())
    began, cpu = time.monotonic(), time.process_time()
    trial.run(rows)
    took_s, cpu_s = time.monotonic() - began, time.process_time() - cpu
    would, spared = _against(trial.alarms, real)
    return {
        "camera": plan.camera,
        "from": plan.start,
        "to": plan.end,
        "rules": [{"id": rule.id, "name": rule.name, "kind": rule.kind} for rule in plan.rules],
        "detector": detector.model or detector.name,
        "pieces": detector.most if isinstance(detector, FarSight) else 0,
        "footage_s": round(footage_s, 3),
        "missing_s": round(max(0.0, min(plan.end, time.time()) - plan.start - footage_s), 3),
        "pictures": trial.replay.pictures,
        "corrupt": trial.replay.watch.decoder.counts.corrupt,
        "took_s": round(took_s, 3),
        "cpu_s": round(cpu_s, 3),
        "speed": round(footage_s / took_s, 1) if took_s > 0 else None,
        "would": trial.count,
        "told": len(would),
        "raised": len(real),
        "new": sum(one["match"] is None for one in would),
        "spared": len(spared),
        "alarms": would,
        "spared_alarms": spared,
        "suppressed": _suppressed(trial.replay, plan.rules),
    }


class _Trial:
    def __init__(self, media: Path, plan: ShadowPlan, detector: Detector, watch: Watch) -> None:
        # A rule that is off is tried as on.
        rules = [replace(rule, enabled=True) for rule in plan.rules]
        self.replay = Replay(media, plan.settings, rules, detector)
        self.alarms: list[dict[str, Any]] = []
        self.count = 0
        self._media = media
        self._plan = plan
        self._watch = watch

    def run(self, rows: Sequence[SegmentRow]) -> None:
        plan = self._plan
        picture: Picture | None = None
        try:
            for ref in chunk_refs(self._media, rows, plan.start - _LEAD_S, plan.end):
                if self._watch.cancelled():
                    raise ShadowError("cancelled", code="shadow_cancelled")
                for looked in self.replay.take(ref):
                    picture = looked.picture
                    for event in looked.events:
                        self._note(event, picture)
                self._watch.progress(min(max((ref.wall - plan.start) / (plan.end - plan.start), 0.0), 1.0))
            for event in self.replay.finish():
                self._note(event, picture)
            self._watch.progress(1.0)
        finally:
            self.replay.close()

    def _note(self, event: Event, picture: Picture | None) -> None:
        if not self._plan.start <= event.wall < self._plan.end:
            return
        self.count += 1
        if len(self.alarms) >= MOST_ALARMS:
            return
        self.alarms.append(
            {
                "number": self.count,
                "rule": str(event.rule["id"]),
                "rule_name": str(event.rule["name"]),
                "kind": event.kind.value,
                "level": event.level,
                "label": event.label,
                "score": round(event.score, 3),
                "wall": round(event.wall, 3),
                "direction": event.direction,
                "point": list(event.point),
                "box": list(event.box),
                "path": [[round((ticks - event.stream_time) / TIMESCALE, 3), x, y] for ticks, x, y in event.path],
                "picture": self._picture(picture),
                "match": None,
            }
        )

    def _picture(self, picture: Picture | None) -> str:
        folder = self._plan.pictures
        if folder is None or picture is None:
            return ""
        name = f"{self.count:04d}.jpg"
        try:
            (folder / name).write_bytes(encode_frame(fitted(picture.frame, _PICTURE_WIDTH), 75))
        except (OSError, ValueError):
            # A full disk costs the trial its pictures, not its answer.
            return ""
        return name


def _rows(media: Path, plan: ShadowPlan) -> list[SegmentRow]:
    """Segments of the range and its lead; of two that tell of the same time the recording's."""
    rows: list[SegmentRow] = []
    until = 0.0
    found = list_segments(media, plan.camera, plan.start - _LEAD_S, plan.end)
    for row in sorted(found, key=lambda row: (row.start, row.pool != "recordings")):
        if row.start + row.duration <= until + 0.001 and row.epoch == (rows[-1].epoch if rows else -1):
            continue
        rows.append(replace(row, keyframes=()))
        until = max(until, row.start + row.duration)
    return rows


def _covered(rows: Iterable[SegmentRow], start: float, end: float) -> float:
    covered, until = 0.0, start
    for row in rows:
        first, last = max(row.start, until), min(row.start + row.duration, end)
        if last > first:
            covered += last - first
            until = last
    return covered


def _against(
    would: list[dict[str, Any]], real: Sequence[RealAlarm]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Pair would-be with real alarms one to one, nearest first; what remains of the real ones is spared."""
    pairs = sorted(
        (abs(one["wall"] - other.wall), index, number)
        for index, one in enumerate(would)
        for number, other in enumerate(real)
        if abs(one["wall"] - other.wall) <= _SAME_S
    )
    taken: set[int] = set()
    for _, index, number in pairs:
        if would[index]["match"] is None and number not in taken:
            would[index]["match"] = real[number].id
            taken.add(number)
    spared = [
        {
            "id": one.id,
            "rule": one.rule,
            "rule_name": one.rule_name,
            "kind": one.kind,
            "label": one.label,
            "wall": one.wall,
            "snapshot": one.snapshot,
        }
        for number, one in enumerate(real)
        if number not in taken
    ]
    return would, spared


def _suppressed(replay: Replay, rules: Sequence[Rule]) -> dict[str, dict[str, int]]:
    """By rule, why findings were kept back, where the engine can tell."""
    ask = getattr(replay.engine, "suppressed", None)
    if ask is None:
        return {}
    return {rule.id: {str(reason): int(count) for reason, count in ask(rule.id).items()} for rule in rules}
