"""What processes use: processor time and proportional memory of whole process trees, from /proc.

Processor time is the scheduler's own count of nanoseconds (`/proc/PID/task/TID/schedstat`, first field), since the
clock ticks of `/proc/PID/stat` are too coarse for a hundred mostly idle processes. Memory is PSS (`smaps_rollup`):
pages shared by n processes count 1/n in each, so that a hundred copies of one program are not overcharged.
"""

from __future__ import annotations

import os
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class Usage:
    """Over a while: `cores` is processor seconds per second. At its end: `pss_mb` in MiB, processes, threads."""

    cores: float
    pss_mb: float
    processes: int
    threads: int


class UsageMeter:
    """Measures process trees between two moments; threads that began or ended between them are counted, too, except
    for what an ended one did last.

    >>> meter = UsageMeter([os.getpid()])
    >>> usage = meter.read()
    """

    def __init__(self, roots: Iterable[int]) -> None:
        self._roots = tuple(roots)
        self._before = _thread_times(process_tree(self._roots))
        self._began = time.monotonic()

    def read(self) -> Usage:
        pids = process_tree(self._roots)
        after = _thread_times(pids)
        elapsed = time.monotonic() - self._began
        spent = sum(used - self._before.get(thread, 0) for thread, used in after.items())
        return Usage(spent / 1e9 / elapsed, sum(map(pss, pids)) / 1024, len(pids), len(after))


def process_tree(roots: Iterable[int]) -> list[int]:
    """`roots` and all their descendants that are alive."""
    children = defaultdict(list)
    for entry in _PROC.iterdir():
        if entry.name.isdecimal():
            text = _read(entry / "stat")
            if text:
                children[int(text.rpartition(")")[2].split()[1])].append(int(entry.name))
    found, waiting = [], list(roots)
    while waiting:
        pid = waiting.pop()
        if (_PROC / str(pid)).exists():
            found.append(pid)
        waiting += children.pop(pid, [])
    return found


def pss(pid: int) -> int:
    """Proportional set size in KiB; 0 where the process is gone."""
    for line in _read(_PROC / str(pid) / "smaps_rollup").splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1])
    return 0


def _thread_times(pids: Iterable[int]) -> dict[tuple[int, str], int]:
    times = {}
    for pid in pids:
        try:
            threads = list((_PROC / str(pid) / "task").iterdir())
        except OSError:
            continue
        for thread in threads:
            text = _read(thread / "schedstat")
            if text:
                times[pid, thread.name] = int(text.split()[0])
    return times


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


@contextmanager
def on_cores(count: int) -> Iterator[None]:
    """So many cores are all that this thread has meanwhile, and the threads that it starts."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, set(sorted(before)[:count]))
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def machine() -> dict[str, object]:
    """What a figure was measured on."""
    cores = os.sched_getaffinity(0)
    model = ""
    for line in _read(_PROC / "cpuinfo").splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    release = os.uname()
    return {
        "processor": model,
        "cores": len(cores),
        "memory_mb": memory // (1 << 20),
        "system": f"{release.sysname} {release.release}",
        "load": round(os.getloadavg()[0], 2),
    }
