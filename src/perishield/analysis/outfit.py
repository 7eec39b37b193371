"""What stands between a camera's pictures and its alarms, by the camera's settings.

Written once, for the vision process and for whatever tries recordings: both must see the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from perishield.analysis.attend import TrackJury
from perishield.analysis.pipeline import CameraPipeline
from perishield.model.doubts import Suppressed
from perishield.model.rules import Rule
from perishield.model.site import Camera
from perishield.rules.engine import RuleEngine


def outfit(pipeline: CameraPipeline, on_suppressed: Callable[[Suppressed], None] | None = None) -> TrackJury:
    """Give a new pipeline what filters and doubts its findings; whatever else is to do so is added here."""
    doubts = TrackJury(lambda: pipeline.settings, on_suppressed)
    pipeline.sifts.append(doubts.jury.sift)
    return doubts


def instruct(engine: RuleEngine, cameras: Iterable[Camera], rules: Iterable[Rule]) -> list[Rule]:
    """Tell the engine the ground of these cameras and the rules drawn on them, which are given back as they count.

    A rule may ask for more certainty than its camera does, never for less. Raises RuleError.
    """
    known = {camera.id: camera for camera in cameras}
    told = [
        replace(rule, min_score=max(rule.min_score, known[rule.camera].analysis.min_score))
        for rule in rules
        if rule.camera in known
    ]
    engine.calibrate({name: camera.ground for name, camera in known.items() if camera.ground is not None})
    engine.configure(told)
    return told
