"""Networks that lose and reorder."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import av

from perishield.evaluation.faults.stand import FPS, Stand, demand
from perishield.evaluation.faults.witness import agreement, read_files
from perishield.model.site import Transport


def udp(folder: Path, *, quick: bool) -> dict[str, Any]:
    """5 % of the datagrams lost, some swapped: what is kept decodes without an error, what is not is in the ledger."""
    lasts = 10.0 if quick else 40.0
    stand = Stand(folder, 3, simulator=("--loss", "5", "--reorder", "5"), camera={"transport": Transport.UDP})
    with stand.running():
        stand.all_record(stand.began)
        time.sleep(lasts)
        stand.stop()
        end = time.time()
        totals = {name: agreement(stand, name, stand.began, end - 1) for name in stand.names}
        frames = {name: read_files(stand, name).frames for name in stand.names}
        damaged = sum(_damaged(path) for name in stand.names for path in stand.files(name))
    demand(damaged == 0, f"{damaged} frames that were kept do not decode")
    kept = min(frames.values())
    demand(kept > 0, "nothing was kept at all")
    return {
        "frames_kept_share": round(kept / ((end - stand.began) * FPS), 3),
        "frames_damaged": damaged,
        "states": totals[stand.names[0]],
    }


def _damaged(path: Path) -> int:
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.codec_context.options = {"err_detect": "explode"}
        packets = pictures = 0
        for packet in container.demux(stream):
            packets += bool(packet.size)
            try:
                pictures += len(packet.decode())
            except av.error.InvalidDataError:
                continue
    return packets - pictures
