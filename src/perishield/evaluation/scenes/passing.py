"""What passes before a camera and is nobody: birds, insects near the lens, litter, flags, headlights, cloud shadows.

All are soft shapes on the finished picture, functions of time alone, so that any moment can be drawn by itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from perishield.evaluation.scenes.camera import View

Bytes = NDArray[np.uint8]
Kind = Literal["bird", "insect", "litter", "flag", "headlights", "cloud"]
KINDS: tuple[Kind, ...] = ("bird", "insect", "litter", "flag", "headlights", "cloud")
_DARKEST, _BRIGHTEST = 12.0, 240.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Passing:
    """`kind` of thing between two moments (seconds); `seed` decides its way and looks."""

    kind: Kind
    start_s: float
    seconds: float
    seed: int

    def draw(self, frame: Bytes, view: View, moment: float) -> None:
        """Onto the picture (h, w, 3), in place; nothing outside its time."""
        share = (moment - self.start_s) / self.seconds
        if 0 <= share < 1:
            rng = np.random.default_rng(self.seed)
            _DRAW[self.kind](frame, view, share, moment, rng)


def _bird(frame: Bytes, view: View, share: float, moment: float, rng: np.random.Generator) -> None:
    side = 1 if rng.random() < 0.5 else -1
    size = view.height / 360 * rng.uniform(2.0, 6.0)
    column = view.width * (0.5 + side * (share * 1.2 - 0.6))
    row = view.height * (rng.uniform(0.1, 0.7) + 0.15 * np.sin(share * 5 + rng.uniform(0, 6)))
    beat = abs(np.sin(moment * rng.uniform(16, 26)))
    _soft(frame, column, row, size, size * 0.42, level=rng.uniform(25, 60), alpha=0.9)
    _soft(frame, column, row - size * (beat - 0.4), size * 0.45, size * (0.25 + 0.9 * beat), level=40.0, alpha=0.75)


def _insect(frame: Bytes, view: View, share: float, moment: float, rng: np.random.Generator) -> None:
    """Out of focus and lit by the lamp beside the lens: a bright blur, now here, now there."""
    size = view.height / 360 * rng.uniform(5, 22)
    phases, rates = rng.uniform(0, 6.3, 4), rng.uniform(0.8, 3.5, 4)
    column = view.width * (0.5 + 0.45 * np.sin(rates[0] * moment + phases[0]) * np.cos(rates[1] * moment + phases[1]))
    row = view.height * (0.5 + 0.45 * np.sin(rates[2] * moment + phases[2]) * np.cos(rates[3] * moment + phases[3]))
    _soft(frame, column, row, size, size * rng.uniform(0.6, 1.3), level=rng.uniform(190, 240), alpha=0.75, edge=0.9)


def _litter(frame: Bytes, view: View, share: float, moment: float, rng: np.random.Generator) -> None:
    side = 1 if rng.random() < 0.5 else -1
    across = view.position[0] + side * (share - 0.5) * 16
    place = (float(across), float(rng.uniform(-3, 3)), 0.15 + 0.25 * abs(float(np.sin(moment * 4))))
    column, row, depth = view.project(np.array([place], np.float32))
    if depth[0] < 1:
        return
    size = view.focal * 0.22 / float(depth[0])
    turn = abs(float(np.sin(moment * 5)))
    _soft(frame, float(column[0]), float(row[0]), size * (0.4 + 0.6 * turn), size * (1 - 0.5 * turn),
          level=rng.uniform(120, 230), alpha=0.95)  # fmt: skip


def _flag(frame: Bytes, view: View, share: float, moment: float, rng: np.random.Generator) -> None:
    unit = view.height / 360
    left, top = rng.uniform(0.05, 0.85) * view.width, rng.uniform(0.02, 0.3) * view.height
    wide, tall = int(rng.uniform(30, 60) * unit), int(rng.uniform(20, 40) * unit)
    tint = np.array(rng.uniform(30, 220, 3), np.float32)
    columns = np.arange(wide, dtype=np.float32)[None, :]
    wave = np.sin(columns * 0.16 / unit - moment * 7) * columns / wide
    shade = 0.8 + 0.25 * np.cos(columns * 0.16 / unit - moment * 7) * columns / wide
    rows = np.arange(tall + 12, dtype=np.float32)[:, None] - 6 - 5 * unit * wave
    cover = np.clip(np.minimum(rows, tall - rows) + 0.5, 0, 1)[..., None]
    x, y = int(left), int(top)
    window = frame[y : y + tall + 12, x : x + wide]
    cover, shade = cover[: window.shape[0], : window.shape[1]], shade[:, : window.shape[1], None]
    mixed = window * (1 - cover) + tint * shade * cover
    window[...] = np.clip(mixed, _DARKEST, _BRIGHTEST).astype(np.uint8)
    _soft(frame, left - 1, top + tall, 1.5 * unit, tall, level=90.0, alpha=1.0)


def _headlights(frame: Bytes, view: View, share: float, moment: float, rng: np.random.Generator) -> None:
    """A car's beam sweeps over the ground; its lamps are seen where it comes towards the camera."""
    side = 1 if rng.random() < 0.5 else -1
    away = float(rng.uniform(-16, -7))
    across = float(view.position[0]) + side * (share - 0.5) * 70
    for ahead, wide, glow in ((5.0, 3.0, 70.0), (10.0, 5.0, 40.0)):
        column, row, depth = view.project(np.array([(across + side * ahead, away, 0.0)], np.float32))
        if depth[0] > 2:
            reach = view.focal * wide / float(depth[0])
            _soft(frame, float(column[0]), float(row[0]), reach * 1.5, reach * 0.5, level=glow, alpha=1.0, edge=1.0,
                  how="add")  # fmt: skip
    for aside in (-0.6, 0.6):
        column, row, depth = view.project(np.array([(across, away + aside, 0.65)], np.float32))
        if depth[0] > 2:
            size = view.focal * 0.25 / float(depth[0])
            _soft(frame, float(column[0]), float(row[0]), size, size, level=235.0, alpha=0.95, edge=0.8)
    _soft(frame, view.width * (0.5 + side * (share - 0.5)), view.height * 0.5, view.width * 0.5, view.height * 0.6,
          level=14.0, alpha=1.0, edge=1.0, how="add")  # fmt: skip


