"""How long something lasts, and when that is to be told."""

from __future__ import annotations

from perishield.model.alarms import EventKind
from perishield.model.media import TIMESCALE
from perishield.rules.sighting import Finding, Sighting, moved_to


class Stay:
    """Idle, lasting, told. Instants do not depend on when pictures happen to be taken."""

    __slots__ = ("_since", "_told")

    def __init__(self) -> None:
        self._since: Sighting | None = None
        self._told: int | None = None

    @property
    def since(self) -> Sighting | None:
        """Where and when it began; None while idle."""
        return self._since

    def begin(self, at: Sighting) -> None:
        self._since, self._told = at, None

    def end(self, at: Sighting) -> float:
        """Seconds that it lasted."""
        since, self._since = self._since, None
        return max(0.0, (at.ticks - since.ticks) / TIMESCALE) if since is not None else 0.0

    def due(
        self, kind: EventKind, last: Sighting | None, now: Sighting, least_s: float, every_s: float
    ) -> list[Finding]:
        """A finding once it has lasted `least_s`, and again every `every_s` (0: never again).

        Of several that fell due between two pictures only the last is told.
        """
        since = self._since
        if since is None:
            return []
        due = since.ticks + round(least_s * TIMESCALE)
        if self._told is not None:
            if every_s <= 0:
                return []
            due = self._told + round(every_s * TIMESCALE)
        if now.ticks < due:
            return []
        if every_s > 0:
            step = max(1, round(every_s * TIMESCALE))
            due += (now.ticks - due) // step * step
        self._told = due
        at = moved_to(last, now, max(due, since.ticks))
        return [Finding(kind, at.ticks, at.wall, at.point, stayed_s=(at.ticks - since.ticks) / TIMESCALE)]
