"""`perishield eval`: a labelled set through detector, tracker and rules."""

from __future__ import annotations

from pathlib import Path

from perishield.cli.output import print_figures, print_json, print_table, progress
from perishield.settings import load


def run(dataset: Path, detector: str, *, fps: float | None, config: Path | None, as_json: bool) -> None:
    from perishield.evaluation.evaluate import evaluate

    with progress(dataset.name) as advance:
        result = evaluate(dataset, detector, models_dir=load(config).models_dir, fps=fps, progress=advance)
    if as_json:
        print_json(result)
        return
    columns = ("file", "events", "found", "missed", "false_alarms", "recall", "cpu_ms_per_frame")
    print_table(columns, [[clip.get(name) for name in columns] for clip in result["clips"]])
    print_figures(result)
