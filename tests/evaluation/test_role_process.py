from __future__ import annotations

import signal
from pathlib import Path

import pytest

from perishield.evaluation.role_process import start_role
from perishield.model.errors import PeriShieldError


def test_it_is_back_once_the_process_is_ready(tmp_path: Path) -> None:
    config = {"data_dir": tmp_path, "run_dir": tmp_path / "run", "media_dir": tmp_path / "media"}
    child = start_role("ingest", config, log=tmp_path / "log")
    try:
        assert child.poll() is None
        child.send_signal(signal.SIGTERM)
        assert child.wait(20) == 0
    finally:
        child.kill()
        child.wait()


def test_one_that_does_not_start_is_named_with_what_it_said(tmp_path: Path) -> None:
    with pytest.raises(PeriShieldError, match=r"the ingest process did not start: .*IngestConfig") as caught:
        start_role("ingest", {"data_dir": 5}, log=tmp_path / "log")
    assert caught.value.code == "bench_failed"
