"""What is taken out of a chunk is what was put in; bytes of any content do no harm."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perishield.live.coded import unpack
from perishield.live.description import describe
from perishield.live.piece import Track, make_piece
from perishield.model.media import TIMESCALE, AudioCodec, ChunkRef, Codec
from perishield.sources.bits import BitstreamError
from perishield.sources.bitstream import split_lengths


def read(camera: Any, ref: ChunkRef) -> tuple[bytes, bytes]:
    data = (camera.media / ref.path).read_bytes()
    return data[: ref.init_length], data[ref.offset : ref.offset + ref.length]


@pytest.mark.parametrize("codec", list(Codec))
def test_pictures_and_sounds_come_out_as_they_went_in(on_air: Callable[..., Any], codec: Codec) -> None:
    camera = on_air(codec, sound=True)
    camera.send(0, 3)
    camera.chunker.close()
    pictures, sounds = [], []
    for ref in camera.refs:
        head, chunk = read(camera, ref)
        found = describe(head)
        assert found is not None
        assert found.video.parameter_sets == camera.video.parameter_sets
        assert found.audio is not None
        assert (found.audio.codec, found.audio.rate) == (AudioCodec.PCMA, 8000)
        for coded in unpack(ref, chunk, found.video.parameter_sets):
            (sounds if coded.sound else pictures).append(coded)
    assert [coded.shown for coded in pictures] == [packet.pts for packet in camera.packets[: len(pictures)]]
    assert len(pictures) == 75
    for coded, packet in zip(pictures, camera.packets, strict=False):
        whole = split_lengths(b"".join(packet.data))
        assert coded.key == packet.key
        assert list(coded.parts[-len(whole) :]) == [nal for nal in whole if nal in coded.parts]
        if coded.key:
            assert set(camera.video.parameter_sets) <= set(coded.parts)
    assert [coded.shown for coded in sounds] == [index * 1800 for index in range(len(sounds))]
    assert len(sounds) >= 148
    assert {len(coded.parts[0]) for coded in sounds} == {160}


@given(noise=st.binary(max_size=400), cut=st.integers(0, 5000), sizes=st.lists(st.integers(0, 500), max_size=4))
def test_bytes_of_any_content_are_refused_or_read(noise: bytes, cut: int, sizes: list[int]) -> None:
    ref = ChunkRef(
        "gate", 1, 0, "p", 0, 0, len(noise), 0, 0, 0.0, 0.0, True, False, Codec.H264, "", 1, 1,
        tuple(sizes), (3600,) * len(sizes), (), (0,) * len(sizes), "pcma",
    )  # fmt: skip
    moof = (68 + 20).to_bytes(4, "big") + b"moof" + noise[:16] + (64).to_bytes(4, "big") + noise
    for data in (noise, moof, moof[:cut]):
        try:
            unpack(ref, data, ())
        except BitstreamError:
            continue
    describe(noise)
    describe(b"\0\0\0\x10ftypiso5\0\0\2\0" + noise)


def test_a_piece_is_the_same_on_any_channels(on_air: Callable[..., Any]) -> None:
    camera = on_air(sound=True)
    camera.send(0, 1)
    camera.chunker.close()
    ref = camera.refs[0]
    head, chunk = read(camera, ref)
    found = describe(head)
    assert found is not None
    video, sound = Track(96, 1, 0xFFFFFF00, 0xFFFE, TIMESCALE), Track(8, 2, 0, 7, 8000)
    piece = make_piece(ref, found, unpack(ref, chunk, found.video.parameter_sets), 500, video, sound)
    assert piece.on_channels(0, 2) == piece.framed
    moved = piece.on_channels(6, 9)
    assert len(moved) == len(piece.framed)
    position, seen = 0, {6: [], 9: []}
    while position < len(moved):
        size = int.from_bytes(moved[position + 2 : position + 4], "big")
        seen[moved[position + 1]].append(moved[position + 4 : position + 4 + size])
        position += 4 + size
    numbers = [int.from_bytes(packet[2:4], "big") for packet in seen[6]]
    assert numbers == [(0xFFFE + index) & 0xFFFF for index in range(len(numbers))]
    assert len(numbers) == video.packets
    assert int.from_bytes(seen[6][0][4:8], "big") == (0xFFFFFF00 + piece.units[0].shown) & 0xFFFFFFFF
    markers = sum(packet[1] >> 7 for packet in seen[6])
    assert markers == sum(not unit.sound for unit in piece.units)
    only = piece.on_channels(None, 1)
    assert sum(len(packet) + 4 for packet in seen[9]) == len(only)
    assert replace(piece, ref=replace(ref, key=False)).key is False
