"""Our client against RTSP servers that we did not write."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import av
import pytest

from perishield.model.media import AudioFormat, Packet
from perishield.model.site import Transport

pytestmark = pytest.mark.long

SERVER = Path(__file__).with_name("gst_server.py")


def decoded(audio: AudioFormat, sounds: list[Packet]) -> int:
    """Samples that a decoder makes of the sound; fails on the first error that it reports."""
    names = {"aac": "aac", "opus": "opus", "pcma": "pcm_alaw", "pcmu": "pcm_mulaw"}
    decoder = av.CodecContext.create(names[audio.codec.value], "r")
    assert isinstance(decoder, av.AudioCodecContext)
    decoder.options = {"err_detect": "explode"}
    decoder.sample_rate, decoder.layout = audio.rate, "mono" if audio.channels == 1 else "stereo"
    if audio.config:
        decoder.extradata = audio.config
    frames = [frame for packet in sounds for frame in decoder.decode(av.Packet(packet.data[0]))]
    return sum(frame.samples for frame in frames)


@pytest.fixture(scope="module")
def gstreamer() -> Iterator[str]:
    """The address of a running GStreamer rtsp-server."""
    process = subprocess.Popen(["/usr/bin/python3", str(SERVER)], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        port = process.stdout.readline().strip()
        assert port.isdecimal(), "the server did not start"
        yield f"rtsp://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.mark.real("gstreamer")
@pytest.mark.parametrize(("path", "codec"), [("h264", "h264"), ("h265", "h265")])
async def test_gstreamer_serves_and_every_frame_decodes(gstreamer, watch, until, path, codec):
    watched = watch(f"{gstreamer}/{path}")
    await until(lambda: len(watched.sink.packets) >= 40, "packets", 40)
    await watched.stop()
    video = watched.sink.formats[0]
    assert (video.codec, video.width, video.height) == (codec, 320, 240)
    assert watched.sink.discontinuities == []
    assert watched.sink.decode() >= len(watched.sink.packets) - 1
    seconds = (watched.sink.packets[-1].dts - watched.sink.packets[0].dts) / 90_000
    assert seconds == pytest.approx(len(watched.sink.packets) / 25, rel=0.2)


@pytest.mark.real("gstreamer")
@pytest.mark.parametrize(("path", "codec"), [("h264", "h264"), ("h265", "h265")])
async def test_gstreamer_serves_datagrams_and_every_frame_decodes(gstreamer, watch, until, path, codec):
    watched = watch(f"{gstreamer}/{path}", transport=Transport.UDP)
    await until(lambda: len(watched.sink.packets) >= 40, "packets", 40)
    await watched.stop()
    assert watched.reception.transport == "udp"
    assert watched.sink.formats[0].codec == codec
    assert watched.sink.discontinuities == []
    assert watched.sink.decode() >= len(watched.sink.packets) - 1
    assert watched.reception.lost == 0


@pytest.mark.real("gstreamer")
@pytest.mark.parametrize("transport", [Transport.TCP, Transport.UDP])
@pytest.mark.parametrize(
    ("path", "codec", "rate", "channels", "ticks"),
    [
        ("aac", "aac", 16_000, 1, 5760),
        ("latm", "aac", 48_000, 2, 1920),
        ("opus", "opus", 48_000, 2, 1800),
        ("pcma", "pcma", 8_000, 1, 0),
        ("pcmu", "pcmu", 8_000, 1, 0),
    ],
)
async def test_gstreamer_is_heard(gstreamer, watch, until, path, codec, rate, channels, ticks, transport):
    watched = watch(f"{gstreamer}/sound-{path}", transport=transport)
    sink = watched.sink
    await until(lambda: len(sink.packets) >= 40 and len(sink.sounds) >= 15, "pictures and sound", 40)
    await watched.stop()
    (audio,) = sink.audio_formats
    assert (audio.codec, audio.rate, audio.channels) == (codec, rate, channels)
    steps = sorted(later.dts - earlier.dts for earlier, later in pairwise(sink.sounds))
    lasts = ticks or sink.sounds[1].size * 90_000 // rate
    assert steps[len(steps) // 2] == pytest.approx(lasts, abs=lasts / 100 + 1)
    assert decoded(audio, sink.sounds) >= 0.9 * len(sink.sounds) * lasts * rate / 90_000
    assert abs(sink.sounds[-1].dts - sink.packets[-1].dts) < 90_000


@pytest.mark.real("gstreamer")
async def test_gstreamer_accepts_our_digest(gstreamer, watch, until):
    watched = watch(f"{gstreamer}/secret", username="guard", password="night & day")
    await until(lambda: len(watched.sink.packets) >= 5, "packets", 40)


@pytest.mark.real("gstreamer")
async def test_gstreamer_refuses_a_wrong_password(gstreamer, watch, until):
    watched = watch(f"{gstreamer}/secret", username="guard", password="day & night", after_auth_failed_s=60)
    await until(lambda: any(watched.codes), "code", 40)
    assert watched.state.code == "auth_failed"


@pytest.mark.real("gstreamer")
@pytest.mark.real("ffmpeg")
async def test_what_ffmpeg_publishes_to_a_server_arrives(gstreamer, watch, until, clip_files):
    clip = str(clip_files["plain"])
    source = ["-re", "-stream_loop", "-1", "-i", clip, "-c", "copy"]
    target = ["-rtsp_transport", "tcp", "-f", "rtsp", f"{gstreamer}/publish"]
    publisher = subprocess.Popen(["ffmpeg", "-hide_banner", "-loglevel", "error", *source, *target])
    try:
        watched = watch(f"{gstreamer}/published", response_s=20)
        await until(lambda: len(watched.sink.packets) >= 40, "packets", 60)
        await watched.stop()
    finally:
        publisher.kill()
        publisher.wait()
    assert (watched.sink.formats[0].width, watched.sink.formats[0].height) == (160, 120)
    assert watched.sink.decode() >= len(watched.sink.packets) - 1
