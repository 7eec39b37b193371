"""`perishield bench gate`: what footage costs with the gate, over the same with every picture decoded.

Quiet footage is the demo site's scenes without people, under two ways of rate control; a rendered minute is looped,
packets and all. The labelled set says whether an event is lost. Laying the footage down is the recorder's work and not
counted; all else is, from chunk reference to event.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from perishield.evaluation.clip_run import finding_of, rules_of
from perishield.evaluation.dataset import LabelledClip, read_dataset
from perishield.evaluation.footage_run import Watched, lay_down, looped, watch
from perishield.evaluation.process_usage import machine
from perishield.evaluation.quiet_footage import render_quiet
from perishield.evaluation.scenes import demo_scenes
from perishield.evaluation.scorer import Score, score
from perishield.evaluation.texture_clip import read_packets
from perishield.model.media import TIMESCALE, ChunkRef
from perishield.vision.crops import with_pieces
from perishield.vision.detector import Detector
from perishield.vision.model_store import choose_detector

START = 1_700_000_000.0
_RENDERED_S = 30.0
_LATER_S = 0.5
"""Beyond a label's tolerance: an event told on another picture, since the gate chose others, is not a lost one."""

Progress = Callable[[float], None]


def run(
    dataset: Path | None,
    detector: str,
    models_dir: Path,
    *,
    minutes: float = 10.0,
    fps: float = 6.0,
    pieces: int = 0,
    progress: Progress = lambda _: None,
) -> dict[str, Any]:
    """Figures of quiet footage and, with a `dataset`, of its clips. Raises DatasetError, ModelError.

    `pieces`: of a picture that are looked at again (`[vision] pieces`).
    """
    clips = read_dataset(dataset) if dataset is not None else []
    eyes = with_pieces(choose_detector(detector, models_dir), pieces)
    with tempfile.TemporaryDirectory(prefix="perishield-bench-") as name:
        folder = Path(name)
        quiet = _quiet(folder, eyes, minutes, fps, progress)
        rows, total = [], Score()
        kept, in_time, gated, full = 0, 0, Watched(), Watched()
        for index, clip in enumerate(clips):
            video, packets = read_packets(clip.path, wall=START)
            refs = lay_down(video, packets, folder, f"clip-{index}")
            seen = {on: _clip(clip, refs, eyes, folder, fps, gated=on) for on in (True, False)}
            with_gate, without = seen[True], seen[False]
            found = {(truth.rule, truth.time_s) for truth, _ in without[1].pairs}
            still = {(truth.rule, truth.time_s) for truth, _ in with_gate[2].pairs}
            in_time += sum((truth.rule, truth.time_s) in found for truth, _ in with_gate[1].pairs)
            kept += len(found & still)
            total += without[1]
            gated, full = _sum(gated, with_gate[0]), _sum(full, without[0])
            rows.append(
                {
                    "file": clip.file,
                    **_pair(with_gate[0], without[0]),
                    "events": len(found),
                    "events_kept": len(found & still),
                    "false_full": len(without[1].false),
                    "false_gated": len(with_gate[1].false),
                }
            )
            progress(0.6 + 0.4 * (index + 1) / len(clips))
    return {
        "detector": eyes.model or eyes.name,
        "pieces": pieces,
        "fps": fps,
        "minutes_quiet": minutes,
        "cpu_ratio_quiet": max(row["cpu_ratio"] for row in quiet) if quiet else None,
        "cpu_ratio_devset": round(gated.cpu_s / full.cpu_s, 4) if full.cpu_s else None,
        "labelled": total.events,
        "events": len(total.pairs),
        "events_kept": kept,
        "events_kept_within_tolerance": in_time,
        "bar_cpu_ratio_quiet": 0.25,
        "quiet": quiet,
        "clips": rows,
        "machine": machine(),
    }


def _quiet(folder: Path, eyes: Detector, minutes: float, fps: float, progress: Progress) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    if minutes <= 0:
        return rows
    rules = {scene.name: scene.rules for scene in demo_scenes()}
    clips = render_quiet(folder, seconds=min(_RENDERED_S, minutes * 60))
    progress(0.2)
    for index, clip in enumerate(clips):
        video, packets = read_packets(clip.path, wall=START)
        refs = lay_down(video, looped(packets, minutes * 60), folder / clip.path.stem, clip.scene)
        bitrate = sum(sum(ref.sizes) for ref in refs) * 8 / (minutes * 60)
        seen = [
            watch(refs, rules[clip.scene], eyes, folder / clip.path.stem, fps=fps, gated=gated)
            for gated in (True, False)
        ]
        rows.append(
            {
                "scene": clip.scene,
                "rate": clip.rate,
                "kbit_s": round(bitrate / 1000),
                **_pair(*seen),
                "false_events_gated": len(seen[0].events),
                "false_events_full": len(seen[1].events),
            }
        )
        progress(0.2 + 0.4 * (index + 1) / len(clips))
    return rows


def _clip(
    clip: LabelledClip, refs: Sequence[ChunkRef], eyes: Detector, media: Path, fps: float, *, gated: bool
) -> tuple[Watched, Score, Score]:
    rules = [replace(rule, camera=refs[0].camera) for rule in rules_of(clip)]
    seen = watch(refs, rules, eyes, media, fps=fps, gated=gated)
    # Labels count from the first picture shown; wall-clock time jitters where pictures are reordered.
    first = refs[0].stream_time + (refs[0].composition[0] if refs[0].composition else 0)
    events = [replace(event, wall=(event.stream_time - first) / TIMESCALE) for event in seen.events]
    found = [finding_of(clip, event) for event in events]
    truths = [replace(truth, tolerance_s=truth.tolerance_s + _LATER_S) for truth in clip.events or ()]
    return seen, score(clip, found), score(replace(clip, events=tuple(truths)), found)


def _pair(gated: Watched, full: Watched) -> dict[str, Any]:
    return {
        "seconds": round(full.seconds, 1),
        "cpu_ratio": round(gated.cpu_s / full.cpu_s, 4),
        "cpu_s_gated": round(gated.cpu_s, 3),
        "cpu_s_full": round(full.cpu_s, 3),
        "pictures_gated": gated.pictures,
        "pictures_full": full.pictures,
        "units_gated": gated.units,
        "units_full": full.units,
        "open_share": round(gated.open_s / gated.seconds, 4) if gated.seconds else 0.0,
        "reasons": dict(gated.reasons),
    }


def _sum(one: Watched, other: Watched) -> Watched:
    return Watched(cpu_s=one.cpu_s + other.cpu_s, seconds=one.seconds + other.seconds)
