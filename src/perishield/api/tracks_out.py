"""What is followed in a picture, as it goes to viewers."""

from __future__ import annotations

from typing_extensions import TypedDict

from perishield.api.times import iso
from perishield.model.media import TIMESCALE
from perishield.model.vision import TrackFrame


class TrackOut(TypedDict):
    id: int
    label: str
    score: float
    box: list[float]
    seen: bool


class TracksOut(TypedDict):
    camera: str
    epoch: int
    stream_time_s: float
    wall: str
    width: int
    height: int
    gate_open: bool
    detector: str
    tracks: list[TrackOut]


def tracks_out(frame: TrackFrame) -> TracksOut:
    """Boxes leave as shares of the picture."""
    width, height = max(frame.width, 1), max(frame.height, 1)
    return {
        "camera": frame.camera,
        "epoch": frame.epoch,
        "stream_time_s": frame.stream_time / TIMESCALE,
        "wall": iso(frame.wall),
        "width": frame.width,
        "height": frame.height,
        "gate_open": frame.gate_open,
        "detector": frame.detector,
        "tracks": [
            {
                "id": track.id,
                "label": track.label,
                "score": round(track.score, 3),
                "box": [
                    round(track.box[0] / width, 5),
                    round(track.box[1] / height, 5),
                    round(track.box[2] / width, 5),
                    round(track.box[3] / height, 5),
                ],
                "seen": track.seen,
            }
            for track in frame.tracks
        ],
    }
