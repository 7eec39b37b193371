"""What a storage target can do, whatever kind it is. Everything here blocks: call it in a thread.

Keys are segment paths relative to the media root, the same at every target. Errors are StorageError with these codes:
`storage_auth` (wrong key), `storage_missing` (no such bucket or folder), `storage_unreachable`, `storage_busy` (asked
to come later), `storage_refused` (any other answer), `mount_gone`, `mount_foreign`, `disk_full`, `not_writable`,
`missing` (no such copy), `corrupt` (not what was sent).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from perishield.model.errors import StorageError
from perishield.model.media import SegmentRow
from perishield.model.storage import StorageTarget

PIECE = 1 << 20
"""Bytes of footage in memory at a time, where the wire allows it."""

Pace = Callable[[int], None]
"""Called before so many bytes are moved; waits as the throttle demands."""


@dataclass(frozen=True, slots=True)
class Space:
    """Room at a target in bytes; None where it does not say."""

    free: int | None = None
    total: int | None = None
    identity: str = ""
    """What tells this folder from another at the same path; empty where there is no such thing."""


class Source(Protocol):
    """A segment to be copied: its length, and its bytes as often as an attempt needs them."""

    size: int

    def pieces(self) -> Iterator[bytes]: ...


class Target(Protocol):
    """A place for copies."""

    spec: StorageTarget

    def check(self) -> Space:
        """Raise StorageError unless it can be used now."""

    def put(self, row: SegmentRow, source: Source, sha256: str, pace: Pace) -> bool:
        """Store a copy, whole or not at all; True when the target itself has checked the SHA-256 of what arrived.

        A copy that is there already is replaced, or left where the target cannot replace.
        """

    def pieces(self, row: SegmentRow) -> Iterator[bytes]:
        """The copy's bytes in order. Raises StorageError (`missing`)."""

    def read(self, row: SegmentRow, offset: int, length: int) -> bytes:
        """Some of them; fewer at the end."""

    def size(self, row: SegmentRow) -> int | None:
        """Length of the copy, None where there is none."""

    def remove(self, row: SegmentRow) -> None:
        """Delete the copy; one that is gone already is fine. A target with a retention of its own leaves it to that."""

    def link(self, row: SegmentRow, expires_s: int) -> str:
        """An expiring address from which anybody can fetch the copy; empty where there is no such thing."""

    def close(self) -> None: ...


def failure(spec: StorageTarget, code: str, reason: str, way_out: str = "") -> StorageError:
    """An error of a target, with the way out that fits its code."""
    hint = way_out or _WAY_OUT.get(code, "")
    text = f"storage '{spec.name}' ({spec.place}): {reason}"
    return StorageError(f"{text}; {hint}" if hint else text, code=code, storage=spec.name, reason=reason)


_WAY_OUT = {
    "storage_auth": "check its keys in [[storage.targets]]",
    "storage_missing": "create it, or correct its name in [[storage.targets]]",
    "storage_unreachable": "check the network and its address",
    "storage_busy": "it is tried again later",
    "mount_gone": "mount it again, or mark a new folder by `perishield storage prepare`",
    "mount_foreign": "mount the right one, or mark this one by `perishield storage prepare`",
    "disk_full": "free space there, or keep footage for a shorter time",
}
