from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from test_evaluate import dataset, render

from perishield.evaluation.evaluate import evaluate
from perishield.evaluation.report import report
from perishield.evaluation.report_shots import Strips
from perishield.evaluation.report_texts import Texts
from perishield.model.errors import ConfigError, DatasetError


@pytest.fixture(scope="module")
def yard(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("yard")
    render(folder / "yard.mp4", [(2, 5)])
    return folder


def events(*times: float) -> list[dict[str, Any]]:
    return [{"rule": "middle", "type": "line_cross", "t": t, "tol_s": 0.4} for t in times]


def test_misses_come_first_with_their_pictures(yard: Path) -> None:
    strips = Strips(Texts("en"))
    result = evaluate(dataset(yard, events=events(1.0, 3.54)), "motion", on_clip=strips.add)
    assert (len(strips.misses), len(strips.falses), len(strips.hits)) == (1, 0, 1)
    assert all(len(one.shots) == 3 for one in strips.misses + strips.hits)
    (hit,) = strips.hits
    middle = hit.shots[1]
    assert any(main for _, _, main in middle.boxes)
    assert next(map(tuple, middle.lines[0]))[0] == pytest.approx(0.5)
    html = report(result, strips)
    assert html.index(">missed<") < html.index(">found<")
    assert html.count("data:image/jpeg") == 6
    assert "://" not in html
    assert "<script" not in html


def test_figures_have_their_bounds_and_delays(yard: Path) -> None:
    result = evaluate(dataset(yard), "motion")
    low, high = result["recall_ci"]
    assert 0.2 < low < 0.21
    assert high == 1
    assert 0 <= result["time_to_alarm_s"]["median"] < 1.5
    assert result["false_alarms_per_hour_ci"][1] == pytest.approx(3.689 / result["scored_hours"], rel=0.01)
    assert [row["rule"] for row in result["by_rule"]] == ["middle"]
    assert result["by_label"][0]["label"] == "motion"


def test_the_full_pipeline_finds_the_same(yard: Path) -> None:
    result = evaluate(dataset(yard), "motion", pipeline="full")
    assert (result["recall"], result["false_alarms"], result["clips"][0]["frames"]) == (1, 0, 90)
    with pytest.raises(DatasetError):
        evaluate(dataset(yard), "motion", pipeline="some")


def test_size_rate_and_tolerance_may_be_left_out(yard: Path) -> None:
    bare = {"file": "yard.mp4", "lines": [{"id": "middle", "p1": [160, 20], "p2": [160, 179]}]}
    path = yard / "bare.json"
    path.write_text(json.dumps({"clips": [bare | {"events": [{"rule": "middle", "type": "line_cross", "t": 3.5}]}]}))
    assert evaluate(path, "motion")["recall"] == 1
    assert evaluate(path, "motion", pipeline="full")["recall"] == 1


def test_a_fence_is_judged(yard: Path) -> None:
    fence = {
        "id": "fence",
        "outer": [[120, 0], [120, 179]],
        "inner": [[200, 0], [200, 179]],
        "direction": "right_to_left",
    }
    truth = [{"rule": "fence", "type": "fence_cross", "t": 4.0, "tol_s": 1}]
    result = evaluate(dataset(yard, lines=[], fences=[fence], events=truth), "motion")
    assert (result["recall"], result["by_type"][0]["type"]) == (1, "fence_cross")


def test_clips_that_cannot_be_read_need_not_end_it(yard: Path) -> None:
    (yard / "broken.mp4").write_bytes(b"nothing" * 400)
    path = dataset(yard)
    value = json.loads(path.read_text())
    value["clips"] += [value["clips"][0] | {"file": name} for name in ("broken.mp4", "gone.mp4")]
    path = yard / "some.json"
    path.write_text(json.dumps(value))
    result = evaluate(path, "motion", keep_going=True)
    assert result["recall"] == 1
    assert [one["file"] for one in result["failed"]] == ["broken.mp4", "gone.mp4"]
    assert "broken.mp4" in report(result, Strips(Texts("zh")))
    with pytest.raises(DatasetError):
        evaluate(path, "motion")


def test_a_language_that_nobody_speaks_here() -> None:
    with pytest.raises(ConfigError):
        Texts("fr")


def test_on_the_command_line(yard: Path, tmp_path: Path) -> None:
    def run(*arguments: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "perishield", "eval", *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, timeout=100)

    first = run(dataset(yard), "--detector", "motion", "--json", "--html", tmp_path / "page.html")
    assert first.returncode == 0, first.stderr
    (tmp_path / "a.json").write_text(first.stdout)
    assert (tmp_path / "page.html").is_file()
    compared = run("compare", tmp_path / "a.json", tmp_path / "a.json", "--json")
    assert json.loads(compared.stdout)["both"] == 1
    assert run("compare", tmp_path / "a.json").returncode == 2
