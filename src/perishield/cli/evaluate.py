"""`perishield eval`: a labelled set through detector, tracker and rules, and two such runs side by side."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from perishield.cli.output import notes, print_figures, print_json, print_table, progress
from perishield.model.errors import ConfigError
from perishield.settings import load

COMPARE = "compare"


@dataclass(frozen=True, slots=True, kw_only=True)
class EvalOptions:
    detector: str
    fps: float | None
    pipeline: str
    html: Path | None
    language: str
    keep_going: bool
    config: Path | None
    as_json: bool


def run(arguments: list[str], options: EvalOptions) -> None:
    """`DATASET`, or `compare A.json B.json`."""
    if arguments[0] == COMPARE and not Path(COMPARE).is_file():
        if len(arguments) != 3:
            raise ConfigError("eval compare: name two results of `perishield eval --json`: eval compare A.json B.json")
        _compare(Path(arguments[1]), Path(arguments[2]), options)
    elif len(arguments) > 1:
        raise ConfigError(f"eval: takes one dataset, not {len(arguments)}; to compare runs: eval compare A.json B.json")
    else:
        _evaluate(Path(arguments[0]), options)


def _evaluate(dataset: Path, options: EvalOptions) -> None:
    from perishield.evaluation.evaluate import evaluate
    from perishield.evaluation.report_texts import Texts

    texts = Texts(options.language)
    settings = load(options.config)
    strips = None
    if options.html is not None:
        from perishield.evaluation.report_shots import Strips

        strips = Strips(texts)
    with progress(dataset.name) as advance:
        result = evaluate(
            dataset,
            options.detector,
            models_dir=settings.models_dir,
            fps=options.fps,
            pipeline=options.pipeline,
            pieces=settings.vision.pieces,
            keep_going=options.keep_going,
            on_clip=strips.add if strips is not None else None,
            progress=advance,
        )
    if strips is not None and options.html is not None:
        from perishield.evaluation.report import report

        write_page(options.html, report(result, strips))
    if options.as_json:
        print_json(result)
        return
    columns = ("file", "events", "found", "missed", "false_alarms", "recall", "cpu_ms_per_frame")
    print_table(columns, [[clip.get(name) for name in columns] for clip in result["clips"]])
    print_figures(result)
    _print_bounds(result)
    for one in result["failed"]:
        notes.print(f"{one['file']}: {one['error']}", style="red", highlight=False)


def _print_bounds(result: dict[str, Any]) -> None:
    """What `print_figures` leaves out: lists and the distribution."""
    delay = result["time_to_alarm_s"]
    print_figures(
        {
            "recall 95 %": _bounds(result["recall_ci"]),
            "precision 95 %": _bounds(result["precision_ci"]),
            "false alarms/h 95 %": _bounds(result["false_alarms_per_hour_ci"]),
            "time to alarm, median s": delay["median"],
            "time to alarm, 90 % s": delay["p90"],
        }
    )


def _bounds(bounds: list[float] | None) -> str | None:
    return None if bounds is None else f"{bounds[0]:.4g} to {bounds[1]:.4g}"


def _compare(first: Path, second: Path, options: EvalOptions) -> None:
    from perishield.evaluation.compare import compare, compare_report, read_run
    from perishield.evaluation.report_texts import Texts

    result = compare(read_run(first), read_run(second))
    if options.html is not None:
        write_page(options.html, compare_report(result, Texts(options.language)))
    if options.as_json:
        print_json(result)
        return
    names = [name for name in result["first"] if name in result["second"]]
    print_table(("figure", first.name, second.name), [[n, result["first"][n], result["second"][n]] for n in names])
    rows = [
        [title, one["file"], one["rule"], one["type"], one["t"]]
        for title in ("gained", "lost", "false_new", "false_gone")
        for one in result[title]
    ]
    if rows:
        print_table(("change", "file", "rule", "type", "t"), rows)
    print_figures(result)


def write_page(target: Path, html: str) -> None:
    """A file named `*.html`, or `report.html` in a folder. Raises ConfigError where it cannot be written."""
    path = target if target.suffix in (".html", ".htm") else target / "report.html"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(html, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"--html {target}: cannot be written: {error.strerror}; choose another place") from error
    notes.print(f"report: {path}", highlight=False)
