"""How a body stands: a handful of points that gait and climb set, and that the skeleton's joints follow."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from perishield.evaluation.scenes.camera import Array

UP = np.array([0.0, 0.0, 1.0], np.float32)


@dataclass(frozen=True, slots=True)
class Pose:
    """World metres and radians. Rows of `hands` and `feet`: left, right; a foot's point is its ankle.

    `lean` bends the trunk forward, `twist` turns the shoulders against the hips, `toes` tips each foot down.
    """

    pelvis: Array
    yaw: float
    lean: float
    twist: float
    hands: Array
    feet: Array
    toes: Array
    look: float = 0.0


def forward_of(yaw: float) -> Array:
    return np.array([np.cos(yaw), np.sin(yaw), 0.0], np.float32)


def left_of(yaw: float) -> Array:
    return np.array([-np.sin(yaw), np.cos(yaw), 0.0], np.float32)


def turned(start: float, end: float, share: float) -> float:
    """The heading a share of the shorter way round."""
    return start + ((end - start + np.pi) % (2 * np.pi) - np.pi) * share


def blend(a: Pose, b: Pose, share: float) -> Pose:
    """A share of the way from pose `a` to pose `b`."""
    rest = 1 - share
    return Pose(
        a.pelvis * rest + b.pelvis * share,
        turned(a.yaw, b.yaw, share),
        a.lean * rest + b.lean * share,
        a.twist * rest + b.twist * share,
        a.hands * rest + b.hands * share,
        a.feet * rest + b.feet * share,
        a.toes * rest + b.toes * share,
        a.look * rest + b.look * share,
    )


def bend(root: Array, target: Array, upper: float, lower: float, pole: Array) -> tuple[Array, Array]:
    """Two-bone inverse kinematics: the middle joint and the end, as near the target as the bones reach.

    The middle joint bends towards `pole`.
    """
    way = target - root
    distance = float(np.sqrt(way @ way)) or 1e-6
    axis = way / distance
    reach = min(max(distance, abs(upper - lower) + 0.01), (upper + lower) * 0.998)
    along = (upper * upper - lower * lower + reach * reach) / (2 * reach)
    out = np.sqrt(max(upper * upper - along * along, 0.0))
    side = pole - axis * (pole @ axis)
    side = side / (np.sqrt(side @ side) + 1e-6)
    return (
        (root + axis * along + side * out).astype(np.float32),
        (root + axis * reach).astype(np.float32),
    )
