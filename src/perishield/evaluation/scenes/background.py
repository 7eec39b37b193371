"""What does not move: sky, tree line, ground, buildings and fence, rendered once per scene."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from perishield.evaluation.scenes import fence, ground
from perishield.evaluation.scenes.camera import Array, View
from perishield.evaluation.scenes.scene import Block, Scene
from perishield.evaluation.scenes.texture import Noise, halved, levels, pulses, softened, tone

_TILE = 48
_WOODS = 130.0
"""Metres at which the open ground ends and the tree line begins."""


@dataclass(frozen=True, slots=True)
class Backdrop:
    """`picture` is the finished still (h, w, 3) bytes; `open_` the same without the fence, in float grey levels;
    `fence` the fence's grey levels premultiplied by its `cover`."""

    picture: NDArray[np.uint8]
    open_: Array
    fence: Array
    cover: Array
    ceiling: int


def backdrop(scene: Scene, view: View) -> Backdrop:
    """Render the still part of a scene, anti-aliased 2 x 2."""
    noise = Noise(scene.seed)
    open_ = np.empty((scene.height, scene.width, 3), np.float32)
    bars, cover = np.empty_like(open_), np.empty((scene.height, scene.width), np.float32)
    for top in range(0, scene.height, _TILE):
        bottom = min(scene.height, top + _TILE)
        # One row more above and below, so that footprints and blur do not show where tiles meet.
        rays = view.rays((0, top - 1, scene.width, bottom + 1), 2)
        linear, key = _surroundings(scene, view, noise, rays)
        colour, alpha = fence.picture(scene.fence, view, rays, scene.light, key)
        exposure = np.float32(scene.light.exposure)
        open_[top:bottom] = halved(tone(linear * exposure))[1:-1]
        bars[top:bottom] = halved(tone(colour * exposure) * alpha[..., None])[1:-1]
        cover[top:bottom] = halved(alpha)[1:-1]
    open_, bars, cover = softened(open_), softened(bars), softened(cover)
    darker = _vignette(scene)
    open_ *= darker
    bars *= darker
    ceiling = 205 if scene.weather.rain else 240
    return Backdrop(levels(open_ * (1 - cover[..., None]) + bars, ceiling), open_, bars, cover, ceiling)


def _vignette(scene: Scene) -> Array:
    x = np.linspace(-1, 1, scene.width, dtype=np.float32)[None, :, None]
    y = np.linspace(-0.6, 0.6, scene.height, dtype=np.float32)[:, None, None]
    return 1 - 0.1 * (x * x + y * y)


def _surroundings(scene: Scene, view: View, noise: Noise, rays: tuple[Array, Array, Array]) -> tuple[Array, Array]:
    """Linear light (h, w, 3) along the rays without the fence, and the key light (h, w, 3) where the fence stands."""
    rx, ry, rz = rays
    light, weather = scene.light, scene.weather
    sky = np.array(light.sky, np.float32)
    colour = _sky(scene, noise, rx, ry, rz)
    distance = np.where(rz < -1e-3, -view.position[2] / np.minimum(rz, -1e-3), np.float32(1e4)).astype(np.float32)
    on_ground = distance < _WOODS
    reach = np.minimum(distance, _WOODS)
    x, y = view.position[0] + rx * reach, view.position[1] + ry * reach
    footprint = reach / view.focal / 2 / np.maximum(-rz, 0.02) ** 0.5
    key = _key(scene, x, y, np.zeros_like(x))
    taken = _ground_shadow(scene, x, y, footprint)
    lit = key * (1 - taken)[..., None] * _upright(scene, x, y)[..., None]
    tint = ground.colour(scene, noise, x, y, footprint) * (sky * np.float32(0.9) + lit)
    fog = (1 - np.exp(-reach * np.float32(weather.haze)))[..., None]
    tint += fog * (np.array(light.horizon, np.float32) * np.float32(0.75) - tint)
    colour = np.where(on_ground[..., None], tint, colour)
    for block in scene.blocks:
        colour = _block(scene, view, noise, rays, block, colour, distance)
    at_fence = np.where(ry < -1e-3, -view.position[1] / np.minimum(ry, -1e-3), 60.0).astype(np.float32)
    at_fence = np.minimum(at_fence, 60)
    there = view.position[0] + rx * at_fence
    return colour.astype(np.float32), _key(scene, there, np.zeros_like(there), np.full_like(there, 1.2))


