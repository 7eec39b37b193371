"""The standard suite: generated scenes in which people come in, and generated hours in which nobody does.

>>> from perishield.evaluation.standard import suite
>>> [scene.seed for scene in suite("standard", scenes=2, hours=0.5)]
[10000, 10001, 15000]

A scene is known by its seed alone: `scene_of(seed)` gives the same scene on any machine, with the same pictures.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from perishield.evaluation.dataset import LabelledClip, LabelledLine, Truth
from perishield.evaluation.scenes.passing import Passing
from perishield.evaluation.scenes.places import FPS, HEIGHT, WIDTH, place
from perishield.evaluation.scenes.scene import Scene
from perishield.evaluation.scenes.situations import crossing, quiet
from perishield.model.errors import DatasetError
from perishield.model.rules import Fence, Rule, Tripwire

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from perishield.evaluation.scenes.footage import Footage
    from perishield.evaluation.scenes.truth import ActorTruth

SUITES = ("standard",)
VERSION = 2
"""Raise it whenever the same seed would give another scene or another picture: kept results are then made anew."""
PER_SITE = 3
"""Scenes in which somebody comes in at one place, so that its backdrop is rendered once for all of them."""
QUIET_S = 1800.0
_BLOCK = 10_000
_QUIET = 5_000


@dataclass(frozen=True, kw_only=True)
class GeneratedScene:
    """One scene with its truth.

    `rules` are what a user would have drawn; `events` what these should find (`rule` names them); none in a quiet
    scene. `tags`: condition by name (`weather`, `light`, `distance`, `behaviour`). `person_px`: height of whoever
    comes in, upright, where he does; 0 in a quiet scene. `seconds`: how long it lasts.
    """

    seed: int
    scene: Scene
    passing: tuple[Passing, ...]
    infrared: bool
    rules: tuple[Rule, ...]
    events: tuple[Truth, ...]
    tags: dict[str, str]
    person_px: float
    seconds: float
    fps: float = float(FPS)
    width: int = WIDTH
    height: int = HEIGHT

    @property
    def quiet(self) -> bool:
        return not self.events

    @cached_property
    def footage(self) -> Footage:
        """Its pictures by moment; the first use renders the backdrop."""
        from perishield.evaluation.scenes.footage import Footage

        quality = 45 + self.seed * 7 % 36
        drift = 0.06 if self.tags["light"] in ("noon", "overcast", "dusk") else 0.0
        return Footage(self.scene, self.passing, infrared=self.infrared, quality=quality, drift=drift)

    def frames(self) -> Iterator[tuple[float, NDArray[np.uint8], tuple[ActorTruth, ...]]]:
        """Seconds, RGB (h, w, 3) and who is seen, at the analysed rate."""
        for index in range(int(self.seconds * self.fps)):
            moment = index / self.fps
            yield moment, *self.footage.at(moment)

    @property
    def clip(self) -> LabelledClip:
        """Its truth as that of a labelled clip without a file; fences stand as their inner lines."""
        lines = []
        for rule in self.rules:
            if isinstance(rule, (Fence, Tripwire)):
                ends = rule.inner if isinstance(rule, Fence) else rule.line
                start, end = ((x * self.width, y * self.height) for x, y in (ends[0], ends[-1]))
                lines.append(LabelledLine(rule.id, start, end))
        return LabelledClip(
            file=f"generated-{self.seed}",
            path=Path(),
            sha256="",
            width=self.width,
            height=self.height,
            fps=self.fps,
            frames=int(self.seconds * self.fps),
            lines=tuple(lines),
            zones=(),
            events=self.events,
            expect_no_person_events=self.quiet,
        )


def suite(name: str, *, scenes: int = 200, hours: float = 10.0, seed: int = 1) -> tuple[GeneratedScene, ...]:
    """The scenes of a suite, those in which somebody comes in first, then the quiet hours in pieces.

    Raises DatasetError where there is no such suite.
    """
    return tuple(scene_of(each) for each in seeds(name, scenes=scenes, hours=hours, seed=seed))


def seeds(name: str, *, scenes: int = 200, hours: float = 10.0, seed: int = 1) -> Sequence[int]:
    """Only the seeds of `suite`. Raises DatasetError."""
    if name not in SUITES:
        raise DatasetError(f"suite {name!r}: there is none of that name; use one of {', '.join(SUITES)}", field="name")
    if not 1 <= seed < 100_000 or not 0 <= scenes < _QUIET or not 0 <= hours <= 2000:
        raise DatasetError("suite: seed is 1 to 99999, scenes 0 to 4999, hours 0 to 2000", field="seed")
    pieces = round(hours * 3600 / QUIET_S)
    return [seed * _BLOCK + index for index in (*range(scenes), *range(_QUIET, _QUIET + pieces))]


def scene_of(seed: int, *, seconds: float = QUIET_S) -> GeneratedScene:
    """The scene of one seed, as `suite` gives it; `seconds` is the length of quiet ones."""
    base, number = divmod(seed, _BLOCK)
    if base < 1:
        raise DatasetError(f"scene {seed}: there is none of that seed; take one of a report", field="seed")
    still = number >= _QUIET
    # Quiet places are others than those where people come in.
    here = place(base, number + 7 if still else number // PER_SITE)
    act = quiet(here, base, number, seconds) if still else crossing(here, base, number)
    scene = replace(here.stage, actors=act.actors, rules=act.rules, seconds=act.seconds)
    return GeneratedScene(
        seed=seed,
        scene=scene,
        passing=act.passing,
        infrared=here.infrared,
        rules=act.rules,
        events=act.truth,
        tags={
            "weather": here.weather,
            "light": here.light,
            "distance": here.distance,
            "behaviour": act.behaviour,
        },
        person_px=round(act.person_px, 1),
        seconds=act.seconds,
    )
