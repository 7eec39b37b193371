"""What the API answers, as plain typed dictionaries: the same for HTTP and WebSocket."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from typing_extensions import TypedDict

from perishield.api.times import iso
from perishield.bus.topics import DetectorState, ProcessState
from perishield.model.alarms import Alarm, ClipState
from perishield.model.errors import mask_url
from perishield.model.media import TIMESCALE, SegmentRow, StreamState
from perishield.model.site import Camera, Recording
from perishield.model.vision import TrackFrame

Sign = Callable[[str], str]
"""Turns a path from the root into an expiring signed address."""


class UserOut(TypedDict):
    id: str
    username: str
    role: str


class SessionOut(TypedDict):
    access_token: str
    token_type: str
    expires_in: int
    user: UserOut


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


class AnalysisOut(TypedDict):
    enabled: bool
    fps: float
    min_score: float


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


class ClipOut(TypedDict):
    state: str
    url: str | None
    start: str | None
    duration_s: float
    note: str


class AlarmOut(TypedDict):
    id: str
    camera: str
    camera_name: str
    level: int
    state: str
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


class TrackOut(TypedDict):
    id: int
    label: str
    score: float
    box: list[float]
    seen: bool


class TracksOut(TypedDict):
    camera: str
    epoch: int
    stream_time_s: float
    wall: str
    width: int
    height: int
    gate_open: bool
    detector: str
    tracks: list[TrackOut]


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
        },
        "detect_url": mask_url(camera.detect_url),
        "transport": camera.transport.value,
        "audio": camera.audio,
        "tls_fingerprint": camera.tls_fingerprint,
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
    ready = alarm.clip_state is ClipState.READY
    return {
        "id": alarm.id,
        "camera": event.camera,
        "camera_name": alarm.camera_name,
        "level": alarm.level,
        "state": alarm.state.value,
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
        "clip": {
            "state": alarm.clip_state.value,
            "url": sign(f"/media/{alarm.clip}") if ready else None,
            "start": iso(alarm.clip_start) if ready else None,
            "duration_s": round(alarm.clip_duration, 3),
            "note": alarm.clip_note,
        },
    }


def tracks_out(frame: TrackFrame) -> TracksOut:
    """Boxes leave as shares of the picture."""
    width, height = max(frame.width, 1), max(frame.height, 1)
    return {
        "camera": frame.camera,
        "epoch": frame.epoch,
        "stream_time_s": frame.stream_time / TIMESCALE,
        "wall": iso(frame.wall),
        "width": frame.width,
        "height": frame.height,
        "gate_open": frame.gate_open,
        "detector": frame.detector,
        "tracks": [
            {
                "id": track.id,
                "label": track.label,
                "score": round(track.score, 3),
                "box": [
                    round(track.box[0] / width, 5),
                    round(track.box[1] / height, 5),
                    round(track.box[2] / width, 5),
                    round(track.box[3] / height, 5),
                ],
                "seen": track.seen,
            }
            for track in frame.tracks
        ],
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
