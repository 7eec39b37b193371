"""Our client against the camera farm: what arrives, what is said, what is survived."""

from __future__ import annotations

import socket
from itertools import pairwise

import pytest

from perishield.model.media import StreamCondition
from perishield.sources.simulator import Faults


@pytest.mark.parametrize("name", ["plain", "reordered", "hevc", "hevc_open"])
async def test_what_arrives_can_be_decoded_to_the_last_picture(farm, watch, until, clips, name):
    simulator = await farm()
    watched = watch(f"rtsp://127.0.0.1:{simulator.port}/{name}")
    await until(lambda: len(watched.sink.packets) >= 30, "packets")
    await watched.stop()
    sink = watched.sink
    assert len(sink.formats) == 1
    video = sink.formats[0]
    assert (video.width, video.height) == (160, 120)
    assert video.parameter_sets == clips[name].parameter_sets
    assert sink.discontinuities == []
    assert sink.decode() >= len(sink.packets) - 1
    steps = [later.dts - earlier.dts for earlier, later in pairwise(sink.packets)]
    assert sum(steps) == pytest.approx(3600 * len(steps), abs=3600)
    assert sink.packets[0].dts == 0


async def test_times_of_reordered_frames_are_presentation_times_in_another_order(farm, watch, until):
    simulator = await farm()
    watched = watch(f"rtsp://127.0.0.1:{simulator.port}/reordered")
    await until(lambda: len(watched.sink.packets) >= 45, "packets")
    packets = watched.sink.packets
    assert any(packet.pts != packet.dts for packet in packets)
    shown = sorted(packet.pts for packet in packets[:40])
    assert {later - earlier for earlier, later in pairwise(shown[:36])} == {3600}


async def test_state_tells_format_and_epoch(farm, watch, until):
    simulator = await farm()
    watched = watch(f"rtsp://127.0.0.1:{simulator.port}/hevc")
    await until(lambda: watched.states and watched.state.condition is StreamCondition.LIVE, "live state")
    assert watched.states[0].condition is StreamCondition.CONNECTING
    assert (watched.state.codec, watched.state.width, watched.state.height) == ("h265", 160, 120)
    assert (watched.state.epoch, watched.state.camera, watched.state.code) == (5, "gate-3", "")


async def test_wall_clock_is_the_cameras_once_it_proved_itself(farm, watch, until):
    simulator = await farm()
    watched = watch(f"rtsp://127.0.0.1:{simulator.port}/plain")
    await until(lambda: len(watched.sink.packets) >= 40, "packets")
    packet = watched.sink.packets[-1]
    started = simulator.loop_started("plain", 0)
    frames = (packet.wall - started) * 25
    assert frames == pytest.approx(round(frames), abs=0.05), "a frame's time is its place on the simulator's timeline"
    assert simulator.loop_started("plain", 3) - started == pytest.approx(6.0)


async def test_without_sender_reports_arrival_tells_the_time(farm, watch, until):
    simulator = await farm(Faults(no_sender_reports=True))
    watched = watch(f"rtsp://127.0.0.1:{simulator.port}/plain")
    await until(lambda: len(watched.sink.packets) >= 30, "packets")
    assert all(-0.001 <= packet.arrival - packet.wall < 1 for packet in watched.sink.packets)


@pytest.mark.parametrize("schemes", [("basic",), ("md5",), ("md5-qop", "basic"), ("md5-sess",), ("sha256", "md5")])
async def test_every_authentication_scheme_opens_the_door(farm, watch, until, schemes):
    simulator = await farm(username="admin", password='p@ss:/"?', schemes=schemes)
    watched = watch(f"rtsp://127.0.0.1:{simulator.port}/plain", username="admin", password='p@ss:/"?')
    await until(lambda: watched.sink.packets, "packets")
    assert not any(watched.codes)


async def test_stale_nonces_are_renewed(farm, watch, until):
    simulator = await farm(Faults(rotate_nonce_after=1), username="admin", password="x")
    watched = watch(f"rtsp://127.0.0.1:{simulator.port}/plain", username="admin", password="x")
    await until(lambda: watched.sink.packets, "packets")


async def test_a_wrong_password_is_named_and_not_tried_again_and_again(farm, watch, until):
    simulator = await farm(username="admin", password="right", schemes=("sha256", "md5-qop", "md5", "basic"))
    watched = watch(
        f"rtsp://127.0.0.1:{simulator.port}/plain", username="admin", password="wrong", after_auth_failed_s=60
    )
    await until(lambda: any(watched.codes), "code")
    assert watched.state.code == "auth_failed"
    assert watched.state.condition is StreamCondition.FAILED
    assert "gate-3" in watched.state.message
    assert "check user and password" in watched.state.message
    assert "wrong" not in watched.state.message
    assert watched.sink.packets == []


