"""Runs of fragments taken in one go: exactly what packet by packet gives, whatever goes missing."""

from __future__ import annotations

import struct
from itertools import pairwise

from hypothesis import given, settings, strategies

from perishield.model.media import Codec
from perishield.sources.parameter_sets import ParameterSets
from perishield.sources.rtsp.framing import Framer
from perishield.sources.rtsp.h264 import H264Depacketizer
from perishield.sources.rtsp.h265 import H265Depacketizer
from perishield.sources.rtsp.rtp import RtpTrack

Unit = tuple[list[bytes], int, bool, bool, int]


def slice_of(index: int, size: int) -> bytes:
    """Slice data; its first bit says that a picture begins here."""
    return bytes((0x80, *((index * 7 + place) & 0xFF for place in range(1, size))))


def stream(codec: Codec, units: list[int], faults: dict[int, str]) -> bytes:
    """Interleaved packets of slices of these sizes, three bytes of payload each; some dropped, doubled or odd."""
    return pictures(codec, [[size] for size in units], faults)


def pictures(
    codec: Codec, units: list[list[int]], faults: dict[int, str], *, marks: bool = True, key: int = -1
) -> bytes:
    """The same of pictures of several slices each. Slices of less than 9 bytes go whole; `marks`: a picture's last
    packet bears the marker; every `key`-th picture is a key frame.
    """
    out = bytearray()
    number = 65_530
    for index, sizes in enumerate(units):
        kind = (5 if codec is Codec.H264 else 19) if key > 0 and index % key == 0 else 1
        packets: list[tuple[bytes, bytes]] = []
        for order, size in enumerate(sizes):
            body = slice_of(index + order, size)
            whole = bytes((0x60 | kind,)) if codec is Codec.H264 else bytes((kind << 1, 1))
            pieces = [body[at : at + 3] for at in range(0, size, 3)]
            for place, piece in enumerate(pieces if size > 8 else [body]):
                flags = (0x80 if place == 0 else 0) | (0x40 if place == len(pieces) - 1 else 0) | kind
                fragment = bytes((0x7C, flags)) if codec is Codec.H264 else bytes((98, 1, flags))
                packets.append((fragment if size > 8 else whole, piece))
        for place, (head, piece) in enumerate(packets):
            last = marks and place == len(packets) - 1
            fault = faults.get(number & 0xFFFF, "")
            rtp = struct.pack("!BBHII", 0x80, 96 | (0x80 if last else 0), number & 0xFFFF, index * 3600, 7)
            number += 1
            packet = rtp + head + piece
            if fault == "extension":
                packet = bytes((0x90,)) + packet[1:12] + b"\0\1\0\0" + head + piece
            frame = b"$\0" + len(packet).to_bytes(2, "big") + packet
            if fault == "stray":
                frame = b"$\x05\0\3abc" + frame
            out += b"" if fault == "lost" else frame * 2 if fault == "twice" else frame
    return bytes(out)


def units_of(
    codec: Codec, data: bytes, cuts: list[int], *, runs: bool, ordered: bool = False
) -> tuple[list[Unit], list[int], int]:
    """`ordered`: the first two bytes of an H.265 payload are its decoding order number."""
    found: list[Unit] = []
    losses: list[int] = []
    sets = ParameterSets(codec)
    depacketizer = H264Depacketizer(sets) if codec is Codec.H264 else H265Depacketizer(sets, ordered=ordered)
    track = RtpTrack(96, depacketizer, lambda *unit: found.append(unit), losses.append)
    framer = Framer(lambda message: None)
    framer.attach((0, 1), track.packet, lambda *_: None, lambda: None, track.carry_on if runs else None)
    edges = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    for begin, end in pairwise(edges):
        framer.feed(data[begin:end])
    return found, losses, track.packets


@settings(max_examples=150, deadline=None)
@given(
    codec=strategies.sampled_from(list(Codec)),
    units=strategies.lists(strategies.integers(1, 60), min_size=1, max_size=12),
    faults=strategies.dictionaries(
        strategies.integers(0, 80).map(lambda offset: (65_530 + offset) & 0xFFFF),
        strategies.sampled_from(["lost", "twice", "extension", "stray"]),
        max_size=5,
    ),
    cuts=strategies.lists(strategies.integers(0, 10_000), max_size=12),
)
def test_a_run_gives_what_single_packets_give(
    codec: Codec, units: list[int], faults: dict[int, str], cuts: list[int]
) -> None:
    data = stream(codec, units, faults)
    assert units_of(codec, data, cuts, runs=True) == units_of(codec, data, cuts, runs=False)


@settings(max_examples=150, deadline=None)
@given(
    codec=strategies.sampled_from(list(Codec)),
    units=strategies.lists(
        strategies.lists(strategies.integers(1, 40), min_size=1, max_size=3), min_size=1, max_size=24
    ),
    marks=strategies.booleans(),
    key=strategies.integers(-1, 3),
    faults=strategies.dictionaries(
        strategies.integers(0, 200).map(lambda offset: (65_530 + offset) & 0xFFFF),
        strategies.sampled_from(["lost", "twice", "extension", "stray"]),
        max_size=5,
    ),
    cuts=strategies.lists(strategies.integers(0, 20_000), max_size=12),
    ordered=strategies.booleans(),
)
def test_so_do_pictures_of_several_slices_whole_or_in_fragments(
    codec: Codec,
    units: list[list[int]],
    marks: bool,
    key: int,
    faults: dict[int, str],
    cuts: list[int],
    ordered: bool,
) -> None:
    data = pictures(codec, units, faults, marks=marks, key=key)
    alone = units_of(codec, data, cuts, runs=False, ordered=ordered)
    assert units_of(codec, data, cuts, runs=True, ordered=ordered) == alone


def test_a_clean_stream_is_taken_whole() -> None:
    found, losses, packets = units_of(Codec.H264, stream(Codec.H264, [30, 12, 45], {}), [17, 90], runs=True)
    sizes = [30, 12, 45]
    assert [b"".join(unit[0])[5:] for unit in found] == [slice_of(index, size) for index, size in enumerate(sizes)]
    assert losses == []
    assert packets == 10 + 4 + 15
