"""Frame by frame: the still backdrop, what sways, shadows, bodies before and behind the fence, rain and noise."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from perishield.evaluation.scenes.actors import Role, body_at, cast_list, state_at
from perishield.evaluation.scenes.background import Backdrop, backdrop
from perishield.evaluation.scenes.camera import Array, Region, View
from perishield.evaluation.scenes.parts import Body
from perishield.evaluation.scenes.scene import Scene
from perishield.evaluation.scenes.shade import Painted, ground_shadow, paint, silhouette
from perishield.evaluation.scenes.texture import tone
from perishield.evaluation.scenes.truth import ActorTruth, FrameTruth
from perishield.evaluation.scenes.weather import Grain, Rain, sways

Picture = NDArray[np.uint8]
_THIN = 0.008
"""Haze below which nothing within thirty metres fades visibly."""


def frames(scene: Scene) -> Iterator[tuple[Picture, FrameTruth]]:
    """Each frame of one loop as RGB (h, w, 3) bytes with its truth. The same scene gives the same bytes."""
    view = View(scene.camera, scene.width, scene.height)
    still = backdrop(scene, view)
    trees, grain, rain = sways(scene, view, still), Grain(scene), Rain(scene)
    roles = cast_list(scene)
    for index in range(scene.frame_count):
        moment = index / scene.fps
        frame = still.picture.copy()
        for tree in trees:
            tree.paint(frame, index)
        seen = act(scene, view, still, roles, moment, frame)
        rain.add(frame)
        grain.add(frame)
        yield frame, FrameTruth(index, round(moment, 4), tuple(seen))


def truths(scene: Scene) -> Iterator[FrameTruth]:
    """The truth of each frame without drawing it: the same as `frames` tells, many times faster."""
    view = View(scene.camera, scene.width, scene.height)
    roles = cast_list(scene)
    for index in range(scene.frame_count):
        moment = index / scene.fps
        seen = []
        for role, body in _bodies(scene, view, roles, moment):
            found = silhouette(body, view)
            truth = None if found is None else _truth(role, body, *found, view, moment)
            if truth is not None:
                seen.append(truth)
        yield FrameTruth(index, round(moment, 4), tuple(seen))


def _bodies(scene: Scene, view: View, roles: tuple[Role, ...], moment: float) -> list[tuple[Role, Body]]:
    """Everybody who is there, the farthest first."""
    bodies = [(role, body) for role in roles if (body := body_at(scene, role, moment)) is not None]
    return sorted(bodies, key=lambda item: -float(np.hypot(*(np.array(item[1].ground) - view.position[:2]))))


def act(
    scene: Scene, view: View, still: Backdrop, roles: tuple[Role, ...], moment: float, frame: Picture
) -> list[ActorTruth]:
    """Draw everybody, the farthest first; say who is seen."""
    bodies = _bodies(scene, view, roles, moment)
    for _, body in bodies:
        _darken(view, scene, still, body, frame)
    seen = []
    for role, body in bodies:
        painted = paint(body, view, scene.light)
        if painted is None:
            continue
        _composite(_hazy(painted, scene, view, body), still, frame)
        truth = _truth(role, body, painted.region, painted.cover, view, moment)
        if truth is not None:
            seen.append(truth)
    return seen


def _hazy(painted: Painted, scene: Scene, view: View, body: Body) -> Painted:
    """The air between camera and body, as it lies over the ground there."""
    if scene.weather.haze < _THIN:
        return painted
    apart = float(np.hypot(*(np.array(body.ground) - view.position[:2])))
    clear = np.float32(np.exp(-apart * scene.weather.haze))
    air = tone(np.array(scene.light.horizon, np.float32) * np.float32(0.75 * scene.light.exposure))
    levels = painted.levels * clear + painted.cover[..., None] * (air * (1 - clear))
    return replace(painted, levels=levels.astype(np.float32))


def _darken(view: View, scene: Scene, still: Backdrop, body: Body, frame: Picture) -> None:
    shadow = ground_shadow(body, view, scene.light)
    if shadow is None:
        return
    (x0, y0, x1, y1), dark = shadow
    window = frame[y0:y1, x0:x1]
    # The fence before the ground keeps its light.
    taken = dark * (1 - still.cover[y0:y1, x0:x1])
    window[...] = np.maximum(window * (1 - taken[..., None] * np.float32(0.72)), 12).astype(np.uint8)


def _composite(painted: Painted, still: Backdrop, frame: Picture) -> None:
    x0, y0, x1, y1 = painted.region
    window = frame[y0:y1, x0:x1]
    hidden = painted.behind * still.cover[y0:y1, x0:x1]
    share = np.divide(hidden, painted.cover, out=np.zeros_like(hidden), where=painted.cover > 1e-4)
    body = painted.levels * (1 - share[..., None])
    body += still.fence[y0:y1, x0:x1] * painted.behind[..., None]
    mixed = window * (1 - painted.cover[..., None]) + body
    window[...] = np.clip(mixed, 12, still.ceiling).astype(np.uint8)


def _truth(role: Role, body: Body, region: Region, cover: Array, view: View, moment: float) -> ActorTruth | None:
    solid = cover > 0.35
    rows, columns = np.nonzero(solid.any(axis=1))[0], np.nonzero(solid.any(axis=0))[0]
    if len(rows) == 0:
        return None
    x0, y0, _, _ = region
    box = (
        float(x0 + columns[0]),
        float(y0 + rows[0]),
        float(x0 + columns[-1] + 1),
        float(y0 + rows[-1] + 1),
    )
    lowest = body.soles[int(np.argmin(body.soles[:, 2]))]
    standing = body.soles[body.soles[:, 2] < lowest[2] + 0.1].mean(axis=0)
    column, row = view.pixel((float(standing[0]), float(standing[1]), float(standing[2])))
    return ActorTruth(
        role.actor.name,
        role.actor.kind,
        state_at(role, moment),
        box,
        (round(column, 1), round(row, 1)),
        (round(body.ground[0], 3), round(body.ground[1], 3)),
    )
