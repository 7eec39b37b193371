"""Rows of a file that somebody sends, CSV or JSON, whatever they are rows of."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from perishield.api.problems import ProblemError

MOST_ROWS = 5000


@dataclass(frozen=True, slots=True)
class Row:
    """`number` as people count: of a CSV file's line, or of a JSON list's entry. `groups` None: not spoken of."""

    number: int
    fields: dict[str, Any]
    groups: tuple[str, ...] | None = None


@dataclass(slots=True)
class Mistakes:
    """What is wrong, row by row; never with what somebody entered, which may be a password."""

    found: list[dict[str, Any]] = field(default_factory=list)

    def add(self, row: int, where: str, message: str) -> None:
        self.found.append({"row": row, "field": where, "message": message})

    def refused(self, row: int, error: ValidationError) -> None:
        """What a body's model has against a row."""
        for wrong in error.errors(include_input=False, include_url=False)[:5]:
            self.add(row, ".".join(str(part) for part in wrong["loc"]), str(wrong["msg"]))


def csv_rows(
    text: str, columns: Sequence[str], mistakes: Mistakes, *, fold: bool = False
) -> Iterator[tuple[int, dict[str, str]]]:
    """Lines under a header line, as numbered and by column; empty ones are passed over.

    `fold`: the header may be written in capitals. Raises ProblemError (422) for what is no such table at all.
    """
    reader = csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""))
    try:
        header = [name.strip().lower() if fold else name.strip() for name in next(reader, [])]
        _check_header(header, columns)
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) > len(header):
                mistakes.add(reader.line_num, "", f"has {len(cells)} cells under {len(header)} columns")
                continue
            yield reader.line_num, dict(zip(header, cells, strict=False))
    except csv.Error as error:
        raise ProblemError(422, f"line {reader.line_num}: {error}") from error


def json_rows(content: Any, name: str) -> list[dict[str, Any]]:
    """The entries of `{name: [...]}`. Raises ProblemError (422) for anything else, and for too many."""
    entries = content.get(name) if isinstance(content, dict) else None
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise ProblemError(422, f'the body is {{"{name}": [{{...}}, ...]}}')
    check_count(len(entries), name)
    return entries


def check_count(count: int, name: str) -> None:
    """Raises ProblemError (422) where there are more rows than are taken in at once."""
    if count > MOST_ROWS:
        raise ProblemError(422, f"more than {MOST_ROWS} {name}; import them in parts")


def _check_header(header: Sequence[str], columns: Sequence[str]) -> None:
    known = ", ".join(columns)
    if "name" not in header and "id" not in header:
        raise ProblemError(422, f"the first line names the columns; known are {known}")
    for name in header:
        if name not in columns:
            raise ProblemError(422, f"column {name[:40]!r} is unknown; known are {known}")
        if header.count(name) > 1:
            raise ProblemError(422, f"column {name!r} is there twice")
