"""Sound survives the cutting of clips, at its own place."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import av
import pytest

from perishield.model.media import TIMESCALE, AudioCodec, AudioFormat, Packet
from perishield.recording.clip import cut_clip
from perishield.streams.chunker import Chunker
from perishield.streams.layout import RECORDINGS
from perishield.streams.segments import MediaRoot, SegmentWriter

WALL = 1_790_000_000.0
SPEECH = AudioFormat(AudioCodec.PCMA, 8_000, 1)
OTHER = AudioFormat(AudioCodec.PCMU, 8_000, 1)
FRAME = 3600


def speech(first: int, last: int) -> list[Packet]:
    """40 ms each, every one different, from tick `first` to `last`."""
    packets = []
    for dts in range(first, last, FRAME):
        body = (dts // FRAME).to_bytes(4, "big") * 80
        packets.append(Packet([body], 320, dts, dts, True, WALL, WALL))
    return packets


def record(archive: Any, start: int, stop: int, sound: Iterable[Packet], audio: AudioFormat | None, epoch: int) -> None:
    writer = SegmentWriter(MediaRoot(archive.media), "gate-3", RECORDINGS, 2.0, archive.rows.append, lambda error: None)
    chunker = Chunker("gate-3", epoch, writer, archive.refs.append, chunk_bytes=8_000)
    chunker.format(archive.video)
    chunker.audio_format(audio)
    waiting = list(sound)
    for packet in archive.packets[start:stop]:
        wall = archive.wall + packet.dts / TIMESCALE
        while waiting and waiting[0].dts + 2 * FRAME <= packet.dts:
            chunker.audio(waiting.pop(0))
        chunker.packet(Packet(packet.data, packet.size, packet.dts, packet.pts, packet.key, wall, wall))
    for packet in waiting:
        chunker.audio(packet)
    chunker.close()


def heard(path: Path) -> list[tuple[int, int]]:
    """(decode time in ticks, number of the frame) of every frame of sound."""
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        assert stream.time_base is not None
        return [
            (round(item.dts * stream.time_base * TIMESCALE), int.from_bytes(bytes(item)[:4], "big"))
            for item in container.demux(stream)
            if item.size and item.dts is not None
        ]


def test_sound_keeps_its_place_beside_the_pictures(archive: Any, tmp_path: Path) -> None:
    record(archive, 0, 250, speech(0, 250 * FRAME), SPEECH, 77)
    assert [row.audio for row in archive.rows] == ["pcma"] * 5
    result = cut_clip(archive.media, "gate-3", WALL + 1.5, WALL + 6.3, tmp_path / "a.mp4")
    assert result.start == WALL + 1.0
    found = heard(tmp_path / "a.mp4")
    assert found == [((number - 25) * FRAME, number) for number in range(25, 25 + len(found))]
    assert 0 <= result.frames - len(found) <= 2, "but for what came later than its pictures"


def test_a_hole_moves_sound_and_pictures_alike(archive: Any, tmp_path: Path) -> None:
    record(archive, 0, 75, speech(0, 75 * FRAME), SPEECH, 77)
    record(archive, 150, 250, speech(150 * FRAME, 250 * FRAME), SPEECH, 78)
    result = cut_clip(archive.media, "gate-3", WALL, WALL + 9, tmp_path / "a.mp4")
    assert "missing" in result.note
    found = heard(tmp_path / "a.mp4")
    assert [number for _, number in found] == [*range(75), *range(150, 250)][: len(found)]
    assert [dts for dts, _ in found] == [index * FRAME for index in range(len(found))]


@pytest.mark.parametrize(("audio", "numbers"), [(None, []), (OTHER, [])])
def test_what_does_not_go_with_the_clips_sound_is_left_out(
    archive: Any, tmp_path: Path, audio: AudioFormat | None, numbers: list[int]
) -> None:
    record(archive, 0, 100, speech(0, 100 * FRAME), SPEECH, 77)
    record(archive, 100, 250, speech(100 * FRAME, 250 * FRAME) if audio else (), audio, 77)
    result = cut_clip(archive.media, "gate-3", WALL, WALL + 9, tmp_path / "a.mp4")
    assert result.frames == 225
    assert [number for _, number in heard(tmp_path / "a.mp4")] == [*range(100), *numbers]


def test_sound_that_sets_in_late_is_in_the_clip(archive: Any, tmp_path: Path) -> None:
    record(archive, 0, 100, (), None, 77)
    record(archive, 100, 250, speech(100 * FRAME, 250 * FRAME), SPEECH, 77)
    result = cut_clip(archive.media, "gate-3", WALL, WALL + 9, tmp_path / "a.mp4")
    found = heard(tmp_path / "a.mp4")
    assert found == [(number * FRAME, number) for number in range(100, result.frames)]
