"""Datagrams: from whom, in which order, and what happens when there are none."""

from __future__ import annotations

import asyncio
import socket
import struct
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from perishield.model.errors import SourceError
from perishield.model.site import Transport
from perishield.sources.reception import Reception
from perishield.sources.rtsp.udp import UdpPair
from perishield.sources.simulator import Faults

UDP = Transport.UDP


def rtp(number: int, source: int = 7, payload: bytes = b"pay") -> bytes:
    return struct.pack("!BBHII", 0x80, 96, number & 0xFFFF, 0, source) + payload


class Pair:
    """A pair on loopback and what it hands on, cut up again."""

    def __init__(self, *, server: str = "127.0.0.1", ports: tuple[int, int] = (0, 0), source: str = "") -> None:
        self.packets: list[tuple[int, bytes]] = []
        self.errors: list[Exception] = []
        self.reception = Reception()
        self.pair = UdpPair(
            "127.0.0.1",
            socket.AF_INET,
            channel=4,
            feed=self._feed,
            on_error=self.errors.append,
            reception=self.reception,
        )
        self.pair.begin(server, source, ports)

    def _feed(self, view: memoryview | bytes) -> None:
        data, position = bytes(view), 0
        while position < len(data):
            mark, channel, size = struct.unpack_from("!BBH", data, position)
            assert mark == 0x24
            self.packets.append((channel, data[position + 4 : position + 4 + size]))
            position += 4 + size
        assert position == len(data)

    @property
    def numbers(self) -> list[int]:
        return [int.from_bytes(packet[2:4], "big") for channel, packet in self.packets if channel == 4]


@pytest.fixture
async def pair():
    made: list[Pair] = []

    def start(**options) -> Pair:
        made.append(Pair(**options))
        return made[-1]

    yield start
    for one in made:
        one.pair.close()
        assert one.errors == []


@pytest.fixture
def sender():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
        made.bind(("127.0.0.1", 0))
        yield made


@pytest.mark.parametrize("low_delay", [True, False])
async def test_packets_come_framed_and_in_order(pair, sender, until, low_delay):
    heard = pair()
    heard.pair.low_delay = low_delay
    assert heard.pair.port % 2 == 0
    for number in (65_534, 65_535, 1, 0, 2, 2, 4, 3):
        sender.sendto(rtp(number), ("127.0.0.1", heard.pair.port))
        await asyncio.sleep(0)
    await until(lambda: len(heard.numbers) == 7, "packets")
    assert heard.numbers == [65_534, 65_535, 0, 1, 2, 3, 4]
    assert (heard.reception.reordered, heard.reception.duplicates) == (2, 1)


async def test_a_gap_is_passed_on_when_it_has_lasted(pair, sender, until):
    heard = pair()
    for number in (1, 2, 4, 5):
        sender.sendto(rtp(number), ("127.0.0.1", heard.pair.port))
    await until(lambda: heard.numbers == [1, 2, 4, 5], "what follows the gap")
    sender.sendto(rtp(3), ("127.0.0.1", heard.pair.port))
    await until(lambda: heard.reception.late == 1, "the late one")


async def test_control_packets_come_on_the_next_channel_from_either_port(pair, sender, until):
    heard = pair()
    report = struct.pack("!BBHI", 0x81, 200, 1, 7)
    sender.sendto(report, ("127.0.0.1", heard.pair.port + 1))
    sender.sendto(rtp(1), ("127.0.0.1", heard.pair.port))
    sender.sendto(report + bytes(4), ("127.0.0.1", heard.pair.port))
    await until(lambda: len(heard.packets) == 3, "packets")
    assert sorted(heard.packets) == sorted([(5, report), (4, rtp(1)), (5, report + bytes(4))])


async def test_large_datagrams_come_whole(pair, sender, until):
    heard = pair()
    for number in range(8):
        sender.sendto(rtp(number, payload=bytes(60_000)), ("127.0.0.1", heard.pair.port))
        await until(lambda number=number: len(heard.packets) == number + 1, "packet")
    assert all(len(packet) == 60_012 for _, packet in heard.packets)


async def test_strangers_are_not_heard_beside_the_server(pair, sender, until):
    heard = pair()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.bind(("127.0.0.2", 0))
        for number in range(10):
            stranger.sendto(rtp(500 + number), ("127.0.0.1", heard.pair.port))
        sender.sendto(rtp(1), ("127.0.0.1", heard.pair.port))
        await until(lambda: heard.numbers == [1], "the server's packet")
        for number in range(40):
            stranger.sendto(rtp(600 + number), ("127.0.0.1", heard.pair.port))
        sender.sendto(rtp(2), ("127.0.0.1", heard.pair.port))
        await until(lambda: heard.numbers == [1, 2], "the server's packets")
    assert heard.pair.refused == 10


@pytest.mark.parametrize("named", [True, False])
async def test_a_server_with_two_addresses_is_believed(pair, until, named):
    heard = pair(source="127.0.0.3" if named else "")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as elsewhere:
        elsewhere.bind(("127.0.0.3", 0))
        for number in range(20):
            elsewhere.sendto(rtp(number), ("127.0.0.1", heard.pair.port))
        await until(lambda: heard.numbers and heard.numbers[-1] == 19, "packets")
    assert len(heard.numbers) == (20 if named else 5)


