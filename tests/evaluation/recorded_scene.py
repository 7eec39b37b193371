"""A walker in a rendered scene, recorded as a camera's segments, with the truth of where he was when."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from perishield.evaluation.scenes import Scene, Truth, demo_scenes, render
from perishield.evaluation.texture_clip import read_packets
from perishield.model.media import TIMESCALE, Packet, SegmentRow
from perishield.streams.chunker import Chunker
from perishield.streams.segments import MediaRoot, SegmentWriter

WALL = 1_790_000_000.0


def walker_scene() -> Scene:
    """The north fence, small and without its other people: somebody passes along it from second 1 on."""
    north = demo_scenes()[0]
    (walker,) = (actor for actor in north.actors if actor.name == "walker")
    return replace(
        north,
        name="walker",
        width=480,
        height=270,
        fps=10,
        seconds=16.0,
        actors=(replace(walker, start_s=1.0),),
        trees=(),
    )


def record(media: Path, clip: Path, camera: str, wall: float = WALL, epoch: int = 3) -> list[SegmentRow]:
    """The clip as that camera's segments of four seconds, from `wall` on."""
    rows: list[SegmentRow] = []
    video, packets = read_packets(clip)
    writer = SegmentWriter(MediaRoot(media), camera, "recordings", 4.0, rows.append, lambda _: None)
    chunker = Chunker(camera, epoch, writer, lambda _: None)
    chunker.format(video)
    for packet in packets:
        moment = wall + packet.dts / TIMESCALE
        chunker.packet(Packet(packet.data, packet.size, packet.dts, packet.pts, packet.key, moment, moment))
    chunker.close()
    return rows


@dataclass(frozen=True)
class Crossing:
    """Where to draw an upright line (share of the width), and the second at which the walker's foot is there."""

    x: float
    time_s: float
    direction: str


def crossing(truth: Truth) -> Crossing:
    """Halfway of the walk, from the truth alone."""
    feet = [(frame.time_s, frame.actors[0].foot[0] / truth.width) for frame in truth.frames if frame.actors]
    inside = [(time_s, x) for time_s, x in feet if 0.05 < x < 0.95]
    time_s, x = inside[len(inside) // 2]
    rightwards = inside[-1][1] > inside[0][1]
    # The line is drawn downwards: who walks to the right of the screen comes from its right side.
    return Crossing(x, time_s, "right_to_left" if rightwards else "left_to_right")


def rendered(folder: Path) -> tuple[Path, Truth]:
    path = folder / "walker.mp4"
    return path, render(walker_scene(), path)
