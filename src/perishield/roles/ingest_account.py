"""What the journal hears of one camera: where its footage begins and ends, and why there is none."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

from perishield.model.errors import StorageError
from perishield.model.footage import Reason
from perishield.model.media import ChunkRef, StreamCondition, StreamState
from perishield.streams.layout import RECORDINGS

RECORDING = "recording"
_CONNECTING = "connecting"
_GAP_S = 0.5
"""A shorter pause is how clocks and frames jitter."""
_BACKDATED_S = 120.0


class Told(Protocol):
    """A journal."""

    def note(self, camera: str, state: str, detail: str = "", *, wall: float | None = None) -> None: ...

    def span(self, camera: str, start: float, end: float, reason: str, detail: str = "") -> None: ...


class CameraAccount:
    """Turns what happens to a camera into journal entries, each state once.

    Footage that ends is told of when that is noticed, seconds later, with the time of its last frame. `withheld` says
    why a frame of that moment is not kept, or nothing.
    """

    def __init__(self, journal: Told, camera: str, withheld: Callable[[float], str]) -> None:
        self._journal = journal
        self._camera = camera
        self._withheld = withheld
        self._state = ("", "")
        self._footage = False
        """The last state told is one with footage."""
        self._until = 0.0
        self._live = False
        self._faulty = False

    def stream(self, state: StreamState) -> None:
        """The source's state."""
        self._live = state.condition is StreamCondition.LIVE
        if state.condition is StreamCondition.FAILED:
            self._ended(Reason.CAMERA_DOWN, state.code)
        elif state.condition is StreamCondition.CONNECTING and not self._state[0]:
            self._tell(Reason.CAMERA_DOWN, _CONNECTING, None)

    def storage(self, fault: StorageError | None) -> None:
        """Chunks cannot be kept, or can again; then the next chunk says so."""
        self._faulty = fault is not None
        if fault is not None:
            self._ended(Reason.DISK, fault.code)

    def chunk(self, chunk: ChunkRef) -> None:
        """A chunk was written."""
        before, self._until = self._until, chunk.wall + chunk.duration / 90_000
        if not self._live or self._faulty:
            # What waited when the stream broke, or the disk: footage outweighs the reason told meanwhile.
            return
        if self._footage and chunk.discontinuity and _GAP_S < chunk.wall - before < _BACKDATED_S:
            self._journal.span(self._camera, before, chunk.wall, Reason.LOSS)
        if chunk.path.startswith(RECORDINGS):
            self._tell(RECORDING, "", chunk.wall)
        else:
            self._tell(Reason.POLICY, self._withheld(chunk.wall), chunk.wall)
        self._footage = True

    def disabled(self) -> None:
        """The camera was switched off or removed."""
        self._ended(Reason.DISABLED, "")

    def _ended(self, state: str, detail: str) -> None:
        now = time.time()
        recent = self._footage and now - _BACKDATED_S < self._until < now
        self._tell(state, detail, self._until if recent else None)
        self._footage = False

    def _tell(self, state: str, detail: str, wall: float | None) -> None:
        if (state, detail) != self._state:
            self._state = (state, detail)
            self._journal.note(self._camera, str(state), detail, wall=wall)
