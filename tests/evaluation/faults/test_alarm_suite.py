"""The alarms' fault suite keeps its own promises: it runs, and it would notice."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from perishield.evaluation.faults import alarm_suite
from perishield.evaluation.faults.alarm_stand import AlarmStand
from perishield.model.errors import ConfigError


def test_a_small_run_keeps_every_promise() -> None:
    report = alarm_suite.run(["kills"], alarms=16, kills=1)
    (case,) = report["cases"]
    assert report["failed"] == 0, case
    assert (case["lost"], case["doubled"], case["out_of_order"], case["server_starts"]) == (0, 0, 0, 2)


def test_an_unknown_case_names_those_that_there_are() -> None:
    with pytest.raises(ConfigError, match="kills_postgresql"):
        alarm_suite.run(["kill"])


@pytest.mark.parametrize(
    ("told", "lost", "doubled", "out_of_order"),
    [
        ([("a", 0), ("b", 1), ("c", 2)], 0, 0, 0),
        ([("a", 0), ("c", 2)], 1, 0, 0),
        ([("a", 0), ("b", 1), ("x", 1), ("c", 2)], 0, 1, 0),
        ([("b", 1), ("a", 0), ("c", 2)], 0, 0, 1),
        ([("a", 0), ("a", 0), ("b", 1), ("c", 2)], 0, 0, 0),
    ],
)
def test_what_is_lost_doubled_or_overtaken_is_counted(
    tmp_path: Path, told: list[tuple[str, int]], lost: int, doubled: int, out_of_order: int
) -> None:
    seen: set[str] = set()
    lines: list[dict[str, Any]] = []
    for key, number in told:
        line = {"key": key, "again": key in seen, "alarm": f"f{number:06d}", "camera": "cam-0", "mood": "200"}
        seen.add(key)
        lines.append(line)
    (tmp_path / "taken.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    found = AlarmStand(tmp_path, 3, a_second=1.0).verdict()
    assert (found["lost"], found["doubled"], found["out_of_order"]) == (lost, doubled, out_of_order)
