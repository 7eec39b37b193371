"""`python -m perishield.evaluation.scenes --out DIR [--scene NAME]`: render the demo site's clips."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from perishield.evaluation.scenes.demo import demo_scenes
from perishield.evaluation.scenes.together import cached_all


def main() -> int:
    scenes = demo_scenes()
    names = [scene.name for scene in scenes]
    parser = argparse.ArgumentParser(prog="perishield.evaluation.scenes", description="Render the demo site's clips.")
    parser.add_argument("--out", type=Path, required=True, help="folder for the clips and their truth")
    parser.add_argument("--scene", choices=names, help="only this one")
    options = parser.parse_args()
    chosen = [scene for scene in scenes if options.scene in (None, scene.name)]
    console = Console(stderr=True)
    begun = time.monotonic()
    columns = (
        TextColumn("{task.description:14}"),
        BarColumn(),
        TextColumn("{task.percentage:3.0f} %"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as bars:
        tasks = {scene.name: bars.add_task(scene.title, total=1.0) for scene in chosen}
        clips = cached_all(chosen, options.out, lambda name, share: bars.update(tasks[name], completed=share))
    for clip in clips:
        console.print(f"{clip.video}  {clip.video.stat().st_size / 1e6:.1f} MB, {len(clip.climbs)} climbs")
    console.print(f"{time.monotonic() - begun:.1f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
