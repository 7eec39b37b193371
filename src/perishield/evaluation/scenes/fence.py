"""The fence as a translucent picture: what of each pixel its bars, rails and posts take."""

from __future__ import annotations

import numpy as np

from perishield.evaluation.scenes.camera import Array, View
from perishield.evaluation.scenes.scene import FenceShape, Light
from perishield.evaluation.scenes.texture import pulses


def cover(
    shape: FenceShape, along: Array, height: Array, wide: Array, tall: Array, slant: Array | float = 1.0
) -> Array:
    """Share 0..1 of a footprint (`wide` x `tall` metres at `along`, `height`) that the fence takes.

    `slant` is the sine of the angle of view: bars have depth, so a fence seen along itself closes up.
    """
    bars = pulses(along, wide, shape.bar_pitch, shape.bar_width)
    bars = np.minimum(bars / np.maximum(slant, 0.12), np.float32(0.8))
    rails = pulses(height - np.float32(0.1), tall, shape.rail_pitch, shape.rail_width)
    posts = pulses(along, wide, shape.post_pitch, shape.post_width)
    posts = np.minimum(posts / np.maximum(slant, 0.3), 1)
    edge = np.maximum(tall, 1e-4)
    top = np.clip((np.float32(shape.height) - height) / edge + 0.5, 0, 1) * np.clip(height / edge + 0.5, 0, 1)
    rim = np.clip(1 - np.abs(height - np.float32(shape.height - 0.02)) / np.maximum(0.025, edge), 0, 1)
    if shape.height <= 0:
        top = np.zeros_like(top)
    whole: Array = (1 - (1 - bars) * (1 - rails) * (1 - posts) * (1 - rim * 0.85)) * top
    return whole.astype(np.float32)


def picture(
    shape: FenceShape, view: View, rays: tuple[Array, Array, Array], light: Light, key: Array
) -> tuple[Array, Array]:
    """Linear colour (h, w, 3) and cover (h, w) of the fence for those rays."""
    rx, ry, rz = rays
    if shape.height <= 0:
        return np.zeros((*rx.shape, 3), np.float32), np.zeros(rx.shape, np.float32)
    ahead = ry < -1e-3
    distance = np.where(ahead, -view.position[1] / np.minimum(ry, -1e-3), 1e4)
    along, height = view.position[0] + rx * distance, view.position[2] + rz * distance
    wide = np.abs(np.gradient(along, axis=1)).astype(np.float32)
    tall = np.abs(np.gradient(height, axis=0)).astype(np.float32)
    alpha = cover(shape, along, height, wide, tall, np.abs(ry))
    alpha *= ahead & (distance < 300)
    base = np.array(shape.colour, np.float32)
    glow = np.array(light.sky, np.float32) * np.float32(0.6) + key * np.float32(0.55)
    worn = 1 + 0.15 * np.sin(along * 7.3) * np.sin(height * 5.1)
    return (base * glow * worn[..., None]).astype(np.float32), alpha.astype(np.float32)


def shadow(shape: FenceShape, towards: Array, x: Array, y: Array, footprint: Array, softness: float) -> Array:
    """How much of the key light the fence takes from ground points."""
    if abs(float(towards[1])) < 1e-3 or shape.height <= 0:
        return np.zeros_like(x)
    reach = -y / towards[1]
    along, height = x + towards[0] * reach, towards[2] * reach
    blur = np.maximum(footprint, softness * np.maximum(reach, 0) * 0.5 + 0.004)
    taken = cover(shape, along, height, blur, blur)
    return np.where(reach > 0, taken, 0).astype(np.float32)
