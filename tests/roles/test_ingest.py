from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import av
from tests.roles.ingest_node import Node, listen

from perishield.bus import topics
from perishield.model.media import StreamCondition
from perishield.model.site import Camera
from perishield.recording.index import list_segments
from perishield.streams.layout import read_sidecar


def decoded(path: Path) -> int:
    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))


async def test_cameras_are_recorded_and_pooled_and_told_about(node: Node) -> None:
    node.publish_site(node.camera("gate-1"), node.camera("gate-2", record=False))
    await node.start()
    await node.until(lambda: all(sum(row.camera == c for row in node.segments) >= 2 for c in ("gate-1", "gate-2")))
    assert await node.end() == 0
    for camera, pool in (("gate-1", "recordings"), ("gate-2", "pool")):
        state = node.state(camera)
        rows = list_segments(node.media, camera, 0, time.time() + 60)
        assert state is not None
        assert rows
        for row in rows:
            assert row.pool == pool
            assert row.complete, "a clean stop closes every segment"
            assert decoded(node.media / row.path) == row.frames
    live = [state for state in node.states if state.condition is StreamCondition.LIVE]
    assert {state.camera: state.recording for state in live} == {"gate-1": True, "gate-2": False}
    assert all(abs(chunk.wall - time.time()) < 60 and chunk.stream_time >= chunk.segment_time for chunk in node.chunks)


async def test_killed_at_any_moment_it_leaves_segments_readable_to_the_last_whole_chunk(node: Node) -> None:
    node.publish_site(node.camera("gate-1"))
    await node.start(segment_s=3600.0)
    await node.until(lambda: node.frames("gate-1") > 50)
    told = max(chunk.offset + chunk.length for chunk in node.chunks)
    await node.end(signal.SIGKILL)
    (path,) = node.media.rglob("*.mp4")
    assert not list(node.media.rglob("*.json"))
    with open(path, "ab") as file:
        file.write(path.read_bytes()[-500:-100])
    before = node.frames("gate-1")
    first_epoch = node.chunks[-1].epoch

    node.publish_site()
    await node.start()
    await node.until(lambda: node.segments)
    row = node.segments[0]
    assert node.media / row.path == path
    assert (row.complete, row.epoch) == (False, first_epoch)
    assert row.size == path.stat().st_size >= told, "the torn end is cut off, everything told of is there"
    assert row.frames == decoded(path) >= before
    assert read_sidecar(node.media, row.path) == row

    node.publish_site(node.camera("gate-1"))
    await node.until(lambda: node.chunks[-1].epoch > first_epoch)


async def test_one_camera_changes_and_the_others_do_not_notice(node: Node) -> None:
    node.publish_site(node.camera("gate-1"), node.camera("gate-2"))
    await node.start()
    await node.until(lambda: node.frames("gate-1") and node.frames("gate-2"))
    node.publish_site(node.camera("gate-1"), node.camera("gate-2", url=f"{node.simulator.urls[0]}?other"))
    await node.until(lambda: len({chunk.epoch for chunk in node.chunks if chunk.camera == "gate-2"}) == 2)
    node.publish_site(node.camera("gate-1"), node.camera("gate-3"))
    await node.until(lambda: node.frames("gate-3"))
    seen = node.frames("gate-1")
    await node.until(lambda: node.frames("gate-1") > seen)
    mine = [chunk for chunk in node.chunks if chunk.camera == "gate-1"]
    assert len({chunk.epoch for chunk in mine}) == 1
    assert [chunk.number for chunk in mine] == list(range(mine[0].number, mine[0].number + len(mine)))
    assert not any(chunk.discontinuity for chunk in mine[1:])
    gone = node.state("gate-2")
    assert gone is not None
    assert gone.condition is StreamCondition.OFF


async def test_recording_is_switched_without_a_new_connection(node: Node) -> None:
    node.publish_site(node.camera("gate-1"))
    await node.start()
    await node.until(lambda: node.frames("gate-1"))
    node.publish_site(node.camera("gate-1", record=False))
    await node.until(lambda: node.chunks[-1].path.startswith("pool/"))
    assert len({chunk.epoch for chunk in node.chunks}) == 1
    await node.until(lambda: not node.states[-1].recording)


