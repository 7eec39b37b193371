"""On hands and knees: opposite hand and knee move together, the trunk level, the head up."""

from __future__ import annotations

import numpy as np

from perishield.evaluation.scenes.gait import ANKLE, Path
from perishield.evaluation.scenes.pose import UP, Pose, forward_of, left_of


def crawling(way: Path, moment: float, size: float) -> Pose:
    """The pose on a path; `size` is the body's height over 1.75 m."""
    place, gone, yaw, _ = way.at(moment)
    forward, left = forward_of(yaw), left_of(yaw)
    ground = np.array([place[0], place[1], 0.0], np.float32)
    stride = 0.9 * size
    phase = gone / stride
    sway = 0.03 * np.sin(2 * np.pi * phase)
    pelvis = ground - forward * np.float32(0.22 * size) + left * np.float32(sway) + UP * np.float32(0.5 * size)
    hands, feet = np.zeros((2, 3), np.float32), np.zeros((2, 3), np.float32)
    for index, sign in enumerate((1.0, -1.0)):
        for points, offset, ahead, low in (
            (hands, 0.5 * index, 0.24, 0.05),
            (feet, 0.5 + 0.5 * index, -0.68, ANKLE),
        ):
            part = float((phase + offset) % 1)
            # On the ground for six tenths of the stride, sliding back under the body; then lifted ahead.
            if part < 0.6:
                swing, lift = 0.5 - part / 0.6, 0.0
            else:
                share = (part - 0.6) / 0.4
                swing, lift = share - 0.5, 0.07 * float(np.sin(np.pi * share))
            points[index] = (
                ground
                + forward * np.float32((ahead + 0.26 * swing) * size)
                + left * np.float32(sign * 0.17 * size)
                + UP * np.float32((low + lift) * size)
            )
    return Pose(pelvis, yaw, 1.32, 0.0, hands, feet, np.full(2, 1.2, np.float32), 0.0)
