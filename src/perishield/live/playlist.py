"""Playlists of HLS (RFC 8216bis section 4): what a window holds, in words. Whoever serves them makes the addresses."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, datetime

from perishield.live.hls import SEGMENT_S, Head, Window
from perishield.model.media import TIMESCALE, ChunkRef

Address = Callable[[str], str]

_VERSION = 9
_PARTS_OF_SEGMENTS = 3
_LEAST_PART_S = 0.2


def multivariant(head: Head, bits: int, address: Address) -> str:
    """The playlist to begin with: one stream, and what it needs to be played. `bits` a second."""
    return "\n".join(
        (
            "#EXTM3U",
            f"#EXT-X-VERSION:{_VERSION}",
            "#EXT-X-INDEPENDENT-SEGMENTS",
            f'#EXT-X-STREAM-INF:BANDWIDTH={max(bits, 1)},RESOLUTION={head.width}x{head.height},CODECS="{head.codecs}"',
            address("stream.m3u8"),
            "",
        )
    )


def media(window: Window, address: Address) -> str:
    """The segments of a window, and the parts of its newest."""
    segments = window.segments
    done = [segment for segment in segments if segment.done]
    target = max([SEGMENT_S, *(segment.duration for segment in done)])
    shown = segments[-_PARTS_OF_SEGMENTS:]
    part_target = max([_LEAST_PART_S, *(_seconds(part) for segment in shown for part in segment.parts)])
    lines = [
        "#EXTM3U",
        f"#EXT-X-VERSION:{_VERSION}",
        # Rounded as section 4.4.3.1 asks: no segment is longer than this to the nearest second.
        f"#EXT-X-TARGETDURATION:{math.floor(target + 0.5)}",
        f"#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK={3 * part_target + 0.1:.3f}",
        f"#EXT-X-PART-INF:PART-TARGET={part_target:.3f}",
        f"#EXT-X-MEDIA-SEQUENCE:{segments[0].number if segments else 0}",
        f"#EXT-X-DISCONTINUITY-SEQUENCE:{window.cuts}",
    ]
    init = -1
    for segment in segments:
        if segment.cut:
            lines.append("#EXT-X-DISCONTINUITY")
        if segment.init != init:
            init = segment.init
            lines.append(f'#EXT-X-MAP:URI="{address(f"init-{init}.mp4")}"')
        moment = datetime.fromtimestamp(segment.wall, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        lines.append(f"#EXT-X-PROGRAM-DATE-TIME:{moment}")
        if segment in shown:
            for index, part in enumerate(segment.parts):
                independent = ",INDEPENDENT=YES" if part.key else ""
                name = address(f"part-{segment.number}-{index}.mp4")
                lines.append(f'#EXT-X-PART:DURATION={_seconds(part):.5f},URI="{name}"{independent}')
        if segment.done:
            lines += (f"#EXTINF:{segment.duration:.5f},", address(f"segment-{segment.number}.mp4"))
    if segments and not segments[-1].done:
        newest = segments[-1]
        name = address(f"part-{newest.number}-{len(newest.parts)}.mp4")
        lines.append(f'#EXT-X-PRELOAD-HINT:TYPE=PART,URI="{name}"')
    return "\n".join([*lines, ""])


def bits_a_second(window: Window) -> int:
    """Peak of its segments."""
    rates = [
        8 * sum(part.length for part in segment.parts) / segment.duration
        for segment in window.segments
        if segment.duration
    ]
    return round(max(rates, default=0))


def _seconds(part: ChunkRef) -> float:
    return part.duration / TIMESCALE
