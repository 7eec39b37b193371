"""Events into the spool, as the vision process writes them: each put before the next, until it is on disk.

`python -m perishield.evaluation.faults.event_writer SPOOL COUNT CAMERAS A_SECOND`
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from perishield.bus.codec import encode
from perishield.bus.spool import Spool
from perishield.model.alarms import Event, EventKind
from perishield.model.errors import BusError

_AGAIN_S = 0.2


def event(number: int, camera: str, wall: float) -> Event:
    return Event(
        id=f"f{number:06d}",
        camera=camera,
        epoch=1,
        kind=EventKind.TRIPWIRE,
        rule={"id": "line", "name": "Line", "kind": "tripwire", "line": [[0, 0.5], [1, 0.5]]},
        level=1 + number % 4,
        label="person",
        score=0.9,
        track=number,
        stream_time=number * 9000,
        wall=wall,
        arrival=wall,
        point=(0.5, 0.5),
        direction="left_to_right",
        box=(0.4, 0.2, 0.6, 0.5),
        path=(),
        detector="motion",
    )


def main(path: Path, count: int, cameras: int, a_second: float) -> None:
    spool: Spool | None = None
    began = time.monotonic()
    for number in range(count):
        time.sleep(max(began + number / a_second - time.monotonic(), 0.0))
        made = event(number, f"cam-{number % cameras}", time.time())
        while True:
            try:
                spool = spool or Spool(path)
                spool.put(made.id, encode(made))
                break
            except BusError:
                # The disk is full: nothing was told yet, so it is tried until it is kept.
                time.sleep(_AGAIN_S)
    if spool is not None:
        spool.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]))
