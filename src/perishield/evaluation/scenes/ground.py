"""The ground's colour: grass, gravel, dirt and asphalt, detailed as far as a pixel can show."""

from __future__ import annotations

import numpy as np

from perishield.evaluation.scenes.camera import Array
from perishield.evaluation.scenes.scene import Scene, Strip
from perishield.evaluation.scenes.texture import Noise

_TINTS = {"gravel": (0.30, 0.28, 0.25), "dirt": (0.24, 0.185, 0.125), "asphalt": (0.11, 0.11, 0.115)}


def colour(scene: Scene, noise: Noise, x: Array, y: Array, footprint: Array) -> Array:
    """Linear colour (h, w, 3) of ground points; `footprint` is a pixel's size there in metres."""
    result = _grass(noise, x, y, footprint)
    for strip in scene.strips:
        ragged = noise.octaves(x, y + 31, ((1.3, 0.28), (0.35, 0.12)), footprint)
        inside = np.minimum(y - strip.near, strip.far - y) + ragged
        share = np.clip(inside / np.maximum(footprint * 2, 0.12) + 0.5, 0, 1)[..., None]
        result += share * (_strip(strip, noise, x, y, footprint) - result)
    if scene.weather.wet:
        pools = np.clip(noise.octaves(x * 0.6, y, ((3.1, 1.0), (1.1, 0.5)), footprint) - 0.12, 0, 0.3) / 0.3
        result *= 1 - scene.weather.wet * (0.3 + 0.25 * pools[..., None])
        mirrored = np.array(scene.light.horizon, np.float32) * np.float32(0.16 * scene.weather.wet)
        result += pools[..., None] * mirrored
    return result.astype(np.float32)


def _grass(noise: Noise, x: Array, y: Array, footprint: Array) -> Array:
    patch = noise.octaves(x, y, ((9.0, 0.5), (3.1, 0.4), (0.9, 0.3)), footprint)
    blades = noise.octaves(x, y * 0.55, ((0.31, 0.35), (0.11, 0.5), (0.05, 0.65), (0.022, 0.7)), footprint)
    dry = np.clip(0.42 + 0.55 * patch, 0, 1)[..., None]
    green, straw = np.array((0.085, 0.135, 0.04), np.float32), np.array((0.21, 0.19, 0.09), np.float32)
    tint: Array = (green + dry * (straw - green)) * (1 + 0.62 * blades[..., None] + 0.2 * patch[..., None])
    return np.maximum(tint, 0.008)


def _strip(strip: Strip, noise: Noise, x: Array, y: Array, footprint: Array) -> Array:
    tint = np.array(_TINTS[strip.material], np.float32)
    if strip.material == "asphalt":
        grain = noise.octaves(x, y, ((2.3, 0.2), (0.06, 0.2), (0.025, 0.35)), footprint)
        paved: Array = tint * (1 + grain[..., None])
        return paved
    stones: Array = noise.octaves(x + 90, y, ((0.14, 0.3), (0.06, 0.5), (0.028, 0.6)), footprint)
    broad = noise.octaves(x, y + 70, ((4.0, 0.22), (1.2, 0.2)), footprint)
    middle = (strip.near + strip.far) / 2
    rut = np.exp(-(((np.abs(y - middle) - 0.7) / 0.22) ** 2))
    worn: Array = tint * (1 + 0.7 * stones[..., None] + broad[..., None] - 0.18 * rut[..., None])
    return worn
