"""Channels over the API: secrets go in and never out, changes are audited, tests tell the truth."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

sys.path.insert(0, str(Path(__file__).parent.parent / "alarms"))

from receivers import DingTalkRobot, Receiver, Reply

from perishield.bus import topics
from perishield.bus.codec import encode
from perishield.bus.spool import Spool
from perishield.bus.topics import EventQueued
from perishield.model.alarms import Event
from perishield.store.tables import AuditTable

TOKEN = "s3cret-token-value"


def hook(url: str, **more: Any) -> dict[str, Any]:
    return {"name": "Hook", "target": {"kind": "webhook", "url": url, "reach": "host"}, **more}


async def raise_one(node: Any, event: Event) -> None:
    """An event on the way that it has in operation."""
    spool = Spool(node.folder / "spool" / "events.db")
    spool.put(event.id, encode(event))
    spool.close()
    node.peer.publish(topics.EVENTS, event.camera, EventQueued(event.id))


async def test_secrets_go_in_and_never_come_out(node: Any) -> None:
    body = {
        "id": "ding",
        "name": "Guards",
        "target": {"kind": "dingtalk"},
        "secrets": {"token": TOKEN, "secret": "SEC9"},
    }
    added = await node.client.post("/api/channels", json=body)
    assert added.status_code == 201, added.text
    assert added.json()["secrets"] == {"token": {"set": True}, "secret": {"set": True}}
    assert added.headers["etag"] == '"1"'
    changed = await node.client.put("/api/channels/ding", json={**body, "secrets": {"secret": None}})
    assert changed.json()["secrets"] == {"token": {"set": True}, "secret": {"set": False}}
    for answer in (
        added,
        changed,
        await node.client.get("/api/channels/ding"),
        await node.client.get("/api/channels"),
        await node.client.post("/api/channels", json=body),
    ):
        assert TOKEN not in answer.text
        assert "SEC9" not in answer.text
    async with node.services.database.read() as session:
        audit = [row.content.decode() for row in await session.scalars(select(AuditTable))]
    assert [json.loads(row)["action"] for row in audit][-2:] == ["channel.add", "channel.change"]
    assert not any(TOKEN in row or "SEC9" in row for row in audit)


async def test_a_whole_address_pasted_as_the_vendor_shows_it_will_do(node: Any) -> None:
    pasted = f"https://oapi.dingtalk.com/robot/send?access_token={TOKEN}"
    body = {"id": "d", "name": "D", "target": {"kind": "dingtalk"}, "secrets": {"token": pasted}}
    assert (await node.client.post("/api/channels", json=body)).status_code == 201
    async with Receiver(DingTalkRobot(token=TOKEN)).running() as receiver:
        moved = {**body, "target": {"kind": "dingtalk", "url": receiver.url, "reach": "host"}}
        refused = await node.client.put("/api/channels/d", json={**moved, "secrets": {}})
        assert refused.status_code == 422, "a secret does not move to another address by itself"
        assert (await node.client.put("/api/channels/d", json=moved)).status_code == 200
        trial = (await node.client.post("/api/channels/d/test")).json()
        assert (trial["accepted"], trial["answer"]) == (True, '{"errcode": 0, "errmsg": "ok"}')


async def test_a_test_tells_the_receivers_true_answer(node: Any) -> None:
    async with Receiver(lambda _: Reply(403, b"go away")).running() as receiver:
        added = (await node.client.post("/api/channels", json=hook(receiver.url))).json()
        trial = (await node.client.post(f"/api/channels/{added['id']}/test")).json()
    assert (trial["accepted"], trial["status"], trial["answer"]) == (False, 403, "go away")
    assert trial["outcome"] == "setup"


async def test_two_editors_do_not_undo_each_other(node: Any) -> None:
    made = await node.client.post("/api/channels", json=hook("http://127.0.0.1:9", id="h"))
    tag = made.headers["etag"]
    first = await node.client.put("/api/channels/h", json=hook("http://127.0.0.1:8"), headers={"if-match": tag})
    assert first.status_code == 200
    second = await node.client.put("/api/channels/h", json=hook("http://127.0.0.1:7"), headers={"if-match": tag})
    assert (second.status_code, second.json()["code"]) == (412, "stale")
    assert (await node.client.delete("/api/channels/h", headers={"if-match": tag})).status_code == 412
    assert (await node.client.delete("/api/channels/h", headers={"if-match": first.headers["etag"]})).status_code == 204
    assert (await node.client.get("/api/channels/h")).status_code == 404


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"target": {"kind": "pigeon"}}, "target.kind"),
        ({"target": {"kind": "webhook", "url": "ftp://x"}}, "target.url"),
        ({"target": {"kind": "webhook", "url": "http://u:p@x.example/"}}, "target.url"),
        ({"target": {"kind": "webhook", "url": "http://x.example/", "tiemout_s": 3}}, "target"),
        ({"target": {"kind": "http", "url": "http://x.example/", "body": {"a": "{{alarm.idd}}"}}}, "target.body"),
        ({"target": {"kind": "http", "url": "http://x.example/", "headers": {"Host": "y"}}}, "target.headers"),
        ({"target": {"kind": "http", "url": "http://x.example/", "signature": "hmac"}}, "secrets.secret"),
        ({"target": {"kind": "dingtalk"}}, "secrets"),
        ({"target": {"kind": "email", "host": "m", "sender": "a@b.c", "to": []}}, "target.to"),
        ({"target": {"kind": "mqtt", "host": "m", "base": "a/#"}}, "target.base"),
        ({"route": {"levels": [0]}}, "route.levels"),
        ({"route": {"kinds": ["ufo"]}}, "route.kinds"),
        ({"route": {"schedule": {"windows": []}}}, "route.schedule"),
        ({"timezone": "Mars/Base"}, "timezone"),
        ({"pace": {"digest_after": 5}}, "pace.digest_after"),
        ({"route": {"quiet": {"schedule": {"windows": [{"days": [0]}]}, "then": "digest"}}}, "route.quiet.then"),
        ({"pace": {"per_minute": 0}}, "pace.per_minute"),
        ({"secrets": {"pin": "1"}}, "secrets"),
        ({"secrets": {"secret": "not standard"}}, "secrets.secret"),
    ],
)
async def test_what_cannot_work_is_refused_by_field(node: Any, change: dict[str, Any], field: str) -> None:
    answer = await node.client.post("/api/channels", json={**hook("http://x.example/"), **change})
    assert answer.status_code == 422, answer.text
    assert answer.json()["params"]["field"] == field


async def test_a_page_behind_what_no_database_can_count_is_refused(node: Any) -> None:
    assert (await node.client.get("/api/deliveries", params={"before": 2**63})).status_code == 422
    assert (await node.client.get("/api/deliveries", params={"before": 2**63 - 1})).status_code == 200


async def test_an_alarm_goes_from_the_spool_to_the_receiver_and_shows_in_the_log(
    node: Any, make_event: Callable[..., Event]
) -> None:
    fails = True
    async with Receiver(lambda _: Reply(400 if fails else 200, b"thanks")).running() as receiver:
        assert (await node.client.post("/api/channels", json=hook(receiver.url, id="h"))).status_code == 201
        await raise_one(node, make_event("e1"))
        await receiver.reach(1)

        async def state() -> str:
            items = (await node.client.get("/api/deliveries", params={"alarm": "e1"})).json()["items"]
            return str(items[0]["state"]) if items else ""

        async def dead() -> bool:
            return await state() == "dead"

        async def delivered() -> bool:
            return await state() == "delivered"

        await node.until(dead)
        only = (await node.client.get("/api/deliveries", params={"state": "dead"})).json()["items"][0]
        assert (only["status"], only["answer"], only["topic"], only["key"]) == (400, "thanks", "raised", "h.e1.raised")
        fails = False
        assert (await node.client.post(f"/api/deliveries/{only['number']}/retry")).json()["state"] == "waiting"
        await node.until(delivered)
        assert (await node.client.post(f"/api/deliveries/{only['number']}/retry")).status_code == 409
        assert (await node.client.post("/api/channels/h/retry")).json() == {"retried": 0}
        data = receiver.requests[0].json["data"]
        assert data["url"] == "http://testserver/alarms/e1"
        figures = (await node.client.get("/metrics")).text
    assert 'perishield_deliveries{channel="h",state="delivered"} 1.0' in figures
    assert 'perishield_delivery_tries_total{channel="h",outcome="content"} 1.0' in figures


async def test_a_page_of_deliveries_leads_to_the_next(node: Any, make_event: Callable[..., Event]) -> None:
    body = hook("http://127.0.0.1:9", id="h", enabled=True)
    assert (await node.client.post("/api/channels", json=body)).status_code == 201
    for number in range(5):
        await raise_one(node, make_event(f"e{number}"))

    async def all_there() -> bool:
        return len((await node.client.get("/api/deliveries")).json()["items"]) == 5

    await node.until(all_there)
    page = (await node.client.get("/api/deliveries", params={"limit": 3})).json()
    rest = (await node.client.get("/api/deliveries", params={"limit": 3, "before": page["next"]})).json()
    assert [one["alarm"] for one in page["items"] + rest["items"]] == ["e4", "e3", "e2", "e1", "e0"]
    assert rest["next"] is None
