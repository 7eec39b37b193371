"""Over the fence: reach up, climb, straddle, let down on the inner side, drop, rise and turn away.

Key poses for a fence of 2.2 m, in metres from the foot of the fence: along it, across it (inside positive), height;
heights above 1 m stretch with the fence. Between them all points move on cubic Hermite curves.
"""

from __future__ import annotations

import numpy as np

from perishield.evaluation.scenes.gait import ANKLE
from perishield.evaluation.scenes.pose import Pose

REACH_Y = -0.45
"""Where a climber stands before, metres from the fence."""
LANDING_Y = 0.8
"""Where he stands after."""

_KEYS = np.array((
    # share, pelvis (along, across, height), heading, lean, left hand, right hand, left foot, right foot
    (    0,    0,-0.45, 0.92,   90,    0,-0.26, -0.4, 0.85, 0.26, -0.4, 0.85,-0.11,-0.45,0.085, 0.11,-0.45,0.085),
    ( 0.09,    0, -0.4, 0.95,   90,    0,-0.22,-0.06, 1.95, 0.22,-0.06,    2,-0.11,-0.42,  0.1, 0.11,-0.42,  0.1),
    ( 0.18,    0,-0.42, 1.05,   90,  0.1,-0.22,-0.04, 2.05, 0.22,-0.04, 2.15,-0.11,-0.35, 0.14, 0.13,-0.13,  0.6),
    ( 0.28,    0,-0.44, 1.38,   90,  0.1,-0.22,-0.03, 2.22, 0.22,-0.04, 2.15,-0.15,-0.12, 0.92, 0.13,-0.13,  0.6),
    ( 0.38,    0, -0.4, 1.72,   90,  0.2,-0.22,-0.02, 2.22, 0.24,-0.02, 2.22,-0.15,-0.12, 0.92, 0.14,-0.12, 1.32),
    ( 0.47,    0, -0.3, 2.08,   92,  0.5,-0.26,    0, 2.22, 0.28,    0, 2.22,-0.15,-0.12, 1.48, 0.16,-0.12, 1.32),
    ( 0.55,-0.02,-0.16, 2.38,  115, 0.75,-0.32,    0, 2.22, 0.16, 0.02, 2.22,-0.14,-0.13,  1.5,  0.4, 0.02, 2.34),
    ( 0.62,    0, 0.02,  2.4,  165, 0.45,-0.36,-0.02, 2.22,-0.26, 0.03, 2.22,-0.02,-0.24, 1.68, 0.08, 0.26,  1.7),
    (  0.7, 0.04, 0.16,  2.3,  205,  0.6,-0.12,    0, 2.22,-0.38,    0, 2.22, 0.02,    0, 2.36, 0.06, 0.15, 1.42),
    ( 0.78,    0,  0.4, 1.72,  258,  0.1,  0.2, 0.02, 2.22,-0.22, 0.02, 2.22, 0.13, 0.14, 1.06,-0.12, 0.14, 0.86),
    (0.835,    0, 0.52, 1.18,  264,  0.1, 0.22, 0.16,    2,-0.22, 0.16,    2, 0.14, 0.42, 0.42,-0.14, 0.42, 0.34),
    ( 0.87,    0, 0.64,  0.7,  266,  0.4, 0.34, 0.42, 0.95,-0.34, 0.42, 0.95, 0.16, 0.52,0.085,-0.16, 0.55,0.085),
    (0.905,    0,  0.7, 0.62,  285,  0.5,  0.3,  0.4, 0.62,-0.28, 0.46, 0.62, 0.16, 0.54,0.085,-0.16,  0.6,0.085),
    ( 0.95, 0.03, 0.76,  0.8,  340,  0.3, 0.15, 0.95,  0.8,    0,  0.5, 0.75,  0.1, 0.78, 0.12,-0.08, 0.62,0.085),
    (    1, 0.05,  0.8, 0.91,  400, 0.12,-0.12,    1, 0.92, 0.24, 0.62, 0.88, 0.04,  0.9,0.085,  0.1, 0.74,  0.1),
), np.float32)  # fmt: skip
_KEYS[:, 4] = np.radians(_KEYS[:, 4])
_AT, _ROWS = _KEYS[:, 0], _KEYS[:, 1:]


def climbing(x: float, share: float, fence_height: float, size: float, *, mirrored: bool = False) -> Pose:
    """The pose at a share 0..1 of the climb at `x`; `mirrored` turns the body the other way round at the top."""
    share = min(max(share, 0.0), 1.0)
    index = int(np.clip(np.searchsorted(_AT, share, side="right") - 1, 0, len(_AT) - 2))
    span = float(_AT[index + 1] - _AT[index])
    part = (share - float(_AT[index])) / span
    start, end = _ROWS[index], _ROWS[index + 1]
    tangents = [
        (_ROWS[min(k + 1, len(_ROWS) - 1)] - _ROWS[max(k - 1, 0)])
        / (_AT[min(k + 1, len(_AT) - 1)] - _AT[max(k - 1, 0)])
        * np.float32(span * 0.75)
        for k in (index, index + 1)
    ]
    a, b = part * part * (3 - 2 * part), part * (1 - part)
    row = start * (1 - a) + end * a + tangents[0] * (b * (1 - part)) - tangents[1] * (b * part)
    row = row.astype(np.float32)
    points = np.stack([row[0:3], row[5:8], row[8:11], row[11:14], row[14:17]])
    stretch = (fence_height - 1.0) / 1.2
    points[:, 2] = np.where(points[:, 2] > 1, 1 + (points[:, 2] - 1) * stretch, points[:, 2])
    points[0, 2] += 0.9 * (size - 1) * min(1.0, max(0.0, 1.2 - float(points[0, 2])))
    points[3:, 2] = np.maximum(points[3:, 2], ANKLE * size)
    yaw = float(row[3])
    if mirrored:
        points[:, 0] *= -1
        points = points[[0, 2, 1, 4, 3]]
        yaw = np.pi - yaw
    points[:, 0] += x
    off_ground = np.clip((points[3:, 2] - 0.15) / 0.3, 0, 1)
    return Pose(points[0], yaw, float(row[4]), 0.0, points[1:3], points[3:5], (0.25 * off_ground).astype(np.float32))
