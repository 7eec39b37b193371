"""What the API answers, as plain typed dictionaries: the same for HTTP and WebSocket."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from typing_extensions import TypedDict

from perishield.api.remarks_out import ClipOut, RemarkOut, clip_out, remarks_out
from perishield.api.times import iso, iso_or_none
from perishield.bus.topics import DetectorState, ProcessState
from perishield.model.alarm_life import allowed
from perishield.model.alarms import Alarm
from perishield.model.errors import mask_url
from perishield.model.ground import GroundPlane
from perishield.model.media import TIMESCALE, SegmentRow, StreamState
from perishield.model.site import Camera, Recording

Sign = Callable[[str], str]
"""Turns a path from the root into an expiring signed address."""


class StreamOut(TypedDict):
    camera: str
    condition: str
    since: str
    code: str
    message: str
    codec: str
    width: int
    height: int
    fps: float
    bitrate: int
    frames: int
    frames_lost: int
    reconnects: int
    recording: bool
    clock: str
    epoch: int


class DoubtsOut(TypedDict):
    enabled: bool
    ignored: list[str]


class HealthWatchOut(TypedDict):
    enabled: bool
    ignored: list[str]
    level: int


class AnalysisOut(TypedDict):
    enabled: bool
    fps: float
    min_score: float
    doubts: DoubtsOut
    health: HealthWatchOut
    steady: bool
    livestock: bool


class GroundOut(TypedDict):
    points: list[dict[str, list[float]]]
    error_m: float


class WindowOut(TypedDict):
    days: list[int]
    start: int
    end: int


class RecordingOut(TypedDict):
    mode: str
    windows: list[WindowOut]
    timezone: str
    pre_s: float
    post_s: float
    keep_days: float
    keep_gib: float
    priority: int


class CameraOut(TypedDict):
    id: str
    name: str
    url: str
    username: str
    has_password: bool
    enabled: bool
    recording: RecordingOut
    analysis: AnalysisOut
    detect_url: str
    transport: str
    audio: bool
    tls_fingerprint: str
    ground: GroundOut | None
    revision: int
    stream: StreamOut | None
    snapshot_url: str


class SegmentOut(TypedDict):
    start: str
    end: str
    duration_s: float
    size: int
    codec: str
    width: int
    height: int
    frames: int
    complete: bool
    pool: str
    url: str


class ExplainedOut(TypedDict):
    """`evidence`: detected in k of n pictures; `weighed`: the tests that its rule makes; `doubts`: those that could
    not be made, in English; `remarks`: the same by codes."""

    height: float
    height_m: float | None
    speed: float
    speed_mps: float | None
    scores: list[float]
    evidence: list[int]
    stayed_s: float
    count: int
    totals: list[int]
    weighed: list[str]
    doubts: list[str]
    remarks: list[RemarkOut]


class AssigneeOut(TypedDict):
    id: str
    name: str


class AlarmOut(TypedDict):
    """`allowed`: steps that may follow. `group`: the intrusion it belongs to. `answered`: first taken up."""

    id: str
    camera: str
    camera_name: str
    level: int
    state: str
    revision: int
    allowed: list[str]
    verdict: str
    reason: str
    assignee: AssigneeOut | None
    group: str
    comments: int
    escalations: int
    answered: str | None
    decided: str | None
    closed: str | None
    kind: str
    rule: dict[str, Any]
    rule_name: str
    label: str
    score: float
    detector: str
    track: int
    direction: str
    raised: str
    wall: str
    arrival: str
    latency_ms: int
    epoch: int
    stream_time_s: float
    point: list[float]
    box: list[float]
    path: list[list[float]]
    snapshot_url: str | None
    clip: ClipOut
    explained: ExplainedOut


class ProcessOut(TypedDict):
    name: str
    state: str
    restarts: int
    since: str
    message: str


class DetectorOut(TypedDict):
    name: str
    model: str | None
    code: str
    message: str


def stream_out(state: StreamState) -> StreamOut:
    return {
        "camera": state.camera,
        "condition": state.condition.value,
        "since": iso(state.since),
        "code": state.code,
        "message": state.message,
        "codec": state.codec,
        "width": state.width,
        "height": state.height,
        "fps": round(state.fps, 2),
        "bitrate": state.bitrate,
        "frames": state.frames,
        "frames_lost": state.frames_lost,
        "reconnects": state.reconnects,
        "recording": state.recording,
        "clock": state.clock,
        "epoch": state.epoch,
    }


def recording_out(policy: Recording) -> RecordingOut:
    return {
        "mode": policy.mode.value,
        "windows": [{"days": list(window.days), "start": window.start, "end": window.end} for window in policy.windows],
        "timezone": policy.timezone,
        "pre_s": policy.pre_s,
        "post_s": policy.post_s,
        "keep_days": policy.keep_days,
        "keep_gib": policy.keep_gib,
        "priority": policy.priority,
    }


def snapshot_path(camera: str) -> str:
    return f"/api/video/snapshot/{camera}"


def camera_out(camera: Camera, stream: StreamOut | None, sign: Sign) -> CameraOut:
    return {
        "id": camera.id,
        "name": camera.name,
        "url": mask_url(camera.url),
        "username": camera.username,
        "has_password": bool(camera.password),
        "enabled": camera.enabled,
        "recording": recording_out(camera.recording),
        "analysis": {
            "enabled": camera.analysis.enabled,
            "fps": camera.analysis.fps,
            "min_score": camera.analysis.min_score,
            "doubts": {
                "enabled": camera.analysis.doubts.enabled,
                "ignored": [doubt.value for doubt in camera.analysis.doubts.ignored],
            },
            "health": {
                "enabled": camera.analysis.health.enabled,
                "ignored": [ailment.value for ailment in camera.analysis.health.ignored],
                "level": camera.analysis.health.level,
            },
            "steady": camera.analysis.steady,
            "livestock": camera.analysis.livestock,
        },
        "detect_url": mask_url(camera.detect_url),
        "transport": camera.transport.value,
        "audio": camera.audio,
        "tls_fingerprint": camera.tls_fingerprint,
        "ground": _ground_out(camera.ground),
        "revision": camera.revision,
        "stream": stream,
        "snapshot_url": sign(snapshot_path(camera.id)),
    }


def segment_out(segment: SegmentRow, sign: Sign) -> SegmentOut:
    return {
        "start": iso(segment.start),
        "end": iso(segment.start + segment.duration),
        "duration_s": round(segment.duration, 3),
        "size": segment.size,
        "codec": segment.codec,
        "width": segment.width,
        "height": segment.height,
        "frames": segment.frames,
        "complete": segment.complete,
        "pool": segment.pool,
        "url": sign(f"/media/{segment.path}"),
    }


def alarm_out(alarm: Alarm, sign: Sign) -> AlarmOut:
    event = alarm.event
    return {
        "id": alarm.id,
        "camera": event.camera,
        "camera_name": alarm.camera_name,
        "level": alarm.level,
        "state": alarm.state.value,
        "revision": alarm.revision,
        "allowed": [step.value for step in allowed(alarm.state)],
        "verdict": alarm.verdict.value,
        "reason": alarm.reason,
        "assignee": {"id": alarm.assignee, "name": alarm.assignee_name} if alarm.assignee else None,
        "group": alarm.group,
        "comments": alarm.comments,
        "escalations": alarm.escalations,
        "answered": iso_or_none(alarm.answered),
        "decided": iso_or_none(alarm.decided),
        "closed": iso_or_none(alarm.closed),
        "kind": event.kind.value,
        "rule": event.rule,
        "rule_name": str(event.rule.get("name", "")),
        "label": event.label,
        "score": round(event.score, 4),
        "detector": event.detector,
        "track": event.track,
        "direction": event.direction,
        "raised": iso(alarm.raised),
        "wall": iso(event.wall),
        "arrival": iso(event.arrival),
        "latency_ms": round((alarm.raised - event.arrival) * 1000),
        "epoch": event.epoch,
        "stream_time_s": event.stream_time / TIMESCALE,
        "point": list(event.point),
        "box": list(event.box),
        "path": [[round((ticks - event.stream_time) / TIMESCALE, 3), x, y] for ticks, x, y in event.path],
        "snapshot_url": sign(f"/media/{event.snapshot}") if event.snapshot else None,
        "clip": clip_out(alarm, sign),
        "explained": {
            "height": round(event.height, 4),
            "height_m": event.height_m,
            "speed": round(event.speed, 3),
            "speed_mps": event.speed_mps,
            "scores": [round(score, 4) for score in event.scores],
            "evidence": list(event.evidence),
            "stayed_s": round(event.stayed_s, 3),
            "count": event.count,
            "totals": list(event.totals),
            "weighed": list(event.weighed),
            "doubts": [doubt.text for doubt in event.remarks],
            "remarks": remarks_out(event.remarks),
        },
    }


def process_out(state: ProcessState) -> ProcessOut:
    return {
        "name": state.name,
        "state": state.state,
        "restarts": state.restarts,
        "since": iso(state.since),
        "message": state.message,
    }


def detector_out(state: DetectorState | None) -> DetectorOut:
    if state is None:
        return {
            "name": "",
            "model": None,
            "code": "vision_silent",
            "message": "the vision process has not reported yet",
        }
    return {"name": state.name, "model": state.model or None, "code": state.code, "message": state.message}


def _ground_out(plane: GroundPlane | None) -> GroundOut | None:
    if plane is None:
        return None
    points = [{"picture": list(point.picture), "site": list(point.site)} for point in plane.points]
    return {"points": points, "error_m": round(plane.error_m, 3)}
