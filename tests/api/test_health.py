"""Camera health and what was held back, from the bus to store, REST, WebSocket listeners and metrics."""

from __future__ import annotations

import time
from typing import Any

from perishield.bus import topics
from perishield.model.doubts import Doubt, Sample, Suppressed
from perishield.model.health import Ailment, HealthReport, Spell


async def test_a_spell_is_told_stored_and_ended(node: Any) -> None:
    await node.add_camera(name="Gate")
    spell = Spell(id="a1", camera="gate", ailment=Ailment.COVERED, began=time.time())
    ill = HealthReport(camera="gate", spells=(spell,), ready=True, looked=7, cpu_s=0.5)

    async def told(report: HealthReport, items: int, over: bool) -> bool:
        node.peer.publish(topics.HEALTH, "gate", report)
        body = (await node.client.get("/api/cameras/gate/health")).json()
        return len(body["items"]) == items and all((item["ended"] is not None) == over for item in body["items"])

    await node.until(lambda: told(ill, 1, over=False))
    now = (await node.client.get("/api/cameras/gate/health")).json()["now"]
    assert now["watched"]
    assert [one["ailment"] for one in now["spells"]] == ["covered"]
    page = (await node.client.get("/metrics")).text
    assert 'perishield_camera_ailment{ailment="covered",camera="gate"} 1.0' in page
    await node.until(lambda: told(HealthReport(camera="gate", ready=True), 1, over=True))
    assert (await node.client.get("/api/cameras/nowhere/health")).status_code == 404


async def test_what_was_held_back_is_counted_and_shown(node: Any) -> None:
    await node.add_camera(name="Gate")
    sample = Sample(
        doubt=Doubt.STILL,
        wall=time.time(),
        track=4,
        label="person",
        score=0.7,
        box=(0.1, 0.2, 0.3, 0.4),
        jpeg=b"\xff\xd8\xff",
    )
    told = Suppressed(camera="gate", counts={"still": 3}, since=time.time(), samples=(sample,))

    async def heard() -> bool:
        node.peer.publish(topics.SUPPRESSED, "gate", told)
        body = (await node.client.get("/api/cameras/gate/suppressed")).json()
        return bool(body["counts"] == {"still": 3} and body["samples"])

    await node.until(heard)
    shown = (await node.client.get("/api/cameras/gate/suppressed")).json()["samples"][0]
    assert shown["doubt"] == "still"
    assert shown["picture"].startswith("data:image/jpeg;base64,")


async def test_doubts_and_health_are_settings_of_a_camera(node: Any) -> None:
    added = await node.add_camera(
        name="Gate",
        analysis={"doubts": {"ignored": ["sway"]}, "health": {"level": 2, "ignored": ["moved"]}, "livestock": True},
    )
    assert added["analysis"]["doubts"] == {"enabled": True, "ignored": ["sway"]}
    assert added["analysis"]["health"] == {"enabled": True, "ignored": ["moved"], "level": 2}
    # A client that knows nothing of them leaves them alone.
    body = {"name": "Gate", "url": added["url"], "analysis": {"fps": 5}}
    kept = (await node.client.put("/api/cameras/gate", json=body)).json()
    assert kept["analysis"]["doubts"]["ignored"] == ["sway"]
    assert kept["analysis"]["livestock"] is True
    assert kept["analysis"]["health"]["level"] == 2
    refused = await node.client.put("/api/cameras/gate", json={**body, "analysis": {"health": {"level": 9}}})
    assert refused.status_code == 422
