"""What the API answers about evidence."""

from __future__ import annotations

from typing_extensions import TypedDict

from perishield.alarms.site_key import PublicKey
from perishield.alarms.stored_check import Checked
from perishield.api.exports import Job
from perishield.api.remarks_out import RemarkOut, remarks_out
from perishield.api.services import Services
from perishield.api.times import iso
from perishield.model.alarms import Alarm
from perishield.model.evidence import AlarmHold, Evidence
from perishield.recording.export import Watch


class EvidenceOut(TypedDict):
    """`sha256` empty: there is no file; `note` says why, and `remarks` the same by codes."""

    kind: str
    size: int
    sha256: str
    made: str
    note: str
    remarks: list[RemarkOut]
    url: str | None


class EvidenceListOut(TypedDict):
    items: list[EvidenceOut]
    total: int


class CheckedOut(TypedDict):
    """`finding`: intact, changed, missing, or absent (there was no file)."""

    kind: str
    finding: str
    message: str
    sha256: str


class CheckOut(TypedDict):
    intact: bool
    items: list[CheckedOut]


class EvidenceExportOut(TypedDict):
    """`masked`: pictures and clips in it are copies with privacy masks. `url` comes with state `done`."""

    id: str
    alarms: list[str]
    state: str
    progress: float
    bytes: int
    created: str
    finished: str | None
    code: str
    message: str
    note: str
    remarks: list[RemarkOut]
    masked: bool
    name: str | None
    size: int
    sha256: str | None
    url: str | None


class EvidenceExportsOut(TypedDict):
    items: list[EvidenceExportOut]
    total: int


class KeyOut(TypedDict):
    id: str
    public_key: str


class KeysOut(TypedDict):
    """`id` is the SHA-256 of the key's 32 bytes. `older`: keys that signed before."""

    algorithm: str
    id: str
    public_key: str
    older: list[KeyOut]


class AlarmHoldOut(TypedDict):
    alarm: str
    who: str
    reason: str
    placed: str


class HeldAlarmOut(AlarmHoldOut):
    """With what the alarm was, so that a list of holds opens none of them; null where the alarm is gone."""

    camera: str | None
    camera_name: str | None
    kind: str | None
    wall: str | None


class AlarmHoldsOut(TypedDict):
    items: list[HeldAlarmOut]
    total: int


def evidence_out(parts: Services, evidence: Evidence) -> EvidenceOut:
    return {
        "kind": evidence.kind.value,
        "size": evidence.size,
        "sha256": evidence.sha256,
        "made": iso(evidence.made),
        "note": evidence.note,
        "remarks": remarks_out(evidence.remarks),
        "url": parts.links.sign(f"/media/{evidence.path}") if evidence.sha256 else None,
    }


def checked_out(checked: Checked) -> CheckedOut:
    return {
        "kind": checked.evidence.kind.value,
        "finding": checked.finding.value,
        "message": checked.message,
        "sha256": checked.evidence.sha256,
    }


def export_out(parts: Services, job: Job, watch: Watch) -> EvidenceExportOut:
    file = job.files[0] if job.files else None
    return {
        "id": job.id,
        "alarms": list(job.alarms),
        "state": job.state.value,
        "progress": round(watch.progress, 3),
        "bytes": watch.bytes,
        "created": iso(job.created),
        "finished": iso(job.finished) if job.finished else None,
        "code": job.code,
        "message": job.message,
        "note": job.note,
        "remarks": remarks_out(job.remarks),
        "masked": job.masked,
        "name": file.name if file else None,
        "size": file.size if file else 0,
        "sha256": file.sha256 if file else None,
        "url": parts.links.sign(f"/api/evidence/exports/{job.id}/archive") if file else None,
    }


def keys_out(keys: list[PublicKey]) -> KeysOut:
    current, *older = keys
    return {
        "algorithm": "Ed25519",
        "id": current.id,
        "public_key": current.pem.decode(),
        "older": [{"id": key.id, "public_key": key.pem.decode()} for key in older],
    }


def alarm_hold_out(hold: AlarmHold) -> AlarmHoldOut:
    return {"alarm": hold.alarm, "who": hold.who, "reason": hold.reason, "placed": iso(hold.placed)}


def held_alarm_out(hold: AlarmHold, alarm: Alarm | None) -> HeldAlarmOut:
    return {
        **alarm_hold_out(hold),
        "camera": alarm.event.camera if alarm else None,
        "camera_name": alarm.camera_name if alarm else None,
        "kind": alarm.event.kind.value if alarm else None,
        "wall": iso(alarm.event.wall) if alarm else None,
    }
