"""The ledger over the journal as the recorder writes it: midnight, leaps of the clock, a recorder that died."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

from perishield.model.footage import JournalEntry
from perishield.recording.ledger import ledger
from perishield.recording.ledger_files import cameras_of_files, ledger_of_files, view_journal
from perishield.streams.journal import Journal, read_journal

DAY = 86_400.0
MIDNIGHT = 20_718 * DAY


class Clocks:
    """A wall clock that a test may set, beside a steady one."""

    def __init__(self, wall: float) -> None:
        self.set = wall - time.monotonic()

    def wall(self) -> float:
        return self.set + time.monotonic()


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_leaps_and_midnight_do_not_confuse_what_holds(tmp_path: Path) -> None:
    clocks = Clocks(MIDNIGHT - 7200)
    journal = Journal(tmp_path, wall=clocks.wall, mono=time.monotonic)

    def told(state: str) -> list[JournalEntry]:
        return [entry for entry in read_journal(tmp_path, 0, MIDNIGHT + DAY) if entry.state == state]

    journal.start()
    journal.note("gate", "recording")
    until(lambda: told("recording"))
    for count in (1, 2):
        clocks.set += 3660
        until(lambda wanted=count: len(told("clock")) == wanted)
    journal.note("gate", "camera_down", "timeout")
    until(lambda: told("camera_down"))
    assert len(told("recording")) >= 2, "the state in force was carried over midnight"
    entries = read_journal(tmp_path, MIDNIGHT - 8000, MIDNIGHT + 2000)
    spans = ledger([], entries, "gate", MIDNIGHT - 7100, MIDNIGHT + 1000)
    assert [(span.state, span.detail) for span in spans][-1] == ("camera_down", "timeout")
    assert sum(span.end - span.start for span in spans if span.state == "clock") > 7000
    journal.close()


def test_files_alone_tell_of_every_camera_and_of_a_dead_recorder(tmp_path: Path) -> None:
    now = time.time()
    journal = Journal(tmp_path / "journal")
    journal.start()
    journal.note("gate", "camera_down", "dns")
    journal.note("yard", "disabled")
    journal.close()
    (tmp_path / "journal" / "alive").write_text(json.dumps({"wall": now - 60, "mono": 1.0, "boot": "b"}))
    (tmp_path / "media" / "recordings" / "door").mkdir(parents=True)
    (tmp_path / "media" / "pool" / "gate~detect").mkdir(parents=True)
    media = tmp_path / "media"
    assert cameras_of_files(tmp_path, media, now - 10, now + 10) == ["door", "gate", "yard"]
    assert view_journal(tmp_path, now - 10, now, now).alive == now - 60
    assert view_journal(tmp_path, now - 10, now, now - 58).alive is None, "it was alive two seconds before"
    assert [span.state for span in ledger_of_files(tmp_path, media, "door", now - 50, now)] == ["disabled"]
