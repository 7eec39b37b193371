"""What a process of this host costs, from /proc (proc(5))."""

from __future__ import annotations

import os
from dataclasses import dataclass

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class ProcessFigures:
    """`cpu_s`: seconds of processor time since its start; `resident`: bytes in memory, shared ones included."""

    cpu_s: float
    resident: int
    threads: int


def process_figures(pid: int) -> ProcessFigures | None:
    """Of one process, or None where there is none."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            # Behind the name, which may hold blanks and brackets itself.
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return None
    if len(fields) < 22:
        return None
    return ProcessFigures(
        cpu_s=(int(fields[11]) + int(fields[12])) / _TICKS, resident=int(fields[21]) * _PAGE, threads=int(fields[17])
    )
