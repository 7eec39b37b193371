"""What happens at a place, and what of it a watchman should be told: seeded acts and their truth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from perishield.evaluation.dataset import Truth
from perishield.evaluation.scenes.actors import Role, cast_list
from perishield.evaluation.scenes.camera import Array, View
from perishield.evaluation.scenes.demo import INNER_Y, OUTER_Y
from perishield.evaluation.scenes.passing import Passing
from perishield.evaluation.scenes.places import Place, person_look
from perishield.evaluation.scenes.scene import Actor, ClimbOver, DogLook, Go, Scene, VehicleLook, Wait
from perishield.model.geometry import Point
from perishield.model.rules import Fence, Rule, Tripwire, Zone

BEHAVIOURS = ("walk", "run", "crawl", "linger", "group")
"""Ways over open ground; where there is a fence, people climb instead, alone or in twos."""
TOLERANCE_S = 3.0
"""How far from the truth an alarm may lie: within the five seconds that the product promises."""
_FIRST_S = 7.0
_DOWN_Y, _ON_Y = 1.2, 1.6
"""Metres behind the fence where a climber has come down, and where he goes on."""
_INWARDS: Literal["left_to_right"] = "left_to_right"
"""The camera hangs inside, so inwards is down across a line that is drawn from left to right."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """`truth` is empty where nobody crosses. `person_px`: height on the picture of whoever crosses, upright."""

    actors: tuple[Actor, ...]
    passing: tuple[Passing, ...]
    truth: tuple[Truth, ...]
    rules: tuple[Rule, ...]
    seconds: float
    behaviour: str
    person_px: float


def crossing(place: Place, seed: int, number: int) -> Act:
    """Scene `number` at a place: somebody comes in."""
    rng = np.random.default_rng((seed, number, 2))
    if place.fenced:
        behaviour = "climb"
        actors = [_climber(place, rng, 0.0)]
        if number % 3 == 2:
            behaviour = "climb in twos"
            actors.append(_climber(place, rng, float(rng.uniform(2.5, 4)), aside=float(rng.choice((-2.4, 2.4)))))
    else:
        behaviour = BEHAVIOURS[number % len(BEHAVIOURS)]
        actors = _incomers(place, rng, behaviour)
    roles = cast_list(Scene(name="", title="", camera=place.stage.camera, actors=tuple(actors)))
    rules = rules_of(place)
    truth = tuple(found for role in roles if (found := _truth(place, role)) is not None)
    last = max(role.end_s for role in roles)
    middle = place.crossing
    feet, head = place.view.pixel((*middle, 0.0))[1], place.view.pixel((*middle, actors[0].look.height))[1]
    passing: tuple[Passing, ...] = ()
    if place.light == "headlights":
        passing = (Passing(kind="headlights", start_s=_FIRST_S, seconds=7.0, seed=int(rng.integers(1 << 30))),)
    return Act(
        actors=tuple(actors),
        passing=passing,
        truth=truth,
        rules=rules[:1],
        seconds=float(np.ceil(last + 2)),
        behaviour=behaviour,
        person_px=float(feet - head),
    )


def quiet(place: Place, seed: int, number: int, seconds: float) -> Act:
    """A long stretch at a place in which a lot passes, and nobody comes in."""
    rng = np.random.default_rng((seed, number, 3))
    actors: list[Actor] = []
    passing: list[Passing] = []
    count = max(1, round(seconds / 240))
    slots = np.sort(rng.uniform(20, max(21, seconds - 40), count))
    kinds = ["along", "animal", "vehicle", "bird", "litter", "flag"]
    kinds.append({"noon": "cloud", "infrared": "insect", "headlights": "headlights"}.get(place.light, "bird"))
    kinds.append("insect" if place.infrared else "loiter")
    order = rng.permutation(len(kinds))
    for index, start in enumerate(slots):
        kind = kinds[int(order[index % len(kinds)])]
        begin = round(float(start), 2)
        if kind in ("along", "loiter"):
            actors.append(_outsider(place, rng, begin, loiters=kind == "loiter"))
        elif kind == "animal":
            actors.append(_animal(place, rng, begin))
        elif kind == "vehicle":
            actors.append(_vehicle(place, rng, begin))
        else:
            lasts = {"flag": 20.0, "cloud": 30.0, "insect": 6.0, "litter": 6.0, "headlights": 7.0}.get(kind, 4.0)
            thing = Passing(kind=kind, start_s=begin, seconds=lasts, seed=int(rng.integers(1 << 30)))  # type: ignore[arg-type]
            passing.append(thing)
    return Act(
        actors=tuple(actors),
        passing=tuple(passing),
        truth=(),
        rules=rules_of(place),
        seconds=seconds,
        behaviour="nobody",
        person_px=0.0,
    )


def rules_of(place: Place) -> tuple[Rule, ...]:
    """What a user would draw: the line or fence first, then the yard behind it."""
    view = place.view
    name = place.stage.name
    first: Rule
    if place.fenced:
        first = Fence(
            id="fence",
            camera=name,
            name="fence",
            outer=_line(view, OUTER_Y),
            inner=_line(view, INNER_Y),
            direction=_INWARDS,
        )
    else:
        first = Tripwire(id="line", camera=name, name="line", line=_line(view, 0.0), direction=_INWARDS)
    depth = next((y for y in (0.6 * view.position[1], 2.2, 1.8, 1.5) if y > 1.4 and _sees(view, float(y))), 1.3)
    near, far = _line(view, 1.2), _line(view, float(depth))
    yard = Zone(id="yard", camera=name, name="yard", polygon=(*near, *reversed(far)))
    return first, yard


def _line(view: View, y: float) -> tuple[Point, Point]:
    """The part of the ground's line at `y` that the camera sees, left to right."""
    column, row = _seen(view, y)
    first, last = int(np.argmin(column)), int(np.argmax(column))
    ends = ((float(column[k]) / view.width, float(row[k]) / view.height) for k in (first, last))
    one, other = ((round(u, 4), round(v, 4)) for u, v in ends)
    return one, other


