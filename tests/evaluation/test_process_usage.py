from __future__ import annotations

import os
import subprocess
import sys

from perishield.evaluation.process_usage import UsageMeter, on_cores, process_tree, pss

BUSY = "import os, time\nos.fork()\nprint('x', flush=True)\nwhile time.process_time() < {0}: pass\ntime.sleep(60)"


def test_processor_time_and_memory_of_a_whole_tree_are_counted() -> None:
    with subprocess.Popen([sys.executable, "-c", BUSY.format(0.3)], stdout=subprocess.PIPE) as child:
        meter = UsageMeter([child.pid])
        assert child.stdout is not None
        child.stdout.readline()
        child.stdout.readline()
        tree = process_tree([child.pid])
        while (usage := meter.read()) and _spent(tree) < 0.5:
            pass
        for pid in tree:
            os.kill(pid, 9)
    assert usage.processes == usage.threads == 2
    assert usage.cores > 0.05
    assert 2 < usage.pss_mb < 60


def _spent(pids: list[int]) -> float:
    ticks = os.sysconf("SC_CLK_TCK")
    total = 0
    for pid in pids:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
            fields = file.read().rpartition(")")[2].split()
        total += int(fields[11]) + int(fields[12])
    return total / ticks


def test_a_process_that_is_gone_counts_nothing() -> None:
    child = subprocess.Popen([sys.executable, "-c", "pass"])
    child.wait()
    assert pss(child.pid) == 0
    assert process_tree([child.pid]) == []
    assert UsageMeter([child.pid]).read().processes == 0


def test_a_measured_part_has_as_many_cores_as_it_is_given_and_no_more_afterwards() -> None:
    before = os.sched_getaffinity(0)
    with on_cores(1):
        assert len(os.sched_getaffinity(0)) == 1
    assert os.sched_getaffinity(0) == before
