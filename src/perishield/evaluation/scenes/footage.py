"""A scene at any moment: still, trees, actors, what passes, and the camera's own doings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from perishield.evaluation.scenes.actors import cast_list
from perishield.evaluation.scenes.background import Backdrop, backdrop
from perishield.evaluation.scenes.camera import View
from perishield.evaluation.scenes.compose import act
from perishield.evaluation.scenes.passing import Passing
from perishield.evaluation.scenes.scene import Scene
from perishield.evaluation.scenes.sensor import Sensor
from perishield.evaluation.scenes.truth import ActorTruth
from perishield.evaluation.scenes.weather import Sway, sways


class Footage:
    """Pictures of one scene. Making one costs the backdrop (seconds), unless the scene before had the same."""

    def __init__(
        self,
        scene: Scene,
        passing: Sequence[Passing] = (),
        *,
        infrared: bool = False,
        quality: int = 70,
        drift: float = 0.05,
    ) -> None:
        self.scene = scene
        self._view = View(scene.camera, scene.width, scene.height)
        self._still, self._trees = _stage(scene)
        self._roles = cast_list(scene)
        self._passing = tuple(passing)
        self._sensor = Sensor(scene, infrared=infrared, quality=quality, drift=drift)

    def at(self, moment: float) -> tuple[NDArray[np.uint8], tuple[ActorTruth, ...]]:
        """RGB (h, w, 3) and who is really seen in it. The same moment gives the same bytes."""
        frame = self._still.picture.copy()
        for tree in self._trees:
            tree.paint(frame, round(moment * self.scene.fps))
        for thing in self._passing:
            if thing.kind == "cloud":
                thing.draw(frame, self._view, moment)
        present = tuple(role for role in self._roles if role.start_s <= moment < role.end_s)
        seen = act(self.scene, self._view, self._still, present, moment, frame) if present else []
        for thing in self._passing:
            if thing.kind != "cloud":
                thing.draw(frame, self._view, moment)
        return self._sensor.expose(frame, moment), tuple(seen)


def _stage(scene: Scene) -> tuple[Backdrop, list[Sway]]:
    return _kept(replace(scene, name="", title="", seconds=0.0, actors=(), rules=()))


@lru_cache(maxsize=1)
def _kept(scene: Scene) -> tuple[Backdrop, list[Sway]]:
    view = View(scene.camera, scene.width, scene.height)
    still = backdrop(scene, view)
    return still, sways(scene, view, still)
