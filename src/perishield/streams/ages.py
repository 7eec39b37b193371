"""How old a file is when the clock cannot be trusted: time that was leapt over ages nothing that was there before."""

from __future__ import annotations

from collections.abc import Iterable

_LEAP_S = 1.0


class Ages:
    """Ages of files by their modification times, corrected for the clock's leaps forward.

    `leaps`: (from, to) of those that are known already. A leap backward makes files younger than they are; they are
    kept longer, which harms nobody.
    """

    def __init__(self, leaps: Iterable[tuple[float, float]] = ()) -> None:
        self._leaps = list(leaps)
        self._offset: float | None = None

    def observe(self, wall: float, mono: float) -> None:
        """Compare the clocks; to be called every few seconds. `mono` counts the host's sleep, too."""
        offset = wall - mono
        if self._offset is not None and offset - self._offset > _LEAP_S:
            self._leaps.append((wall - (offset - self._offset), wall))
        self._offset = offset

    def age(self, written: float, now: float) -> float:
        """Seconds that truly passed between `written` and `now`."""
        return (
            now - written - sum(after - before for before, after in self._leaps if written <= before and after <= now)
        )
