"""The doctor at simulated cameras with faults, and at a real server: the steps it tells, and what it blames."""

from __future__ import annotations

import asyncio
import fractions
import struct
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import av
import numpy as np
import pytest

from perishield.model.media import Codec
from perishield.model.site import Camera
from perishield.sources.doctor.probe import Examination, probe
from perishield.sources.doctor.step import Verdict
from perishield.sources.simulator import Faults, Simulator, SimulatorClip
from perishield.sources.simulator.certificate import self_signed

pytestmark = pytest.mark.long

SERVER = Path(__file__).with_name("gst_server.py")


Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def listening(serve: Serve) -> AsyncIterator[str]:
    """The address of a server that is not one of the simulator's; its connections end with it."""
    tasks: set[asyncio.Task[None]] = set()

    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await serve(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.transport.abort()

    server = await asyncio.start_server(client, "127.0.0.1", 0)
    yield f"rtsp://127.0.0.1:{server.sockets[0].getsockname()[1]}/x"
    server.close()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def examined(url: str, seconds: float = 12.0, **fields: str) -> Examination:
    return await probe(Camera(id="doctor", name="doctor", url=url, **fields), seconds)


def codes(examination: Examination) -> dict[str, str]:
    return {step.name: step.code for step in examination.steps}


def params(examination: Examination, name: str) -> dict[str, object]:
    return next(step.params for step in examination.steps if step.name == name)


def failed(examination: Examination) -> list[str]:
    return [step.code for step in examination.steps if step.verdict is Verdict.FAIL]


async def test_a_good_camera_is_told_step_by_step_with_times(farm):
    simulator = await farm()
    examination = await examined(f"rtsp://127.0.0.1:{simulator.port}/plain")
    names = [step.name for step in examination.steps]
    assert names[:9] == [
        "dns", "tcp", "options", "describe", "authentication", "setup", "play", "first_packet", "key_frame",
    ]  # fmt: skip
    assert set(names[9:]) >= {"video", "rate", "gop", "loss", "jitter", "clock", "reordering", "sound", "picture"}
    assert examination.healthy
    assert all(step.ms is not None and step.ms >= 0 for step in examination.steps[:9])
    video = params(examination, "video")
    assert (video["codec"], video["width"], video["height"]) == ("H.264", 160, 120)
    assert params(examination, "rate")["fps"] == pytest.approx(25, abs=2)
    assert params(examination, "gop")["most"] == pytest.approx(0.4, abs=0.05)
    assert params(examination, "loss")["lost"] == 0
    assert abs(float(str(params(examination, "clock")["offset"]))) < 0.5
    assert codes(examination)["picture"] == "picture"
    assert codes(examination)["authentication"] == "auth_none"


@pytest.mark.parametrize(("clip", "codec"), [("hevc", "H.265"), ("hevc_open", "H.265")])
async def test_h265_is_looked_at_too(farm, clip, codec):
    simulator = await farm()
    examination = await examined(f"rtsp://127.0.0.1:{simulator.port}/{clip}")
    assert examination.healthy
    assert params(examination, "video")["codec"] == codec
    assert codes(examination)["picture"] == "picture"


async def test_b_frames_are_pointed_out(farm):
    simulator = await farm()
    assert codes(await examined(f"rtsp://127.0.0.1:{simulator.port}/reordered"))["reordering"] == "b_frames"


@pytest.mark.parametrize(
    ("scheme", "told", "verdict"),
    [
        ("md5-qop", "Digest MD5", Verdict.OK),
        ("sha256", "Digest SHA-256", Verdict.OK),
        ("basic", "Basic", Verdict.WARN),
    ],
)
async def test_the_way_in_is_named(farm, scheme, told, verdict):
    simulator = await farm(username="guard", password="night & day", schemes=(scheme,))
    url = f"rtsp://127.0.0.1:{simulator.port}/plain"
    examination = await examined(url, username="guard", password="night & day")
    step = next(step for step in examination.steps if step.name == "authentication")
    assert (step.params["scheme"], step.verdict) == (told, verdict)
    assert examination.healthy


async def test_a_wrong_password_and_a_missing_one_are_told_apart_and_never_shown(farm):
    simulator = await farm(username="guard", password="night & day")
    url = f"rtsp://127.0.0.1:{simulator.port}/plain"
    wrong = await examined(url, username="guard", password="s3cret-word")
    assert failed(wrong) == ["auth_refused"]
    missing = await examined(url)
    assert failed(missing) == ["auth_wanted"]
    inside = await examined(url.replace("//", "//guard:s3cret-word@"))
    assert failed(inside) == ["auth_refused"]
    assert "s3cret" not in repr(wrong) + repr(inside)


async def test_a_closed_port_an_unknown_name_and_a_foreign_protocol(free_port):
    assert failed(await examined(f"rtsp://127.0.0.1:{free_port}/x")) == ["tcp_refused"]
    assert failed(await examined("rtsp://no-such-camera.invalid/x")) == ["dns_unknown"]
    assert failed(await examined("rtsp:///x")) == ["address"]

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()

    async with listening(serve) as url:
        examination = await examined(url)
    assert failed(examination) == ["source_not_a_video"]
    assert examination.steps[-1].name == "options"


async def test_a_server_that_never_answers_costs_no_more_than_the_time_given():
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with listening(silent) as url:
        began = time.monotonic()
        examination = await examined(url, 2)
        assert time.monotonic() - began < 20
    assert [step.name for step in examination.steps if step.verdict is Verdict.FAIL] == ["options"]


async def test_a_forbidden_address_is_not_connected_to(farm):
    simulator = await farm()
    url = f"rtsp://localhost:{simulator.port}/plain"
    examination = await probe(Camera(id="doctor", name="", url=url), 5, forbidden=lambda host: host.startswith("127."))
    assert failed(examination) == ["tcp_forbidden"]
    assert not simulator.clients


@pytest.mark.parametrize(
    ("faults", "name", "code"),
    [
        (Faults(busy=True), "setup", "source_busy"),
        (Faults(sdp="v=0\r\nm=video 0 RTP/AVP 26\r\n"), "video", "source_unsupported_codec"),
        (Faults(sdp="v=0\r\nm=audio 0 RTP/AVP 0\r\n"), "describe", "source_not_a_video"),
    ],
)
async def test_refusals_are_blamed_on_their_step(farm, faults, name, code):
    simulator = await farm(faults)
    examination = await examined(f"rtsp://127.0.0.1:{simulator.port}/plain", 4)
    assert [(step.name, step.code) for step in examination.steps if step.verdict is Verdict.FAIL] == [(name, code)]


async def test_a_path_that_is_not_there(farm):
    simulator = await farm()
    examination = await examined(f"rtsp://127.0.0.1:{simulator.port}/nothing")
    assert failed(examination) == ["source_not_found"]
    assert examination.steps[-1].way_out


async def test_lost_packets_are_counted(farm):
    simulator = await farm(Faults(drop_every_n_packets=40))
    examination = await examined(f"rtsp://127.0.0.1:{simulator.port}/plain")
    loss = params(examination, "loss")
    assert float(str(loss["share"])) == pytest.approx(1 / 40, rel=0.4)
    assert "loss" in failed(examination)


async def test_a_camera_without_a_clock_is_not_trusted_for_time(farm):
    simulator = await farm(Faults(no_sender_reports=True))
    examination = await examined(f"rtsp://127.0.0.1:{simulator.port}/plain", 8)
    assert codes(examination)["clock"] in ("clock_none", "clock_unknown")


async def test_a_certificate_is_looked_at_before_anything_is_sent(farm):
    certificate = self_signed("127.0.0.1")
    simulator = await farm(tls=certificate.context)
    url = f"rtsps://127.0.0.1:{simulator.port}/plain"
    unknown = await examined(url)
    assert failed(unknown) == ["tls_untrusted"]
    assert params(unknown, "tls")["fingerprint"] == certificate.fingerprint
    assert failed(await examined(url, tls_fingerprint="ab" * 32)) == ["tls_changed"]
    assert failed(await examined(url, tls_fingerprint="abc")) == ["tls_fingerprint"]
    assert all(not client.requests for client in simulator.clients)
    pinned = await examined(url, tls_fingerprint=certificate.fingerprint.upper())
    assert codes(pinned)["tls"] == "tls_pinned"
    assert pinned.healthy
    assert failed(await examined(url.replace("rtsps", "rtsp"), 4))


async def test_a_plain_port_is_no_tls(farm):
    simulator = await farm()
    assert failed(await examined(f"rtsps://127.0.0.1:{simulator.port}/plain", 4)) == ["tls_failed"]


async def test_udp_is_named_where_the_camera_refuses_tcp(farm):
    simulator = await farm(Faults(refuse_tcp=True))
    examination = await examined(f"rtsp://127.0.0.1:{simulator.port}/plain")
    assert examination.healthy
    assert params(examination, "setup")["transport"] == "UDP"
    assert sum(step.name == "setup" for step in examination.steps) == 1


def film(path: Path, *, gop: int, frames: int, level: int | None) -> Path:
    """25 pictures a second, key frames every `gop` only; all of luma `level`, or noise."""
    noise = np.random.default_rng(3).integers(0, 255, (96, 128, 3), dtype=np.uint8)
    with av.open(str(path), "w") as container:
        options = {"preset": "ultrafast", "bf": "0", "sc_threshold": "0", "keyint_min": str(gop)}
        stream = container.add_stream("libx264", rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = 128, 96, "yuv420p"
        stream.codec_context.gop_size = gop
        stream.codec_context.time_base = fractions.Fraction(1, 25)
        for index in range(frames):
            pixels = np.roll(noise, index, axis=1) if level is None else np.full_like(noise, level)
            picture = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            picture.pts, picture.time_base = index, fractions.Fraction(1, 25)
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    return path


@pytest.fixture
async def one(tmp_path: Path):
    """Serves one clip made to order."""
    running: list[Simulator] = []

    async def serve(**clip: object) -> str:
        path = await asyncio.to_thread(lambda: film(tmp_path / "one.mp4", **clip))
        simulator = Simulator({"one": SimulatorClip.load(path)})
        await simulator.start()
        running.append(simulator)
        return simulator.urls[0]

    yield serve
    for simulator in running:
        await simulator.close()


@pytest.mark.parametrize(("level", "code"), [(0, "picture_black"), (128, "picture_even"), (None, "picture")])
async def test_a_black_picture_is_seen_to_be_black(one, level, code):
    examination = await examined(await one(gop=10, frames=50, level=level), 8)
    assert codes(examination)["picture"] == code


async def test_a_long_gop_is_warned_of(one):
    url = await one(gop=150, frames=450, level=None)
    assert codes(await examined(url, 20))["gop"] in ("gop_long", "gop_open")


SPS, PPS = bytes.fromhex("6742c01ed901e08fe5c04400000300040000030028"), bytes.fromhex("68cb8cb2")
KEY, OTHER = b"\x65\x88\x84" + bytes(200), b"\x41\x9a\x24" + bytes(100)


class Crooked:
    """A camera whose description is fine and whose packets are whatever a test wants: ever the same pictures."""

    def __init__(self, protocol: str, *pictures: list[bytes]) -> None:
        self._pictures = pictures
        self._sdp = f"v=0\r\nm=video 0 {protocol} 96\r\na=rtpmap:96 H264/90000\r\na=control:trackID=0\r\n"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            method = head.split(" ", 1)[0]
            number = next(line for line in head.splitlines() if line.startswith("CSeq")).split(":")[1].strip()
            body = self._sdp if method == "DESCRIBE" else ""
            more = "Transport: RTP/AVP/TCP;interleaved=0-1\r\nSession: 1\r\n" if method == "SETUP" else ""
            answer = f"RTSP/1.0 200 OK\r\nCSeq: {number}\r\n{more}Content-Length: {len(body)}\r\n\r\n{body}"
            writer.write(answer.encode())
            if method == "PLAY":
                await self._play(writer)

    async def _play(self, writer: asyncio.StreamWriter) -> None:
        number = 0
        for frame in range(10_000):
            nals = self._pictures[frame % len(self._pictures)]
            for nal in nals:
                second = 96 | (0x80 if nal is nals[-1] else 0)
                packet = struct.pack("!BBHII", 0x80, second, number & 0xFFFF, frame * 3600, 9) + nal
                writer.write(b"$\0" + struct.pack("!H", len(packet)) + packet)
                number += 1
            await writer.drain()
            await asyncio.sleep(0.04)


NOISE = [np.random.default_rng(seed).integers(0, 256, 150, dtype=np.uint8).tobytes() for seed in range(60)]


@pytest.mark.parametrize(
    ("protocol", "pictures", "code"),
    [
        ("RTP/AVP", [[OTHER]], "key_none"),
        ("RTP/AVP", [[KEY], [OTHER]], "key_no_sets"),
        ("RTP/AVP", [[noise] for noise in NOISE], "key_encrypted"),
        ("RTP/SAVP", [[OTHER]], "key_encrypted"),
    ],
)
async def test_why_a_picture_stays_black(protocol, pictures, code):
    async with listening(Crooked(protocol, *pictures).serve) as url:
        examination = await examined(url, 3)
    assert failed(examination) == [code]
    assert examination.steps[-1].name == "key_frame"
    assert examination.steps[-1].way_out


async def test_a_key_frame_that_no_decoder_takes_is_said_to_be_broken():
    async with listening(Crooked("RTP/AVP", [SPS, PPS, KEY], [OTHER]).serve) as url:
        examination = await examined(url, 5)
    assert codes(examination)["picture"] in ("picture_broken", "picture_even")


@pytest.fixture(scope="module")
def gstreamer() -> Iterator[str]:
    process = subprocess.Popen(["/usr/bin/python3", str(SERVER)], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield f"rtsp://127.0.0.1:{process.stdout.readline().strip()}"
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.mark.real("gstreamer")
@pytest.mark.parametrize(("path", "codec"), [("h264", Codec.H264), ("h265", Codec.H265)])
async def test_a_server_that_we_did_not_write(gstreamer, path, codec):
    examination = await examined(f"{gstreamer}/{path}", 15)
    assert examination.healthy, examination
    assert params(examination, "video")["codec"] == {"h264": "H.264", "h265": "H.265"}[codec]
    assert params(examination, "gop")["most"] == pytest.approx(1.0, abs=0.2)
    assert str(params(examination, "options")["server"]).startswith("GStreamer")


@pytest.mark.real("gstreamer")
async def test_a_real_servers_digest(gstreamer):
    right = await examined(f"{gstreamer}/secret", 15, username="guard", password="night & day")
    assert codes(right)["authentication"] == "auth"
    wrong = await examined(f"{gstreamer}/secret", 15, username="guard", password="day & night")
    assert failed(wrong) == ["auth_refused"]
