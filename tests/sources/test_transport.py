from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perishield.sources.rtsp.transport import TransportAnswer, over_tcp, over_udp, read_transport


@pytest.mark.parametrize(
    ("header", "answer"),
    [
        ("RTP/AVP/TCP;unicast;interleaved=0-1", TransportAnswer((0, 1))),
        ("RTP/AVP;unicast; interleaved = 4 - 5 ;ssrc= 12 AB", TransportAnswer((4, 5))),
        ("ssrc=1;RTP/AVP/TCP;interleaved=2", TransportAnswer((2, 3))),
        ("RTP/AVP/TCP;interleaved=255", TransportAnswer((255, 0))),
        ("RTP/AVP/TCP;unicast", TransportAnswer()),
        ("", TransportAnswer()),
        ("RTP/AVP;unicast;client_port=50000-50001;server_port=0", TransportAnswer(udp=True)),
        ("RTP/AVP/UDP;server_port=6970;source=10.0.0.9", TransportAnswer(None, (6970, 6971), "10.0.0.9", udp=True)),
        (
            "RTP/AVP;unicast;source=[fe80::1%eth0];client_port=1-2;server_port=8000-8003",
            TransportAnswer(None, (8000, 8003), "fe80::1%eth0", udp=True),
        ),
        ("RTP/AVP;multicast;destination=239.0.0.1;port=5000-5001", TransportAnswer(udp=True, multicast=True)),
        ("RTP/AVP;server_port=99999-99999", TransportAnswer(udp=True)),
        ("RTP/AVP/TCP;interleaved=0-1,RTP/AVP;server_port=1-2", TransportAnswer((0, 1))),
    ],
)
def test_servers_answers(header, answer):
    assert read_transport(header) == answer


def test_what_is_asked_for():
    assert over_tcp(2) == "RTP/AVP/TCP;unicast;interleaved=2-3"
    assert over_udp(50_000) == "RTP/AVP;unicast;client_port=50000-50001"


words = st.sampled_from(
    ["RTP/AVP", "unicast", "multicast", "interleaved=", "server_port=", "source=", "client_port=", ";", "-", ",", "="]
)


@given(st.lists(st.one_of(words, st.integers(0, 10**9).map(str), st.text(max_size=5)), max_size=20).map("".join))
def test_any_header_is_some_answer(header):
    answer = read_transport(header)
    assert all(0 <= port < 65_536 for port in answer.ports)
    assert answer.channels is None or all(0 <= channel < 256 for channel in answer.channels)
    assert not (answer.udp and answer.channels)