async def test_a_disabled_camera_is_off(node: Node) -> None:
    camera = node.camera("gate-1")
    node.publish_site(Camera(id="gate-1", name="gate-1", url=camera.url, enabled=False))
    await node.start()
    await node.until(lambda: node.states)
    assert node.states[0].condition is StreamCondition.OFF
    assert not node.media.exists() or not list(node.media.rglob("*.mp4"))


async def test_chunks_are_short_while_somebody_looks(node: Node) -> None:
    node.publish_site(node.camera("gate-1"))
    await node.start(chunk_bytes=1 << 20)
    await node.until(lambda: node.frames("gate-1") > 10)

    def newest() -> float:
        return node.chunks[-1].duration / 90_000

    await node.until(lambda: newest() > 0.3)
    node.bus.publish(topics.WATCH, "gate-1", topics.Watch("gate-1", time.time() + 2))
    await node.until(lambda: newest() <= 0.24)
    await node.until(lambda: newest() > 0.3)


async def test_one_camera_that_cannot_be_read_leaves_the_others_alone(node: Node) -> None:
    node.publish_site(node.camera("lost", url="rtsp://127.0.0.1:1/none"), node.camera("odd", url="gopher://x/"))
    node.publish_site(*node.cameras, node.camera("gate-1"))
    await node.start()
    await node.until(lambda: node.frames("gate-1"))
    await node.until(lambda: all((state := node.state(name)) and state.code for name in ("lost", "odd")))
    lost, odd = node.state("lost"), node.state("odd")
    assert lost is not None
    assert odd is not None
    assert (lost.code, odd.code) == ("refused", "unsupported_scheme")
    assert lost.condition is odd.condition is StreamCondition.FAILED


async def test_a_disk_that_refuses_is_told_and_the_stream_goes_on(node: Node) -> None:
    node.media.mkdir()
    (node.media / "recordings").write_bytes(b"in the way")
    node.publish_site(node.camera("gate-1"))
    await node.start()
    await node.until(lambda: (state := node.state("gate-1")) and state.code)
    state = node.state("gate-1")
    assert state is not None
    assert (state.condition, state.code, state.recording) == (StreamCondition.LIVE, "not_writable", False)
    (node.media / "recordings").unlink()
    await node.until(lambda: node.frames("gate-1"))
    await node.until(lambda: (state := node.state("gate-1")) and not state.code and state.recording)


async def test_the_pool_is_a_ring(node: Node) -> None:
    removed: list[topics.SegmentRemoved] = []
    listening = asyncio.create_task(listen(node.bus, topics.REMOVED, removed))
    node.publish_site(node.camera("gate-1", record=False))
    await node.start(pool_minutes=0.02)
    await node.until(lambda: removed)
    listening.cancel()
    assert removed[0].camera == "gate-1"
    assert not (node.media / removed[0].path).exists()


async def test_a_broken_site_file_changes_nothing_until_it_is_mended(node: Node) -> None:
    node.publish_site(node.camera("gate-1"))
    await node.start()
    await node.until(lambda: node.frames("gate-1"))
    (node.data / "site.json").write_bytes(b"{")
    seen = node.frames("gate-1")
    await node.until(lambda: node.frames("gate-1") > seen + 40)
    node.publish_site(node.camera("gate-2"))
    await node.until(lambda: node.frames("gate-2"))


def test_what_it_imports_stays_lean() -> None:
    heavy = ("numpy", "av", "fastapi", "sqlalchemy", "pydantic", "rich", "typer", "onnxruntime", "zmq.asyncio")
    script = (
        "import sys, perishield.roles.ingest, perishield.sources.rtsp.source;"
        f"print(*(name for name in {heavy!r} if name in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (done.returncode, done.stdout.strip()) == (0, ""), done.stderr


def test_a_configuration_that_makes_no_sense_is_refused_in_words() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "perishield.roles.ingest"], input='{"data_dir": 5}', capture_output=True, text=True
    )
    assert done.returncode == 2
    assert "IngestConfig" in done.stderr
    assert "Traceback" not in done.stderr
    assert os.linesep not in done.stdout
