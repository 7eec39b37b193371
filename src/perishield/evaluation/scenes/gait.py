"""Walking, running and standing: feet planted along a path, the body carried over them.

A walking foot is on the ground for about 60 % of a stride and a running one for about 35 % (Novacheck 1998, "The
biomechanics of running", Gait and Posture 7); strides lengthen with speed (Grieve & Gear 1966).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from perishield.evaluation.scenes.camera import Array
from perishield.evaluation.scenes.pose import UP, Pose, blend, forward_of, left_of
from perishield.evaluation.scenes.scene import Vec2

_STEP = 0.02
_SMOOTH_S = 0.3
ANKLE = 0.085


@dataclass(frozen=True, slots=True)
class Path:
    """A way over the ground, sampled every 20 ms: place (n, 2), distance gone (n,), heading (n,), speed (n,)."""

    start_s: float
    place: Array
    gone: Array
    heading: Array
    speed: Array

    @property
    def end_s(self) -> float:
        return self.start_s + (len(self.gone) - 1) * _STEP

    def at(self, moment: float) -> tuple[Array, float, float, float]:
        """Place, distance, heading, speed at a moment of the loop."""
        place = min(max((moment - self.start_s) / _STEP, 0.0), len(self.gone) - 1.001)
        index, share = int(place), np.float32(place % 1)
        point = self.place[index] * (1 - share) + self.place[index + 1] * share
        gone = float(self.gone[index] * (1 - share) + self.gone[index + 1] * share)
        return point, gone, float(self.heading[index]), float(self.speed[index])

    def by_distance(self, gone: float) -> tuple[Array, float]:
        """Place and heading where that much of the path is done; straight on beyond its ends."""
        index = int(np.clip(np.searchsorted(self.gone, gone), 0, len(self.gone) - 1))
        heading = float(self.heading[index])
        over = gone - float(self.gone[index])
        if not 0 < index < len(self.gone) - 1:
            return self.place[index] + forward_of(heading)[:2] * over, heading
        return self.place[index], heading


def path(start_s: float, legs: list[tuple[Vec2, Vec2, float]], *, running_start: bool = False) -> Path:
    """A path through straight legs (from, to, seconds), corners rounded, starts and stops eased.

    A leg whose ends are the same is a pause. Times: the path starts at `start_s`, its legs keep their lengths.
    """
    knots = np.cumsum([0.0, *(seconds for _, _, seconds in legs)])
    places = np.array([legs[0][0], *(end for _, end, _ in legs)], np.float64)
    moments = np.arange(0, knots[-1] + _STEP / 2, _STEP)
    window = np.linspace(-_SMOOTH_S, _SMOOTH_S, 13)
    spread = moments[:, None] + window[None, :]
    if running_start:
        spread = np.maximum(spread, -_SMOOTH_S)
    place = np.stack([np.interp(spread, knots, places[:, axis]).mean(axis=1) for axis in (0, 1)], axis=1)
    step = np.diff(place, axis=0, prepend=place[:1])
    length = np.hypot(step[:, 0], step[:, 1])
    speed = np.convolve(np.pad(length, 5, mode="edge"), np.ones(11) / 11, mode="valid") / _STEP
    moving = length > 0.1 * _STEP
    index = np.where(moving, np.arange(len(moving)), 0)
    index = np.maximum.accumulate(index)
    first = int(np.argmax(moving)) if moving.any() else 0
    index[index == 0] = first
    turn = np.unwrap(np.arctan2(step[index, 1], step[index, 0]))
    heading = np.convolve(np.pad(turn, 12, mode="edge"), np.ones(25) / 25, mode="valid")
    return Path(
        start_s,
        place.astype(np.float32),
        np.cumsum(length).astype(np.float32),
        heading.astype(np.float32),
        speed.astype(np.float32),
    )


def standing(place: Array, yaw: float, size: float, moment: float) -> Pose:
    """At ease: weight shifting, breathing, the head looking about. `size` is the body's height over 1.75 m."""
    ground = np.array([place[0], place[1], 0.0], np.float32)
    forward, left = forward_of(yaw), left_of(yaw)
    shift = 0.025 * np.sin(moment * 0.9)
    pelvis = ground + left * np.float32(shift) + UP * np.float32(0.95 * size)
    feet = np.stack([ground + left * 0.11 * size + forward * 0.03, ground - left * 0.11 * size - forward * 0.03])
    feet[:, 2] = ANKLE * size
    shoulder = 0.19 * size
    hang = (0.435 - 0.52 + 0.004 * np.sin(moment * 1.7)) * size
    hands = np.stack(
        [pelvis + left * (shoulder + 0.07) + forward * 0.06, pelvis - left * (shoulder + 0.07) + forward * 0.08]
    )
    hands[:, 2] += hang
    look = 0.6 * np.sin(moment * 0.7) + 0.3 * np.sin(moment * 1.9)
    return Pose(
        pelvis, yaw, 0.03, 0.05 * float(np.sin(moment * 0.9)), hands, feet, np.zeros(2, np.float32), float(look)
    )


