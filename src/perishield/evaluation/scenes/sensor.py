"""From a clean picture to what a cheap camera sends: light that drifts, falling drops and flakes, noise, compression.

Everything is a function of scene and moment: any frame can be had by itself, and is the same whenever it is asked for.
"""

from __future__ import annotations

import numpy as np
import simplejpeg
from numpy.typing import NDArray

from perishield.evaluation.scenes.scene import Scene
from perishield.evaluation.scenes.weather import streaks

Bytes = NDArray[np.uint8]
_SPARE = 64
_LAYERS = 5


class Sensor:
    """One camera's image formation. `infrared`: no colour. `quality`: of the JPEG that stands for its codec."""

    def __init__(self, scene: Scene, *, infrared: bool, quality: int, drift: float) -> None:
        rng = np.random.default_rng(scene.seed + 7)
        shape = (scene.height + _SPARE, scene.width)
        luma = rng.standard_normal(shape, dtype=np.float32)
        luma[:, 1:] = 0.8 * luma[:, 1:] + 0.6 * luma[:, :-1]
        grains = np.rint(np.clip(luma * scene.weather.noise, -11, 11)).astype(np.int8).view(np.uint8)
        self._grains = np.repeat(grains[..., None], 3, axis=2)
        self._height = scene.height
        self._infrared = infrared
        self._quality = quality
        self._drift = drift
        self._seed = scene.seed
        megapixels = scene.width * scene.height / 1e6
        self._falling = [streaks(scene, rng, int(scene.weather.rain * megapixels)) for _ in range(_LAYERS)]
        self._falling = self._falling if scene.weather.rain else []
        if scene.weather.snow:
            self._falling = [_flakes(scene, rng, int(scene.weather.snow * megapixels)) for _ in range(_LAYERS)]
        self._ceiling = 205 if self._falling else 240

    def expose(self, frame: Bytes, moment: float) -> Bytes:
        """The picture as it arrives; `frame` (h, w, 3) is used up."""
        chance = np.random.default_rng((self._seed, round(moment * 1000)))
        if self._infrared:
            frame[...] = frame[..., 1:2]
        if self._drift:
            gain = 1 + self._drift * np.sin(moment / 47 + self._seed) * np.sin(moment / 171 + 2)
            table = np.clip(np.arange(256) * gain, 12, self._ceiling).astype(np.uint8)
            frame = table[frame]
        if self._falling:
            layer = self._falling[int(chance.integers(len(self._falling)))]
            start = int(chance.integers(0, _SPARE))
            np.minimum(frame, np.uint8(205), out=frame)
            frame += layer[start : start + self._height]
        start = int(chance.integers(0, _SPARE))
        grains = self._grains[start : start + self._height]
        # Bytes wrap round as two's complement; frames keep so far off both ends that noise does not.
        frame += grains[:, ::-1] if chance.integers(2) else grains
        packed = simplejpeg.encode_jpeg(np.ascontiguousarray(frame), quality=self._quality, colorsubsampling="420")
        return np.asarray(simplejpeg.decode_jpeg(packed, fastdct=True), np.uint8)


def _flakes(scene: Scene, rng: np.random.Generator, count: int) -> Bytes:
    """Flakes at all depths: many small and faint, few large and blurred."""
    height, width = scene.height + _SPARE, scene.width
    canvas = np.zeros((height, width), np.float32)
    unit = scene.height / 360
    for size in np.minimum(rng.gamma(1.6, 0.7, count), 6) * unit:
        u, v = rng.uniform(0, width), rng.uniform(0, height)
        x0, x1, y0, y1 = (
            max(0, int(u - size - 1)),
            int(u + size + 2),
            max(0, int(v - size * 1.6 - 1)),
            int(v + size * 2),
        )
        window = canvas[y0:y1, x0:x1]
        rows = np.arange(y0, y0 + window.shape[0], dtype=np.float32)[:, None] - np.float32(v)
        columns = np.arange(x0, x0 + window.shape[1], dtype=np.float32)[None, :] - np.float32(u)
        disc = np.clip(size + 0.6 - np.hypot(columns, rows / 1.5), 0, 1) * rng.uniform(12, 38)
        np.maximum(window, disc, out=window)
    return np.repeat(np.clip(canvas, 0, 38).astype(np.uint8)[..., None], 3, axis=2)
