"""What guards do with alarms, over HTTP: steps, comments, many at once, who may, and who was faster."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import httpx
import msgspec
import pytest
from sqlalchemy import select

from perishield.alarms.intake import raise_alarm
from perishield.bus.codec import encode
from perishield.bus.spool import Spool
from perishield.model.access import EVERYTHING, SITEWIDE, Reach
from perishield.model.alarms import Event
from perishield.store.alarms import add_alarm
from perishield.store.tables import AuditTable

MakeEvent = Callable[..., Event]
ANY = {"If-Match": "*"}


def code_of(answer: httpx.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    return answer.status_code, answer.json()["code"]


@pytest.fixture
def raised(node: Any, make_event: MakeEvent) -> Callable[..., Any]:
    async def run(*names: str, group: str = "", **fields: Any) -> None:
        async with node.services.database.write() as session:
            for name in names:
                alarm = raise_alarm(make_event(name, **fields), "Gate", 1_790_000_001.0)
                await add_alarm(session, replace(alarm, group=group or name))

    return run


async def actions(node: Any) -> list[dict[str, Any]]:
    async with node.services.database.read() as session:
        found = await session.scalars(select(AuditTable.content).order_by(AuditTable.number))
        return [msgspec.json.decode(content) for content in found]


async def test_an_alarm_goes_its_way_and_all_of_it_is_written_down(node: Any, raised: Any) -> None:
    await raised("e1")
    shown = await node.client.get("/api/alarms/e1")
    assert (shown.headers["etag"], shown.json()["allowed"]) == ('"1"', ["acknowledge", "confirm", "dismiss"])
    taken = await node.client.post("/api/alarms/e1/acknowledge", headers={"If-Match": shown.headers["etag"]})
    assert (taken.status_code, taken.headers["etag"], taken.json()["state"]) == (200, '"2"', "acknowledged")
    mine = await node.client.post("/api/alarms/e1/assign", json={"assignee": "me"}, headers={"If-Match": '"2"'})
    assert mine.json()["assignee"]["name"] == "admin"
    said = await node.client.post("/api/alarms/e1/comments", json={"comment": "  on my way "})
    assert (said.status_code, said.json()["comments"], said.json()["revision"]) == (201, 1, 3)
    away = await node.client.post(
        "/api/alarms/e1/dismiss", json={"reason": "animal", "comment": "a fox"}, headers={"If-Match": '"3"'}
    )
    assert (away.json()["verdict"], away.json()["reason"], away.json()["decided"] is None) == (
        "dismissed",
        "animal",
        False,
    )
    done = await node.client.post("/api/alarms/e1/close", headers={"If-Match": '"4"'})
    assert (done.json()["state"], done.json()["verdict"], done.json()["allowed"]) == ("closed", "dismissed", [])
    told = (await node.client.get("/api/alarms/e1/history")).json()
    assert [one["kind"] for one in told["items"]] == [
        "raised", "transition", "assigned", "comment", "transition", "transition",
    ]  # fmt: skip
    assert [one["number"] for one in told["items"]] == [1, 2, 3, 4, 5, 6]
    comments = (await node.client.get("/api/alarms/e1/comments")).json()
    assert [(one["body"]["comment"], one["body"]["by_name"]) for one in comments["items"]] == [
        ("on my way", "admin"),
        ("a fox", "admin"),
    ]
    audit = [one for one in await actions(node) if one["action"].startswith("alarm.") and one["action"] != "alarm.view"]
    assert [one["action"] for one in audit] == [
        "alarm.acknowledge", "alarm.assign", "alarm.comment", "alarm.dismiss", "alarm.close",
    ]  # fmt: skip
    assert {(one["target"], one["camera"], one["actor_name"]) for one in audit} == {("e1", "gate", "admin")}
    assert audit[3]["detail"] == {"reason": "animal"}


async def test_what_is_not_allowed_is_refused_with_the_reason(node: Any, raised: Any) -> None:
    await raised("e1")

    async def post(step: str, body: dict[str, Any] | None = None, headers: dict[str, str] = ANY) -> tuple[int, str]:
        return code_of(await node.client.post(f"/api/alarms/e1/{step}", json=body, headers=headers))

    assert await post("close") == (409, "alarm_state")
    assert await post("reopen", {"comment": "why"}) == (409, "alarm_state")
    assert await post("dismiss", {}) == (422, "invalid")
    assert await post("dismiss", {"reason": "boredom"}) == (422, "invalid")
    assert await post("dismiss", {"reason": "other", "comment": "   "}) == (422, "alarm_comment")
    assert await post("acknowledge", {"comment": "x" * 4001}) == (422, "invalid")
    assert await post("acknowledge", {"reason": "animal"}) == (422, "invalid")
    assert await post("assign", {"assignee": "nobody-here"}) == (422, "invalid")
    assert await post("comments", {"comment": " "}) == (422, "invalid")
    assert await post("acknowledge", headers={}) == (428, "revision_needed")
    assert await post("acknowledge", headers={"If-Match": '"2"'}) == (412, "stale")
    assert await post("acknowledge", headers={"If-Match": "yesterday"}) == (422, "invalid")
    gone = await node.client.post("/api/alarms/none/acknowledge", headers=ANY)
    assert code_of(gone) == (404, "not_found")
    shown = (await node.client.get("/api/alarms/e1")).json()
    assert (shown["state"], shown["revision"], shown["comments"]) == ("new", 1, 0)
    assert (await node.client.get("/api/alarms/e1/history")).json()["total"] == 1


async def test_of_two_guards_at_once_one_is_too_late(node: Any, raised: Any) -> None:
    await raised("e1")
    answers = await asyncio.gather(
        node.client.post("/api/alarms/e1/confirm", headers={"If-Match": '"1"'}),
        node.client.post("/api/alarms/e1/dismiss", json={"reason": "light"}, headers={"If-Match": '"1"'}),
    )
    assert sorted(answer.status_code for answer in answers) == [200, 412]


async def test_many_at_once_each_with_its_own_outcome(node: Any, raised: Any) -> None:
    await raised("e1", "e2", "e3")
    await node.client.post("/api/alarms/e2/confirm", headers=ANY)
    body = {"step": "acknowledge", "ids": ["e1", "e2", "none", "e3", "e1"], "revisions": {"e3": 9}}
    answer = (await node.client.post("/api/alarms/bulk", json=body)).json()
    assert [(one["id"], one["done"], one["code"]) for one in answer["items"]] == [
        ("e1", True, ""),
        ("e2", False, "alarm_state"),
        ("none", False, "not_found"),
        ("e3", False, "stale"),
    ]
    assert answer["done"] == 1
    assert answer["items"][0]["alarm"]["state"] == "acknowledged"
    assigned = await node.client.post(
        "/api/alarms/bulk", json={"step": "assign", "ids": ["e1", "e2"], "assignee": "me"}
    )
    assert assigned.json()["done"] == 2
    found = (await node.client.get("/api/alarms?assignee=me")).json()
    assert {one["id"] for one in found["items"]} == {"e1", "e2"}
    for wrong in ({"step": "close"}, {"step": "close", "ids": ["e1"], "group": "e1"}, {"step": "fly", "ids": ["e1"]},
                  {"step": "close", "ids": [f"e{number}" for number in range(501)]}):  # fmt: skip
        assert code_of(await node.client.post("/api/alarms/bulk", json=wrong)) == (422, "invalid")
    assert [one["detail"] for one in await actions(node) if one["action"] == "alarm.acknowledge"] == [{"bulk": 4}]


async def test_an_intrusion_is_one_row_and_one_decision(node: Any, raised: Any) -> None:
    await raised("a1", "a2", "a3", group="a1")
    await raised("b1")
    page = (await node.client.get("/api/alarms?grouped=true")).json()
    assert [(one["id"], one["intrusion"]["id"], one["intrusion"]["count"]) for one in page["items"]] == [
        ("b1", "b1", 1),
        ("a3", "a1", 3),
    ]
    assert (page["total"], page["total_exact"]) == (2, True)
    members = (await node.client.get("/api/alarms?group=a1")).json()
    assert [one["id"] for one in members["items"]] == ["a3", "a2", "a1"]
    assert members["items"][0]["intrusion"] is None
    body = {"step": "dismiss", "group": "a1", "reason": "animal"}
    assert (await node.client.post("/api/alarms/bulk", json=body)).json()["done"] == 3
    left = (await node.client.get("/api/alarms?grouped=true&state=new")).json()
    assert [one["id"] for one in left["items"]] == ["b1"]


async def test_lists_are_narrowed_by_life_and_by_name(node: Any, raised: Any) -> None:
    await node.add_camera(id="gate", name="Südtor")
    await raised("e1")
    await raised("e2", camera="yard")
    await node.client.post("/api/alarms/e2/dismiss", json={"reason": "light"}, headers=ANY)

    async def ids(query: str) -> list[str]:
        return [one["id"] for one in (await node.client.get(f"/api/alarms?{query}")).json()["items"]]

    assert await ids("state=new") == ["e1"]
    assert await ids("verdict=dismissed") == ["e2"]
    assert await ids("verdict=") == ["e1"]
    assert await ids("reason=light") == ["e2"]
    assert await ids("reason=animal") == []
    assert await ids("q=SÜD") == ["e1"]
    assert await ids("q=nord") == []
    assert await ids("assignee=none") == ["e2", "e1"]
    for wrong in ("state=lost", "verdict=perhaps", "reason=light&verdict=confirmed", "q=" + "x" * 101):
        assert code_of(await node.client.get(f"/api/alarms?{wrong}")) == (422, "invalid")


async def test_who_only_looks_changes_nothing(node: Any, raised: Any) -> None:
    await raised("e1")
    node.client.headers.update(await node.headers_of("viewer"))
    assert (await node.client.get("/api/alarms/e1")).status_code == 200
    for path, body in (
        ("acknowledge", None), ("dismiss", {"reason": "light"}), ("comments", {"comment": "x"}),
        ("assign", {"assignee": ""}),
    ):  # fmt: skip
        answer = await node.client.post(f"/api/alarms/e1/{path}", json=body, headers=ANY)
        assert code_of(answer) == (403, "forbidden"), path
    bulk = await node.client.post("/api/alarms/bulk", json={"step": "confirm", "ids": ["e1"]})
    assert code_of(bulk) == (403, "forbidden")
    step = {"name": "x", "levels": [1], "after_s": 60}
    assert code_of(await node.client.post("/api/escalation", json=step)) == (403, "forbidden")


async def test_cameras_beyond_reach_do_not_exist(node: Any, raised: Any) -> None:
    await raised("mine", camera="gate", group="mine")
    await raised("theirs", camera="yard", group="mine")
    await node.add_camera()
    made = await node.client.post("/api/groups", json={"name": "North", "kind": "site", "cameras": ["gate"]})
    grants = {made.json()["id"]: sorted(EVERYTHING - SITEWIDE)}
    role = await node.client.post("/api/roles", json={"name": "North", "actions": [], "grants": grants})
    node.client.headers.update(await node.headers_of(role.json()["id"]))
    page = (await node.client.get("/api/alarms?grouped=true")).json()
    assert [(one["id"], one["intrusion"]["count"]) for one in page["items"]] == [("mine", 1)]
    assert (await node.client.get("/api/alarms")).json()["total"] == 1
    assert (await node.client.get("/api/alarms?camera=yard")).json() == {
        "items": [], "total": 0, "total_exact": True, "next": None,
    }  # fmt: skip
    for path in ("", "/history", "/comments"):
        assert code_of(await node.client.get(f"/api/alarms/theirs{path}")) == (404, "not_found")
    for path, body in (("confirm", None), ("comments", {"comment": "x"}), ("assign", {"assignee": ""})):
        answer = await node.client.post(f"/api/alarms/theirs/{path}", json=body, headers=ANY)
        assert code_of(answer) == (404, "not_found")
    bulk = (await node.client.post("/api/alarms/bulk", json={"step": "confirm", "group": "mine"})).json()
    assert [one["id"] for one in bulk["items"]] == ["mine"]
    bulk = (await node.client.post("/api/alarms/bulk", json={"step": "confirm", "ids": ["theirs"]})).json()
    assert [one["code"] for one in bulk["items"]] == ["not_found"]
    sums = (await node.client.get("/api/statistics/alarms?from=2026-09-01T00:00:00Z&to=2026-10-01T00:00:00Z")).json()
    assert (sums["total"], [one["id"] for one in sums["by_camera"]]) == (1, ["gate"])
    other = "/api/statistics/alarms?camera=yard&from=2026-09-01T00:00:00Z&to=2026-10-01T00:00:00Z"
    assert (await node.client.get(other)).json()["total"] == 0
    table = await node.client.get("/api/alarms/export")
    assert "theirs" not in table.text
    assert "mine" in table.text


async def test_listeners_hear_of_every_change(node: Any, raised: Any) -> None:
    await raised("e1", "e2")
    with node.services.push.listening(Reach(EVERYTHING)) as listener:
        listener.narrow(frozenset({"alarms"}), None)
        await node.client.post("/api/alarms/e1/confirm", headers=ANY)
        await node.client.post("/api/alarms/e1/comments", json={"comment": "x"})
        await node.client.post("/api/alarms/bulk", json={"step": "acknowledge", "ids": ["e1", "e2"]})
        heard = [json.loads(await listener.next()) for _ in range(len(listener))]
    assert [(one["type"], one["data"]["id"], one["data"]["state"]) for one in heard] == [
        ("alarm_update", "e1", "confirmed"),
        ("alarm_update", "e1", "confirmed"),
        ("alarm_update", "e2", "acknowledged"),
    ]


async def test_escalation_is_set_up_and_works(node: Any, make_event: MakeEvent) -> None:
    step = {"name": "Supervisor", "levels": [2, 1, 2], "after_s": 10, "to_level": 1, "to_role": "supervisor"}
    added = await node.client.post("/api/escalation", json=step)
    assert (added.status_code, added.json()["levels"], added.json()["revision"]) == (201, [1, 2], 1)
    where = f"/api/escalation/{added.json()['id']}"
    changed = await node.client.put(where, json={**step, "after_s": 20, "revision": 1})
    assert (changed.json()["after_s"], changed.json()["revision"]) == (20, 2)
    assert code_of(await node.client.put(where, json={**step, "revision": 1})) == (412, "stale")
    again = await node.client.put(where, json=step, headers={"If-Match": '"1"'})
    assert (code_of(again), again.json()["params"]["revision"]) == ((412, "stale"), 2)
    for wrong in ({"levels": []}, {"levels": [5]}, {"after_s": 1}, {"name": " "}, {"to_level": 9}):
        assert code_of(await node.client.post("/api/escalation", json={**step, **wrong})) == (422, "invalid")
    assert (await node.client.get("/api/escalation")).json()["total"] == 1
    assert (await node.client.delete(where)).status_code == 204
    assert code_of(await node.client.delete(where)) == (404, "not_found")
    told = [one["action"] for one in await actions(node) if one["action"].startswith("escalation.")]
    assert told == ["escalation.add", "escalation.change", "escalation.remove"]


async def test_events_of_one_track_arrive_as_one_intrusion(node: Any, make_event: MakeEvent) -> None:
    spool = Spool(node.folder / "spool" / "events.db")
    for name, wall in (("e1", 0.0), ("e2", 5.0)):
        event = make_event(name, wall=1_790_000_000.0 + wall)
        spool.put(event.id, encode(event))

    async def stored() -> bool:
        found: int = (await node.client.get("/api/alarms")).json()["total"]
        return found == 2

    await node.until(stored)
    spool.close()
    (row,) = (await node.client.get("/api/alarms?grouped=true")).json()["items"]
    assert (row["id"], row["intrusion"]["count"], row["group"]) == ("e2", 2, "e1")
