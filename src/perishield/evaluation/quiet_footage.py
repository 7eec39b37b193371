"""Quiet footage: the demo site's scenes with nobody in them, as a camera of 25 pictures a second would send them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Literal

from perishield.evaluation.scenes import demo_scenes, frames
from perishield.evaluation.scenes.scene import Go

Rate = Literal["vbr", "cbr"]
_FPS = 25
_GOP_S = 2


@dataclass(frozen=True, slots=True)
class Quiet:
    """One clip: a scene by its name, the encoder's rate control, and where it lies."""

    scene: str
    rate: Rate
    path: Path


def render_quiet(folder: Path, *, seconds: float = 30.0, bitrate: int = 2_000_000) -> list[Quiet]:
    """Each demo scene without its people, encoded twice: `vbr` has `bitrate` as its ceiling and takes what the picture
    needs, `cbr` fills it up. Trees sway, rain falls and the sensor is noisy; a key frame comes every 2 s.
    """
    found = []
    for scene in demo_scenes():
        quiet = replace(scene, fps=_FPS, seconds=seconds, actors=())
        clips = [Quiet(scene.name, rate, folder / f"quiet-{scene.name}-{rate}.mp4") for rate in ("vbr", "cbr")]
        writers = [_Writer(clip, quiet.width, quiet.height, bitrate) for clip in clips]
        for picture, _ in frames(quiet):
            for writer in writers:
                writer.write(picture)
        for writer in writers:
            writer.close()
        found += clips
    return found


def render_passing(path: Path, *, seconds: float = 20.0, bitrate: int = 2_000_000) -> None:
    """A scene in which somebody runs through a tenth of the time, and nothing happens otherwise (`vbr`)."""
    scene = demo_scenes()[0]
    walker = next(actor for actor in scene.actors if actor.name == "walker")
    passing = replace(walker, start_s=seconds * 0.5, at=(9.0, -2.5), moves=(Go((9.0 + 0.4 * seconds, -2.5), 4.0),))
    quiet = replace(scene, fps=_FPS, seconds=seconds, actors=(passing,))
    writer = _Writer(Quiet(scene.name, "vbr", path), quiet.width, quiet.height, bitrate)
    for picture, _ in frames(quiet):
        writer.write(picture)
    writer.close()


class _Writer:
    def __init__(self, clip: Quiet, width: int, height: int, bitrate: int) -> None:
        import av

        params = f"scenecut=0:keyint={_GOP_S * _FPS}:min-keyint={_GOP_S * _FPS}:bframes=0"
        params += f":vbv-maxrate={bitrate // 1000}:vbv-bufsize={bitrate // 1000}"
        if clip.rate == "cbr":
            params += ":nal-hrd=cbr"
        self._container = av.open(str(clip.path), "w", format="mp4")
        stream = self._container.add_stream("libx264", rate=_FPS)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.time_base = Fraction(1, _FPS)
        stream.gop_size = _GOP_S * _FPS
        stream.codec_context.thread_count = 1
        stream.options = {"preset": "superfast", "tune": "zerolatency", "x264-params": params}
        if clip.rate == "cbr":
            stream.bit_rate = bitrate
        else:
            stream.options |= {"crf": "25"}
        self._stream = stream
        self._count = 0

    def write(self, picture: object) -> None:
        import av

        frame = av.VideoFrame.from_ndarray(picture, format="rgb24")  # type: ignore[arg-type]
        frame.pts, frame.time_base = self._count, Fraction(1, _FPS)
        self._count += 1
        self._container.mux(self._stream.encode(frame))

    def close(self) -> None:
        self._container.mux(self._stream.encode(None))
        self._container.close()