async def test_a_server_that_always_refuses_gets_two_answers_at_most(farm, watch, until):
    simulator = await farm(Faults(always_401=True), username="a", password="b", schemes=("sha256", "md5-qop", "md5"))
    seen = []
    register = simulator._register
    simulator._register = lambda client, connected: (connected or seen.append(client), register(client, connected))
    watched = watch(f"rtsp://127.0.0.1:{simulator.port}/plain", username="a", password="b", after_auth_failed_s=60)
    await until(lambda: any(watched.codes) and seen, "code")
    assert seen[0].requests.count("DESCRIBE") == 3


async def test_no_password_at_all_is_asked_for(farm, watch, until):
    simulator = await farm(username="admin", password="right")
    watched = watch(f"rtsp://127.0.0.1:{simulator.port}/plain")
    await until(lambda: any(watched.codes), "code")
    assert watched.state.code == "auth_failed"
    assert "wants a user and a password" in watched.state.message


async def test_an_unknown_path_is_not_found(farm, watch, until):
    simulator = await farm()
    watched = watch(f"rtsp://127.0.0.1:{simulator.port}/nowhere")
    await until(lambda: any(watched.codes), "code")
    assert watched.state.code == "not_found"
    assert "check the path" in watched.state.message


async def test_a_closed_port_refuses(watch, until, free_port):
    watched = watch(f"rtsp://127.0.0.1:{free_port}/plain")
    await until(lambda: any(watched.codes), "code")
    assert watched.state.code == "refused"


async def test_an_unknown_host_is_a_dns_failure(watch, until):
    watched = watch("rtsp://no-such-camera.invalid/plain")
    await until(lambda: any(watched.codes), "code")
    assert watched.state.code == "dns"


async def test_an_address_that_is_none_is_unreachable(watch, until):
    watched = watch("rtsp://user:secret@/plain")
    await until(lambda: any(watched.codes), "code")
    assert watched.state.code == "unreachable"
    assert "secret" not in watched.state.message


async def test_a_port_that_never_answers_times_out(watch, until):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        watched = watch(f"rtsp://127.0.0.1:{listener.getsockname()[1]}/plain", response_s=0.2)
        await until(lambda: any(watched.codes), "code")
    assert watched.state.code == "timeout"
    assert "OPTIONS" in watched.state.message


async def test_a_web_server_is_not_a_video(watch, until):
    import asyncio

    async def answer(reader, writer):
        await reader.read(10)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        watched = watch(f"rtsp://127.0.0.1:{server.sockets[0].getsockname()[1]}/")
        await until(lambda: any(watched.codes), "code")
    assert watched.state.code == "not_a_video"


@pytest.mark.parametrize(
    ("sdp", "code", "word"),
    [
        ("v=0\r\nm=audio 0 RTP/AVP 0\r\n", "not_a_video", "no video track"),
        ("", "not_a_video", "no video track"),
        ("v=0\r\nm=video 0 RTP/AVP 26\r\n", "unsupported_codec", "JPEG"),
        ("v=0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 VP9/90000\r\n", "unsupported_codec", "VP9"),
    ],
)
async def test_a_stream_without_video_of_ours_is_named(farm, watch, until, sdp, code, word):
    simulator = await farm(Faults(sdp=sdp))
    watched = watch(f"rtsp://127.0.0.1:{simulator.port}/plain")
    await until(lambda: any(watched.codes), "code")
    assert watched.state.code == code
    assert word in watched.state.message


async def test_a_full_camera_is_busy(farm, watch, until):
    simulator = await farm(Faults(busy=True))
    watched = watch(f"rtsp://127.0.0.1:{simulator.port}/plain")
    await until(lambda: any(watched.codes), "code")
    assert watched.state.code == "busy"


async def test_redirects_are_followed_with_the_credentials(farm, watch, until):
    target = await farm(username="u", password="p")
    door = await farm(Faults(redirect_to=f"rtsp://127.0.0.1:{target.port}/plain"))
    watched = watch(f"rtsp://127.0.0.1:{door.port}/plain", username="u", password="p")
    await until(lambda: watched.sink.packets, "packets")


async def test_redirects_in_a_circle_end(farm, watch, until):
    door = await farm()
    door.faults = Faults(redirect_to=f"rtsp://127.0.0.1:{door.port}/plain")
    watched = watch(f"rtsp://127.0.0.1:{door.port}/plain")
    await until(lambda: any(watched.codes), "code")
    assert watched.state.code == "protocol"


async def test_a_sink_that_fails_shows_its_own_error(farm, watch, until):
    from perishield.model.errors import StorageError

    def fail(packet):
        raise StorageError("the disk is full: free some space", code="disk_full")

    simulator = await farm()
    watched = watch(f"rtsp://127.0.0.1:{simulator.port}/plain")
    watched.sink.packet = fail
    await until(lambda: any(watched.codes), "code")
    assert watched.state.code == "disk_full"