def _sees(view: View, y: float) -> bool:
    return len(_seen(view, y)[0]) > 20


def _seen(view: View, y: float) -> tuple[Array, Array]:
    points = np.array([(x, y, 0.0) for x in np.linspace(-60, 60, 1921)], np.float32)
    column, row, depth = view.project(points)
    seen = (depth > 1) & (column >= 1) & (column < view.width - 1) & (row >= 1) & (row < view.height - 1)
    return column[seen], row[seen]


def _climber(place: Place, rng: np.random.Generator, later: float, aside: float = 0.0) -> Actor:
    middle = place.crossing[0] + float(rng.uniform(-0.6, 0.6))
    side = 1 if rng.random() < 0.5 else -1
    deep = min(3.0, 0.45 * place.stage.camera.position[1])
    # What the camera does not see of him nobody can be told: he comes down, and goes on, within the picture.
    x = middle + next((way for way in (aside, -aside, aside / 2) if _is_shown(place, middle + way, _DOWN_Y)), 0.0)
    turn = side if _is_shown(place, x + side, _ON_Y) else -side
    return Actor(
        name=f"climber-{later:.0f}",
        look=person_look(rng),
        start_s=_FIRST_S + later,
        at=(x + side * float(rng.uniform(1, 3)), -float(rng.uniform(3, 5))),
        moves=(
            Go((x, -1.4), float(rng.uniform(1.2, 2.0))),
            Go((x, -0.45), 1.2),
            ClimbOver(float(rng.uniform(4.5, 7.5))),
            Go((x + turn * float(rng.uniform(0.5, 2)), deep), float(rng.uniform(1.4, 3.0))),
        ),
    )


def _is_shown(place: Place, x: float, y: float) -> bool:
    """Whether that point of the ground lies well within the picture."""
    view = place.view
    column, row = view.pixel((x, y, 0.0))
    return bool(0.05 * view.width < column < 0.95 * view.width and row < 0.97 * view.height)


