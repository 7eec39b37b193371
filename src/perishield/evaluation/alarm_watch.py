"""A client of a running node's WebSocket, with no more rights than the token that the node left for this host."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from perishield.evaluation.demo_score import HeardAlarm
from perishield.log import Log

log = Log("demo")


async def watch(address: str, token_file: Path, heard: Callable[[dict[str, Any], float], None]) -> None:
    """Call `heard(message, time)` for every message of topics alarms and streams until cancelled; reconnects."""
    from websockets.asyncio.client import connect
    from websockets.exceptions import WebSocketException

    url = f"ws{address.removeprefix('http')}/ws"
    while True:
        try:
            async with connect(url, proxy=None) as socket:
                await socket.send(json.dumps({"type": "auth", "token": token_file.read_text().strip()}))
                await socket.send(json.dumps({"type": "subscribe", "topics": ["alarms", "streams"], "cameras": None}))
                async for message in socket:
                    heard(json.loads(message), time.time())
        except (OSError, WebSocketException) as error:
            log.warning("demo.reconnect", message=str(error) or type(error).__name__)
        await asyncio.sleep(0.2)


def unix(text: str) -> float:
    """Seconds of an ISO 8601 time."""
    return datetime.fromisoformat(text).timestamp()


def alarm_of(message: dict[str, Any], now: float) -> HeardAlarm | None:
    """The alarm in a message that announces one."""
    if message.get("type") != "alarm":
        return None
    data = message["data"]
    return HeardAlarm(data["id"], data["camera"], unix(data["wall"]), unix(data["arrival"]), now)
