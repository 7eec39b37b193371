"""The ledger from files alone: segments with their sidecars, and the recorder's journal. No server is needed for it."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path

from perishield.model.footage import JournalEntry, LedgerSpan
from perishield.recording.index import cameras_on_disk, list_segments
from perishield.recording.ledger import AROUND_S, footage_of, ledger
from perishield.streams.journal import read_journal

JOURNAL = "journal"
_ALIVE_S = 5.0
"""The recorder signs every second; after this long without a sign it is taken to be dead."""


@dataclass(frozen=True, slots=True)
class JournalView:
    """What the journal says about a time. `alive`: the last sign of life where there is none any more, else None."""

    entries: list[JournalEntry]
    alive: float | None

    def of(self, camera: str) -> list[JournalEntry]:
        """What concerns one camera: its own entries and the recorder's."""
        return [entry for entry in self.entries if not entry.camera or entry.camera == camera]

    def by_camera(self) -> dict[str, list[JournalEntry]]:
        """The same for every camera that it knows."""
        found: dict[str, list[JournalEntry]] = {entry.camera: [] for entry in self.entries if entry.camera}
        for entry in self.entries:
            for listed in (found[entry.camera],) if entry.camera else found.values():
                listed.append(entry)
        return found


def view_journal(data: Path, start: float, end: float, now: float) -> JournalView:
    """The journal below the data folder, for a ledger of [start, end). Blocks on the disk."""
    entries = read_journal(data / JOURNAL, start - AROUND_S, min(end + AROUND_S, now + AROUND_S))
    return JournalView(entries, _last_sign(data / JOURNAL / "alive", now))


def ledger_of_files(
    data: Path, media: Path, camera: str, start: float, end: float, now: float | None = None
) -> list[LedgerSpan]:
    """The ledger of one camera from what lies below both folders; see `ledger`. Blocks on the disk."""
    now = time.time() if now is None else now
    rows = list_segments(media, camera, start - AROUND_S, min(end, now) + AROUND_S)
    view = view_journal(data, start, end, now)
    return ledger(footage_of(rows), view.of(camera), camera, start, end, now=now, alive=view.alive)


def cameras_of_files(data: Path, media: Path, start: float, end: float) -> list[str]:
    """Cameras that the journal or the folders of footage know, without their smaller streams."""
    view = view_journal(data, start, end, time.time())
    named = {*cameras_on_disk(media), *(entry.camera for entry in view.entries)}
    return sorted(name for name in named if name and "~" not in name)


def _last_sign(path: Path, now: float) -> float | None:
    try:
        wall = float(json.loads(path.read_bytes())["wall"])
    except (OSError, ValueError, TypeError, KeyError):
        # No file: the recorder ended in order and said so, or has never run.
        return None
    return None if now - wall < _ALIVE_S else wall
