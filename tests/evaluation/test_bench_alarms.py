"""The benchmark of alarms asks every question of both tables, and the full one is full."""

from __future__ import annotations

import json
from itertools import islice

import pytest
from typer.testing import CliRunner

from perishield.cli.app import app
from perishield.evaluation import bench_alarms
from perishield.evaluation.alarm_archive import DAYS, rows


def test_every_question_is_asked_and_alarms_are_taken_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_alarms, "_INTAKE", 100)
    told = CliRunner().invoke(
        app, ["bench", "alarms", "--alarms", "2000", "--database", "sqlite", "--rounds", "5", "--json"]
    )
    assert told.exit_code == 0, told.output
    figures = json.loads(told.stdout)
    assert figures["alarms"] == 2000
    questions = figures["sqlite"]["questions"]
    assert {"newest", "newest_groups", "an_old_month", "of_twenty_cameras", "sums_of_everything"} <= set(questions)
    for row in questions.values():
        assert 0 < row["p50_ms"] <= row["p95_ms"]
        assert row["ratio"] > 0
    assert figures["sqlite"]["intake"]["per_s"] > 0
    wrong = CliRunner().invoke(app, ["bench", "alarms", "--database", "oracle"])
    assert wrong.exit_code != 0


def test_the_archive_lies_within_its_days_and_repeats_itself() -> None:
    end = 1_790_000_000.0
    found = list(rows(500, end))
    assert [row["id"] for row in islice(rows(500, end), 3)] == [row["id"] for row in found[:3]]
    assert all(end - DAYS * 86_400 <= row["wall"] <= end for row in found)
    assert len({row["group_id"] for row in found}) < 500
    assert {row["state"] for row in found} > {"closed"}
    assert all((row["verdict"] == "dismissed") is bool(row["reason"]) for row in found)
