"""A scene as a clip: H.264 in MP4, as a camera would have sent it, with its truth beside it."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path

from perishield.evaluation.scenes.scene import Scene
from perishield.evaluation.scenes.truth import Climb, FrameTruth, Truth, climbs, load, save
from perishield.model.errors import DatasetError

RENDERER = 3
"""Raise it whenever the same scene data would give another picture, so that kept clips are rendered anew."""

Progress = Callable[[float], None]


@dataclass(frozen=True, slots=True)
class Clip:
    """A rendered scene on disk. `climbs` are those of one loop."""

    scene: str
    video: Path
    truth: Path
    climbs: tuple[Climb, ...]


def render(scene: Scene, out: Path, *, progress: Progress | None = None) -> Truth:
    """Write `out` (MP4) and its truth (same name, .json); both appear only when whole.

    H.264 without B-frames, a key frame every 2 s, about 1.5 Mbit/s at 1280 x 720. `progress` gets shares 0..1.
    """
    # PyAV and numpy are heavy: whoever only wants the demo's scenes and rules does without them.
    import av

    from perishield.evaluation.scenes.compose import frames

    out.parent.mkdir(parents=True, exist_ok=True)
    draft = out.with_name(f".{out.stem}.{os.getpid()}.part")
    seen: list[FrameTruth] = []
    total = scene.frame_count
    rate = int(1_600_000 * (scene.width * scene.height / (1280 * 720)) ** 0.75)
    try:
        with av.open(str(draft), "w", format="mp4", options={"movflags": "faststart"}) as container:
            stream = container.add_stream("libx264", rate=scene.fps)
            stream.width, stream.height, stream.pix_fmt = scene.width, scene.height, "yuv420p"
            stream.time_base = Fraction(1, scene.fps)
            stream.bit_rate = rate
            stream.gop_size = 2 * scene.fps
            stream.max_b_frames = 0
            stream.codec_context.thread_count = 1
            stream.options = {
                "preset": "veryfast",
                "tune": "zerolatency",
                "x264-params": f"scenecut=0:keyint={2 * scene.fps}:min-keyint={2 * scene.fps}:bframes=0"
                f":vbv-maxrate={rate * 3 // 2000}:vbv-bufsize={rate * 3 // 1000}",
            }
            for picture, truth in frames(scene):
                frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
                frame.pts = truth.index
                frame.time_base = Fraction(1, scene.fps)
                container.mux(stream.encode(frame))
                seen.append(truth)
                if progress is not None:
                    progress((truth.index + 1) / total)
            container.mux(stream.encode(None))
        whole = Truth(
            scene=scene.name,
            title=scene.title,
            width=scene.width,
            height=scene.height,
            fps=scene.fps,
            seconds=scene.seconds,
            frames=tuple(seen),
            climbs=climbs(scene),
            rules=scene.rules,
        )
        save(whole, out.with_suffix(".json"))
        draft.replace(out)
    finally:
        draft.unlink(missing_ok=True)
    return whole


def fingerprint(scene: Scene) -> str:
    """A hash of all that decides how the clip looks."""
    data = json.dumps({"renderer": RENDERER, "scene": asdict(scene)}, sort_keys=True)
    return hashlib.sha256(data.encode()).hexdigest()[:16]


def cached(scene: Scene, folder: Path, progress: Progress | None = None) -> Clip:
    """The scene's clip in `folder`, rendered only when there is none of exactly this scene; older ones are removed."""
    video = folder / f"{scene.name}-{fingerprint(scene)}.mp4"
    sidecar = video.with_suffix(".json")
    if video.exists() and sidecar.exists():
        try:
            kept = load(sidecar)
        except DatasetError:
            sidecar.unlink()
        else:
            if progress is not None:
                progress(1.0)
            return Clip(scene.name, video, sidecar, kept.climbs)
    truth = render(scene, video, progress=progress)
    for old in folder.glob(f"{scene.name}-????????????????.*"):
        if old.stem != video.stem and old.suffix in (".mp4", ".json"):
            old.unlink()
    return Clip(scene.name, video, sidecar, truth.climbs)
