"""The footage ledger: for every second of a camera either footage, or the reason why there is none.

Pure: footage from the index, reasons from the recorder's journal, nothing is read here. Footage outweighs every
reason, since it is there; reasons booked afterwards outweigh the state that held at the time. Milliseconds inside,
whole seconds in reports (`to_seconds`).
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence

from perishield.model.footage import JournalEntry, LedgerSpan, Reason
from perishield.model.media import TIMESCALE, SegmentRow
from perishield.recording.journal_states import POOLED, RECORDING, Stretch, in_order, spans, states
from perishield.streams.layout import RECORDINGS

RECORDED = "recorded"

JOINT_MS = 500
"""A shorter pause between two segments is how clocks and frames jitter, not missing footage."""
_BRIDGE_MS = 60_000
_EDGE_MS = 3000
"""Camera clocks are trusted up to two seconds off, and a chunk takes one: footage ends this much beside its reason."""
_FIRST_KEY_MS = 15_000
"""So long may a stream that has just begun keep its first key frame back."""

AROUND_S = 20.0
_AROUND_MS = 20_000
_FOOTAGE = (RECORDED, POOLED)
_STARTS_AFTER = (Reason.CAMERA_DOWN, Reason.NODE_DOWN, Reason.DISABLED, Reason.POLICY, Reason.DISK, Reason.LOSS)
_MISSED = (Reason.CAMERA_DOWN, Reason.LOSS, Reason.DISK, Reason.NODE_DOWN, Reason.DELETED)


def footage_of(rows: Iterable[SegmentRow]) -> list[LedgerSpan]:
    """What those segments hold as `recorded` and `pooled` spans, each kind merged; the kinds may overlap."""
    found: list[LedgerSpan] = []
    for recorded in (True, False):
        kind = sorted((row for row in rows if (row.pool == RECORDINGS) is recorded), key=lambda row: row.start)
        found += merged_footage(
            ((row.start, row.duration, row.epoch, row.stream_time) for row in kind), RECORDED if recorded else POOLED
        )
    return found


def merged_footage(segments: Iterable[tuple[float, float, int, int]], state: str) -> list[LedgerSpan]:
    """(start, duration, epoch, stream time in ticks) in the order of their starts, adjoining ones merged.

    Segments adjoin where wall-clock time says so, or where stream time does: a camera whose clock comes to be trusted
    moves the former, and no frame is missing for it.
    """
    merged: list[LedgerSpan] = []
    begins = ends = 0.0
    epoch, stream_end = -1, 0
    for start, duration, number, stream_time in segments:
        until = start + duration
        pause = (start - ends) * 1000
        runs_on = number == epoch and abs(stream_time - stream_end) < JOINT_MS * TIMESCALE // 1000
        if epoch >= 0 and (pause <= JOINT_MS or (runs_on and pause <= _BRIDGE_MS)):
            ends = max(ends, until)
        else:
            if epoch >= 0:
                merged.append(LedgerSpan(begins, ends, state))
            begins, ends = start, until
        epoch, stream_end = number, stream_time + int(duration * TIMESCALE)
    if epoch >= 0:
        merged.append(LedgerSpan(begins, ends, state))
    return merged


def ledger(
    footage: Iterable[LedgerSpan],
    entries: Iterable[JournalEntry],
    camera: str,
    start: float,
    end: float,
    *,
    now: float = math.inf,
    alive: float | None = None,
) -> list[LedgerSpan]:
    """Spans of that camera that cover [start, end) (Unix seconds) without hole or overlap, oldest first.

    `footage` and `entries` reach `AROUND_S` beyond both ends, entries back to the camera's and the recorder's last word
    before. `now`: the end is at most this. `alive`: the recorder's last sign of life, where it no longer gives any.
    """
    first, last = _ms(start), _ms(min(end, now))
    if first >= last:
        return []
    line = _Line(first - _AROUND_MS, _ms(min(now, end + AROUND_S)))
    told = in_order(entries)
    for stretch in states(told, camera, line.last, None if alive is None else _ms(alive)):
        line.paint(stretch)
    for booked in spans(told, camera):
        line.paint(booked)
    listed = list(footage)
    for state in (POOLED, RECORDED):
        for span in listed:
            if span.state == state:
                line.paint(Stretch(_ms(span.start), _ms(span.end), state))
    cut = (
        Stretch(max(one.start, first), min(one.end, last), one.state, one.detail)
        for one in _explained(line.stretches())
        if one.start < last and one.end > first
    )
    return [LedgerSpan(one.start / 1000, one.end / 1000, one.state, one.detail) for one in cut]


class _Line:
    """Disjoint stretches that cover [first, last): what is painted later covers what was there."""

    def __init__(self, first: int, last: int) -> None:
        self.last = last
        self._starts = [first]
        self._states = [(Reason.DISABLED.value, "")]

    def paint(self, stretch: Stretch) -> None:
        start, end = max(stretch.start, self._starts[0]), min(stretch.end, self.last)
        if start >= end:
            return
        low, high = bisect_right(self._starts, start) - 1, bisect_left(self._starts, end)
        pieces = [(start, (stretch.state, stretch.detail))]
        if self._starts[low] < start:
            pieces.insert(0, (self._starts[low], self._states[low]))
        if end < self.last and (high == len(self._starts) or self._starts[high] != end):
            pieces.append((end, self._states[high - 1]))
        self._starts[low:high] = [at for at, _ in pieces]
        self._states[low:high] = [kept for _, kept in pieces]

    def stretches(self) -> list[Stretch]:
        ends = [*self._starts[1:], self.last]
        return _merged(
            Stretch(at, end, *state) for at, end, state in zip(self._starts, ends, self._states, strict=True)
        )


def _merged(stretches: Iterable[Stretch]) -> list[Stretch]:
    merged: list[Stretch] = []
    for one in stretches:
        before = merged[-1] if merged else None
        if before is not None and (before.state, before.detail) == (one.state, one.detail):
            merged[-1] = Stretch(before.start, one.end, one.state, one.detail)
        else:
            merged.append(one)
    return merged


def _explained(stretches: Sequence[Stretch]) -> list[Stretch]:
    """The same with a reason wherever the journal says that there should be footage and there is none."""
    done: list[Stretch] = []
    for number, one in enumerate(stretches):
        if one.state == RECORDING:
            before = stretches[number - 1] if number else None
            after = stretches[number + 1] if number + 1 < len(stretches) else None
            done.append(Stretch(one.start, one.end, *_why(one, before, after)))
        else:
            done.append(one)
    return _merged(done)


def _why(missing: Stretch, before: Stretch | None, after: Stretch | None) -> tuple[str, str]:
    lasts = missing.end - missing.start
    waits = _FIRST_KEY_MS if before is not None and before.state in _STARTS_AFTER else _EDGE_MS
    if before is not None and before.state not in _FOOTAGE and lasts <= waits:
        return before.state, before.detail
    if lasts <= _EDGE_MS:
        if after is not None and after.state not in _FOOTAGE:
            return after.state, after.detail
        if before is not None and (after is None or lasts <= JOINT_MS):
            # Still on its way to the disk, or no more than a joint.
            return before.state, before.detail
        return Reason.LOSS.value, ""
    return Reason.DELETED.value, ""


def to_seconds(spans: Sequence[LedgerSpan]) -> list[LedgerSpan]:
    """The same in whole seconds, without hole: each second is what most of it was.

    At both ends a part of a second counts where it is half of one or more.
    """
    found: list[LedgerSpan] = []
    shares: dict[tuple[str, str], int] = {}
    for span in spans:
        what = (span.state, span.detail)
        position, end = _ms(span.start), _ms(span.end)
        while position < end:
            second = position // 1000
            if not shares and position == second * 1000 and end >= position + 1000:
                _extend(found, second, end // 1000, what)
                position = end // 1000 * 1000
                continue
            until = min(end, (second + 1) * 1000)
            shares[what] = shares.get(what, 0) + until - position
            position = until
            if position == (second + 1) * 1000:
                _settle(found, second, shares)
                shares = {}
    if shares:
        _settle(found, _ms(spans[-1].end) // 1000, shares)
    return found


def _settle(found: list[LedgerSpan], second: int, shares: dict[tuple[str, str], int]) -> None:
    if sum(shares.values()) >= 500:
        _extend(found, second, second + 1, max(shares, key=lambda what: shares[what]))


def _extend(found: list[LedgerSpan], start: int, end: int, what: tuple[str, str]) -> None:
    if found and (found[-1].state, found[-1].detail) == what:
        found[-1] = LedgerSpan(found[-1].start, float(end), *what)
    else:
        found.append(LedgerSpan(float(start), float(end), *what))


def totals(spans: Iterable[LedgerSpan]) -> dict[str, float]:
    """Seconds by state."""
    found: dict[str, float] = {}
    for span in spans:
        found[span.state] = round(found.get(span.state, 0.0) + span.end - span.start, 3)
    return found


def completeness(seconds: dict[str, float]) -> float | None:
    """The share of what should have been recorded that was, 0 to 1; None where nothing should have been.

    What retention deleted counts as recorded; what policy left out and what the clock skipped does not count at all.
    """
    had = seconds.get(RECORDED, 0.0) + seconds.get(Reason.RETENTION, 0.0)
    missed = sum(seconds.get(reason, 0.0) for reason in _MISSED)
    return had / (had + missed) if had + missed else None


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
