"""What real cameras and networks do to a stream, and how it goes on."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest

from perishield.model.media import StreamCondition
from perishield.sources.simulator import Faults

TOLERATED = {
    "no session timeout": Faults(session_timeout_s=0),
    "lower-case headers": Faults(lower_case_headers=True),
    "base of another host": Faults(content_base="rtsp://192.0.2.1:8554/plain/"),
    "base with a doubled scheme": Faults(content_base="rtsp://rtsp://192.0.2.1/plain/"),
    "base without a scheme": Faults(content_base="192.0.2.1:554/plain/"),
    "base that is no address": Faults(content_base="::"),
    "no base at all": Faults(content_base=""),
    "no parameter sets in the description": Faults(no_parameter_sets=True),
    "other channels than asked for": Faults(channels=(4, 5)),
    "odd channels": Faults(channels=(7, 2)),
    "only one channel named": Faults(single_channel=True),
    "data before the answer to PLAY": Faults(data_before_play_answer=True),
    "requests of the server's": Faults(server_options=True),
    "line ends between packets": Faults(newline_before_packets=True),
    "packets of a foreign channel": Faults(stray_packets=True),
    "markers never": Faults(marker="never"),
}


@pytest.mark.parametrize("name", TOLERATED)
async def test_it_is_tolerated(farm, watch, until, name):
    simulator = await farm(TOLERATED[name])
    watched = watch(f"rtsp://127.0.0.1:{simulator.port}/plain?channel=1&subtype=0")
    await until(lambda: len(watched.sink.packets) >= 15, "packets")
    assert watched.sink.discontinuities == []
    assert watched.sink.decode() >= len(watched.sink.packets) - 1
    assert watched.state.frames_lost == 0


async def test_lost_packets_cost_frames_up_to_the_next_key_frame(farm, watch, until):
    simulator = await farm(Faults(drop_every_n_packets=61))
    watched = watch(f"rtsp://127.0.0.1:{simulator.port}/plain")
    await until(lambda: watched.sink.discontinuities.count("loss") >= 2, "losses")
    await watched.stop()
    log = watched.sink.log
    assert all(log[index + 1] == "key" for index, word in enumerate(log[:-1]) if word == "discontinuity")
    assert watched.sink.decode() >= len(watched.sink.packets) - 1
    assert watched.source._status.frames_lost > 0


async def test_garbage_between_packets_is_overcome(farm, watch, until):
    simulator = await farm(Faults(garbage_every_n_packets=60))
    watched = watch(f"rtsp://127.0.0.1:{simulator.port}/plain")
    await until(lambda: watched.sink.discontinuities, "discontinuity")
    await until(lambda: len(watched.sink.packets) >= 30, "packets")
    assert watched.sink.decode() >= len(watched.sink.packets) - 1


async def test_hopeless_garbage_ends_the_connection(farm, watch, until):
    simulator = await farm(Faults(garbage_every_n_packets=1))
    watched = watch(f"rtsp://127.0.0.1:{simulator.port}/plain")
    await until(lambda: any(watched.codes), "code")
    assert watched.state.code == "protocol"


async def test_silence_is_noticed(farm, watch, until):
    simulator = await farm(Faults(silent_after_packets=30, no_sender_reports=True))
    watched = watch(f"rtsp://127.0.0.1:{simulator.port}/plain", idle_s=0.5)
    await until(lambda: any(watched.codes), "code")
    assert watched.state.code == "timeout"
    assert "no packet" in watched.state.message


async def test_a_stream_that_never_shows_a_key_frame_is_named(farm, watch, until):
    simulator = await farm(Faults(drop_every_n_packets=3))
    watched = watch(f"rtsp://127.0.0.1:{simulator.port}/plain", key_frame_s=0.8)
    await until(lambda: any(watched.codes), "code")
    assert watched.state.code == "timeout"
    assert "key frame" in watched.state.message


async def test_a_cut_stream_is_truncated_and_taken_up_again(farm, watch, until):
    simulator = await farm(Faults(truncate_after_packets=60))
    watched = watch(f"rtsp://127.0.0.1:{simulator.port}/plain")
    await until(lambda: "truncated" in watched.codes, "code")
    simulator.faults = Faults()
    before = len(watched.sink.packets)
    await until(lambda: len(watched.sink.packets) >= before + 30, "packets")
    assert watched.sink.discontinuities[0] == "reconnect"
    assert watched.sink.decode() >= len(watched.sink.packets) - 2


async def test_stream_time_goes_on_with_the_clock_over_a_reconnect(farm, watch, until):
    simulator = await farm()
    watched = watch(f"rtsp://127.0.0.1:{simulator.port}/plain")
    await until(lambda: len(watched.sink.packets) >= 10, "packets")
    simulator.drop_clients()
    before = len(watched.sink.packets)
    await until(lambda: "reconnect" in watched.sink.discontinuities, "reconnect")
    await until(lambda: len(watched.sink.packets) >= before + 5, "packets")
    sink = watched.sink
    at = sink.log.index("discontinuity")
    assert sink.log[at : at + 3] == ["discontinuity", "format", "key"]
    last, first = sink.packets[before - 1], sink.packets[before]
    assert (first.dts - last.dts) / 90_000 == pytest.approx(first.wall - last.wall, abs=0.25)
    assert watched.state.condition is StreamCondition.LIVE
    assert watched.state.reconnects >= 1


async def test_jumping_timestamps_leave_no_trace_in_stream_time(farm, watch, until):
    for jump in (90_000 * 3600, -90_000 * 30):
        simulator = await farm(Faults(timestamp_jump=jump, jump_after_frames=10))
        watched = watch(f"rtsp://127.0.0.1:{simulator.port}/plain")
        await until(lambda watched=watched: len(watched.sink.packets) >= 30, "packets")
        steps = [later.dts - earlier.dts for earlier, later in pairwise(watched.sink.packets)]
        assert max(steps) < 90_000
        assert watched.source._delivery.jumps == 1
        await watched.stop()


async def test_sessions_are_kept_alive(farm, watch, until):
    simulator = await farm(Faults(session_timeout_s=1, enforce_timeout=True))
    watched = watch(f"rtsp://127.0.0.1:{simulator.port}/plain")
    await until(lambda: len(watched.sink.packets) >= 40, "packets")
    assert not any(watched.codes)
    assert [client.requests.count("GET_PARAMETER") >= 3 for client in simulator.clients] == [True]


async def test_keep_alives_that_the_server_refuses_are_sent_another_way(farm, watch, until):
    simulator = await farm(Faults(session_timeout_s=1, enforce_timeout=True, no_get_parameter=True))
    watched = watch(f"rtsp://127.0.0.1:{simulator.port}/plain")
    await until(lambda: any(client.requests.count("OPTIONS") >= 3 for client in simulator.clients), "keep-alives")
    assert [client.requests.count("GET_PARAMETER") for client in simulator.clients] == [1]
    assert not any(watched.codes)


async def test_leaving_ends_the_session_politely(farm, watch, until):
    simulator = await farm()
    watched = watch(f"rtsp://127.0.0.1:{simulator.port}/plain")
    await until(lambda: watched.sink.packets, "packets")
    (client,) = simulator.clients
    await watched.stop()
    await until(lambda: not simulator.clients, "goodbye")
    assert client.requests[-1] == "TEARDOWN"


async def test_low_delay_can_be_switched_while_playing(farm, watch, until):
    simulator = await farm()
    watched = watch(f"rtsp://127.0.0.1:{simulator.port}/plain")
    low_water = lambda: watched.source._session and watched.source._session._low_water  # noqa: E731
    await until(lambda: low_water() and low_water().mark > 1, "a raised mark")
    watched.source.low_delay = True
    assert low_water().mark == 1
    before = len(watched.sink.packets)
    await until(lambda: len(watched.sink.packets) >= before + 10, "packets")
    assert low_water().mark == 1
    watched.source.low_delay = False
    await until(lambda: low_water().mark > 1, "a raised mark")


async def test_many_clients_share_one_timeline(farm, watch, until):
    simulator = await farm()
    several = [watch(f"rtsp://127.0.0.1:{simulator.port}/plain?{number}") for number in range(12)]
    await until(lambda: all(len(watched.sink.packets) >= 40 for watched in several), "packets")
    await asyncio.gather(*(watched.stop() for watched in several))
    walls = [{round(packet.wall * 25) for packet in watched.sink.packets} for watched in several]
    assert set.intersection(*walls), "all see the same frames at the same time"
    assert not any(watched.sink.discontinuities for watched in several)
