"""The host's clock set forward and back by an hour under the running recorder (libfaketime; not the monotonic one)."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from perishield.evaluation.faults.stand import FPS, Stand, demand
from perishield.evaluation.faults.witness import agreement, read_files

_HOUR = 3600.0
_LIBRARIES = (
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1",
)


def missing() -> str:
    """Why clocks cannot be moved here, or empty."""
    return "" if _library() else "needs libfaketime (Debian package faketime)"


def _library() -> str:
    return next((path for path in _LIBRARIES if Path(path).exists()), "")


def clock(folder: Path, *, quick: bool) -> dict[str, Any]:
    """An hour forward, later an hour back: no frame lost, no file overwritten, the leap is in the ledger."""
    lasts = 6.0 if quick else 15.0
    hand = folder / "clock"
    hand.write_text("+0\n")
    stand = Stand(
        folder,
        3,
        environment={
            "LD_PRELOAD": _library(),
            "FAKETIME_TIMESTAMP_FILE": str(hand),
            "FAKETIME_NO_CACHE": "1",
            "DONT_FAKE_MONOTONIC": "1",
        },
    )
    with stand.running():
        stand.all_record(stand.began)
        steady = time.monotonic()
        before = {name: _frames(stand, name) for name in stand.names}
        time.sleep(lasts)
        hand.write_text("+3600\n")
        time.sleep(lasts)
        # The hour that was leapt over lies ahead of this process, whose clock was spared.
        forward = [agreement(stand, name, stand.began, time.time() + _HOUR - 3) for name in stand.names]
        hand.write_text("+0\n")
        back = time.time()
        time.sleep(lasts)
        elapsed = time.monotonic() - steady
        stand.stop()
        grown = {name: _frames(stand, name) - before[name] for name in stand.names}
        again = [agreement(stand, name, back + 2, time.time() - 1) for name in stand.names]
    least = min(grown.values())
    demand(
        least >= elapsed * FPS - 2 * FPS,
        f"{least} frames in {elapsed:.0f} s: some were lost or overwritten when the clock leapt",
    )
    for totals in forward:
        leapt = sum(value for key, value in totals.items() if key.startswith("clock"))
        demand(abs(leapt - _HOUR) < 10, f"the ledger books {leapt:.0f} s as leapt over, not an hour")
    return {"frames_due": int(elapsed * FPS), "frames_least": least, "states": forward[0], "states_after": again[0]}


def _frames(stand: Stand, camera: str) -> int:
    return read_files(stand, camera).frames
