"""A camera's sound from its RTSP track, or out of FFmpeg, into the sink: whole, in order, in step with pictures."""

from __future__ import annotations

import asyncio
from collections import Counter
from itertools import pairwise
from pathlib import Path

import av
import pytest

from perishield.evaluation.texture_clip import write_clip
from perishield.model.media import TIMESCALE, AudioCodec, Packet
from perishield.model.site import Camera, Transport
from perishield.sources.ffmpeg.source import FfmpegSource
from perishield.sources.rtsp.session import Patience
from perishield.sources.rtsp.source import RtspSource
from perishield.sources.simulator import Faults, Simulator, SimulatorClip

pytestmark = pytest.mark.long

CODECS = ("aac", "opus", "pcma", "pcmu")
FRAMES = {"aac": 5760, "opus": 1800, "pcma": 3600, "pcmu": 3600}


@pytest.fixture(scope="session")
def sound_files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("sound")
    files = {}
    for name in CODECS:
        files[name] = folder / f"{name}.{'mov' if name.startswith('pcm') else 'mp4'}"
        write_clip(files[name], width=160, height=96, seconds=4, bitrate=80_000, gop_s=0.4, sound=name)
    return files


@pytest.fixture(scope="session")
def sound_clips(sound_files: dict[str, Path]) -> dict[str, SimulatorClip]:
    return {name: SimulatorClip.load(path) for name, path in sound_files.items()}


@pytest.fixture
async def listen(sound_clips, sink, until):
    """Starts a farm with that fault, and a source of one of its clips."""
    tasks, farms, sources = [], [], []

    async def start(name, faults=None, *, enough=60, **camera):
        farm = Simulator(sound_clips, faults=faults)
        await farm.start()
        farms.append(farm)
        url = next(url for url in farm.urls if url.endswith(name))
        states = []
        patience = Patience(tick_s=0.1, datagram_s=3.0)
        source = RtspSource(
            Camera(id="gate-3", name="Gate 3", url=url, **camera),
            sink,
            states.append,
            first_retry_s=0.05,
            patience=patience,
        )
        source.low_delay = True
        sources.append(source)
        tasks.append(asyncio.create_task(source.run()))
        await until(lambda: len(sink.packets) >= enough, "pictures")
        return farm, source

    yield start
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    for farm in farms:
        await farm.close()


def shown(clip: SimulatorClip, sounds: list[Packet]) -> list[tuple[int, int]]:
    """(stream time, time in the clip) of the frames that occur in the clip only once."""
    payloads = [
        frame.payload[4:] if clip.sound.audio.codec is AudioCodec.AAC else frame.payload
        for frame in clip.sound.sound_frames
    ]
    once = {body for body, count in Counter(payloads).items() if count == 1}
    times = {body: frame.shown for body, frame in zip(payloads, clip.sound.sound_frames, strict=True) if body in once}
    return [(packet.dts, times[packet.data[0]]) for packet in sounds if packet.data[0] in times]


def pictures_shown(clip: SimulatorClip, packets: list[Packet]) -> list[tuple[int, int]]:
    """The same of pictures, told apart by their size."""
    sizes = {}
    for frame in clip.clip_frames:
        sizes.setdefault(frame.octets, []).append(frame.shown)
    found = []
    for packet in packets:
        for octets in (packet.size - 4, packet.size):
            if len(sizes.get(octets, ())) == 1 and not packet.key:
                found.append((packet.pts, sizes[octets][0]))
                break
    return found


