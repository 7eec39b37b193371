"""How rules do, as this process has heard."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from perishield.bus.topics import RulesDo
from perishield.model.rule_state import RuleState


class RuleBook:
    """The last state of every rule. Counts go on where the judging process began anew, and end with this one."""

    def __init__(self) -> None:
        self._started = 0.0
        self._before: dict[str, RuleState] = {}
        self._now: dict[str, RuleState] = {}

    def report(self, told: RulesDo) -> None:
        if told.started != self._started:
            self._before = {name: self.state(name) for name in self._before.keys() | self._now.keys()}
            self._started, self._now = told.started, {}
        self._now = {state.rule: state for state in told.states}
        self._before = {name: state for name, state in self._before.items() if name in self._now}

    def state(self, rule: str) -> RuleState:
        """A rule that nobody judges has done nothing."""
        now = self._now.get(rule) or RuleState(rule=rule, events=0, suppressed={})
        before = self._before.get(rule)
        if before is None:
            return now
        return replace(
            now,
            events=before.events + now.events,
            suppressed=dict(Counter(before.suppressed) + Counter(now.suppressed)),
            left_to_right=before.left_to_right + now.left_to_right,
            right_to_left=before.right_to_left + now.right_to_left,
            since=before.since or now.since,
        )

    def known(self, rule: str) -> bool:
        """Whether the judging process judges by it."""
        return rule in self._now
