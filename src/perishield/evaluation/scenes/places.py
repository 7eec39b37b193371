"""Seeded places: a camera, its fence or open ground, the light and the weather of one site."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from perishield.evaluation.scenes.camera import View
from perishield.evaluation.scenes.scene import (
    Block,
    CameraPose,
    FenceShape,
    Light,
    PersonLook,
    Scene,
    Strip,
    Tree,
    Weather,
)

WIDTH, HEIGHT, FPS = 640, 360, 6
"""The small stream that cameras offer for analysis, at the rate at which it is analysed."""
WEATHERS = ("clear", "rain", "snow", "fog", "wind")
LIGHTS = ("noon", "overcast", "dusk", "lamps", "infrared", "headlights")
DISTANCES = ("near", "middle", "far")
_PIXELS = {"near": (95.0, 150.0), "middle": (62.0, 95.0), "far": (42.0, 62.0)}
_TOPS = ("plain", "stripes", "panels", "vest", "check")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """`stage` is the scene without actors and rules; `crossing` where its camera looks, on the ground at the line."""

    stage: Scene
    weather: str
    light: str
    distance: str
    crossing: tuple[float, float]
    fenced: bool

    @property
    def infrared(self) -> bool:
        return self.light == "infrared"

    @property
    def view(self) -> View:
        return View(self.stage.camera, self.stage.width, self.stage.height)


def place(seed: int, number: int) -> Place:
    """Site `number` of the suite of that seed. Weather, light and distance go round so that all pairs occur."""
    rng = np.random.default_rng((seed, number, 1))
    weather = WEATHERS[number % len(WEATHERS)]
    light = LIGHTS[(number + number // 30) % len(LIGHTS)]
    distance = DISTANCES[(number + number // 15) % len(DISTANCES)]
    fenced = number % 2 == 0
    camera, crossing, apart = _camera(rng, distance, fenced=fenced)
    lit = _light(rng, light, camera, crossing, apart)
    stage = Scene(
        name=f"site-{number}",
        title=f"Site {number}",
        camera=camera,
        width=WIDTH,
        height=HEIGHT,
        fps=FPS,
        seed=int(rng.integers(1, 1 << 20)),
        fence=_fence(rng) if fenced else FenceShape(height=0.0),
        light=lit,
        weather=_weather(rng, weather, light),
        strips=_strips(rng),
        blocks=_blocks(rng, crossing),
        trees=_trees(rng, camera, crossing),
    )
    return Place(stage=stage, weather=weather, light=light, distance=distance, crossing=crossing, fenced=fenced)


def _camera(rng: np.random.Generator, distance: str, *, fenced: bool) -> tuple[CameraPose, tuple[float, float], float]:
    fov = float(rng.uniform(48, 76))
    focal = WIDTH / 2 / np.tan(np.radians(fov / 2))
    apart = float(focal * 1.72 / rng.uniform(*_PIXELS[distance]))
    hangs = float(min(rng.uniform(3.2, 5.5), 0.5 * apart))
    ground = float(np.sqrt(apart * apart - (hangs - 0.9) ** 2))
    aside = float(np.radians(rng.uniform(-40, 40) if fenced else rng.uniform(-60, 60)))
    camera = (0.0, ground * float(np.cos(aside)), hangs)
    crossing = (ground * float(np.sin(aside)), 0.0)
    heading = float(np.degrees(np.arctan2(-camera[1], crossing[0]))) + float(rng.uniform(-4, 4))
    pitch = -float(np.degrees(np.arctan2(hangs - 0.9, ground))) + float(rng.uniform(-1, 3))
    return CameraPose(position=camera, heading=heading, pitch=pitch, fov=fov), crossing, apart


def _fence(rng: np.random.Generator) -> FenceShape:
    grey = float(rng.uniform(0.04, 0.25))
    return FenceShape(
        height=float(rng.uniform(1.8, 2.4)),
        post_pitch=float(rng.uniform(2, 3)),
        bar_pitch=float(rng.uniform(0.05, 0.12)),
        rail_pitch=float(rng.uniform(0.2, 0.6)),
        colour=(grey, grey * float(rng.uniform(0.9, 1.4)), grey),
    )


def _light(
    rng: np.random.Generator, light: str, camera: CameraPose, crossing: tuple[float, float], apart: float
) -> Light:
    turn = float(rng.uniform(0, 2 * np.pi))
    if light == "noon":
        towards = (float(np.cos(turn)), float(np.sin(turn)), float(rng.uniform(0.7, 1.6)))
        return Light(towards=towards, exposure=float(rng.uniform(0.85, 1.1)))
    if light == "overcast":
        return Light(
            towards=(0.1, 0.1, 1.0), key=(0.12, 0.12, 0.12), sky=(0.62, 0.66, 0.7), bounce=(0.2, 0.2, 0.18),
            zenith=(0.6, 0.63, 0.68), horizon=(0.7, 0.72, 0.75), softness=0.12, exposure=float(rng.uniform(0.8, 1.1)),
        )  # fmt: skip
    if light == "dusk":
        return Light(
            towards=(float(np.cos(turn)), float(np.sin(turn)), 0.5), key=(0.08, 0.07, 0.06), sky=(0.2, 0.22, 0.28),
            bounce=(0.06, 0.06, 0.06), zenith=(0.1, 0.14, 0.24), horizon=(0.3, 0.27, 0.26), softness=0.12,
            exposure=float(rng.uniform(1.2, 1.7)),
        )  # fmt: skip
    if light == "infrared":
        at = (camera.position[0] + 0.1, camera.position[1], camera.position[2] + 0.15)
        reach = 36 / (apart * apart + 9)
        return Light(
            lamp=at, key=(1.0, 1.0, 1.0), sky=(0.02, 0.02, 0.02), bounce=(0.03, 0.03, 0.03), zenith=(0.01, 0.01, 0.01),
            horizon=(0.012, 0.012, 0.012), softness=0.02, exposure=float(np.clip(rng.uniform(0.7, 1.1) / reach, 1, 14)),
        )  # fmt: skip
    lamp = (
        crossing[0] + float(rng.uniform(-5, 5)),
        min(float(rng.uniform(2, 5)), camera.position[1] * 0.7),
        float(rng.uniform(5, 7)),
    )
    dim = 0.06 if light == "lamps" else 0.05
    return Light(
        lamp=lamp, key=(1.5, 1.25, 0.9), sky=(dim, dim, dim * 1.2), bounce=(0.05, 0.045, 0.04),
        zenith=(0.012, 0.014, 0.02), horizon=(0.03, 0.03, 0.035), softness=0.05,
        exposure=float(rng.uniform(1.6, 2.3)),
    )  # fmt: skip


def _weather(rng: np.random.Generator, weather: str, light: str) -> Weather:
    noise = {"noon": 1.6, "overcast": 1.8, "dusk": 3.0}.get(light, 3.8) * float(rng.uniform(0.8, 1.25))
    base = Weather(noise=noise, wind=0.08, haze=0.004)
    if weather == "rain":
        return replace(base, rain=float(rng.uniform(700, 2200)), haze=0.01, wet=float(rng.uniform(0.5, 0.9)), wind=0.2)
    if weather == "snow":
        return replace(base, snow=float(rng.uniform(800, 3000)), haze=0.015)
    if weather == "fog":
        return replace(base, haze=float(rng.uniform(0.025, 0.05)))
    if weather == "wind":
        return replace(base, wind=float(rng.uniform(0.4, 0.8)))
    return base


def _strips(rng: np.random.Generator) -> tuple[Strip, ...]:
    material: tuple[Literal["gravel", "dirt", "asphalt"], ...] = ("gravel", "dirt", "asphalt")
    inner = Strip(near=1.5, far=float(rng.uniform(3, 5)), material=material[int(rng.integers(3))])
    outer = Strip(near=float(rng.uniform(-9, -6)), far=-3.5, material=material[int(rng.integers(3))])
    return tuple(strip for strip, there in ((inner, rng.random() < 0.6), (outer, rng.random() < 0.7)) if there)


def _blocks(rng: np.random.Generator, crossing: tuple[float, float]) -> tuple[Block, ...]:
    if rng.random() < 0.5:
        return ()
    side, far = (1 if rng.random() < 0.5 else -1), float(rng.uniform(14, 30))
    left = crossing[0] + side * float(rng.uniform(4, 14))
    tint = float(rng.uniform(0.2, 0.5))
    material: tuple[Literal["brick", "cladding", "concrete"], ...] = ("brick", "cladding", "concrete")
    return (
        Block(low=(min(left, left + side * 12), -far - 8, 0.0), high=(max(left, left + side * 12), -far, 5.0),
              material=material[int(rng.integers(3))], colour=(tint, tint * 0.9, tint * 0.75)),
    )  # fmt: skip


def _trees(rng: np.random.Generator, camera: CameraPose, crossing: tuple[float, float]) -> tuple[Tree, ...]:
    """Two at most, to the left and the right, so that their patches do not meet."""
    view = View(camera, WIDTH, HEIGHT)
    found: list[Tree] = []
    taken: list[tuple[float, float]] = []
    for side in (-1, 1):
        away = float(rng.uniform(6, 14))
        across = crossing[0] + side * float(rng.uniform(3, 9))
        tall = float(rng.uniform(1.6, 5))
        tree = Tree(at=(across, -away), height=tall, width=tall * 0.8, period_s=float(rng.integers(2, 4)))
        column, row = view.pixel((across, -away, 0.0))
        _, top = view.pixel((across, -away, tall))
        half = (row - top) * 0.4 + 8
        if all(column + half < low or column - half > high for low, high in taken):
            taken.append((column - half, column + half))
            found.append(tree)
    return tuple(found)


def person_look(rng: np.random.Generator) -> PersonLook:
    """Somebody: stature, skin, hair and clothes."""
    skin = float(rng.uniform(0.12, 0.6))
    dark, light = float(rng.uniform(0.03, 0.12)), float(rng.uniform(0.2, 0.5))
    tint = rng.uniform(0.6, 1.4, 3)
    base = dark if rng.random() < 0.65 else light
    legs = float(rng.uniform(0.03, 0.2))
    hair = float(rng.uniform(0.015, 0.25))
    return PersonLook(
        height=float(rng.uniform(1.6, 1.9)),
        girth=float(rng.uniform(0.92, 1.15)),
        skin=(skin, skin * 0.66, skin * 0.5),
        hair=(hair, hair * 0.75, hair * 0.55),
        top=(base * float(tint[0]), base * float(tint[1]), base * float(tint[2])),
        second=(float(rng.uniform(0.05, 0.5)), float(rng.uniform(0.05, 0.5)), float(rng.uniform(0.05, 0.5))),
        pattern=_TOPS[int(rng.integers(len(_TOPS)))],  # type: ignore[arg-type]
        trousers=(legs, legs * float(rng.uniform(0.9, 1.1)), legs * float(rng.uniform(0.9, 1.5))),
        hood=bool(rng.random() < 0.25),
        backpack=bool(rng.random() < 0.3),
    )