def _key(scene: Scene, x: Array, y: Array, z: Array) -> Array:
    """The key light's colour and strength at points, whatever they face: (h, w, 3)."""
    base = np.array(scene.light.key, np.float32)
    if scene.light.lamp is None:
        return np.broadcast_to(base, (*x.shape, 3))
    lamp = scene.light.lamp
    square = (x - lamp[0]) ** 2 + (y - lamp[1]) ** 2 + (z - lamp[2]) ** 2
    strength = np.float32(36.0) / (square + np.float32(9.0))
    lit: Array = (strength[..., None] * base).astype(np.float32)
    return lit


def _upright(scene: Scene, x: Array, y: Array) -> Array:
    """Cosine between the ground's normal and the way to the key light."""
    if scene.light.lamp is None:
        towards = np.array(scene.light.towards)
        return np.full_like(x, towards[2] / np.sqrt(towards @ towards))
    lamp = scene.light.lamp
    across = np.hypot(x - lamp[0], y - lamp[1])
    cosine: Array = (lamp[2] / np.sqrt(across * across + lamp[2] ** 2)).astype(np.float32)
    return cosine


def _ground_shadow(scene: Scene, x: Array, y: Array, footprint: Array) -> Array:
    if scene.light.lamp is not None:
        lamp = scene.light.lamp
        # Towards the lamp from each point, scaled so that the fence's plane is met where the straight line meets it.
        reach = -y / np.where(np.abs(lamp[1] - y) < 1e-3, 1e-3, lamp[1] - y)
        along, height = x + (lamp[0] - x) * reach, lamp[2] * reach
        blur = np.maximum(footprint, 0.02 + 0.02 * reach).astype(np.float32)
        taken = fence.cover(scene.fence, along.astype(np.float32), height.astype(np.float32), blur, blur)
        return np.where((reach > 0) & (reach < 1), taken * 0.8, 0).astype(np.float32)
    towards = np.array(scene.light.towards, np.float32)
    towards /= np.float32(np.sqrt(towards @ towards))
    taken = fence.shadow(scene.fence, towards, x, y, footprint, scene.light.softness)
    for block in scene.blocks:
        entry, leave = _slab(block, (x, y, np.full_like(x, 0.01)), tuple(np.full_like(x, t) for t in towards))
        taken = np.maximum(taken, ((leave > np.maximum(entry, 0)) * np.float32(0.9)).astype(np.float32))
    return taken


def _sky(scene: Scene, noise: Noise, rx: Array, ry: Array, rz: Array) -> Array:
    light = scene.light
    rise = np.clip(rz, 0.0, 1)
    zenith, horizon = np.array(light.zenith, np.float32), np.array(light.horizon, np.float32)
    share = np.clip(rise * 3.2, 0, 1)[..., None] ** 0.6
    sky = horizon + share * (zenith - horizon)
    plane = 1 / np.maximum(rise + 0.08, 0.05)
    cloud = noise.octaves(rx * plane * 2, ry * plane * 2, ((2.4, 0.6), (1.1, 0.35), (0.5, 0.2), (0.22, 0.1)))
    veil = np.clip(cloud * 1.2 + 0.25, 0, 1)[..., None] * np.float32(0.6)
    sky = sky + veil * (horizon * np.float32(1.08) - sky)
    azimuth = np.arctan2(ry, rx).astype(np.float32)
    crest = 0.035 + 0.022 * noise.octaves(
        azimuth * 30, azimuth * 0, ((3.0, 1.0), (1.0, 0.6), (0.35, 0.35), (0.1, 0.25))
    )
    wood = np.clip((crest - rz) / 0.004 + 0.5, 0, 1)[..., None]
    leaves = noise.octaves(azimuth * 90, rz * 120, ((1.2, 0.35), (0.5, 0.3), (0.25, 0.2)))[..., None]
    trees = (
        np.array((0.07, 0.095, 0.05), np.float32)
        * (1 + leaves)
        * (np.array(light.sky, np.float32) * 1.6 + 0.25 * np.array(light.key, np.float32) * (light.lamp is None))
    )
    trees = trees + np.float32(0.3) * (horizon * np.float32(0.6) - trees)
    result: Array = sky + wood * (trees - sky)
    return result


