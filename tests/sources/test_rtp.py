"""Access units through packets and back, for both codecs; losses, odd markers, foreign packets, any bytes."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perishield.model.media import Codec
from perishield.sources.parameter_sets import ParameterSets
from perishield.sources.rtsp.h264 import H264Depacketizer
from perishield.sources.rtsp.h265 import H265Depacketizer
from perishield.sources.rtsp.rtp import RtpTrack
from perishield.sources.simulator.packetizer import packetize, stamp

SOURCE = 0x1234ABCD


class Receiver:
    def __init__(self, codec: Codec = Codec.H264) -> None:
        self.units: list[tuple[bytes, bool, int]] = []
        self.losses: list[int] = []
        sets = ParameterSets(codec)
        self.depacketizer = H264Depacketizer(sets) if codec is Codec.H264 else H265Depacketizer(sets)
        self.track = RtpTrack(96, self.depacketizer, self._unit, self.losses.append)

    def _unit(self, data, size, key, recovery, timestamp):
        joined = b"".join(data)
        assert len(joined) == size
        self.units.append((joined, key, timestamp))

    def take(self, *packets: bytes) -> None:
        for packet in packets:
            self.track.packet(b"??" + packet + b"??", 2, 2 + len(packet))


def rtp(
    payload: bytes, number: int, timestamp: int, *, marker: bool = True, kind: int = 96, source: int = SOURCE
) -> bytes:
    return struct.pack("!BBHII", 0x80, kind | marker << 7, number & 0xFFFF, timestamp, source) + payload


def mp4(*nals: bytes) -> bytes:
    return b"".join(len(nal).to_bytes(4, "big") + nal for nal in nals)


def split(buffer: bytearray, frames: tuple[int, ...]) -> list[bytes]:
    return [bytes(buffer[begin + 4 : end]) for begin, end in zip(frames, (*frames[1:], len(buffer)), strict=True)]


def unit_packets(codec: Codec, nals: list[bytes], number: int, timestamp: int, mtu: int = 60) -> list[bytes]:
    buffer, frames = packetize(codec, nals, SOURCE, mtu=mtu)
    stamp(buffer, frames, number & 0xFFFF, timestamp)
    return split(buffer, frames)


HEADS = {Codec.H264: (b"\x41\x9a", b"\x65\x88"), Codec.H265: (b"\x02\x01\x80", b"\x26\x01\x80")}
HIDDEN = [b"\x65", b"\x67", b"\0\0\0\1\x67", b"\x26\1", b"\x42\1"]
body = st.binary(min_size=3, max_size=300).map(lambda data: data.replace(b"\0", b"\x11"))

several_units = st.lists(st.tuples(st.booleans(), st.lists(body, min_size=1, max_size=3)), min_size=1, max_size=8)
packaging = st.sampled_from([0x1C, 0x7C, 0x18, 0x78, 0x60, 0x62])
odd_payload = st.one_of(
    st.binary(max_size=50),
    st.builds(lambda a, b, c: bytes((a, b)) + c, packaging, st.integers(0, 255), st.binary(max_size=50)),
    st.builds(lambda a, b: a + b"\0\0\1" + b, st.sampled_from(HIDDEN), st.binary(max_size=50)),
)


@given(st.sampled_from(list(Codec)), several_units, st.integers(0, 0xFFFF), st.integers(10, 120))
def test_units_come_out_as_they_went_in(codec, units, number, mtu):
    receiver = Receiver(codec)
    expected = []
    for index, (key, bodies) in enumerate(units):
        nals = [HEADS[codec][key] + data for data in bodies]
        packets = unit_packets(codec, nals, number, index * 3600, mtu)
        number += len(packets)
        receiver.take(*packets)
        expected.append((mp4(*nals), key, index * 3600))
    assert receiver.units == expected
    assert receiver.losses == []


@given(st.sampled_from(list(Codec)), st.data())
def test_a_lost_packet_never_makes_a_damaged_unit(codec, data):
    receiver = Receiver(codec)
    whole, packets, number = set(), [], 65_500
    for index in range(6):
        nals = [HEADS[codec][index % 3 == 0] + bytes((index + 1,)) * data.draw(st.integers(5, 200))]
        cut = unit_packets(codec, nals, number, index * 3600)
        number += len(cut)
        packets += cut
        whole.add(mp4(*nals))
    lost = data.draw(st.integers(1, len(packets) - 2))
    receiver.take(*packets[:lost], *packets[lost + 1 :])
    assert {unit for unit, _, _ in receiver.units} <= whole
    assert receiver.losses == [1]
    assert len(receiver.units) >= 4


def test_markers_are_neither_needed_nor_believed():
    never = Receiver()
    never.take(*(rtp(b"\x41\x9a\x07", n, n * 3600, marker=False) for n in range(4)))
    assert [timestamp for _, _, timestamp in never.units] == [0, 3600, 7200]
    early = Receiver()
    early.take(rtp(b"\x06\x01\x01\x80", 0, 0), rtp(b"\x65\x88\x07", 1, 0))
    assert early.units == [(mp4(b"\x06\x01\x01\x80", b"\x65\x88\x07"), True, 0)]


def test_extensions_and_padding_are_passed_over():
    receiver = Receiver()
    header = struct.pack("!BBHII", 0x80 | 0x20 | 0x10 | 1, 96 | 0x80, 1, 0, SOURCE) + b"csrc" + b"\xbe\xde\0\1abcd"
    receiver.take(header + b"\x65\x88\x07" + b"\0\0\3")
    assert receiver.units[0][0] == mp4(b"\x65\x88\x07")


def test_a_repeated_packet_is_ignored_and_a_restarted_sequence_is_a_loss():
    receiver = Receiver()
    first = rtp(b"\x65\x88\x01", 500, 0)
    receiver.take(first, first, rtp(b"\x41\x9a\x02", 501, 3600), rtp(b"\x65\x88\x03", 20, 7200))
    assert len(receiver.units) == 3
    assert receiver.losses == [1]


def test_packets_of_a_stale_session_do_not_mix_in():
    receiver = Receiver()
    for number in range(40):
        receiver.take(rtp(b"\x65\x88\x01", number, number * 3600))
        receiver.take(rtp(b"\x65\x88\x02", 9000 + number, number, source=7))
    assert len(receiver.units) == 40
    assert receiver.losses == []


def test_a_new_source_alone_is_followed():
    receiver = Receiver()
    receiver.take(*(rtp(b"\x65\x88\x01", number, number * 3600) for number in range(3)))
    receiver.take(*(rtp(b"\x65\x88\x02", number, number * 3600, source=7) for number in range(40)))
    assert len(receiver.units) > 20
    assert receiver.losses == [0]
    assert receiver.track.source == (7).to_bytes(4, "big")


def test_an_undeclared_payload_type_is_skipped_unless_there_is_no_other():
    mixed, alone = Receiver(), Receiver()
    for number in range(40):
        mixed.take(rtp(b"\x65\x88\x01", number, number * 3600), rtp(b"\x65\x88\x02", number, number, kind=50))
        alone.take(rtp(b"\x65\x88\x01", number, number * 3600, kind=98))
    assert len(mixed.units) == 40
    assert len(alone.units) > 20


def test_a_unit_without_end_is_thrown_away():
    receiver = Receiver()
    receiver.take(rtp(b"\x65\x88\x01", 0, 0), rtp(b"\x5c\x85\x88", 1, 9, marker=False))
    for number in range(2, 300):
        receiver.take(rtp(b"\x5c\x05" + bytes(65_000), number, 9, marker=False))
        receiver.track.bound()
    assert receiver.losses
    assert sum(len(part) for part in receiver.depacketizer.unit) < 17 << 20


@pytest.mark.parametrize("codec", list(Codec))
@given(data=st.data())
def test_any_packets_are_taken(codec, data):
    receiver = Receiver(codec)
    number = 0
    for content in data.draw(st.lists(odd_payload, max_size=20)):
        number += data.draw(st.sampled_from([0, 1, 1, 1, 2, 70_000]))
        head = data.draw(st.sampled_from([0x80, 0x80, 0x80, 0x90, 0xA0, 0x8F, 0x40]))
        packet = bytearray(rtp(content, number, data.draw(st.integers(0, 3)), marker=data.draw(st.booleans())))
        packet[0] = head
        receiver.take(bytes(packet))
        receiver.track.bound()
    for unit, _, _ in receiver.units:
        assert unit
