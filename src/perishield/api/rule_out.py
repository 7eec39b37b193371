"""What the API tells of rules besides themselves."""

from __future__ import annotations

from typing import Any

from typing_extensions import TypedDict

from perishield.api.times import iso
from perishield.model.errors import RuleError
from perishield.model.rule_state import RuleState
from perishield.rules.condition import SAMPLE


class RuleStateOut(TypedDict):
    rule: str
    judged: bool
    events: int
    suppressed: dict[str, int]
    left_to_right: int
    right_to_left: int
    since: str | None
    spent: bool


class ConditionOut(TypedDict):
    valid: bool
    message: str
    column: int


class FieldsOut(TypedDict):
    fields: dict[str, Any]


def state_out(state: RuleState, *, judged: bool) -> RuleStateOut:
    """`judged`: whether a worker judges by the rule now. `since` is None before its first picture."""
    return {
        "rule": state.rule,
        "judged": judged,
        "events": state.events,
        "suppressed": state.suppressed,
        "left_to_right": state.left_to_right,
        "right_to_left": state.right_to_left,
        "since": iso(state.since) if state.since else None,
        "spent": state.spent,
    }


def condition_out(error: RuleError | None) -> ConditionOut:
    """`column` counts from 1; 0 where the place is not known."""
    if error is None:
        return {"valid": True, "message": "", "column": 0}
    return {"valid": False, "message": error.message, "column": int(str(error.params.get("column", 0)))}


def fields_out() -> FieldsOut:
    return {"fields": dict(SAMPLE)}
