from __future__ import annotations

from pathlib import Path

import pytest

from perishield.model.media import TIMESCALE, AudioCodec, AudioFormat, ChunkRef, Codec, Packet, SegmentRow, VideoFormat
from perishield.sources.aac import audio_format, write_config
from perishield.streams.chunker import Chunker
from perishield.streams.fmp4 import (
    Origin,
    SoundRun,
    chunk_head,
    init_segment,
    rewrite_decode_time,
    with_duration,
    without_sound,
    without_sound_chunk,
)
from perishield.streams.fmp4_reader import parse_init, walk
from perishield.streams.recovery import describe
from perishield.streams.segments import MediaRoot, SegmentWriter

VIDEO = VideoFormat(
    Codec.H264,
    1280,
    720,
    (bytes.fromhex("6742c01fda014016e840000003004000000c8360ca80"), bytes.fromhex("68ce3c80")),
    "avc1.42c01f",
)
SOUNDS = {
    "aac": audio_format(write_config(16_000, 1)),
    "opus": AudioFormat(AudioCodec.OPUS, 48_000, 2, b"", "opus"),
    "pcma": AudioFormat(AudioCodec.PCMA, 8_000, 1),
    "pcmu": AudioFormat(AudioCodec.PCMU, 8_000, 1),
}
WALL = 1_790_000_000.5
STEP = 3600


