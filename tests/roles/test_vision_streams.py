from __future__ import annotations

from perishield.model.media import TIMESCALE, ChunkRef, Codec
from perishield.model.site import Camera
from perishield.roles.vision_streams import StreamChoice

WALL = 1_790_000_000.0


def ref(camera: str, epoch: int, stream_s: float, wall: float) -> ChunkRef:
    ticks = int(stream_s * TIMESCALE)
    return ChunkRef(
        camera, epoch, 1, "p", 10, 10, 10, 0, ticks, wall, wall, True, False, Codec.H264, "avc1", 640, 360,
        (10,), (3600,), (), (0,),
    )  # fmt: skip


def choice() -> StreamChoice:
    streams = StreamChoice()
    streams.follow(
        [Camera(id="a", name="a", url="rtsp://x/", detect_url="rtsp://x/2"), Camera(id="b", name="b", url="r")]
    )
    return streams


def test_a_camera_with_a_smaller_stream_is_analysed_by_it_alone() -> None:
    streams = choice()
    assert streams.takes(ref("b", 1, 0, WALL), 0.0)
    assert streams.takes(ref("a~detect", 5, 0, WALL), 0.0)
    assert not streams.takes(ref("a", 4, 0, WALL), 1.0)
    assert streams.detects("a", 1.0)
    assert not streams.detects("b", 1.0)


def test_when_the_smaller_stream_is_silent_the_recorded_one_is_analysed() -> None:
    streams = choice()
    assert streams.takes(ref("a", 4, 0, WALL), 0.0), "before it was ever heard"
    assert streams.takes(ref("a~detect", 5, 0, WALL), 1.0)
    assert not streams.takes(ref("a", 4, 4, WALL + 4), 5.0)
    assert streams.takes(ref("a", 4, 9, WALL + 9), 10.0)
    assert not streams.detects("a", 10.0)
    assert streams.takes(ref("a~detect", 5, 10, WALL + 10), 11.0)
    assert not streams.takes(ref("a", 4, 10, WALL + 10), 11.0)


def test_streams_of_nobody_are_left_alone() -> None:
    streams = choice()
    assert not streams.takes(ref("b~detect", 1, 0, WALL), 0.0)
    streams.follow([])
    assert not streams.takes(ref("a~detect", 1, 0, WALL), 0.0)
    assert streams.takes(ref("a", 1, 0, WALL), 0.0)


def test_times_are_those_of_the_recorded_stream_at_the_same_moment() -> None:
    streams = choice()
    assert streams.on_main("a~detect", 5, 900) == (5, 900), "nothing is known yet"
    streams.takes(ref("a", 4, 100.0, WALL), 0.0)
    streams.takes(ref("a~detect", 5, 2.0, WALL + 1), 0.0)
    epoch, ticks = streams.on_main("a~detect", 5, int(3.5 * TIMESCALE))
    assert epoch == 4
    assert abs(ticks / TIMESCALE - 102.5) < 1e-3
    assert streams.on_main("a", 4, 77) == (4, 77)
    assert streams.on_main("b", 1, 77) == (1, 77)


def test_jitter_is_averaged_a_new_epoch_is_taken_at_once_and_time_never_runs_back() -> None:
    streams = choice()
    times = []
    for number in range(200):
        jitter = 0.08 if number % 2 else -0.08
        streams.takes(ref("a", 4, number * 0.2, WALL + number * 0.2 + jitter), 0.0)
        streams.takes(ref("a~detect", 5, 50 + number * 0.2, WALL + number * 0.2 - jitter), 0.0)
        times.append(streams.on_main("a~detect", 5, int((50 + number * 0.2) * TIMESCALE))[1])
    assert times == sorted(set(times))
    assert all(abs(ticks / TIMESCALE - number * 0.2) < 0.03 for number, ticks in enumerate(times) if number > 100)
    streams.takes(ref("a", 9, 0.0, WALL + 40), 0.0)
    epoch, ticks = streams.on_main("a~detect", 5, int(91 * TIMESCALE))
    assert epoch == 9
    assert abs(ticks / TIMESCALE - 1.0) < 0.05
