"""The recorder killed, and cameras that come and go."""

from __future__ import annotations

import random
import statistics
import time
from pathlib import Path
from typing import Any

from perishield.evaluation.faults.flapping_link import FlappingLink
from perishield.evaluation.faults.stand import Stand, demand, wait_until
from perishield.evaluation.faults.witness import agreement, read_files


def kills(folder: Path, *, quick: bool) -> dict[str, Any]:
    """SIGKILL at random moments: files readable to the last whole chunk, ledger and files agree to the second."""
    times = 5 if quick else 50
    moments = random.Random(7)
    waits = []
    stand = Stand(folder, 4)
    with stand.running():
        stand.all_record(stand.began)
        for _ in range(times):
            time.sleep(moments.uniform(0.1, 1.7))
            stand.kill()
            stand.start()
            waits.append(stand.all_record(time.time()))
        stand.stop()
        end = time.time()
        totals = {name: agreement(stand, name, stand.began, end - 1) for name in stand.names}
        torn = sum(read_files(stand, name).torn for name in stand.names)
    demand(torn == 0, f"{torn} bytes behind the last whole chunk were not cut off by the recovery")
    recorded = min(total.get("recorded", 0.0) for total in totals.values())
    return {
        "kills": times,
        "back_s_median": round(statistics.median(waits), 2),
        "back_s_max": round(max(waits), 2),
        "seconds": round(end - stand.began, 1),
        "recorded_s_min": recorded,
        "states": totals[stand.names[0]],
    }


def flapping(folder: Path, *, quick: bool) -> dict[str, Any]:
    """Cameras that lose their connection a thousand times: memory stays where it is, and so does the account.

    Before these, fifteen hundred more: what reconnecting leaves to the collector of cycles levels off until then. The
    quick run is over before that, and its bound is so much wider.
    """
    warm, wanted = (40, 160) if quick else (1500, 3500)
    bound_mb = 15.0 if quick else 1.0
    stand = Stand(folder, 20, options={"first_retry_s": 0.05})
    stand.serve()
    link = FlappingLink(stand.port, 0.05, 1.2)
    with link.running():
        stand.publish(link.port)
        try:
            stand.start()
            wait_until(lambda: link.cuts >= warm, 600, "the first connections are cut")
            samples: list[tuple[int, float]] = []
            while link.cuts < wanted:
                demand(stand.alive, "the recorder died")
                samples.append((link.cuts, stand.memory()))
                time.sleep(0.5)
            link.calm = True
            back = stand.all_record(time.time(), 60)
            stand.stop()
            end = time.time()
            totals = agreement(stand, stand.names[0], stand.began, end - 1)
        finally:
            stand.close()
    slope, noise = _slope(samples)
    demand(
        slope * 1000 < max(bound_mb, 3 * noise * 1000),
        f"memory grows by {slope * 1000:.2f} MB in a thousand lost connections",
    )
    return {
        "connections_cut": link.cuts,
        "pss_mb_first": round(statistics.fmean(value for _, value in samples[:5]), 1),
        "pss_mb_last": round(statistics.fmean(value for _, value in samples[-5:]), 1),
        "pss_slope_kb_per_cut": round(slope * 1024, 3),
        "slope_noise_kb_per_cut": round(noise * 1024, 3),
        "back_s": round(back, 2),
        "states": totals,
    }


def _slope(samples: list[tuple[int, float]]) -> tuple[float, float]:
    """Slope of a straight line through the samples, and its standard error."""
    count = len(samples)
    demand(count >= 10, f"only {count} samples of memory")
    mean_x = statistics.fmean(x for x, _ in samples)
    mean_y = statistics.fmean(y for _, y in samples)
    spread = sum((x - mean_x) ** 2 for x, _ in samples)
    slope = sum((x - mean_x) * (y - mean_y) for x, y in samples) / spread
    rest = sum((y - mean_y - slope * (x - mean_x)) ** 2 for x, y in samples)
    return float(slope), float((rest / (count - 2) / spread) ** 0.5)
