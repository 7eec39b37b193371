"""No illegal step passes, whatever is asked for in whatever order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from perishield.alarms.intake import raise_alarm
from perishield.model.alarm_life import LEGAL, LONGEST_COMMENT, LifeError, Reason, Step, Wish, allowed, stepped
from perishield.model.alarms import Alarm, AlarmState, Event, Verdict

WISHES = st.builds(
    Wish,
    step=st.sampled_from(Step),
    reason=st.none() | st.sampled_from(Reason),
    comment=st.sampled_from(["", "a cat", "x" * (LONGEST_COMMENT + 1)]),
)
# Written out once more, by hand: a table that is wrong must not prove itself.
MAY_FOLLOW = {
    ("new", "acknowledged"),
    ("new", "confirmed"),
    ("new", "dismissed"),
    ("acknowledged", "confirmed"),
    ("acknowledged", "dismissed"),
    ("confirmed", "closed"),
    ("dismissed", "closed"),
    ("confirmed", "acknowledged"),
    ("dismissed", "acknowledged"),
}


@pytest.fixture
def alarm(make_event: Callable[..., Event]) -> Alarm:
    return raise_alarm(make_event("e"), "Gate", 100.0)


@given(wishes=st.lists(WISHES, max_size=12))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_way_leads_past_the_rules(alarm: Alarm, wishes: list[Wish]) -> None:
    now = 200.0
    for wish in wishes:
        now += 1
        before = replace(alarm)
        try:
            after = stepped(alarm, wish, now)
        except LifeError:
            assert alarm == before
            continue
        assert (alarm.state.value, after.state.value) in MAY_FOLLOW
        assert after.revision == alarm.revision + 1
        assert after.answered is not None
        assert after.answered <= now
        assert (after.verdict is Verdict.DISMISSED) == bool(after.reason)
        assert wish.step is not Step.DISMISS or wish.reason is not None
        if wish.reason is Reason.OTHER or wish.step is Step.REOPEN:
            assert wish.comment
        if after.state is AlarmState.CLOSED:
            assert after.verdict is alarm.verdict is not Verdict.NONE
            assert after.closed == now
            assert allowed(after.state) == []
        alarm = after


@pytest.mark.parametrize("state", AlarmState)
@pytest.mark.parametrize("step", Step)
def test_what_is_allowed_is_what_passes(alarm: Alarm, state: AlarmState, step: Step) -> None:
    wish = Wish(step=step, reason=Reason.ANIMAL if step is Step.DISMISS else None, comment="because")
    start = replace(alarm, state=state)
    if step in allowed(state):
        assert (state.value, stepped(start, wish, 1.0).state.value) in MAY_FOLLOW
    else:
        with pytest.raises(LifeError, match=f"is {state.value}, which does not allow '{step.value}'") as error:
            stepped(start, wish, 1.0)
        assert error.value.params["allowed"] == allowed(state)


def test_every_legal_step_is_one_that_was_meant() -> None:
    assert {(before.value, after.value) for befores, after in LEGAL.values() for before in befores} == MAY_FOLLOW


@pytest.mark.parametrize(
    ("wish", "code"),
    [
        (Wish(step=Step.DISMISS), "alarm_reason"),
        (Wish(step=Step.DISMISS, reason=Reason.OTHER), "alarm_comment"),
        (Wish(step=Step.CONFIRM, reason=Reason.ANIMAL), "alarm_reason"),
        (Wish(step=Step.CONFIRM, comment="x" * (LONGEST_COMMENT + 1)), "alarm_comment"),
        (Wish(step=Step.CLOSE), "alarm_state"),
    ],
)
def test_what_is_missing_is_named(alarm: Alarm, wish: Wish, code: str) -> None:
    with pytest.raises(LifeError) as error:
        stepped(alarm, wish, 1.0)
    assert error.value.code == code


def test_a_second_thought_takes_the_verdict_back(alarm: Alarm) -> None:
    dismissed = stepped(alarm, Wish(step=Step.DISMISS, reason=Reason.ANIMAL), 130.0)
    assert (dismissed.verdict, dismissed.reason, dismissed.decided, dismissed.answered) == (
        Verdict.DISMISSED,
        "animal",
        130.0,
        130.0,
    )
    again = stepped(dismissed, Wish(step=Step.REOPEN, comment="no, a person"), 140.0)
    assert (again.state, again.verdict, again.reason, again.decided) == (
        AlarmState.ACKNOWLEDGED,
        Verdict.NONE,
        "",
        None,
    )
    assert again.answered == 130.0, "the first answer stays the first"
    assert again.comments == 1
