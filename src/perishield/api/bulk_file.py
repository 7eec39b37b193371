"""Files of many things at once: CSV or JSON in, CSV or JSON out. What the things are is said by a `Sheet`.

A cell of CSV holds text where its column is text; else JSON, or what is no JSON as it stands. An empty cell says
nothing of its column; `null` empties it.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import Request, Response

from perishield.api.problems import ProblemError
from perishield.api.sheets import FORMULA
from perishield.api.table_rows import Mistakes, Row, check_count, csv_rows, json_rows


@dataclass(frozen=True, slots=True)
class Sheet:
    """`name`: of the file, and of the list in a JSON one. `texts`: the columns that hold text and never JSON."""

    name: str
    columns: tuple[str, ...]
    texts: frozenset[str]


async def read_body(
    request: Request, from_csv: Callable[[str], list[Row]], from_json: Callable[[Any], list[Row]]
) -> list[Row]:
    """The rows that a request brings. Raises ProblemError (415, 422)."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    try:
        text = (await request.body()).decode("utf-8-sig")
        if kind == "text/csv":
            return from_csv(text)
        if kind == "application/json":
            return from_json(json.loads(text))
    except (UnicodeDecodeError, ValueError, RecursionError) as error:
        raise ProblemError(422, "the body is neither UTF-8 text nor JSON as its content type says") from error
    raise ProblemError(415, "content-type: send text/csv or application/json")


async def rows_of(request: Request, sheet: Sheet, mistakes: Mistakes) -> list[Row]:
    """Errors as above."""
    return await read_body(
        request, lambda text: _from_csv(text, sheet, mistakes), lambda content: _from_json(content, sheet)
    )


def as_file(sheet: Sheet, rows: Iterable[Mapping[str, Any]], kind: str) -> Response:
    """A download of these rows; `kind`: csv or json."""
    if kind == "json":
        text, media_type = json.dumps({sheet.name: list(rows)}, ensure_ascii=False, indent=1), "application/json"
    else:
        text, media_type = _as_csv(sheet, rows), "text/csv"
    headers = {"content-disposition": f'attachment; filename="{sheet.name}.{kind}"'}
    return Response(text, media_type=media_type, headers=headers)


def _as_csv(sheet: Sheet, rows: Iterable[Mapping[str, Any]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(sheet.columns)
    for row in rows:
        writer.writerow([_cell(sheet, name, row[name]) if name in row else "" for name in sheet.columns])
    return text.getvalue()


def _cell(sheet: Sheet, name: str, value: Any) -> str:
    if isinstance(value, str):
        # An apostrophe keeps spreadsheets from running a cell, and text that reads like JSON from being read so.
        return f"'{value}" if value.startswith((*FORMULA, "'")) or not (name in sheet.texts or _plain(value)) else value
    return json.dumps(value, ensure_ascii=False)


def _plain(text: str) -> bool:
    """Whether text comes back as it stands from a column that may hold JSON."""
    try:
        json.loads(text)
    except ValueError:
        return True
    return False


def _from_csv(text: str, sheet: Sheet, mistakes: Mistakes) -> list[Row]:
    rows: list[Row] = []
    for number, cells in csv_rows(text, sheet.columns, mistakes):
        rows.append(Row(number, {name: _value(sheet, name, cell) for name, cell in cells.items() if cell.strip()}))
        check_count(len(rows), sheet.name)
    return rows


def _value(sheet: Sheet, name: str, cell: str) -> Any:
    text = cell.strip()
    if text.startswith("'"):
        return text[1:]
    if name in sheet.texts:
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _from_json(content: Any, sheet: Sheet) -> list[Row]:
    return [Row(number, dict(entry)) for number, entry in enumerate(json_rows(content, sheet.name), 1)]
