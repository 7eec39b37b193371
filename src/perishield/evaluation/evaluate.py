"""A labelled set through the pipeline: decoder, detector, tracker, rules, scorer.

Lines become tripwires that count in both directions, zones count entering and leaving, for people only (or for
everything that moves with the detector `motion`, which cannot tell). A track counts from the camera's default least
score on.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from perishield.evaluation import score_figures
from perishield.evaluation.dataset import LabelledClip, read_dataset
from perishield.evaluation.score_figures import finding_out
from perishield.evaluation.scorer import Score, score
from perishield.model.errors import DatasetError
from perishield.model.site import Analysis

MOST_FPS = 15.0
"""Pictures a second that the detector sees unless told otherwise, where every frame is decoded."""
VERSION = 2
"""Of the result's form: 2 added intervals, time to alarm and the figures by type, rule and label."""

Progress = Callable[[float], None]


def evaluate(
    dataset: Path,
    detector: str,
    *,
    models_dir: Path | None = None,
    fps: float | None = None,
    pipeline: str = "every",
    pieces: int = 0,
    keep_going: bool = False,
    on_clip: Callable[[Any, Score], None] | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Run every clip of `dataset` and score it; plain data for JSON.

    `detector`: an ONNX file, the name of one in `models_dir`, `motion`, or `auto` (see `choose_detector`).
    `fps`: pictures a second to look at. `pipeline`: `every` frame decoded, or the `full` one with its gate (see
    `clip_run`). `pieces`: of a picture that are looked at again (`[vision] pieces`). `keep_going`: a clip that cannot
    be read is told of under `failed` instead of ending the run.
    `on_clip` gets each clip's `ClipRun`, with all that was seen, and its score.
    `progress` is told the share that is done. Raises DatasetError, ModelError.
    """
    clips = read_dataset(dataset, missing_ok=keep_going)
    # Imported here: a dataset that cannot be read should say so without waiting for the detectors.
    from perishield.evaluation.clip_run import PIPELINES, ClipRun
    from perishield.vision.crops import with_pieces
    from perishield.vision.model_store import choose_detector

    way = next((known for known in PIPELINES if known == pipeline), None)
    if way is None:
        raise DatasetError(f"pipeline {pipeline!r}: use one of {', '.join(PIPELINES)}", file="", field="pipeline")
    eyes = with_pieces(choose_detector(detector, models_dir or Path()), pieces)
    pace = fps or (MOST_FPS if way == "every" else Analysis().fps)
    total = sum(max(clip.frames, 1) for clip in clips)
    done = 0
    scores: list[tuple[str, Score, float]] = []
    rows: list[dict[str, Any]] = []
    failed: list[dict[str, str]] = []
    for clip in clips:
        run = ClipRun(clip, eyes, pace, way, keep=on_clip is not None)
        try:
            for frames in run.steps():
                if progress is not None:
                    progress(min((done + min(frames, max(clip.frames, 1))) / total, 1.0))
        except DatasetError as error:
            if not keep_going:
                raise
            failed.append({"file": clip.file, "error": error.message})
            continue
        finally:
            done += max(clip.frames, 1)
        result = score(clip, run.found)
        scores.append((clip.file, result, run.seconds if _is_scored(clip) else 0.0))
        rows.append({**_row(clip, result, scores[-1][2]), **_effort(run.frames, run.analysed, run.seconds, run.cpu_s)})
        rows[-1]["held_back"] = run.held_back
        rows[-1]["warnings"] = run.warnings
        if on_clip is not None:
            on_clip(run, result)
    if progress is not None:
        progress(1.0)
    whole = sum((one for _, one, _ in scores), Score())
    frames, analysed = sum(row["frames"] for row in rows), sum(row["analysed"] for row in rows)
    seconds, cpu_s = sum(row["seconds"] for row in rows), sum(row["cpu_s"] for row in rows)
    return {
        "version": VERSION,
        "dataset": str(dataset),
        "detector": eyes.model or eyes.name,
        "fps": pace,
        "pipeline": way,
        "pieces": getattr(eyes, "most", 0),
        **score_figures.figures(whole, sum(scored_s for _, _, scored_s in scores)),
        **_effort(frames, analysed, seconds, cpu_s),
        "by_type": score_figures.by_type(scores),
        "by_rule": score_figures.by_rule(scores),
        "by_label": score_figures.by_label(whole),
        "clips": rows,
        "failed": failed,
    }


def _is_scored(clip: LabelledClip) -> bool:
    return clip.events is not None or clip.expect_no_person_events


def _row(clip: LabelledClip, result: Score, scored_s: float) -> dict[str, Any]:
    return {
        "file": clip.file,
        "labelled": clip.events is not None,
        **score_figures.figures(result, scored_s),
        "found_events": [
            {
                **finding_out(found),
                "truth_t": truth.time_s,
                "dt": round(found.time_s - truth.time_s, 3),
                "delay_s": None if found.raised_s is None else round(found.raised_s - truth.time_s, 3),
            }
            for truth, found in result.pairs
        ],
        "missed_events": [
            {"rule": truth.rule, "type": truth.type, "direction": truth.direction, "t": truth.time_s}
            for truth in result.missed
        ],
        "false_events": [finding_out(found) for found in result.false],
        "unscored_events": [finding_out(found) for found in result.unscored],
    }


def _effort(frames: int, analysed: int, seconds: float, cpu_s: float) -> dict[str, Any]:
    return {
        "frames": frames,
        "analysed": analysed,
        "seconds": round(seconds, 3),
        "cpu_s": round(cpu_s, 3),
        "cpu_ms_per_frame": round(cpu_s * 1000 / frames, 3) if frames else 0.0,
    }