def _slab(block: Block, start: tuple[Array, ...], way: tuple[Array, ...]) -> tuple[Array, Array]:
    entry, leave = np.full_like(way[0], -1e6), np.full_like(way[0], 1e6)
    for axis in range(3):
        step = np.where(np.abs(way[axis]) < 1e-6, 1e-6, way[axis])
        one, two = (block.low[axis] - start[axis]) / step, (block.high[axis] - start[axis]) / step
        entry, leave = np.maximum(entry, np.minimum(one, two)), np.minimum(leave, np.maximum(one, two))
    return entry, leave


def _block(
    scene: Scene,
    view: View,
    noise: Noise,
    rays: tuple[Array, Array, Array],
    block: Block,
    colour: Array,
    distance: Array,
) -> Array:
    """Draw a building over what lies behind it; `distance` is updated in place."""
    origin = tuple(np.full_like(rays[0], value) for value in view.position)
    entry, leave = _slab(block, origin, rays)
    seen = (leave > np.maximum(entry, 0.1)) & (entry > 0.1) & (entry < distance)
    if not seen.any():
        return colour
    index = np.nonzero(seen)
    t = entry[index]
    x, y, z = (view.position[axis] + rays[axis][index] * t for axis in range(3))
    gaps = [np.minimum(np.abs(p - block.low[k]), np.abs(p - block.high[k])) for k, p in enumerate((x, y, z))]
    face = np.argmin(np.stack(gaps), axis=0)
    lateral = np.where(face == 0, y, x).astype(np.float32)
    footprint = (t / view.focal / 2 * 1.6).astype(np.float32)
    tint = np.array(block.colour, np.float32) * (1 + _wall(noise, block, lateral, z, footprint))[:, None]
    window = pulses(lateral, footprint, 3.2, 1.1) * np.clip((1.0 - np.abs(z - block.low[2] - 1.9) / 0.65) * 8, 0, 1)
    glass = np.array(scene.light.horizon, np.float32) * np.float32(0.12)
    tint += (window * (face != 2))[:, None] * (glass - tint)
    towards = np.array(scene.light.towards, np.float32)
    towards /= np.float32(np.sqrt(towards @ towards))
    outward = [np.where(p - block.low[k] < block.high[k] - p, -1, 1) * (face == k) for k, p in enumerate((x, y, z))]
    if scene.light.lamp is None:
        facing = np.clip(sum(outward[k] * towards[k] for k in range(3)), 0, 1)
    else:
        way = [scene.light.lamp[k] - p for k, p in enumerate((x, y, z))]
        facing = np.clip(sum(outward[k] * way[k] for k in range(3)) / np.sqrt(sum(w * w for w in way)), 0, 1)
    key = _key(scene, x, y, z) * facing[:, None]
    foot = 0.75 + 0.25 * np.clip(z / 0.6, 0, 1)
    lit = tint * (np.array(scene.light.sky, np.float32) * np.float32(0.75) * foot[:, None] + key)
    colour = colour.copy()
    colour[index] = lit.astype(np.float32)
    distance[index] = t
    return colour


def _wall(noise: Noise, block: Block, across: Array, z: Array, footprint: Array) -> Array:
    stain = noise.octaves(across, z, ((2.5, 0.18), (0.7, 0.1), (0.1, 0.08)), footprint)
    if block.material == "cladding":
        return stain - 0.28 * pulses(across, footprint, 0.25, 0.05)
    if block.material == "brick":
        course = np.floor(z / 0.075)
        joints = pulses(z, footprint, 0.075, 0.012) + pulses(across + (course % 2) * 0.12, footprint, 0.24, 0.012)
        return stain + 0.3 * joints - 0.1
    return stain - 0.25 * pulses(across, footprint, 2.4, 0.02)
