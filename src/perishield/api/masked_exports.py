"""Exports for who may not see what privacy masks cover: the plain export is made, encoded anew with masks, and deleted.

What is stored is not touched. One is encoded at a time, on one core; sound is left out.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

from perishield.model.errors import PeriShieldError
from perishield.model.evidence import Polygon
from perishield.recording.export import CancelledError, ExportedFile, Watch

_BLOCK = 1 << 20
_WAIT_S = 0.5
PLAIN = 0.2
"""The share of the work that the plain export is."""

_one_at_a_time = threading.Lock()


def mask_files(
    folder: Path, files: Sequence[ExportedFile], masks: Sequence[Polygon], watch: Watch
) -> list[ExportedFile]:
    """Put a masked copy in the place of each file; blocks. On any error none of them stays.

    Raises StorageError (`corrupt`, `missing`), CancelledError.
    """
    done = []
    total = sum(file.duration_s for file in files) or 1.0
    try:
        while not _one_at_a_time.acquire(timeout=_WAIT_S):
            watch.check()
        try:
            before = 0.0
            for file in files:
                done.append(_mask(folder, file, masks, watch, before / total, file.duration_s / total))
                before += file.duration_s
        finally:
            _one_at_a_time.release()
    except PeriShieldError:
        for file in files:
            (folder / file.name).unlink(missing_ok=True)
        watch.check()
        raise
    return done


def _mask(
    folder: Path, file: ExportedFile, masks: Sequence[Polygon], watch: Watch, begun: float, share: float
) -> ExportedFile:
    # Heavy, hence not at the head: numpy.
    from perishield.vision.privacy import masked_video

    plain = folder / file.name
    target = folder / f"{plain.stem}.masked"

    def note(seconds: float) -> None:
        part = begun + share * min(1.0, seconds / max(file.duration_s, 0.001))
        watch.progress = min(1.0, PLAIN + (1 - PLAIN) * part)

    try:
        masked_video(plain, target, masks, watch.cancel, note)
        target.replace(plain)
    finally:
        target.unlink(missing_ok=True)
    digest = sha256()
    with plain.open("rb") as written:
        while block := written.read(_BLOCK):
            if watch.cancel.is_set():
                raise CancelledError("export: cancelled")
            digest.update(block)
    return replace(file, size=plain.stat().st_size, sha256=digest.hexdigest())
