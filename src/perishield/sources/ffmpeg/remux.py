"""Foreign recordings to MP4, in a process of its own: `python -m perishield.sources.ffmpeg.remux`, an order on stdin.

What a recorder sends is foreign bytes, so whatever it does to the demuxer stays in here, in bounded memory. Pictures
are not decoded; the answer is one JSON object.
"""

from __future__ import annotations

import json
import resource
import sys
from typing import Any

import av

_MEMORY = 2 << 30
_CODECS = ("h264", "hevc")


def remux(source: str, target: str, skip_s: float, lasts_s: float) -> dict[str, Any]:
    """Copy the pictures from the key frame at or before `skip_s` for so long. Returns `start_s` (from the source's
    beginning), `duration_s` and `frames`."""
    with av.open(source) as container, av.open(target, "w", options={"movflags": "+faststart"}, format="mp4") as out:
        stream = next((one for one in container.streams.video if one.codec_context.name in _CODECS), None)
        if stream is None or stream.time_base is None:
            raise ValueError("there is no H.264 or H.265 in it")
        written = out.add_stream_from_template(stream)
        base = float(stream.time_base)
        origin: int | None = None
        kept: list[Any] = []
        first = last = None
        frames = 0
        before: int | None = None
        # Program streams name no time for the second picture of a packet.
        step = max(round(1 / (base * float(stream.average_rate or 25))), 1)
        for packet in container.demux(stream):
            if packet.size == 0 or (before is None and packet.dts is None):
                continue
            if packet.dts is None or (before is not None and packet.dts <= before):
                packet.dts = (before or 0) + step
            if packet.pts is None:
                packet.pts = packet.dts
            before = packet.dts
            origin = packet.dts if origin is None else origin
            at = (packet.dts - origin) * base
            if first is None:
                kept = [packet] if packet.is_keyframe else [*kept, packet] if kept else []
                if at < skip_s:
                    continue
                batch, kept = kept, []
            elif at > skip_s + lasts_s:
                break
            else:
                batch = [packet]
            for one in batch:
                first = one.dts if first is None else first
                last = one.dts
                one.pts = max((one.pts or 0) - first, one.dts - first)
                one.dts -= first
                one.stream = written
                out.mux(one)
                frames += 1
        if first is None or last is None or origin is None or frames < 2:
            raise ValueError("there are no pictures of that time in it")
        span = (last - first) * base
        return {"start_s": (first - origin) * base, "duration_s": span * frames / (frames - 1), "frames": frames}


def main() -> int:
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    order = json.load(sys.stdin)
    try:
        told = remux(order["source"], order["target"], float(order["skip_s"]), float(order["lasts_s"]))
    except Exception as error:  # noqa: BLE001 - whatever FFmpeg raises is told to the parent, who reports it
        told = {"error": str(error)[:300] or type(error).__name__}
    json.dump(told, sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main())
