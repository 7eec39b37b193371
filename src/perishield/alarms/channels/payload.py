"""An alarm as machines read it: our own message, and the names that templates may use."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from perishield.alarms.channels.sender import Message
from perishield.model.alarms import Alarm, ClipState

_LAST = 253_402_300_799.0


def iso(seconds: float) -> str:
    """Unix seconds as `2026-01-02T03:04:05.678Z`."""
    moment = datetime.fromtimestamp(min(max(seconds, 0.0), _LAST), UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"


def names(message: Message) -> dict[str, Any]:
    """What `{{...}}` may name, with its values."""
    alarm, links = message.alarm, message.links
    event = alarm.event
    ready = alarm.clip_state is ClipState.READY
    return {
        "key": message.key,
        "topic": message.topic.value,
        "sequence": message.sequence,
        "test": message.test,
        "alarm.id": alarm.id,
        "alarm.level": alarm.level,
        "alarm.state": alarm.state.value,
        "alarm.kind": event.kind.value,
        "alarm.label": event.label,
        "alarm.score": round(event.score, 4),
        "alarm.direction": event.direction,
        "alarm.url": links.console,
        "camera.id": event.camera,
        "camera.name": alarm.camera_name,
        "rule.id": str(event.rule.get("id", "")),
        "rule.name": str(event.rule.get("name", "")),
        "time.iso": iso(event.wall),
        "time.s": int(event.wall),
        "time.ms": int(event.wall * 1000),
        "raised.iso": iso(alarm.raised),
        "raised.ms": int(alarm.raised * 1000),
        "point.x": round(event.point[0], 5),
        "point.y": round(event.point[1], 5),
        "box": [round(side, 5) for side in event.box],
        "snapshot.url": links.snapshot,
        "clip.state": alarm.clip_state.value,
        "clip.url": links.clip,
        "clip.start": iso(alarm.clip_start) if ready else "",
        "clip.start_ms": int(alarm.clip_start * 1000) if ready else 0,
        "clip.seconds": round(alarm.clip_duration, 3),
        "clip.note": alarm.clip_note,
    }


def own_body(message: Message) -> dict[str, Any]:
    """Our own message: type, time and data, as Standard Webhooks advises."""
    alarm, links = message.alarm, message.links
    event = alarm.event
    data: dict[str, Any] = {
        "id": alarm.id,
        "key": message.key,
        "sequence": message.sequence,
        "level": alarm.level,
        "state": alarm.state.value,
        "kind": event.kind.value,
        "label": event.label,
        "score": round(event.score, 4),
        "direction": event.direction,
        "camera": {"id": event.camera, "name": alarm.camera_name},
        "rule": {"id": str(event.rule.get("id", "")), "name": str(event.rule.get("name", ""))},
        "at": iso(event.wall),
        "raised": iso(alarm.raised),
        "point": list(event.point),
        "box": list(event.box),
        "url": links.console,
        "snapshot_url": links.snapshot or None,
        "clip": _clip(alarm, links.clip),
    }
    if message.detail:
        data["detail"] = dict(message.detail)
    if message.test:
        data["test"] = True
    return {"type": f"alarm.{message.topic.value}", "timestamp": iso(alarm.raised), "data": data}


def _clip(alarm: Alarm, url: str) -> dict[str, Any]:
    ready = alarm.clip_state is ClipState.READY
    return {
        "state": alarm.clip_state.value,
        "url": url or None,
        "start": iso(alarm.clip_start) if ready else None,
        "duration_s": round(alarm.clip_duration, 3),
        "note": alarm.clip_note,
    }
