"""What may be done to a camera, done to its pictures: RGB uint8 (h, w, 3) in, the same out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from perishield.model.health import Ailment

if TYPE_CHECKING:
    from numpy.typing import NDArray

Deed = Callable[["NDArray[np.uint8]", int, np.random.Generator], "NDArray[np.uint8]"]
"""(picture, how many pictures since it began, chance) -> picture."""


@dataclass(frozen=True, slots=True)
class Sabotage:
    """`right`: what may be said of it; the first is the best word. `freezes`: the picture before it is shown on."""

    name: str
    deed: Deed
    right: tuple[Ailment, ...]
    freezes: bool = False


def _cloth(picture: NDArray[np.uint8], index: int, chance: np.random.Generator) -> NDArray[np.uint8]:
    """A dark cloth close before the lens: folds out of focus."""
    height, width = picture.shape[:2]
    x, y = np.meshgrid(np.linspace(0, 5, width), np.linspace(0, 3, height))
    folds = 58 + 14 * np.sin(x + 0.6 * y + 0.02 * index) + 8 * np.sin(1.7 * y - x)
    return levels(folds[..., None] * np.array((1.0, 0.85, 0.75)) + chance.normal(0, 1.5, picture.shape))


def _lid(picture: NDArray[np.uint8], index: int, chance: np.random.Generator) -> NDArray[np.uint8]:
    """No light at all; the sensor's noise is left."""
    return levels(4 + chance.normal(0, 1.5, picture.shape))


def _spray(picture: NDArray[np.uint8], index: int, chance: np.random.Generator) -> NDArray[np.uint8]:
    """Paint over four fifths of the lens, thick in the middle, thin towards the edges of its spots."""
    height, width = picture.shape[:2]
    spots = np.random.default_rng(5)
    rows, columns = np.mgrid[0:height, 0:width]
    thick = np.zeros((height, width))
    for _ in range(26):
        x, y, radius = spots.uniform(0, width), spots.uniform(0, height), spots.uniform(0.12, 0.26) * width
        thick += np.exp(-(((columns - x) ** 2 + (rows - y) ** 2) / (0.5 * radius**2)))
    share = np.clip(thick, 0, 1)[..., None]
    return levels(picture * (1 - share) + share * np.array((150.0, 40.0, 45.0)) + chance.normal(0, 1, picture.shape))


def _defocus(picture: NDArray[np.uint8], index: int, chance: np.random.Generator) -> NDArray[np.uint8]:
    """The lens turned: a blur of 1 % of the picture's width, of three boxes."""
    reach = max(2, round(0.008 * picture.shape[1]))
    soft = picture.astype(np.float32)
    for _ in range(3):
        for axis in (0, 1):
            soft = _box(soft, reach, axis)
    return levels(soft + chance.normal(0, 1.5, picture.shape))


def _box(plane: NDArray[np.float32], reach: int, axis: int) -> NDArray[np.float32]:
    pad = [(0, 0)] * plane.ndim
    pad[axis] = (reach + 1, reach)
    sums = np.cumsum(np.pad(plane, pad, "edge"), axis=axis, dtype=np.float64)
    size = 2 * reach + 1
    low, high = [slice(None)] * plane.ndim, [slice(None)] * plane.ndim
    low[axis], high[axis] = slice(0, -size), slice(size, None)
    return ((sums[tuple(high)] - sums[tuple(low)]) / size).astype(np.float32)


def _nudge(picture: NDArray[np.uint8], index: int, chance: np.random.Generator) -> NDArray[np.uint8]:
    """Turned by an eighth of the picture; what comes in at the edge is a mirror image of what was there."""
    step = picture.shape[1] // 8
    return np.concatenate((picture[:, step:], picture[:, : -step - 1 : -1]), axis=1)


def _turn(picture: NDArray[np.uint8], index: int, chance: np.random.Generator) -> NDArray[np.uint8]:
    """Turned so far that nothing is left of the view: a mirror image of it, which has the same kind of contours."""
    return np.ascontiguousarray(np.roll(picture, picture.shape[1] // 3, axis=1)[:, ::-1])


def _torch(picture: NDArray[np.uint8], index: int, chance: np.random.Generator) -> NDArray[np.uint8]:
    """A torch held at the lens, with its halo; it trembles."""
    height, width = picture.shape[:2]
    rows, columns = np.mgrid[0:height, 0:width]
    x, y = width * (0.45 + chance.uniform(-0.05, 0.05)), height * (0.5 + chance.uniform(-0.05, 0.05))
    away = np.hypot(columns - x, rows - y) / width
    beam = 600 * np.exp(-((away / 0.25) ** 2)) + 60 * np.exp(-away / 0.5)
    return levels(picture * 0.8 + beam[..., None])


def _clock(picture: NDArray[np.uint8], index: int, chance: np.random.Generator) -> NDArray[np.uint8]:
    """Frozen, while the clock that the camera writes into the picture goes on."""
    height, width = picture.shape[:2]
    shown = picture.copy()
    digits = np.random.default_rng(index).integers(0, 2, (8, 12)).repeat(height // 90 or 1, 0).repeat(width // 120, 1)
    shown[4 : 4 + digits.shape[0], 4 : 4 + digits.shape[1]] = (digits * 235)[..., None]
    return shown


def _blue(picture: NDArray[np.uint8], index: int, chance: np.random.Generator) -> NDArray[np.uint8]:
    return np.broadcast_to(np.array((0, 0, 190), np.uint8), picture.shape).copy()


SABOTAGES = (
    Sabotage("cloth", _cloth, (Ailment.COVERED,)),
    Sabotage("lid", _lid, (Ailment.COVERED, Ailment.DARK)),
    Sabotage("spray", _spray, (Ailment.COVERED, Ailment.BLURRED)),
    Sabotage("defocus", _defocus, (Ailment.BLURRED,)),
    Sabotage("turned an eighth", _nudge, (Ailment.MOVED,)),
    Sabotage("turned away", _turn, (Ailment.MOVED,)),
    Sabotage("torch", _torch, (Ailment.GLARE,)),
    Sabotage("frozen, clock goes on", _clock, (Ailment.FROZEN,), freezes=True),
    Sabotage("blue picture", _blue, (Ailment.NO_SIGNAL,)),
)


def levels(plane: NDArray[np.floating]) -> NDArray[np.uint8]:
    """As bytes, what is beyond them cut off."""
    cut: NDArray[np.uint8] = np.clip(plane, 0, 255).astype(np.uint8)
    return cut
