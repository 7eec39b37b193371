"""The measuring of live view, for a few seconds: a node, a filmed clock, both players in a real browser."""

from __future__ import annotations

import pytest

from perishield.evaluation.bench_live import run

pytestmark = [pytest.mark.real("chromium"), pytest.mark.timeout(180)]


def test_both_players_are_measured() -> None:
    found = run(0.15)
    for player in ("mse", "webrtc"):
        figures = found[player]
        assert figures["pictures"] >= 25
        assert 0 < figures["p50_ms"] <= figures["p95_ms"] <= figures["max_ms"] < 60_000
        assert figures["start_ms"] > 0
