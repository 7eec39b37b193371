"""The demo site: rendered cameras with their rules and their truth, ready to be served."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from perishield.evaluation.demo_score import SceneTimeline

CAMERA_PREFIX = "demo-"

Advance = Callable[[float], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoSite:
    """Clips to serve over RTSP on `port`, and what goes into an empty database.

    `climbs`: per clip, when somebody comes over the fence, as (start, end) in seconds of the clip.
    """

    clips: Mapping[str, Path]
    port: int
    cameras: Sequence[Mapping[str, Any]]
    rules: Sequence[Mapping[str, Any]]
    climbs: Mapping[str, tuple[tuple[float, float], ...]]

    def timelines(self, served: Mapping[str, Mapping[str, float]]) -> list[SceneTimeline]:
        """Truth on the clock, from the timeline file of the process that serves the clips."""
        return [
            SceneTimeline(CAMERA_PREFIX + name, times["started"], times["length_s"], self.climbs[name])
            for name, times in served.items()
        ]


def clip_folder(data_dir: Path) -> Path:
    """Where rendered clips are kept between runs: the user's cache, or the data folder where there is no home."""
    cache = os.environ.get("XDG_CACHE_HOME") or (f"{os.environ['HOME']}/.cache" if os.environ.get("HOME") else "")
    if cache:
        folder = Path(cache) / "perishield" / "demo"
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError:
            return data_dir / "demo"
        if os.access(folder, os.W_OK):
            return folder
    return data_dir / "demo"
