"""Whatever packets come, another demuxer finds the same access units at the same times in what the cutter wrote."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

import av
from hypothesis import given, settings
from hypothesis import strategies as st

from perishield.model.media import TIMESCALE, AudioCodec, AudioFormat, ChunkRef, Codec, Packet, SegmentRow, VideoFormat
from perishield.sources.aac import audio_format, write_config
from perishield.streams.chunker import Chunker
from perishield.streams.fmp4_reader import read_init, walk
from perishield.streams.layout import RECORDINGS
from perishield.streams.segments import MediaRoot, SegmentWriter

H264 = VideoFormat(
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
Sample = tuple[bytes, int, int]
"""Bytes, decode time and presentation time, in stream ticks."""


class Cutter:
    def __init__(self, media: Path, *, segment_s: float = 2.0, chunk_bytes: int = 65_536) -> None:
        self.media = media
        self.refs: list[ChunkRef] = []
        self.rows: list[SegmentRow] = []
        writer = SegmentWriter(MediaRoot(media), "gate-3", RECORDINGS, segment_s, self.rows.append, lambda error: None)
        self.chunker = Chunker("gate-3", 77, writer, self.refs.append, chunk_bytes=chunk_bytes)

    def demuxed(self) -> tuple[list[Sample], list[Sample]]:
        """Pictures and sound of all segments, as FFmpeg finds them."""
        found: tuple[list[Sample], list[Sample]] = ([], [])
        for row in self.rows:
            with av.open(str(self.media / row.path)) as container:
                assert len(container.streams.audio) == bool(row.audio)
                for packet in container.demux():
                    if packet.size:
                        assert packet.dts is not None
                        assert packet.pts is not None
                        assert packet.time_base.denominator == TIMESCALE
                        times = packet.dts + row.stream_time, packet.pts + row.stream_time
                        found[packet.stream.type == "audio"].append((bytes(packet), *times))
        return found


@dataclass(frozen=True)
class Call:
    """One call of the sink."""

    kind: str
    packet: Packet | None = None


def sample(packet: Packet) -> Sample:
    return b"".join(packet.data), packet.dts, packet.pts


def play(chunker: Chunker, calls: list[Call], audio: AudioFormat | None, *, ticks: bool) -> None:
    chunker.format(H264)
    if audio is not None:
        chunker.audio_format(audio)
    for call in calls:
        if call.packet is None:
            chunker.discontinuity("loss")
        elif call.kind == "audio":
            chunker.audio(call.packet)
        else:
            chunker.packet(call.packet)
            if ticks:
                chunker.tick(call.packet.arrival + 0.5)
    chunker.close()


@st.composite
def videos(draw: st.DrawFn, longest: int, shortest: int = 1, *, regular: bool = False) -> list[Packet]:
    """A key frame first, then anything: sizes, intervals, key frames, pictures out of order; or all `regular`."""
    count = draw(st.integers(1, 50))
    intervals = draw(st.lists(st.integers(shortest, longest), min_size=count, max_size=count))
    if regular or draw(st.booleans()):
        intervals = [intervals[0]] * count
    sizes = draw(st.lists(st.integers(1, 600), min_size=count, max_size=count))
    keys = draw(st.lists(st.booleans(), min_size=count, max_size=count))
    if regular:
        group = draw(st.integers(1, count))
        keys = [index % group == 0 for index in range(count)]
    late = draw(st.lists(st.integers(0, TIMESCALE), min_size=count, max_size=count)) if draw(st.booleans()) else None
    times = [0, *accumulate(intervals)]
    first = draw(st.integers(0, 2**40))
    packets = []
    for index, dts in enumerate(times[:count]):
        body = sizes[index].to_bytes(4, "big") + bytes((index % 251,)) * sizes[index]
        moment = WALL + dts / TIMESCALE
        pts = dts + (late[index] if late else 0)
        packets.append(
            Packet([body[:4], body[4:]], len(body), first + dts, first + pts, keys[index] or not index, moment, moment)
        )
    return packets


@st.composite
def sounds(draw: st.DrawFn, audio: AudioFormat, start: int, length: int, *, gaps: bool) -> list[Packet]:
    """Frames one after the other from about `start` on."""
    step = {AudioCodec.AAC: 5760, AudioCodec.OPUS: 1800}.get(audio.codec, 3600)
    dts = max(0, start + draw(st.integers(-TIMESCALE, TIMESCALE // 2 if gaps else 0)))
    packets = []
    for index in range(min(400, length // step + 2)):
        size = draw(st.integers(1, 90)) if audio.codec in (AudioCodec.AAC, AudioCodec.OPUS) else 320
        head = b"\x78" if audio.codec is AudioCodec.OPUS else b"\x21"
        body = head + bytes((index % 251,)) * (size - 1)
        packets.append(Packet([body], len(body), dts, dts, True, WALL, WALL))
        dts += step
        if gaps and draw(st.integers(0, 9)) == 0:
            dts += draw(st.integers(1, 3 * TIMESCALE))
    return packets


def interleaved(video: list[Packet], sound: list[Packet], lag: Callable[[Packet], int]) -> list[Call]:
    calls = [(packet.dts, 0, index, Call("video", packet)) for index, packet in enumerate(video)]
    last = 0
    for index, packet in enumerate(sound):
        last = max(last, packet.dts + lag(packet))
        calls.append((last, 1, index, Call("audio", packet)))
    return [call for *_, call in sorted(calls, key=lambda item: item[:3])]


@settings(max_examples=120, deadline=None)
@given(data=st.data(), name=st.sampled_from(["", *SOUNDS]), chunk_bytes=st.integers(1, 3000), low_delay=st.booleans())
def test_any_packets_come_out_as_they_went_in(
    data: st.DataObject, name: str, chunk_bytes: int, low_delay: bool
) -> None:
    video = data.draw(videos(2 * TIMESCALE))
    audio = SOUNDS.get(name)
    sound: list[Packet] = []
    if audio is not None:
        length = video[-1].dts - video[0].dts
        sound = data.draw(sounds(audio, video[0].dts, length, gaps=True))
    lags = data.draw(st.integers(-TIMESCALE, TIMESCALE))
    jitter = data.draw(st.integers(0, TIMESCALE))
    calls = interleaved(video, sound, lambda packet: lags + packet.dts * 7919 % (jitter + 1))
    for place in sorted(data.draw(st.sets(st.integers(1, len(calls)), max_size=2)), reverse=True):
        calls.insert(place, Call("lost"))
    expected, waiting = [], True
    for call in calls:
        if call.packet is None:
            waiting = True
        elif call.kind == "video" and (call.packet.key or not waiting):
            waiting = False
            expected.append(sample(call.packet))
    with tempfile.TemporaryDirectory() as folder:
        cutter = Cutter(Path(folder), chunk_bytes=chunk_bytes)
        cutter.chunker.low_delay = low_delay
        play(cutter.chunker, calls, audio, ticks=data.draw(st.booleans()))
        pictures, heard = cutter.demuxed()
        kept = {dts: (body, dts, pts) for body, dts, pts in map(sample, sound)}
        assert pictures == expected
        assert all(kept[dts] == (body, dts, pts) for body, dts, pts in heard)
        assert [dts for _, dts, _ in heard] == sorted({dts for _, dts, _ in heard})
        assert len(heard) + cutter.chunker.sound.unkept == len(sound)
        check_chunks(cutter)


@settings(max_examples=80, deadline=None)
@given(data=st.data(), name=st.sampled_from(list(SOUNDS)), chunk_bytes=st.integers(1, 3000), low_delay=st.booleans())
def test_no_sound_is_lost_while_pictures_come(
    data: st.DataObject, name: str, chunk_bytes: int, low_delay: bool
) -> None:
    # With low delay a key frame out of turn costs the sound that comes after it: nobody could know.
    video = data.draw(videos(TIMESCALE // 5, TIMESCALE // 100, regular=low_delay))
    length = video[-1].dts - video[0].dts
    sound = data.draw(sounds(SOUNDS[name], video[0].dts, length, gaps=False))
    lag = data.draw(st.integers(-TIMESCALE // 4, TIMESCALE // 8))
    calls = interleaved(video, sound, lambda packet: lag)
    with tempfile.TemporaryDirectory() as folder:
        cutter = Cutter(Path(folder), chunk_bytes=chunk_bytes, segment_s=0.5)
        cutter.chunker.low_delay = low_delay
        play(cutter.chunker, calls, SOUNDS[name], ticks=False)
        pictures, heard = cutter.demuxed()
        assert pictures == [sample(packet) for packet in video]
        last = cutter.refs[-1].stream_time + cutter.refs[-1].duration
        end = max(index for index, call in enumerate(calls) if call.kind == "video")
        in_time = [call.packet for call in calls[:end] if call.kind == "audio" and call.packet is not None]
        due = [sample(packet) for packet in in_time if video[0].dts <= packet.dts < last]
        assert heard[: len(due)] == due
        assert all(dts >= due[-1][1] for _, dts, _ in heard[len(due) :] if due)


def check_chunks(cutter: Cutter) -> None:
    """Our own reader agrees with what was told, and no chunk that begins with a key frame holds earlier sound."""
    for row in cutter.rows:
        with open(cutter.media / row.path, "rb") as file:
            init = read_init(file.fileno())
            assert init is not None
            assert (init.audio.codec.value if init.audio else "") == row.audio
            chunks = list(walk(file.fileno(), row.init_length))
        mine = [ref for ref in cutter.refs if ref.path == row.path]
        assert sum(chunk.length for chunk in chunks) + row.init_length == row.size
        for chunk, ref in zip(chunks, mine, strict=True):
            assert ref.audio == row.audio
            assert chunk.length - chunk.data_offset == sum(ref.sizes), "access units are the last bytes"
            assert (chunk.decode_time + row.stream_time, chunk.sizes) == (ref.stream_time, ref.sizes)
            if chunk.key and chunk.sound_sizes:
                assert chunk.sound_time >= chunk.decode_time
