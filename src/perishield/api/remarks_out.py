"""What the API answers of clips, and of remarks on them and on other footage."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from typing_extensions import TypedDict

from perishield.api.times import iso
from perishield.model.alarms import Alarm, ClipState
from perishield.model.remarks import Remark, Value


class RemarkOut(TypedDict):
    """`code` and `params` are for programs, `text` is English; without a code: made by an earlier version."""

    code: str
    params: dict[str, Value]
    text: str


class ClipOut(TypedDict):
    """`note`: all remarks as one English line."""

    state: str
    url: str | None
    start: str | None
    duration_s: float
    note: str
    remarks: list[RemarkOut]


def remarks_out(remarks: Sequence[Remark]) -> list[RemarkOut]:
    return [{"code": one.code, "params": dict(one.params), "text": one.text} for one in remarks]


def clip_out(alarm: Alarm, sign: Callable[[str], str]) -> ClipOut:
    ready = alarm.clip_state is ClipState.READY
    return {
        "state": alarm.clip_state.value,
        "url": sign(f"/media/{alarm.clip}") if ready else None,
        "start": iso(alarm.clip_start) if ready else None,
        "duration_s": round(alarm.clip_duration, 3),
        "note": alarm.clip_note,
        "remarks": remarks_out(alarm.clip_remarks),
    }
