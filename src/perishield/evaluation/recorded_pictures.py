"""Key frames of one's own recordings, to calibrate a network with and to compare it on."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from perishield.evaluation.recorded_chunks import chunk_refs
from perishield.model.errors import StorageError
from perishield.model.media import ChunkRef
from perishield.recording.index import list_segments
from perishield.recording.keyframes import KeyFrame, key_frames
from perishield.vision.calibration_pictures import Pictures, by_turns, kept
from perishield.vision.decoder import ChunkDecoder
from perishield.vision.picture import Picture

_APART_S = 0.5
"""Two pools may hold the same moment."""
_NEAR_S = 0.02


def recorded_pictures(media: Path, camera: str, start: float, end: float, most: int) -> Pictures:
    """Up to `most` pictures for each purpose, evenly over the footage in [start, end) (Unix seconds).

    Pieces of time calibrate and compare by turns. Raises StorageError (`missing`) where there are fewer than two.
    """
    keys = _apart(key_frames(list_segments(media, camera, start, end), start, end))
    wanted = min(2 * most, len(keys))
    decoder = ChunkDecoder(media)
    pictures: list[Picture] = []
    try:
        for index in range(wanted):
            ref = _chunk(media, keys[index * len(keys) // wanted])
            picture = decoder.skim(ref) if ref is not None else None
            if picture is not None:
                pictures.append(kept(picture.frame, camera, index))
    finally:
        decoder.close()
    found = by_turns(pictures)
    if not found.calibrate or not found.compare:
        raise StorageError(
            f"camera {camera!r}: {len(pictures)} key frames of that time lie on this host's disk, and two at least are "
            "needed; see `perishield ledger` for what is recorded",
            code="missing",
            camera=camera,
        )
    return found


def _apart(keys: Iterable[KeyFrame]) -> list[KeyFrame]:
    found: list[KeyFrame] = []
    for key in sorted(keys, key=lambda key: key.wall):
        if not found or key.wall - found[-1].wall >= _APART_S:
            found.append(key)
    return found


def _chunk(media: Path, key: KeyFrame) -> ChunkRef | None:
    """The chunk that begins with this key frame; None where its file is gone."""
    for ref in chunk_refs(media, [key.row], key.wall - _NEAR_S, key.wall + _NEAR_S):
        if ref.key and ref.offset == key.offset:
            return ref
    return None
