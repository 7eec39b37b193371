"""The ledger as the API and the command line report it."""

from __future__ import annotations

from collections.abc import Sequence

from typing_extensions import TypedDict

from perishield.api.times import iso
from perishield.model.footage import Hold, LedgerSpan
from perishield.recording.ledger import completeness, totals

SpanOut = TypedDict(
    "SpanOut", {"from": str, "to": str, "from_s": float, "to_s": float, "seconds": float, "state": str, "detail": str}
)
LedgerTimes = TypedDict("LedgerTimes", {"from": str, "to": str})
HoldOut = TypedDict(
    "HoldOut", {"id": str, "camera": str, "from": str, "to": str, "reason": str, "who": str, "created": str}
)


class CameraSumOut(TypedDict):
    """`totals`: seconds by state. `completeness`: recorded of what should have been, 0 to 1, or null."""

    camera: str
    totals: dict[str, float]
    completeness: float | None


class LedgerOut(LedgerTimes, CameraSumOut):
    spans: list[SpanOut]
    holds: list[HoldOut]


class LedgersOut(LedgerTimes):
    items: list[CameraSumOut]
    total: int
    totals: dict[str, float]
    completeness: float | None


class HoldsOut(TypedDict):
    items: list[HoldOut]
    total: int


def span_out(span: LedgerSpan) -> SpanOut:
    return {
        "from": iso(span.start),
        "to": iso(span.end),
        "from_s": span.start,
        "to_s": span.end,
        "seconds": round(span.end - span.start, 3),
        "state": span.state,
        "detail": span.detail,
    }


def sum_out(camera: str, spans: Sequence[LedgerSpan]) -> CameraSumOut:
    seconds = totals(spans)
    return {"camera": camera, "totals": seconds, "completeness": _share(seconds)}


def ledger_out(camera: str, start: float, end: float, spans: Sequence[LedgerSpan], holds: Sequence[Hold]) -> LedgerOut:
    return {
        "from": iso(start),
        "to": iso(end),
        **sum_out(camera, spans),
        "spans": [span_out(span) for span in spans],
        "holds": [hold_out(hold) for hold in holds],
    }


def ledgers_out(start: float, end: float, items: list[CameraSumOut]) -> LedgersOut:
    seconds: dict[str, float] = {}
    for item in items:
        for state, some in item["totals"].items():
            seconds[state] = seconds.get(state, 0.0) + some
    return {
        "from": iso(start),
        "to": iso(end),
        "items": items,
        "total": len(items),
        "totals": seconds,
        "completeness": _share(seconds),
    }


def hold_out(hold: Hold) -> HoldOut:
    return {
        "id": hold.id,
        "camera": hold.camera,
        "from": iso(hold.start),
        "to": iso(hold.until),
        "reason": hold.reason,
        "who": hold.who,
        "created": iso(hold.created),
    }


def _share(seconds: dict[str, float]) -> float | None:
    share = completeness(seconds)
    return None if share is None else round(share, 6)
