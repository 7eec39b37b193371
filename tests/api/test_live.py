"""Live view: at the newest key frame at once, never far behind, in stream time, and playable."""

from __future__ import annotations

import asyncio
import io
import itertools
import json
import os
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.asyncio.client import ClientConnection, connect

from perishield.bus import topics
from perishield.live.chunk_reader import ChunkReader
from perishield.live.hub import MOST_BEHIND_S, LiveHub, Viewer
from perishield.model.media import (
    TIMESCALE,
    AudioCodec,
    AudioFormat,
    ChunkRef,
    Codec,
    Packet,
    StreamCondition,
    StreamState,
)
from perishield.streams.fmp4 import TFDT_OFFSET
from perishield.streams.fmp4_reader import parse_init, read_init, walk

MakeRecorder = Callable[..., Any]
MakeState = Callable[..., StreamState]


def chunk(number: int, *, key: bool = False, epoch: int = 1, gap: bool = False, seconds: float = 0.1) -> ChunkRef:
    return ChunkRef(
        camera="gate",
        epoch=epoch,
        number=number,
        path="recordings/gate/1.mp4",
        init_length=700,
        offset=700 + number * 100,
        length=100,
        segment_time=0,
        stream_time=int(number * seconds * TIMESCALE),
        wall=number * seconds,
        arrival=number * seconds,
        key=key,
        discontinuity=gap,
        codec=Codec.H264,
        mime="avc1.64001f",
        width=192,
        height=128,
        sizes=(40,),
        durations=(int(seconds * TIMESCALE),),
        composition=(),
        arrivals=(0,),
    )


async def taken(viewer: Viewer, count: int) -> list[int]:
    async with asyncio.timeout(30):
        return [ref.number for _ in range(count) if not isinstance(ref := await viewer.next(), str)]


async def test_a_viewer_begins_at_the_latest_key_frame() -> None:
    hub = LiveHub()
    for number in range(10):
        hub.feed(chunk(number, key=number % 4 == 0))
    with hub.watching("gate") as viewer:
        hub.feed(chunk(10))
        assert await taken(viewer, 3) == [8, 9, 10]


async def test_a_viewer_that_lags_goes_on_at_the_newest_key_frame() -> None:
    hub = LiveHub()
    with hub.watching("gate") as viewer:
        for number in range(20):
            hub.feed(chunk(number, key=number % 4 == 0, seconds=0.5))
        assert await taken(viewer, 4) == [16, 17, 18, 19]
        assert viewer.skipped == 16


async def test_after_a_hole_nothing_is_sent_before_a_key_frame() -> None:
    hub = LiveHub()
    with hub.watching("gate") as viewer:
        for ref in (chunk(0, key=True), chunk(1), chunk(3), chunk(4), chunk(5, key=True), chunk(6, gap=True), chunk(7)):
            hub.feed(ref)
        hub.feed(chunk(8, key=True))
        assert await taken(viewer, 4) == [0, 1, 5, 8]
    with hub.watching("gate") as newcomer:
        assert await taken(newcomer, 1) == [8]


async def test_a_new_epoch_begins_with_its_key_frame() -> None:
    hub = LiveHub()
    with hub.watching("gate") as viewer:
        for ref in (chunk(0, key=True), chunk(1), chunk(2, epoch=2), chunk(0, key=True, epoch=2), chunk(1, epoch=2)):
            hub.feed(ref)
        assert await taken(viewer, 4) == [0, 1, 0, 1]


@given(steps=st.lists(st.tuples(st.booleans(), st.integers(1, 2)), max_size=60), joins=st.integers(0, 60))
def test_what_a_viewer_gets_can_be_decoded_and_is_never_far_behind(steps: list[tuple[bool, int]], joins: int) -> None:
    numbers = itertools.accumulate(step for _, step in steps)
    refs = [chunk(number, key=key, seconds=0.5) for number, (key, _) in zip(numbers, steps, strict=True)]
    last = refs[-1].number if refs else 0
    end = chunk(last + 10, key=True, seconds=0.5)

    async def run() -> list[ChunkRef]:
        hub = LiveHub()
        for ref in refs[:joins]:
            hub.feed(ref)
        with hub.watching("gate") as viewer:
            for ref in refs[joins:]:
                hub.feed(ref)
            # Behind the viewer's back, since it must not count as the news that makes it skip.
            viewer._waiting.append(end)
            got: list[ChunkRef] = []
            while not got or got[-1] is not end:
                item = await asyncio.wait_for(viewer.next(), 5)
                assert not isinstance(item, str)
                got.append(item)
        return got[:-1]

    got = asyncio.run(run())
    for before, ref in itertools.pairwise([None, *got]):
        assert ref is not None
        assert ref.key or (before is not None and before.number + 1 == ref.number)
    newer = [ref for ref in refs if ref.key and got and ref.number > got[0].number]
    whole = all(step == 1 for _, step in steps)
    if newer and whole and joins < len(refs):
        assert (last - got[0].number) * 0.5 <= MOST_BEHIND_S + 0.5


