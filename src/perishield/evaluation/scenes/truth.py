"""What really happened in a scene: who was where in each frame, and who climbed when. Plain JSON beside the clip."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from perishield.evaluation.scenes.actors import Role, cast_list, climbs_of, crossing_s
from perishield.evaluation.scenes.scene import Scene
from perishield.model.errors import DatasetError
from perishield.model.geometry import Box, Point
from perishield.model.rules import Rule, rule_from_dict, rule_to_dict


@dataclass(frozen=True, slots=True)
class Climb:
    """Somebody came over the fence: first grip, body over the fence, and well inside (seconds of the loop).

    The alarm for it belongs between `start_s` and `end_s`.
    """

    start_s: float
    crossing_s: float
    end_s: float
    actor: str


@dataclass(frozen=True, slots=True)
class ActorTruth:
    """One visible actor in one frame.

    `box` xyxy pixels of all of the body that is on the picture, `foot` where it touches the ground (or the lowest foot
    hangs) in pixels, `ground` its place seen from above in metres (x along the fence, y > 0 inside).
    """

    actor: str
    kind: str
    state: str
    box: Box
    foot: Point
    ground: Point


@dataclass(frozen=True, slots=True)
class FrameTruth:
    """One frame: its number, its time in the loop, and who is seen."""

    index: int
    time_s: float
    actors: tuple[ActorTruth, ...]


@dataclass(frozen=True, slots=True)
class Truth:
    """A rendered clip's ground truth. `rules` are what a user would draw on this camera's picture."""

    scene: str
    title: str
    width: int
    height: int
    fps: int
    seconds: float
    frames: tuple[FrameTruth, ...]
    climbs: tuple[Climb, ...]
    rules: tuple[Rule, ...]


def climbs(scene: Scene) -> tuple[Climb, ...]:
    """All climbs of one loop in order, known without rendering."""
    found = [_climb(role, index) for role in cast_list(scene) for index in range(len(climbs_of(role)))]
    return tuple(sorted(found, key=lambda climb: climb.start_s))


def _climb(role: Role, index: int) -> Climb:
    act = climbs_of(role)[index]
    end = min(role.end_s, act.end_s + 3.0)
    return Climb(round(act.start_s, 3), round(crossing_s(act), 3), round(end, 3), role.actor.name)


def save(truth: Truth, path: Path) -> None:
    """Write as JSON; whole or not at all."""
    data = {**asdict(truth), "rules": [rule_to_dict(rule) for rule in truth.rules]}
    draft = path.with_suffix(".part")
    draft.write_text(json.dumps(data, separators=(",", ":")))
    draft.replace(path)


def load(path: Path) -> Truth:
    """What `save` wrote. Raises DatasetError when it is not that."""
    try:
        data: dict[str, Any] = json.loads(path.read_text())
        frames = tuple(
            FrameTruth(
                frame["index"],
                frame["time_s"],
                tuple(
                    ActorTruth(
                        seen["actor"],
                        seen["kind"],
                        seen["state"],
                        tuple(seen["box"]),
                        tuple(seen["foot"]),
                        tuple(seen["ground"]),
                    )
                    for seen in frame["actors"]
                ),
            )
            for frame in data.pop("frames")
        )
        found = tuple(Climb(**climb) for climb in data.pop("climbs"))
        rules = tuple(rule_from_dict(rule) for rule in data.pop("rules"))
        return Truth(frames=frames, climbs=found, rules=rules, **data)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DatasetError(
            f"scene truth {path.name}: {error}; delete it and render the scene again", path=path.name
        ) from error
