"""Mistakes are told apart by words that a console can translate."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

import perishield


async def refused(node: Any, method: str, path: str, body: Any = None) -> dict[str, Any]:
    answer = await node.client.request(method, path, json=body)
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    found: dict[str, Any] = answer.json()
    return {"code": found["code"], **found["params"]}


@pytest.mark.parametrize(
    ("method", "path", "body", "said"),
    [
        (
            "GET",
            "/api/statistics/alarms?from=2026-01-02&to=2026-01-01",
            None,
            {"code": "invalid", "field": "to", "why": "not_after"},
        ),
        (
            "GET",
            "/api/statistics/alarms?from=1990-01-01&to=2026-01-01",
            None,
            {"code": "invalid", "field": "to", "why": "span_too_long", "days": 400},
        ),
        (
            "POST",
            "/api/holds",
            {"camera": "nowhere", "from": "2026-01-01", "to": "2026-01-02", "reason": "x"},
            {"code": "invalid", "field": "camera", "why": "no_camera", "name": "nowhere"},
        ),
        (
            "POST",
            "/api/groups",
            {"name": "North", "cameras": ["nowhere"]},
            {"code": "invalid", "field": "cameras", "why": "no_camera", "name": "nowhere"},
        ),
        (
            "POST",
            "/api/users",
            {"username": "ann", "role": "pirate"},
            {"code": "invalid", "field": "role", "why": "no_role", "name": "pirate"},
        ),
        (
            "POST",
            "/api/cameras",
            {"name": "Gate", "url": "gopher://192.0.2.1/x"},
            {
                "code": "invalid",
                "field": "url",
                "why": "address_scheme",
                "known": "rtsp://, rtsps://, rtspx://, rtmp://, http://, https://, file://",
            },
        ),
        (
            "POST",
            "/api/api-keys",
            {"name": "Gate", "actions": ["audit.view"], "groups": ["abc"]},
            {"code": "invalid", "field": "groups", "why": "sitewide", "action": "audit.view"},
        ),
    ],
)
async def test_a_refusal_says_why(node: Any, method: str, path: str, body: Any, said: dict[str, Any]) -> None:
    assert await refused(node, method, path, body) == said


async def test_what_a_form_got_wrong_is_named_with_its_limits(node: Any) -> None:
    found = await refused(node, "PUT", "/api/cameras/gate/privacy", {"masks": [[[0, 0], [1, 1]]]})
    assert {name: found[name] for name in ("code", "field", "why", "min_length", "actual_length")} == {
        "code": "invalid",
        "field": "masks.0",
        "why": "too_short",
        "min_length": 3,
        "actual_length": 2,
    }
    assert found["errors"][0]["message"], "as before"
    found = await refused(node, "POST", "/api/alarms/bulk", {"step": "explode", "ids": ["a"]})
    assert (found["why"], found["field"]) == ("literal_error", "step")
    assert "'acknowledge'" in found["expected"]


async def test_what_was_sent_is_never_told_back(node: Any) -> None:
    secret = "hunter2-hunter2-hunter2"
    answer = await node.client.post("/api/users", json={"username": "ann", "role": "viewer", "password": [secret]})
    assert answer.status_code == 422
    assert "hunter2" not in answer.text
    answer = await node.client.post(
        "/api/users", content=f'{{"password": "{secret}" oops'.encode(), headers={"content-type": "application/json"}
    )
    assert answer.status_code == 422
    assert "hunter2" not in answer.text


async def test_names_that_are_taken_are_told_apart_from_changes_by_others(node: Any) -> None:
    await node.add_camera(id="gate", name="Gate")
    body = {"id": "gate", "name": "Gate", "url": "rtsp://192.0.2.1/x"}
    assert await refused(node, "POST", "/api/cameras", body) == {"code": "conflict", "field": "id", "why": "id_taken"}
    await node.client.post("/api/groups", json={"name": "North"})
    assert (await refused(node, "POST", "/api/groups", {"name": "north"}))["why"] == "name_taken"


def test_the_console_has_words_for_every_mistake() -> None:
    root = Path(perishield.__file__).parent
    sources = "\n".join(path.read_text() for path in (root / "api").rglob("*.py"))
    words = (root.parent.parent / "web/src/i18n/refused.en.ts").read_text()
    asked = set(re.findall(r'why="(\w+)"', sources)) | set(re.findall(r'"(address_\w+)"[,)]', sources))
    kinds = set(re.findall(r'not_found\(\s*"(\w+)"', sources))
    known = set(re.findall(r"^    (\w+): '", words, re.MULTILINE))
    assert len(asked) > 30
    assert len(kinds) > 12
    assert not (asked | kinds) - known


def test_the_console_has_words_for_every_remark() -> None:
    root = Path(perishield.__file__).parent
    sources = "\n".join(
        path.read_text() for room in ("model", "recording", "alarms", "api") for path in (root / room).rglob("*.py")
    )
    words = (root.parent.parent / "web/src/i18n/remarks.en.ts").read_text()
    made = set(re.findall(r'\bRemark\(\s*"(\w+)"', sources)) | set(re.findall(r'because\(\s*"(\w+)"', sources))
    assert len(made) > 12
    assert not made - set(re.findall(r"^  (\w+): '", words, re.MULTILINE))
