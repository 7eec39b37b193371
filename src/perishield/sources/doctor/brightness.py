"""Is there anything to see? One key frame decoded and its brightness measured: blocks for some milliseconds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from perishield.model.errors import SourceError
from perishield.model.media import Codec, VideoFormat
from perishield.sources.bits import BitstreamError
from perishield.sources.bitstream import split_lengths

if TYPE_CHECKING:
    from av import VideoCodecContext

_START = b"\0\0\0\1"
_DARK = 12.0
_EVEN = 2.0


@dataclass(frozen=True, slots=True)
class Brightness:
    """Of a picture's luma, 0 to 255 whatever the stream's range: its mean and its standard deviation."""

    mean: float
    spread: float

    @property
    def black(self) -> bool:
        return self.mean < _DARK and self.spread < _DARK

    @property
    def even(self) -> bool:
        """One colour all over: a covered lens, a camera's own error picture, a decoder's grey."""
        return self.spread < _EVEN


def brightness(video: VideoFormat, access_unit: bytes) -> Brightness:
    """Of a key frame, its NAL units behind 4-byte lengths. Raises SourceError (`unsupported_codec`, `truncated`)."""
    import av
    import numpy as np

    codec = "h264" if video.codec is Codec.H264 else "hevc"
    try:
        nals = split_lengths(access_unit)
        decoder: VideoCodecContext = av.VideoCodecContext.create(codec, "r")  # type: ignore[assignment]
        decoder.thread_count = 1
        stream = b"".join(_START + nal for nal in (*video.parameter_sets, *nals))
        frames = [*decoder.decode(av.Packet(stream)), *decoder.decode(None)]
    except BitstreamError as error:
        raise SourceError(f"the key frame is damaged: {error}", code="truncated") from None
    except av.FFmpegError as error:
        raise SourceError(f"the key frame cannot be decoded: {error.strerror}", code="truncated") from None
    except ValueError:
        raise SourceError(f"this installation has no decoder for {codec}", code="unsupported_codec") from None
    if not frames:
        raise SourceError("the key frame gives no picture", code="truncated")
    frame = frames[0]
    plane = frame.planes[0]
    wide = "10" in frame.format.name or "12" in frame.format.name
    depth = np.uint16 if wide else np.uint8
    rows = np.frombuffer(plane, depth)  # type: ignore[call-overload]
    rows = rows.reshape(frame.height, -1)[:, : frame.width]
    luma = rows[::4, ::4].astype(np.float32) / (4 if "10" in frame.format.name else 16 if wide else 1)
    if frame.color_range != 2:
        luma = (luma - 16) * (255 / 219)
    return Brightness(round(float(luma.mean().clip(0, 255)), 1), round(float(luma.std()), 1))