async def hear(socket: ClientConnection) -> dict[str, Any] | bytes:
    message = await asyncio.wait_for(socket.recv(), 20)
    if isinstance(message, bytes):
        return message
    parsed: dict[str, Any] = json.loads(message)
    return parsed


async def hear_kind(socket: ClientConnection, kind: str) -> dict[str, Any]:
    while True:
        message = await hear(socket)
        if isinstance(message, dict) and message["type"] == kind:
            return message


async def log_in(socket: ClientConnection, token: str) -> None:
    await socket.send(json.dumps({"type": "auth", "token": token}))


async def chunks(socket: ClientConnection, count: int) -> list[bytes]:
    found: list[bytes] = []
    while len(found) < count:
        message = await hear(socket)
        if isinstance(message, bytes):
            found.append(message)
    return found


def decode_time(data: bytes) -> int:
    return int.from_bytes(data[TFDT_OFFSET : TFDT_OFFSET + 8], "big")


async def test_what_is_sent_plays_and_counts_in_stream_time(
    served: Any, make_recorder: MakeRecorder, live_state: MakeState
) -> None:
    await served.add_camera()
    recorder = make_recorder()
    recorder.record(0, 8)
    await served.heard_by_server(live_state())
    for ref in recorder.refs:
        served.peer.publish(topics.CHUNKS, "gate", ref)
    await served.until(lambda: served.services.live._gops.get("gate", [None])[-1] == recorder.refs[-1])
    gop = [ref for ref in recorder.refs if ref.stream_time >= max(r.stream_time for r in recorder.refs if r.key)]
    async with connect(f"{served.url}/ws/live/gate", proxy=None) as socket:
        await log_in(socket, served.token)
        begin = await hear_kind(socket, "init")
        assert begin["mime"] == f'video/mp4; codecs="{gop[0].mime}"'
        assert (begin["epoch"], begin["width"], begin["height"]) == (7, 192, 128)
        assert begin["stream_time_s"] == gop[0].stream_time / TIMESCALE
        head = await hear(socket)
        assert isinstance(head, bytes)
        init = parse_init(head)
        assert init is not None
        parts = await chunks(socket, len(gop))
        assert [decode_time(part) for part in parts] == [ref.stream_time for ref in gop]
    with av.open(io.BytesIO(head + b"".join(parts))) as container:
        frames = list(container.decode(video=0))
    assert len(frames) == sum(len(ref.sizes) for ref in gop)


@pytest.mark.parametrize(
    ("audio", "asked", "codecs", "tracks"),
    [
        (AudioFormat(AudioCodec.AAC, 16_000, 1, b"\x14\x08", "mp4a.40.2"), "?sound=1", ",mp4a.40.2", 2),
        (AudioFormat(AudioCodec.AAC, 16_000, 1, b"\x14\x08", "mp4a.40.2"), "", "", 1),
        (AudioFormat(AudioCodec.PCMA, 8_000, 1), "?sound=1", "", 1),
    ],
)
async def test_sound_comes_when_it_is_asked_for_and_can_be_played(
    served: Any,
    make_recorder: MakeRecorder,
    live_state: MakeState,
    audio: AudioFormat,
    asked: str,
    codecs: str,
    tracks: int,
) -> None:
    await served.add_camera()
    recorder = make_recorder()
    recorder.chunker.audio_format(audio)
    for tick in range(0, 3 * TIMESCALE, 1800):
        moment = recorder.wall + tick / TIMESCALE
        recorder.chunker.audio(Packet([bytes(160)], 160, tick, tick, True, moment, moment))
    recorder.record(0, 2)
    await served.heard_by_server(live_state())
    for ref in recorder.refs:
        served.services.live.feed(ref)
    async with connect(f"{served.url}/ws/live/gate{asked}", proxy=None) as socket:
        await log_in(socket, served.token)
        begin = await hear_kind(socket, "init")
        assert begin["mime"] == f'video/mp4; codecs="{recorder.refs[0].mime}{codecs}"'
        assert begin["audio"] == audio.codec.value
        head, part = await chunks(socket, 2)
    assert head.count(b"trak") == tracks
    assert part[: int.from_bytes(part[:4], "big")].count(b"traf") == tracks


