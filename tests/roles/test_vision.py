"""The vision process, as the supervisor runs it: real chunks in real files, the real bus, a real spool."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import simplejpeg

from perishield.analysis.inbox import Inbox
from perishield.bus import LocalBus, topics
from perishield.bus.codec import decode
from perishield.bus.site_file import write_site
from perishield.bus.spool import Spool
from perishield.bus.topics import DetectorState, SiteChanged
from perishield.evaluation.texture_clip import read_packets
from perishield.model.alarms import Event, EventKind
from perishield.model.media import ChunkRef
from perishield.model.rules import Tripwire, rule_to_dict
from perishield.model.site import Analysis, Camera, Site
from perishield.model.vision import TrackFrame
from perishield.streams.chunker import Chunker
from perishield.streams.segments import MediaRoot, SegmentWriter

pytestmark = pytest.mark.long

FPS, WIDTH, HEIGHT = 12, 640, 360
CROSSING_S = 9.0


@pytest.fixture(scope="module")
def walk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Fourteen seconds: an empty yard, then somebody goes from left to right, at mid-picture after nine seconds."""
    path = tmp_path_factory.mktemp("walk") / "walk.mp4"
    rng = np.random.default_rng(3)
    ground = rng.integers(95, 125, (HEIGHT // 4, WIDTH // 4, 1)).repeat(3, 2).repeat(4, 0).repeat(4, 1)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.options = {"preset": "ultrafast", "tune": "zerolatency", "g": str(2 * FPS)}
        for number in range(14 * FPS):
            picture = ground + rng.integers(-3, 4, ground.shape)
            moment = number / FPS
            if moment >= 6:
                centre = round(320 + (moment - CROSSING_S) * 100)
                low, high = max(0, centre - 18), min(WIDTH, centre + 18)
                picture[140:180, low:high] = 200
                picture[180:260, low:high] = 40
            frame = av.VideoFrame.from_ndarray(picture.clip(0, 255).astype(np.uint8), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def chunks_of(
    walk: Path, media: Path, camera: str = "yard", epoch: int = 1, wall: float | None = None
) -> list[ChunkRef]:
    """The clip cut into chunks by the real chunker, into real segment files."""
    refs: list[ChunkRef] = []
    faults: list[object] = []
    writer = SegmentWriter(MediaRoot(media), camera, "recordings", 10.0, lambda row: None, faults.append)
    chunker = Chunker(camera, epoch, writer, refs.append, chunk_s=0.5)
    video, packets = read_packets(walk, wall=wall or time.time() - 14)
    chunker.format(video)
    for packet in packets:
        chunker.packet(packet)
    chunker.close()
    assert not [fault for fault in faults if fault is not None]
    return refs


def line(x: float, name: str = "line") -> dict[str, Any]:
    return rule_to_dict(Tripwire(id=name, camera="yard", name=name, line=((x, 0.05), (x, 0.98)), level=2))


def site(revision: int, *rules: dict[str, Any], **analysis: Any) -> Site:
    camera = Camera(id="yard", name="Yard", url="rtsp://127.0.0.1/x", analysis=Analysis(**analysis))
    return Site(revision=revision, cameras=(camera,), rules=rules)


class Node:
    """The vision process, and what a test hears from it."""

    def __init__(self, data: Path, bus: LocalBus) -> None:
        self.data = data
        self.bus = bus
        self.frames: list[TrackFrame] = []
        self.states: list[DetectorState] = []
        self.queued: list[str] = []
        self.watched: list[str] = []
        self.revision = 0
        self.process: asyncio.subprocess.Process | None = None
        self.log = b""

    @property
    def media(self) -> Path:
        return self.data / "media"

    async def start(self, **config: Any) -> None:
        self.process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "perishield.roles.vision",
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        places = {"data_dir": self.data, "run_dir": self.data / "run", "media_dir": self.media}
        whole = {**places, "models_dir": self.data / "models", **config}
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(whole, default=str).encode())
        self.process.stdin.close()
        assert self.process.stdout is not None
        assert await asyncio.wait_for(self.process.stdout.readline(), 30) == b"READY\n"
        await self.until(lambda: bool(self.states))

    async def stop(self) -> tuple[int, str]:
        assert self.process is not None
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGTERM)
        out, err = await asyncio.wait_for(self.process.communicate(), 10)
        assert out == b""
        return self.process.returncode or 0, err.decode()

    async def until(self, condition: Callable[[], bool], seconds: float = 40) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, "not within the time"
            await asyncio.sleep(0.02)

    async def change(self, site: Site) -> None:
        """Give it another site; wait until pictures are judged by that one."""
        write_site(self.data / "site.json", site)
        self.bus.publish(topics.SITE, "", SiteChanged(site.revision))
        await self.until(lambda: self.revision == site.revision)

    async def feed(self, refs: list[ChunkRef]) -> None:
        """Publish chunks, never far ahead of what is looked at, as a camera would; wait for the last."""
        behind = 0
        for ref in refs:
            self.bus.publish(topics.CHUNKS, ref.camera, ref)
            if ref.stream_time - refs[0].stream_time >= 2.5 * 90_000:
                behind = ref.stream_time - int(2.5 * 90_000)
            await self.until(lambda wanted=behind: self.seen_until(refs[0].camera) >= wanted)  # type: ignore[misc]
        await self.until(lambda: self.seen_until(refs[0].camera) >= refs[-1].stream_time - 90_000)

    def seen_until(self, camera: str = "yard") -> int:
        return max((frame.stream_time for frame in self.frames if frame.camera == camera), default=0)

    def events(self) -> list[Event]:
        spool = Spool(self.data / "spool" / "events.db")
        with contextlib.closing(spool):
            return [decode(payload, Event) for _, payload in spool.take()]


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[Node]:
    bus = await LocalBus.open(tmp_path / "run", "ingest")
    node = Node(tmp_path, bus)

    async def hear(topic: topics.Topic[Any], note: Callable[[Any], object]) -> None:
        async with bus.subscribe(topic, size=4096) as messages:
            async for _, message in messages:
                note(message)

    loop = asyncio.get_running_loop()
    tasks = [
        loop.create_task(hear(topics.TRACKS, node.frames.append)),
        loop.create_task(hear(topics.DETECTOR, node.states.append)),
        loop.create_task(hear(topics.EVENTS, lambda queued: node.queued.append(queued.id))),
        loop.create_task(hear(topics.WATCH, lambda watch: node.watched.append(watch.camera))),
        loop.create_task(hear(topics.TASKS, lambda told: setattr(node, "revision", told.revision))),
    ]
    yield node
    if node.process is not None and node.process.returncode is None:
        node.process.kill()
        await node.process.communicate()
    await bus.close()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_crossing_becomes_one_event_with_its_picture(node: Node, walk: Path) -> None:
    write_site(node.data / "site.json", site(1, line(0.5)))
    await node.start()
    begin = time.time() - 14
    refs = chunks_of(walk, node.media, wall=begin)
    await node.feed(refs)
    await node.until(lambda: len(node.queued) == 1)
    (event,) = node.events()
    assert event.id == node.queued[0]
    assert (event.camera, event.kind, event.epoch) == ("yard", EventKind.TRIPWIRE, 1)
    assert event.label == event.detector == "motion"
    assert event.level == 3, "one step below the rule's level, since nobody knows what moved"
    assert event.direction == "right_to_left"
    assert event.wall == pytest.approx(begin + CROSSING_S, abs=0.35)
    assert event.point[0] == pytest.approx(0.5, abs=0.01)
    assert event.rule["name"] == "line"
    snapshot = node.media / event.snapshot
    assert event.snapshot == f"evidence/{time.strftime('%Y-%m-%d', time.gmtime(event.wall))}/{event.id}.jpg"
    assert simplejpeg.decode_jpeg(snapshot.read_bytes()).shape == (HEIGHT, WIDTH, 3)
    times = [frame.stream_time for frame in node.frames]
    assert times == sorted(set(times))
    open_rate = len([time for time in times if time < 8 * 90_000]) / 8
    assert 5 <= open_rate <= 7, "analysed at the camera's rate while the gate is open"
    assert "yard" in node.watched, "chunks are asked for quickly while something moves"
    code, _ = await node.stop()
    assert code == 0


async def test_the_smaller_stream_is_analysed_and_told_on_the_time_of_the_recorded_one(node: Node, walk: Path) -> None:
    ahead = 100 * 90_000
    changed = site(1, line(0.5))
    camera = replace(changed.cameras[0], detect_url="rtsp://127.0.0.1/small")
    write_site(node.data / "site.json", replace(changed, cameras=(camera,)))
    await node.start()
    begin = time.time() - 14
    refs = chunks_of(walk, node.media, "yard~detect", epoch=7, wall=begin)
    both = []
    for ref in refs:
        # The recorded stream's pictures cannot be read: whoever looked at them would see nothing.
        both.append(replace(ref, camera="yard", epoch=3, path="gone.mp4", stream_time=ref.stream_time + ahead))
        both.append(ref)
    node.frames.clear()
    for ref in both:
        node.bus.publish(topics.CHUNKS, ref.camera, ref)
        wanted = ref.stream_time - int(2.5 * 90_000) + (0 if ref.epoch == 3 else ahead)
        if ref.stream_time > 2.5 * 90_000 + (ahead if ref.epoch == 3 else 0):
            await node.until(lambda wanted=wanted: node.seen_until() >= wanted)  # type: ignore[misc]
    await node.until(lambda: len(node.queued) == 1)
    (event,) = node.events()
    assert (event.camera, event.epoch) == ("yard", 3)
    assert event.wall == pytest.approx(begin + CROSSING_S, abs=0.35)
    assert event.stream_time / 90_000 == pytest.approx(100 + CROSSING_S, abs=0.35)
    assert {(frame.camera, frame.epoch) for frame in node.frames} == {("yard", 3)}
    times = [frame.stream_time for frame in node.frames]
    assert times == sorted(set(times))
    assert node.watched == [], "the recorded stream need not hurry"
    assert (await node.stop())[0] == 0


async def test_under_pressure_it_looks_at_key_frames_only(node: Node, walk: Path) -> None:
    write_site(node.data / "site.json", site(1, line(0.5)))
    await node.start()
    refs = chunks_of(walk, node.media)
    keys = {ref.stream_time for ref in refs if ref.key}
    assert len(keys) > 3

    async def press() -> None:
        while True:
            node.bus.publish(topics.PRESSURE, "", topics.StoragePressure(level=2))
            await asyncio.sleep(0.2)

    pressing = asyncio.create_task(press())
    assert node.process is not None
    assert node.process.stderr is not None
    async with asyncio.timeout(20):
        while b"vision.pressure" not in await node.process.stderr.readline():
            pass
    for ref in refs:
        node.bus.publish(topics.CHUNKS, ref.camera, ref)
        if ref.key:
            await node.until(lambda key=ref.stream_time: node.seen_until() >= key)  # type: ignore[misc]
    pressing.cancel()
    assert {frame.stream_time for frame in node.frames} == keys
    assert (await node.stop())[0] == 0


async def test_without_a_model_it_says_how_to_get_one(node: Node) -> None:
    await node.start()
    assert node.states[0].name == "motion"
    assert "perishield models pull yolox-nano" in node.states[0].message
    _, log = await node.stop()
    lines = [text for text in log.splitlines() if "vision.detector" in text]
    assert len(lines) == 1
    assert "perishield models pull yolox-nano" in lines[0]


async def test_a_bad_model_is_named_and_guards_still_see_motion(node: Node, walk: Path) -> None:
    broken = node.data / "broken.onnx"
    broken.write_bytes(b"no network at all")
    write_site(node.data / "site.json", site(1, line(0.5)))
    await node.start(detector=str(broken))
    assert node.states[0].code == "model_corrupt"
    assert node.states[0].name == "motion"
    assert "broken.onnx" in node.states[0].message
    await node.feed(chunks_of(walk, node.media))
    await node.until(lambda: len(node.queued) == 1)
    _, log = await node.stop()
    assert "broken.onnx" in log


async def test_rules_change_while_it_runs_and_tracks_stay(node: Node, walk: Path) -> None:
    write_site(node.data / "site.json", site(1))
    await node.start()
    refs = chunks_of(walk, node.media)
    half = next(index for index, ref in enumerate(refs) if ref.stream_time >= 8.2 * 90_000)
    await node.feed(refs[:half])
    before: set[int] = set()

    def followed() -> bool:
        before.update(track.id for frame in node.frames for track in frame.tracks if track.hits > 3)
        return bool(before)

    await node.until(followed)
    assert len(before) == 1
    await node.change(site(2, line(0.5), fps=8.0))
    await node.feed(refs[half:])
    await node.until(lambda: len(node.queued) == 1)
    (event,) = node.events()
    assert event.track in before


async def test_arming_takes_effect_while_it_runs_and_tracks_stay(node: Node, walk: Path) -> None:
    disarmed = {**line(0.5), "arming": "disarmed"}
    write_site(node.data / "site.json", site(1, disarmed))
    await node.start()
    heard: list[topics.RulesDo] = []

    async def hear() -> None:
        async with node.bus.subscribe(topics.RULES) as told:
            async for _, message in told:
                heard.append(message)

    hearing = asyncio.create_task(hear())
    refs = chunks_of(walk, node.media)
    half = next(index for index, ref in enumerate(refs) if ref.stream_time >= 8.2 * 90_000)
    await node.feed(refs[:half])
    before: set[int] = set()

    def followed() -> bool:
        before.update(track.id for frame in node.frames for track in frame.tracks if track.hits > 3)
        return bool(before)

    await node.until(followed)
    await node.change(site(2, {**disarmed, "arming": "armed"}))
    await node.feed(refs[half:])
    await node.until(lambda: len(node.queued) == 1)
    (event,) = node.events()
    assert event.track in before
    assert event.rule["arming"] == "armed"
    await node.until(lambda: bool(heard) and heard[-1].states[0].events == 1)
    hearing.cancel()


async def test_a_camera_taken_off_is_not_watched_any_more(node: Node, walk: Path) -> None:
    off = site(1, line(0.5), enabled=False)
    other = replace(off.cameras[0], id="gate", name="Gate", analysis=Analysis())
    write_site(node.data / "site.json", replace(off, cameras=(*off.cameras, other)))
    await node.start()
    refs = chunks_of(walk, node.media)
    for ref in refs:
        node.bus.publish(topics.CHUNKS, ref.camera, ref)
    # One topic keeps its order: once the other camera's chunks are looked at, these were passed over.
    await node.feed(chunks_of(walk, node.media, "gate"))
    await node.change(site(2, line(0.5)))
    await node.feed([replace(ref, epoch=2) for ref in refs])
    assert {(frame.camera, frame.epoch) for frame in node.frames} == {("gate", 1), ("yard", 2)}


async def test_killed_and_started_again_it_goes_on(node: Node, walk: Path) -> None:
    write_site(node.data / "site.json", site(1, line(0.5)))
    await node.start()
    await node.feed(chunks_of(walk, node.media))
    await node.until(lambda: len(node.queued) == 1)
    assert node.process is not None
    node.process.kill()
    await node.process.communicate()
    assert len(node.events()) == 1
    node.states.clear()
    node.frames.clear()
    await node.start()
    await node.feed([replace(ref, epoch=2) for ref in chunks_of(walk, node.media, camera="yard", epoch=2)])
    await node.until(lambda: len(node.queued) == 2)
    assert len({event.id for event in node.events()}) == 2


async def test_a_configuration_it_cannot_read_ends_it_with_a_sentence() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "perishield.roles.vision",
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, err = await asyncio.wait_for(process.communicate(b'{"data_dir": 5}'), 20)
    assert process.returncode == 2
    assert out == b""
    assert b"VisionConfig" in err


@pytest.fixture
def waiting(walk: Path, tmp_path: Path) -> list[ChunkRef]:
    return chunks_of(walk, tmp_path)


def test_a_full_inbox_keeps_what_follows_the_newest_key_frame(waiting: list[ChunkRef]) -> None:
    inbox = Inbox(most=len(waiting) - 1)
    for ref in waiting:
        inbox.offer(ref)
    claim = inbox.claim(0.0, at_once=1000)
    assert claim is not None
    kept = claim.refs
    assert kept[0].key
    assert kept[-1] is waiting[-1]
    assert inbox.dropped["yard"] == len(waiting) - len(kept) > 0
    assert claim.behind_s == 0


def test_chunks_of_an_older_epoch_are_refused(waiting: list[ChunkRef]) -> None:
    inbox = Inbox()
    inbox.offer(replace(waiting[0], epoch=5))
    inbox.offer(replace(waiting[1], epoch=4))
    claim = inbox.claim(0.0)
    assert claim is not None
    assert [ref.epoch for ref in claim.refs] == [5]
    assert inbox.dropped["yard"] == 1
