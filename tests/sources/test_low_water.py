from __future__ import annotations

import socket

import pytest

from perishield.sources.rtsp.low_water import LowWater


class Wire:
    """A transport of a real TCP connection, as far as LowWater looks."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection

    def get_extra_info(self, name: str) -> socket.socket:
        return self.connection

    @property
    def mark(self) -> int:
        return self.connection.getsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT)


@pytest.fixture
def wire():
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.create_connection(listener.getsockname()) as connection,
    ):
        yield Wire(connection)


def test_the_mark_follows_the_bit_rate(wire):
    low_water, received = LowWater(wire, low_delay=False), 0
    for rate, expected in ((250_000, 50_000), (40_000, 8_000), (4_000_000, 131_072)):
        for _ in range(40):
            received += rate // 2
            low_water.tick(received, 0.5)
        assert wire.mark == low_water.mark == pytest.approx(expected, rel=0.3)
        assert wire.mark <= 131_072


def test_little_and_nothing_are_read_at_once(wire):
    low_water, received = LowWater(wire, low_delay=False), 0
    for _ in range(10):
        received += 100_000
        low_water.tick(received, 0.5)
    assert wire.mark > 1
    low_water.tick(received, 0.5)
    assert wire.mark == 1
    low_water.tick(received + 500, 0.5)
    assert wire.mark == 1


def test_low_delay_keeps_it_at_one_byte(wire):
    low_water = LowWater(wire, low_delay=True)
    low_water.tick(1_000_000, 0.5)
    low_water.tick(2_000_000, 0.5)
    assert wire.mark == 1
