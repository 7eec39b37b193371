"""The crew on real footage: order, turns, and what happens where time runs out."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from perishield.analysis.crew import Crew
from perishield.analysis.pipeline import CameraPipeline, Judged
from perishield.evaluation.footage_run import lay_down, looped
from perishield.evaluation.texture_clip import read_packets, write_clip
from perishield.model.errors import ModelError
from perishield.model.media import ChunkRef
from perishield.model.site import Analysis, Camera
from perishield.model.vision import Detections
from perishield.rules.engine import RuleEngine
from perishield.vision.detector import nothing
from perishield.vision.picture import Picture
from perishield.vision.watch import CameraWatch


class Slow:
    """A detector that finds nothing, takes its time, and notes what it is shown."""

    name, model = "slow", "slow.onnx"

    def __init__(self, seconds: float = 0.0, batch: int = 4) -> None:
        self.batch = batch
        self.seconds = seconds
        self.shown: dict[str, list[int]] = defaultdict(list)
        self.batches: list[set[str]] = []
        self.threads: set[int] = set()

    def detect(self, pictures: Sequence[Picture]) -> list[Detections]:
        self.threads.add(threading.get_ident())
        self.batches.append({picture.camera for picture in pictures})
        for picture in pictures:
            self.shown[picture.camera].append(picture.stream_time)
        threading.Event().wait(self.seconds * len(pictures))
        return [nothing(("person",)) for _ in pictures]

    def forget(self, camera: str) -> None:
        self.shown.pop(camera, None)


@pytest.fixture(scope="module")
def footage(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[ChunkRef]]:
    folder = tmp_path_factory.mktemp("footage")
    write_clip(folder / "clip.mp4", width=320, height=192, fps=25, seconds=4, bitrate=300_000, gop_s=1)
    video, packets = read_packets(folder / "clip.mp4")
    return folder, lay_down(video, looped(packets, 8.0), folder, "cam")


Make = Callable[..., Crew]


@pytest.fixture
def crew_of(footage: tuple[Path, list[ChunkRef]]) -> Iterator[Make]:
    crews: list[Crew] = []

    def make(detector: Slow, judged: Callable[[Picture, Judged], None] = lambda *_: None, **options: int) -> Crew:
        engine = RuleEngine()

        def pipeline(stream: str) -> CameraPipeline | None:
            if stream == "stranger":
                return None
            settings = Camera(id=stream, name="", url="", analysis=Analysis(fps=5.0))
            return CameraPipeline(stream, settings, CameraWatch(footage[0], 5.0), engine)

        troubles: list[ModelError] = []
        crews.append(Crew(detector, pipeline, judged, troubles.append, **options))
        crews[-1].start()
        return crews[-1]

    yield make
    for crew in crews:
        crew.stop()


def until(condition: Callable[[], bool], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "not within the time"
        threading.Event().wait(0.01)


def test_each_cameras_pictures_keep_their_order_and_none_is_lost(
    footage: tuple[Path, list[ChunkRef]], crew_of: Make
) -> None:
    detector = Slow(0.002)
    crew = crew_of(detector, decoders=3)
    refs = footage[1]
    names = [f"cam-{number}" for number in range(6)]
    for index, ref in enumerate(refs):
        for name in names:
            crew.inbox.offer(replace(ref, camera=name))
        # As cameras do: nobody is ever far behind.
        wanted = ref.stream_time - 90_000
        until(lambda: all((detector.shown[name] or [0])[-1] >= wanted for name in names) or index == 0)  # noqa: B023
    until(lambda: all(len(detector.shown[name]) >= 38 for name in names))
    assert len(detector.threads) == 1
    first = detector.shown[names[0]][:38]
    assert first == sorted(set(first))
    assert all(detector.shown[name][:38] == first for name in names)
    assert any(len(cameras) > 1 for cameras in detector.batches), "pictures of several cameras are looked at together"
    assert not any(crew.dropped(name) for name in names)


def test_an_overload_is_shared_counted_and_the_newest_wins(footage: tuple[Path, list[ChunkRef]], crew_of: Make) -> None:
    detector = Slow(0.05, batch=1)
    crew = crew_of(detector, decoders=2)
    refs = footage[1]
    names = ["a", "b", "c"]
    for name in names:
        for ref in refs:
            crew.inbox.offer(replace(ref, camera=name))
    last = refs[-1].stream_time - 90_000
    until(lambda: all((detector.shown[name] or [0])[-1] >= last for name in names))
    counts = [len(detector.shown[name]) for name in names]
    assert max(counts) - min(counts) <= 12
    for name in names:
        assert detector.shown[name] == sorted(set(detector.shown[name]))
        assert crew.dropped(name) + crew.stations[name].skipped > 0


def test_who_is_dismissed_is_not_looked_at_and_strangers_never_are(
    footage: tuple[Path, list[ChunkRef]], crew_of: Make
) -> None:
    detector = Slow()
    crew = crew_of(detector)
    half = len(footage[1]) // 2
    for ref in footage[1][:half]:
        crew.inbox.offer(replace(ref, camera="stranger"))
        crew.inbox.offer(replace(ref, camera="known"))
    until(lambda: len(detector.shown["known"]) > 5)
    done = threading.Event()
    crew.order(lambda: crew.dismiss("known"))
    crew.order(done.set)
    assert done.wait(10)
    assert "known" not in crew.stations
    assert "stranger" not in detector.shown
    for ref in footage[1][half:]:
        crew.inbox.offer(replace(ref, camera="other"))
    until(lambda: len(detector.shown["other"]) > 2)


def test_a_detector_that_fails_gives_way_to_motion(footage: tuple[Path, list[ChunkRef]], crew_of: Make) -> None:
    class Broken(Slow):
        def detect(self, pictures: Sequence[Picture]) -> list[Detections]:
            raise RuntimeError("no more memory")

    frames: list[Judged] = []
    crew = crew_of(Broken(), lambda _, judged: frames.append(judged))
    for ref in footage[1]:
        crew.inbox.offer(ref)
    until(lambda: len(frames) > 5)
    assert {judged.frame.detector for judged in frames} == {"motion"}


def test_looks_and_filters_get_every_picture_in_order(footage: tuple[Path, list[ChunkRef]]) -> None:
    settings = Camera(id="cam", name="", url="", analysis=Analysis(fps=5.0))
    pipeline = CameraPipeline("cam", settings, CameraWatch(footage[0], 5.0), RuleEngine())
    looked: list[int] = []

    def look(picture: Picture) -> list[object]:
        looked.append(picture.stream_time)
        return []

    def nobody(picture: Picture, found: Detections) -> Detections:
        assert looked[-1] == picture.stream_time
        return nothing(found.names)

    pipeline.looks.append(look)  # type: ignore[arg-type]
    pipeline.filters.append(nobody)
    person = Detections(np.array([[10, 10, 40, 90]], np.float32), np.ones(1, np.float32), np.zeros(1, np.int16), ("p",))
    dues = [due for ref in footage[1][:6] for due in pipeline.pictures(ref)]
    judged = [pipeline.judge(due, person, "x") for due in dues]
    assert looked == [due.picture.stream_time for due in dues]
    assert not any(one.frame.tracks or one.tracked for one in judged)
    pipeline.close()
