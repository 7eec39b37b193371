from __future__ import annotations

import subprocess
import sys

import pytest

from perishield.model.errors import SourceError
from perishield.model.site import Camera
from perishield.sources.ffmpeg.source import FfmpegSource
from perishield.sources.open import open_source
from perishield.sources.rtsp.source import RtspSource


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("rtsp://h/x", RtspSource),
        ("RTSP://h/x", RtspSource),
        ("rtsps://h/x", RtspSource),
        ("rtspx://h/x", RtspSource),
        ("rtmp://h/x", FfmpegSource),
        ("https://h/x.m3u8", FfmpegSource),
        ("file:///x.mp4", FfmpegSource),
    ],
)
def test_the_scheme_chooses(sink, url, kind):
    assert isinstance(open_source(Camera(id="c", name="c", url=url), sink, lambda state: None), kind)


@pytest.mark.parametrize("url", ["gopher://h/x", "", "concat:/etc/passwd", "10.0.0.4", "rtsp[://"])
def test_other_schemes_are_refused(sink, url):
    with pytest.raises(SourceError) as caught:
        open_source(Camera(id="gate-3", name="c", url=url), sink, lambda state: None)
    assert caught.value.code == "unsupported_scheme"
    assert "gate-3" in caught.value.message


def test_the_recorders_path_loads_no_heavy_library():
    program = (
        "import sys, perishield.sources.rtsp.source, perishield.sources.open, perishield.sources.ffmpeg.source,"
        "perishield.sources.simulator\n"
        "print(sorted({'numpy', 'av', 'pydantic', 'fastapi', 'msgspec'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
