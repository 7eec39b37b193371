"""The life of an alarm: which step may follow which, and what each must bring along."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from perishield.model.alarms import Alarm, AlarmState, Verdict
from perishield.model.errors import PeriShieldError


class Step(StrEnum):
    """What a person does with an alarm."""

    ACKNOWLEDGE = "acknowledge"
    CONFIRM = "confirm"
    DISMISS = "dismiss"
    CLOSE = "close"
    REOPEN = "reopen"


class Reason(StrEnum):
    """Why an alarm was dismissed."""

    ANIMAL = "animal"
    WEATHER = "weather"
    LIGHT = "light"
    VEGETATION = "vegetation"
    AUTHORISED_PERSON = "authorised_person"
    TEST = "test"
    DUPLICATE = "duplicate"
    CAMERA_FAULT = "camera_fault"
    OTHER = "other"
    """Needs a comment."""


WRONGLY_SEEN = frozenset({Reason.ANIMAL, Reason.WEATHER, Reason.LIGHT, Reason.VEGETATION, Reason.CAMERA_FAULT})
"""Reasons which say that there was nobody. A person who may be there was seen rightly."""

_OPEN = frozenset({AlarmState.NEW, AlarmState.ACKNOWLEDGED})
_DECIDED = frozenset({AlarmState.CONFIRMED, AlarmState.DISMISSED})

LEGAL: Mapping[Step, tuple[frozenset[AlarmState], AlarmState]] = {
    Step.ACKNOWLEDGE: (frozenset({AlarmState.NEW}), AlarmState.ACKNOWLEDGED),
    Step.CONFIRM: (_OPEN, AlarmState.CONFIRMED),
    Step.DISMISS: (_OPEN, AlarmState.DISMISSED),
    Step.CLOSE: (_DECIDED, AlarmState.CLOSED),
    Step.REOPEN: (_DECIDED, AlarmState.ACKNOWLEDGED),
}
"""From which states a step may be taken, and to which it leads. Nothing leads out of `closed`."""

LONGEST_COMMENT = 4000
"""Characters."""


class LifeError(PeriShieldError):
    """A step that an alarm does not allow: `alarm_state`, `alarm_reason`, `alarm_comment`."""

    code = "alarm_state"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """A step with what it brings along."""

    step: Step
    reason: Reason | None = None
    comment: str = ""


def allowed(state: AlarmState) -> list[Step]:
    """The steps that a state allows.

    >>> [step.value for step in allowed(AlarmState.CONFIRMED)]
    ['close', 'reopen']
    """
    return [step for step, (before, _) in LEGAL.items() if state in before]


def stepped(alarm: Alarm, wish: Wish, now: float) -> Alarm:
    """The alarm after that step, its revision counted up. Raises LifeError for what is not allowed; nothing is changed
    in place. `now`: Unix seconds."""
    before, after = LEGAL[wish.step]
    if alarm.state not in before:
        possible = ", ".join(allowed(alarm.state)) or "nothing, it is closed"
        raise LifeError(
            f"alarm {alarm.id!r}: is {alarm.state.value}, which does not allow {wish.step.value!r}; "
            f"possible: {possible}",
            state=alarm.state.value,
            step=wish.step.value,
            allowed=[step.value for step in allowed(alarm.state)],
        )
    _check(alarm, wish)
    verdict, reason, decided, closed = alarm.verdict, alarm.reason, alarm.decided, alarm.closed
    if wish.step is Step.CONFIRM:
        verdict, reason, decided = Verdict.CONFIRMED, "", now
    elif wish.step is Step.DISMISS:
        verdict, reason, decided = Verdict.DISMISSED, wish.reason.value if wish.reason else "", now
    elif wish.step is Step.REOPEN:
        verdict, reason, decided = Verdict.NONE, "", None
    else:
        closed = now if wish.step is Step.CLOSE else None
    return replace(
        alarm,
        state=after,
        revision=alarm.revision + 1,
        verdict=verdict,
        reason=reason,
        answered=now if alarm.answered is None else alarm.answered,
        decided=decided,
        closed=closed,
        comments=alarm.comments + bool(wish.comment),
    )


def _check(alarm: Alarm, wish: Wish) -> None:
    if wish.step is Step.DISMISS and wish.reason is None:
        raise LifeError(
            f"alarm {alarm.id!r}: dismissing needs a reason: {', '.join(Reason)}", code="alarm_reason", field="reason"
        )
    if wish.step is not Step.DISMISS and wish.reason is not None:
        raise LifeError(
            f"alarm {alarm.id!r}: only dismissing has a reason; say it in a comment",
            code="alarm_reason",
            field="reason",
        )
    if not wish.comment and (wish.reason is Reason.OTHER or wish.step is Step.REOPEN):
        what = "reopening" if wish.step is Step.REOPEN else f"the reason {Reason.OTHER.value!r}"
        raise LifeError(f"alarm {alarm.id!r}: {what} needs a comment", code="alarm_comment", field="comment")
    if len(wish.comment) > LONGEST_COMMENT:
        raise LifeError(
            f"alarm {alarm.id!r}: the comment is longer than {LONGEST_COMMENT} characters",
            code="alarm_comment",
            field="comment",
        )


class StaleError(PeriShieldError):
    """Somebody else was faster: `stale`."""

    code = "stale"
