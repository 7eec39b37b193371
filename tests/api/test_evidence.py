"""Evidence over HTTP: listed, checked, exported as an archive that verifies, held; who may, what is written down."""

from __future__ import annotations

import json
import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.alarms.evidence_site import picture

from perishield.alarms.bundle_check import check_bundle
from perishield.alarms.clips import evidence_path
from perishield.alarms.evidence import EvidenceIntake
from perishield.alarms.intake import raise_alarm
from perishield.bus.codec import encode
from perishield.bus.spool import Spool
from perishield.model.alarms import Alarm, ClipState
from perishield.model.errors import StorageError
from perishield.model.remarks import of_error
from perishield.store.alarms import add_alarm, save_clip
from perishield.store.chain import AUDIT, alarm_records, chain_head
from perishield.store.tables import AuditTable


async def raised(node: Any, make_event: Any, name: str = "a1", **fields: Any) -> Alarm:
    """An alarm with a picture and a clip, all taken in."""
    now = time.time()
    alarm = raise_alarm(make_event(name, **{"wall": now, "arrival": now, **fields}), "Gate", now)
    path = evidence_path(alarm, ".jpg")
    (node.services.media / path).parent.mkdir(parents=True, exist_ok=True)
    (node.services.media / path).write_bytes(picture())
    alarm = replace(alarm, event=replace(alarm.event, snapshot=path))
    clip = evidence_path(alarm, ".mp4")
    (node.services.media / clip).write_bytes(os.urandom(100_000))
    async with node.services.database.write() as session:
        await add_alarm(session, replace(alarm, clip_state=ClipState.UNAVAILABLE))
    alarm = replace(alarm, clip_state=ClipState.READY, clip=clip, clip_duration=10.0)
    async with node.services.database.write() as session:
        await save_clip(session, alarm)
    await EvidenceIntake(node.services.database, node.services.media).take_in(alarm)
    return alarm


def viewer(node: Any) -> dict[str, str]:
    return {"Authorization": f"Bearer {node.services.tokens.issue_machine(600)}"}


async def exported(node: Any, path: str = "/api/alarms/a1/evidence", body: Any = None) -> dict[str, Any]:
    answer = await node.client.post(path, json=body)
    assert answer.status_code == 201, answer.text
    job: dict[str, Any] = answer.json()

    async def over() -> bool:
        nonlocal job
        job = (await node.client.get(f"/api/evidence/exports/{job['id']}")).json()
        return job["state"] not in ("queued", "running")

    await node.until(over)
    return job


async def audit(node: Any) -> list[str]:
    from sqlalchemy import select

    async with node.services.database.read() as session:
        found = await session.scalars(select(AuditTable.action).order_by(AuditTable.number))
        # Who logged in and looked is written down as well.
        return [action for action in found if action not in ("login.accepted", "alarm.view", "setup.done")]


async def test_an_event_from_the_spool_becomes_evidence_by_itself(node: Any, make_event: Any) -> None:
    spool = Spool(node.folder / "spool" / "events.db")
    event = make_event("e1", wall=time.time(), arrival=time.time(), snapshot="evidence/2026-09-21/e1.jpg")
    (node.services.media / "evidence/2026-09-21").mkdir(parents=True)
    (node.services.media / event.snapshot).write_bytes(picture())
    spool.put(event.id, encode(event))

    async def taken_in() -> bool:
        answer = await node.client.get("/api/alarms/e1/evidence")
        return answer.status_code == 200 and answer.json()["total"] == 2

    await node.until(taken_in)
    items = (await node.client.get("/api/alarms/e1/evidence")).json()["items"]
    assert [item["kind"] for item in items] == ["clean", "annotated"]
    shown = await node.client.get(items[1]["url"])
    assert (shown.status_code, shown.headers["content-type"]) == (200, "image/jpeg")


async def test_an_archive_verifies_and_its_downloads_are_written_down(
    node: Any, make_event: Any, tmp_path: Path
) -> None:
    await raised(node, make_event)
    job = await exported(node)
    assert (job["state"], job["message"], job["note"], job["masked"]) == ("done", "", "", False)
    key = (await node.client.get("/api/evidence/key")).json()
    assert (key["algorithm"], key["older"]) == ("Ed25519", [])
    archive = await node.client.get(job["url"], headers={"Authorization": ""})
    assert archive.status_code == 200
    assert archive.headers["content-type"] == "application/zip"
    part = await node.client.get(job["url"], headers={"Range": "bytes=100-199"})
    assert (part.status_code, part.content) == (206, archive.content[100:200])
    path = tmp_path / "archive.zip"
    path.write_bytes(archive.content)
    verdict = check_bundle(path, key["id"])
    assert verdict.accepted, verdict.items
    assert verdict.manifest is not None
    assert verdict.manifest.exported_by.name == "admin"
    assert await audit(node) == ["evidence.export", "evidence.download"]
    assert (await node.client.delete(f"/api/evidence/exports/{job['id']}")).status_code == 204
    assert (await node.client.get(job["url"])).status_code == 404
    async with node.services.database.read() as session:
        assert (await chain_head(session, AUDIT))[0] >= 3


