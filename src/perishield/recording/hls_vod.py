"""A range as an HLS playlist (RFC 8216; protocol version 7 for fragmented MP4): byte ranges of the playback files.

Media segments are the recorder's own, whole; several are joined where there would be more than players like to read.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

from perishield.model.media import TIMESCALE
from perishield.recording.playback_file import PlaybackFile

MEDIA_TYPE = "application/vnd.apple.mpegurl"
_MOST_ENTRIES = 2000

Address = Callable[[int], str]
"""Where the playback file of that part is."""


def playlist(files: Sequence[PlaybackFile], address: Address, iso: Callable[[float], str]) -> str:
    """The media playlist of all parts. `iso` writes a wall-clock time as ISO 8601.

    A discontinuity is marked where a part begins and where footage is missing; each bears its date and time.
    """
    total = sum(len(file.part.pieces) for file in files)
    step = -(-total // _MOST_ENTRIES)
    entries: list[str] = []
    longest = 1.0
    for number, file in enumerate(files):
        uri = address(number)
        if number:
            entries.append("#EXT-X-DISCONTINUITY")
        entries.append(f'#EXT-X-MAP:URI="{uri}",BYTERANGE="{len(file.head)}@0"')
        for first, stop in _runs(file, step):
            pieces = file.part.pieces
            until = pieces[stop].media if stop < len(pieces) else file.part.ticks
            seconds = max(0.001, (until - pieces[first].media) / TIMESCALE)
            longest = max(longest, seconds)
            if first and not pieces[first].follows:
                entries.append("#EXT-X-DISCONTINUITY")
            if not first or not pieces[first].follows:
                entries.append(f"#EXT-X-PROGRAM-DATE-TIME:{iso(pieces[first].wall)}")
            end = file.starts[stop] if stop < len(pieces) else file.size
            entries += [
                f"#EXTINF:{seconds:.5f},",
                f"#EXT-X-BYTERANGE:{end - file.starts[first]}@{file.starts[first]}",
                uri,
            ]
    offset = files[0].part.offset / TIMESCALE
    head = [
        "#EXTM3U",
        "#EXT-X-VERSION:7",
        f"#EXT-X-TARGETDURATION:{math.ceil(longest)}",
        "#EXT-X-PLAYLIST-TYPE:VOD",
        "#EXT-X-INDEPENDENT-SEGMENTS",
        f"#EXT-X-START:TIME-OFFSET={offset:.5f},PRECISE=YES",
    ]
    return "\n".join([*head, *entries, "#EXT-X-ENDLIST", ""])


def _runs(file: PlaybackFile, step: int) -> list[tuple[int, int]]:
    """[first, stop) of the pieces that make one entry each: `step` at most, and none over missing footage."""
    cuts = [0]
    for index, piece in enumerate(file.part.pieces):
        if index and (not piece.follows or index - cuts[-1] >= step):
            cuts.append(index)
    return list(pairwise([*cuts, len(file.part.pieces)]))
