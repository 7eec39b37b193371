"""Who was hidden behind somebody has gone the same way.

In a group one walks behind the other, and a camera sees the one behind for the first time when all have crossed. A
tracker tells out of whose box he came, once both were seen apart; until then he was where that one was.
"""

from __future__ import annotations

from perishield.model.media import TIMESCALE
from perishield.model.rules import Fence, LineCount, Rule, Tripwire
from perishield.model.vision import TrackFrame
from perishield.rules.judges import Watch
from perishield.rules.sighting import Finding
from perishield.rules.trail import Trail

ALONG = (Tripwire, Fence, LineCount)
"""Rules of lines. Who stays somewhere is asked for himself only."""
_CAME_S = 5.0
"""How long ago a line may have been crossed by who hid somebody, for both to be told of."""


def came_along(rule: Rule, watch: Watch, trail: Trail, frame: TrackFrame) -> list[Finding]:
    """What a new watch finds of the last seconds, taken along all that the trail remembers."""
    found: list[Finding] = []
    for sighting in trail.sightings(rule.anchor, frame.wall, frame.stream_time):
        found += watch.observe(sighting)
    return [one for one in found if frame.stream_time - one.ticks <= _CAME_S * TIMESCALE]
