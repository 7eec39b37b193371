"""The example of the integration guide, run as it is written: receiver, channel, alarm, clip."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from perishield.alarms.intake import raise_alarm
from perishield.model.alarms import ClipState, Event
from perishield.store.alarms import add_alarm, save_clip

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"


async def test_a_platform_gets_the_alarm_and_then_its_clip(
    node: Any, make_event: Callable[..., Event], free_port: int, tmp_path: Path
) -> None:
    store = tmp_path / "platform.db"
    command = [sys.executable, EXAMPLES / "receiver.py", str(free_port), "change-me", store]
    receiver = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        body = json.loads((EXAMPLES / "channel.json").read_text().replace(":9100/", f":{free_port}/"))
        added = await node.client.post("/api/channels", json=body)
        assert added.status_code == 201, added.text

        async def accepted() -> bool:
            trial = (await node.client.post("/api/channels/platform/test")).json()
            await asyncio.sleep(0.1)
            return bool(trial["accepted"]) and '"code": 0' in trial["answer"]

        await node.until(accepted)
        alarm = raise_alarm(make_event("e1"), "Gate", 1_790_000_001.0)
        outbox, database = node.services.outbox, node.services.database
        async with database.write() as session:
            await add_alarm(session, alarm)
            await outbox.raised(session, alarm)
        outbox.wake()
        ready = replace(alarm, clip_state=ClipState.READY, clip="evidence/e1.mp4", clip_duration=10.0)
        async with database.write() as session:
            await save_clip(session, ready)
            await outbox.clip(session, ready)
        outbox.wake()

        def shown() -> list[tuple[Any, ...]]:
            with sqlite3.connect(store) as reader:
                return reader.execute("SELECT id, device, sequence, time_ms, level, clip FROM alarms").fetchall()

        await node.until(lambda: any(row[0] == "e1" and row[5] for row in shown()))
        (row,) = [row for row in shown() if row[0] == "e1"]
        assert row[:5] == ("e1", "gate", 1, 1_790_000_000_000, 2)
        assert row[5].startswith("http://testserver/media/evidence/e1.mp4?expires=")
        fetched = await node.client.get(row[5], headers={"authorization": ""})
        assert fetched.status_code == 404, "the signature holds; this test made no file"
    finally:
        receiver.kill()
        receiver.wait()
