from __future__ import annotations

import pytest

from perishield.evaluation import bench_start
from perishield.model.errors import ConfigError


def test_the_ratio_is_that_of_the_medians() -> None:
    figures = bench_start.run(1)
    assert figures["ratio"] == pytest.approx(figures["ingest_ms"] / figures["python_ms"], rel=0.05)
    assert figures["ratio_to_environment"] == pytest.approx(
        figures["ingest_ms"] / figures["environment_python_ms"], rel=0.05
    )
    assert figures["ratio"] > 1
    assert figures["server_ms"] > figures["python_ms"]
    assert figures["ratio_to_environment"] > 1


def test_no_rounds_are_refused() -> None:
    with pytest.raises(ConfigError):
        bench_start.run(0)
