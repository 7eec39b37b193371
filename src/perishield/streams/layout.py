"""Where segment files lie and what stands beside them.

    {media}/{recordings|pool}/{camera}/{YYYY-MM-DD}/{HH}/{unix-seconds}.mp4    UTC, of the first frame
                                                        {unix-seconds}.json   its SegmentRow, once it is closed
A second file of the same second is called `{unix-seconds}-1.mp4`, and so on.
"""

from __future__ import annotations

import errno
import os
import time
from pathlib import Path

import msgspec

from perishield.model.errors import StorageError
from perishield.model.media import SegmentRow

RECORDINGS = "recordings"
POOL = "pool"
POOLS = (RECORDINGS, POOL)

_LATEST = 32_503_680_000  # year 3000
_FULL = frozenset((errno.ENOSPC, errno.EDQUOT))

_row_decoder = msgspec.json.Decoder(SegmentRow)
_row_encoder = msgspec.json.Encoder()


_DETECT = "~detect"


def detect_stream(camera: str) -> str:
    """The name of a camera's smaller stream, which is analysed: a stream and a folder of the pool, but no camera."""
    return f"{camera}{_DETECT}"


def main_camera(stream: str) -> str:
    """The camera that a stream belongs to."""
    return stream.removesuffix(_DETECT)


def hour_folder(pool: str, camera: str, wall: float) -> str:
    """The folder of that moment, relative to the media root."""
    return f"{pool}/{camera}/{time.strftime('%Y-%m-%d/%H', time.gmtime(whole_second(wall)))}"


def whole_second(wall: float) -> int:
    """The Unix second that names a file, kept within what folders can be named after."""
    return int(min(max(0.0, wall), _LATEST))


def segment_second(name: str) -> int | None:
    """The Unix second in a segment file's name, or None where it is no segment's name.

    >>> segment_second("1790000000-1.mp4")
    1790000000
    """
    stem, dot, suffix = name.partition(".")
    second, _, number = stem.partition("-")
    if not dot or suffix != "mp4" or not second.isdecimal() or (number and not number.isdecimal()):
        return None
    return int(second) if len(second) <= 12 else None


def sidecar_path(segment: str) -> str:
    """`.../1790000000.mp4` -> `.../1790000000.json`."""
    return f"{segment.removesuffix('.mp4')}.json"


def write_sidecar(media: str | Path, row: SegmentRow) -> None:
    """Put the row beside its segment. Raises OSError.

    One write of a new file, without the renaming that would make it doubly atomic: that cost a tenth of the recorder's
    processor time, and a reader who meets an empty sidecar reads the segment itself, as it does where there is none.
    """
    path = f"{media}/{sidecar_path(row.path)}"
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o640)
        try:
            write_all(fd, _row_encoder.encode(row))
        finally:
            os.close(fd)
    except OSError:
        with_no_trace(path)
        raise


def write_all(fd: int, data: bytes | memoryview) -> None:
    """Write it whole; a disk that fills up takes a part first and refuses the rest. Raises OSError."""
    written = os.write(fd, data)
    while written < len(data):
        written += os.write(fd, data[written:])


def with_no_trace(path: str) -> None:
    """Remove a file that may not be there, on a disk that may refuse."""
    try:
        os.unlink(path)  # noqa: PTH108
    except OSError:
        return


def read_sidecar(media: str | Path, segment: str) -> SegmentRow | None:
    """The row beside that segment, or None where there is none that can be read."""
    try:
        with open(f"{media}/{sidecar_path(segment)}", "rb") as file:
            row = _row_decoder.decode(file.read())
    except (OSError, msgspec.DecodeError, ValueError):
        return None
    return row if row.path == segment else None


def storage_error(camera: str, media: str | Path, error: OSError) -> StorageError:
    """What to tell people about a file that could not be written: `disk_full` or `not_writable`."""
    if error.errno in _FULL:
        return disk_full(camera, media)
    reason = os.strerror(error.errno) if error.errno else str(error)
    return StorageError(
        f"camera '{camera}': cannot write below {media}: {reason}; check the folder's owner, rights and mount",
        code="not_writable",
        camera=camera,
        folder=str(media),
        reason=reason,
    )


def disk_full(camera: str, media: str | Path) -> StorageError:
    return StorageError(
        f"camera '{camera}': not recorded, the disk of {media} is full; free space or keep footage for a shorter time",
        code="disk_full",
        camera=camera,
        folder=str(media),
    )


def overload(camera: str, media: str | Path) -> StorageError:
    return StorageError(
        f"camera '{camera}': not recorded, the disk of {media} cannot keep up; take a faster one, fewer cameras or "
        "lower bit rates",
        code="overload",
        camera=camera,
        folder=str(media),
    )
