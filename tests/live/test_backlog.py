"""A window begins with what the files already hold."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from perishield.live.backlog import earlier
from perishield.model.media import TIMESCALE


def keys(camera: Any) -> list[Any]:
    return [ref for ref in camera.refs if ref.key]


def test_chunks_before_are_found_in_this_file_and_the_one_before(on_air: Callable[..., Any]) -> None:
    camera = on_air(sound=True)
    camera.send(0, 12)
    last = keys(camera)[-1]
    found = earlier(camera.media, last, 6)
    place = camera.refs.index(last)
    expected = camera.refs[place - len(found) : place]
    assert [(one.path, one.offset, one.length, one.number) for one in found] == [
        (one.path, one.offset, one.length, one.number) for one in expected
    ]
    assert [(one.stream_time, one.sizes, one.key, one.audio) for one in found] == [
        (one.stream_time, one.sizes, one.key, one.audio) for one in expected
    ]
    assert found[0].key
    assert len({one.path for one in found}) == 2
    assert 6 * TIMESCALE <= last.stream_time - found[0].stream_time < 8 * TIMESCALE
    assert abs(found[0].wall - expected[0].wall) < 0.001


def test_there_is_nothing_before_the_first_nor_from_another_epoch(on_air: Callable[..., Any]) -> None:
    camera = on_air()
    camera.send(0, 3)
    camera.chunker.close()
    assert earlier(camera.media, camera.refs[0], 6) == []
    assert earlier(camera.media, replace(keys(camera)[-1], epoch=9), 6) == []
    assert earlier(camera.media, replace(camera.refs[0], path="pool/none/1.mp4"), 6) == []
