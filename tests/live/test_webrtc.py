"""WebRTC against aiortc as the viewer: the camera's own pictures from the latest key frame on, gone when they go."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError
from aiortc.rtcrtpsender import RTCRtpSender
from hypothesis import given
from hypothesis import strategies as st

from perishield.evaluation.texture_clip import read_packets, write_clip
from perishield.live.line import Lines
from perishield.live.webrtc.offers import check_offer
from perishield.live.webrtc.peers import Peers, ice_servers
from perishield.model.errors import SourceError
from perishield.model.media import TIMESCALE, Codec


@pytest.fixture
async def peers(lines: Lines) -> AsyncIterator[Peers]:
    opened = Peers(lines, most=2)
    yield opened
    await opened.close()


class Viewer:
    """What a browser does."""

    def __init__(self) -> None:
        self.connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.pictures: list[Any] = []
        self.sounds: list[Any] = []
        self.first = 0.0
        self.times: list[int] = []
        """RTP times of the pictures' packets as they came over the wire."""
        self._tasks: list[asyncio.Task[None]] = []
        self.connection.on("track", self._track)

    def _track(self, track: Any) -> None:
        self._tasks.append(asyncio.create_task(self._take(track)))

    async def _take(self, track: Any) -> None:
        while True:
            try:
                frame = await track.recv()
            except MediaStreamError:
                return
            self.first = self.first or time.monotonic()
            (self.pictures if track.kind == "video" else self.sounds).append(frame)

    async def watch(self, peers: Peers, camera: str = "gate") -> str:
        self.connection.addTransceiver("video", direction="recvonly")
        self.connection.addTransceiver("audio", direction="recvonly")
        await self.connection.setLocalDescription(await self.connection.createOffer())
        name, answer = await peers.offer(camera, self.connection.localDescription.sdp)
        receiver = self.connection.getReceivers()[0]
        handle = receiver._handle_rtp_packet

        async def note(packet: Any, arrival_time_ms: int) -> None:
            if packet.payload_type not in (0, 8):
                self.times.append(packet.timestamp)
            await handle(packet, arrival_time_ms)

        receiver.__dict__["_handle_rtp_packet"] = note
        await self.connection.setRemoteDescription(RTCSessionDescription(sdp=answer, type="answer"))
        return name

    async def close(self) -> None:
        await self.connection.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def test_a_viewer_sees_and_hears_at_once(
    playing: Callable[..., Any], peers: Peers, lines: Lines, until: Any
) -> None:
    camera = playing(sound=True)
    await until(lambda: len(camera.refs) > 6)
    viewer = Viewer()
    began = time.monotonic()
    name = await viewer.watch(peers)
    await until(lambda: len(viewer.pictures) >= 30 and len(viewer.sounds) >= 20)
    assert viewer.first - began < 3
    assert (viewer.pictures[0].width, viewer.pictures[0].height) == (192, 128)
    steps = [later.pts - earlier.pts for earlier, later in zip(viewer.pictures, viewer.pictures[1:], strict=False)]
    assert min(steps) > 0
    assert steps[-3:] == [3600] * 3
    peer = peers.find(name)
    assert peer is not None
    await until(lambda: peer.moment() is not None)
    moment = peer.moment()
    assert moment is not None
    # The browser knows pictures by their RTP time; ours says which of the camera's that is.
    assert moment.epoch == 1
    await until(lambda: moment.rtp in viewer.times)
    assert moment.stream_time in {packet.pts + 4 * TIMESCALE * loop for packet in camera.packets for loop in range(9)}
    assert lines.viewers == 1
    await viewer.close()
    await until(lambda: len(peers) == 0 and lines.viewers == 0, 60)


async def test_a_lost_picture_begins_anew_at_the_latest_key_frame(
    playing: Callable[..., Any], peers: Peers, until: Any
) -> None:
    camera = playing()
    await until(lambda: len(camera.refs) > 4)
    viewer = Viewer()
    name = await viewer.watch(peers)
    await until(lambda: len(viewer.pictures) >= 20)
    peer = peers.find(name)
    assert peer is not None
    assert peer._flow is not None
    before = peer._flow.bytes
    keys = [frame.key_frame for frame in viewer.pictures]
    receiver = viewer.connection.getReceivers()[0]
    await receiver._send_rtcp_pli(next(iter(receiver._RTCRtpReceiver__remote_streams)))  # type: ignore[attr-defined]
    await until(lambda: peer._restarted > 0)
    await until(lambda: sum(frame.key_frame for frame in viewer.pictures) > sum(keys))
    assert peer._flow.bytes > before
    await viewer.close()


