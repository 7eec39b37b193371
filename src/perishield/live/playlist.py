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
_PART_S = 0.5
"""Longest part, which may not change under way: segments from before ingest cut finely are listed without parts."""


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
    # Rounded as section 4.4.3.1 asks; it must not change, and grows only where a camera's key frames move apart.
    longest = max([SEGMENT_S, *(segment.duration for segment in segments if segment.done)])
    window.target = max(window.target, math.floor(longest + 0.5))
    shown = [
        segment
        for segment in segments[-_PARTS_OF_SEGMENTS:]
        if all(_seconds(part) <= _PART_S for part in segment.parts)
    ]
    lines = [
        "#EXTM3U",
        f"#EXT-X-VERSION:{_VERSION}",
        f"#EXT-X-TARGETDURATION:{window.target}",
        f"#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK={3 * _PART_S}",
        f"#EXT-X-PART-INF:PART-TARGET={_PART_S}",
        f"#EXT-X-MEDIA-SEQUENCE:{segments[0].number if segments else 0}",
        f"#EXT-X-DISCONTINUITY-SEQUENCE:{window.cuts}",
    ]
    init = -1
    for segment in segments:
        if not segment.done and segment not in shown:
            continue
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
    if segments and not segments[-1].done and segments[-1] in shown:
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
