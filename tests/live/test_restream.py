"""The restream server before real players: FFmpeg, GStreamer and our own client."""

from __future__ import annotations

import asyncio
import base64
import re
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from perishield.live.credentials import CredentialBook
from perishield.live.line import Lines
from perishield.live.rtsp.server import RestreamServer
from perishield.model.media import TIMESCALE, AudioFormat, Codec, Packet, StreamCondition, StreamState, VideoFormat
from perishield.model.site import Camera, Transport
from perishield.sources.rtsp.source import RtspSource

Playing = Callable[..., Any]
Guest = Callable[..., str]

PLAYER = Path(__file__).with_name("gst_player.py")


async def run(*command: str, seconds: float = 40) -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, stdin=asyncio.subprocess.DEVNULL
    )
    try:
        out, err = await asyncio.wait_for(process.communicate(), seconds)
    finally:
        if process.returncode is None:
            process.kill()
    return process.returncode or 0, out.decode(), err.decode()


@pytest.mark.real("ffmpeg")
@pytest.mark.parametrize("transport", ["tcp", "udp"])
@pytest.mark.parametrize("codec", list(Codec))
async def test_ffmpeg_plays_pictures_and_sound(playing: Playing, guest: Guest, codec: Codec, transport: str) -> None:
    playing(codec, sound=True)
    code, out, err = await run(
        *("ffmpeg", "-nostdin", "-v", "warning", "-rtsp_transport", transport, "-i", guest(), "-t", "3"),
        *("-map", "0:v", "-map", "0:a", "-f", "framemd5", "-"),
    )
    assert code == 0, err
    frames = re.findall(r"^(\d), ", out, re.MULTILINE)
    assert frames.count("0") >= 60, (out, err)
    assert frames.count("1") >= 60
    assert not re.search(r"(?i)error|concealing|missed|corrupt", err), err


@pytest.mark.real("gstreamer")
@pytest.mark.timeout(120)
@pytest.mark.parametrize("protocols", ["tcp", "udp"])
async def test_gstreamer_plays_pictures_and_sound(playing: Playing, guest: Guest, protocols: str) -> None:
    playing(sound=True)
    code, out, err = await run("/usr/bin/python3", str(PLAYER), guest(), protocols, "50", seconds=90)
    assert code == 0, (out, err)


@dataclass
class Sink:
    packets: list[Packet] = field(default_factory=list)
    formats: list[VideoFormat] = field(default_factory=list)
    audio_formats: list[AudioFormat | None] = field(default_factory=list)
    sounds: list[Packet] = field(default_factory=list)
    breaks: list[str] = field(default_factory=list)
    states: list[StreamState] = field(default_factory=list)

    def format(self, video: VideoFormat) -> None:
        self.formats.append(video)

    def packet(self, packet: Packet) -> None:
        self.packets.append(packet)

    def discontinuity(self, reason: str) -> None:
        self.breaks.append(reason)

    def rest(self) -> None: ...

    def audio_format(self, audio: AudioFormat | None) -> None:
        self.audio_formats.append(audio)

    def audio(self, packet: Packet) -> None:
        self.sounds.append(packet)


@asynccontextmanager
async def our_client(url: str, transport: Transport = Transport.TCP) -> AsyncIterator[Sink]:
    parts = urlsplit(url)
    camera = Camera(
        id="copy",
        name="Copy",
        url=f"rtsp://127.0.0.1:{parts.port}{parts.path}",
        username=parts.username or "",
        password=parts.password or "",
        transport=transport,
    )
    sink = Sink()
    task = asyncio.create_task(RtspSource(camera, sink, sink.states.append, epoch=1).run())
    try:
        yield sink
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.mark.parametrize("codec", list(Codec))
async def test_our_client_gets_the_cameras_own_bytes_and_clock(
    playing: Playing, guest: Guest, until: Any, codec: Codec
) -> None:
    camera = playing(codec)
    async with our_client(guest()) as sink:
        await until(lambda: len(sink.packets) >= 60)
    assert not sink.breaks
    assert sink.formats[0].parameter_sets == camera.video.parameter_sets
    sent = {packet.pts % (4 * TIMESCALE): packet for packet in camera.packets}
    first = min(
        sent,
        key=lambda dts: sum(
            b"".join(sent[(dts + packet.dts - sink.packets[0].dts) % (4 * TIMESCALE)].data)[-40:]
            != b"".join(packet.data)[-40:]
            for packet in sink.packets[:5]
        ),
    )
    for packet in sink.packets:
        twin = sent[(first + packet.dts - sink.packets[0].dts) % (4 * TIMESCALE)]
        assert b"".join(packet.data)[-40:] == b"".join(twin.data)[-40:]
    # The sender report says when the camera took the picture, to the millisecond.
    timed = sink.packets[-1]
    position = (first + timed.dts - sink.packets[0].dts) % (4 * TIMESCALE)
    loops = ((timed.wall - camera.wall) - position / TIMESCALE) / 4
    assert loops == pytest.approx(round(loops), abs=0.001)


async def test_many_viewers_are_sent_the_same_packets(
    playing: Playing, guest: Guest, lines: Lines, restream: RestreamServer, until: Any
) -> None:
    playing()
    async with our_client(guest()) as one, our_client(guest()) as two, our_client(guest()) as three:
        await until(lambda: min(len(sink.packets) for sink in (one, two, three)) >= 40)
        assert lines.viewers == 3
        made = lines._lines["gate"].video.packets
        # Each packet was made once: as many as one viewer alone would need.
        assert made < 3 * sum(1 for _ in one.packets) * 4
        assert {packet.size for packet in one.packets[-5:]} <= {packet.size for packet in two.packets + three.packets}
    await until(lambda: restream.guests == 0 and lines.viewers == 0)
    assert not lines._lines


