"""The spool: nothing lost, nothing doubled, whatever dies."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from perishield.bus.spool import Spool
from perishield.model.errors import BusError

WRITER = """
import os, sys
from pathlib import Path
from perishield.bus.spool import Spool
spool = Spool(Path(sys.argv[1]))
for number in range(10_000):
    spool.put(str(number), b"x" * 100)
    print(number, flush=True)
"""


def test_entries_come_in_order_until_acknowledged(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool" / "events.db")
    for name in ("b", "a", "c"):
        spool.put(name, name.encode())
    assert [entry for entry, _ in spool.take()] == ["b", "a", "c"]
    assert [entry for entry, _ in spool.take(limit=2)] == ["b", "a"]
    spool.ack(["b"])
    assert spool.take() == [("a", b"a"), ("c", b"c")]
    spool.close()


def test_the_same_entry_is_kept_once(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "events.db")
    spool.put("a", b"1")
    spool.put("a", b"2")
    assert spool.take() == [("a", b"1")]
    assert len(spool) == 1
    spool.close()


def test_what_was_put_outlives_a_killed_writer(tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True)
    assert writer.stdout is not None
    told = -1
    for line in writer.stdout:
        told = int(line)
        if told >= 20:
            break
    writer.kill()
    told = max([told, *(int(line) for line in writer.stdout if line.endswith("\n"))])
    writer.wait()
    writer.stdout.close()
    spool = Spool(path)
    entries = [entry for entry, _ in spool.take(limit=20_000)]
    spool.close()
    assert entries[: told + 1] == [str(number) for number in range(told + 1)]
    assert len(entries) <= told + 2


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BusError, match=r"events\.db"):
        Spool(tmp_path / "file" / "events.db")
