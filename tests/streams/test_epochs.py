from __future__ import annotations

import time
from pathlib import Path

import pytest

from perishield.streams.epochs import Epochs


def test_epochs_rise_within_and_across_processes(tmp_path: Path) -> None:
    path = tmp_path / "epoch"
    before = int(time.time() * 1000)
    first = Epochs(path)
    numbers = [first.next() for _ in range(50)]
    numbers += [Epochs(path).next() for _ in range(3)]
    assert numbers == sorted(set(numbers))
    assert before <= numbers[0] <= int(time.time() * 1000)


def test_a_clock_that_was_set_back_does_not_lower_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "epoch"
    last = Epochs(path).next()
    monkeypatch.setattr(time, "time", lambda: 1000.0)
    assert Epochs(path).next() == last + 1


@pytest.mark.parametrize("content", [b"", b"nonsense", b"\xff"])
def test_a_damaged_memory_is_forgotten(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "epoch"
    path.write_bytes(content)
    assert Epochs(path).next() > 1_700_000_000_000


def test_a_folder_that_cannot_be_written_costs_only_the_memory(tmp_path: Path) -> None:
    epochs = Epochs(tmp_path / "missing" / "epoch")
    assert epochs.next() < epochs.next()
