from __future__ import annotations

import tempfile
from itertools import pairwise
from pathlib import Path

import av
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perishield.model.errors import SourceError
from perishield.model.media import TIMESCALE, ChunkRef, Codec, Packet, SegmentRow, VideoFormat
from perishield.streams.chunker import Chunker
from perishield.streams.fmp4_reader import read_init, walk
from perishield.streams.layout import POOL, RECORDINGS
from perishield.streams.segments import MediaRoot, SegmentWriter

Footage = tuple[VideoFormat, list[Packet]]
VIDEO = VideoFormat(
    Codec.H264,
    1280,
    720,
    (bytes.fromhex("6742c01fda014016e840000003004000000c8360ca80"), bytes.fromhex("68ce3c80")),
    "avc1.42c01f",
)
WALL = 1_790_000_000.5


class Bench:
    """A chunker over a folder, with all that it told."""

    def __init__(self, media: Path, *, segment_s: float = 2.0, chunk_bytes: int = 65_536) -> None:
        self.media = media
        self.refs: list[ChunkRef] = []
        self.rows: list[SegmentRow] = []
        self.writer = SegmentWriter(
            MediaRoot(media), "gate-3", RECORDINGS, segment_s, self.rows.append, lambda error: None
        )
        self.chunker = Chunker("gate-3", 77, self.writer, self.refs.append, chunk_bytes=chunk_bytes)

    def units(self) -> list[bytes]:
        """All access units, as the references find them in the files."""
        found = []
        for ref in self.refs:
            data = (self.media / ref.path).read_bytes()[ref.offset : ref.offset + ref.length]
            position = len(data) - sum(ref.sizes)
            for size in ref.sizes:
                found.append(data[position : position + size])
                position += size
        return found


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def unit(dts: int, size: int = 10, *, key: bool = False, late: float = 0.0) -> Packet:
    data = [size.to_bytes(4, "big"), bytes(size)]
    wall = WALL + dts / TIMESCALE
    return Packet(data, size + 4, dts, dts, key, wall, wall + late)


@st.composite
def streams(draw: st.DrawFn) -> list[Packet]:
    """Packets of any rhythm and size, a key frame first."""
    count = draw(st.integers(1, 60))
    intervals = draw(st.lists(st.integers(1, 2 * TIMESCALE), min_size=count, max_size=count))
    if draw(st.booleans()):
        intervals = [intervals[0]] * count
    sizes = draw(st.lists(st.integers(1, 400), min_size=count, max_size=count))
    keys = draw(st.lists(st.booleans(), min_size=count, max_size=count))
    dts = draw(st.integers(0, 2**40))
    packets = []
    for index in range(count):
        packets.append(unit(dts, sizes[index], key=keys[index] or index == 0))
        dts += intervals[index]
    return packets


@settings(max_examples=150, deadline=None)
@given(packets=streams(), low_delay=st.booleans(), chunk_bytes=st.integers(1, 2000), ticks=st.booleans())
def test_every_frame_is_in_exactly_one_chunk(
    packets: list[Packet], low_delay: bool, chunk_bytes: int, ticks: bool
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), chunk_bytes=chunk_bytes)
        bench.chunker.low_delay = low_delay
        bench.chunker.format(VIDEO)
        for packet in packets:
            bench.chunker.packet(packet)
            if ticks:
                bench.chunker.tick(packet.arrival + 0.5)
        bench.chunker.close()
        assert bench.units() == [b"".join(packet.data) for packet in packets]
        assert [ref.number for ref in bench.refs] == list(range(len(bench.refs)))
        firsts, index = [], 0
        for ref in bench.refs:
            firsts.append(packets[index])
            assert len(ref.sizes) == len(ref.durations) == len(ref.arrivals)
            assert ref.stream_time == packets[index].dts, "decode times are exact, however a chunk was cut"
            assert ref.key == packets[index].key
            assert not any(packet.key for packet in packets[index + 1 : index + len(ref.sizes)])
            index += len(ref.sizes)
        for ref, following in pairwise(bench.refs):
            assert ref.stream_time < following.stream_time
            if not low_delay and not ticks:
                assert ref.stream_time + ref.duration == following.stream_time
        for row in bench.rows:
            mine = [ref for ref in bench.refs if ref.path == row.path]
            assert row.size == row.init_length + sum(ref.length for ref in mine)
            assert row.frames == sum(len(ref.sizes) for ref in mine)
            assert row.keyframes == tuple((ref.stream_time - ref.segment_time, ref.offset) for ref in mine if ref.key)
            with open(Path(folder) / row.path, "rb") as file:
                init = read_init(file.fileno())
                assert init is not None
                walked = list(walk(file.fileno(), row.init_length))
            assert [chunk.decode_time for chunk in walked] == [ref.stream_time - ref.segment_time for ref in mine]
            assert [chunk.durations for chunk in walked] == [ref.durations for ref in mine]


