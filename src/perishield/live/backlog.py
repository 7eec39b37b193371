"""Chunks from before anybody listened, out of the files that they lie in: a playlist must not begin with nothing."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from perishield.model.media import TIMESCALE, ChunkRef
from perishield.streams.fmp4_reader import Init, read_init, walk


def earlier(media: Path, ref: ChunkRef, seconds: float) -> list[ChunkRef]:
    """The chunks of about that much time before `ref`, which begins with a key frame; oldest first, from one on.

    They lie in the same file and the one before, and are of one piece. Blocking; empty where there is none.
    """
    found: list[ChunkRef] = []
    path, until, number = media / ref.path, ref.stream_time, ref.number
    for _ in range(2):
        found[:0] = _of_file(media, path, ref, until, number)
        if not found or (ref.stream_time - found[0].stream_time) / TIMESCALE >= seconds:
            break
        until, number = found[0].stream_time, found[0].number
        before = _file_before(path)
        if before is None:
            break
        path = before
    first = max(
        (
            index
            for index, one in enumerate(found)
            if one.key and (ref.stream_time - one.stream_time) / TIMESCALE >= seconds
        ),
        default=0,
    )
    return found[first:]


def _of_file(media: Path, path: Path, ref: ChunkRef, until: int, number: int) -> list[ChunkRef]:
    """The file's chunks that lead up to chunk `number` at stream time `until` without a hole."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return []
    try:
        init = read_init(fd)
        origin = init.origin if init is not None else None
        if init is None or origin is None or origin.epoch != ref.epoch:
            return []
        found = _refs(fd, init, origin.stream_time, origin.wall, str(path.relative_to(media)), ref)
    except OSError:
        return []
    finally:
        os.close(fd)
    found = [one for one in found if one.stream_time < until]
    for index in range(len(found) - 1, -1, -1):
        if found[index].number != number - 1:
            return found[index + 1 :]
        number = found[index].number
    return found


def _refs(fd: int, init: Init, start: int, wall: float, path: str, ref: ChunkRef) -> list[ChunkRef]:
    return [
        replace(
            ref,
            number=chunk.number,
            path=path,
            init_length=len(init.data),
            offset=chunk.offset,
            length=chunk.length,
            segment_time=start,
            stream_time=start + chunk.decode_time,
            wall=wall + chunk.decode_time / TIMESCALE,
            arrival=wall + chunk.decode_time / TIMESCALE,
            key=chunk.key,
            discontinuity=False,
            codec=init.codec,
            mime=init.mime,
            width=init.width,
            height=init.height,
            sizes=chunk.sizes,
            durations=chunk.durations,
            composition=chunk.composition,
            arrivals=(0,) * len(chunk.sizes),
            audio=init.audio.codec.value if init.audio is not None else "",
        )
        for chunk in walk(fd, len(init.data))
    ]


def _file_before(path: Path) -> Path | None:
    """The camera's segment before this one, in the same hour."""
    try:
        own = int(path.stem)
        names = [int(other.stem) for other in path.parent.glob("*.mp4") if other.stem.isdecimal()]
    except (OSError, ValueError):
        return None
    earlier_names = [name for name in names if name < own]
    return path.with_name(f"{max(earlier_names)}.mp4") if earlier_names else None