async def test_there_is_a_bound_and_an_end(playing: Callable[..., Any], peers: Peers, lines: Lines, until: Any) -> None:
    playing()
    viewers = [Viewer(), Viewer(), Viewer()]
    names = [await viewer.watch(peers) for viewer in viewers[:2]]
    with pytest.raises(SourceError, match="2 viewers watch over WebRTC already") as caught:
        await viewers[2].watch(peers)
    assert caught.value.code == "busy"
    ours = [peer for name in names if (peer := peers.find(name)) is not None]
    await until(lambda: [peer.connected for peer in ours] == [True, True])
    for peer in ours:
        peer.end()
    await until(lambda: len(peers) == 0 and lines.viewers == 0)
    for viewer in viewers:
        await viewer.close()


async def test_who_goes_while_connecting_is_cleared_away(
    playing: Callable[..., Any], peers: Peers, lines: Lines, until: Any
) -> None:
    playing()
    viewer = Viewer()
    name = await viewer.watch(peers)
    peer = peers.find(name)
    assert peer is not None
    await asyncio.gather(viewer.close(), peer.ended())
    assert len(peers) == 0
    await until(lambda: lines.viewers == 0)


async def test_who_never_connects_is_cleared_away(
    playing: Callable[..., Any], peers: Peers, until: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("perishield.live.webrtc.peer.CONNECT_WITHIN_S", 0.3)
    playing()
    viewer = Viewer()
    viewer.connection.addTransceiver("video", direction="recvonly")
    await viewer.connection.setLocalDescription(await viewer.connection.createOffer())
    await peers.offer("gate", viewer.connection.localDescription.sdp)
    assert len(peers) == 1
    await until(lambda: len(peers) == 0)
    await viewer.close()


async def test_h265_and_nonsense_are_refused_in_words(playing: Callable[..., Any], peers: Peers) -> None:
    playing(Codec.H265)
    viewer = Viewer()
    with pytest.raises(SourceError, match=r"H\.265") as caught:
        await viewer.watch(peers)
    assert caught.value.code == "unsupported_codec"
    await viewer.close()
    for text in ("", "v=0", "v=0\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\na=recvonly\r\n"):
        with pytest.raises(SourceError):
            await peers.offer("gate", text)
    assert len(peers) == 0


async def test_b_frames_are_refused_in_words(
    on_air: Callable[..., Any], peers: Peers, tmp_path: Path, until: Any
) -> None:
    clip = tmp_path / "reordered.mp4"
    write_clip(clip, width=192, height=128, seconds=2, bitrate=200_000, gop_s=1.0, b_frames=2)
    camera = on_air()
    camera.video, camera.packets = read_packets(clip)
    camera.begin()
    camera.send(0, 3)
    viewer = Viewer()
    with pytest.raises(SourceError, match="B-frames") as caught:
        await viewer.watch(peers)
    assert caught.value.code == "b_frames"
    await viewer.close()


async def test_an_offer_without_h264_is_refused(playing: Callable[..., Any], peers: Peers, until: Any) -> None:
    camera = playing()
    await until(lambda: len(camera.refs) > 2)
    viewer = Viewer()
    viewer.connection.addTransceiver("video", direction="recvonly")
    await viewer.connection.setLocalDescription(await viewer.connection.createOffer())
    sdp = viewer.connection.localDescription.sdp.replace("H264/90000", "H263/90000")
    with pytest.raises(SourceError) as caught:
        await peers.offer("gate", sdp)
    assert caught.value.code in {"unsupported_codec", "protocol"}
    assert len(peers) == 0
    await viewer.close()


@given(st.text(max_size=300))
def test_what_is_no_offer_is_refused(text: str) -> None:
    with pytest.raises(SourceError):
        check_offer(text)


def test_the_seams_of_aiortc_are_still_there() -> None:
    assert {"_next_encoded_frame", "_send_keyframe"} <= set(vars(RTCRtpSender))


def test_ice_servers_are_named_as_browsers_do() -> None:
    assert ice_servers(("stun:stun.local:3478", "turn:joe:pa:ss@turn.local:3478")) == [
        {"urls": "stun:stun.local:3478"},
        {"urls": "turn:turn.local:3478", "username": "joe", "credential": "pa:ss"},
    ]
