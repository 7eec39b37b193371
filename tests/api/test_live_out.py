"""Ways out besides our own socket: who may use them, and what they answer when they cannot."""

from __future__ import annotations

import asyncio
import io
import re
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

import av
import pytest
from aiortc import RTCConfiguration, RTCPeerConnection

from perishield.live.hls import Window
from perishield.live.playlist import media
from perishield.model.media import TIMESCALE
from perishield.roles.live import Live
from perishield.streams.fmp4_reader import parse_init

Make = Callable[..., Any]


@pytest.fixture
async def sending(node: Any, make_recorder: Make, live_state: Make) -> AsyncIterator[Any]:
    """A camera whose chunks keep coming."""
    await node.add_camera()
    recorder = make_recorder()
    recorder.record(0, 8)
    await node.heard_by_server(live_state())

    async def feed() -> None:
        count, length = len(recorder.refs), 8 * TIMESCALE
        for index in range(3 * count):
            loop, ref = index // count, recorder.refs[index % count]
            number, at = ref.number + loop * count, ref.stream_time + loop * length
            node.services.live.feed(replace(ref, number=number, stream_time=at, discontinuity=index == 0))
            await asyncio.sleep(0.02)

    task = asyncio.create_task(feed())
    yield recorder
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


def uris(playlist: str) -> list[str]:
    quoted = re.findall(r'(?:URI=")([^"]+)', playlist)
    return quoted + [line for line in playlist.splitlines() if line and not line.startswith("#")]


async def test_hls_plays_from_a_signed_address_alone(node: Any, sending: Any) -> None:
    ways = (await node.client.get("/api/live/ways/gate")).json()
    node.client.headers.pop("authorization")
    index = await node.client.get(ways["hls"])
    assert index.headers["content-type"].startswith("application/vnd.apple.mpegurl")
    assert re.search(r'CODECS="avc1\.[0-9a-f]{6}"', index.text)
    assert "RESOLUTION=192x128" in index.text
    (stream,) = uris(index.text)
    playlist = (await node.client.get(stream)).text
    names = uris(playlist)
    init = next(name for name in names if "init-0" in name)
    segments = [name for name in names if "segment-" in name]
    assert segments
    head = (await node.client.get(init)).content
    body = b"".join([(await node.client.get(name)).content for name in segments])
    with av.open(io.BytesIO(head + body)) as container:
        frames = list(container.decode(video=0))
    lengths = [float(found) for found in re.findall(r"#EXTINF:([\d.]+)", playlist)]
    assert len(frames) == round(sum(lengths) * 25)
    assert all(frame.key_frame for frame in frames[:1])
    assert "#EXT-X-PROGRAM-DATE-TIME:2026-09-21T14:13:20.000Z" in playlist
    newest = re.findall(r"segment-(\d+)", playlist)[-1]
    parts = [name for name in names if f"part-{newest}-" in name]
    pieces = b"".join([(await node.client.get(name)).content for name in parts])
    assert pieces == (await node.client.get(segments[-1])).content


async def test_a_playlist_waits_for_the_part_that_is_asked_for(node: Any, sending: Any) -> None:
    ways = (await node.client.get("/api/live/ways/gate")).json()
    (stream,) = uris((await node.client.get(ways["hls"])).text)
    before = (await node.client.get(stream)).text
    number = max(int(found) for found in re.findall(r"part-(\d+)-", before))
    asked = await node.client.get(f"{stream}&_HLS_msn={number}")
    assert f"segment-{number}.mp4" in asked.text
    assert (await node.client.get(f"{stream}&_HLS_msn={number + 50}")).status_code == 400


@pytest.mark.parametrize("change", ["expires=1", "viewer=other", "extra=1"])
async def test_hls_is_closed_to_others(node: Any, sending: Any, change: str) -> None:
    ways = (await node.client.get("/api/live/ways/gate")).json()
    key = change.partition("=")[0]
    address = re.sub(rf"{key}=[^&]*", change, ways["hls"])
    address = address if address != ways["hls"] else f"{address}&{change}"
    assert (await node.client.get(address)).status_code == 403
    assert (await node.client.get(ways["hls"].replace("/gate/", "/yard/"))).status_code == 403


