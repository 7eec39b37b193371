from __future__ import annotations

import pytest

from perishield.evaluation import bench_playback
from perishield.model.errors import ConfigError


@pytest.mark.real("ffmpeg")
def test_a_small_archive_is_measured_whole() -> None:
    figures = bench_playback.run(cameras=2, days=1, segment_s=60, seeks=2, hours=0.05)
    assert figures["rows"] == 2 * 1440
    assert figures["stream_gb"] > 0.02
    for name in ("seek_ms", "plain_seek_ms", "day_first_ms", "day_again_ms", "ffmpeg_day_first_ms"):
        assert 0 < figures[name]["p50"] <= figures[name]["p95"]
    normal = figures["bytes_s_1x"]
    for speed in (4, 8, 16):
        assert 0.1 * normal < figures[f"bytes_s_{speed}x"] <= 1.1 * normal, "fast playback takes no more than normal"


def test_arguments_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ConfigError, match="bench playback"):
        bench_playback.run(cameras=0)
