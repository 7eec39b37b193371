"""Pictures as JPEG: of a decoded frame, or of the key frame that a chunk begins with."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from perishield.model.errors import StorageError
from perishield.model.media import ChunkRef

if TYPE_CHECKING:
    from perishield.vision.picture import Picture


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
    import numpy as np
    import simplejpeg

    frame = picture.frame
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
