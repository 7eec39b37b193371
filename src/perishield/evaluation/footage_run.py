"""Footage through the node's own way in one process: chunker, segment files, chunk references, gate, decoder,
detector, tracker, rules."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from perishield.analysis.outfit import instruct, outfit
from perishield.analysis.pipeline import CameraPipeline
from perishield.evaluation.replay import unset_camera
from perishield.model.alarms import Event
from perishield.model.errors import StorageError
from perishield.model.media import TIMESCALE, ChunkRef, Packet, VideoFormat
from perishield.model.rules import Rule
from perishield.model.vision import TrackFrame
from perishield.rules.engine import RuleEngine
from perishield.streams.chunker import Chunker
from perishield.streams.segments import MediaRoot, SegmentWriter
from perishield.vision.crops import draw_rules
from perishield.vision.gate import Gate
from perishield.vision.watch import CameraWatch

if TYPE_CHECKING:
    from perishield.vision.detector import Detector

ALWAYS_S = 1e9
"""A warm-up that never ends: such a gate stays open."""


@dataclass(slots=True)
class Watched:
    """What became of footage. `cpu_s`: processor time from chunk reference to event. `seconds`: of video."""

    events: list[Event] = field(default_factory=list)
    cpu_s: float = 0.0
    seconds: float = 0.0
    pictures: int = 0
    units: int = 0
    corrupt: int = 0
    open_s: float = 0.0
    reasons: Counter[str] = field(default_factory=Counter)


def lay_down(video: VideoFormat, packets: Iterable[Packet], media: Path, camera: str) -> list[ChunkRef]:
    """Packets cut into chunks and written as the recorder does. Raises StorageError where they cannot be."""
    refs: list[ChunkRef] = []
    faults: list[StorageError | None] = []
    writer = SegmentWriter(MediaRoot(media), camera, "recordings", 10.0, lambda row: None, faults.append)
    chunker = Chunker(camera, 1, writer, refs.append)
    chunker.format(video)
    for packet in packets:
        chunker.packet(packet)
    chunker.close()
    for fault in faults:
        if fault is not None:
            raise fault
    return refs


def looped(packets: Sequence[Packet], seconds: float) -> Iterator[Packet]:
    """The packets over and over until so many seconds are full; the first must be a key frame."""
    length = packets[-1].dts - packets[0].dts + (packets[1].dts - packets[0].dts)
    for turn in range(max(1, round(seconds * TIMESCALE / length))):
        shift = turn * length
        later = shift / TIMESCALE
        for one in packets:
            yield Packet(
                one.data, one.size, one.dts + shift, one.pts + shift, one.key, one.wall + later, one.arrival + later
            )


def watch(
    refs: Sequence[ChunkRef],
    rules: Sequence[Rule],
    detector: Detector,
    media: Path,
    *,
    fps: float,
    gated: bool = True,
    settle_s: float = 0.0,
) -> Watched:
    """Look at footage as the node would, with the gate or with every picture decoded.

    `settle_s`: so much of it comes first and is not counted; with it, the gate does not stay open for its warm-up.
    """
    engine = RuleEngine()
    settings = unset_camera(refs[0].camera, fps)
    instruct(engine, [settings], rules)
    gate = _gate(gated=gated, settled=settle_s > 0)
    pipeline = CameraPipeline(settings.id, settings, CameraWatch(media, fps, gate=gate), engine)
    outfit(pipeline)
    draw_rules(detector, settings.id, rules)
    result = Watched()
    last: TrackFrame | None = None
    began = time.process_time()
    counted_from = refs[0].stream_time + round(settle_s * TIMESCALE)
    counting = False
    for ref in refs:
        if not counting and ref.stream_time >= counted_from:
            counting, result, began = True, Watched(), time.process_time()
        for due in pipeline.pictures(ref):
            (found,) = detector.detect([due.picture])
            result.pictures += 1
            judged = pipeline.judge(due, found, detector.name)
            last = judged.frame
            result.events += judged.events
        result.seconds += ref.duration / TIMESCALE
        result.open_s += ref.duration / TIMESCALE * pipeline.watch.open
    result.cpu_s = time.process_time() - began
    if last is not None:
        # The video is over: everybody in it is out of sight now.
        end = replace(last, stream_time=last.stream_time + TIMESCALE, wall=last.wall + 1, tracks=())
        result.events += engine.update(end)
    result.units = pipeline.watch.decoder.counts.units
    result.corrupt = pipeline.watch.decoder.counts.corrupt
    result.reasons.update({reason.value: count for reason, count in gate.reasons.items()})
    pipeline.close()
    detector.forget(settings.id)
    return result


def _gate(*, gated: bool, settled: bool) -> Gate:
    if not gated:
        return Gate(warm_up_s=ALWAYS_S)
    return Gate(warm_up_s=0.0) if settled else Gate()
