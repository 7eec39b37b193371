"""Many cameras at once: all of a file, or nothing of it."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import httpx
import pytest

CSV = {"content-type": "text/csv"}
HEAD = "id,name,url,username,password,recording_mode,analysis_fps,groups\n"
ROWS = 'gate,Gate,rtsp://10.0.0.1/1,viewer,secret-1,event,4,North\n,"Yard, back",rtsp://10.0.0.2/1,,,off,,North;South\n'


async def take_in(node: Any, content: str, **more: Any) -> httpx.Response:
    headers = more.pop("headers", CSV)
    answer: httpx.Response = await node.client.post("/api/bulk/cameras", content=content, headers=headers, params=more)
    return answer


async def names(node: Any) -> dict[str, dict[str, Any]]:
    return {item["id"]: item for item in (await node.client.get("/api/cameras")).json()["items"]}


@pytest.fixture
async def grouped(node: Any) -> Any:
    for name in ("North", "South"):
        assert (await node.client.post("/api/groups", json={"name": name})).status_code == 201
    return node


async def test_a_table_adds_cameras_with_their_groups(grouped: Any) -> None:
    answer = await take_in(grouped, "\ufeff" + HEAD + ROWS)
    assert answer.status_code == 200, answer.text
    assert answer.json() == {
        "dry_run": False,
        "added": ["gate", "yard-back"],
        "changed": [],
        "unchanged": [],
        "errors": [],
    }
    cameras = await names(grouped)
    assert cameras["gate"]["recording"]["mode"] == "event"
    assert cameras["gate"]["analysis"]["fps"] == 4
    assert cameras["gate"]["has_password"] is True
    assert cameras["yard-back"]["name"] == "Yard, back"
    groups = (await grouped.client.get("/api/groups")).json()["items"]
    assert {group["name"]: group["cameras"] for group in groups} == {
        "North": ["gate", "yard-back"],
        "South": ["yard-back"],
    }
    assert grouped.services.streams.known("yard-back")


async def test_what_is_given_out_comes_in_again_and_changes_nothing(grouped: Any) -> None:
    await take_in(grouped, HEAD + ROWS)
    for kind in ("csv", "json"):
        out = await grouped.client.get("/api/bulk/cameras", params={"format": kind})
        assert "secret-1" not in out.text
        assert "password" not in out.text
        back = await take_in(grouped, out.text, headers={"content-type": out.headers["content-type"]})
        assert back.json()["unchanged"] == ["gate", "yard-back"], (kind, back.text)
        assert (back.json()["added"], back.json()["changed"]) == ([], [])
    assert (await names(grouped))["gate"]["has_password"] is True


async def test_a_row_changes_what_it_names_and_leaves_the_rest(grouped: Any) -> None:
    await take_in(grouped, HEAD + ROWS)
    answer = await take_in(grouped, "id,name\ngate,Main gate\n")
    assert answer.json()["changed"] == ["gate"]
    gate = (await names(grouped))["gate"]
    assert (gate["name"], gate["analysis"]["fps"], gate["has_password"]) == ("Main gate", 4, True)
    groups = (await grouped.client.get("/api/groups", params={"camera": "gate"})).json()["items"]
    assert [group["name"] for group in groups] == ["North"]


async def test_a_dry_run_tells_and_saves_nothing(grouped: Any) -> None:
    answer = await take_in(grouped, HEAD + ROWS, dry_run=True)
    assert answer.json()["added"] == ["gate", "yard-back"]
    assert await names(grouped) == {}
    wrong = await take_in(grouped, HEAD + "gate,,ftp://x/,,,,,\n", dry_run=True)
    assert wrong.status_code == 200
    assert {error["row"] for error in wrong.json()["errors"]} == {2}


@pytest.mark.parametrize(
    ("row", "field"),
    [
        ("dock,Dock,ftp://10.0.0.3/,,,,,", "url"),
        ("dock,Dock,rtsp://10.0.0.3/,,,sometimes,,", "recording.mode"),
        ("dock,Dock,rtsp://10.0.0.3/,,,,fast,", "analysis.fps"),
        ("DOCK 3,Dock,rtsp://10.0.0.3/,,,,,", "id"),
        ("dock,Dock,rtsp://10.0.0.3/,,,,,Nowhere", "groups"),
        ("gate,Gate again,rtsp://10.0.0.3/,,,,,", "id"),
        ("dock,Dock,rtsp://10.0.0.3/,,,,,,,one too many", ""),
    ],
)
async def test_one_wrong_row_saves_none_and_is_named(grouped: Any, row: str, field: str) -> None:
    answer = await take_in(grouped, HEAD + ROWS + row + "\n")
    assert (answer.status_code, answer.json()["code"]) == (422, "import_invalid")
    (error,) = answer.json()["params"]["errors"]
    assert (error["row"], error["field"]) == (4, field)
    assert await names(grouped) == {}


async def test_a_mistake_never_repeats_a_password(grouped: Any) -> None:
    answer = await take_in(grouped, HEAD + f"gate,Gate,rtsp://user:hidden-1@/,,{'hidden-2' * 50},,,\n")
    assert answer.status_code == 422
    assert "hidden-" not in answer.text


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        ("", "text/csv", 422),
        ("colour,shape\nred,round\n", "text/csv", 422),
        ("id,id\na,b\n", "text/csv", 422),
        ("id\n" + "x\n" * 5002, "text/csv", 422),
        ("[]", "application/json", 422),
        ('{"cameras": [1]}', "application/json", 422),
        ("{", "application/json", 422),
        ("<xml/>", "text/xml", 415),
        ("\udcff", "text/csv", 422),
    ],
)
async def test_what_is_no_table_of_cameras_is_told_so(node: Any, content: str, kind: str, status: int) -> None:
    raw = content.encode("utf-8", "surrogateescape")
    answer = await node.client.post("/api/bulk/cameras", content=raw, headers={"content-type": kind})
    assert answer.status_code == status, answer.text


async def test_json_says_the_same(grouped: Any) -> None:
    body = {
        "cameras": [
            {"name": "Gate", "url": "rtsp://10.0.0.1/1", "recording": {"mode": "off"}, "groups": ["north"]},
            {"id": "dock", "name": "Dock", "url": "rtsp://10.0.0.2/1"},
        ]
    }
    answer = await take_in(grouped, json.dumps(body), headers={"content-type": "application/json"})
    assert answer.json()["added"] == ["gate", "dock"], answer.text
    out = (await grouped.client.get("/api/bulk/cameras", params={"format": "json"})).json()["cameras"]
    assert [(camera["id"], camera["groups"]) for camera in out] == [("gate", ["North"]), ("dock", [])]


async def test_a_spreadsheet_runs_nothing_that_somebody_named_so(node: Any) -> None:
    await node.add_camera(id="gate", name="=cmd()")
    text = (await node.client.get("/api/bulk/cameras")).text
    (row,) = csv.DictReader(io.StringIO(text))
    assert row["name"] == "'=cmd()"
    assert (await take_in(node, text)).json()["unchanged"] == ["gate"]


async def test_groups_are_changed_by_who_may_change_people(grouped: Any) -> None:
    role = {"name": "Installer", "actions": ["cameras.edit", "system.view"]}
    made = (await grouped.client.post("/api/roles", json=role)).json()["id"]
    headers = {**await grouped.headers_of(made), **CSV}
    refused = await take_in(grouped, HEAD + ROWS, headers=headers)
    assert refused.status_code == 422
    assert refused.json()["params"]["errors"][0]["field"] == "groups"
    plain = await take_in(grouped, "name,url\nGate,rtsp://10.0.0.1/1\n", headers=headers)
    assert plain.json()["added"] == ["gate"]
