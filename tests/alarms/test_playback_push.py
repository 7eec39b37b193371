"""Clips from other makers' recorders: found late, fetched, and their address pushed on."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import pytest
from receivers import Receiver

from perishield.alarms.channels.sender import Links
from perishield.alarms.clips import ClipScheduler, evidence_path
from perishield.alarms.intake import Announcement, raise_alarm
from perishield.alarms.outbox import Outbox
from perishield.alarms.playback_push import PlaybackPush, footage_of
from perishield.model.alarms import Alarm, ClipState, Event
from perishield.model.channels import Channel, Webhook
from perishield.model.errors import SourceError
from perishield.model.recorders import Recorder, RecorderClock, RecorderKind
from perishield.model.site import Camera
from perishield.recording.clip import cut_clip
from perishield.sources.device_http import DeviceHttp
from perishield.sources.simulator.recorder import Oddities, Piece, SimulatedRecorder
from perishield.store.alarms import add_alarm, get_alarm
from perishield.store.cameras import add_camera
from perishield.store.channels import add_channel
from perishield.store.database import Database
from perishield.store.recorders import save_recorder

KINDS = list(RecorderKind)
SECONDS = 14.0


@pytest.fixture(scope="session")
def program_stream(clip_file: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The clip as recorders send it: an MPEG program stream."""
    path = tmp_path_factory.mktemp("ps") / "clip.mpg"
    with av.open(str(clip_file)) as source, av.open(str(path), "w", format="vob") as out:
        video = source.streams.video[0]
        written = out.add_stream_from_template(video)
        annexb = av.BitStreamFilterContext("h264_mp4toannexb", video)
        for packet in source.demux(video):
            for one in annexb.filter(packet):
                one.stream = written
                if one.size and one.dts is not None:
                    out.mux(one)
    return path.read_bytes()


def recorder_at(simulated: SimulatedRecorder, kind: RecorderKind, **more: Any) -> Recorder:
    values: dict[str, Any] = {"camera": "gate", "url": simulated.url, "username": "admin", "password": "Demo-Pass1"}
    return Recorder(kind=kind, **{**values, **more})


@asynccontextmanager
async def opened(simulated: SimulatedRecorder, kind: RecorderKind, **more: Any) -> AsyncIterator[Any]:
    recorder = recorder_at(simulated, kind, **more)
    http = DeviceHttp(recorder.url, recorder.username, recorder.password, loopback=True)
    try:
        yield footage_of(recorder, http)
    finally:
        await http.close()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("clock", list(RecorderClock))
async def test_times_are_read_by_the_devices_own_clock(kind: RecorderKind, clock: RecorderClock) -> None:
    wall = float(int(time.time())) - 600
    offset = 8 * 3600.0 if clock is RecorderClock.LOCAL else 0.0
    pieces = [Piece(wall + 60 * number, wall + 60 * number + 60, bytes(2000)) for number in range(5)]
    async with SimulatedRecorder(pieces, offset_s=offset).running() as simulated:
        async with opened(simulated, kind, clock=clock) as footage:
            found = await footage.search(wall + 70, wall + 130)
        assert [(one.start, one.end) for one in found] == [(wall + 60, wall + 120), (wall + 120, wall + 180)]
        assert simulated.refused == 0
        assert simulated.finders == set(), "search objects are few, and must be given back"


async def test_pages_are_followed_and_firmwares_that_do_not_turn_them_are_left(tmp_path: Path) -> None:
    wall = float(int(time.time())) - 6000
    pieces = [Piece(wall + 10 * number, wall + 10 * number + 10, bytes(2000)) for number in range(100)]
    for oddities, count in (
        (Oddities(), 100),
        (Oddities(page=7), 100),
        (Oddities(spelling="searchResultPosition"), 100),
        (Oddities(page=7, stuck=True), 7),
    ):
        async with (
            SimulatedRecorder(pieces, oddities=oddities).running() as simulated,
            opened(simulated, RecorderKind.HIKVISION) as footage,
        ):
            assert len(await footage.search(wall, wall + 1000)) == count
            if count == 100:
                await footage.download((await footage.search(wall + 501, wall + 502))[0], tmp_path / "one")
                assert (tmp_path / "one").stat().st_size == 2000


@pytest.mark.parametrize("kind", KINDS)
async def test_a_wrong_password_is_tried_once(kind: RecorderKind) -> None:
    async with (
        SimulatedRecorder([]).running() as simulated,
        opened(simulated, kind, password="wrong") as footage,
    ):
        with pytest.raises(SourceError) as caught:
            await footage.search(0, 10)
        assert caught.value.code == "auth_failed"
        assert simulated.refused <= 2, "devices lock out whoever goes on"


async def test_a_recorder_that_is_not_there_or_no_recorder_is_said(free_port: int) -> None:
    http = DeviceHttp(f"http://127.0.0.1:{free_port}", "a", "b", loopback=True)
    with pytest.raises(SourceError) as caught:
        await http.text("GET", "/")
    assert caught.value.code == "unreachable"
    await http.close()
    http = DeviceHttp(f"http://127.0.0.1:{free_port}", "a", "b")
    with pytest.raises(SourceError) as caught:
        await http.text("GET", "/")
    assert caught.value.code == "refused"
    await http.close()
    async with Receiver().running() as receiver:
        recorder = Recorder(camera="c", kind=RecorderKind.HIKVISION, url=receiver.url, username="", password="")
        http = DeviceHttp(receiver.url, "", "", loopback=True)
        with pytest.raises(SourceError, match="XML"):
            await footage_of(recorder, http).search(0, 1)
        await http.close()


