"""A car or van: hull, cabin, glass and wheels, rolling."""

from __future__ import annotations

import numpy as np

from perishield.evaluation.scenes.camera import Array
from perishield.evaluation.scenes.gait import Path
from perishield.evaluation.scenes.parts import Body, Part
from perishield.evaluation.scenes.pose import UP, forward_of, left_of
from perishield.evaluation.scenes.scene import VehicleLook

_GLASS = (0.035, 0.045, 0.055)
_TYRE = (0.02, 0.02, 0.02)
_RIM = (0.3, 0.3, 0.32)


def vehicle(way: Path, moment: float, look: VehicleLook) -> Body:
    """The volumes of a vehicle on its path."""
    place, _, yaw, _ = way.at(moment)
    forward, left = forward_of(yaw), left_of(yaw)
    ground = np.array([place[0], place[1], 0.0], np.float32)
    half, belt = look.length / 2, 0.58 * look.height
    parts: list[Part] = []

    def at(ahead: float, height: float, aside: float = 0.0) -> Array:
        point: Array = ground + forward * np.float32(ahead) + UP * np.float32(height) + left * np.float32(aside)
        return point.astype(np.float32)

    middle = (0.2 + belt) / 2
    thick = (belt - 0.18) / 2 / 0.78
    parts.append(
        Part(
            at(-half + 0.75, middle),
            at(half - 0.75, middle - 0.04),
            0.8,
            0.78,
            look.paint,
            flat=UP,
            squash=thick,
            shades=True,
        )
    )
    reach = look.length * look.cabin / 2
    back = -0.35 if look.cabin < 0.6 else -0.1
    parts.append(
        Part(
            at(back - reach + 0.6, belt + 0.05),
            at(back + reach - 0.6, belt + 0.02),
            0.72,
            0.7,
            _GLASS,
            flat=UP,
            squash=(look.height - belt) / 0.74,
            shades=True,
        )
    )
    parts.append(
        Part(
            at(back - reach + 0.75, look.height - 0.07),
            at(back + reach - 0.85, look.height - 0.08),
            0.6,
            0.56,
            look.paint,
            flat=UP,
            squash=0.14,
        )
    )
    soles = []
    for ahead in (half * 0.62, -half * 0.62):
        for sign in (1.0, -1.0):
            parts.append(
                Part(
                    at(ahead, 0.31, sign * 0.66), at(ahead, 0.31, sign * 0.74), 0.31, 0.3, _TYRE, flat=left, squash=0.4
                )
            )
            parts.append(
                Part(at(ahead, 0.31, sign * 0.8), at(ahead, 0.31, sign * 0.83), 0.17, 0.16, _RIM, flat=left, squash=0.4)
            )
            soles.append(at(ahead, 0.0, sign * 0.7))
    return Body(tuple(parts), np.stack(soles), (float(place[0]), float(place[1])))