async def test_the_way_through_a_router_is_opened_and_reports_find_back(pair, until):
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as media,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control,
    ):
        for one in (media, control):
            one.bind(("127.0.0.1", 0))
            one.settimeout(5)
        heard = pair(ports=(media.getsockname()[1], control.getsockname()[1]))
        punch, sender = media.recvfrom(100)
        assert punch[0] == 0x80
        assert sender == ("127.0.0.1", heard.pair.port)
        assert control.recvfrom(100)[1] == ("127.0.0.1", heard.pair.port + 1)
        heard.pair.send_control(b"report")
        assert control.recv(100) == b"report"


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.one_of(st.binary(max_size=60), st.integers(0, 0xFFFF).map(rtp)), min_size=1, max_size=20))
async def test_any_datagrams_are_taken(pair, sender, until, datagrams):
    heard = pair()
    for datagram in datagrams:
        sender.sendto(datagram, ("127.0.0.1", heard.pair.port))
        sender.sendto(datagram, ("127.0.0.1", heard.pair.port + 1))
    sender.sendto(struct.pack("!BBHI", 0x81, 200, 1, 9), ("127.0.0.1", heard.pair.port + 1))
    await until(lambda: any(packet[-4:] == b"\0\0\0\x09" for _, packet in heard.packets), "the last one")
    heard.pair.close()


async def test_without_free_ports_it_says_so(monkeypatch):
    def refuse(self, address):
        raise OSError("in use")

    monkeypatch.setattr(socket.socket, "bind", refuse)
    with pytest.raises(SourceError) as caught:
        Pair()
    assert "ports" in caught.value.message


async def test_a_camera_that_refuses_tcp_is_read_over_udp(farm, watch, until):
    simulator = await farm(Faults(refuse_tcp=True))
    watched = watch(f"rtsp://127.0.0.1:{simulator.port}/plain")
    await until(lambda: len(watched.sink.packets) >= 30, "packets")
    assert watched.reception.transport == "udp"
    assert watched.sink.discontinuities == []
    await until(lambda: watched.states[-1].transport == "udp", "state", 20)


async def test_a_camera_set_to_tcp_is_not_read_over_udp(farm, watch, until):
    simulator = await farm(Faults(refuse_tcp=True))
    watched = watch(f"rtsp://127.0.0.1:{simulator.port}/plain", transport=Transport.TCP)
    await until(lambda: any(watched.codes), "code")
    assert watched.state.code == "protocol"
    assert "transport" in watched.state.message


async def test_where_no_datagram_comes_tcp_takes_over_and_stays(farm, watch, until):
    simulator = await farm(Faults(udp_silent=True))
    watched = watch(f"rtsp://127.0.0.1:{simulator.port}/plain", transport=UDP, datagram_s=0.3)
    await until(lambda: len(watched.sink.packets) >= 10, "packets")
    assert watched.reception.transport == "tcp"
    assert not any(watched.codes)
    simulator.drop_clients()
    before = len(watched.sink.packets)
    await until(lambda: len(watched.sink.packets) >= before + 10, "packets after a reconnect")
    assert watched.reception.transport == "tcp"
    assert {client.requests.count("SETUP") for client in simulator.clients} == {1}


async def test_where_neither_way_leads_to_packets_it_says_why(farm, watch, until):
    simulator = await farm(Faults(udp_silent=True, refuse_tcp=True))
    watched = watch(f"rtsp://127.0.0.1:{simulator.port}/plain", datagram_s=0.3)
    await until(lambda: any(watched.codes), "code")
    assert watched.state.code == "timeout"
    assert "firewall" in watched.state.message


async def test_silence_in_the_middle_is_noticed(farm, watch, until):
    simulator = await farm(Faults(silent_after_packets=40))
    watched = watch(f"rtsp://127.0.0.1:{simulator.port}/plain", transport=UDP, idle_s=0.5)
    await until(lambda: any(watched.codes), "code")
    assert watched.state.code == "timeout"
    assert "no packet" in watched.state.message


async def test_a_rough_network_costs_frames_but_never_order(farm, watch, until):
    simulator = await farm(Faults(udp_loss=5, udp_reorder=3, udp_duplicate_every_n=7))
    watched = watch(f"rtsp://127.0.0.1:{simulator.port}/plain", transport=UDP)
    await until(lambda: watched.sink.discontinuities.count("loss") >= 3, "losses", 40)
    await watched.stop()
    sink, reception = watched.sink, watched.reception
    assert sink.decode() >= len(sink.packets) - 1
    assert all(later.dts > earlier.dts for earlier, later in pairwise(sink.packets))
    assert reception.lost > 0
    assert reception.reordered > 0
    assert reception.duplicates > 0
    assert watched.source._status.frames_lost > 0


async def test_only_shuffled_packets_cost_nothing(farm, watch, until):
    simulator = await farm(Faults(udp_reorder=6))
    watched = watch(f"rtsp://127.0.0.1:{simulator.port}/reordered", transport=UDP)
    await until(lambda: len(watched.sink.packets) >= 40, "packets")
    await watched.stop()
    assert watched.sink.discontinuities == []
    assert watched.reception.reordered > 0
    assert watched.reception.lost == 0
    assert watched.sink.decode() >= len(watched.sink.packets) - 3


async def test_receiver_reports_reach_the_server(farm, watch, until, monkeypatch):
    from perishield.sources.rtsp import session

    monkeypatch.setattr(session, "_REPORT_EVERY_S", 0.3)
    simulator = await farm()
    watch(f"rtsp://127.0.0.1:{simulator.port}/plain", transport=UDP)
    await until(lambda: simulator._datagrams.reports >= 3, "reports")


async def test_low_delay_can_be_switched_while_datagrams_come(farm, watch, until):
    simulator = await farm()
    watched = watch(f"rtsp://127.0.0.1:{simulator.port}/plain", transport=UDP)
    await until(lambda: len(watched.sink.packets) >= 10, "packets")
    for wanted in (True, False, True):
        watched.source.low_delay = wanted
        before = len(watched.sink.packets)
        await until(lambda before=before: len(watched.sink.packets) >= before + 10, "packets")
    assert watched.sink.discontinuities == []