class Asked(list[str]):
    """Requests to a recorder on which the footage is `there` from the third search on."""

    def __init__(self, piece: Piece) -> None:
        super().__init__()
        self.there: list[Piece] = []
        self._piece = piece

    @property
    def searches(self) -> int:
        return sum("search" in one or "findFile" in one for one in self)

    def append(self, request: str) -> None:
        super().append(request)
        if self.searches == 3:
            self.there[:] = [self._piece]


@pytest.mark.parametrize("kind", KINDS)
async def test_footage_that_comes_late_is_fetched_and_its_address_pushed(
    kind: RecorderKind,
    database: Database,
    tmp_path: Path,
    make_event: Callable[..., Event],
    program_stream: bytes,
    clip_file: Path,
) -> None:
    now = time.time()
    wall = float(int(now)) - 20
    data = program_stream if kind is RecorderKind.HIKVISION else clip_file.read_bytes()
    asked = Asked(Piece(wall, wall + SECONDS, data))
    said: list[Announcement] = []

    def link(alarm: Alarm) -> Links:
        return Links(console="c", clip=f"https://node.example/media/{alarm.clip}" if alarm.clip else "")

    async with SimulatedRecorder(asked.there, asked=asked).running() as simulated, Receiver().running() as receiver:
        async with database.write() as session:
            await add_camera(session, Camera(id="gate", name="Gate", url="rtsp://10.0.0.4/"))
            await save_recorder(session, recorder_at(simulated, kind))
            channel = Channel(id="hook", name="H", target=Webhook(url=receiver.url, reach="host"))
            await add_channel(session, channel, {})
        outbox = Outbox(database, tmp_path / "media", link, "node")
        more: dict[str, Any] = {"pre_s": 2.0, "post_s": 3.0, "pauses_s": (0.2,), "on_clip": [outbox.clip]}

        def announce(announcement: Announcement) -> None:
            said.append(announcement)
            outbox.wake()

        push = PlaybackPush(database, tmp_path / "media", evidence_path, announce, loopback=True, **more)
        clips = ClipScheduler(database, tmp_path / "media", cut_clip, announce, elsewhere=push.take, **more)
        alarm = raise_alarm(replace(make_event("e1"), wall=wall + 6, arrival=wall + 6), "Gate", now)
        async with database.write() as session:
            await add_alarm(session, alarm)
            await outbox.raised(session, alarm)
        clips.add(alarm)
        jobs = [asyncio.create_task(one.run()) for one in (clips, push, outbox)]
        try:
            await receiver.reach(2, 30)
        finally:
            for job in jobs:
                job.cancel()
            await asyncio.gather(*jobs, return_exceptions=True)
        async with database.read() as session:
            done = await get_alarm(session, "e1")
    assert done is not None
    assert (done.clip_state, done.clip_note) == (ClipState.READY, f"from the {kind.value} recorder")
    with av.open(str(tmp_path / "media" / done.clip)) as container:
        frames = sum(1 for packet in container.demux(video=0) if packet.size)
    assert frames >= 5 * 25
    assert done.clip_duration == pytest.approx(5, abs=1.2)
    assert [one.alarm.clip_state for one in said] == [ClipState.READY]
    first, second = (one.json for one in receiver.requests)
    assert first["type"] == "alarm.raised"
    assert first["data"]["clip"]["url"] is None
    assert second["type"] == "alarm.clip"
    assert second["data"]["clip"]["url"] == f"https://node.example/media/{done.clip}"
    assert asked.searches >= 3, "it was asked for until it was there"


async def test_after_a_while_hope_is_given_up_and_that_is_told_as_well(
    database: Database, tmp_path: Path, make_event: Callable[..., Event]
) -> None:
    done: list[Announcement] = []
    async with SimulatedRecorder([]).running() as simulated:
        async with database.write() as session:
            await add_camera(session, Camera(id="gate", name="Gate", url="rtsp://10.0.0.4/"))
            await save_recorder(session, recorder_at(simulated, RecorderKind.DAHUA))
        push = PlaybackPush(
            database, tmp_path, evidence_path, done.append, pre_s=1, post_s=1, pauses_s=(0.1,), give_up_s=0.5,
            loopback=True,
        )  # fmt: skip
        alarm = raise_alarm(make_event("e1"), "Gate", time.time())
        async with database.write() as session:
            await add_alarm(session, alarm)
        assert await push.take(alarm)
        assert not await push.take(replace(alarm, event=replace(alarm.event, camera="other")))
        task = asyncio.create_task(push.run())
        async with asyncio.timeout(20):
            while True:
                if done:
                    break
                await asyncio.sleep(0.02)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert done[0].alarm.clip_state is ClipState.UNAVAILABLE
    assert "no footage of that time" in done[0].alarm.clip_note
    assert [(one.code, one.params["error"]) for one in done[0].alarm.clip_remarks] == [
        ("recorder_failed", "no_footage")
    ]
