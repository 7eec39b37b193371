from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from perishield.sources.reception import Reception
from perishield.sources.rtsp.reorder import Reorder

OWN, OTHER = b"own!", b"else"


def packet(number: int, source: bytes = OWN) -> bytes:
    return b"$\0\0\0" + b"\x80\x60" + (number & 0xFFFF).to_bytes(2, "big") + bytes(4) + source + b"payload"


def numbers(packets: list[bytes]) -> list[int]:
    return [int.from_bytes(one[6:8], "big") for one in packets]


class Line:
    def __init__(self, **bounds) -> None:
        self.reception = Reception()
        self.reorder = Reorder(self.reception, **bounds)
        self.out: list[int] = []

    def take(self, *order: int, now: float = 0.0, source: bytes = OWN) -> list[int]:
        for number in order:
            self.out += numbers(self.reorder.take(packet(number, source), now))
        return self.out


@given(st.integers(0, 0xFFFF), st.integers(0, 6), st.integers(0, 2**32))
def test_what_is_shuffled_comes_out_in_order(first, distance, seed):
    line, dice = Line(), random.Random(seed)
    places = [n + dice.uniform(0, distance) for n in range(1, 200)]
    order = [0, *(n for _, n in sorted(zip(places, range(1, 200), strict=True)))]
    line.take(*(first + n for n in order))
    assert line.out == [(first + n) & 0xFFFF for n in range(200)]
    assert line.reception.lost == line.reception.late == line.reception.duplicates == 0
    moved = sum(later < max(order[: index + 1]) for index, later in enumerate(order))
    assert line.reception.reordered == moved


@given(st.integers(0, 0xFFFF), st.lists(st.integers(0, 40), max_size=120), st.integers(1, 20))
def test_nothing_ever_comes_out_twice_or_backwards(first, order, most):
    line = Line(most=most)
    line.take(first, *((first + number) & 0xFFFF for number in order))
    line.out += numbers(line.reorder.expire(99.0))
    steps = [(number - first) & 0xFFFF for number in line.out]
    assert steps == sorted(set(steps))
    counted = len(line.out) + line.reception.late + line.reception.duplicates
    assert counted == 1 + len(order)


def test_what_does_not_come_is_given_up_after_a_time():
    line = Line(longest_s=0.1)
    line.take(1, 3, 4, now=5.0)
    assert line.out == [1]
    assert line.reorder.waiting
    assert line.reorder.due == 5.1
    assert line.reorder.expire(5.09) == []
    assert numbers(line.reorder.expire(5.1)) == [3, 4]
    line.take(2, 5, 2, now=5.2)
    assert line.out == [1, 5]
    assert (line.reception.late, line.reception.duplicates) == (1, 1)


def test_what_does_not_come_is_given_up_after_so_many_packets():
    line = Line(most=3)
    assert line.take(65_534, 0, 1, 2) == [65_534]
    assert line.take(3) == [65_534, 0, 1, 2, 3]


def test_a_sequence_that_restarts_is_believed_at_its_second_packet():
    line = Line()
    line.take(10, 11, 30_000, 12)
    assert line.out == [10, 11, 12]
    line.take(50_000, 50_001, 50_002)
    assert line.out == [10, 11, 12, 50_000, 50_001, 50_002]
    assert line.reception.sources == 1


def test_strangers_pass_and_are_followed_when_they_are_alone():
    line = Line()
    line.take(10)
    line.take(*range(900, 915), source=OTHER)
    line.take(11, 12)
    assert line.out == [10, *range(900, 915), 11, 12], "the track decides about strangers"
    line.take(*range(1000, 1017), 1018, 1017, source=OTHER)
    assert line.out[-3:] == [1016, 1017, 1018]
    assert line.reception.sources == 1


@given(st.lists(st.tuples(st.integers(0, 0xFFFF), st.sampled_from([OWN, OTHER]), st.floats(0, 5)), max_size=200))
def test_memory_is_bounded_whatever_comes(taken):
    line, now = Line(most=16), 0.0
    for number, source, pause in taken:
        now += pause
        line.take(number, now=now, source=source)
        line.reorder.expire(now)
        assert len(line.reorder._held) <= 17
        assert len(line.reorder._given_up) <= 4_096
