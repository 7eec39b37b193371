"""Actors in time: when each is where, doing what, in which pose."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from perishield.evaluation.scenes.animal import dog
from perishield.evaluation.scenes.body import person
from perishield.evaluation.scenes.climb import LANDING_Y, climbing
from perishield.evaluation.scenes.crawl import crawling
from perishield.evaluation.scenes.gait import Path, path, walking
from perishield.evaluation.scenes.parts import Body
from perishield.evaluation.scenes.pose import Pose, blend
from perishield.evaluation.scenes.scene import (
    Actor,
    ClimbOver,
    DogLook,
    Go,
    PersonLook,
    Scene,
    Vec2,
    VehicleLook,
    Wait,
)
from perishield.evaluation.scenes.vehicle import vehicle

_BLEND_S = 0.35


@dataclass(frozen=True, slots=True)
class Act:
    """A stretch of an actor's time: on a path, or (`way` is None) climbing at `x`."""

    start_s: float
    end_s: float
    way: Path | None = None
    x: float = 0.0
    mirrored: bool = False


@dataclass(frozen=True, slots=True)
class Role:
    """An actor together with the stretches of its time, in order and without gaps."""

    actor: Actor
    acts: tuple[Act, ...]

    @property
    def start_s(self) -> float:
        return self.acts[0].start_s

    @property
    def end_s(self) -> float:
        return self.acts[-1].end_s


def cast_list(scene: Scene) -> tuple[Role, ...]:
    """Every actor of a scene with its timing."""
    return tuple(Role(actor, tuple(_acts(actor))) for actor in scene.actors)


def _acts(actor: Actor) -> list[Act]:
    acts: list[Act] = []
    legs: list[tuple[Vec2, Vec2, float]] = []
    here, now = actor.at, actor.start_s

    def close() -> None:
        nonlocal now
        if legs:
            way = path(now, list(legs), running_start=bool(acts))
            acts.append(Act(now, way.end_s, way))
            now = way.end_s
            legs.clear()

    for number, move in enumerate(actor.moves):
        if isinstance(move, Go):
            legs.append((here, move.to, float(np.hypot(move.to[0] - here[0], move.to[1] - here[1])) / move.speed))
            here = move.to
        elif isinstance(move, Wait):
            legs.append((here, here, move.seconds))
        else:
            close()
            onward = actor.moves[number + 1] if number + 1 < len(actor.moves) else None
            acts.append(Act(now, now + move.seconds, None, here[0], isinstance(onward, Go) and onward.to[0] < here[0]))
            now += move.seconds
            here = (here[0], LANDING_Y)
    close()
    return acts


def act_at(role: Role, moment: float) -> Act | None:
    """What the actor is at, or None while it is not there."""
    for act in role.acts:
        if act.start_s <= moment < act.end_s:
            return act
    return None


def state_at(role: Role, moment: float) -> str:
    """walk, run, stand or climb."""
    act = act_at(role, moment)
    if act is None or act.way is None:
        return "climb"
    speed = act.way.at(moment)[3]
    return "stand" if speed < 0.25 else "walk" if speed < 2.2 else "run"


def _pose(scene: Scene, look: PersonLook, act: Act, moment: float, *, crawls: bool) -> Pose:
    size = look.height / 1.75
    if act.way is not None:
        return crawling(act.way, moment, size) if crawls else walking(act.way, moment, size)
    share = (moment - act.start_s) / (act.end_s - act.start_s)
    return climbing(act.x, share, scene.fence.height, size, mirrored=act.mirrored)


def body_at(scene: Scene, role: Role, moment: float) -> Body | None:
    """The actor's volumes at a moment of the loop, or None."""
    act = act_at(role, moment)
    if act is None:
        return None
    look = role.actor.look
    if isinstance(look, DogLook):
        return dog(act.way, moment, look) if act.way is not None else None
    if isinstance(look, VehicleLook):
        return vehicle(act.way, moment, look) if act.way is not None else None
    crawls = role.actor.crawls
    pose = _pose(scene, look, act, moment, crawls=crawls)
    index = role.acts.index(act)
    if index and moment - act.start_s < _BLEND_S:
        before = _pose(scene, look, role.acts[index - 1], act.start_s - 1e-3, crawls=crawls)
        share = (moment - act.start_s) / _BLEND_S
        pose = blend(before, pose, share * share * (3 - 2 * share))
    return person(pose, look)


def crossing_s(act: Act) -> float:
    """When a climber's body passes over the fence."""
    return act.start_s + 0.615 * (act.end_s - act.start_s)


def climbs_of(role: Role) -> list[Act]:
    return [act for act in role.acts if act.way is None and any(isinstance(m, ClimbOver) for m in role.actor.moves)]
