from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perishield.evaluation.compare import compare, compare_report, read_run
from perishield.evaluation.report_texts import TEXTS, Texts
from perishield.model.errors import DatasetError


def run(found: set[int], false: list[float], total: int = 12, **more: Any) -> dict[str, Any]:
    """Events at seconds 0, 10, 20...; those in `found` were found."""
    clip = {
        "file": "yard.mp4",
        "found_events": [{"rule": "a", "type": "line_cross", "truth_t": n * 10.0, "dt": 0.1} for n in sorted(found)],
        "missed_events": [{"rule": "a", "type": "line_cross", "t": n * 10.0} for n in range(total) if n not in found],
        "false_events": [{"rule": "a", "type": "line_cross", "t": t, "label": "person"} for t in false],
    }
    whole = {"clips": [clip], "false_alarms": len(false), "seconds": 3600.0, "recall": len(found) / total}
    return {**whole, **more}


def test_gains_losses_and_false_alarms_are_told_apart() -> None:
    result = compare(run({0, 1, 2}, [5.0, 300.0]), run({1, 2, 3, 4}, [5.5, 400.0]))
    assert [one["t"] for one in result["gained"]] == [30.0, 40.0]
    assert [one["t"] for one in result["lost"]] == [0.0]
    assert (result["both"], result["neither"], result["events"]) == (2, 7, 12)
    assert [one["t"] for one in result["false_gone"]] == [300.0]
    assert [one["t"] for one in result["false_new"]] == [400.0]
    assert result["p_recall"] == 1.0
    assert not result["significant"]


def test_six_gained_and_none_lost_is_no_chance() -> None:
    result = compare(run(set(), []), run({0, 1, 2, 3, 4, 5}, []))
    assert (result["p_recall"], result["significant"]) == (0.03125, True)
    assert result["recall_difference"] == 0.5
    assert result["recall_difference_ci"][0] > 0


def test_events_of_one_run_only_are_left_out_and_counted() -> None:
    result = compare(run({0, 1}, [], total=4), run({0, 1}, [], total=6))
    assert (result["events"], result["only_first"], result["only_second"]) == (4, 0, 2)


def test_events_at_the_same_moment_are_told_apart() -> None:
    twice, once = run({0}, []), run({0}, [])
    twice["clips"][0]["found_events"] *= 2
    once["clips"][0]["missed_events"].append({"rule": "a", "type": "line_cross", "t": 0.0})
    assert len(compare(twice, once)["lost"]) == 1
    assert len(compare(once, twice)["gained"]) == 1


@given(st.sets(st.integers(0, 11)), st.sets(st.integers(0, 11)), st.lists(st.floats(0, 100), max_size=8))
def test_the_other_way_round_gains_are_losses(first: set[int], second: set[int], false: list[float]) -> None:
    forth = compare(run(first, false), run(second, []))
    back = compare(run(second, []), run(first, false))
    assert forth["gained"] == back["lost"]
    assert forth["false_gone"] == back["false_new"]
    assert forth["p_recall"] == back["p_recall"]
    itself = compare(run(first, false), run(first, false))
    assert (itself["gained"], itself["lost"], itself["false_new"], itself["false_gone"]) == ([], [], [], [])


@pytest.mark.parametrize("text", ["", "5", "[]", "{}", '{"clips": [{"file": "x"}]}', '{"clips": 5}', '{"clips":[7]}'])
def test_what_is_no_result_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.json"
    path.write_text(text)
    with pytest.raises(DatasetError, match=r"a\.json"):
        read_run(path)
    with pytest.raises(DatasetError):
        read_run(tmp_path / "gone.json")


@pytest.mark.parametrize("language", sorted(TEXTS))
def test_the_page_names_what_changed(tmp_path: Path, language: str) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps(run({0}, [7.0])))
    result = compare(read_run(path), run({1}, []))
    html = compare_report(result, Texts(language))
    assert html.count("yard.mp4") == 3
    assert "://" not in html
