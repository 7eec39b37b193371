"""Named schedules over the API: set down, named by rules and tasks, changed in one place, kept while in use."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from perishield.analysis.duties import Roster
from perishield.bus.site_file import read_site
from perishield.model.rules import rule_from_dict
from perishield.model.schedule import Schedule

NIGHT = {
    "windows": [{"days": [0, 1, 2, 3, 4, 5, 6], "start": 1320, "end": 360}],
    "timezone": "Europe/Berlin",
    "special": [{"date": "2026-12-25", "counts_as": "day_off"}],
    "day_off_like": 6,
    "working_like": 0,
}
DAY = {**NIGHT, "windows": [{"days": [0], "start": 480, "end": 1020}], "special": []}
LINE = {"id": "line", "kind": "tripwire", "camera": "gate", "name": "Line", "line": [[0.1, 0.5], [0.9, 0.5]]}
TASK = {"id": "look", "name": "Look", "camera": "gate"}
CHANNEL = {"id": "hook", "name": "Guards", "target": {"kind": "webhook", "url": "https://platform.example/hook"}}


def quiet(**hours: Any) -> dict[str, Any]:
    return {**CHANNEL, "route": {"quiet": hours}}


@pytest.fixture
async def gate(node: Any) -> Any:
    """A camera, and a schedule that nothing names."""
    await node.add_camera(id="gate")
    body = {"id": "night", "name": "Night shift", "schedule": NIGHT}
    answer = await node.client.post("/api/schedules", json=body)
    assert (answer.status_code, answer.headers["etag"]) == (201, '"1"'), answer.text
    assert answer.json() == {**body, "rules": 0, "tasks": 0, "channels": [], "revision": 1}
    return node


async def test_a_schedule_is_changed_and_removed_under_optimistic_locking(gate: Any) -> None:
    answer = await gate.client.get("/api/schedules/night")
    assert (answer.headers["etag"], answer.json()["schedule"]) == ('"1"', NIGHT)
    body = {"name": "Late shift", "schedule": DAY}
    changed = await gate.client.put("/api/schedules/night", json=body, headers={"If-Match": '"1"'})
    assert (changed.status_code, changed.headers["etag"], changed.json()["name"]) == (200, '"2"', "Late shift")
    for late in (
        await gate.client.put("/api/schedules/night", json=body, headers={"If-Match": '"1"'}),
        await gate.client.put("/api/schedules/night", json={**body, "revision": 1}),
        await gate.client.delete("/api/schedules/night", headers={"If-Match": '"1"'}),
    ):
        assert (late.status_code, late.json()["code"], late.json()["params"]["revision"]) == (412, "stale", 2)
    twice = await gate.client.post("/api/schedules", json={**body, "id": "night"})
    assert (twice.status_code, twice.json()["params"]["why"]) == (409, "id_taken")
    assert (await gate.client.delete("/api/schedules/night", headers={"If-Match": '"2"'})).status_code == 204
    for method in ("GET", "PUT", "DELETE"):
        assert (await gate.client.request(method, "/api/schedules/night", json=body)).status_code == 404
    booked = (await gate.client.get("/api/audit", params={"search": "night"})).json()["items"]
    assert {entry["action"] for entry in booked} >= {"schedule.add", "schedule.change", "schedule.remove"}


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"schedule": {"windows": []}}, "schedule.windows"),
        ({"schedule": {**NIGHT, "timezone": "Moon/Sea"}}, "schedule.timezone"),
        ({"schedule": {**NIGHT, "special": [{"date": "2026-02-30"}]}}, "schedule.special"),
        ({"schedule": None}, "schedule"),
        ({"name": " "}, "name"),
        ({"id": "Night shift"}, "id"),
        ({"hours": NIGHT}, "hours"),
    ],
)
async def test_what_makes_no_sense_is_refused_by_its_field(gate: Any, fields: dict[str, Any], field: str) -> None:
    answer = await gate.client.post("/api/schedules", json={"name": "Day", "schedule": DAY, **fields})
    assert (answer.status_code, answer.json()["params"]["field"]) == (422, field), answer.text
    assert (await gate.client.get("/api/schedules")).json()["total"] == 1


async def test_the_list_is_paged_narrowed_and_counts_what_uses_them(gate: Any) -> None:
    await gate.client.post("/api/schedules", json={"id": "day", "name": "Day shift", "schedule": DAY})
    await gate.client.post("/api/rules", json={**LINE, "schedule_id": "night"})
    await gate.client.post("/api/tasks", json={**TASK, "schedule_id": "night"})

    async def found(**params: Any) -> tuple[list[tuple[str, int, int]], int]:
        page = (await gate.client.get("/api/schedules", params=params)).json()
        return [(item["id"], item["rules"], item["tasks"]) for item in page["items"]], page["total"]

    assert await found() == ([("night", 1, 1), ("day", 0, 0)], 2)
    assert await found(limit=1, offset=1) == ([("day", 0, 0)], 2)
    assert await found(q="NIGHT") == ([("night", 1, 1)], 1)
    assert await found(q="shift", limit=1) == ([("night", 1, 1)], 2)


@pytest.mark.parametrize(("kind", "body"), [("rules", LINE), ("tasks", TASK)])
async def test_who_names_a_schedule_has_no_hours_of_its_own(gate: Any, kind: str, body: dict[str, Any]) -> None:
    both = await gate.client.post(f"/api/{kind}", json={**body, "schedule_id": "night", "schedule": DAY})
    assert both.status_code == 422, both.text
    assert (both.json()["params"]["field"], both.json()["params"]["why"]) == ("schedule_id", "two_schedules")
    for method, path in (("POST", f"/api/{kind}"), ("PUT", f"/api/{kind}/{body['id']}")):
        refused = await gate.client.request(method, path, json={**body, "schedule_id": "noon"})
        assert refused.status_code == 422, refused.text
        assert refused.json()["params"] == {"field": "schedule_id", "why": "no_schedule", "name": "noon"}
        answer = await gate.client.request(method, path, json={**body, "schedule_id": "night"})
        assert (answer.json()["schedule"], answer.json()["schedule_id"]) == (None, "night"), answer.text
    own = (await gate.client.put(f"/api/{kind}/{body['id']}", json={**body, "schedule": DAY})).json()
    assert (own["schedule"]["windows"], own["schedule_id"]) == (DAY["windows"], None)


async def test_a_channel_names_schedules_for_its_hours_and_its_quiet_ones(gate: Any) -> None:
    for route, field, why in (
        ({"schedule_id": "night", "schedule": DAY}, "route.schedule_id", "two_schedules"),
        ({"quiet": {"schedule_id": "night", "schedule": DAY}}, "route.quiet.schedule_id", "two_schedules"),
        ({"schedule_id": "Night shift"}, "route.schedule_id", None),
        ({"quiet": {"then": "drop"}}, "route.quiet", None),
    ):
        refused = await gate.client.post("/api/channels", json={**CHANNEL, "route": route})
        assert refused.status_code == 422, refused.text
        params = refused.json()["params"]
        assert (params["field"], params.get("why")) == (field, why)
    for method, path in (("POST", "/api/channels"), ("PUT", "/api/channels/hook")):
        for route, field in (
            ({"schedule_id": "noon"}, "route.schedule_id"),
            ({"quiet": {"schedule_id": "noon"}}, "route.quiet.schedule_id"),
        ):
            refused = await gate.client.request(method, path, json={**CHANNEL, "route": route})
            assert refused.status_code == 422, refused.text
            assert refused.json()["params"] == {"field": field, "why": "no_schedule", "name": "noon"}
            assert "there is no schedule 'noon'" in refused.json()["detail"]
        wanted = {"schedule_id": "night", "quiet": {"schedule_id": "night"}}
        answer = await gate.client.request(method, path, json={**CHANNEL, "route": wanted})
        route = answer.json()["route"]
        assert (route["schedule"], route["schedule_id"]) == (None, "night"), answer.text
        assert (route["quiet"]["schedule"], route["quiet"]["schedule_id"]) == (None, "night")
    own = (await gate.client.put("/api/channels/hook", json=quiet(schedule=DAY))).json()["route"]["quiet"]
    assert (own["schedule"]["windows"], own["schedule_id"]) == (DAY["windows"], None)


async def test_a_schedule_that_channels_name_stays_and_says_for_what(gate: Any) -> None:
    wanted = {"schedule_id": "night", "quiet": {"schedule_id": "night"}}
    made = await gate.client.post("/api/channels", json={**CHANNEL, "route": wanted})
    assert made.status_code == 201, made.text
    await gate.client.post("/api/channels", json={**quiet(schedule_id="night"), "id": "late", "name": "Late"})
    uses = [
        {"id": "hook", "name": "Guards", "parts": ["route", "quiet"]},
        {"id": "late", "name": "Late", "parts": ["quiet"]},
    ]
    (night,) = (await gate.client.get("/api/schedules")).json()["items"]
    assert (night["channels"], night["rules"]) == (uses, 0)
    before = gate.services.site.site.revision
    changed = await gate.client.put("/api/schedules/night", json={"name": "Night shift", "schedule": DAY})
    assert (changed.status_code, changed.json()["channels"]) == (200, uses)
    assert gate.services.site.site.revision == before, "channels are no part of the site"
    assert (await gate.client.get("/api/channels/hook")).headers["etag"] == '"1"'
    refused = await gate.client.delete("/api/schedules/night")
    assert (refused.status_code, refused.json()["code"]) == (409, "in_use")
    told = "in use by hours and quiet hours of channel 'Guards', quiet hours of channel 'Late'"
    assert told in refused.json()["detail"]
    params = refused.json()["params"]
    assert (params["channels"], params["names"], params["count"]) == (["hook", "late"], "Guards, Late", 2)
    await gate.client.put("/api/channels/hook", json=CHANNEL)
    await gate.client.delete("/api/channels/late")
    assert (await gate.client.delete("/api/schedules/night")).status_code == 204


async def test_channels_are_named_to_those_who_may_change_them_or_schedules(gate: Any) -> None:
    await gate.client.post("/api/channels", json=quiet(schedule_id="night"))
    for action, seen in (("live.view", 0), ("channels.edit", 1), ("rules.edit", 1)):
        role = {"name": action, "actions": ["system.view", action]}
        made = (await gate.client.post("/api/roles", json=role)).json()["id"]
        headers = await gate.headers_of(made)
        (night,) = (await gate.client.get("/api/schedules", headers=headers)).json()["items"]
        assert len(night["channels"]) == seen, action


async def test_a_change_reaches_the_workers_at_once_and_leaves_the_rules_revision(gate: Any) -> None:
    await gate.client.post("/api/rules", json={**LINE, "schedule_id": "night"})
    await gate.client.post("/api/tasks", json={**TASK, "schedule_id": "night"})
    for hours in (NIGHT, DAY):
        body = {"name": "Shift", "schedule": hours}
        assert (await gate.client.put("/api/schedules/night", json=body)).status_code == 200
        site = read_site(gate.folder / "site.json")
        assert site is not None
        rule = rule_from_dict(site.rules[0])
        assert (rule.schedule, rule.schedule_id) == (msgspec.convert(hours, Schedule), None)
        roster = Roster()
        roster.follow(site)
        assert [task.schedule for task in roster.tasks] == [rule.schedule]
    assert (await gate.client.get("/api/rules/line")).json()["revision"] == 1
    before = gate.services.site.site.revision
    await gate.client.post("/api/schedules", json={"id": "idle", "name": "Idle", "schedule": DAY})
    await gate.client.put("/api/schedules/idle", json={"name": "Idle", "schedule": NIGHT})
    assert gate.services.site.site.revision == before, "nothing goes by it, nothing to publish"


async def test_a_schedule_in_use_stays_and_names_what_uses_it(gate: Any) -> None:
    await gate.client.post("/api/rules", json={**LINE, "schedule_id": "night"})
    await gate.client.post("/api/tasks", json={**TASK, "schedule_id": "night"})
    refused = await gate.client.delete("/api/schedules/night")
    assert (refused.status_code, refused.json()["code"]) == (409, "in_use")
    assert "rule 'Line' of camera 'gate', task 'Look' of camera 'gate'" in refused.json()["detail"]
    params = refused.json()["params"]
    assert (params["rules"], params["tasks"], params["names"]) == (["line"], ["look"], "Line, Look")
    await gate.client.delete("/api/rules/line")
    await gate.client.put("/api/tasks/look", json=TASK)
    assert (await gate.client.delete("/api/schedules/night")).status_code == 204


async def test_who_sees_some_cameras_reads_schedules_and_names_them_but_changes_none(gate: Any) -> None:
    await gate.add_camera(id="yard", name="Yard")
    await gate.client.post("/api/rules", json={**LINE, "schedule_id": "night"})
    group = (await gate.client.post("/api/groups", json={"name": "Yards", "cameras": ["yard"]})).json()["id"]
    role = {"name": "Yard keeper", "actions": [], "grants": {group: ["rules.edit"]}}
    made = (await gate.client.post("/api/roles", json=role)).json()["id"]
    headers = await gate.headers_of(made)
    me = (await gate.client.get("/api/auth/me", headers=headers)).json()
    assert (me["actions"], me["everywhere"]) == (["rules.edit", "system.view"], []), (
        "the console offers no change of schedules"
    )
    page = (await gate.client.get("/api/schedules", headers=headers)).json()["items"]
    assert [(item["id"], item["rules"]) for item in page] == [("night", 0)], "its rules lie out of reach"
    body = {**LINE, "id": "mine", "camera": "yard", "schedule_id": "night"}
    assert (await gate.client.post("/api/rules", json=body, headers=headers)).status_code == 201
    one = (await gate.client.get("/api/schedules/night", headers=headers)).json()
    assert one["rules"] == 1
    for method, path in (("POST", ""), ("PUT", "/night"), ("DELETE", "/night")):
        refused = await gate.client.request(
            method, f"/api/schedules{path}", json={"name": "x", "schedule": DAY}, headers=headers
        )
        assert (refused.status_code, refused.json()["params"]["why"]) == (403, "needs_everywhere"), path
    files = await gate.client.get("/api/bulk/schedules", params={"format": "json"}, headers=headers)
    assert [row["id"] for row in files.json()["schedules"]] == ["night"]
    taken = await gate.client.post("/api/bulk/schedules", json={"schedules": []}, headers=headers)
    assert taken.status_code == 403


async def test_a_trial_goes_by_the_hours_that_its_draft_names(gate: Any) -> None:
    draft = {name: value for name, value in LINE.items() if name not in ("id", "camera")}
    span = {"camera": "gate", "from": "2026-09-01T00:00:00Z", "to": "2026-09-01T01:00:00Z"}
    trial = {**span, "rule": {**draft, "camera": "gate", "schedule_id": "noon"}}
    refused = await gate.client.post("/api/shadow", json=trial)
    assert (refused.status_code, refused.json()["params"]["field"]) == (422, "rule.schedule_id")
    trial["rule"]["schedule_id"] = "night"
    answer = await gate.client.post("/api/shadow", json=trial)
    assert answer.status_code == 201, answer.text
    job = gate.services.shadow.get(answer.json()["id"])
    (rule,) = job.order.rules
    assert (rule["schedule"]["timezone"], rule["schedule_id"]) == ("Europe/Berlin", None)
    await gate.services.shadow.remove(job.id)
