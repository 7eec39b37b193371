"""The recorder's journal: why there is no footage, told when it happens and kept for good.

    {data}/journal/{YYYY-MM-DD}.ndjson    one JournalEntry a line, in the file of the UTC day of its `wall`
                   alive                  {"wall", "mono", "boot"}, once a second while the recorder runs

A day's file begins with the state in force of every camera, so that nobody need read further back than one file. An
entry may be told late and bear the earlier time at which its state began: order within a file is that of telling.
`mono` counts seconds since the host's boot, sleep included (CLOCK_BOOTTIME).

`clock` entries of the recorder: [wall, until) is the time that was leapt over, `detail` the leap in seconds with its
sign; after a leap backward that time comes a second time.
"""

from __future__ import annotations

import calendar
import json
import os
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec

from perishield.log import Log
from perishield.model.footage import JournalEntry

log = Log("journal")

STARTED, STOPPED, DIED, CLOCK, SPAN = "started", "stopped", "died", "clock", "span"

_ALIVE = "alive"
_ALIVE_SIZE = 160
_LEAP_S = 1.0
_LATEST = 32_503_680_000.0
_MOST_WAITING = 10_000
_CLOSE_S = 1.0

_decoder = msgspec.json.Decoder(JournalEntry)


def boot_id() -> str:
    """The kernel's name for this boot, or empty where it tells none."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""


def _boot_time() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Journal:
    """Appends entries from a thread of its own: `note` never waits for the disk. A disk that refuses is tried again
    every second; at most ten thousand entries wait for it.

    `wall` and `mono` are the clocks, for tests.
    """

    def __init__(
        self, folder: Path, *, wall: Callable[[], float] = time.time, mono: Callable[[], float] = _boot_time
    ) -> None:
        self.folder = folder
        self.dropped = 0
        self._wall = wall
        self._mono = mono
        self._boot = boot_id()
        self._orders: queue.SimpleQueue[JournalEntry | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._states: dict[str, JournalEntry] = {}
        self._waiting: deque[JournalEntry] = deque(maxlen=_MOST_WAITING)
        self._day = ""
        self._fd = -1
        self._alive_fd = -1
        self._unsynced = False
        self._failing = False
        self._offset = 0.0
        self._closing = False

    def start(self) -> None:
        """Book how the former recorder ended, and that this one began. Blocks on the disk for a moment."""
        self._offset = self._wall() - self._mono()
        before = _last_sign(self.folder / _ALIVE)
        if before is not None:
            self._orders.put(JournalEntry(before[0], before[1], before[2], "", DIED))
            if before[2] == self._boot:
                self._book_leap(self._offset - (before[0] - before[1]), self._mono())
        self.note("", STARTED)
        self._thread.start()

    def note(
        self,
        camera: str,
        state: str,
        detail: str = "",
        *,
        wall: float | None = None,
        until: float = 0.0,
        reason: str = "",
    ) -> None:
        """Tell of something, now or at `wall`. Any thread."""
        now = self._wall()
        if wall is None:
            wall = now
        entry = JournalEntry(wall, self._mono() - (now - wall), self._boot, camera, state, detail, until, reason)
        self._orders.put(entry)

    def span(self, camera: str, start: float, end: float, reason: str, detail: str = "") -> None:
        """Book [start, end) afterwards."""
        self.note(camera, SPAN, detail, wall=start, until=end, reason=reason)

    def close(self) -> None:
        """Book the end, and return when it is written or a second has passed."""
        if self._thread.ident is None:
            return
        self.note("", STOPPED)
        self._orders.put(None)
        self._thread.join(_CLOSE_S)

    def _run(self) -> None:
        due = time.monotonic()
        while not self._closing:
            try:
                self._take(self._orders.get(timeout=max(0.0, due - time.monotonic())))
                while not self._orders.empty():
                    self._take(self._orders.get())
            except queue.Empty:
                pass
            try:
                self._write()
                if time.monotonic() >= due:
                    due = time.monotonic() + 1.0
                    self._check_clock()
                    self._write()
                    self._sign()
                self._failing = False
            except OSError as error:
                due = time.monotonic() + 1.0
                if not self._failing:
                    self._failing = True
                    log.error("journal.failed", folder=str(self.folder), message=str(error))
        self._end()

    def _take(self, entry: JournalEntry | None) -> None:
        if entry is None:
            self._closing = True
            return
        if len(self._waiting) == _MOST_WAITING:
            self.dropped += 1
        self._waiting.append(entry)

    def _write(self) -> None:
        while self._waiting:
            day = _day_of(self._waiting[0].wall)
            count = 0
            lines = []
            for entry in self._waiting:
                if _day_of(entry.wall) != day:
                    break
                lines.append(_line(entry))
                count += 1
            self._append(day, b"".join(lines))
            for _ in range(count):
                entry = self._waiting.popleft()
                if entry.camera and entry.state != SPAN:
                    self._states[entry.camera] = entry

    def _append(self, day: str, lines: bytes) -> None:
        if day > self._day and day <= _day_of(self._wall()):
            self._turn_to(day)
        if day == self._day:
            _write_whole(self._fd, lines)
            self._unsynced = True
            return
        fd = self._open(day)
        try:
            _write_whole(fd, lines)
        finally:
            os.close(fd)

    def _turn_to(self, day: str) -> None:
        fd = self._open(day)
        midnight = _midnight(day)
        # By the clock as it goes now: since an entry was told it may have leapt.
        mono = midnight - self._offset
        carried = [
            _line(replace(entry, wall=midnight, mono=mono, until=0.0))
            for entry in self._states.values()
            if entry.wall < midnight
        ]
        try:
            _write_whole(fd, b"".join(carried))
        except OSError:
            os.close(fd)
            raise
        if self._fd >= 0:
            os.close(self._fd)
        self._fd, self._day = fd, day

    def _open(self, day: str) -> int:
        path = f"{self.folder}/{day}.ndjson"
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        try:
            fd = os.open(path, flags, 0o640)
        except FileNotFoundError:
            self.folder.mkdir(mode=0o750, parents=True, exist_ok=True)
            fd = os.open(path, flags, 0o640)
        size = os.fstat(fd).st_size
        if size and os.pread(fd, 1, size - 1) != b"\n":
            os.write(fd, b"\n")
        return fd

    def _check_clock(self) -> None:
        mono = self._mono()
        offset = self._wall() - mono
        leap = offset - self._offset
        self._offset = offset
        self._book_leap(leap, mono)
        today = _day_of(self._wall())
        if self._day and today > self._day:
            self._turn_to(today)

    def _book_leap(self, leap: float, mono: float) -> None:
        if abs(leap) <= _LEAP_S:
            return
        after = self._offset + mono
        first, last = sorted((after, after - leap))
        log.warning("clock.leapt", seconds=leap)
        self._take(JournalEntry(first, mono, self._boot, "", CLOCK, f"{leap:+.3f}", last))

    def _sign(self) -> None:
        """Rewritten in place, one write within one page: a kill leaves the old sign or the new one."""
        if self._alive_fd < 0:
            self.folder.mkdir(mode=0o750, parents=True, exist_ok=True)
            self._alive_fd = os.open(self.folder / _ALIVE, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o640)
        sign = json.dumps({"wall": self._wall(), "mono": self._mono(), "boot": self._boot}).encode()
        os.pwrite(self._alive_fd, sign.ljust(_ALIVE_SIZE - 1) + b"\n", 0)
        if self._unsynced and self._fd >= 0:
            self._unsynced = False
            os.fdatasync(self._fd)

    def _end(self) -> None:
        try:
            if self._fd >= 0:
                os.fdatasync(self._fd)
                os.close(self._fd)
            if self._alive_fd >= 0:
                os.close(self._alive_fd)
            if not self._waiting:
                (self.folder / _ALIVE).unlink(missing_ok=True)
        except OSError as error:
            log.error("journal.failed", folder=str(self.folder), message=str(error))


def read_journal(folder: Path, start: float, end: float) -> list[JournalEntry]:
    """Entries with something to say about [start, end), ordered by `wall`; blocks on the disk.

    These are all entries of that time, spans and leaps that reach into it, and besides, of every camera and of the
    recorder itself (`camera` empty), the last state before `start`: what was in force when it began. Lines that are
    torn or foreign are passed over.
    """
    names = sorted(name for name in _names(folder) if name.endswith(".ndjson"))
    first, last = f"{_day_of(start)}.ndjson", f"{_day_of(max(start, end))}.ndjson"
    earlier = [name for name in names if name < first]
    chosen = earlier[-1:] + [name for name in names if first <= name <= last]
    found: list[JournalEntry] = []
    in_force: dict[str, JournalEntry] = {}
    for name in chosen:
        for entry in _entries(folder / name):
            reaching = max(entry.wall, entry.until)
            if entry.wall >= end:
                continue
            if entry.wall >= start or (entry.state in (SPAN, CLOCK) and reaching > start):
                found.append(entry)
            elif entry.state not in (SPAN, CLOCK):
                former = in_force.get(entry.camera)
                if former is None or entry.wall >= former.wall:
                    in_force[entry.camera] = entry
    found += in_force.values()
    found.sort(key=lambda entry: entry.wall)
    return found


def forward_leaps(folder: Path, since: float) -> list[tuple[float, float]]:
    """Moments (from, to) between which the clock was set forward, told on that day or later; blocks on the disk."""
    found: list[tuple[float, float]] = []
    for name in sorted(_names(folder)):
        if name.endswith(".ndjson") and name >= f"{_day_of(since)}.ndjson":
            found += (
                (entry.wall, entry.until)
                for entry in _entries(folder / name, b'"clock"')
                if entry.state == CLOCK and entry.detail.startswith("+") and entry.until > entry.wall
            )
    return found


def _entries(path: Path, holding: bytes = b"") -> Iterator[JournalEntry]:
    try:
        with path.open("rb") as file:
            for line in file:
                if holding not in line:
                    continue
                try:
                    yield _decoder.decode(line)
                except (msgspec.DecodeError, ValueError):
                    continue
    except OSError:
        return


def _names(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)  # noqa: PTH208
    except OSError:
        return []


def _last_sign(path: Path) -> tuple[float, float, str] | None:
    try:
        sign: Any = json.loads(path.read_bytes())
        return float(sign["wall"]), float(sign["mono"]), str(sign["boot"])
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _line(entry: JournalEntry) -> bytes:
    fields: dict[str, object] = {
        "wall": round(entry.wall, 3),
        "mono": round(entry.mono, 3),
        "boot": entry.boot,
        "camera": entry.camera,
        "state": entry.state,
    }
    if entry.detail:
        fields["detail"] = entry.detail
    if entry.until:
        fields["until"] = round(entry.until, 3)
    if entry.reason:
        fields["reason"] = entry.reason
    return msgspec.json.encode(fields) + b"\n"


def _day_of(wall: float) -> str:
    return time.strftime("%Y-%m-%d", time.gmtime(min(max(0.0, wall), _LATEST)))


def _midnight(day: str) -> float:
    return float(calendar.timegm(time.strptime(day, "%Y-%m-%d")))


def _write_whole(fd: int, data: bytes) -> None:
    """All of it or, where the disk refuses, nothing: half a line would spoil the next one."""
    size = os.fstat(fd).st_size
    try:
        while data:
            data = data[os.write(fd, data) :]
    except OSError:
        os.ftruncate(fd, size)
        raise