async def test_a_segment_that_is_over_and_a_camera_that_is_silent_say_so(
    node: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("perishield.live.hls._PATIENCE_S", 0.1)
    monkeypatch.setattr("perishield.live.hls._FILL_S", 0.1)
    await node.add_camera()
    ways = (await node.client.get("/api/live/ways/gate")).json()
    answer = await node.client.get(ways["hls"])
    assert (answer.status_code, answer.json()["code"]) == (503, "gone")
    sign = node.services.links.sign
    gone = await node.client.get(sign("/media/live/gate/segment-9.mp4", {"viewer": "x"}))
    assert gone.status_code == 404
    assert (await node.client.get("/api/live/ways/none")).status_code == 404


def test_a_window_forgets_and_marks_what_jumps(node: Any, make_recorder: Make) -> None:
    recorder = make_recorder()
    recorder.record(0, 8)
    window = Window("gate", node.services.media)
    data = (node.services.media / recorder.refs[0].path).read_bytes()
    init = parse_init(data[: recorder.refs[0].init_length])
    for epoch in range(7, 12):
        for ref in recorder.refs:
            window.take(replace(ref, epoch=epoch), init)
    assert len(window.segments) == 8
    text = media(window, lambda name: name)
    assert text.count("#EXT-X-DISCONTINUITY\n") >= 1
    sequence = int(re.search(r"#EXT-X-MEDIA-SEQUENCE:(\d+)", text)[1])  # type: ignore[index]
    assert sequence == window.segments[0].number > 0
    assert int(re.search(r"#EXT-X-DISCONTINUITY-SEQUENCE:(\d+)", text)[1]) + text.count("#EXT-X-DISCONTINUITY\n") == 4  # type: ignore[index]
    target = int(re.search(r"#EXT-X-TARGETDURATION:(\d+)", text)[1])  # type: ignore[index]
    assert max(float(found) for found in re.findall(r"#EXTINF:([\d.]+)", text)) < target + 0.5
    assert set(window.heads) == {segment.init for segment in window.segments}


async def test_credentials_are_issued_listed_and_revoked(node: Any) -> None:
    await node.add_camera()
    made = await node.client.post("/api/live/credentials", json={"note": "NVR", "cameras": ["gate"], "days": 1})
    assert made.status_code == 201
    issued = made.json()
    assert len(issued["password"]) == 24
    listed = (await node.client.get("/api/live/credentials")).json()
    assert [item["username"] for item in listed["items"]] == [issued["username"]]
    assert "password" not in listed["items"][0]
    file = node.folder / "restream.json"
    assert issued["password"] not in file.read_text()
    assert file.stat().st_mode & 0o777 == 0o600
    assert (await node.client.post("/api/live/credentials", json={"cameras": ["none"]})).status_code == 422
    assert (await node.client.delete(f"/api/live/credentials/{issued['username']}")).status_code == 204
    assert (await node.client.delete(f"/api/live/credentials/{issued['username']}")).status_code == 404


async def test_a_deleted_camera_takes_its_credentials_along(node: Any) -> None:
    for name in ("Gate", "Yard"):
        await node.add_camera(name=name)
    for cameras in (["gate"], ["gate", "yard"], []):
        await node.client.post("/api/live/credentials", json={"cameras": cameras})
    assert (await node.client.delete("/api/cameras/gate")).status_code == 204
    listed = (await node.client.get("/api/live/credentials")).json()["items"]
    assert [item["cameras"] for item in listed] == [["yard"], []]


async def test_whep_refuses_in_words(node: Any) -> None:
    await node.add_camera()
    offer = {"content-type": "application/sdp"}
    off = await node.client.post("/api/whep/gate", content="v=0", headers=offer)
    assert (off.status_code, off.json()["code"]) == (404, "webrtc_off")


async def test_whep_goes_through_to_the_live_process(live: Live, node: Any, make_recorder: Make) -> None:
    await node.add_camera()
    await node.until(lambda: "gate" in live._cameras)
    offer = {"content-type": "application/sdp"}
    assert (await node.client.post("/api/whep/gate", content="v=0")).status_code == 415
    assert (await node.client.post("/api/whep/none", content="v=0", headers=offer)).status_code == 404
    refused = await node.client.post("/api/whep/gate", content="v=0", headers=offer)
    assert (refused.status_code, refused.json()["code"]) == (422, "protocol")
    recorder = make_recorder()
    recorder.record(0, 2)
    for ref in recorder.refs:
        live.hub.feed(ref)
    viewer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    viewer.addTransceiver("video", direction="recvonly")
    await viewer.setLocalDescription(await viewer.createOffer())
    sdp = viewer.localDescription.sdp
    answer = await node.client.post("/api/whep/gate", content=sdp, headers=offer)
    assert answer.status_code == 201
    assert answer.headers["content-type"] == "application/sdp"
    assert answer.text.startswith("v=0")
    session = answer.headers["location"]
    full = await node.client.post("/api/whep/gate", content=sdp, headers=offer)
    assert (full.status_code, full.json()["code"]) == (503, "busy")
    fragment = {"content-type": "application/trickle-ice-sdpfrag"}
    trickled = await node.client.patch(session, content="a=mid:0\r\na=candidate:nonsense\r\n", headers=fragment)
    assert trickled.status_code == 422
    moment = (await node.client.get(f"{session.partition('?')[0]}/moment")).json()
    assert moment["epoch"] == -1
    node.client.headers.pop("authorization")
    assert (await node.client.delete(session.replace("signature=", "signature=0"))).status_code == 403
    assert (await node.client.delete(session)).status_code == 200
    await node.until(lambda: len(live.peers) == 0)
    assert (await node.client.delete(session)).status_code == 404
    await viewer.close()


async def test_without_the_live_process_the_answer_says_so(node: Any) -> None:
    await node.add_camera()
    object.__setattr__(node.services.live_out, "webrtc", True)
    answer = await node.client.post("/api/whep/gate", content="v=0", headers={"content-type": "application/sdp"})
    assert (answer.status_code, answer.json()["code"]) == (503, "bus_unavailable")
