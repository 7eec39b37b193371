"""Wind in the trees, rain and sensor noise, prepared once so that a frame costs next to nothing."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from perishield.evaluation.scenes.background import Backdrop
from perishield.evaluation.scenes.camera import Array, Region, View
from perishield.evaluation.scenes.scene import Scene, Tree
from perishield.evaluation.scenes.texture import levels, tone

Bytes = NDArray[np.uint8]
_RAIN_LAYERS = 6
_LEAVES = 6000


class Sway:
    """A tree's patch of the picture through one period of its sway: finished bytes, ready to be copied in."""

    def __init__(self, region: Region, phases: list[Bytes]) -> None:
        self.region = region
        self._phases = phases

    def paint(self, frame: Bytes, index: int) -> None:
        x0, y0, x1, y1 = self.region
        frame[y0:y1, x0:x1] = self._phases[index % len(self._phases)]


def sways(scene: Scene, view: View, still: Backdrop) -> list[Sway]:
    """The moving trees of a scene, over what lies behind them. A tree's region must not overlap another's."""
    found = []
    for number, tree in enumerate(scene.trees):
        sway = _sway(scene, view, still, tree, np.random.default_rng(scene.seed * 100 + number))
        if sway is not None:
            found.append(sway)
    return found


def _sway(scene: Scene, view: View, still: Backdrop, tree: Tree, rng: np.random.Generator) -> Sway | None:
    column, top = view.pixel((tree.at[0], tree.at[1], tree.base + tree.height))
    _, low = view.pixel((tree.at[0], tree.at[1], tree.base))
    tall = low - top
    per_metre = tall / tree.height
    wide = tree.width * per_metre
    pad = int(2 + 1.4 * scene.weather.wind * per_metre)
    region = view.inside((int(column - wide / 2) - pad, int(top) - pad, int(column + wide / 2) + pad, int(low) + 3))
    x0, y0, x1, y1 = region
    if x1 - x0 < 4 or y1 - y0 < 4:
        return None
    colour, alpha = _crown(scene, tree, region, (column, top, low, wide), rng)
    steps = max(2, round(tree.period_s * scene.fps))
    rows = np.arange(y1 - y0, dtype=np.float32)[:, None] + y0
    columns = np.arange(x1 - x0, dtype=np.float32)[None, :] + x0
    up = np.clip((low - rows) / max(tall, 1), 0, 1)
    if tree.branch:
        up = np.clip((rows - top) / max(tall, 1), 0, 1)
    strength = np.float32(scene.weather.wind * per_metre) * up**1.4
    wave = columns * np.float32(5.5 / max(wide, 8)) + rows * np.float32(4.0 / max(tall, 8))
    behind = still.open_[y0:y1, x0:x1]
    bars, cover = still.fence[y0:y1, x0:x1], still.cover[y0:y1, x0:x1, None]
    if tree.branch or tree.at[1] > 0:
        behind = behind * (1 - cover) + bars
        bars, cover = np.zeros_like(bars), np.zeros_like(cover)
    phases = []
    for step in range(steps):
        turn = 2 * np.pi * step / steps
        shift = strength * (np.sin(turn) + 0.35 * np.sin(2 * turn + wave) + 0.2 * np.sin(3 * turn + 1.7 * wave))
        bounce = strength * np.float32(0.35) * np.sin(2 * turn + 1.3 * wave + 1)
        moved_colour, moved_alpha = _warped(colour, alpha, shift.astype(np.float32), bounce.astype(np.float32))
        mixed = behind * (1 - moved_alpha) + moved_colour
        phases.append(levels(mixed * (1 - cover) + bars, still.ceiling))
    return Sway(region, phases)


def _crown(
    scene: Scene, tree: Tree, region: Region, at: tuple[float, float, float, float], rng: np.random.Generator
) -> tuple[Array, Array]:
    """Premultiplied grey levels (h, w, 3) and cover (h, w, 1) of stem and leaves."""
    x0, y0, x1, y1 = region
    column, top, low, wide = at
    height, width = y1 - y0, x1 - x0
    tall = low - top
    colour, alpha = np.zeros((height, width, 3), np.float32), np.zeros((height, width, 1), np.float32)
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    bark = tone(
        np.array((0.05, 0.04, 0.03), np.float32) * np.float32(scene.light.exposure * (0.4 + scene.light.sky[0]))
    )
    stem = np.clip(wide * 0.035 * (0.4 + (rows + y0 - top) / tall) - np.abs(columns + x0 - column) + 0.5, 0, 1)
    stem *= (rows + y0 > top + tall * 0.2) & (not tree.branch)
    colour += stem[..., None] * bark
    alpha += stem[..., None]
    leaf = max(0.9, wide / 90)
    lamp = scene.light.lamp is not None
    light = np.array(scene.light.sky, np.float32) * np.float32(1.2)
    key = np.array(scene.light.key, np.float32) * np.float32(0.06 if lamp else 0.85)
    clumps = rng.normal(0, 1, (34, 3))
    clumps /= np.maximum(1, np.sqrt((clumps**2).sum(1, keepdims=True)) / 0.8)
    # On a small picture most leaves would fall on others.
    for _ in range(_LEAVES if scene.height >= 720 else min(_LEAVES, 300 + int(tall * wide / 4))):
        clump = clumps[rng.integers(len(clumps))]
        inner = rng.normal(0, 1, 3)
        spot = clump + inner * 0.15
        u = column + spot[0] * wide / 2 * 0.95 - x0
        v = top + tall * ((0.42 if not tree.branch else 0.4) + 0.38 * spot[1]) - y0
        radius = leaf * rng.uniform(0.6, 1.3)
        a, b = max(0, int(u - radius)), min(width, int(u + radius) + 2)
        c, d = max(0, int(v - radius)), min(height, int(v + radius) + 2)
        if a >= b or c >= d:
            continue
        open_ = np.clip(0.5 - 0.3 * spot[1] - 0.24 * inner[1], 0.06, 1) * rng.uniform(0.6, 1.25)
        tint = np.array(tree.colour, np.float32) * (light + key * np.float32(open_)) * np.float32(0.4 + open_)
        disc = np.clip(radius - np.hypot(rows[c:d, a:b] - v, (columns[c:d, a:b] - u) * 1.3) + 0.5, 0, 1)[..., None]
        colour[c:d, a:b] += disc * (tone(tint * np.float32(scene.light.exposure)) - colour[c:d, a:b])
        alpha[c:d, a:b] += disc * (1 - alpha[c:d, a:b])
    return colour, alpha


