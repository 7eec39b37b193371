"""Cameras as rows: what a file of them says, checked as a whole, and what such a file is made of.

A row of a camera that is there already changes what it names and leaves the rest; passwords go in and never come out.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import ValidationError

from perishield.api.camera_body import CameraBody
from perishield.api.outputs import camera_out
from perishield.api.sheets import FORMULA
from perishield.api.table_rows import Mistakes, Row, check_count, csv_rows, json_rows
from perishield.model.site import Camera

_PLACES: Mapping[str, tuple[str, ...]] = {
    "id": ("id",),
    "name": ("name",),
    "url": ("url",),
    "username": ("username",),
    "password": ("password",),
    "enabled": ("enabled",),
    "recording_mode": ("recording", "mode"),
    "recording_pre_s": ("recording", "pre_s"),
    "recording_post_s": ("recording", "post_s"),
    "recording_keep_days": ("recording", "keep_days"),
    "recording_keep_gib": ("recording", "keep_gib"),
    "recording_priority": ("recording", "priority"),
    "analysis_enabled": ("analysis", "enabled"),
    "analysis_fps": ("analysis", "fps"),
    "analysis_min_score": ("analysis", "min_score"),
    "detect_url": ("detect_url",),
    "transport": ("transport",),
    "audio": ("audio",),
    "tls_fingerprint": ("tls_fingerprint",),
}
"""Columns, and where a camera's body has each."""
_GROUPS = "groups"
_YES, _NO = {"true", "yes", "1", "on"}, {"false", "no", "0", "off"}
_SWITCHES = {"enabled", "analysis_enabled", "audio"}
_NUMBERS = {
    "recording_pre_s",
    "recording_post_s",
    "recording_keep_days",
    "recording_keep_gib",
    "recording_priority",
    "analysis_fps",
    "analysis_min_score",
}


def read_csv(text: str, mistakes: Mistakes) -> list[Row]:
    """Rows under a header line. Raises ProblemError (422) for what is no such table at all."""
    rows: list[Row] = []
    for number, cells in csv_rows(text, (*_PLACES, _GROUPS), mistakes, fold=True):
        rows.append(_csv_row(number, cells, mistakes))
        check_count(len(rows), "cameras")
    return rows


def read_json(content: Any) -> list[Row]:
    """Entries of `{"cameras": [...]}`. Raises ProblemError (422) for anything else."""
    rows = []
    for number, entry in enumerate(json_rows(content, "cameras"), 1):
        groups = entry.get(_GROUPS)
        listed = tuple(str(name) for name in groups) if isinstance(groups, list) else None
        rows.append(Row(number, {key: value for key, value in entry.items() if key != _GROUPS}, listed))
    return rows


def body_of(row: Row, before: Camera | None, mistakes: Mistakes) -> CameraBody | None:
    """The camera's body: what the row says over what there is. None where it makes no sense."""
    base: dict[str, Any] = dict(camera_out(before, None, lambda _path: "")) if before is not None else {}
    base.pop("ground", None)
    base.pop("revision", None)
    try:
        return CameraBody.model_validate(_merged(base, row.fields))
    except ValidationError as error:
        mistakes.refused(row.number, error)
        return None


def as_row(camera: Camera, groups: Iterable[str]) -> dict[str, Any]:
    """A camera as JSON exports it; without its password and what is known only now."""
    shown: dict[str, Any] = dict(camera_out(camera, None, lambda _path: ""))
    for name in ("has_password", "stream", "snapshot_url", "revision", "ground"):
        shown.pop(name, None)
    return {**shown, _GROUPS: sorted(groups)}


def as_csv(rows: Iterable[Mapping[str, Any]]) -> str:
    text = io.StringIO()
    columns = [name for name in _PLACES if name != "password"]
    writer = csv.writer(text)
    writer.writerow([*columns, _GROUPS])
    for row in rows:
        cells = [_cell(_at(row, _PLACES[name])) for name in columns]
        writer.writerow([*cells, _cell(";".join(row[_GROUPS]))])
    return text.getvalue()


def as_json(rows: Iterable[Mapping[str, Any]]) -> str:
    return json.dumps({"cameras": list(rows)}, ensure_ascii=False, indent=1)


def _csv_row(number: int, cells: Mapping[str, str], mistakes: Mistakes) -> Row:
    fields: dict[str, Any] = {}
    groups: tuple[str, ...] | None = None
    for name, raw in cells.items():
        cell = raw.strip() if name != "password" else raw
        # An apostrophe keeps spreadsheets from running a cell; it is not part of it.
        if cell[:1] == "'" and cell[1:2] and cell[1] in FORMULA:
            cell = cell[1:]
        if not cell:
            continue
        if name == _GROUPS:
            groups = tuple(part.strip() for part in cell.split(";") if part.strip())
            continue
        value: Any = cell
        if name in _SWITCHES:
            if cell.lower() not in _YES | _NO:
                mistakes.add(number, name, "is yes or no")
                continue
            value = cell.lower() in _YES
        elif name in _NUMBERS:
            value = _number(cell)
        *path, last = _PLACES[name]
        place = fields
        for part in path:
            place = place.setdefault(part, {})
        place[last] = value
    return Row(number, fields, groups)


def _number(cell: str) -> float | str:
    """A number where it is one; what is none is refused with the rest of the row."""
    try:
        value = float(cell)
    except ValueError:
        return cell
    return int(value) if value.is_integer() else value


def _merged(base: dict[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    found = dict(base)
    for key, value in over.items():
        kept = found.get(key)
        found[key] = _merged(kept, value) if isinstance(kept, dict) and isinstance(value, Mapping) else value
    return found


def _at(row: Mapping[str, Any], path: tuple[str, ...]) -> Any:
    value: Any = row
    for part in path:
        value = value[part]
    return value


def _cell(value: Any) -> str:
    text = {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)
    return f"'{text}" if text[:1] and text[0] in FORMULA else text
