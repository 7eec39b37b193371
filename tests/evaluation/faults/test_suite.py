from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from perishield.evaluation.faults import suite
from perishield.evaluation.faults.stand import demand
from perishield.model.errors import ConfigError


def keeps(folder: Path, *, quick: bool) -> dict[str, Any]:
    """Nothing goes wrong.

    And more of it.
    """
    return {"folder_was_there": folder.is_dir(), "quick": quick}


def breaks(folder: Path, *, quick: bool) -> dict[str, Any]:
    """Something does."""
    demand(False, "three seconds are missing")
    return {}


def test_a_broken_promise_is_named_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    cases = (suite.Case("good", keeps), suite.Case("bad", breaks), suite.Case("absent", keeps, lambda: "needs a moon"))
    monkeypatch.setattr(suite, "CASES", cases)
    report = suite.run(quick=True)
    assert report["failed"] == 2
    good, bad, absent = report["cases"]
    assert (good["passed"], good["invariant"], good["folder_was_there"]) == (True, "Nothing goes wrong.", True)
    assert (bad["passed"], bad["broken"]) == (False, "three seconds are missing")
    assert (absent["passed"], absent["missing"]) == (False, "needs a moon")


def test_an_unknown_case_is_refused_with_those_there_are() -> None:
    with pytest.raises(ConfigError, match=r"no case 'kils'.*kills"):
        suite.run(["kils"])