def _cloud(frame: Bytes, view: View, share: float, moment: float, rng: np.random.Generator) -> None:
    """The edge of a cloud's shadow wanders over the picture and back off."""
    side = 1 if rng.random() < 0.5 else -1
    middle = view.width * (0.5 + side * (share * 2.4 - 1.2))
    _soft(frame, middle, view.height * 0.75, view.width * 0.55, view.height * 0.6, level=0.62, alpha=1.0, edge=0.35,
          how="multiply")  # fmt: skip


def _soft(
    frame: Bytes,
    column: float,
    row: float,
    wide: float,
    tall: float,
    *,
    level: float,
    alpha: float,
    edge: float = 0.4,
    how: Literal["cover", "add", "multiply"] = "cover",
) -> None:
    """An ellipse of half axes `wide` and `tall` whose outer share `edge` fades."""
    height, width = frame.shape[:2]
    x0, x1 = max(0, int(column - wide) - 1), min(width, int(column + wide) + 2)
    y0, y1 = max(0, int(row - tall) - 1), min(height, int(row + tall) + 2)
    if x0 >= x1 or y0 >= y1:
        return
    across = (np.arange(x0, x1, dtype=np.float32)[None, :] - np.float32(column)) / np.float32(max(wide, 0.5))
    down = (np.arange(y0, y1, dtype=np.float32)[:, None] - np.float32(row)) / np.float32(max(tall, 0.5))
    cover = np.clip((1 - np.sqrt(across * across + down * down)) / np.float32(edge), 0, 1)[..., None]
    cover *= np.float32(alpha)
    window = frame[y0:y1, x0:x1]
    if how == "cover":
        mixed = window * (1 - cover) + cover * np.float32(level)
    elif how == "add":
        mixed = window + cover * np.float32(level)
    else:
        mixed = window * (1 - cover * np.float32(1 - level))
    window[...] = np.clip(mixed, _DARKEST, _BRIGHTEST).astype(np.uint8)


_DRAW = {
    "bird": _bird,
    "insect": _insect,
    "litter": _litter,
    "flag": _flag,
    "headlights": _headlights,
    "cloud": _cloud,
}
