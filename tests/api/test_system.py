"""What the node says of itself."""

from __future__ import annotations

from typing import Any

from perishield.bus import topics


async def test_the_recorders_trouble_with_the_disk_is_shown_and_its_end_too(node: Any) -> None:
    assert (await node.client.get("/api/system")).json()["pressure"] == {"level": 0, "queued_bytes": 0, "message": ""}
    for told in (
        topics.StoragePressure(level=3, queued_bytes=9_000_000, message="the disk is slow"),
        topics.StoragePressure(level=0),
    ):

        async def shown(told: topics.StoragePressure = told) -> bool:
            # A peer that has just bound is not connected at once: say it until it got through.
            node.peer.publish(topics.PRESSURE, "", told)
            found = (await node.client.get("/api/system")).json()["pressure"]
            return bool(found == {"level": told.level, "queued_bytes": told.queued_bytes, "message": told.message})

        await node.until(shown)
