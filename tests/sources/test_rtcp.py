from __future__ import annotations

import struct

from hypothesis import given
from hypothesis import strategies as st

from perishield.sources.rtsp.rtcp import read_sender_report, receiver_report, sender_report


@given(st.floats(1e9, 2e9), st.integers(0, 2**32 - 1))
def test_sender_reports_read_back(wall, timestamp):
    report = read_sender_report(sender_report(7, wall, timestamp, 10, 1000))
    assert report is not None
    assert abs(report.wall - wall) < 1e-6
    assert (report.timestamp, report.source) == (timestamp, (7).to_bytes(4, "big"))


def test_a_sender_without_a_clock_reports_nothing():
    packet = bytearray(sender_report(7, 1.7e9, 1, 10, 1000))
    packet[8:12] = bytes(4)
    assert read_sender_report(bytes(packet)) is None


def test_a_sender_report_is_found_behind_other_packets():
    goodbye = struct.pack("!BBHI", 0x81, 203, 1, 7)
    assert read_sender_report(goodbye + sender_report(7, 1.7e9, 5, 0, 0)) is not None


def test_receiver_reports_have_the_lengths_they_claim():
    data = receiver_report(1, b"\0\0\0\7", lost_share=300, lost=2**30, highest=9, middle=5, delay=1.5)
    position, kinds = 0, []
    while position < len(data):
        kinds.append(data[position + 1])
        position += 4 + 4 * int.from_bytes(data[position + 2 : position + 4], "big")
    assert position == len(data)
    assert kinds == [201, 202]
    assert int.from_bytes(data[28:32], "big") == int(1.5 * 65536)


@given(st.binary(max_size=100))
def test_any_bytes_are_a_report_or_none(data):
    read_sender_report(data)
    read_sender_report(b"\x80\xc8" + data)