async def test_an_archive_tells_by_codes_what_it_lacks(node: Any, make_event: Any) -> None:
    now = time.time()
    alarm = raise_alarm(make_event("a1", wall=now, arrival=now), "Gate", now)
    missing = of_error(StorageError("camera 'gate': no footage of that time", code="missing", camera="gate"))
    async with node.services.database.write() as session:
        await add_alarm(session, replace(alarm, clip_state=ClipState.UNAVAILABLE, clip_remarks=(missing,)))
    clip = (await node.client.get("/api/alarms/a1")).json()["clip"]
    text = "camera 'gate': no footage of that time"
    assert clip["note"] == text
    assert clip["remarks"] == [{"code": "missing", "params": {"camera": "gate"}, "text": text}]
    job = await exported(node)
    assert [(one["code"], one["params"]) for one in job["remarks"]] == [
        ("no_file", {"why": "no_picture", "alarm": "a1", "kind": "clean"}),
        ("no_clip", {"why": "missing", "camera": "gate", "alarm": "a1"}),
    ]
    assert job["note"] == "; ".join(one["text"] for one in job["remarks"])
    (piece,) = (await node.client.get("/api/alarms/a1/evidence")).json()["items"]
    assert [one["code"] for one in piece["remarks"]] == ["no_picture"]


async def test_several_alarms_in_one_archive(node: Any, make_event: Any, tmp_path: Path) -> None:
    for name in ("a1", "a2", "a3"):
        await raised(node, make_event, name)
    job = await exported(node, "/api/evidence/exports", {"alarms": ["a1", "a3", "a1"]})
    assert job["alarms"] == ["a1", "a3"]
    path = tmp_path / "archive.zip"
    path.write_bytes((await node.client.get(job["url"])).content)
    assert check_bundle(path).accepted
    assert len((await node.client.get("/api/evidence/exports")).json()["items"]) == 1
    for body in ({"alarms": []}, {"alarms": ["a1"] * 101}, {"alarms": ["x" * 65]}):
        assert (await node.client.post("/api/evidence/exports", json=body)).status_code == 422
    assert (await node.client.post("/api/evidence/exports", json={"alarms": ["none"]})).status_code == 404


async def test_what_was_changed_is_told_and_not_exported(node: Any, make_event: Any) -> None:
    alarm = await raised(node, make_event)
    assert (await node.client.get("/api/alarms/a1/evidence/check")).json()["intact"]
    clip = node.services.media / alarm.clip
    content = bytearray(clip.read_bytes())
    content[5000] ^= 1
    clip.write_bytes(content)
    found = (await node.client.get("/api/alarms/a1/evidence/check")).json()
    assert not found["intact"]
    assert [item["finding"] for item in found["items"]] == ["intact", "intact", "changed"]
    job = await exported(node)
    assert (job["state"], job["code"], job["url"]) == ("failed", "evidence_changed", None)
    assert "clip.mp4" in job["message"]


async def test_only_who_may_exports_and_holds(node: Any, make_event: Any) -> None:
    await raised(node, make_event)
    job = await exported(node)
    guest = viewer(node)
    assert (await node.client.get("/api/alarms/a1/evidence", headers=guest)).status_code == 200
    for method, path, body in (
        ("POST", "/api/alarms/a1/evidence", None),
        ("POST", "/api/evidence/exports", {"alarms": ["a1"]}),
        ("GET", "/api/evidence/exports", None),
        ("GET", f"/api/evidence/exports/{job['id']}", None),
        ("GET", f"/api/evidence/exports/{job['id']}/archive", None),
        ("DELETE", f"/api/evidence/exports/{job['id']}", None),
        ("PUT", "/api/alarms/a1/hold", {"reason": "x"}),
        ("DELETE", "/api/alarms/a1/hold", None),
    ):
        answer = await node.client.request(method, path, json=body, headers=guest)
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden"), path
    assert (await node.client.get(f"/api/evidence/exports/{job['id']}/archive")).status_code == 200


async def test_a_hold_is_placed_changed_and_lifted_and_all_of_it_recorded(node: Any, make_event: Any) -> None:
    await raised(node, make_event)
    assert (await node.client.get("/api/alarms/a1/hold")).status_code == 404
    for reason in ("Police file 4711", "Police file 4712"):
        answer = await node.client.put("/api/alarms/a1/hold", json={"reason": reason})
        assert (answer.status_code, answer.json()["reason"]) == (200, reason)
    assert (await node.client.get("/api/alarms/a1/hold")).json()["who"] == "admin"
    listed = (await node.client.get("/api/evidence/holds")).json()
    assert (listed["total"], listed["items"][0]["alarm"]) == (1, "a1")
    assert listed["items"][0]["kind"] == "tripwire", "what it was, without opening it"
    assert (await node.client.delete("/api/alarms/a1/hold")).status_code == 204
    assert (await node.client.delete("/api/alarms/a1/hold")).status_code == 404
    assert (await node.client.put("/api/alarms/none/hold", json={"reason": "x"})).status_code == 404
    assert (await node.client.put("/api/alarms/a1/hold", json={"reason": " "})).status_code == 422
    assert await audit(node) == ["alarm.hold", "alarm.hold", "alarm.release"]
    async with node.services.database.read() as session:
        kinds = [json.loads(link.content)["kind"] for link in await alarm_records(session, "a1")]
    assert kinds[-3:] == ["hold", "hold", "release"]


@pytest.mark.parametrize("name", ["../x", "..", "%2e%2e", "x" * 300])
async def test_archives_have_no_other_names(node: Any, name: str) -> None:
    assert (await node.client.get(f"/api/evidence/exports/{name}/archive")).status_code in (403, 404)
