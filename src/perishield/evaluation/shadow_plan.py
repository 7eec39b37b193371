"""What a shadow run is asked: light enough for the server, which makes none itself."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path

from perishield.model.errors import PeriShieldError
from perishield.model.ground import GroundPlane
from perishield.model.rules import Rule
from perishield.model.site import Analysis, Camera

LONGEST_S = 24 * 3600.0


class ShadowError(PeriShieldError):
    """A trial on recordings makes no sense: `shadow_range`, `shadow_invalid`, `shadow_cancelled`."""

    code = "shadow_invalid"


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowPlan:
    """What to try. Times in Unix seconds; `rules` are all of `camera`; `pictures`: folder for JPEGs.

    `analysis` and `ground` are the camera's own. Of its other settings none counts, and its password goes nowhere.
    """

    camera: str
    start: float
    end: float
    rules: tuple[Rule, ...]
    analysis: Analysis = field(default_factory=Analysis)
    ground: GroundPlane | None = None
    pictures: Path | None = None

    @property
    def settings(self) -> Camera:
        """The camera as far as what it sees depends on it."""
        return Camera(id=self.camera, name=self.camera, url="", analysis=self.analysis, ground=self.ground)


@dataclass(frozen=True, slots=True, kw_only=True)
class RealAlarm:
    """An alarm that was really raised in that time, as far as comparing needs it."""

    id: str
    rule: str
    rule_name: str
    kind: str
    label: str
    wall: float
    snapshot: str = ""


def check_range(start: float, end: float, *, now: float | None = None) -> None:
    """Raises ShadowError (`shadow_range`)."""
    now = time.time() if now is None else now
    if end <= start:
        raise ShadowError("--to: lies not after --from", code="shadow_range", field="to")
    if end - start > LONGEST_S:
        hours = (end - start) / 3600
        raise ShadowError(
            f"--to: {hours:.1f} hours are too many; try at most {LONGEST_S / 3600:g} hours at once",
            code="shadow_range",
            field="to",
        )
    if start >= now:
        raise ShadowError("--from: lies in the future; nothing is recorded of it", code="shadow_range", field="from")
