from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from perishield.model.media import Codec, VideoFormat
from perishield.streams.fmp4 import Origin, chunk_head, init_segment
from perishield.streams.fmp4_reader import parse_init, read_init, walk

VIDEO = VideoFormat(
    Codec.H264,
    1280,
    720,
    (bytes.fromhex("6742c01fda014016e840000003004000000c8360ca80"), bytes.fromhex("68ce3c80")),
    "avc1.42c01f",
)
INIT = init_segment(VIDEO, Origin(7, 8, 9.0))


@contextmanager
def opened(data: bytes) -> Iterator[int]:
    fd = os.memfd_create("segment")
    try:
        os.write(fd, data)
        yield fd
    finally:
        os.close(fd)


def chunk(number: int, decode_time: int, sizes: list[int], *, key: bool) -> bytes:
    return chunk_head(number, decode_time, key, [3600] * len(sizes), sizes) + bytes(sum(sizes))


WHOLE = INIT + chunk(0, 0, [500, 20, 30], key=True) + chunk(1, 10_800, [40, 50], key=False)


@given(st.integers(len(INIT), len(WHOLE)))
def test_a_file_cut_anywhere_ends_with_its_last_whole_chunk(length: int) -> None:
    with opened(WHOLE[:length]) as fd:
        found = list(walk(fd, len(INIT)))
    ends = [piece.offset + piece.length for piece in found]
    assert all(end <= length for end in ends)
    first = len(INIT) + len(chunk(0, 0, [500, 20, 30], key=True))
    assert len(found) == (length >= first) + (length >= len(WHOLE))


@given(st.binary(max_size=4000))
def test_arbitrary_bytes_are_no_segment_and_do_no_harm(data: bytes) -> None:
    with opened(data) as fd:
        assert read_init(fd) is None or data[4:8] == b"ftyp"
        assert sum(piece.length for piece in walk(fd, 0)) <= len(data)
    parse_init(data)


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(st.integers(0, len(WHOLE) - 1), st.integers(0, 255)), min_size=1, max_size=12))
def test_damaged_files_are_read_within_their_bounds(damage: list[tuple[int, int]]) -> None:
    data = bytearray(WHOLE)
    for position, value in damage:
        data[position] = value
    with opened(bytes(data)) as fd:
        read_init(fd)
        for piece in walk(fd, len(INIT)):
            assert piece.offset + piece.length <= len(data)
            assert piece.data_offset + sum(piece.sizes) == piece.offset + piece.length - piece.offset


@pytest.mark.parametrize("bad", [b"", b"\0" * 8, INIT[:-1], INIT[:40]])
def test_half_an_init_segment_is_none(bad: bytes, tmp_path: Path) -> None:
    with opened(bad) as fd:
        assert read_init(fd) is None
