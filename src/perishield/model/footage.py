"""The footage ledger's words: for every camera and second either footage, or the reason why there is none."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Reason(StrEnum):
    """Why a second has no footage. None of them is "unknown"."""

    CAMERA_DOWN = "camera_down"
    """No stream: unreachable, refused, wrong password, no video; `detail` is the source's error code."""
    LOSS = "loss"
    """Packets were lost on the way; up to the next key frame nothing can be kept."""
    DISK = "disk"
    """The storage refused (`disk_full`, `not_writable`, `mount_gone`) or could not keep up (`overload`)."""
    POLICY = "policy"
    """Switched off, outside its schedule, or no event; `detail` says which: `off`, `schedule`, `event`."""
    DISABLED = "disabled"
    """The camera was switched off, or did not exist yet."""
    NODE_DOWN = "node_down"
    """No recorder was running: stopped, killed, or the host was off; `detail`: `stopped`, `died`."""
    CLOCK = "clock"
    """The host's clock jumped over these seconds: they never were."""
    RETENTION = "retention"
    """Was recorded, and deleted again by retention."""
    DELETED = "deleted"
    """Was recorded, and the file is gone without retention having deleted it."""


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """One line of the recorder's journal: a change of state, never a sample.

    `camera` is empty for the recorder itself. `wall` is Unix seconds of this host's clock, `mono` seconds of its
    monotonic clock within `boot` (the kernel's boot id), so that jumps of the one show against the other.
    `state`: of a camera `recording`, `pooled`, or a Reason that holds from here on; `span` books [wall, until) with
    `reason` afterwards. Of the recorder: `started`, `stopped`, `died` (told by its successor), `clock`.
    """

    wall: float
    mono: float
    boot: str
    camera: str
    state: str
    detail: str = ""
    until: float = 0.0
    reason: str = ""


@dataclass(frozen=True, slots=True)
class LedgerSpan:
    """[start, end) in Unix seconds: `state` is `recorded`, `pooled` (kept for minutes only), or a Reason."""

    start: float
    end: float
    state: str
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """Footage of a camera in [start, until) (Unix seconds) that nothing may delete. `who` placed it, and why."""

    id: str
    camera: str
    start: float
    until: float
    reason: str
    who: str
    created: float
