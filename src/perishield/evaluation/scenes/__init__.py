"""The demo site and its cameras: scenes as data, rendered with ground truth.

>>> from perishield.evaluation.scenes import demo_scenes
>>> [scene.name for scene in demo_scenes()]
['north-fence', 'south-fence']
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from perishield.evaluation.scenes.demo import demo_scenes
from perishield.evaluation.scenes.encode import Clip, cached, fingerprint, render
from perishield.evaluation.scenes.scene import Scene
from perishield.evaluation.scenes.together import cached_all
from perishield.evaluation.scenes.truth import ActorTruth, Climb, FrameTruth, Truth, climbs, load, save

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = [
    "ActorTruth",
    "Climb",
    "Clip",
    "FrameTruth",
    "Scene",
    "Truth",
    "cached",
    "cached_all",
    "climbs",
    "demo_scenes",
    "fingerprint",
    "frames",
    "load",
    "render",
    "save",
]


def frames(scene: Scene) -> Iterator[tuple[NDArray[np.uint8], FrameTruth]]:
    """Each frame of one loop: RGB (h, w, 3) bytes and its truth."""
    from perishield.evaluation.scenes.compose import frames as rendered

    return rendered(scene)
