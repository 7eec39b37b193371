"""Paths with fewer points and a known error.

Ramer (1972) and Douglas and Peucker (1973), with the distance taken at equal times (Meratnia and de By, "Spatiotemporal
Compression Techniques for Moving Point Objects", EDBT 2004): where the object was at any time of the path is kept
within the bound, not only its line. So somebody who stood still stays two points apart in time.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from perishield.model.trajectory import Step


def simplified(path: Sequence[Step], bound: float) -> tuple[Step, ...]:
    """The path with as few of its points as keep it within `bound` (shares of the picture) at every time."""
    if len(path) <= 2:
        return tuple(path)
    kept = {0, len(path) - 1}
    open_spans = [(0, len(path) - 1)]
    while open_spans:
        first, last = open_spans.pop()
        worst, at = bound, -1
        begin, x, y = path[first]
        end, to_x, to_y = path[last]
        lasts = end - begin
        for index in range(first + 1, last):
            time, real_x, real_y = path[index]
            share = (time - begin) / lasts if lasts > 0 else 0.0
            missed = math.hypot(x + (to_x - x) * share - real_x, y + (to_y - y) * share - real_y)
            if missed > worst:
                worst, at = missed, index
        if at >= 0:
            kept.add(at)
            open_spans += [(first, at), (at, last)]
    return tuple(path[index] for index in sorted(kept))
