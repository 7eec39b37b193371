"""Real footage for chunks: clips by x264 and x265, read back as the packets that sources deliver."""

from __future__ import annotations

import pytest

from perishield.evaluation.texture_clip import read_packets, write_clip
from perishield.model.media import Codec, Packet, VideoFormat


@pytest.fixture(scope="session", params=["h264", "h264-b-frames", "h265", "h265-b-frames"])
def footage(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[VideoFormat, list[Packet]]:
    """Four seconds at 25 fps with a key frame every second."""
    name: str = request.param
    path = tmp_path_factory.mktemp("footage") / f"{name}.mp4"
    write_clip(
        path,
        codec=Codec.H265 if "h265" in name else Codec.H264,
        width=320,
        height=192,
        seconds=4,
        bitrate=400_000,
        gop_s=1.0,
        b_frames=2 if "b-frames" in name else 0,
    )
    return read_packets(path)