def _incomers(place: Place, rng: np.random.Generator, behaviour: str) -> list[Actor]:
    x = place.crossing[0] + float(rng.uniform(-0.8, 0.8))
    deep = min(3.5, 0.5 * place.stage.camera.position[1])
    lean = float(rng.uniform(-0.6, 0.6))
    out = float(rng.uniform(3.0, 5.0))
    speed = float(rng.uniform(1.1, 1.7))
    if behaviour == "run":
        speed, out = float(rng.uniform(3.0, 5.0)), 6.0
        # A second beyond the line at least: nobody dissolves in front of a camera.
        deep = min(max(deep, speed), 0.9 * place.stage.camera.position[1])
    if behaviour == "crawl":
        speed, out, deep = float(rng.uniform(0.4, 0.6)), 1.8, min(deep, 1.6)
    start, end = (x - lean * out, -out), (x + lean * deep, deep)
    found = []
    for index in range(int(rng.integers(2, 4)) if behaviour == "group" else 1):
        aside, back = (0.0, 0.0) if index == 0 else (float(rng.uniform(0.5, 1.0)) * (-1) ** index, 0.7 * index)
        at, to = (start[0] + aside, start[1] - back), (end[0] + aside, end[1] - back * 0.3)
        moves: tuple[Go | Wait, ...] = (Go(to, speed),)
        if behaviour == "linger":
            stop = (x - lean * 1.6, -1.6)
            moves = (Go(stop, speed), Wait(float(rng.uniform(3, 7))), Go(to, speed))
        found.append(
            Actor(
                name=f"{behaviour}-{index}",
                look=person_look(rng),
                start_s=_FIRST_S + float(rng.uniform(0, 2)) * (index == 0),
                at=at,
                moves=moves,
                crawls=behaviour == "crawl",
            )
        )
    return found


def _outsider(place: Place, rng: np.random.Generator, start: float, *, loiters: bool) -> Actor:
    side = 1 if rng.random() < 0.5 else -1
    y = -float(rng.uniform(2.2, 5.0))
    x = place.crossing[0]
    reach = float(rng.uniform(5, 8))
    speed = float(rng.uniform(1.1, 1.8))
    moves: tuple[Go | Wait, ...] = (Go((x + side * reach, y - 0.5), speed),)
    if loiters:
        moves = (Go((x, y), speed), Wait(float(rng.uniform(6, 20))), *moves)
    return Actor(
        name=f"outsider-{start:.0f}", look=person_look(rng), start_s=start, at=(x - side * reach, y), moves=moves
    )


def _animal(place: Place, rng: np.random.Generator, start: float) -> Actor:
    """Dogs, foxes and cats know no fence: they cross the line as they like."""
    side = 1 if rng.random() < 0.5 else -1
    coat = float(rng.uniform(0.04, 0.4))
    tall = float(rng.uniform(0.26, 0.62))
    look = DogLook(height=tall, length=tall * 1.15, coat=(coat, coat * 0.75, coat * 0.5))
    x = place.crossing[0]
    inner = min(2.5, 0.4 * place.stage.camera.position[1])
    return Actor(
        name=f"animal-{start:.0f}",
        look=look,
        start_s=start,
        at=(x - side * float(rng.uniform(4, 7)), -float(rng.uniform(1, 4))),
        moves=(Go((x, float(rng.uniform(-1, inner))), float(rng.uniform(1, 3))), Wait(float(rng.uniform(0, 4))),
               Go((x + side * float(rng.uniform(3, 6)), float(rng.uniform(-3, inner))), float(rng.uniform(1, 3)))),
    )  # fmt: skip


def _vehicle(place: Place, rng: np.random.Generator, start: float) -> Actor:
    side = 1 if rng.random() < 0.5 else -1
    tint = rng.uniform(0.03, 0.5, 3)
    van = rng.random() < 0.3
    look = VehicleLook(
        length=5.2 if van else 4.3,
        height=2.1 if van else 1.45,
        cabin=0.75 if van else 0.5,
        paint=(float(tint[0]), float(tint[1]), float(tint[2])),
    )
    y = -float(rng.uniform(6, 9))
    x = place.crossing[0]
    return Actor(
        name=f"vehicle-{start:.0f}", look=look, start_s=start, at=(x - side * 25, y),
        moves=(Go((x + side * 25, y), float(rng.uniform(4, 10))),),
    )  # fmt: skip


def _truth(place: Place, role: Role) -> Truth | None:
    """When somebody's feet pass the line, or have come down well inside the fence."""
    if place.fenced:
        climb = next((act for act in role.acts if act.way is None), None)
        if climb is None:
            return None
        return Truth("fence", "line_cross", round(climb.end_s, 3), TOLERANCE_S, None, role.actor.name)
    moments = np.arange(role.start_s, role.end_s, 0.02)
    for act in role.acts:
        if act.way is None:
            continue
        y = np.array([float(act.way.at(float(moment))[0][1]) for moment in moments])
        inside = np.nonzero(y > 0)[0]
        if len(inside):
            return Truth("line", "line_cross", round(float(moments[inside[0]]), 3), TOLERANCE_S, None, role.actor.name)
    return None
