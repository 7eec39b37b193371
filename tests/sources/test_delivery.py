from __future__ import annotations

from perishield.model.media import Codec, StreamState
from perishield.sources.parameter_sets import ParameterSets
from perishield.sources.rtsp.delivery import Delivery
from perishield.sources.status import SourceStatus


class Line:
    """A delivery with a hand-driven clock."""

    def __init__(self, sink, sets: tuple[bytes, ...]) -> None:
        self.states: list[StreamState] = []
        self.status = SourceStatus("c", 0, self.states.append)
        self.delivery = Delivery(sink, self.status)
        self.nals = sets
        self.now = 100.0
        self.stamp = 0
        self.connect()

    def connect(self, *, known: bool = True) -> None:
        self.sets = ParameterSets(Codec.H264)
        if known:
            self.offer(self.nals)
        self.delivery.connect(self.sets)

    def offer(self, nals: tuple[bytes, ...]) -> None:
        for nal in nals:
            self.sets.offer(nal)

    def unit(self, *, key: bool = False, recovery: bool = False, stamp: int | None = None) -> None:
        self.now += 0.04
        self.stamp += 3600
        self.delivery.monotonic, self.delivery.arrival = self.now, 1e9 + self.now
        self.delivery.unit([b"\0\0\0\1", b"x"], 5, key, recovery, self.stamp if stamp is None else stamp)


def test_it_begins_with_a_key_frame_whose_sets_are_known(sink, clips):
    line = Line(sink, clips["plain"].parameter_sets)
    line.connect(known=False)
    line.unit()
    line.unit(key=True)
    line.offer(line.nals)
    line.unit()
    assert sink.log == []
    line.unit(key=True)
    line.unit()
    assert sink.log == ["format", "key", "packet"]
    assert [packet.dts for packet in sink.packets] == [0, 3600]
    assert line.status.frames_lost == 0


def test_a_loss_is_told_before_the_next_key_frame_and_counted(sink, clips):
    line = Line(sink, clips["plain"].parameter_sets)
    line.unit(key=True)
    line.delivery.lost(3)
    line.delivery.lost(1)
    line.unit()
    line.unit()
    line.unit(key=True)
    assert sink.log == ["format", "key", "discontinuity", "key"]
    assert sink.discontinuities == ["loss"]
    assert line.status.frames_lost == 3


def test_changed_sets_are_a_new_format_at_the_next_key_frame(sink, clips):
    line = Line(sink, clips["plain"].parameter_sets)
    line.unit(key=True)
    line.offer(clips["reordered"].parameter_sets)
    line.unit()
    line.unit(key=True)
    line.unit(key=True)
    assert sink.log == ["format", "key", "packet", "format", "key", "key"]


def test_a_reconnect_begins_where_the_clock_stands(sink, clips):
    line = Line(sink, clips["plain"].parameter_sets)
    line.unit(key=True)
    line.unit()
    line.now += 10
    line.stamp = 77
    line.connect()
    line.unit(key=True)
    assert sink.log == ["format", "key", "packet", "discontinuity", "format", "key"]
    assert abs(sink.packets[-1].dts - 10.08 * 90_000) < 10


def test_a_reconnect_at_once_is_still_later(sink, clips):
    line = Line(sink, clips["reordered"].parameter_sets)
    for n in range(50):
        line.unit(key=n == 0)
    line.now -= 1.9
    line.connect()
    line.unit(key=True)
    assert sink.packets[-1].dts > sink.packets[-2].dts


def test_leading_pictures_of_the_first_key_frame_are_left_out(sink, clips):
    line = Line(sink, clips["reordered"].parameter_sets)
    for stamp in (20_000, 12_800, 16_400, 30_800, 23_600, 27_200):
        line.unit(key=stamp == 20_000, stamp=stamp)
    assert len(sink.packets) == 4
    shown = sorted(packet.pts for packet in sink.packets)
    assert [time - shown[0] for time in shown] == [0, 3600, 7200, 10_800]


def test_recovery_points_serve_where_no_key_frame_ever_comes(sink, clips):
    line = Line(sink, clips["plain"].parameter_sets)
    line.unit(recovery=True)
    assert sink.log == []
    line.now = line.delivery._waiting_since + 11
    line.unit(recovery=True)
    line.unit()
    assert sink.log == ["format", "key", "packet"]
