"""Sound in playback and exports: kept where players take it, harmless where they do not, always in its place."""

from __future__ import annotations

import io
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import av
import pytest

from perishield.model.media import TIMESCALE, AudioCodec, AudioFormat, Packet
from perishield.recording.export import Watch, export
from perishield.recording.playback_feed import Feed, Kind
from perishield.recording.playback_file import PlaybackFile
from perishield.recording.playback_plan import Gaps, plan
from perishield.recording.segment_reader import LocalFootage
from perishield.sources.aac import audio_format, write_config
from perishield.streams.chunker import Chunker
from perishield.streams.layout import RECORDINGS
from perishield.streams.segments import MediaRoot, SegmentWriter

WALL = 1_790_000_000.0
PCMA = AudioFormat(AudioCodec.PCMA, 8_000, 1)
AAC = audio_format(write_config(16_000, 1))
FRAME = 3600


def record(archive: Any, start: int, stop: int, audio: AudioFormat | None, epoch: int = 77) -> None:
    """Pictures [start, stop), and a frame of sound with each."""
    writer = SegmentWriter(MediaRoot(archive.media), "gate-3", RECORDINGS, 2.0, archive.rows.append, lambda error: None)
    chunker = Chunker("gate-3", epoch, writer, archive.refs.append, chunk_bytes=8_000)
    chunker.format(archive.video)
    chunker.audio_format(audio)
    for packet in archive.packets[start:stop]:
        wall = archive.wall + packet.dts / TIMESCALE
        if audio is not None:
            body = (packet.dts // FRAME).to_bytes(4, "big") * 80
            chunker.audio(Packet([body], 320, packet.dts, packet.dts, True, wall, wall))
        chunker.packet(Packet(packet.data, packet.size, packet.dts, packet.pts, packet.key, wall, wall))
    chunker.close()


def files(archive: Any, start: float = 0, end: float = 10) -> list[bytes]:
    footage = LocalFootage(archive.media)
    parts = plan(footage, "gate-3", archive.rows, WALL + start, WALL + end, Gaps.CLOSE)
    made = []
    for part in parts:
        file = PlaybackFile(footage, part)
        data = b"".join(bytes(block) for block in file.read(0, file.size))
        assert len(data) == file.size
        made.append(data)
    return made


def heard(data: bytes | str) -> list[tuple[int, int]]:
    """(ticks, number) of every frame of sound; empty where there is none."""
    with av.open(io.BytesIO(data) if isinstance(data, bytes) else data) as container:
        if not container.streams.audio:
            return []
        stream = container.streams.audio[0]
        assert stream.time_base is not None
        return [
            (round(item.dts * stream.time_base * TIMESCALE), int.from_bytes(bytes(item)[:4], "big"))
            for item in container.demux(stream)
            if item.size and item.dts is not None
        ]


def seen(data: bytes) -> int:
    with av.open(io.BytesIO(data)) as container:
        return sum(1 for _ in container.decode(video=0))


def test_what_browsers_play_is_kept_in_its_place(archive: Any) -> None:
    record(archive, 0, 75, AAC)
    record(archive, 150, 250, AAC, 78)
    (data,) = files(archive, 1.5)
    found = heard(data)
    assert [number for _, number in found] == [*range(25, 75), *range(150, 250)]
    assert [ticks for ticks, _ in found] == [index * FRAME for index in range(150)]


def test_what_they_do_not_play_disappears_and_nothing_else_does(archive: Any) -> None:
    record(archive, 0, 250, PCMA)
    (data,) = files(archive)
    assert heard(data) == []
    assert seen(data) == 250


def test_a_part_ends_where_playable_sound_sets_in(archive: Any) -> None:
    record(archive, 0, 75, PCMA)
    record(archive, 75, 150, None, 78)
    record(archive, 150, 250, AAC, 79)
    mute, loud = files(archive)
    assert (heard(mute), seen(mute)) == ([], 150)
    assert (len(heard(loud)), seen(loud)) == (100, 100)


@pytest.mark.parametrize(("audio", "mime"), [(AAC, "mp4a.40.2"), (PCMA, ""), (None, "")])
def test_the_socket_is_told_of_playable_sound_only(archive: Any, audio: AudioFormat | None, mime: str) -> None:
    record(archive, 0, 100, audio)
    feed = Feed(LocalFootage(archive.media), WALL - 3600, WALL, WALL + 4, thinner=None)
    items = [item for row in archive.rows for item in feed.segment(row)]
    (init,) = [item for item in items if item.kind is Kind.INIT]
    assert init.sound == mime
    data = b"".join(bytes(item.data) for item in items)
    assert bool(heard(data)) is bool(mime)


@pytest.mark.parametrize("audio", [AAC, PCMA])
def test_exports_keep_all_sound_in_step_with_the_pictures(archive: Any, tmp_path: Path, audio: AudioFormat) -> None:
    record(archive, 0, 250, audio)
    rows: Iterable[Any] = archive.rows
    (file,) = export(LocalFootage(archive.media), "gate-3", rows, WALL + 1.52, WALL + 6, tmp_path, Watch())
    found = heard(str(tmp_path / file.name))
    offsets = {ticks - number * FRAME for ticks, number in found}
    assert len(offsets) == 1, "all frames moved alike"
    (offset,) = offsets
    # Decode time of sound equals its presentation; pictures are shown two frames after they are decoded.
    assert offset == -(38 * FRAME + 2 * FRAME)
    with av.open(str(tmp_path / file.name)) as container:
        assert next(container.decode(video=0)).time == pytest.approx(0, abs=0.001)
