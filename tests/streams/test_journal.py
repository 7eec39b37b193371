from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from perishield.model.footage import JournalEntry, Reason
from perishield.streams.journal import Journal, boot_id, read_journal

DAY = 86_400.0
NOON = 1_790_000_000.0 - 1_790_000_000.0 % DAY + DAY / 2
FOREVER = 32_000_000_000.0


class Clocks:
    """A wall clock that a test may set, beside a steady one."""

    def __init__(self, wall: float = NOON) -> None:
        self.set = wall - time.monotonic()

    def wall(self) -> float:
        return self.set + time.monotonic()

    def mono(self) -> float:
        return time.monotonic()

    def journal(self, folder: Path) -> Journal:
        return Journal(folder, wall=self.wall, mono=self.mono)


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def told(folder: Path) -> list[tuple[str, str, str]]:
    return [(entry.camera, entry.state, entry.detail) for entry in read_journal(folder, 0, FOREVER)]


def test_a_clean_run_is_told_from_its_start_to_its_end(tmp_path: Path) -> None:
    clocks = Clocks()
    journal = clocks.journal(tmp_path)
    journal.start()
    journal.note("gate-1", "recording")
    journal.note("gate-1", Reason.CAMERA_DOWN, "timeout")
    journal.close()
    assert told(tmp_path) == [
        ("", "started", ""),
        ("gate-1", "recording", ""),
        ("gate-1", "camera_down", "timeout"),
        ("", "stopped", ""),
    ]
    assert not (tmp_path / "alive").exists()
    entry = read_journal(tmp_path, 0, FOREVER)[1]
    assert abs(entry.wall - clocks.wall()) < 20
    assert abs((entry.wall - entry.mono) - clocks.set) < 0.01
    assert entry.boot == boot_id()


def test_a_killed_recorder_is_booked_as_died_within_a_second_of_it(tmp_path: Path) -> None:
    script = f"""
import sys, time
from pathlib import Path
from perishield.streams.journal import Journal
journal = Journal(Path({str(tmp_path)!r}))
journal.start()
number = 0
while True:
    journal.note("gate-1", "recording", str(number))
    print(number, time.time(), flush=True)
    number += 1
    time.sleep(0.01)
"""
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        until((tmp_path / "alive").exists)
        for _ in range(150):
            number, last = child.stdout.readline().split()
        child.send_signal(signal.SIGKILL)
        killed = time.time()
        child.wait()
    successor = Journal(tmp_path)
    successor.start()
    successor.close()
    entries = read_journal(tmp_path, 0, FOREVER)
    died = next(entry for entry in entries if entry.state == "died")
    assert killed - 1.5 < died.wall <= killed
    assert [entry.state for entry in entries[-3:]][-2:] == ["started", "stopped"]
    kept = {int(entry.detail): entry.wall for entry in entries if entry.state == "recording"}
    assert max(kept.values()) > float(last) - 1.0, "what was told a second before the kill is there"
    assert sorted(kept) == list(range(len(kept)))
    assert len(kept) >= int(number) - 100


def test_a_torn_last_line_is_passed_over_and_the_next_entry_is_whole(tmp_path: Path) -> None:
    clocks = Clocks()
    for _ in range(2):
        journal = clocks.journal(tmp_path)
        journal.start()
        journal.close()
        (file,) = tmp_path.glob("*.ndjson")
        with file.open("ab") as torn:
            torn.write(b'{"wall": 17')
    assert [state for _, state, _ in told(tmp_path)] == ["started", "stopped"] * 2


def test_leaps_of_the_clock_are_booked_over_the_time_they_skip(tmp_path: Path) -> None:
    clocks = Clocks()
    journal = clocks.journal(tmp_path)
    journal.start()
    until((tmp_path / "alive").exists)
    clocks.set += 3600
    until(lambda: len(told(tmp_path)) == 2)
    clocks.set -= 3600
    until(lambda: len(told(tmp_path)) == 3)
    clocks.set += 0.5
    journal.close()
    leaps = [entry for entry in read_journal(tmp_path, 0, FOREVER) if entry.state == "clock"]
    assert sorted(round(float(entry.detail)) for entry in leaps) == [-3600, 3600]
    for entry in leaps:
        assert abs(entry.wall - NOON) < 20
        assert abs(entry.until - entry.wall - 3600) < 0.1


def test_a_leap_while_no_recorder_ran_is_noticed_within_one_boot(tmp_path: Path) -> None:
    clocks = Clocks()
    (tmp_path / "alive").write_text(f'{{"wall": {clocks.wall()}, "mono": {clocks.mono()}, "boot": "{boot_id()}"}}')
    clocks.set += 7200
    journal = clocks.journal(tmp_path)
    journal.start()
    journal.close()
    assert [state for _, state, _ in told(tmp_path)] in (
        ["died", "clock", "started", "stopped"],
        ["clock", "died", "started", "stopped"],
    )


def test_each_day_has_a_file_that_begins_with_the_states_in_force(tmp_path: Path) -> None:
    clocks = Clocks(NOON + DAY / 2 - 1.5)
    journal = clocks.journal(tmp_path)
    journal.start()
    journal.note("gate-1", "recording")
    journal.note("gate-2", Reason.DISK, "disk_full")
    until(lambda: len(list(tmp_path.glob("*.ndjson"))) == 2)
    journal.close()
    midnight = NOON + DAY / 2
    first = [(e.wall, e.camera, e.state, e.detail) for e in read_journal(tmp_path, midnight, FOREVER) if e.camera]
    assert first[-2:] == [(midnight, "gate-1", "recording", ""), (midnight, "gate-2", "disk", "disk_full")]


def test_reading_gives_what_was_in_force_before_and_what_reaches_in(tmp_path: Path) -> None:
    clocks = Clocks()
    journal = clocks.journal(tmp_path)
    journal.start()
    for ago, state in ((3000, "recording"), (2000, "camera_down"), (1000, "recording"), (10, "policy")):
        journal.note("gate-1", state, wall=NOON - ago)
    journal.span("gate-1", NOON - 1800, NOON - 1400, Reason.RETENTION)
    journal.span("gate-1", NOON - 2900, NOON - 2800, Reason.LOSS)
    journal.close()
    entries = [e for e in read_journal(tmp_path, NOON - 1500, NOON - 500) if e.camera]
    assert [(e.state, NOON - e.wall) for e in entries] == [("camera_down", 2000), ("span", 1800), ("recording", 1000)]
    assert entries[1].reason == "retention"


def test_a_disk_that_refuses_delays_the_journal_and_loses_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "journal"
    folder.write_bytes(b"in the way")
    journal = Clocks().journal(folder)
    journal.start()
    journal.note("gate-1", "recording")
    until(lambda: journal._failing)
    folder.unlink()
    until(lambda: told(folder)[-1:] == [("gate-1", "recording", "")])
    journal.close()
    assert journal.dropped == 0


@given(
    st.lists(st.binary(max_size=60) | st.just(b'{"wall":1.0,"mono":1.0,"boot":"","camera":"c","state":"recording"}'))
)
def test_no_content_of_a_file_breaks_the_reader(lines: list[bytes]) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "1970-01-01.ndjson").write_bytes(b"\n".join(lines))
        for entry in read_journal(Path(folder), 0, 2):
            assert isinstance(entry, JournalEntry)
