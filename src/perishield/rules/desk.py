"""What is known of one rule beyond its tracks: when it watches, what it has told, why it kept silent."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from dataclasses import replace
from typing import Any
from zoneinfo import ZoneInfo

from perishield.log import Log
from perishield.model.alarms import Event
from perishield.model.errors import RuleError
from perishield.model.remarks import Remark
from perishield.model.rule_state import RuleState
from perishield.model.rules import Rule
from perishield.rules.condition import Condition
from perishield.rules.timetable import Timetable

log = Log("rules")


class Desk:
    """One rule's, kept while the rule changes."""

    def __init__(self, rule: Rule) -> None:
        self.suppressed: Counter[str] = Counter()
        self.events = 0
        self.totals = [0, 0]
        self.since = 0.0
        self._told: float | None = None
        self._spent: float | None = None
        self._compiled = ""
        self._condition: Condition | None = None
        self._broken = ""
        self.rule = rule
        self.take(rule)

    def take(self, rule: Rule) -> None:
        """The rule as it is from now on."""
        if rule.rearmed != self.rule.rearmed:
            self._spent = None
        self.rule = rule
        self._timetable = Timetable(rule.schedule) if rule.schedule is not None else None
        zone = rule.schedule.timezone if rule.schedule is not None else ""
        self._zone = ZoneInfo(zone or "UTC")
        if rule.condition != self._compiled:
            self._compile(rule)

    def _compile(self, rule: Rule) -> None:
        self._compiled = rule.condition
        self._condition, self._broken = None, ""
        if rule.condition:
            try:
                self._condition = Condition(rule.condition)
            except RuleError as error:
                self._broken = error.message
                log.error("rule.condition_refused", camera=rule.camera, rule=rule.id, message=error.message)

    def restart(self) -> None:
        """The rule was redrawn: totals begin anew."""
        self.totals, self.since = [0, 0], 0.0

    def silent(self, wall: float) -> str:
        """Why the rule tells nothing at this moment: `disarmed`, `schedule`, `one_shot`, or empty."""
        rule = self.rule
        if rule.arming == "disarmed":
            return "disarmed"
        if rule.arming == "scheduled" and self._timetable is not None and not self._timetable.watches(wall):
            return "schedule"
        if rule.one_shot and self._spent is not None:
            if not (rule.rearm_after_s and wall - self._spent >= rule.rearm_after_s):
                return "one_shot"
            self._spent = None
        return ""

    def cooling(self, wall: float) -> bool:
        """Whether the rule has told something less than its cool-down ago."""
        return self._told is not None and 0 <= wall - self._told < self.rule.rule_cooldown_s

    def judge(self, event: Event) -> Event | None:
        """The event if its condition holds; with a doubt where that cannot be said."""
        doubt = self._broken
        if self._condition is not None:
            try:
                if not self._condition.holds(self._values(event)):
                    self.suppressed["condition"] += 1
                    return None
            except RuleError as error:
                doubt = error.message
        if doubt:
            self.suppressed["condition_failed"] += 1
            remark = Remark("condition_failed", doubt, {"detail": doubt.partition(": ")[2]})
            return replace(event, doubts=(*event.doubts, remark))
        return event

    def tell(self, event: Event) -> None:
        """Note that this event goes out."""
        self.events += 1
        self._told = event.wall
        if self.rule.one_shot:
            self._spent = event.wall

    def count(self, direction: str) -> int:
        """Add one crossing to the totals; how many there are in the rule's direction."""
        self.totals[direction == "right_to_left"] += 1
        wanted = getattr(self.rule, "direction", "any")
        if wanted == "any":
            return sum(self.totals)
        return self.totals[wanted == "right_to_left"] if wanted == direction else 0

    def state(self) -> RuleState:
        return RuleState(
            rule=self.rule.id,
            events=self.events,
            suppressed=dict(self.suppressed),
            left_to_right=self.totals[0],
            right_to_left=self.totals[1],
            since=self.since,
            spent=self.rule.one_shot and self._spent is not None,
        )

    def _values(self, event: Event) -> dict[str, Any]:
        local = dt.datetime.fromtimestamp(event.wall, self._zone)
        return {
            "kind": event.kind.value,
            "camera": event.camera,
            "rule": self.rule.name,
            "label": event.label,
            "level": event.level,
            "score": event.score,
            "track": event.track,
            "direction": event.direction,
            "x": event.point[0],
            "y": event.point[1],
            "height": event.height,
            "height_m": event.height_m,
            "speed": event.speed,
            "speed_mps": event.speed_mps,
            "stayed_s": event.stayed_s,
            "count": event.count,
            "hour": local.hour,
            "minute": local.minute,
            "weekday": local.weekday(),
        }
