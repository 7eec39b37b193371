"""The floors of the house, and what must stay light."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
HEAVY = {
    "numpy",
    "av",
    "onnxruntime",
    "fastapi",
    "sqlalchemy",
    "pydantic",
    "pydantic_settings",
    "rich",
    "typer",
    "httpx",
}


def loaded_by(code: str) -> set[str]:
    """Top-level modules that a fresh interpreter has loaded after running `code`."""
    told = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys\nprint('LOADED', *sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    ).stdout
    return {name.split(".")[0] for name in told.rpartition("LOADED")[2].split()}


def test_rooms_import_only_from_the_floors_below() -> None:
    linter = Path(sys.executable).with_name("lint-imports")
    result = subprocess.run([linter, "--no-cache"], cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize(
    "module",
    [
        "perishield.roles.ingest",
        "perishield.roles.cameras",
        "perishield.roles.supervisor",
        "perishield.sources.rtsp",
        "perishield.streams",
        "perishield.bus",
        "perishield.vision.catalogue",
    ],
)
def test_lean_modules_load_nothing_heavy(module: str) -> None:
    assert loaded_by(f"import {module}").isdisjoint(HEAVY)


def test_help_is_quick_to_load() -> None:
    heavy = HEAVY - {"rich", "typer"}
    code = "import sys; sys.argv = ['perishield', '--help']\nfrom perishield.cli import main\n"
    assert loaded_by(f"{code}try:\n    main()\nexcept SystemExit:\n    pass").isdisjoint(heavy)


def test_no_module_grows_past_400_lines() -> None:
    long = {
        str(path.relative_to(ROOT)): count
        for path in (ROOT / "src").rglob("*.py")
        if (count := len(path.read_text().splitlines())) > 400
    }
    assert not long
