from __future__ import annotations

import os
from itertools import pairwise
from pathlib import Path

import av
import pytest

from perishield.model.media import TIMESCALE, Codec, Packet, VideoFormat
from perishield.streams.fmp4 import (
    TFDT_OFFSET,
    Origin,
    chunk_head,
    index_room,
    init_segment,
    rewrite_decode_time,
    segment_index,
    with_duration,
)
from perishield.streams.fmp4_reader import parse_init, walk

Footage = tuple[VideoFormat, list[Packet]]
FRAME = TIMESCALE // 25


def chunked(packets: list[Packet], frames: int = 7) -> list[bytes]:
    """Chunks of a few frames, cut at key frames."""
    runs: list[list[Packet]] = []
    for packet in packets:
        if packet.key or not runs or len(runs[-1]) == frames:
            runs.append([])
        runs[-1].append(packet)
    chunks = []
    for number, run in enumerate(runs):
        composition = [packet.pts - packet.dts for packet in run]
        head = chunk_head(
            number,
            run[0].dts,
            run[0].key,
            [FRAME] * len(run),
            [packet.size for packet in run],
            composition if any(composition) else (),
        )
        chunks.append(head + b"".join(part for packet in run for part in packet.data))
    return chunks


def decoded(path: Path) -> list[int]:
    """Presentation times of all pictures that a decoder makes of the file, in ticks."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert stream.time_base is not None
        return [round(frame.pts * stream.time_base * TIMESCALE) for frame in container.decode(stream)]


def test_a_decoder_finds_every_frame_at_its_time(footage: Footage, tmp_path: Path) -> None:
    video, packets = footage
    path = tmp_path / "a.mp4"
    path.write_bytes(init_segment(video, Origin(1, 2, 3.0)) + b"".join(chunked(packets)))
    assert decoded(path) == sorted(packet.pts for packet in packets)
    with av.open(str(path)) as container:
        context = container.streams.video[0].codec_context
        assert (context.width, context.height) == (video.width, video.height)
        found = [(item.dts, item.size, item.is_keyframe) for item in container.demux(video=0) if item.size]
    assert found == [(packet.dts, packet.size, packet.key) for packet in packets]


def test_the_init_segment_reads_back(footage: Footage) -> None:
    video, _ = footage
    origin = Origin(1_790_000_000_123, 987_654_321_000, 1_790_000_000.25)
    init = parse_init(init_segment(video, origin))
    assert init is not None
    assert (init.codec, init.width, init.height, init.mime) == (video.codec, video.width, video.height, video.mime)
    assert init.origin == origin


def test_the_same_picture_format_has_the_same_sample_entry_whatever_the_origin(footage: Footage) -> None:
    video, _ = footage
    one, other = parse_init(init_segment(video, Origin(1, 2, 3.0))), parse_init(init_segment(video))
    assert one is not None
    assert other is not None
    assert one.sample_entry == other.sample_entry
    assert other.origin is None


def test_decode_times_are_rewritten_in_place(footage: Footage, tmp_path: Path) -> None:
    video, packets = footage
    chunks = [bytearray(chunk) for chunk in chunked(packets)]
    shift = 5 * TIMESCALE
    for number, chunk in enumerate(chunks):
        before = int.from_bytes(chunk[TFDT_OFFSET : TFDT_OFFSET + 8], "big")
        rewrite_decode_time(chunk, before + shift, 1000 + number)
    path = tmp_path / "a.mp4"
    init = init_segment(video)
    path.write_bytes(init + b"".join(chunks))
    fd = os.open(path, os.O_RDONLY)
    found = list(walk(fd, len(init)))
    os.close(fd)
    assert [chunk.number for chunk in found] == [1000 + number for number in range(len(chunks))]
    assert found[0].decode_time == shift
    assert all(one.decode_time + one.duration == two.decode_time for one, two in pairwise(found))
    with av.open(str(path)) as container:
        assert [item.dts for item in container.demux(video=0) if item.size] == [p.dts + shift for p in packets]


def test_a_finished_file_tells_its_length_and_where_to_seek(footage: Footage, tmp_path: Path) -> None:
    video, packets = footage
    chunks = chunked(packets)
    pieces: list[tuple[int, int]] = []
    for chunk, first in zip(
        chunks, [packet for index, packet in enumerate(packets) if index % 25 % 7 == 0], strict=True
    ):
        if first.key:
            pieces.append((0, TIMESCALE))
        pieces[-1] = (pieces[-1][0] + len(chunk), TIMESCALE)
    room = index_room(len(pieces) + 3)
    index = segment_index(pieces, room)
    assert len(index) == room
    path = tmp_path / "a.mp4"
    path.write_bytes(with_duration(init_segment(video), 4 * TIMESCALE) + index + b"".join(chunks))
    with av.open(str(path)) as container:
        assert container.duration == 4_000_000
        container.seek(3_100_000)
        keys = [packet.pts for packet in packets if packet.key]
        frame = next(container.decode(video=0))
        assert frame.pts == keys[3]
    assert len(decoded(path)) == len(packets)


def test_an_index_that_does_not_fit_becomes_padding() -> None:
    padding = segment_index([(1, 1)] * 5, index_room(4))
    assert len(padding) == index_room(4)
    assert padding[4:8] == b"free"


@pytest.mark.parametrize("codec", list(Codec))
def test_parameter_sets_that_make_no_decoder_are_refused(codec: Codec) -> None:
    with pytest.raises(ValueError, match="sequence parameter set"):
        init_segment(VideoFormat(codec, 640, 360, (b"\x68\xce", b"\x44\x01\xc0"), ""))
