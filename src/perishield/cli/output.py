"""How commands speak: one JSON object, a table, a progress bar on stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

console = Console()
notes = Console(stderr=True)

Advance = Callable[[float], None]
"""Takes the share that is done, 0 to 1."""


def print_json(value: object) -> None:
    json.dump(value, sys.stdout, ensure_ascii=False, indent=2, default=str)
    sys.stdout.write("\n")
    sys.stdout.flush()


def print_table(columns: Sequence[str], rows: Sequence[Sequence[object]], title: str = "") -> None:
    table = Table(*columns, title=title or None)
    for row in rows:
        table.add_row(*(_cell(value) for value in row))
    console.print(table)


def print_figures(figures: Mapping[str, object]) -> None:
    """Names and values, one a line."""
    for name, value in figures.items():
        if not isinstance(value, (list, dict)):
            console.print(f"{name:24} {_cell(value)}", highlight=False)


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    return "-" if value is None else str(value)


@contextmanager
def progress(label: str) -> Iterator[Advance]:
    """A bar on stderr while something takes long; silent where stderr is no terminal."""
    with progress_many([label]) as (advance,):
        yield advance


@contextmanager
def progress_many(labels: Sequence[str]) -> Iterator[list[Advance]]:
    """One bar for each label."""
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeRemainingColumn(),
        console=notes,
        transient=True,
        disable=not notes.is_terminal,
    ) as bar:
        tasks = [bar.add_task(label, total=1.0) for label in labels]

        def advance_of(index: int) -> Advance:
            return lambda share: bar.update(tasks[index], completed=share)

        yield [advance_of(index) for index in range(len(labels))]
