"""A camera's recordings on disk, made from real footage."""

from __future__ import annotations

from pathlib import Path

import pytest

from perishield.evaluation.texture_clip import read_packets, write_clip
from perishield.model.media import TIMESCALE, ChunkRef, Packet, SegmentRow, VideoFormat
from perishield.streams.chunker import Chunker
from perishield.streams.layout import RECORDINGS
from perishield.streams.segments import MediaRoot, SegmentWriter

WALL = 1_790_000_000.0


class Archive:
    """Records `packets` of a clip for a camera; its clock starts at `wall`."""

    def __init__(self, media: Path, video: VideoFormat, packets: list[Packet]) -> None:
        self.media = media
        self.video = video
        self.packets = packets
        self.rows: list[SegmentRow] = []
        self.refs: list[ChunkRef] = []
        self.wall = WALL

    def record(
        self,
        start: int,
        stop: int,
        *,
        epoch: int = 77,
        close: bool = True,
        camera: str = "gate-3",
        pool: str = RECORDINGS,
    ) -> None:
        """Frames [start, stop) of the clip, at their own times."""
        writer = SegmentWriter(MediaRoot(self.media), camera, pool, 2.0, self.rows.append, lambda error: None)
        chunker = Chunker(camera, epoch, writer, self.refs.append, chunk_bytes=8_000)
        chunker.format(self.video)
        for packet in self.packets[start:stop]:
            wall = self.wall + packet.dts / TIMESCALE
            chunker.packet(Packet(packet.data, packet.size, packet.dts, packet.pts, packet.key, wall, wall))
        if close:
            chunker.close()
        else:
            chunker.tick(WALL + 3600)

    def unit(self, index: int) -> bytes:
        return b"".join(self.packets[index].data)


@pytest.fixture(scope="session")
def clip_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten seconds at 25 fps with B-frames and a key frame every second."""
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    write_clip(path, width=320, height=192, seconds=10, bitrate=400_000, gop_s=1.0, b_frames=2)
    return path


@pytest.fixture
def archive(clip_file: Path, tmp_path: Path) -> Archive:
    return Archive(tmp_path / "media", *read_packets(clip_file))