async def test_segments_run_on_and_a_new_epoch_brings_a_new_init(
    served: Any, make_recorder: MakeRecorder, live_state: MakeState
) -> None:
    await served.add_camera()
    first, second = make_recorder(), make_recorder(epoch=8, wall=1_790_000_100.0)
    first.record(0, 5)
    second.record(0, 1)
    assert len({ref.path for ref in first.refs}) > 1
    await served.heard_by_server(live_state())
    async with connect(f"{served.url}/ws/live/gate", proxy=None) as socket:
        await log_in(socket, served.token)
        await served.until(lambda: served.services.live._viewers.get("gate") is not None)
        heard: list[dict[str, Any] | bytes] = []
        # As a camera would: no faster than the viewer takes it, so that nothing is skipped.
        for ref in [*first.refs, *second.refs]:
            served.services.live.feed(ref)
            while not (isinstance(item := await hear(socket), bytes) and item[4:8] == b"moof"):
                heard.append(item)
            heard.append(item)
    inits = [item for item in heard if isinstance(item, dict) and item["type"] == "init"]
    assert [item["epoch"] for item in inits] == [7, 8]
    assert sum(isinstance(item, bytes) and item[4:8] == b"ftyp" for item in heard) == 2
    times = [decode_time(item) for item in heard if isinstance(item, bytes) and item[4:8] == b"moof"]
    assert times == [ref.stream_time for ref in [*first.refs, *second.refs]]
    clock = next(item for item in heard if isinstance(item, dict) and item["type"] == "clock")
    assert clock["wall"] == "2026-09-21T14:13:20.000Z"


async def test_a_stream_that_is_not_live_says_so_and_the_socket_waits(
    served: Any, make_recorder: MakeRecorder, live_state: MakeState
) -> None:
    await served.add_camera()
    async with connect(f"{served.url}/ws/live/gate", proxy=None) as socket:
        await log_in(socket, served.token)
        assert (await hear_kind(socket, "state"))["data"]["condition"] == "connecting"
        await served.heard_by_server(live_state(condition=StreamCondition.FAILED, code="unreachable"))
        assert (await hear_kind(socket, "state"))["data"]["code"] == "unreachable"
        await served.heard_by_server(live_state())
        recorder = make_recorder()
        recorder.record(0, 1)
        for ref in recorder.refs:
            served.services.live.feed(ref)
        assert (await hear_kind(socket, "init"))["epoch"] == 7


async def test_ingest_is_asked_for_low_delay_while_somebody_looks(served: Any) -> None:
    await served.add_camera()
    async with served.peer.subscribe(topics.WATCH) as watches:
        async with connect(f"{served.url}/ws/live/gate", proxy=None) as socket:
            await log_in(socket, served.token)
            _, watch = await asyncio.wait_for(watches.get(), 20)
            assert watch.camera == "gate"
        await served.until(lambda: not served.services.live._viewers)


async def test_chunks_whose_file_is_gone_are_passed_over(
    served: Any, make_recorder: MakeRecorder, live_state: MakeState
) -> None:
    await served.add_camera()
    recorder = make_recorder()
    recorder.record(0, 1)
    await served.heard_by_server(live_state())
    gone = replace(recorder.refs[0], path="recordings/gate/2026-01-01/00/1.mp4", number=0)
    served.services.live.feed(gone)
    async with connect(f"{served.url}/ws/live/gate", proxy=None) as socket:
        await log_in(socket, served.token)
        await served.until(lambda: served.services.live._viewers.get("gate") is not None)
        for ref in recorder.refs:
            served.services.live.feed(ref)
        assert (await hear_kind(socket, "init"))["stream_time_s"] == recorder.refs[0].stream_time / TIMESCALE


async def test_a_camera_that_is_not_there_or_goes_ends_the_view(served: Any) -> None:
    await served.add_camera()
    async with connect(f"{served.url}/ws/live/none", proxy=None) as socket:
        await log_in(socket, served.token)
        await asyncio.wait_for(socket.wait_closed(), 20)
        assert socket.close_code == 4404
    async with connect(f"{served.url}/ws/live/gate", proxy=None) as socket:
        await log_in(socket, served.token)
        await hear_kind(socket, "state")
        await served.client.delete("/api/cameras/gate")
        await asyncio.wait_for(socket.wait_closed(), 20)
        assert socket.close_code == 4404


async def test_a_chunk_is_read_from_the_cache_or_the_disk(node: Any, make_recorder: MakeRecorder) -> None:
    recorder = make_recorder()
    recorder.record(0, 3)
    reader = ChunkReader(node.services.media)
    for ref in recorder.refs:
        data = await reader.chunk(ref)
        assert decode_time(data) == ref.stream_time
        assert (
            data[-sum(ref.sizes) :]
            == (node.services.media / ref.path).read_bytes()[
                ref.offset + ref.length - sum(ref.sizes) : ref.offset + ref.length
            ]
        )
    fd = os.open(node.services.media / recorder.refs[0].path, os.O_RDONLY)
    init = read_init(fd)
    assert init is not None
    assert len(list(walk(fd, len(init.data)))) > 0
    os.close(fd)
    assert await reader.init_segment(recorder.refs[0]) == init.data
    with pytest.raises(OSError, match="shorter"):
        await reader.chunk(replace(recorder.refs[0], length=10_000_000))
    with pytest.raises(FileNotFoundError):
        await reader.chunk(replace(recorder.refs[0], path="recordings/none.mp4"))
    reader.close()
