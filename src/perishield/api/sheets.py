"""Tables as files: CSV as it is read from the store, XLSX by way of a temporary file.

A cell of text that a spreadsheet would take for a formula is made plain text: a camera may be named `=HYPERLINK(...)`.
"""

from __future__ import annotations

import asyncio
import csv
import io
import tempfile
from collections.abc import AsyncIterator, Sequence
from typing import IO, Any

from starlette.responses import StreamingResponse

Cell = str | int | float | None
Line = Sequence[Cell]

MOST_LINES = 100_000
FORMULA = ("=", "+", "-", "@", "\t", "\r")
_CHUNK = 1 << 16
_TYPES = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}


def harmless(cell: Cell) -> Cell:
    """The cell as a spreadsheet may show it: no formula, no control characters.

    >>> harmless("=1+1"), harmless("Gate"), harmless(-3)
    ("'=1+1", 'Gate', -3)
    """
    if not isinstance(cell, str):
        return cell
    clean = "".join(sign if sign >= " " or sign in "\n\t" else " " for sign in cell)
    return f"'{clean}" if cell.startswith(FORMULA) else clean


async def sheet_answer(lines: AsyncIterator[Line], kind: str, name: str) -> StreamingResponse:
    """A download of these lines, the first of them the heading. `kind`: csv or xlsx."""
    body = _csv(lines) if kind == "csv" else await _xlsx(lines, name)
    headers = {"content-disposition": f'attachment; filename="{name}.{kind}"', "cache-control": "no-store"}
    return StreamingResponse(body, media_type=_TYPES[kind], headers=headers)


async def _csv(lines: AsyncIterator[Line]) -> AsyncIterator[bytes]:
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    # Spreadsheets take UTF-8 for something else without this mark.
    buffer.write("\ufeff")
    async for line in lines:
        writer.writerow([harmless(cell) for cell in line])
        if buffer.tell() >= _CHUNK:
            yield buffer.getvalue().encode()
            buffer.seek(0)
            buffer.truncate()
    yield buffer.getvalue().encode()


async def _xlsx(lines: AsyncIterator[Line], title: str) -> AsyncIterator[bytes]:
    """Written to a temporary file before the answer begins, so that what fails is told by its status."""
    from openpyxl import Workbook

    book = Workbook(write_only=True)
    sheet = book.create_sheet(title)
    waiting: list[list[Cell]] = []
    async for line in lines:
        waiting.append([harmless(cell) for cell in line])
        if len(waiting) >= 500:
            await asyncio.to_thread(_append, sheet, waiting)
            waiting = []
    await asyncio.to_thread(_append, sheet, waiting)
    file: IO[bytes] = await asyncio.to_thread(tempfile.TemporaryFile)
    try:
        await asyncio.to_thread(book.save, file)
    except BaseException:
        file.close()
        raise
    file.seek(0)
    return _chunks(file)


def _append(sheet: Any, lines: list[list[Cell]]) -> None:
    for line in lines:
        sheet.append(line)


async def _chunks(file: IO[bytes]) -> AsyncIterator[bytes]:
    try:
        while chunk := await asyncio.to_thread(file.read, _CHUNK):
            yield chunk
    finally:
        file.close()
