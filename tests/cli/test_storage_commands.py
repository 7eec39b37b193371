"""`perishield storage` as somebody runs it: folders made ready, targets tried, mistakes named."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.cli.command import perishield

from perishield.evaluation.swift_server import ACCESS_KEY, SECRET_KEY, SwiftServer

STEPS = ["reach", "write", "read back", "read a part", "delete"]


@pytest.fixture
def site(tmp_path: Path) -> Path:
    (tmp_path / "share").mkdir()
    path = tmp_path / "site.toml"
    path.write_text(
        f"[data]\ndir = '{tmp_path}/data'\n"
        f"[[storage.targets]]\nname = 'nas'\nkind = 'nas'\ntier = 'hot'\npath = '{tmp_path}/share'\n"
    )
    return path


def test_a_folder_is_made_ready_once_and_then_works(site: Path) -> None:
    code, out, _ = perishield("storage", "test", "nas", "-c", site, "--json")
    assert code == 1
    (step,) = json.loads(out)
    assert (step["step"], step["state"]) == ("reach", "bad")
    assert "storage prepare" in step["says"]

    code, first, _ = perishield("storage", "prepare", "nas", "-c", site)
    assert code == 0
    assert perishield("storage", "prepare", "nas", "-c", site)[1] == first
    code, out, _ = perishield("storage", "test", "-c", site, "--json")
    assert code == 0
    assert [(step["step"], step["state"]) for step in json.loads(out)] == [(step, "ok") for step in STEPS]
    assert [path.name for path in (site.parent / "share").rglob("*") if path.is_file()] == [".perishield-storage"]


@pytest.mark.real("swift")
def test_a_store_is_tried_step_by_step_and_its_keys_never_show(site: Path, swift: SwiftServer) -> None:
    swift.make_bucket("tried-by-command")
    with site.open("a") as file:
        file.write(
            "[[storage.targets]]\nname = 'cloud'\nkind = 's3'\ntier = 'hot'\nbucket = 'tried-by-command'\n"
            f"endpoint = '{swift.endpoint}'\naccess_key = '{ACCESS_KEY}'\nsecret_key = 'env:CLOUD_SECRET'\n"
        )
    code, out, _ = perishield("storage", "test", "cloud", "-c", site, "--json", CLOUD_SECRET=SECRET_KEY)
    assert code == 0, out
    assert [(step["step"], step["state"]) for step in json.loads(out)] == [(step, "ok") for step in STEPS]
    code, out, err = perishield("storage", "test", "cloud", "-c", site, CLOUD_SECRET="not-the-key")
    assert code == 1
    assert "not-the-key" not in out + err
    code, out, err = perishield("storage", "test", "cloud", "-c", site)
    assert code == 2
    assert "CLOUD_SECRET is not set" in err


def test_what_cannot_be_is_named(site: Path) -> None:
    code, _, err = perishield("storage", "test", "nowhere", "-c", site)
    assert code == 2
    assert "known are: nas" in err
    code, _, err = perishield("storage", "status", "-c", site)
    assert code == 2
    assert "does not answer" in err
