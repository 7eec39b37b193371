"""Scenes as data: a camera, a fence, light, weather, and who does what.

World coordinates in metres, right-handed, z up. The fence stands on the x axis (y = 0); y > 0 is inside, where the
camera hangs, y < 0 is outside. Angles in degrees; a heading counts from +x towards +y.
Everything is frozen and hashable by value, so that a rendered clip can be kept under the hash of its scene.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from perishield.model.rules import Rule

Vec3 = tuple[float, float, float]
Vec2 = tuple[float, float]
Colour = tuple[float, float, float]
"""Linear light, red, green, blue, 1 = a white sheet in full light."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraPose:
    """Where the camera hangs and looks. `fov` is the horizontal angle of view."""

    position: Vec3
    heading: float
    pitch: float
    fov: float = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class FenceShape:
    """Welded bars between posts. `bar_*` are the upright bars, `rail_*` the level ones; no height, no fence."""

    height: float = 2.2
    post_pitch: float = 2.5
    post_width: float = 0.07
    bar_pitch: float = 0.06
    bar_width: float = 0.005
    rail_pitch: float = 0.4
    rail_width: float = 0.012
    colour: Colour = (0.06, 0.12, 0.08)


@dataclass(frozen=True, slots=True, kw_only=True)
class Light:
    """`key` is the sun, from `towards` (direction to it), or, with `lamp` set, a lamp there (candela-like strength).

    `exposure` multiplies everything before it meets the sensor.
    """

    towards: Vec3 = (-0.35, 0.75, 0.8)
    lamp: Vec3 | None = None
    key: Colour = (1.0, 0.95, 0.86)
    sky: Colour = (0.36, 0.42, 0.5)
    bounce: Colour = (0.14, 0.14, 0.1)
    zenith: Colour = (0.28, 0.45, 0.75)
    horizon: Colour = (0.72, 0.78, 0.84)
    softness: float = 0.03
    exposure: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Weather:
    """`rain`: streaks and `snow`: flakes per million pixels, `noise`: sensor noise in grey levels, `wind`: sway of the
    trees in metres."""

    rain: float = 0.0
    snow: float = 0.0
    noise: float = 2.0
    wind: float = 0.25
    haze: float = 0.004
    wet: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Strip:
    """A path along the fence between two distances from it, of gravel, dirt or asphalt."""

    near: float
    far: float
    material: Literal["gravel", "dirt", "asphalt"] = "gravel"


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A building: an upright box from `low` to `high`."""

    low: Vec3
    high: Vec3
    material: Literal["brick", "cladding", "concrete"] = "brick"
    colour: Colour = (0.4, 0.22, 0.16)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """A tree or bush whose crown sways. `branch` hangs it from above instead: a branch near the camera."""

    at: Vec2
    height: float
    width: float
    base: float = 0.0
    colour: Colour = (0.07, 0.11, 0.042)
    period_s: float = 5.0
    branch: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonLook:
    """A body and its clothes. `pattern` is that of the top."""

    height: float = 1.76
    girth: float = 1.0
    skin: Colour = (0.55, 0.35, 0.25)
    hair: Colour = (0.05, 0.035, 0.025)
    top: Colour = (0.12, 0.16, 0.3)
    second: Colour = (0.45, 0.45, 0.42)
    pattern: Literal["plain", "stripes", "panels", "vest", "check"] = "plain"
    trousers: Colour = (0.06, 0.07, 0.1)
    shoes: Colour = (0.04, 0.035, 0.03)
    hood: bool = False
    backpack: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DogLook:
    """A four-legged animal. `length` from chest to rump, `height` at the shoulder."""

    height: float = 0.58
    length: float = 0.66
    coat: Colour = (0.17, 0.115, 0.07)
    belly: Colour = (0.32, 0.27, 0.2)


@dataclass(frozen=True, slots=True, kw_only=True)
class VehicleLook:
    """A car or a van. `cabin` is how long its cabin is, as a share of the whole."""

    length: float = 4.3
    height: float = 1.45
    cabin: float = 0.5
    paint: Colour = (0.25, 0.04, 0.04)


@dataclass(frozen=True, slots=True)
class Go:
    """Walk (or run, above 2.2 m/s) straight to a place."""

    to: Vec2
    speed: float = 1.35


@dataclass(frozen=True, slots=True)
class Wait:
    """Stand around, looking towards a heading."""

    seconds: float
    heading: float = 90.0


@dataclass(frozen=True, slots=True)
class ClimbOver:
    """Climb the fence from outside at the present place, `seconds` from first grip to standing inside."""

    seconds: float = 6.5


Move = Go | Wait | ClimbOver


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who appears `at` a place when the loop is `start_s` old, makes the moves one after the other, and is gone."""

    name: str
    look: PersonLook | DogLook | VehicleLook
    start_s: float
    at: Vec2
    moves: tuple[Move, ...]
    crawls: bool = False
    """On hands and knees, as far as it is a person."""

    @property
    def kind(self) -> str:
        """What a detector should call it: COCO's class name."""
        if isinstance(self.look, PersonLook):
            return "person"
        return "dog" if isinstance(self.look, DogLook) else "car"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """One camera's loop. `name` is a camera id, `rules` are what a user would draw on its picture."""

    name: str
    title: str
    camera: CameraPose
    width: int = 1280
    height: int = 720
    fps: int = 12
    seconds: float = 60.0
    seed: int = 1
    fence: FenceShape = FenceShape()
    light: Light = Light()
    weather: Weather = Weather()
    strips: tuple[Strip, ...] = ()
    blocks: tuple[Block, ...] = ()
    trees: tuple[Tree, ...] = ()
    actors: tuple[Actor, ...] = ()
    rules: tuple[Rule, ...] = ()

    @property
    def frame_count(self) -> int:
        return round(self.fps * self.seconds)