class Bench:
    """A chunker, and a camera whose pictures and sound take 40 ms each."""

    def __init__(self, media: Path, segment_s: float = 60.0) -> None:
        self.media = media
        self.refs: list[ChunkRef] = []
        self.rows: list[SegmentRow] = []
        writer = SegmentWriter(
            MediaRoot(media), "gate-3", "recordings", segment_s, self.rows.append, lambda error: None
        )
        self.chunker = Chunker("gate-3", 5, writer, self.refs.append)
        self.chunker.format(VIDEO)

    def picture(self, index: int) -> None:
        wall = WALL + index / 25
        self.chunker.packet(Packet([bytes(20)], 20, index * STEP, index * STEP, index % 25 == 0, wall, wall))

    def sound(self, index: int) -> None:
        wall = WALL + (index + 1) / 25
        body = index.to_bytes(4, "big") * 80
        self.chunker.audio(Packet([body], 320, index * STEP, index * STEP, True, wall, wall))

    def play(self, first: int, last: int, *, silent: range = range(0)) -> None:
        """A frame of sound comes when it is over."""
        for index in range(first, last):
            self.picture(index)
            if index > 0 and index - 1 not in silent:
                self.sound(index - 1)

    def heard(self) -> list[int]:
        """Numbers of the frames of sound in the files, in order of the files."""
        numbers = []
        for row in self.rows:
            with open(self.media / row.path, "rb") as file:
                for chunk in walk(file.fileno(), row.init_length):
                    at = row.stream_time + chunk.sound_time
                    for size, lasts in zip(chunk.sound_sizes, chunk.sound_durations, strict=True):
                        assert size == 320
                        numbers.append(at // STEP)
                        at += lasts
        return numbers


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_sound_before_the_first_chunk_is_written_is_in_the_first_segment(bench: Bench) -> None:
    bench.picture(0)
    bench.chunker.audio_format(SOUNDS["pcma"])
    bench.play(1, 60)
    bench.chunker.close()
    assert [row.audio for row in bench.rows] == ["pcma"]
    assert bench.heard() == list(range(59))


@pytest.mark.parametrize(("moment", "key", "first"), [(48, 50, 50), (40, 25, 39)])
def test_sound_that_sets_in_later_begins_a_segment_with_a_key_frame(
    bench: Bench, moment: int, key: int, first: int
) -> None:
    """With the next one, or with the last one where that still waits to be written."""
    for index in range(moment):
        bench.picture(index)
    bench.chunker.audio_format(SOUNDS["pcma"])
    bench.play(moment, 100)
    bench.chunker.close()
    assert [(row.audio, row.frames) for row in bench.rows] == [("", key), ("pcma", 100 - key)]
    assert bench.heard() == list(range(first, 99))


def test_another_format_begins_a_segment_and_is_not_mixed(bench: Bench) -> None:
    bench.chunker.audio_format(SOUNDS["pcma"])
    bench.play(0, 60)
    bench.chunker.audio_format(SOUNDS["pcmu"])
    bench.play(60, 100)
    bench.chunker.close()
    assert [(row.audio, row.frames) for row in bench.rows] == [("pcma", 75), ("pcmu", 25)]
    assert bench.heard() == [*range(59), *range(75, 99)]
    first = bench.rows[0].path
    assert all(ref.audio == ("pcma" if ref.path == first else "pcmu") for ref in bench.refs)


def test_the_same_format_told_again_changes_nothing(bench: Bench) -> None:
    bench.chunker.audio_format(SOUNDS["aac"])
    bench.play(0, 30)
    bench.chunker.audio_format(audio_format(write_config(16_000, 1)))
    bench.play(30, 60)
    bench.chunker.close()
    assert len(bench.rows) == 1


def test_a_camera_that_falls_silent_loses_its_track_until_it_speaks(bench: Bench) -> None:
    bench.chunker.audio_format(SOUNDS["pcma"])
    bench.play(0, 300, silent=range(60, 210))
    bench.chunker.close()
    assert [(row.audio, row.frames) for row in bench.rows] == [("pcma", 175), ("", 25), ("pcma", 100)]
    assert bench.heard() == [*range(60), *range(210, 299)]


def test_sound_alone_makes_no_chunk(bench: Bench) -> None:
    bench.chunker.audio_format(SOUNDS["pcma"])
    for index in range(5000):
        bench.sound(index)
        bench.chunker.tick(WALL + index / 25)
    bench.chunker.close()
    assert bench.refs == []
    assert bench.rows == []
    assert bench.chunker.sound.unkept == 5000


@pytest.mark.parametrize("low_delay", [False, True])
def test_sound_that_ceases_holds_no_picture_back(bench: Bench, low_delay: bool) -> None:
    bench.chunker.low_delay = low_delay
    bench.chunker.audio_format(SOUNDS["pcma"])
    bench.play(0, 20)
    for index in range(20, 50):
        bench.picture(index)
        bench.chunker.tick(WALL + index / 25)
    until = bench.refs[-1].stream_time + bench.refs[-1].duration
    assert until >= 49 * STEP - 1.1 * TIMESCALE
    bench.chunker.tick(WALL + 51 / 25 + 2)
    assert sum(len(ref.sizes) for ref in bench.refs) == 50


def test_a_chunk_before_a_key_frame_waits_for_its_sound(bench: Bench) -> None:
    bench.chunker.audio_format(SOUNDS["pcma"])
    bench.play(0, 25)
    bench.picture(25)
    before = len(bench.refs)
    bench.sound(24)
    assert before < len(bench.refs)
    assert bench.refs[-1].stream_time + bench.refs[-1].duration == 25 * STEP
    bench.chunker.close()
    assert bench.heard() == list(range(25))


def test_a_torn_file_with_sound_is_described_to_its_last_whole_chunk(bench: Bench) -> None:
    bench.chunker.audio_format(SOUNDS["opus"])
    bench.play(0, 100)
    bench.chunker.close()
    row = bench.rows[0]
    path = bench.media / row.path
    whole = path.read_bytes()
    assert describe(bench.media, row.path, complete=True) == row
    path.write_bytes(whole[:-100])
    cut = describe(bench.media, row.path)
    assert cut is not None
    assert (cut.audio, cut.size) == ("opus", row.size - bench.refs[-1].length)


@pytest.mark.parametrize("name", SOUNDS)
def test_an_init_segment_tells_its_sound(name: str) -> None:
    origin = Origin(1, 2, 3.0)
    found = parse_init(init_segment(VIDEO, origin, SOUNDS[name]))
    assert found is not None
    assert found.audio == SOUNDS[name]
    assert found.origin == origin
    silent = without_sound(found.data)
    assert silent == init_segment(VIDEO, origin)
    assert without_sound(silent) == silent
    assert without_sound(with_duration(found.data, 9)) == with_duration(silent, 9)


def chunk(sound: SoundRun | None, spoken: bytes) -> bytes:
    return chunk_head(7, 900, True, [3600, 3600], [4, 3], [0, 7200], sound) + spoken + b"keyunit"


def test_a_chunk_without_its_sound_is_as_if_there_had_been_none() -> None:
    spoken = chunk(SoundRun(950, [1800, 1700], [2, 5]), b"hihello")
    assert without_sound_chunk(spoken) == chunk(None, b"")
    assert without_sound_chunk(chunk(None, b"")) == chunk(None, b"")


@pytest.mark.parametrize(("ticks", "expected"), [(0, 50), (10_000, 10_050), (900, 950)])
def test_sound_moves_with_its_pictures(tmp_path: Path, ticks: int, expected: int) -> None:
    data = bytearray(chunk(SoundRun(950, [1800, 1700], [2, 5]), b"hihello"))
    rewrite_decode_time(data, ticks, 3)
    path = tmp_path / "chunk"
    path.write_bytes(data)
    with path.open("rb") as file:
        (found,) = walk(file.fileno(), 0)
    assert (found.decode_time, found.sound_time, found.number) == (ticks, expected, 3)
    assert (found.sound_sizes, found.sound_durations) == ((2, 5), (1800, 1700))
    assert data[found.data_offset :] == b"keyunit"
