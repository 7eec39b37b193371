"""`perishield verify` and `perishield evidence`, as their users run them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from tests.alarms.evidence_site import EvidenceSite
from tests.cli import command

from perishield.model.alarms import Event
from perishield.store.database import Database, sqlite_url

HEAVY = ("numpy", "av", "onnxruntime", "fastapi", "sqlalchemy", "pydantic", "httpx", "simplejpeg", "zmq")


def perishield(*words: object, folder: Path, expect: int = 0) -> str:
    code, out, err = command.perishield(*words, folder=folder)
    assert code == expect, out + err
    return out


@pytest.fixture
async def site(tmp_path: Path, make_event: Callable[..., Event]) -> AsyncIterator[EvidenceSite]:
    (tmp_path / "data").mkdir()
    database = await Database.open(sqlite_url(tmp_path / "data" / "perishield.db"))
    made = EvidenceSite(database, tmp_path / "data", make_event)
    await made.alarm("a1", clip=os.urandom(50_000))
    await made.export("a1", name="../archive.zip")
    yield made
    await database.close()


async def test_an_archive_is_verified_by_file_and_key_alone(site: EvidenceSite, tmp_path: Path) -> None:
    perishield("evidence", "key", "--out", "site.pem", folder=tmp_path)
    alone = tmp_path / "elsewhere"
    alone.mkdir()
    for name in ("archive.zip", "site.pem"):
        (tmp_path / name).rename(alone / name)
    said = perishield("verify", "archive.zip", "--key", "site.pem", folder=alone)
    assert "ACCEPTED" in said
    assert "unproven" not in said
    found = json.loads(perishield("verify", "archive.zip", "--key", "site.pem", "--json", folder=alone))
    assert (found["verdict"], found["signer"], found["alarms"]) == ("accepted", "proven", ["a1"])
    assert "Anybody could have made that" in perishield("verify", "archive.zip", folder=alone)
    assert found["key"] in perishield("verify", "archive.zip", "--key", found["key"], folder=alone)

    content = bytearray((alone / "archive.zip").read_bytes())
    content[len(content) // 2] ^= 1
    (alone / "changed.zip").write_bytes(content)
    assert "REJECTED" in perishield("verify", "changed.zip", "--key", "site.pem", folder=alone, expect=1)
    assert "REJECTED" in perishield("verify", "archive.zip", "--key", "0" * 64, folder=alone, expect=1)
    for words in (("none.zip",), ("archive.zip", "--key", "none.pem"), ("archive.zip", "--key", "archive.zip")):
        found = json.loads(perishield("verify", *words, "--json", folder=alone, expect=2))
        assert found["verdict"] == "undecided"


async def test_keys_are_rotated_and_files_checked(site: EvidenceSite, tmp_path: Path) -> None:
    before = json.loads(perishield("evidence", "key", "--json", folder=tmp_path))
    perishield("evidence", "rotate-key", folder=tmp_path)
    after = json.loads(perishield("evidence", "key", "--json", folder=tmp_path))
    assert [key["id"] for key in after["older"]] == [before["id"]]
    assert json.loads(perishield("evidence", "check", "--json", folder=tmp_path))["intact"]
    clip = next(site.media.glob("evidence/*/a1.mp4"))
    clip.write_bytes(clip.read_bytes()[:-1])
    found = json.loads(perishield("evidence", "check", "--json", folder=tmp_path, expect=1))
    assert [(one["alarm"], one["kind"], one["finding"]) for one in found["bad"]] == [("a1", "clip", "changed")]
    assert "1 are not what was taken in" in perishield("evidence", "check", folder=tmp_path, expect=1)


def test_verifying_loads_nothing_heavy() -> None:
    code = f"import sys, perishield.alarms.bundle_check; print([name for name in {HEAVY!r} if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"