def _warped(colour: Array, alpha: Array, shift: Array, bounce: Array) -> tuple[Array, Array]:
    height, width = alpha.shape[:2]
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    y, x = np.clip(rows - bounce, 0, height - 1.001), np.clip(columns - shift, 0, width - 1.001)
    top, left = y.astype(np.int32), x.astype(np.int32)
    down, right = (y - top)[..., None], (x - left)[..., None]
    both = np.concatenate((colour, alpha), axis=2).reshape(-1, 4)
    start = top * width + left
    low = np.minimum(start + width, height * width - 1)
    upper = both[start] * (1 - right) + both[np.minimum(start + 1, height * width - 1)] * right
    lower = both[low] * (1 - right) + both[np.minimum(low + 1, height * width - 1)] * right
    mixed = upper * (1 - down) + lower * down
    return mixed[..., :3], mixed[..., 3:]


class Grain:
    """Sensor noise, the same amount in each frame and never the same grains twice in a row."""

    def __init__(self, scene: Scene) -> None:
        self._rng = np.random.default_rng(scene.seed + 7)
        strength = scene.weather.noise
        shape = (scene.height + 64, scene.width, 3)
        luma = self._rng.standard_normal((*shape[:2], 1), dtype=np.float32)
        # Cameras filter noise: neighbours along a row share some of it.
        luma[:, 1:] = 0.8 * luma[:, 1:] + 0.6 * luma[:, :-1]
        chroma = self._rng.standard_normal(shape, dtype=np.float32)
        grains = np.clip((luma * 0.85 + chroma * 0.5) * strength, -11, 11)
        self._grains = np.rint(grains).astype(np.int8).view(np.uint8)
        self._height = scene.height

    def add(self, frame: Bytes) -> None:
        """In place; bytes wrap round as two's complement, which is why frames keep off both ends."""
        start = int(self._rng.integers(0, 64))
        grains = self._grains[start : start + self._height]
        if self._rng.integers(2):
            grains = grains[:, ::-1]
        np.add(frame, grains, out=frame)


class Rain:
    """Streaks of near drops: a few pictures of them, shuffled and shifted, since no drop is seen twice."""

    def __init__(self, scene: Scene) -> None:
        self._rng = np.random.default_rng(scene.seed + 11)
        self._height = scene.height
        self._last = -1
        count = int(scene.weather.rain * scene.width * scene.height / 1e6)
        self._layers = [streaks(scene, self._rng, count) for _ in range(_RAIN_LAYERS if count else 0)]

    def add(self, frame: Bytes) -> None:
        if not self._layers:
            return
        pick = int(self._rng.integers(len(self._layers) - 1))
        self._last = pick if pick < self._last or self._last < 0 else pick + 1
        start = int(self._rng.integers(0, 96))
        np.add(frame, self._layers[self._last][start : start + self._height], out=frame)


def streaks(scene: Scene, rng: np.random.Generator, count: int) -> Bytes:
    """Streaks of `count` drops as grey levels to add: (height + 96, width, 3)."""
    width, height = scene.width, scene.height + 96
    unit = scene.height / 720
    length = rng.uniform(18, 60, count) * unit
    slant = rng.normal(0.12, 0.03, count)
    x, y = rng.uniform(0, width, count), rng.uniform(-60, height, count)
    bright = rng.gamma(2.0, 5.0, count).clip(3, 34)
    steps = int(64 * unit) + 2
    along = np.arange(steps)[:, None]
    rows = (y + along).astype(int)
    across = x - slant * along
    columns = np.floor(across).astype(int)
    level = bright * np.clip(np.minimum(along, length - along) / 6, 0, 1) * (along < length)
    canvas = np.zeros((height, width), np.float32)
    for step, share in ((0, 1 - (across - columns)), (1, across - columns)):
        valid = (rows >= 0) & (rows < height) & (columns + step >= 0) & (columns + step < width)
        np.maximum.at(canvas, (rows[valid], (columns + step)[valid]), (level * share)[valid].astype(np.float32))
    grey = np.clip(canvas, 0, 38).astype(np.uint8)
    return np.ascontiguousarray(np.repeat(grey[..., None], 3, axis=2))