def test_real_footage_comes_out_as_it_went_in(footage: Footage, bench: Bench) -> None:
    video, packets = footage
    bench.chunker.format(video)
    for packet in packets:
        bench.chunker.packet(packet)
    bench.chunker.close()
    assert len(bench.rows) == 2
    times = []
    for row in bench.rows:
        with av.open(str(bench.media / row.path)) as container:
            stream = container.streams.video[0]
            assert stream.time_base is not None
            times += [
                round(frame.pts * stream.time_base * TIMESCALE) + row.stream_time for frame in container.decode(stream)
            ]
    assert sorted(times) == sorted(packet.pts for packet in packets)
    assert [row.start for row in bench.rows] == [packet.wall for packet in (packets[0], packets[50])]


def test_a_chunk_ends_before_a_key_frame_by_size_and_by_time(bench: Bench) -> None:
    bench.chunker.format(VIDEO)
    for index in range(70):
        bench.chunker.packet(unit(index * 3600, 7_000 if index < 25 else 100, key=index in {0, 15}))
    bench.chunker.close()
    # 64 KiB hold ten frames of 7004 bytes; two thirds of a second hold seventeen.
    assert [len(ref.sizes) for ref in bench.refs] == [10, 5, 10, 17, 17, 11]
    assert [ref.key for ref in bench.refs] == [True, False, True, False, False, False]


def test_low_delay_does_not_wait_for_the_next_frame(bench: Bench) -> None:
    bench.chunker.low_delay = True
    bench.chunker.format(VIDEO)
    for index in range(25):
        bench.chunker.packet(unit(index * 3600, key=index == 0))
    assert bench.refs[-1].stream_time + bench.refs[-1].duration == 25 * 3600
    assert all(ref.duration <= 0.2 * TIMESCALE + 3600 for ref in bench.refs)


def test_low_delay_hands_on_each_frame_of_a_slow_camera_at_once(bench: Bench) -> None:
    bench.chunker.low_delay = True
    bench.chunker.format(VIDEO)
    for index in range(10):
        bench.chunker.packet(unit(index * TIMESCALE, key=index == 0))
    assert sum(len(ref.sizes) for ref in bench.refs) == 10


def test_what_a_stalled_camera_sent_is_written_within_a_second(bench: Bench) -> None:
    bench.chunker.format(VIDEO)
    for index in range(3):
        bench.chunker.packet(unit(index * 3600, key=index == 0))
    for step in range(1, 6):
        bench.chunker.tick(WALL + step * 0.2 - 0.001)
    assert [ref.durations for ref in bench.refs] == [(3600, 3600, 3600)]
    bench.chunker.packet(unit(90_000))
    bench.chunker.close()
    assert bench.refs[1].stream_time == 90_000
    assert not bench.refs[1].discontinuity


