"""A small clip in which something body-sized walks from left to right and is gone again, over and over."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np

WIDTH, HEIGHT, FPS, SECONDS = 640, 360, 10, 10
WALKS = (1.0, 7.0)
"""From when to when of each loop the walker is in the picture."""


def make_clip(path: Path, codec: str = "libx264") -> Path:
    rng = np.random.default_rng(7)
    ground = rng.integers(90, 120, (HEIGHT // 8, WIDTH // 8, 3), dtype=np.uint8).repeat(8, 0).repeat(8, 1)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=FPS)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.options = {"preset": "ultrafast", "tune": "zerolatency", "g": str(FPS * 2), "bf": "0"}
        for number in range(FPS * SECONDS):
            picture = ground.astype(np.int16) + rng.integers(-3, 4, ground.shape, dtype=np.int16)
            t = number / FPS
            if WALKS[0] <= t <= WALKS[1]:
                x = int((t - WALKS[0]) / (WALKS[1] - WALKS[0]) * (WIDTH + 80)) - 60
                left, right = max(0, x), min(WIDTH, x + 50)
                if right > left:
                    picture[150:190, left:right] = (200, 160, 140)
                    picture[190:250, left:right] = (30, 40, 160)
                    picture[250:310, left:right] = (40, 40, 40)
            frame = av.VideoFrame.from_ndarray(picture.clip(0, 255).astype(np.uint8), format="rgb24")
            for packet in stream.encode(frame):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
    return path
