"""How hard it is to write all that comes, and what is given up for it, in this order:

    1  pictures made for convenience wait (thumbnails, sprites)
    2  analysis looks at key frames only
    3  cameras of lower priority than the highest are not recorded, from their next key frame on
    4  recording is refused

The level rises at once and falls step by step, when the load has been clearly lower for a while: nothing flaps.
"""

from __future__ import annotations

LEVELS = (
    "",
    "pictures for convenience wait",
    "analysis looks at key frames only",
    "cameras of lower priority are not recorded",
    "recording is refused",
)

_FILL = (0.25, 0.5, 0.75, 0.95)
_PENT_UP_S = 0.3
"""A queue that empties faster than this is not full, however much it holds for a moment."""
_WAIT_S = (1.0, 2.5)
_LATE_S = (3.0, 8.0)
"""A disk that syncs slowly is spared reads; recording does not suffer for it."""
_CALM_S = 2.0


class Pressure:
    """The level of one media root. Pure: times are given."""

    def __init__(self) -> None:
        self.level = 0
        self._calm_since: float | None = None

    def update(self, fill: float, waited_s: float, late_s: float, now: float) -> bool:
        """Take in a measurement; True where the level changed.

        `fill`: share of the queue in use; `waited_s`: age of the oldest chunk in it; `late_s`: how long something
        written has not been made durable; `now`: monotonic seconds.
        """
        wanted = _level(fill, waited_s, late_s)
        if wanted > self.level:
            self.level = wanted
            self._calm_since = None
            return True
        # The next lower level must do with twice the load.
        if not self.level or _level(fill * 2, waited_s * 2, late_s * 2) >= self.level:
            self._calm_since = None
            return False
        if self._calm_since is None:
            self._calm_since = now
        if now - self._calm_since < _CALM_S:
            return False
        self.level -= 1
        self._calm_since = now
        return True


def _level(fill: float, waited_s: float, late_s: float) -> int:
    return max(
        sum(fill >= bound for bound in _FILL) if waited_s >= _PENT_UP_S else 0,
        sum(waited_s >= bound for bound in _WAIT_S),
        sum(late_s >= bound for bound in _LATE_S),
    )
