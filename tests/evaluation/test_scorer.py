from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perishield.evaluation.dataset import LabelledClip, Truth
from perishield.evaluation.scorer import Found, Score, score


def clip(*events: Truth, labelled: bool = True, quiet: bool = False) -> LabelledClip:
    return LabelledClip(
        file="a.mp4",
        path=Path("a.mp4"),
        sha256="",
        width=100,
        height=100,
        fps=10,
        frames=100,
        lines=(),
        zones=(),
        events=events if labelled else None,
        expect_no_person_events=quiet,
    )


def truth(time_s: float, rule: str = "gate", tolerance_s: float = 0.4, **changes: Any) -> Truth:
    values: dict[str, Any] = {"type": "line_cross", "direction": "right"} | changes
    return Truth(rule=rule, time_s=time_s, tolerance_s=tolerance_s, **values)


def found(time_s: float, rule: str = "gate", **changes: Any) -> Found:
    values: dict[str, Any] = {"type": "line_cross", "directions": ("right",)} | changes
    return Found(rule=rule, time_s=time_s, **values)


def test_one_to_one_within_the_tolerance() -> None:
    result = score(clip(truth(1.0), truth(5.0)), [found(1.2), found(1.3), found(5.5)])
    assert [(a.time_s, b.time_s) for a, b in result.pairs] == [(1.0, 1.2)]
    assert [item.time_s for item in result.missed] == [5.0]
    assert [item.time_s for item in result.false] == [1.3, 5.5]
    assert (result.recall, result.precision, result.f1) == (0.5, pytest.approx(1 / 3), pytest.approx(0.4))
    assert result.mean_dt_s == pytest.approx(0.2)


def test_nearest_in_time_comes_first() -> None:
    result = score(clip(truth(1.0), truth(1.4)), [found(1.35), found(1.05)])
    assert sorted((a.time_s, b.time_s) for a, b in result.pairs) == [(1.0, 1.05), (1.4, 1.35)]
    assert result.recall == 1


def test_the_edge_of_the_tolerance_belongs_to_it() -> None:
    assert score(clip(truth(23.45)), [found(23.85)]).recall == 1


@pytest.mark.parametrize(
    "other", [{"rule": "door"}, {"type": "zone_enter"}, {"directions": ("left",)}, {"directions": ()}]
)
def test_rule_type_and_direction_must_agree(other: dict[str, Any]) -> None:
    assert score(clip(truth(1.0)), [found(1.0, **other)]).recall == 0


def test_direction_is_free_where_the_truth_does_not_say_it_and_may_be_oblique() -> None:
    assert score(clip(truth(1.0, direction=None)), [found(1.0, directions=("up",))]).recall == 1
    assert score(clip(truth(1.0)), [found(1.0, directions=("down", "right"))]).recall == 1


def test_types_without_truth_are_unscored_but_other_lines_are_not() -> None:
    result = score(clip(truth(1.0)), [found(1.0), found(2.0, rule="other"), found(2.0, "roof", type="zone_enter")])
    assert [item.rule for item in result.false] == ["other"]
    assert [item.rule for item in result.unscored] == ["roof"]


def test_nothing_happens_where_the_labels_say_so() -> None:
    assert len(score(clip(), [found(1.0)]).false) == 1
    assert len(score(clip(quiet=True), [found(1.0, "roof", type="zone_enter")]).false) == 1
    assert len(score(clip(labelled=False, quiet=True), [found(1.0)]).false) == 1
    unlabelled = score(clip(labelled=False), [found(1.0)])
    assert (unlabelled.false, len(unlabelled.unscored), unlabelled.recall, unlabelled.precision) == ([], 1, None, None)


times = st.lists(st.integers(0, 40).map(lambda value: value / 10), max_size=8)


@given(times, times)
def test_every_truth_and_every_finding_is_counted_once(truths: list[float], findings: list[float]) -> None:
    result = score(clip(*map(truth, truths)), [found(at) for at in findings])
    assert len(result.pairs) + len(result.missed) == len(truths)
    assert len(result.pairs) + len(result.false) + len(result.unscored) == len(findings)
    assert all(abs(a.time_s - b.time_s) <= 0.4 + 1e-6 for a, b in result.pairs)
    assert not any(abs(a.time_s - b.time_s) <= 0.4 for a in result.missed for b in result.false)


def test_scores_add_up() -> None:
    total = sum([score(clip(truth(1.0)), [found(1.1)]), score(clip(truth(1.0)), [found(9.0)])], Score())
    assert (total.events, total.recall, total.precision) == (2, 0.5, 0.5)
