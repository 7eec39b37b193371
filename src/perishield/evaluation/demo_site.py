"""The demo site: rendered cameras with their rules and their truth, ready to be served."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from perishield.evaluation.demo_score import SceneTimeline
from perishield.evaluation.scenes import cached_all, demo_scenes, fingerprint
from perishield.model.rules import rule_to_dict

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
            SceneTimeline(name, times["started"], times["length_s"], self.climbs[name])
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


def camera_ids() -> list[str]:
    """Names of the demo's cameras, which are those of its scenes."""
    return [scene.name for scene in demo_scenes()]


def rendered(folder: Path) -> bool:
    """True where every clip lies in `folder` already."""
    return all((folder / f"{scene.name}-{fingerprint(scene)}.mp4").exists() for scene in demo_scenes())


def build(folder: Path, port: int, progress: Mapping[str, Advance]) -> DemoSite:
    """Render what is not rendered yet, in as many processes as there are cores; `progress` by camera id."""
    scenes = demo_scenes()
    clips = cached_all(scenes, folder, lambda name, share: progress[name](share))
    cameras = [
        {"id": scene.name, "name": scene.title, "url": f"rtsp://127.0.0.1:{port}/{scene.name}"} for scene in scenes
    ]
    rules = [rule_to_dict(replace(rule, camera=scene.name)) for scene in scenes for rule in scene.rules]
    return DemoSite(
        clips={clip.scene: clip.video for clip in clips},
        port=port,
        cameras=cameras,
        rules=rules,
        climbs={clip.scene: tuple((climb.start_s, climb.end_s) for climb in clip.climbs) for clip in clips},
    )
