"""What the API says about storage, with no key in it."""

from __future__ import annotations

from collections.abc import Sequence

from typing_extensions import TypedDict

from perishield.api.times import iso
from perishield.model.storage import CopyState, SegmentCopy, StoragePlan, StorageTarget
from perishield.recording.storage.library import Storage
from perishield.store.copies import CopyTotal


class TargetOut(TypedDict):
    name: str
    kind: str
    tier: str
    place: str
    verify: str
    cameras: list[str]
    state: str
    code: str
    message: str
    since: str | None
    retry_at: str | None
    used: int
    copies: int
    waiting: int
    waiting_bytes: int
    failed: int
    lost: int
    free: int | None
    total: int | None


class ProgressOut(TypedDict):
    copied: int
    bytes: int
    failed: int
    moved: int
    expired: int


class RulesOut(TypedDict):
    hot_days: float
    warm_days: float
    cold_days: float
    copies: int
    window: str
    max_bytes_s: int


class StorageOut(TypedDict):
    targets: list[TargetOut]
    rules: RulesOut
    progress: ProgressOut
    receives: bool


class CopyOut(TypedDict):
    segment: str
    target: str
    state: str
    size: int
    sha256: str
    attempts: int
    recorded: str
    changed: str
    due: str | None
    error: str
    url: str


class CopiesOut(TypedDict):
    items: list[CopyOut]
    total: int


def storage_out(storage: Storage, totals: Sequence[CopyTotal]) -> StorageOut:
    found: dict[str, dict[CopyState, CopyTotal]] = {}
    for total in totals:
        found.setdefault(total.target, {})[total.state] = total
    progress, settlement = storage.worker.progress, storage.worker.settlement
    return {
        "targets": [_target(storage, spec, found.get(spec.name, {})) for spec in storage.plan.targets],
        "rules": _rules(storage.plan),
        "progress": {
            "copied": progress.copied,
            "bytes": progress.bytes,
            "failed": progress.failed,
            "moved": settlement.moved,
            "expired": settlement.expired,
        },
        "receives": bool(storage.plan.upload_key),
    }


def copy_out(copy: SegmentCopy, url: str) -> CopyOut:
    waits = copy.state in (CopyState.WAITING, CopyState.FAILED) and copy.due > 0
    return {
        "segment": copy.segment,
        "target": copy.target,
        "state": copy.state.value,
        "size": copy.size,
        "sha256": copy.sha256,
        "attempts": copy.attempts,
        "recorded": iso(copy.recorded),
        "changed": iso(copy.changed),
        "due": iso(copy.due) if waits else None,
        "error": copy.error,
        "url": url,
    }


def _target(storage: Storage, spec: StorageTarget, totals: dict[CopyState, CopyTotal]) -> TargetOut:
    def count(*states: CopyState) -> int:
        return sum(totals[state].count for state in states if state in totals)

    def size(*states: CopyState) -> int:
        return sum(totals[state].size for state in states if state in totals)

    queue = (CopyState.WAITING, CopyState.COPYING, CopyState.FAILED)
    opened, broken = storage.targets.open.get(spec.name), storage.targets.broken.get(spec.name)
    health = opened.health if opened else None
    return {
        "name": spec.name,
        "kind": spec.kind.value,
        "tier": spec.tier.value,
        "place": spec.place,
        "verify": spec.verify,
        "cameras": list(spec.cameras),
        "state": health.state if health else "failing",
        "code": health.code if health else broken.code if broken else "",
        "message": health.message if health else str(broken or ""),
        "since": iso(health.since) if health and health.since else None,
        "retry_at": iso(health.until) if health and health.until else None,
        "used": size(CopyState.KEPT),
        "copies": count(CopyState.KEPT),
        "waiting": count(*queue),
        "waiting_bytes": size(*queue),
        "failed": count(CopyState.FAILED),
        "lost": count(CopyState.LOST),
        "free": health.space.free if health else None,
        "total": health.space.total if health else None,
    }


def _rules(plan: StoragePlan) -> RulesOut:
    window = ""
    if plan.window:
        window = "-".join(f"{minute // 60:02}:{minute % 60:02}" for minute in plan.window)
    return {
        "hot_days": plan.hot_days,
        "warm_days": plan.warm_days,
        "cold_days": plan.cold_days,
        "copies": plan.copies,
        "window": window,
        "max_bytes_s": plan.max_bytes_s,
    }
