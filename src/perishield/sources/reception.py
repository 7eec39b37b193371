"""How packets fared on their way to us."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Reception:
    """Counters of one camera, over all its connections.

    `lost`: RTP packets that never came in time. `late`: of these, those that came when they had been given up.
    `reordered`: came behind a later one, and were put right. `duplicates`: came again. `sources`: changes of the
    sender's SSRC, or of its sequence, without notice. `time_jumps`: leaps of the sender's clock;
    `clock_corrections`: how often it was found to run fast or slow, and stream time was bent back to the host's.
    `transport`: how the packets travel at present, `tcp`, `tls` or `udp`, empty before the first connection.
    """

    lost: int = 0
    late: int = 0
    reordered: int = 0
    duplicates: int = 0
    sources: int = 0
    time_jumps: int = 0
    clock_corrections: int = 0
    transport: str = ""
