"""`perishield bench track --sensitivity`: how the tracker's figures move with its settings and the rate of pictures.

One setting is changed at a time, at each rate. A slower rate is the same sequence with pictures left out, truth and
detections alike, so that what differs is what lies between two pictures and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from perishield.evaluation.bench_track import FPS, Clip, Progress, follow, ours, read
from perishield.evaluation.process_usage import machine

EVERY = (1, 2, 4)
"""Every so many pictures of a sequence: 25, 12.5 and 6.25 a second."""
SEQUENCES = ("campus", "stadtmitte", "10", "50", "100")
SETTINGS: dict[str, tuple[float, ...]] = {
    "high": (0.25, 0.5, 0.6),
    "match_sure": (0.1, 0.3, 0.4),
    "match_unsure": (0.3, 0.7),
    "lost_s": (0.5, 1.0, 4.0),
    "tentative_s": (0.04, 0.5, 1.0),
}
"""`high`: score from which a detection is sure (it goes along with `new`, which begins a track). `match_sure` and
`match_unsure`: least overlap. `lost_s`: seconds out of sight. `tentative_s`: the same for
tracks of one or two detections, which are not settled yet.
Values beside the tracker's own."""


def run(
    folder: Path,
    *,
    sequences: Sequence[str] = SEQUENCES,
    every: Sequence[int] = EVERY,
    settings: Mapping[str, Sequence[float]] = SETTINGS,
    progress: Progress = lambda _: None,
) -> dict[str, Any]:
    """A row for each rate, setting and value, the first of each rate with the tracker's own settings.

    Raises DatasetError where a sequence is missing or cannot be read.
    """
    clips = {name: read(folder, name) for name in sequences}
    todo = [(step, *change) for step in every for change in _changes(settings)]
    rows = []
    for number, (step, setting, value) in enumerate(todo):
        rate = FPS / step
        row: dict[str, Any] = {"fps": rate, "setting": setting or "as they are", "value": value}
        for name, clip in clips.items():
            found = follow(ours(rate, **_told(setting, value)), thinned(clip, step), rate)
            row |= {
                f"idf1_{name}": round(100 * found.idf1, 1),
                f"hota_{name}": round(100 * found.hota, 1),
                f"id_switches_{name}": found.switches,
            }
        rows.append(row)
        progress((number + 1) / len(todo))
    return {"sequences": list(sequences), "rows": rows, "machine": machine()}


def thinned(clip: Clip, every: int) -> Clip:
    """Each `every`-th picture, the last one of each so many: what a slower camera would have sent."""
    return Clip(clip.truth[every - 1 :: every], clip.detections[every - 1 :: every])


def _changes(settings: Mapping[str, Sequence[float]]) -> Iterator[tuple[str, float | None]]:
    yield "", None
    for setting, values in settings.items():
        for value in values:
            yield setting, value


def _told(setting: str, value: float | None) -> dict[str, float]:
    if value is None:
        return {}
    return {"high": value, "new": value} if setting == "high" else {setting: value}
