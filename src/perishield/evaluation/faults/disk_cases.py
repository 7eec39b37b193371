"""Disks that fill, stall and vanish."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path
from typing import Any

from perishield.bus import LocalBus, topics
from perishield.evaluation.faults.mounts import disk, small_disk
from perishield.evaluation.faults.stand import Stand, demand, wait_until
from perishield.evaluation.faults.witness import agreement

_MOST_MEMORY_MB = 64.0


def full(folder: Path, *, quick: bool) -> dict[str, Any]:
    """A disk that fills: said at once, every second accounted for, recorded again as soon as there is room."""
    lasts = 5.0 if quick else 15.0
    with small_disk(folder / "small", 24) as media:
        ballast = media / "ballast"
        stand = Stand(folder, 4, media=media, options={"min_free_bytes": 0})
        with stand.running():
            stand.all_record(stand.began)
            with ballast.open("wb") as file:
                status = os.statvfs(media)
                file.write(bytes(status.f_bavail * status.f_frsize - (1 << 20)))
            wait_until(lambda: "disk_full" in stand.log(), 60, "the recorder says that the disk is full")
            time.sleep(lasts)
            demand(stand.alive, "the recorder died of a full disk")
            ballast.unlink()
            back = stand.all_record(time.time())
            totals = _account(stand)
    demand(any(key.startswith("disk") for key in totals), "the ledger does not know about the full disk")
    return {"back_s": round(back, 2), "states": totals}


def stalled(folder: Path, *, quick: bool) -> dict[str, Any]:
    """A disk that hangs without an error: the recorder goes on talking, memory is bounded, nothing is unaccounted."""
    lasts = 8.0 if quick else 25.0
    with disk(folder, 96) as frozen:
        stand = Stand(folder, 8, media=frozen.place, bitrate=1_000_000)
        with stand.running():
            stand.all_record(stand.began)
            frozen.freeze()
            try:
                heard = asyncio.run(_hear(stand, lasts))
                memory = stand.memory()
            finally:
                frozen.thaw()
            demand(
                len(heard) == len(stand.names),
                f"while the disk hung only {len(heard)} of {len(stand.names)} cameras were heard of",
            )
            back = stand.all_record(time.time(), 60)
            totals = _account(stand)
    demand(memory < _MOST_MEMORY_MB, f"{memory:.0f} MB of memory while the disk hung")
    return {"stalled_s": lasts, "pss_mb": round(memory, 1), "back_s": round(back, 2), "states": totals}


def unmounted(folder: Path, *, quick: bool) -> dict[str, Any]:
    """A network drive that goes away under way: nothing is written in its place, and it is taken up again."""
    lasts = 5.0 if quick else 15.0
    with disk(folder, 96) as drive:
        stand = Stand(folder, 4, media=drive.place)
        with stand.running():
            stand.all_record(stand.began)
            drive.vanish()
            wait_until(lambda: "mount_gone" in stand.log(), 60, "the recorder says that the drive is gone")
            time.sleep(lasts)
            strays = [path for path in drive.place.rglob("*") if path.is_file()]
            demand(not strays, f"{len(strays)} files were written where the drive used to be")
            demand(stand.alive, "the recorder died when its drive went")
            drive.mount()
            back = stand.all_record(time.time(), 60)
            totals = _account(stand)
    demand(any(key.startswith("disk") for key in totals), "the ledger does not know that the drive was gone")
    return {"back_s": round(back, 2), "states": totals}


def _account(stand: Stand) -> dict[str, float]:
    end = time.time()
    stand.stop()
    totals = [agreement(stand, name, stand.began, end - 1) for name in stand.names]
    found: dict[str, float] = totals[0]
    return found


async def _hear(stand: Stand, seconds: float) -> set[str]:
    """Cameras whose state the recorder told within that time."""
    heard: set[str] = set()
    bus = await LocalBus.open(stand.data / "run", "node")
    try:
        async with bus.subscribe(topics.STATES, size=4096) as states:
            deadline = asyncio.get_running_loop().time() + seconds
            while (left := deadline - asyncio.get_running_loop().time()) > 0:
                try:
                    camera, _ = await asyncio.wait_for(states.get(), left)
                except TimeoutError:
                    break
                heard.add(camera)
    finally:
        await bus.close()
    return heard
