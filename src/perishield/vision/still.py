"""Single pictures: decoded from a group of pictures, cut down, and made JPEG."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from perishield.model.errors import StorageError
from perishield.model.media import ChunkRef, Codec
from perishield.vision.hardware import SOFTWARE, decoder_for

if TYPE_CHECKING:
    from av import VideoFrame
    from av.video.codeccontext import VideoCodecContext

    from perishield.vision.picture import Picture

_NAMES = {Codec.H264: "h264", Codec.H265: "hevc"}
_OPTIONS = {"max_pixels": "64000000", "threads": "1"}


class StillDecoder:
    """Decodes pictures one by one, and keeps its codec between those of one format. Not for several threads at once.

    `hardware`: empty for none, `auto` for the first that this host has, or a name such as `cuda`, `vaapi`, `qsv`.
    Where it does not take a stream, software does. `name` says which one decoded the last picture.
    """

    def __init__(self, hardware: str = "") -> None:
        self.name = SOFTWARE
        self._hardware = hardware
        self._codec: VideoCodecContext | None = None
        self._configuration: tuple[Codec, bytes] | None = None

    def decode(
        self, codec: Codec, configuration: bytes, units: Iterable[tuple[int, bytes]], until: int | None = None
    ) -> VideoFrame:
        """The picture of the first unit; with `until`, the last one that is shown at or before that time.

        `units`: presentation time in ticks and bytes of access units in decode order, the first a key frame.
        `configuration`: avcC or hvcC record. Raises StorageError (`corrupt`) where there is no such picture.
        """
        import av
        import av.error

        try:
            context = self._open(codec, configuration)
            best: VideoFrame | None = None
            for shown, data in units:
                packet = av.Packet(data)
                packet.pts = shown
                for frame in context.decode(packet):
                    best = _better(best, frame, until)
                if until is None or (best is not None and _passed(best, until)):
                    break
            for frame in context.decode(None):
                best = _better(best, frame, until)
            context.flush_buffers()
        except (av.error.FFmpegError, ValueError) as error:
            self._codec = None
            raise StorageError(f"this picture is damaged: {error}", code="corrupt") from error
        if best is None or best.is_corrupt:
            raise StorageError("this picture is damaged; ask for another", code="corrupt")
        return best

    def _open(self, codec: Codec, configuration: bytes) -> VideoCodecContext:
        if self._codec is None or self._configuration != (codec, configuration):
            context, self.name = decoder_for(_NAMES[codec], self._hardware)
            context.extradata = configuration
            context.options = _OPTIONS
            context.thread_count = 1
            context.open()
            self._codec, self._configuration = context, (codec, configuration)
        return self._codec


def _passed(frame: VideoFrame, until: int) -> bool:
    return frame.pts is not None and frame.pts >= until


def _better(best: VideoFrame | None, frame: VideoFrame, until: int | None) -> VideoFrame | None:
    if best is None:
        return frame
    if until is None or frame.pts is None or best.pts is None:
        return best
    return frame if best.pts < frame.pts <= until else best


def fitted_size(wide: int, high: int, width: int, height: int = 0) -> tuple[int, int]:
    """What `fitted` makes of a picture of `wide` x `high`."""
    share = min(width / wide, height / high if height else 1.0, 1.0)
    if share >= 1.0:
        return wide, high
    return max(2, round(wide * share) // 2 * 2), max(2, round(high * share) // 2 * 2)


def fitted(frame: VideoFrame, width: int, height: int = 0) -> VideoFrame:
    """The frame, no wider than `width` and no higher than `height` (0: any), in its own proportions and even sizes."""
    wide, high = fitted_size(frame.width, frame.height, width, height)
    if (wide, high) == (frame.width, frame.height):
        return frame
    return frame.reformat(width=wide, height=high, interpolation="AREA", threads=1)


def jpeg_of_key_frame(ref: ChunkRef, media_root: Path, quality: int = 85) -> bytes:
    """The picture that a key chunk begins with; blocks for some milliseconds.

    Raises StorageError: `missing` when the chunk has no key frame or its file is gone, `corrupt` when it cannot be
    decoded.
    """
    from perishield.vision.decoder import ChunkDecoder

    if not ref.key:
        raise StorageError(f"camera {ref.camera!r}: this chunk has no key frame; ask for another", code="missing")
    decoder = ChunkDecoder(media_root)
    try:
        picture = decoder.skim(ref)
        if picture is None:
            if decoder.counts.missing:
                raise StorageError(
                    f"camera {ref.camera!r}: the footage of this moment is no longer kept", code="missing"
                )
            raise StorageError(f"camera {ref.camera!r}: this key frame is damaged; wait for the next", code="corrupt")
        return encode_jpeg(picture, quality)
    finally:
        decoder.close()


def encode_jpeg(picture: Picture, quality: int = 85) -> bytes:
    """A picture as JPEG, straight from its planes, without a detour over RGB."""
    return encode_frame(picture.frame, quality)


def encode_frame(frame: VideoFrame, quality: int = 85) -> bytes:
    """The same of a bare frame."""
    import numpy as np
    import simplejpeg

    if frame.format.name not in ("yuv420p", "yuvj420p"):
        frame = frame.reformat(format="yuv420p", threads=1)
    if frame.format.name == "yuv420p" and frame.color_range != 2:
        # Video levels 16..235; JPEG means 0..255 (ITU-T T.871 clause 6).
        frame = frame.reformat(format="yuvj420p", src_color_range="MPEG", dst_color_range="JPEG", threads=1)
    width, height = frame.width // 2 * 2, frame.height // 2 * 2
    planes = []
    for plane, share in zip(frame.planes, (1, 2, 2), strict=True):
        rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)  # type: ignore[call-overload]
        planes.append(np.ascontiguousarray(rows[: height // share, : width // share]))
    return bytes(simplejpeg.encode_jpeg_yuv_planes(*planes, quality=quality))
