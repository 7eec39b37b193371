"""What the files themselves say, without sidecars, index or journal; and whether the ledger agrees with it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import av

from perishield.evaluation.faults.stand import Stand, demand
from perishield.model.media import TIMESCALE
from perishield.streams.fmp4_reader import read_init, walk

_EDGE_S = 1.0
_RECORDED = "recorded"


@dataclass(slots=True)
class Testimony:
    """`spans`: [start, end) of every file in Unix seconds; `torn`: bytes behind the last whole chunk, in all."""

    files: int = 0
    frames: int = 0
    torn: int = 0
    spans: list[tuple[float, float]] = field(default_factory=list)


def read_files(stand: Stand, camera: str, *, pool: str = "recordings") -> Testimony:
    """Every file of that camera read chunk by chunk and demuxed by another's code.

    Raises FaultError where a file is not readable to its last whole chunk.
    """
    testimony = Testimony()
    for path in stand.files(camera, pool=pool):
        _read(path, testimony)
    testimony.spans.sort()
    return testimony


def _read(path: Path, testimony: Testimony) -> None:
    fd = os.open(path, os.O_RDONLY)
    try:
        init = read_init(fd)
        if init is None:
            # Killed between the opening of the file and its first chunk: there is nothing that could be read.
            demand(os.fstat(fd).st_size < 4096, f"{path.name}: {os.fstat(fd).st_size} bytes, and no beginning")
            return
        position, frames, until = len(init.data), 0, 0
        for chunk in walk(fd, position):
            position += chunk.length
            frames += len(chunk.sizes)
            until = chunk.decode_time + chunk.duration
        testimony.torn += os.fstat(fd).st_size - position
    finally:
        os.close(fd)
    if not frames:
        return
    demuxed = _demuxed(path)
    demand(frames <= demuxed <= frames + 1, f"{path.name}: {frames} frames in whole chunks, a demuxer finds {demuxed}")
    start = init.origin.wall if init.origin else float(path.stem.split("-")[0])
    testimony.files += 1
    testimony.frames += frames
    testimony.spans.append((start, start + until / TIMESCALE))


def _demuxed(path: Path) -> int:
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        return sum(1 for packet in container.demux(stream) if packet.size)


def ledger(stand: Stand, camera: str, start: float, end: float) -> dict[str, Any]:
    """The product's own report, from files alone."""
    command = [sys.executable, "-m", "perishield", "ledger", "--camera", camera, "--data", str(stand.data)]
    command += ["--from", f"{start:.3f}", "--to", f"{end:.3f}", "--json"]
    if stand.media != stand.data / "media":
        command += ["--media", str(stand.media)]
    told = subprocess.run(command, capture_output=True, check=False, timeout=120, env=stand.environment)
    demand(told.returncode == 0, f"`perishield ledger` ended with {told.returncode}: {told.stderr.decode()[-300:]}")
    found: dict[str, Any] = json.loads(told.stdout)
    return found


def agreement(stand: Stand, camera: str, start: float, end: float) -> dict[str, Any]:
    """Compare ledger and files, second by second; returns seconds by state.

    Raises FaultError where a second with footage is booked as missing, one without as recorded, or one not at all.
    A second at an edge of footage may go either way.
    """
    report = ledger(stand, camera, start, end)
    spans = [(_unix(one["from"]), _unix(one["to"]), one["state"], one["detail"]) for one in report["spans"]]
    demand(bool(spans), f"{camera}: the ledger says nothing")
    demand(
        abs(spans[0][0] - start) <= _EDGE_S and abs(spans[-1][1] - end) <= _EDGE_S, f"{camera}: the ledger is cut short"
    )
    for before, after in pairwise(spans):
        demand(abs(before[1] - after[0]) < 0.002, f"{camera}: the ledger has a hole or an overlap at {before[1]:.3f}")
    footage = read_files(stand, camera).spans
    totals: dict[str, float] = {}
    for first, last, state, detail in spans:
        what = f"{state}:{detail}" if detail else state
        totals[what] = totals.get(what, 0.0) + last - first
        _check(camera, (first, last, state), footage)
    return {key: round(value, 1) for key, value in totals.items()}


def _unix(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()


def _check(camera: str, span: tuple[float, float, str], footage: list[tuple[float, float]]) -> None:
    first, last, state = span
    second = first + _EDGE_S
    while second + 1 <= last - _EDGE_S:
        held = sum(max(0.0, min(end, second + 1) - max(begin, second)) for begin, end in footage)
        if state == _RECORDED:
            demand(held > 0.1, f"{camera}: booked as recorded, but no footage at {second:.1f}")
        else:
            demand(held < 0.6, f"{camera}: booked as {state}, but there is footage at {second:.1f}")
        second += 1.0