def offset(clip: SimulatorClip, sink) -> int:
    """Ticks by which sound is late against the pictures, in the median."""
    sounds = [(dts - at) % clip.duration for dts, at in shown(clip, sink.sounds)]
    pictures = [(pts - at) % clip.duration for pts, at in pictures_shown(clip, sink.packets)]
    assert len(sounds) > 5
    assert len(pictures) > 5
    late = sorted(sounds)[len(sounds) // 2] - Counter(pictures).most_common(1)[0][0]
    return (late + clip.duration // 2) % clip.duration - clip.duration // 2


@pytest.mark.parametrize("name", CODECS)
async def test_sound_comes_whole_and_in_step(listen, sink, sound_clips, name):
    await listen(name, enough=110)
    clip = sound_clips[name]
    assert sink.audio_formats == [clip.sound.audio]
    steps = Counter(later.dts - earlier.dts for earlier, later in pairwise(sink.sounds))
    assert steps.most_common(1)[0][0] == pytest.approx(FRAMES[name], abs=1)
    assert all(step > 0 for step in steps)
    assert abs(offset(clip, sink)) <= FRAMES[name]
    order = [at for _, at in shown(clip, sink.sounds)]
    assert sum(later < earlier for earlier, later in pairwise(order)) <= 1, "but for the seam of the loop"


async def test_sound_comes_in_datagrams_too(listen, sink, sound_clips):
    _, source = await listen("aac", transport=Transport.UDP)
    assert source._status.reception.transport == "udp"
    assert len(sink.sounds) > 20
    assert abs(offset(sound_clips["aac"], sink)) <= FRAMES["aac"]


async def test_without_sender_reports_arrival_tells(listen, sink, sound_clips):
    await listen("pcma", Faults(no_sender_reports=True), enough=100)
    assert abs(offset(sound_clips["pcma"], sink)) <= 2 * FRAMES["pcma"]


async def test_timestamps_of_a_wrong_rate_do_no_harm(listen, sink, sound_clips):
    await listen("aac", Faults(sound_rate=3.0, no_sound_reports=True), enough=100)
    steps = Counter(later.dts - earlier.dts for earlier, later in pairwise(sink.sounds))
    assert steps.most_common(1)[0][0] == pytest.approx(FRAMES["aac"], abs=60)
    assert abs(offset(sound_clips["aac"], sink)) <= 2 * FRAMES["aac"]


async def test_lost_sound_leaves_gaps_and_costs_no_pictures(listen, sink, sound_clips):
    _, source = await listen("opus", Faults(sound_drop_every_n=10), enough=100)
    assert source._sound.lost >= 10
    assert sink.discontinuities == []
    steps = Counter(later.dts - earlier.dts for earlier, later in pairwise(sink.sounds))
    assert steps[3600] + steps[3599] + steps[3601] >= 10


@pytest.mark.parametrize("fault", ["refused", "closes"])
async def test_a_camera_that_gives_no_sound_gives_pictures(listen, sink, fault):
    farm, _ = await listen("aac", Faults(sound=fault))
    assert sink.sounds == []
    assert sink.audio_formats == []
    assert any("PLAY" in client.requests for client in farm.clients)


async def test_sound_that_is_not_wanted_is_not_asked_for(listen, sink):
    farm, _ = await listen("aac", audio=False)
    assert sink.sounds == []
    assert [client.requests.count("SETUP") for client in farm.clients] == [1]


async def test_a_talk_track_is_never_asked_for(listen, sink):
    farm, _ = await listen("aac", Faults(back_channel=True))
    assert sink.sounds
    assert [client.requests.count("SETUP") for client in farm.clients] == [2]


async def test_sound_goes_on_over_a_new_connection(listen, sink, until):
    farm, _ = await listen("pcmu")
    before = len(sink.sounds)
    farm.drop_clients()
    await until(lambda: "reconnect" in sink.discontinuities and len(sink.sounds) > before + 20, "sound again")
    assert all(earlier.dts < later.dts for earlier, later in pairwise(sink.sounds))
    assert len(sink.audio_formats) == 1


@pytest.mark.parametrize(("name", "container"), [("aac", "mp4"), ("aac", "ts"), ("opus", "mp4"), ("pcma", "mov")])
async def test_ffmpeg_passes_sound_through(tmp_path, sound_files, sound_clips, sink, until, name, container):
    file = tmp_path / f"clip.{container}"
    with av.open(str(sound_files[name])) as clip, av.open(str(file), "w") as out:
        streams = {stream.index: out.add_stream_from_template(stream) for stream in clip.streams}
        for packet in clip.demux():
            if packet.size:
                packet.stream = streams[packet.stream.index]
                out.mux(packet)
    states = []
    camera = Camera(id="gate-3", name="Gate 3", url=f"file:{file.name}")
    task = asyncio.create_task(FfmpegSource(camera, sink, states.append, file_root=tmp_path).run())
    try:
        await until(lambda: any(state.code for state in states), "the end")
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert len(sink.packets) == 100
    assert len(sink.audio_formats) == 1
    found, wanted = sink.audio_formats[0], sound_clips[name].sound.audio
    assert (found.codec, found.rate, found.channels) == (wanted.codec, wanted.rate, wanted.channels)
    if container == "mp4" or name == "pcma":
        assert b"".join(p.data[0] for p in sink.sounds).find(sound_clips[name].sound.sound_frames[9].payload[4:]) >= 0
    assert sink.sounds[-1].dts - sink.sounds[0].dts == pytest.approx(4 * TIMESCALE, abs=0.3 * TIMESCALE)


async def test_ffmpeg_leaves_sound_alone_where_it_is_not_wanted(sound_files, sink, until):
    states = []
    camera = Camera(id="gate-3", name="Gate 3", url="file:aac.mp4", audio=False)
    root = sound_files["aac"].parent
    task = asyncio.create_task(FfmpegSource(camera, sink, states.append, file_root=root).run())
    try:
        await until(lambda: len(sink.packets) > 20, "pictures")
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert sink.sounds == []
