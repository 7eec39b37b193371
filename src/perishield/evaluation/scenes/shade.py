"""Light on bodies: cloth, creases, sky and ground light, the key light with shadows between limbs, and their
shadows on the ground.

Everything here is linear light until `paint` tones it. Points are flat arrays (n,) of the samples that met a body.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from perishield.evaluation.scenes.camera import Array, Region, View
from perishield.evaluation.scenes.parts import Body, Part
from perishield.evaluation.scenes.raycast import SAMPLES, Surface, bounds, cast
from perishield.evaluation.scenes.scene import Light
from perishield.evaluation.scenes.texture import tone


@dataclass(frozen=True, slots=True)
class Painted:
    """A body on its region: grey levels premultiplied by cover (h, w, 3), cover, and the share behind the fence."""

    region: Region
    levels: Array
    cover: Array
    behind: Array


def key_light(light: Light, at: Array) -> tuple[Array, float]:
    """Direction to the key light at a point, and its strength there."""
    if light.lamp is None:
        towards = np.array(light.towards, np.float32)
        return towards / np.float32(np.sqrt(towards @ towards)), 1.0
    way = np.array(light.lamp, np.float32) - at
    distance = float(np.sqrt(way @ way))
    return (way / np.float32(distance)).astype(np.float32), 36.0 / (distance * distance + 9.0)


def paint(body: Body, view: View, light: Light) -> Painted | None:
    """Cast, shade and anti-alias one body; None when it is off the picture."""
    region = bounds(body.parts, view)
    if region is None:
        return None
    surface = cast(body.parts, view, region)
    rows, columns = np.nonzero(surface.part >= 0)
    if rows.size == 0:
        return None
    colour, y = _shade(surface, (rows, columns), body, view, light)
    height, width = surface.part.shape
    whole = np.zeros((height, width, 5), np.float32)
    whole[rows, columns, :3] = tone(colour * np.float32(light.exposure))
    whole[rows, columns, 3] = 1.0
    whole[rows, columns, 4] = y < 0
    blocks = whole.reshape(height // SAMPLES, SAMPLES, width // SAMPLES, SAMPLES, 5)
    mixed = blocks[:, 0, :, 0] + blocks[:, 0, :, 1] + blocks[:, 1, :, 0] + blocks[:, 1, :, 1]
    mixed *= np.float32(1 / SAMPLES**2)
    mixed = _lens(mixed)
    return Painted(region, mixed[..., :3], mixed[..., 3], mixed[..., 4])


def silhouette(body: Body, view: View) -> tuple[Region, Array] | None:
    """Region and cover of a body exactly as `paint` gives them, without the cost of light."""
    region = bounds(body.parts, view)
    if region is None:
        return None
    met = (cast(body.parts, view, region).part >= 0).astype(np.float32)
    if not met.any():
        return None
    height, width = met.shape
    blocks = met.reshape(height // SAMPLES, SAMPLES, width // SAMPLES, SAMPLES)
    mixed = blocks[:, 0, :, 0] + blocks[:, 0, :, 1] + blocks[:, 1, :, 0] + blocks[:, 1, :, 1]
    return region, _lens(mixed * np.float32(1 / SAMPLES**2))


def _lens(picture: Array, share: float = 0.11) -> Array:
    """The same slight blur that the backdrop went through."""
    keep, part = np.float32(1 - 2 * share), np.float32(share)
    rows = picture * keep
    rows[1:] += picture[:-1] * part
    rows[:-1] += picture[1:] * part
    both = rows * keep
    both[:, 1:] += rows[:, :-1] * part
    both[:, :-1] += rows[:, 1:] * part
    return both


def _shade(
    surface: Surface, index: tuple[NDArray[np.intp], ...], body: Body, view: View, light: Light
) -> tuple[Array, Array]:
    part = surface.part[index]
    distance = surface.distance[index]
    n = [component[index] for component in surface.normal]
    ray = [component[index] for component in surface.rays]
    p = [view.position[axis] + ray[axis] * distance for axis in range(3)]
    along = surface.along[index]
    colour = np.empty((len(part), 3), np.float32)
    order = np.argsort(part, kind="stable")
    starts = np.searchsorted(part[order], np.arange(len(body.parts) + 1))
    middle = np.array([body.ground[0], body.ground[1], 1.0], np.float32)
    towards, strength = key_light(light, middle)
    for number, kind in enumerate(body.parts):
        mine = order[starts[number] : starts[number + 1]]
        if len(mine):
            own = [component[mine] for component in n]
            colour[mine] = _clad(kind, number, own, along[mine])
            if kind.folds:
                for axis, component in enumerate(_creased(kind, number, own, along[mine])):
                    n[axis][mine] = component
    facing = n[0] * towards[0] + n[1] * towards[1] + n[2] * towards[2]
    near, lit = _occlusion(body.parts, part, p, n, towards)
    lit *= np.clip(facing * 1.15 + 0.08, 0, 1) * np.float32(strength)
    above = 0.5 + 0.5 * n[2]
    low = np.clip(p[2] / 0.5, 0, 1) * 0.35 + 0.65
    rim = np.clip(1 + n[0] * ray[0] + n[1] * ray[1] + n[2] * ray[2], 0, 1) ** 3 * 0.12
    sky, bounce, key = (np.array(each, np.float32) for each in (light.sky, light.bounce, light.key))
    soft = (above * near)[:, None] * sky + ((1 - above) * near * low)[:, None] * bounce
    result = colour * (soft + lit[:, None] * key) + (rim * near)[:, None] * sky * np.float32(0.5)
    return result.astype(np.float32), p[1]


def _occlusion(
    parts: tuple[Part, ...], part: NDArray[np.int16], p: list[Array], n: list[Array], towards: Array
) -> tuple[Array, Array]:
    """How open each point is to the sky, and to the key light: 0..1, by the large parts near it."""
    near, lit = np.ones(len(part), np.float32), np.ones(len(part), np.float32)
    q = [p[axis] + n[axis] * np.float32(0.05) for axis in range(3)]
    s = [p[axis] + n[axis] * np.float32(0.03) + towards[axis] * np.float32(0.16) for axis in range(3)]
    for number, other in enumerate(parts):
        if not other.shades:
            continue
        foreign = part != number
        near *= 1 - np.float32(0.5) * _cover(other, q, 0.1) * foreign
        lit *= 1 - np.float32(0.8) * _cover(other, s, 0.06) * foreign
    return near, lit


def _cover(part: Part, points: list[Array], reach: float) -> Array:
    axis = part.b - part.a
    length = float(axis @ axis) + 1e-9
    x, y, z = (points[k] - part.a[k] for k in range(3))
    share = np.clip((x * axis[0] + y * axis[1] + z * axis[2]) * np.float32(1 / length), 0, 1)
    x, y, z = x - share * axis[0], y - share * axis[1], z - share * axis[2]
    radius = np.float32(min(part.radius_a, part.radius_b) * (0.5 + 0.5 * part.squash))
    gap = np.sqrt(x * x + y * y + z * z) - radius
    covered: Array = np.clip(1 - gap * np.float32(1 / reach), 0, 1)
    return covered


def _creased(part: Part, number: int, n: list[Array], along: Array) -> list[Array]:
    """Normals tilted along the limb where its cloth creases."""
    length = float(np.sqrt((part.b - part.a) @ (part.b - part.a)))
    axis = (part.b - part.a) / np.float32(max(length, 1e-3))
    around = n[0] * np.float32(3.1) + n[1] * np.float32(4.3) + n[2] * np.float32(1.7)
    tilt = np.sin(along * np.float32(length * 27) + around * np.float32(0.8) + np.float32(number * 1.7))
    tilt += np.float32(0.7) * np.sin(along * np.float32(length * 61) - around * np.float32(0.5) + np.float32(number))
    tilt *= np.float32(0.2 * part.folds)
    x, y, z = (n[k] + tilt * axis[k] for k in range(3))
    scale = 1 / np.sqrt(x * x + y * y + z * z)
    return [x * scale, y * scale, z * scale]


def _clad(part: Part, number: int, n: list[Array], along: Array) -> Array:
    """The colour of each point of a part."""
    base, second = np.array(part.colour, np.float32), np.array(part.second, np.float32)
    share = np.zeros(len(along), np.float32)
    length = float(np.sqrt((part.b - part.a) @ (part.b - part.a)))
    if part.front is not None:
        ahead = n[0] * part.front[0] + n[1] * part.front[1] + n[2] * part.front[2]
        aside = n[0] * -part.front[1] + n[1] * part.front[0]
    else:
        ahead, aside = n[0], n[1]
    if part.cloth == "stripes":
        share = ((along * np.float32(length / 0.085)) % 1 < 0.45).astype(np.float32)
    elif part.cloth == "check":
        share = ((along * np.float32(length / 0.07)) % 1 < 0.5) * np.float32(0.5) + (
            (aside * 3) % 1 < 0.5
        ) * np.float32(0.5)
    elif part.cloth == "panels":
        share = (np.abs(aside) > 0.62).astype(np.float32)
    elif part.cloth == "vest":
        share = (np.abs(along - 0.5) < np.float32(0.16)).astype(np.float32)
    elif part.cloth == "coat":
        share = np.clip(-n[2] * 1.2 - 0.1, 0, 1)
    elif part.cloth == "face":
        eyes = (ahead > 0.62) & (np.abs(np.abs(aside) - 0.34) < 0.16) & (np.abs(n[2] - 0.12) < 0.12)
        mouth = (ahead > 0.7) & (np.abs(aside) < 0.26) & (np.abs(n[2] + 0.5) < 0.09)
        share = np.maximum(eyes * np.float32(0.75), mouth * np.float32(0.35))
    mottle = np.sin(along * np.float32(length * 23 + 1) + n[0] * 5 + np.float32(number)) * np.sin(n[1] * 7 - n[2] * 5)
    mixed: Array = base + share[:, None] * (second - base)
    return mixed * (1 + np.float32(0.05) * mottle[:, None])


def ground_shadow(body: Body, view: View, light: Light) -> tuple[Region, Array] | None:
    """Where a body takes the key light, and the sky's, from the ground: region and darkness (h, w), 0..1."""
    middle = np.array([body.ground[0], body.ground[1], 0.6], np.float32)
    towards, strength = key_light(light, middle)
    ends = np.stack([end for part in body.parts for end in (part.a, part.b)])
    lamp = None if light.lamp is None else np.array(light.lamp, np.float32)
    if lamp is None:
        fallen = ends - towards * (ends[:, 2:3] / towards[2])
    else:
        way = ends - lamp
        fallen = lamp + way * (lamp[2] / np.maximum(-way[:, 2:3], 0.3))
    fallen[:, 2] = 0
    feet = body.soles.copy()
    feet[:, 2] = 0
    pad = np.array([[1, 1, 0], [-1, -1, 0], [1, -1, 0], [-1, 1, 0]], np.float32)
    pad *= np.float32(max(0.2, 3 * light.softness))
    corners = (np.concatenate((fallen, feet))[:, None] + pad[None]).reshape(-1, 3)
    column, row, depth = view.project(corners)
    if float(depth.min()) < 0.5:
        return None
    x0, y0, x1, y1 = view.inside((int(column.min()), int(row.min()), int(column.max()) + 1, int(row.max()) + 1))
    if x1 <= x0 or y1 <= y0:
        return None
    rx, ry, rz = view.rays((x0, y0, x1, y1))
    scale = -view.position[2] / np.minimum(rz, -1e-3)
    gx, gy = view.position[0] + rx * scale, view.position[1] + ry * scale
    open_ = np.ones(gx.shape, np.float32)
    for number, part in enumerate(body.parts):
        a, b = fallen[2 * number], fallen[2 * number + 1]
        blur = light.softness * (1.0 + 2.0 * float(part.a[2])) + 0.02
        open_ *= 1 - _stroke(gx, gy, a, b, 0.5 * (part.radius_a + part.radius_b), blur)
    # The less of the light comes from one place, the fainter the shadow.
    direct = 1.0 if lamp is not None else min(1.0, 1.5 * sum(light.key) / (sum(light.key) + sum(light.sky)))
    dark = (1 - open_) * np.float32(0.62 * min(1.0, strength) * direct)
    for sole, foot in zip(body.soles, feet, strict=True):
        weight = float(np.clip(1 - sole[2] / 0.5, 0, 1))
        if weight > 0:
            near = np.exp(-((gx - foot[0]) ** 2 + (gy - foot[1]) ** 2) * np.float32(1 / 0.035))
            dark = 1 - (1 - dark) * (1 - np.float32(0.45 * weight) * near)
    return (x0, y0, x1, y1), dark.astype(np.float32)


def _stroke(gx: Array, gy: Array, a: Array, b: Array, radius: float, blur: float) -> Array:
    ax, ay = np.float32(b[0] - a[0]), np.float32(b[1] - a[1])
    x, y = gx - a[0], gy - a[1]
    share = np.clip((x * ax + y * ay) / (ax * ax + ay * ay + np.float32(1e-9)), 0, 1)
    x, y = x - share * ax, y - share * ay
    covered: Array = np.clip((radius + blur - np.sqrt(x * x + y * y)) / np.float32(2 * blur), 0, 1)
    return covered
