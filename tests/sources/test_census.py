"""What is counted of a stream's packets before anything can be decoded."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perishield.model.media import Codec
from perishield.sources.doctor.census import Census
from perishield.sources.doctor.profiles import profile_name


def rtp(number: int, payload: bytes, timestamp: int = 0) -> bytes:
    return struct.pack("!BBHII", 0x80, 96, number & 0xFFFF, timestamp & 0xFFFFFFFF, 7) + payload


def counted(codec: Codec, *packets: bytes) -> Census:
    census = Census(codec)
    for index, packet in enumerate(packets):
        census.packet(packet, 0, len(packet), index * 0.01)
    return census


def test_gaps_are_losses_and_repetitions_are_not():
    census = counted(Codec.H264, *(rtp(n, b"\x41ab") for n in (65534, 65535, 0, 3, 3, 2, 4)))
    assert (census.packets, census.lost, census.late) == (5, 2, 2)


def test_kinds_are_told_in_single_units_aggregates_and_fragments():
    sets = b"\x18" + struct.pack("!H", 3) + b"\x67ab" + struct.pack("!H", 2) + b"\x68a"
    census = counted(Codec.H264, rtp(1, sets), rtp(2, b"\x7c\x85a"), rtp(3, b"\x7c\x45a"), rtp(4, b"\x41ab"))
    assert (census.keys, census.slices, census.missing_sets) == (1, 2, ())
    hevc = counted(Codec.H265, rtp(1, b"\x40\x01a"), rtp(2, b"\x62\x01\x93a"), rtp(3, b"\x02\x01a"))
    assert (hevc.keys, hevc.slices, hevc.missing_sets) == (1, 2, (33, 34))


def test_noise_looks_strange_and_video_does_not():
    noise = counted(Codec.H264, *(rtp(n, bytes((n * 37 & 255, n * 91 & 255, n * 53 & 255))) for n in range(200)))
    assert noise.strange > 0.2
    assert counted(Codec.H264, *(rtp(n, b"\x41ab") for n in range(20))).strange == 0


@pytest.mark.parametrize("late_s", [0.0, 0.02])
def test_jitter_is_the_change_of_transit_time(late_s):
    census = Census(Codec.H264)
    for n in range(400):
        packet = rtp(n, b"\x41ab", n * 3600 + 2**32 - 90_000)
        census.packet(packet, 0, len(packet), n * 0.04 + (n % 2) * late_s)
    assert census.jitter_s == pytest.approx(late_s, abs=0.001)


@given(st.lists(st.binary(max_size=80), max_size=40), st.sampled_from(Codec))
def test_no_bytes_break_it(packets, codec):
    census = counted(codec, *packets, *(b"\x80\x60" + packet for packet in packets))
    assert census.lost >= 0
    assert 0 <= census.strange <= 1


@pytest.mark.parametrize(
    ("mime", "name"),
    [
        ("avc1.42c01e", "Constrained Baseline, level 3.0"),
        ("avc1.640028", "High, level 4.0"),
        ("hvc1.2.4.H153.B0", "Main 10, high tier, level 5.1"),
        ("av01.0", "av01.0"),
        ("avc1.zz0028", "avc1.zz0028"),
    ],
)
def test_profiles_have_names(mime, name):
    assert profile_name(mime) == name


@given(st.text(max_size=30))
def test_any_string_has_some_name(text):
    assert profile_name(f"hvc1.{text}")
