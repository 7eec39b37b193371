"""How much of the time cameras were there, saw well, and were recorded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from typing_extensions import TypedDict

from perishield.api.sheets import Line
from perishield.api.times import iso
from perishield.model.footage import LedgerSpan, Reason
from perishield.model.health import Spell
from perishield.recording.ledger import completeness, totals

_BLIND = (Reason.NODE_DOWN.value, Reason.CLOCK.value)
"""Seconds in which this node could not have seen the camera: they tell neither for nor against it."""
_UNKNOWN = (Reason.DISABLED.value, *_BLIND)


class CameraRowOut(TypedDict):
    """`availability`: share of the time in which it was asked for that its stream was there; `completeness`: recorded
    of what should have been; null where nothing was asked. `unknown_s`: seconds that `availability` leaves out because
    this node itself was down. `impaired_s`: seconds by what was wrong with its picture."""

    id: str
    name: str
    availability: float | None
    completeness: float | None
    down_s: float
    unknown_s: float
    seconds: dict[str, float]
    impaired_s: dict[str, float]


CameraSumsOut = TypedDict(
    "CameraSumsOut",
    {
        "from": str,
        "to": str,
        "items": list[CameraRowOut],
        "total": int,
        "availability": float | None,
        "completeness": float | None,
        "unknown_s": float,
    },
)


def camera_sums(
    start: float,
    end: float,
    ledgers: Mapping[str, Sequence[LedgerSpan]],
    spells: Sequence[Spell],
    names: Mapping[str, str],
) -> CameraSumsOut:
    """`ledgers`: spans by camera. Times are Unix seconds."""
    items = [_row(camera, names.get(camera, camera), spans, spells, start, end) for camera, spans in ledgers.items()]
    whole: dict[str, float] = {}
    for item in items:
        for state, seconds in item["seconds"].items():
            whole[state] = whole.get(state, 0.0) + seconds
    return {
        "from": iso(start),
        "to": iso(end),
        "items": sorted(
            items, key=lambda item: (item["availability"] is None, item["availability"] or 0.0, item["id"])
        ),
        "total": len(items),
        "availability": availability(whole),
        "completeness": _rounded(completeness(whole)),
        "unknown_s": _blind(whole),
    }


def availability(seconds: Mapping[str, float]) -> float | None:
    """Share of the seconds in which the camera was asked for that its stream was there; None without any.

    >>> availability({"recorded": 90.0, "camera_down": 10.0, "disabled": 500.0})
    0.9
    """
    down = seconds.get(Reason.CAMERA_DOWN.value, 0.0)
    asked = sum(some for state, some in seconds.items() if state not in _UNKNOWN)
    return _rounded((asked - down) / asked) if asked > 0 else None


def camera_lines(out: CameraSumsOut) -> Iterator[Line]:
    """The same as a table."""
    states = sorted({state for item in out["items"] for state in item["seconds"]})
    ailments = sorted({ailment for item in out["items"] for ailment in item["impaired_s"]})
    yield (
        "camera",
        "name",
        "availability",
        "completeness",
        "down s",
        "unknown s",
        *(f"{state} s" for state in states),
        *(f"impaired: {ailment} s" for ailment in ailments),
    )
    for item in out["items"]:
        yield (
            item["id"],
            item["name"],
            item["availability"],
            item["completeness"],
            item["down_s"],
            item["unknown_s"],
            *(item["seconds"].get(state, 0.0) for state in states),
            *(item["impaired_s"].get(ailment, 0.0) for ailment in ailments),
        )


def _row(
    camera: str, name: str, spans: Sequence[LedgerSpan], spells: Sequence[Spell], start: float, end: float
) -> CameraRowOut:
    seconds = totals(spans)
    impaired: dict[str, float] = {}
    for spell in spells:
        if spell.camera == camera:
            lasted = min(end, end if spell.ended is None else spell.ended) - max(start, spell.began)
            ailment = spell.ailment.value
            impaired[ailment] = round(impaired.get(ailment, 0.0) + max(0.0, lasted), 3)
    return {
        "id": camera,
        "name": name,
        "availability": availability(seconds),
        "completeness": _rounded(completeness(seconds)),
        "down_s": seconds.get(Reason.CAMERA_DOWN.value, 0.0),
        "unknown_s": _blind(seconds),
        "seconds": seconds,
        "impaired_s": impaired,
    }


def _blind(seconds: Mapping[str, float]) -> float:
    return round(sum(seconds.get(state, 0.0) for state in _BLIND), 3)


def _rounded(share: float | None) -> float | None:
    return None if share is None else round(share, 6)
