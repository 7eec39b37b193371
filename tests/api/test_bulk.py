"""Tasks, rules, schedules, groups and channels by the file: what goes out comes in again, all of it or nothing."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import httpx
import pytest

CSV = {"content-type": "text/csv"}
JSON = {"content-type": "application/json"}
AREA = [[0, 0], [1, 0], [1, 1]]
KINDS = ("tasks", "rules", "schedules", "groups", "channels")
CHRISTMAS = [{"date": "2026-12-25", "counts_as": "day_off"}]
SCHEDULE = {"windows": [{"days": [0, 1], "start": 1320, "end": 360}], "timezone": "Europe/Berlin"}


@pytest.fixture
async def site(node: Any) -> Any:
    """Two cameras, with one of everything that is odd to write down."""
    for camera in ("gate", "yard"):
        await node.add_camera(id=camera, name=camera)
    made: list[tuple[str, dict[str, Any]]] = [
        ("schedules", {"id": "shift", "name": "'Night' shift", "schedule": {**SCHEDULE, "special": CHRISTMAS}}),
        ("tasks", {"id": "night", "name": "=Night", "camera": "gate", "schedule": SCHEDULE, "model": "motion"}),
        (
            "tasks",
            {
                "id": "7",
                "name": "7",
                "camera": "yard",
                "schedule_id": "shift",
                "fps": 2.5,
                "started": False,
                "priority": -3,
            },
        ),
        (
            "rules",
            {
                "id": "line",
                "kind": "tripwire",
                "camera": "gate",
                "name": "Line, north",
                "line": [[0.1, 0.2], [0.9, 0.2]],
                "schedule": SCHEDULE,
                "condition": 'label == "person"',
                "labels": ["person", "car"],
            },
        ),
        (
            "rules",
            {
                "id": "area",
                "kind": "zone",
                "camera": "yard",
                "name": "true",
                "polygon": [[0, 0], [1, 0], [1, 1]],
                "schedule_id": "shift",
            },
        ),
        ("groups", {"name": "North", "kind": "site", "cameras": ["gate", "yard"], "adjoining": True, "note": "'x"}),
        (
            "channels",
            {
                "id": "hook",
                "name": "Hook",
                "target": {"kind": "http", "url": "https://203.0.113.9/a"},
                "secrets": {"authorization": "Bearer hidden-1"},
                "route": {"schedule": SCHEDULE, "quiet": {"schedule_id": "shift", "then": "drop"}},
            },
        ),
    ]
    for kind, body in made:
        answer = await node.client.post(f"/api/{kind}", json=body)
        assert answer.status_code == 201, answer.text
    return node


async def give(node: Any, kind: str, form: str) -> str:
    answer = await node.client.get(f"/api/bulk/{kind}", params={"format": form})
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-disposition"] == f'attachment; filename="{kind}.{form}"'
    return str(answer.text)


async def take(node: Any, kind: str, content: str | dict[str, Any], **params: Any) -> httpx.Response:
    text, headers = (content, CSV) if isinstance(content, str) else (json.dumps(content), JSON)
    answer: httpx.Response = await node.client.post(f"/api/bulk/{kind}", content=text, headers=headers, params=params)
    return answer


async def listed(node: Any, kind: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = (await node.client.get(f"/api/{kind}")).json()["items"]
    for item in items:
        item.pop("state", None)
    return items


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("form", ["csv", "json"])
async def test_what_goes_out_comes_in_again_and_changes_nothing(site: Any, kind: str, form: str) -> None:
    before = await listed(site, kind)
    text = await give(site, kind, form)
    assert "hidden-1" not in text, "secrets never come out"
    answer = await take(site, kind, text if form == "csv" else json.loads(text))
    assert answer.status_code == 200, answer.text
    assert (answer.json()["added"], answer.json()["changed"]) == ([], [])
    assert len(answer.json()["unchanged"]) == len(before)
    assert await listed(site, kind) == before


@pytest.mark.parametrize("kind", ["tasks", "rules", "groups"])
async def test_what_was_lost_is_made_again_from_the_file(site: Any, kind: str) -> None:
    before = await listed(site, kind)
    for form in ("csv", "json"):
        text = await give(site, kind, form)
        for item in await listed(site, kind):
            assert (await site.client.delete(f"/api/{kind}/{item['id']}")).status_code == 204
        answer = await take(site, kind, text if form == "csv" else json.loads(text))
        assert answer.status_code == 200, answer.text
        again = await listed(site, kind)
        for item in (*before, *again):
            item.pop("revision", None)
            if kind == "groups":
                item.pop("id", None)
        assert again == before


async def test_a_spreadsheet_changes_what_it_names_and_leaves_the_rest(site: Any) -> None:
    sheet = "id,name,camera,started,priority,min_score,fps\nnight,,,false,9,0.5,\n7,,,,,,null\n,Dawn,yard,,,,\n"
    answer = await take(site, "tasks", sheet)
    assert answer.status_code == 200, answer.text
    assert answer.json()["changed"] == ["night", "7"]
    (added,) = answer.json()["added"]
    tasks = {task["id"]: task for task in await listed(site, "tasks")}
    night = tasks["night"]
    assert (night["name"], night["started"], night["priority"], night["min_score"]) == ("=Night", False, 9, 0.5)
    assert night["schedule"]["timezone"] == "Europe/Berlin"
    assert tasks["7"]["fps"] is None
    assert (tasks[added]["name"], tasks[added]["camera"], tasks[added]["started"]) == ("Dawn", "yard", True)
    assert {task["id"] for task in site.services.site.site.tasks} == set(tasks), "the workers are told"


async def test_a_row_that_names_hours_takes_the_place_of_those_before(site: Any) -> None:
    answer = await take(site, "rules", "id,schedule_id\nline,shift\n")
    assert answer.json()["changed"] == ["line"], answer.text
    rules = {rule["id"]: rule for rule in await listed(site, "rules")}
    assert (rules["line"]["schedule"], rules["line"]["schedule_id"]) == (None, "shift")
    await take(site, "tasks", {"tasks": [{"id": "7", "schedule": SCHEDULE}]})
    tasks = {task["id"]: task for task in await listed(site, "tasks")}
    assert (tasks["7"]["schedule"]["timezone"], tasks["7"]["schedule_id"]) == ("Europe/Berlin", None)
    changed = {"schedules": [{"id": "shift", "schedule": {**SCHEDULE, "timezone": "Asia/Tokyo"}}]}
    assert (await take(site, "schedules", changed)).json()["changed"] == ["shift"]
    published = {rule["id"]: rule["schedule"]["timezone"] for rule in site.services.site.site.rules}
    assert published == {"line": "Asia/Tokyo", "area": "Asia/Tokyo"}, "the workers are told"


async def test_formulas_and_text_that_reads_like_json_stay_text(site: Any) -> None:
    rows = list(csv.DictReader(io.StringIO(await give(site, "tasks", "csv"))))
    assert [row["name"] for row in rows] == ["'=Night", "7"]
    rules = list(csv.DictReader(io.StringIO(await give(site, "rules", "csv"))))
    assert json.loads(rules[0]["line"]) == [[0.1, 0.2], [0.9, 0.2]]
    assert rules[1]["name"] == "true"
    assert rules[0]["polygon"] == ""


@pytest.mark.parametrize(
    ("kind", "row", "field"),
    [
        ("tasks", {"name": "x", "camera": "nowhere"}, "camera"),
        ("tasks", {"name": "x", "camera": "gate", "model": "absent@1"}, "model"),
        ("tasks", {"name": "x", "camera": "gate", "colour": "red"}, "colour"),
        ("rules", {"name": "x", "kind": "tripwire", "camera": "gate", "line": [[0, 0]]}, "line"),
        ("rules", {"name": "x", "kind": "moat", "camera": "gate"}, ""),
        ("rules", {"id": "line", "schedule_id": "day"}, "schedule_id"),
        ("tasks", {"id": "night", "schedule_id": "shift", "schedule": SCHEDULE}, "schedule_id"),
        ("schedules", {"name": "x", "schedule": {"windows": []}}, "schedule.windows"),
        ("schedules", {"name": "x"}, "schedule"),
        ("groups", {"name": "x", "cameras": ["nowhere"]}, "cameras"),
        ("channels", {"name": "x", "target": {"kind": "dingtalk"}}, "secrets"),
        ("channels", {"id": "hook", "route": {"quiet": {"schedule_id": "day"}}}, "route.quiet.schedule_id"),
    ],
)
async def test_one_wrong_row_keeps_all_of_them_out(site: Any, kind: str, row: dict[str, Any], field: str) -> None:
    before = await listed(site, kind)
    good: dict[str, dict[str, Any]] = {
        "tasks": {"name": "Good", "camera": "gate"},
        "rules": {"name": "Good", "kind": "tripwire", "camera": "gate", "line": [[0, 0], [1, 1]]},
        "schedules": {"name": "Good", "schedule": SCHEDULE},
        "groups": {"name": "Good"},
        "channels": {"name": "Good", "target": {"kind": "http", "url": "https://203.0.113.9/b"}},
    }
    answer = await take(site, kind, {kind: [good[kind], row]})
    assert (answer.status_code, answer.json()["code"]) == (422, "import_invalid"), answer.text
    errors = answer.json()["params"]["errors"]
    assert {error["row"] for error in errors} == {2}
    assert any(field in error["field"] for error in errors), errors
    assert await listed(site, kind) == before
    trial = await take(site, kind, {kind: [good[kind], row]}, dry_run=True)
    assert trial.status_code == 200
    assert len(trial.json()["errors"]) == len(errors)
    assert await listed(site, kind) == before


async def test_a_trial_run_saves_nothing(site: Any) -> None:
    before = await listed(site, "tasks")
    answer = await take(site, "tasks", {"tasks": [{"name": "New", "camera": "gate"}]}, dry_run=True)
    assert len(answer.json()["added"]) == 1
    assert await listed(site, "tasks") == before


@pytest.mark.parametrize("kind", KINDS)
async def test_what_is_no_such_file_is_refused(site: Any, kind: str) -> None:
    assert (await take(site, kind, "colour,size\nred,3\n")).status_code == 422
    assert (await take(site, kind, "name,name\na,b\n")).status_code == 422
    assert (await take(site, kind, {"things": []})).status_code == 422
    answer = await site.client.post(f"/api/bulk/{kind}", content="x", headers={"content-type": "text/plain"})
    assert answer.status_code == 415


async def test_a_channels_secrets_stay_while_its_address_does(site: Any) -> None:
    await take(site, "channels", {"channels": [{"id": "hook", "name": "Renamed"}]})
    (channel,) = await listed(site, "channels")
    assert (channel["name"], channel["secrets"]["authorization"]["set"]) == ("Renamed", True)
    moved = {"id": "hook", "target": {"kind": "http", "url": "https://203.0.113.10/a"}}
    assert (await take(site, "channels", {"channels": [moved]})).status_code == 200
    (channel,) = await listed(site, "channels")
    assert channel["secrets"]["authorization"]["set"] is False


async def test_who_may_not_see_all_cameras_gets_those_within_reach_and_takes_nothing_in(site: Any) -> None:
    group = (await site.client.post("/api/groups", json={"name": "Yards", "cameras": ["yard"]})).json()["id"]
    role = {"name": "Keeper", "actions": [], "grants": {group: ["cameras.edit", "rules.edit"]}}
    made = (await site.client.post("/api/roles", json=role)).json()["id"]
    headers = await site.headers_of(made)
    for kind, expected in (("tasks", "7"), ("rules", "area")):
        answer = await site.client.get(f"/api/bulk/{kind}", params={"format": "json"}, headers=headers)
        assert [row["id"] for row in answer.json()[kind]] == [expected]
        refused = await site.client.post(f"/api/bulk/{kind}", json={kind: []}, headers=headers)
        assert refused.status_code == 403


async def test_rules_and_channels_are_paged_and_narrowed(site: Any) -> None:
    async def ids(of: str, /, **params: Any) -> tuple[list[str], int]:
        page = (await site.client.get(f"/api/{of}", params=params)).json()
        return [item["id"] for item in page["items"]], page["total"]

    assert await ids("rules", limit=1, offset=1) == (["area"], 2)
    assert await ids("rules", search="NORTH") == (["line"], 1)
    assert await ids("rules", kind="zone") == (["area"], 1)
    assert await ids("rules", enabled=False) == ([], 0)
    assert await ids("channels", kind="http", search="hook") == (["hook"], 1)
    assert await ids("channels", enabled=False) == ([], 0)
    assert await ids("channels", offset=1) == ([], 1)
