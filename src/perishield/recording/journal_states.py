"""What the recorder's journal says of one camera, as stretches of wall-clock time.

An entry holds until the next one. Within one boot the monotonic clock tells how long that really was, so that a clock
set forward leaves a stretch that never was, and one set back a stretch that passed twice: the later pass counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from perishield.model.footage import JournalEntry, Reason

RECORDING = "recording"
POOLED = "pooled"
SPAN = "span"

_KNOWN = frozenset((RECORDING, POOLED, *Reason))
_STARTED, _STOPPED, _DIED, _CLOCK = "started", "stopped", "died", "clock"
_JUMP_MS = 1000
_DRIFT = 0.001
"""Clocks are slewed by up to 0.05 %; what is more than a second and this share apart was set."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """[start, end) in Unix milliseconds under one state: `recording`, or a Reason."""

    start: int
    end: int
    state: str
    detail: str = ""


def in_order(entries: Iterable[JournalEntry]) -> list[JournalEntry]:
    """Entries as they truly followed each other: boots as they first appear, within one by the monotonic clock."""
    boots: dict[str, list[JournalEntry]] = {}
    for entry in entries:
        boots.setdefault(entry.boot, []).append(entry)
    return [entry for boot in boots.values() for entry in sorted(boot, key=lambda entry: entry.mono)]


def states(entries: Sequence[JournalEntry], camera: str, end: int, alive: int | None) -> Iterator[Stretch]:
    """The stretches in which each entry held, in the order of their happening; they overlap where time went back.

    `entries` are in order. `end`: until when the last one holds. `alive`: the recorder's last sign of life, where it is
    no longer alive and has not told of its end; None where it is, or did.
    """
    told: list[tuple[JournalEntry, str, str]] = []
    running, state, detail = True, "", ""
    for entry in entries:
        if entry.camera == camera and entry.state in _KNOWN:
            running, state, detail = True, entry.state, entry.detail
        elif entry.camera:
            continue
        elif entry.state == _STARTED:
            running = True
            if state and state != Reason.DISABLED:
                state, detail = Reason.CAMERA_DOWN.value, "connecting"
        elif entry.state in (_STOPPED, _DIED):
            running, cause = False, entry.state
        elif entry.state != _CLOCK:
            continue
        if state == POOLED:
            state = Reason.POLICY.value
        if not state or state == Reason.DISABLED:
            told.append((entry, Reason.DISABLED.value, ""))
        elif running:
            told.append((entry, state, detail))
        else:
            told.append((entry, Reason.NODE_DOWN.value, cause))
    for number, (entry, held, why) in enumerate(told):
        begins = _from(entry)
        if number + 1 < len(told):
            yield from _until_next(begins, entry, told[number + 1][0], held, why)
        elif alive is not None and alive < end and held not in (Reason.NODE_DOWN, Reason.DISABLED):
            died = max(begins, alive)
            yield Stretch(begins, died, held, why)
            yield Stretch(died, end, Reason.NODE_DOWN.value, _DIED)
        else:
            yield Stretch(begins, max(begins, end), held, why)


def _until_next(begins: int, entry: JournalEntry, following: JournalEntry, held: str, why: str) -> Iterator[Stretch]:
    ends = _from(following)
    if entry.boot == following.boot:
        lasted = _ms(following.mono - entry.mono)
        if abs(ends - begins - lasted) > _JUMP_MS + lasted * _DRIFT:
            yield Stretch(begins, begins + lasted, held, why)
            if ends > begins + lasted:
                yield Stretch(begins + lasted, ends, Reason.CLOCK.value, "forward")
            return
    yield Stretch(begins, max(begins, ends), held, why)


def _from(entry: JournalEntry) -> int:
    """When it began to hold: a leap forward is told with the time leapt over, and what follows begins at its end."""
    leapt = entry.state == _CLOCK and entry.detail.startswith("+")
    return _ms(entry.until if leapt else entry.wall)


def spans(entries: Iterable[JournalEntry], camera: str) -> Iterator[Stretch]:
    """What was booked afterwards, in the order of the booking."""
    for entry in entries:
        if entry.state == SPAN and entry.camera == camera and entry.until > entry.wall and entry.reason in _KNOWN:
            yield Stretch(_ms(entry.wall), _ms(entry.until), entry.reason, entry.detail)


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
