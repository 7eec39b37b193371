"""`perishield faults`: suites that break things for real."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import typer

from perishield.cli.output import print_json, print_table, progress


def recorder(cases: Sequence[str], *, quick: bool, as_json: bool) -> None:
    from perishield.evaluation.faults import suite

    with progress("faults") as advance:
        report = suite.run(cases, quick=quick, progress=advance)
    _tell(report, as_json)


def alarms(cases: Sequence[str], alarms: int, kills: int, *, quick: bool, as_json: bool) -> None:
    from perishield.evaluation.faults import alarm_suite

    with progress("faults") as advance:
        report = alarm_suite.run(cases, alarms=alarms, kills=kills, quick=quick, progress=advance)
    _tell(report, as_json)


def _tell(report: Mapping[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(report)
    else:
        rows = [
            [
                case["name"],
                "kept" if case["passed"] else "broken",
                case.get("broken") or case.get("missing") or case["invariant"],
            ]
            for case in report["cases"]
        ]
        print_table(("case", "promise", ""), rows)
    if report["failed"]:
        raise typer.Exit(1)