async def test_a_camera_that_comes_back_goes_on_in_rtp_time(playing: Playing, guest: Guest, until: Any) -> None:
    camera = playing()
    async with our_client(guest()) as sink:
        await until(lambda: len(sink.packets) >= 30)
        camera.chunker.close()
        camera.begin()
        assert camera.refs[-1].epoch == 1
        before = len(sink.packets)
        await until(lambda: len(sink.packets) >= before + 60)
    steps = [later.dts - earlier.dts for earlier, later in zip(sink.packets, sink.packets[1:], strict=False)]
    assert min(steps) > 0
    assert max(steps) < 4 * TIMESCALE


class Talk:
    """A connection that says just what it is told."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def to(cls, restream: RestreamServer) -> Talk:
        return cls(*await asyncio.open_connection("127.0.0.1", restream.port))

    async def ask(self, *lines: str) -> str:
        self.writer.write("\r\n".join(lines).encode() + b"\r\n\r\n")
        return (await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), 10)).decode()

    def close(self) -> None:
        self.writer.transport.abort()


async def test_nobody_watches_without_a_credential(
    restream: RestreamServer, book: CredentialBook, guest: Guest
) -> None:
    talk = await Talk.to(restream)
    url = f"rtsp://127.0.0.1:{restream.port}/gate"
    assert "200 OK" in await talk.ask(f"OPTIONS {url} RTSP/1.0", "CSeq: 1")
    for method in ("DESCRIBE", "SETUP", "PLAY"):
        answer = await talk.ask(f"{method} {url} RTSP/1.0", "CSeq: 2")
        assert answer.startswith("RTSP/1.0 401")
        assert 'Digest realm="PyPeriShield"' in answer
    guest()
    name = book.all()[0].username
    for text in ("Basic eDp5", f'Digest username="{name}", nonce="x", uri="{url}", response="0"', "Basic ?", "Other x"):
        answer = await talk.ask(f"DESCRIBE {url} RTSP/1.0", "CSeq: 3", f"Authorization: {text}")
        assert answer.startswith("RTSP/1.0 401")
    talk.close()


async def test_a_guesser_is_shown_the_door(restream: RestreamServer) -> None:
    talk = await Talk.to(restream)
    url = f"rtsp://127.0.0.1:{restream.port}/gate"
    for _ in range(6):
        answer = await talk.ask(f"DESCRIBE {url} RTSP/1.0", "CSeq: 1", "Authorization: Basic eDp5")
        assert answer.startswith("RTSP/1.0 401")
    assert await asyncio.wait_for(talk.reader.read(1), 10) == b""
    talk.close()
    await talk.writer.wait_closed()


async def test_a_credential_opens_its_cameras_until_it_is_revoked(
    playing: Playing, guest: Guest, restream: RestreamServer, book: CredentialBook, until: Any
) -> None:
    playing()
    async with our_client(guest("yard", cameras=("gate",))) as sink:
        await until(lambda: any(state.code == "auth_failed" for state in sink.states))
    async with our_client(guest("gate", cameras=("gate",))) as sink:
        await until(lambda: len(sink.packets) >= 10)
        await restream.sweep()
        assert restream.guests == 1
        for credential in book.all():
            assert book.remove(credential.username)
        await restream.sweep()
        await until(lambda: any(state.code == "auth_failed" for state in sink.states))


async def test_a_camera_that_sends_nothing_is_not_described(
    guest: Guest, until: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("perishield.live.line._PATIENCE_S", 0.2)
    async with our_client(guest("yard")) as sink, our_client(guest("none")) as other:
        await until(lambda: any(state.condition is StreamCondition.FAILED for state in sink.states))
        await until(lambda: any(state.code == "not_found" for state in other.states))


async def test_who_does_not_read_is_skipped_and_then_dropped(
    playing: Playing, guest: Guest, restream: RestreamServer, lines: Lines, until: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("perishield.live.rtsp.guest._PATIENCE_S", 1.0)
    monkeypatch.setattr("perishield.live.rtsp.guest._WRITE_BUFFER", 4096)
    playing()
    parts = urlsplit(guest())
    talk = await Talk.to(restream)
    basic = "Basic " + base64.b64encode(f"{parts.username}:{parts.password}".encode()).decode()
    url = f"rtsp://127.0.0.1:{restream.port}/gate"
    proof = f"Authorization: {basic}"
    assert "200 OK" in await talk.ask(f"DESCRIBE {url} RTSP/1.0", "CSeq: 1", proof)
    setup = await talk.ask(
        f"SETUP {url}/trackID=0 RTSP/1.0", "CSeq: 2", proof, "Transport: RTP/AVP/TCP;unicast;interleaved=4-5"
    )
    session = re.search(r"Session: (\w+)", setup)
    assert session
    talk.reader._transport.pause_reading()  # type: ignore[attr-defined]
    talk.writer.write(f"PLAY {url} RTSP/1.0\r\nCSeq: 3\r\n{proof}\r\nSession: {session[1]}\r\n\r\n".encode())
    await until(lambda: lines.viewers == 1)
    # The kernel takes some megabytes before the server notices.
    began = time.monotonic()
    line = lines._lines["gate"]
    while restream.guests and time.monotonic() - began < 30:
        assert line.latest is not None
        for seat in line.seats:
            for piece in list(line.group) * 50:
                seat.offer(piece)
        await asyncio.sleep(0.01)
    assert restream.guests == 0
    assert lines.viewers == 0
    talk.close()
