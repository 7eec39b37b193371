"""The audit log: what is written down, what is found again, and that nothing can be changed in silence."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from perishield.model.chain import GENESIS, Link, first_break

PASSWORD = "correct horse battery"


async def entries(node: Any, **query: Any) -> list[dict[str, Any]]:
    answer = await node.client.get("/api/audit", params={"limit": 500, **query})
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


async def actions(node: Any, **query: Any) -> list[str]:
    return [item["action"] for item in await entries(node, **query)]


async def test_logins_and_changes_are_written_down_with_who_and_whence(node: Any) -> None:
    await node.client.post("/api/auth/login", json={"username": "Eve", "password": "not the password"})
    await node.add_user("ann", "viewer")
    await node.add_camera(id="gate", name="Gate", password="secret-1")
    body = {"name": "Gate", "url": "rtsp://10.0.0.5/ch1", "password": "secret-2"}
    assert (await node.client.put("/api/cameras/gate", json=body)).status_code == 200
    rule = {"id": "line", "kind": "tripwire", "camera": "gate", "name": "Line", "line": [[0, 0], [1, 1]]}
    await node.client.post("/api/rules", json=rule)
    await node.client.post("/api/rules/line/disarm")
    await node.client.delete("/api/cameras/gate", headers={"X-Request-ID": "proxy-7"})
    found = await entries(node)
    assert [item["action"] for item in found] == [
        "camera.remove",
        "rule.disarmed",
        "rule.add",
        "camera.change",
        "camera.add",
        "account.add",
        "login.refused",
        "login.accepted",
    ]
    removed, refused = found[0], found[6]
    assert (removed["actor_name"], removed["camera"], removed["request"]) == ("admin", "gate", "proxy-7")
    assert (refused["actor"], refused["actor_name"], refused["address"]) == ("", "Eve", "127.0.0.1")
    assert found[3]["detail"]["changed"] == ["password", "revision", "url"]
    assert "secret-" not in json.dumps(found)


async def test_what_was_refused_changed_nothing_and_is_not_told_as_done(node: Any) -> None:
    before = await actions(node)
    assert (await node.client.delete("/api/cameras/nowhere")).status_code == 404
    assert (await node.client.post("/api/roles", json={"name": "viewer"})).status_code == 409
    assert await actions(node) == before


async def test_looking_is_written_down_once_a_minute_for_viewer_and_camera(
    node: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1000.0]
    monkeypatch.setattr(node.services.people.viewings, "_clock", lambda: now[0])
    for camera in ("gate", "yard"):
        await node.add_camera(id=camera, name=camera)
    headers = await node.headers_of("viewer")
    span = {"from": "2026-09-01T00:00:00Z", "to": "2026-09-01T01:00:00Z"}
    for _ in range(5):
        await node.client.get("/api/video/recordings/gate", params=span, headers=headers)
    await node.client.get("/api/video/recordings/yard", params=span, headers=headers)
    await node.client.get("/api/video/recordings/gate", params=span)
    wall = {"cameras": ["gate", "yard"], **span}
    await node.client.post("/api/video/playback", json=wall, headers=headers)
    seen = await entries(node, action="recordings.view")
    assert sorted((item["actor_name"][:6], item["camera"]) for item in seen) == [
        ("admin", "gate"),
        ("viewer", "gate"),
        ("viewer", "yard"),
    ]
    now[0] += 61
    await node.client.get("/api/video/recordings/gate", params=span, headers=headers)
    assert len(await entries(node, action="recordings.view")) == 4


async def test_the_log_is_searched_and_paged(node: Any) -> None:
    for name in ("gate", "yard", "dock"):
        await node.add_camera(id=name, name=name)
    assert await actions(node, action="camera.") == ["camera.add"] * 3
    assert await actions(node, camera="yard") == ["camera.add"]
    assert await actions(node, actor="admin", kind="camera", target="dock") == ["camera.add"]
    assert await actions(node, actor="nobody") == []
    assert await actions(node, to="2020-01-01T00:00:00Z") == []
    first = (await node.client.get("/api/audit", params={"limit": 2})).json()
    second = (await node.client.get("/api/audit", params={"limit": 2, "before": first["next"]})).json()
    numbers = [item["number"] for item in first["items"] + second["items"]]
    assert numbers == [4, 3, 2, 1]
    assert second["next"] is None


async def test_an_export_proves_itself_and_runs_in_no_spreadsheet(node: Any) -> None:
    await node.client.post("/api/auth/login", json={"username": "=HYPERLINK(1)", "password": "not the password"})
    for number in range(3):
        await node.add_camera(id=f"gate-{number}", name="Gate")
    lines = (await node.client.get("/api/audit/export", params={"format": "jsonl"})).text.splitlines()
    links = []
    for line in lines:
        record = json.loads(line)
        links.append(
            Link(
                number=record["number"],
                content=record["content"].encode(),
                previous=record["previous"],
                hash=record["hash"],
            )
        )
    assert first_break(links, GENESIS) == ""
    assert json.loads(links[-1].content)["action"] == "audit.export", "who takes the log along is in it"
    answer = await node.client.get("/api/audit/export")
    assert answer.headers["content-type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [row["action"] for row in rows][:2] == ["login.accepted", "login.refused"]
    assert rows[1]["actor_name"] == "'=HYPERLINK(1)"
    assert [row["hash"] for row in rows[: len(links)]] == [link.hash for link in links]


async def verified(node: Any) -> dict[str, Any]:
    answer: httpx.Response = await node.client.get("/api/audit/verify")
    found: dict[str, Any] = answer.json()
    return found


@pytest.mark.parametrize(
    ("meddle", "problem"),
    [
        (
            "UPDATE audit SET content = CAST(replace(content, 'gate-1', 'gate-9') AS BLOB) WHERE number = 3",
            "record 3 was changed",
        ),
        ("UPDATE audit SET content = 'text' WHERE number = 3", "a record after 2 cannot be read"),
        ("DELETE FROM audit WHERE number = 3", "record 3 is missing"),
        ("DELETE FROM audit WHERE number = 4", "record 4 is missing"),
        ("UPDATE audit SET number = 100 WHERE number = 2", "record 2 is missing"),
        ("UPDATE chain_heads SET hash = '" + "a" * 64 + "' WHERE name = 'audit'", "the last record"),
    ],
)
async def test_what_is_changed_or_taken_out_is_found(node: Any, meddle: str, problem: str) -> None:
    for number in range(3):
        await node.add_camera(id=f"gate-{number}", name="Gate")
    whole = await verified(node)
    assert (whole["intact"], whole["records"], whole["problem"]) == (True, 4, "")
    async with node.services.database.write() as session:
        await session.execute(text(meddle))
    found = await verified(node)
    assert found["intact"] is False
    assert found["problem"].startswith(problem)


async def test_no_route_changes_the_log(node: Any) -> None:
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        assert (await node.client.request(method, "/api/audit")).status_code == 405
        assert (await node.client.request(method, "/api/audit/1")).status_code in (404, 405)
