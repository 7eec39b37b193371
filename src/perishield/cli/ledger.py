"""`perishield ledger`: every second of a camera, from files alone."""

from __future__ import annotations

import math
import time
from pathlib import Path

import typer

from perishield.cli.output import print_json, print_table
from perishield.cli.times import moment
from perishield.model.errors import ConfigError
from perishield.settings import load


def run(
    camera: str,
    start: str,
    end: str,
    *,
    data: Path | None,
    media: Path | None,
    config: Path | None,
    as_json: bool,
) -> None:
    from perishield.api.ledger_out import ledger_out, ledgers_out, sum_out
    from perishield.recording.ledger import to_seconds
    from perishield.recording.ledger_files import cameras_of_files, ledger_of_files

    settings = load(config)
    folder = data or settings.data.dir
    footage = media or (folder / "media" if data else settings.media_dir)
    now = time.time()
    last = min(moment(end, "--to"), now) if end else now
    first = moment(start, "--from") if start else last - 86_400
    if first >= last:
        raise ConfigError("--from lies not before --to, or both lie in the future")
    first = float(math.floor(first))
    last = float(min(math.ceil(last), math.floor(now)))
    cameras = [camera] if camera else cameras_of_files(folder, footage, first, last)
    found = {name: to_seconds(ledger_of_files(folder, footage, name, first, last, now)) for name in cameras}
    if camera:
        report = ledger_out(camera, first, last, found[camera], [])
        if as_json:
            print_json(dict(report))
            return
        rows = [
            [_clock(one["from"]), _clock(one["to"]), _length(one["seconds"]), one["state"], one["detail"]]
            for one in report["spans"]
        ]
        title = f"{camera}, {report['from'][:19]} to {report['to'][:19]} UTC"
        print_table(("from", "to", "length", "state", "detail"), rows, title)
        print_table(
            ("state", "length", "share"),
            [[state, _length(s), f"{s / (last - first):.2%}"] for state, s in report["totals"].items()],
        )
        _say_share(report["completeness"])
        return
    summary = ledgers_out(first, last, [sum_out(name, spans) for name, spans in found.items()])
    if as_json:
        print_json(dict(summary))
        return
    states = sorted(summary["totals"])
    print_table(
        ("camera", *states, "complete"),
        [
            [
                one["camera"],
                *(_length(one["totals"].get(state, 0.0)) for state in states),
                _percent(one["completeness"]),
            ]
            for one in summary["items"]
        ],
    )
    _say_share(summary["completeness"])


def _say_share(share: float | None) -> None:
    if share is None:
        typer.echo("Nothing was to be recorded in that time.")
    else:
        typer.echo(f"{_percent(share)} of what should have been recorded was.")


def _percent(share: float | None) -> str:
    # Rounded down: what is not whole must not look so.
    return "-" if share is None else f"{math.floor(share * 100_000) / 1000:g} %"


def _clock(moment: str) -> str:
    """`11-22 17:30:05`: month and day tell enough beside the title."""
    return f"{moment[5:10]} {moment[11:19]}"


def _length(seconds: float) -> str:
    """`1:02:03`."""
    whole = round(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}"
