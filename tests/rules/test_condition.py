from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perishield.model.errors import RuleError
from perishield.rules.condition import SAMPLE, Condition


def refusal(text: str) -> RuleError:
    with pytest.raises(RuleError) as refused:
        Condition(text)
    assert refused.value.params["field"] == "condition"
    return refused.value


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("label == 'person'", True),
        ("speed > 0.5 && hour >= 22", True),
        ("x < 0.2 || direction == 'right_to_left'", False),
        ("weekday in [5, 6]", False),
        ("rule.startsWith('Gate')", True),
        ("label.matches('^per')", True),
        ("label == 'all(x'", False),
    ],
)
def test_conditions_are_judged(text: str, holds: bool) -> None:
    assert Condition(text).holds(SAMPLE) is holds


@pytest.mark.parametrize(
    ("text", "column", "says"),
    [
        ("label ==", 9, "the end"),
        ("speeed > 1.0", 1, "no field 'speeed'"),
        ("score > 0.1 && colour == 'red'", 16, "no field 'colour'"),
        ("[1, 2].all(label, label > 0)", 8, "would loop"),
        ("label > 3", None, "overload"),
        ("score + 1.0", None, "true or false"),
        ("score > 0.5\nspeed", None, "one line"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(text: str, column: int | None, says: str) -> None:
    error = refusal(text)
    assert says in error.message
    if column is not None:
        assert error.params["column"] == column


def test_it_is_bounded() -> None:
    assert "500" in refusal("score > 0.1 && " * 50 + "true").message
    assert "deep" in refusal("(" * 60 + "true" + ")" * 60).message
    assert "deep" in refusal("!" * 60 + "true").message


def test_what_cannot_be_judged_says_so() -> None:
    condition = Condition("speed_mps > 1.0")
    with pytest.raises(RuleError):
        condition.holds({**SAMPLE, "speed_mps": None})


@settings(deadline=None, max_examples=300)
@given(st.text(st.sampled_from("label score><=!&|()[]'\".0159+-*/?:,{}all"), max_size=80) | st.text(max_size=80))
def test_nothing_but_a_refusal_comes_of_nonsense(text: str) -> None:
    try:
        condition = Condition(text)
    except RuleError:
        return
    assert condition.holds(SAMPLE) in (True, False)
