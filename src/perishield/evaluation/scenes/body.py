"""A person: joints from a pose, and shaded volumes on the joints.

Segment lengths are shares of body height (Drillis & Contini 1966, as in Winter, "Biomechanics and Motor Control of
Human Movement"), at 1.75 m and scaled.
"""

from __future__ import annotations

import numpy as np

from perishield.evaluation.scenes.camera import Array
from perishield.evaluation.scenes.parts import Body, Part
from perishield.evaluation.scenes.pose import UP, Pose, bend, forward_of, left_of
from perishield.evaluation.scenes.scene import PersonLook

THIGH, SHIN = 0.435, 0.425
UPPER_ARM, FORE_ARM = 0.29, 0.265


def person(pose: Pose, look: PersonLook) -> Body:
    """The volumes of a person in that pose."""
    size, girth = look.height / 1.75, look.girth
    forward, left = forward_of(pose.yaw), left_of(pose.yaw)
    spine = UP * np.float32(np.cos(pose.lean)) + forward * np.float32(np.sin(pose.lean))
    chest_front = forward * np.float32(np.cos(pose.lean)) - UP * np.float32(np.sin(pose.lean))
    turn = np.float32(np.sin(pose.twist))
    across = left * np.float32(np.cos(pose.twist)) - chest_front * turn
    pelvis = pose.pelvis

    def on_spine(height: float, ahead: float = 0.0) -> Array:
        point: Array = pelvis + spine * np.float32(height * size) + chest_front * np.float32(ahead * size)
        return point

    gaze_yaw = pose.yaw + pose.look
    gaze = forward_of(gaze_yaw) * np.float32(np.cos(pose.lean * 0.4)) - UP * np.float32(np.sin(pose.lean * 0.4))
    neck = on_spine(0.53, 0.01)
    head = neck + (spine * 0.5 + UP * 0.5 + forward * 0.12) * np.float32(0.135 * size)
    parts: list[Part] = []

    def add(a: Array, b: Array, radius_a: float, radius_b: float, **more: object) -> None:
        parts.append(Part(a, b, radius_a * size, radius_b * size, **more))  # type: ignore[arg-type]

    top = {"colour": look.top, "second": look.second, "folds": 1.0}
    trunk = {**top, "cloth": look.pattern, "front": chest_front, "flat": chest_front}
    add(pelvis + left * 0.07 * size, pelvis - left * 0.07 * size, 0.118 * girth, 0.118 * girth, colour=look.trousers,
        flat=forward, squash=0.88, folds=0.6, shades=True)  # fmt: skip
    add(on_spine(0.02), on_spine(0.27), 0.158 * girth, 0.165 * girth, **trunk, squash=0.74, shades=True)
    add(on_spine(0.26), on_spine(0.41), 0.172 * girth, 0.14, **trunk, squash=0.7, shades=True)
    shoulders = [on_spine(0.455) + across * np.float32(sign * 0.165 * size) for sign in (1, -1)]
    add(shoulders[0], shoulders[1], 0.066, 0.066, **{**trunk, "flat": None})
    add(on_spine(0.44), neck + UP * 0.05 * size, 0.062, 0.052, colour=look.top if look.hood else look.skin)

    for index, (sign, shoulder) in enumerate(zip((1.0, -1.0), shoulders, strict=True)):
        reach = pose.hands[index] - shoulder
        raised = float(np.clip((reach[2] / size + 0.1) / 0.3, 0, 1))
        pole = -forward * 0.7 + left * np.float32(sign * (0.35 + 0.6 * raised)) - UP * np.float32(0.5)
        start = shoulder + across * np.float32(sign * 0.02 * size)
        elbow, wrist = bend(start, pose.hands[index], UPPER_ARM * size, FORE_ARM * size, pole.astype(np.float32))
        along = (wrist - elbow) / np.float32(FORE_ARM * size)
        add(start, elbow, 0.062, 0.05, **top, cloth="stripes" if look.pattern == "stripes" else "plain", shades=True)
        add(elbow, wrist, 0.05, 0.038, **top)
        add(wrist + along * 0.02 * size, wrist + along * 0.1 * size, 0.036, 0.028, colour=look.skin,
            flat=left_of(pose.yaw), squash=0.75)  # fmt: skip

    soles = []
    for index, sign in enumerate((1.0, -1.0)):
        hip = pelvis + left * np.float32(sign * 0.088 * size) - spine * np.float32(0.03 * size)
        pole = forward + left * np.float32(sign * 0.18)
        knee, ankle = bend(hip, pose.feet[index], THIGH * size, SHIN * size, pole.astype(np.float32))
        tip = float(pose.toes[index])
        ahead = forward * np.float32(np.cos(tip)) - UP * np.float32(np.sin(tip)) + left * np.float32(sign * 0.12)
        under = UP * np.float32(np.cos(tip)) + forward * np.float32(np.sin(tip))
        add(hip, knee, 0.094 * girth, 0.066, colour=look.trousers, folds=0.9, shades=True)
        add(knee, ankle, 0.066, 0.054, colour=look.trousers, folds=1.0, shades=True)
        low = ankle - under * np.float32(0.047 * size)
        add(low - ahead * 0.05 * size, low + ahead * 0.15 * size, 0.044, 0.036, colour=look.shoes)
        soles.append(low + ahead * np.float32(0.05 * size) - UP * np.float32(0.04 * size))

    add(head - UP * 0.045 * size + gaze * 0.018 * size, head + UP * 0.028 * size, 0.068, 0.092,
        colour=look.skin, cloth="face", front=gaze, second=look.hair, flat=left_of(gaze_yaw), squash=0.86,
        shades=True)  # fmt: skip
    if look.hood:
        add(head - UP * 0.05 * size - gaze * 0.035 * size, head + UP * 0.032 * size - gaze * 0.022 * size, 0.1, 0.106,
            colour=look.top, cloth="hair", front=gaze, folds=0.5)  # fmt: skip
    else:
        add(head + UP * 0.035 * size - gaze * 0.022 * size, head - gaze * 0.03 * size, 0.1, 0.088,
            colour=look.hair, cloth="hair", front=gaze, flat=left_of(gaze_yaw), squash=0.9)  # fmt: skip
    if look.backpack:
        add(on_spine(0.14, -0.17), on_spine(0.38, -0.16), 0.13, 0.11, colour=look.second, flat=chest_front, squash=0.65,
            folds=0.4, shades=True)  # fmt: skip
    return Body(tuple(parts), np.stack(soles).astype(np.float32), (float(pelvis[0]), float(pelvis[1])))
