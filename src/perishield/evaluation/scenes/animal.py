"""A dog (or fox): the same volumes on four legs, trotting."""

from __future__ import annotations

import numpy as np

from perishield.evaluation.scenes.camera import Array
from perishield.evaluation.scenes.gait import Path
from perishield.evaluation.scenes.parts import Body, Part
from perishield.evaluation.scenes.pose import UP, bend, forward_of, left_of
from perishield.evaluation.scenes.scene import DogLook


def dog(way: Path, moment: float, look: DogLook) -> Body:
    """The volumes of a dog on its path: diagonal legs together, as in a trot."""
    place, gone, yaw, speed = way.at(moment)
    size = look.height / 0.58
    forward, left = forward_of(yaw), left_of(yaw)
    moving = float(np.clip(speed / 0.6, 0, 1))
    stride = max(0.5, 0.42 + 0.28 * speed) * size
    phase = gone / stride
    bounce = 0.012 * np.cos(4 * np.pi * phase) * moving
    centre = np.array([place[0], place[1], (look.height * 0.82 + bounce)], np.float32)
    half = look.length / 2
    chest, rump = centre + forward * np.float32(half * 0.8), centre - forward * np.float32(half * 0.9)
    nod = np.float32(0.02 * np.sin(4 * np.pi * phase) * moving)
    poll = chest + forward * np.float32(0.22 * size) + UP * np.float32(0.17 * size + nod)
    nose = poll + forward * np.float32(0.15 * size) - UP * np.float32(0.05 * size)
    coat = {"colour": look.coat, "second": look.belly, "cloth": "coat", "folds": 0.5}
    parts: list[Part] = []

    def add(a: Array, b: Array, radius_a: float, radius_b: float, **more: object) -> None:
        merged: dict[str, object] = {**coat, **more}
        parts.append(Part(a.astype(np.float32), b.astype(np.float32), radius_a * size, radius_b * size, **merged))  # type: ignore[arg-type]

    add(rump + forward * 0.05, chest - UP * 0.02 * size, 0.1, 0.135, flat=left, squash=0.82, shades=True)
    add(chest, poll, 0.1, 0.07, shades=True)
    add(poll, poll + forward * 0.05 * size, 0.078, 0.066)
    add(poll + forward * 0.05 * size, nose, 0.05, 0.03)
    for sign in (1.0, -1.0):
        ear = poll + left * np.float32(sign * 0.055 * size) + UP * np.float32(0.05 * size)
        add(ear, ear + UP * np.float32(0.06 * size) - forward * np.float32(0.02), 0.026, 0.01)
    wag = left * np.float32(0.06 * np.sin(moment * 9))
    tail = rump - forward * np.float32(0.12 * size) + UP * np.float32(0.03 * size)
    add(rump, tail, 0.05, 0.035)
    add(tail, tail - forward * np.float32(0.2 * size) + UP * np.float32(0.1 * size) + wag, 0.035, 0.016)
    soles = []
    for front, sign, offset in ((True, 1, 0.0), (True, -1, 0.5), (False, 1, 0.5), (False, -1, 0.0)):
        part = float((phase + offset) % 1)
        root = (chest if front else rump) + left * np.float32(sign * 0.07 * size) - UP * np.float32(0.05 * size)
        if part < 0.5:
            swing, lift = 0.5 - 2 * part, 0.0
        else:
            share = (part - 0.5) * 2
            swing, lift = -0.5 + share, np.sin(np.pi * share) * 0.09
        reach = swing * stride * 0.5 * moving
        paw = np.array([root[0], root[1], 0.03 + lift * moving], np.float32) + forward * np.float32(reach)
        long = (look.height * 0.82 - 0.05 * size) / 2 * 1.04
        joint, end = bend(root, paw, long, long, (-forward if front else forward).astype(np.float32))
        add(root, joint, 0.06 if front else 0.08, 0.036, shades=True)
        add(joint, end, 0.034, 0.024)
        add(end, end + forward * np.float32(0.04 * size), 0.028, 0.022)
        soles.append(end)
    return Body(tuple(parts), np.stack(soles).astype(np.float32), (float(place[0]), float(place[1])))