def test_what_was_read_together_is_written_together(bench: Bench) -> None:
    bench.chunker.format(VIDEO)
    for index in range(12):
        bench.chunker.packet(unit(index * 3600, key=index == 0))
        bench.chunker.rest()
        # Less than two thirds of a usual chunk waits for more.
        assert len(bench.refs) == (1 if index == 11 else 0)
    assert (bench.refs[0].duration, len(bench.refs[0].sizes)) == (12 * 3600, 12)
    bench.chunker.packet(unit(12 * 3600))
    bench.chunker.close()
    assert bench.refs[1].stream_time == bench.refs[0].stream_time + bench.refs[0].duration


def test_without_a_steady_rate_the_newest_frame_waits_for_the_next(bench: Bench) -> None:
    bench.chunker.format(VIDEO)
    for index, at in enumerate((0, 3600, 9000, 14_000, 30_000, 50_000)):
        bench.chunker.packet(unit(at, key=index == 0))
        bench.chunker.rest()
    assert not bench.refs
    bench.chunker.tick(WALL + 1.0)
    assert len(bench.refs) == 1


def test_a_discontinuity_is_told_and_begins_a_new_file_at_a_key_frame(bench: Bench) -> None:
    bench.chunker.format(VIDEO)
    bench.chunker.packet(unit(0, key=True))
    bench.chunker.packet(unit(3600))
    bench.chunker.discontinuity("lost packets")
    bench.chunker.packet(unit(9000))
    bench.chunker.packet(unit(10_800, key=True))
    bench.chunker.close()
    assert [len(ref.sizes) for ref in bench.refs] == [2, 1]
    assert [ref.discontinuity for ref in bench.refs][1:] == [True]
    assert bench.refs[0].path != bench.refs[1].path
    assert bench.chunker.frames_unkept == 1


def test_a_new_picture_format_begins_a_new_file(bench: Bench) -> None:
    bench.chunker.format(VIDEO)
    bench.chunker.packet(unit(0, key=True))
    other = VideoFormat(Codec.H264, 640, 360, VIDEO.parameter_sets, VIDEO.mime)
    bench.chunker.format(other)
    bench.chunker.packet(unit(3600, key=True))
    bench.chunker.close()
    assert [(row.width, row.height) for row in bench.rows] == [(1280, 720), (640, 360)]


def test_recording_switched_off_moves_to_the_pool_at_the_next_key_frame(bench: Bench) -> None:
    bench.chunker.format(VIDEO)
    bench.chunker.packet(unit(0, key=True))
    bench.chunker.tick(WALL + 1)
    bench.writer.pool = POOL
    bench.chunker.packet(unit(3600))
    bench.chunker.packet(unit(7200, key=True))
    bench.chunker.close()
    assert [(row.pool, row.frames) for row in bench.rows] == [(RECORDINGS, 2), (POOL, 1)]


def test_a_format_without_parameter_sets_is_refused_in_words(bench: Bench) -> None:
    with pytest.raises(SourceError, match="parameter sets") as caught:
        bench.chunker.format(VideoFormat(Codec.H265, 640, 360, (), ""))
    assert caught.value.code == "not_a_video"


def test_cameras_that_begin_together_do_not_change_files_together(tmp_path: Path) -> None:
    changed: dict[str, list[float]] = {}
    for number in range(20):
        rows: list[SegmentRow] = []
        writer = SegmentWriter(MediaRoot(tmp_path), f"cam-{number}", RECORDINGS, 20.0, rows.append, lambda error: None)
        chunker = Chunker(f"cam-{number}", 1, writer, lambda ref: None)
        chunker.format(VIDEO)
        for index in range(70):
            chunker.packet(unit(index * TIMESCALE, key=True))
        chunker.close()
        changed[f"cam-{number}"] = [row.duration for row in rows]
    firsts = [durations[0] for durations in changed.values()]
    assert all(4 <= first <= 20 for first in firsts)
    assert len(set(firsts)) >= 8
    assert all(duration == 20 for durations in changed.values() for duration in durations[1:-1])