def walking(way: Path, moment: float, size: float) -> Pose:
    """The pose on a path: a walk up to 2.2 m/s, a run above, standing where the path pauses."""
    place, gone, yaw, speed = way.at(moment)
    fast = float(np.clip((speed - 1.9) / 0.8, 0, 1))
    stride = (1.0 + 0.32 * min(speed, 4.5)) * size
    grounded = 0.62 - 0.27 * fast
    forward, left = forward_of(yaw), left_of(yaw)
    ground = np.array([place[0], place[1], 0.0], np.float32)
    phase = gone / stride
    feet, toes, swings = np.zeros((2, 3), np.float32), np.zeros(2, np.float32), []
    for foot, (offset, sign) in enumerate(((0.0, 1.0), (0.5, -1.0))):
        cycle = phase + offset
        whole, part = float(np.floor(cycle)), float(cycle % 1)
        plant = (whole + grounded / 2 - offset) * stride
        here, heading = way.by_distance(plant)
        lift = 0.0
        spot = here + left_of(heading)[:2] * np.float32(sign * 0.075 * size)
        if part > grounded:
            share = (part - grounded) / (1 - grounded)
            ease = share * share * (3 - 2 * share)
            there, there_heading = way.by_distance(plant + stride)
            spot = spot * (1 - ease) + (there + left_of(there_heading)[:2] * np.float32(sign * 0.075 * size)) * ease
            lift = float(np.sin(np.pi * share**0.8) * (0.1 + 0.24 * fast))
            toes[foot] = float(0.9 * np.cos(np.pi * share * 0.85) * (1 - share * 0.4))
        elif part > grounded * 0.65:
            push = (part / grounded - 0.65) / 0.35
            toes[foot] = 0.8 * push
            lift = 0.085 * push * push
        else:
            toes[foot] = -0.3 * max(0.0, 1 - part / (0.15 * grounded))
        feet[foot] = (spot[0], spot[1], (ANKLE + lift) * size)
        swings.append(float(np.cos(2 * np.pi * (cycle - 0.02))))
    bob = 0.026 * np.cos(4 * np.pi * (phase - grounded / 2)) * (1 + 1.2 * fast)
    rise = (0.934 - 0.05 * fast + bob) * size
    pelvis = ground + UP * np.float32(rise)
    lean = 0.05 + 0.2 * fast
    hands = np.zeros((2, 3), np.float32)
    for hand, (sign, swing) in enumerate(((1.0, swings[1]), (-1.0, swings[0]))):
        angle = swing * (0.42 + 0.35 * fast)
        bent = 0.25 + 0.12 * swing + 1.15 * fast
        upper, lower = 0.29 * size, 0.26 * size
        reach = forward * np.float32(np.sin(angle) * upper + np.sin(angle + bent) * lower)
        drop = -np.cos(angle) * upper - np.cos(angle + bent) * lower
        shoulder = (
            pelvis + forward * np.float32(np.sin(lean) * 0.46 * size) + UP * np.float32(0.46 * size * np.cos(lean))
        )
        hands[hand] = shoulder + reach + UP * np.float32(drop) + left * np.float32(sign * 0.235 * size)
    moving = Pose(pelvis, yaw, lean, 0.12 * (swings[0] - swings[1]) / 2, hands, feet, toes, 0.0)
    still = float(np.clip(1 - (speed - 0.15) / 0.5, 0, 1))
    if still == 0:
        return moving
    return blend(moving, standing(place, yaw, size, moment), still)
