"""Rays against round cones, exactly, for every sample of a body's rectangle.

The intersection follows Inigo Quilez, "Rounded cone intersection" (iquilezles.org/articles/intersectors); all rays
start at the camera, so that only two dot products a sample remain.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from perishield.evaluation.scenes.camera import Array, Region, View
from perishield.evaluation.scenes.parts import Part, spread

SAMPLES = 2
FAR = np.float32(1e6)


@dataclass(slots=True)
class Surface:
    """What the rays of a region met first: arrays (h, w) at SAMPLES times the picture's resolution."""

    region: Region
    rays: tuple[Array, Array, Array]
    distance: Array
    normal: tuple[Array, Array, Array]
    along: Array
    part: NDArray[np.int16]


def bounds(parts: tuple[Part, ...], view: View, margin: int = 2) -> Region | None:
    """The rectangle of the picture in which the parts may be seen, or None when they cannot."""
    points, radii = spread(parts)
    column, row, depth = view.project(points)
    if float(depth.min()) < 0.5:
        return None
    reach = radii * view.focal / depth * 1.08 + margin
    x0, y0, x1, y1 = view.inside(
        (
            int(np.floor((column - reach).min())),
            int(np.floor((row - reach).min())),
            int(np.ceil((column + reach).max())),
            int(np.ceil((row + reach).max())),
        )
    )
    return (x0, y0, x1, y1) if x1 > x0 and y1 > y0 else None


def cast(parts: tuple[Part, ...], view: View, region: Region) -> Surface:
    """The nearest surface for each ray of the region."""
    rays = view.rays(region, SAMPLES)
    shape = rays[0].shape
    surface = Surface(
        region,
        rays,
        np.full(shape, FAR, np.float32),
        (np.zeros(shape, np.float32), np.zeros(shape, np.float32), np.zeros(shape, np.float32)),
        np.zeros(shape, np.float32),
        np.full(shape, -1, np.int16),
    )
    for number, part in enumerate(parts):
        _meet(surface, view, number, part)
    return surface


def _window(surface: Surface, view: View, part: Part) -> tuple[slice, slice] | None:
    found = bounds((part,), view, 1)
    if found is None:
        return None
    x0, y0 = surface.region[0], surface.region[1]
    rows = slice(max(0, (found[1] - y0) * SAMPLES), max(0, (found[3] - y0) * SAMPLES))
    columns = slice(max(0, (found[0] - x0) * SAMPLES), max(0, (found[2] - x0) * SAMPLES))
    return rows, columns


def _meet(surface: Surface, view: View, number: int, part: Part) -> None:
    window = _window(surface, view, part)
    if window is None:
        return
    rx, ry, rz = (component[window] for component in surface.rays)
    if rx.size == 0:
        return
    origin, axis = view.position - part.a, part.b - part.a
    stretch: Array | None = None
    if part.flat is not None and part.squash != 1.0:
        # A flattened cone is a round one in a space stretched along its flat direction; rays go through that space.
        stretch = part.flat / np.float32(np.sqrt(part.flat @ part.flat))
        more = np.float32(1 / part.squash - 1)
        origin = origin + stretch * (more * (origin @ stretch))
        axis = axis + stretch * (more * (axis @ stretch))
        lean = (rx * stretch[0] + ry * stretch[1] + rz * stretch[2]) * more
        rx, ry, rz = rx + lean * stretch[0], ry + lean * stretch[1], rz + lean * stretch[2]
        scale = 1 / np.sqrt(rx * rx + ry * ry + rz * rz)
        rx, ry, rz = rx * scale, ry * scale, rz * scale
    ra, rb = np.float32(part.radius_a), np.float32(part.radius_b)
    taper = ra - rb
    m0, m1, m5 = axis @ axis, axis @ origin, origin @ origin
    m2 = rx * axis[0] + ry * axis[1] + rz * axis[2]
    m3 = rx * origin[0] + ry * origin[1] + rz * origin[2]
    d2 = max(float(m0 - taper * taper), 1e-8)
    if d2 > 1e-8:
        k2 = np.maximum(np.float32(d2) - m2 * m2, np.float32(1e-12))
        k1 = np.float32(d2) * m3 - m1 * m2 + m2 * (taper * ra)
        k0 = np.float32(d2) * m5 - m1 * m1 + m1 * taper * ra * 2 - m0 * ra * ra
        h = k1 * k1 - k0 * k2
        distance = (-np.sqrt(np.maximum(h, 0)) - k1) / k2
        height = m1 - ra * taper + distance * m2
        hit = (h >= 0) & (height > 0) & (height < d2)
    else:
        distance, hit = np.full_like(rx, FAR), np.zeros(rx.shape, bool)
    h1 = m3 * m3 - (m5 - ra * ra)
    ends = np.where(h1 >= 0, -m3 - np.sqrt(np.maximum(h1, 0)), FAR)
    m6 = m3 - m2
    far_end = origin - axis
    h2 = m6 * m6 - (far_end @ far_end - rb * rb)
    ends = np.minimum(ends, np.where(h2 >= 0, -m6 - np.sqrt(np.maximum(h2, 0)), FAR))
    distance = np.where(hit, distance, ends)
    true = distance if stretch is None else distance * scale
    index = np.nonzero((distance < FAR) & (true < surface.distance[window]))
    if index[0].size == 0:
        return
    t = distance[index]
    along = np.clip((m1 - ra * taper + t * m2[index]) / np.float32(d2), 0, 1)
    nx = origin[0] + t * rx[index] - axis[0] * along
    ny = origin[1] + t * ry[index] - axis[1] * along
    nz = origin[2] + t * rz[index] - axis[2] * along
    if stretch is not None:
        lean = (nx * stretch[0] + ny * stretch[1] + nz * stretch[2]) * more
        nx, ny, nz = nx + lean * stretch[0], ny + lean * stretch[1], nz + lean * stretch[2]
    length = 1 / np.sqrt(nx * nx + ny * ny + nz * nz + np.float32(1e-12))
    place = (index[0] + window[0].start, index[1] + window[1].start)
    surface.distance[place] = true[index]
    surface.normal[0][place], surface.normal[1][place], surface.normal[2][place] = nx * length, ny * length, nz * length
    surface.along[place] = along
    surface.part[place] = number
