"""Pictures that calibrate a network and others, of other times, that it is then compared on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import av
import av.error

from perishield.model.errors import ModelError
from perishield.vision.picture import Picture

if TYPE_CHECKING:
    from av import VideoFrame

_RUNS = 8
"""Pieces of time that calibrate and compare by turns."""
_WIDEST = 1280
"""Pixels; hundreds of pictures are held at once, and networks look at fewer."""


@dataclass(frozen=True, slots=True)
class Pictures:
    """`calibrate` and `compare` have no moment in common."""

    calibrate: list[Picture] = field(default_factory=list)
    compare: list[Picture] = field(default_factory=list)


def pictures_in(folder: Path, most: int) -> Pictures:
    """Up to about `most` pictures for each purpose, spread over the images and clips of a folder, or of one file.

    Of a clip the first half calibrates, and of the second half the end compares; images take turns by runs of
    neighbours. Raises ModelError (`model_quantize`).
    """
    files = sorted(path for path in folder.rglob("*") if path.is_file()) if folder.is_dir() else [folder]
    each = 2 * max(1, -(-most // max(1, len(files))))
    stills: list[Picture] = []
    found = Pictures()
    for file in files:
        try:
            pictures = list(_spread(file, each))
        except (av.error.FFmpegError, OSError):
            continue
        if len(pictures) == 1:
            stills += pictures
            continue
        middle = len(pictures) // 2
        # A picture next to the border would be the same scene a moment later.
        gap = 1 if len(pictures) >= 6 else 0
        found.calibrate.extend(pictures[:middle])
        found.compare.extend(pictures[middle + gap :])
    turns = by_turns(stills)
    found.calibrate.extend(turns.calibrate)
    found.compare.extend(turns.compare)
    if not found.calibrate or not found.compare:
        raise ModelError(
            f"{folder}: holds too few pictures or clips that can be read; two at least are needed, one to calibrate "
            "with and one to compare on",
            code="model_quantize",
        )
    return Pictures(_thinned(found.calibrate, most), _thinned(found.compare, most))


def by_turns(pictures: Sequence[Picture]) -> Pictures:
    """Pictures in order of time, cut into runs that calibrate and compare by turns."""
    runs = min(_RUNS, len(pictures))
    found = Pictures()
    for number in range(runs):
        run = pictures[len(pictures) * number // runs : len(pictures) * (number + 1) // runs]
        (found.compare if number % 2 else found.calibrate).extend(run)
    return found


def kept(frame: VideoFrame, name: str, number: int) -> Picture:
    """A picture to be held for long: in the one form that all take, no wider than 1280 pixels."""
    width, height = frame.width, frame.height
    if width > _WIDEST:
        width, height = _WIDEST, max(2, round(height * _WIDEST / width / 2) * 2)
    if (width, height) != (frame.width, frame.height) or frame.format.name != "yuv420p":
        frame = frame.reformat(width=width, height=height, format="yuv420p")
    return Picture(name, 1, number, 0.0, 0.0, True, frame)


def _thinned(pictures: Sequence[Picture], most: int) -> list[Picture]:
    if len(pictures) <= most:
        return list(pictures)
    return [pictures[index * len(pictures) // most] for index in range(most)]


def _spread(file: Path, most: int) -> Iterator[Picture]:
    with av.open(str(file)) as container:
        if not container.streams.video:
            return
        total = container.streams.video[0].frames or 1
        step = max(1, total // most)
        for index, frame in enumerate(container.decode(video=0)):
            if index % step == 0 and index // step < most:
                yield kept(frame, file.name, index)
