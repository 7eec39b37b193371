from __future__ import annotations

import pytest

from perishield.model.media import Codec
from perishield.sources.parameter_sets import ParameterSets
from perishield.sources.rtsp.h264 import H264Depacketizer

IDR, SLICE, SEI = b"\x65\x88\x84\x21", b"\x41\x9a\x02\x03", b"\x06\x05\x01\x00\x80"


def take(*payloads: bytes, sets: tuple[bytes, ...] = ()) -> tuple[list[bytes], H264Depacketizer]:
    """NAL units that come out of payloads."""
    known = ParameterSets(Codec.H264)
    for nal in sets:
        known.offer(nal)
    depacketizer = H264Depacketizer(known)
    for payload in payloads:
        depacketizer.payload(b"<" + payload + b">", 1, 1 + len(payload))
    key = depacketizer.key
    data, size = depacketizer.take()
    joined = b"".join(data)
    assert len(joined) == size
    nals = []
    while joined:
        end = 4 + int.from_bytes(joined[:4], "big")
        nals.append(joined[4:end])
        joined = joined[end:]
    depacketizer.key = key
    return nals, depacketizer


def aggregate(*nals: bytes) -> bytes:
    return b"\x78" + b"".join(len(nal).to_bytes(2, "big") + nal for nal in nals)


def test_aggregates_are_taken_apart_and_their_padding_is_ignored():
    nals, depacketizer = take(aggregate(SEI, IDR) + b"\0\0\0\0\0")
    assert nals == [SEI, IDR]
    assert depacketizer.key


def test_an_aggregate_that_runs_over_its_end_keeps_what_is_whole():
    nals, depacketizer = take(aggregate(SEI, IDR) + b"\0\x50\x65\x88")
    assert nals == [SEI, IDR]
    assert depacketizer.skipped == 1


@pytest.mark.parametrize(
    "payloads",
    [
        (b"\x7c\x85\x88\x84", b"\x7c\x45\x21"),
        (b"\x7c\xc5\x88\x84\x21",),  # CostarHD: start and end at once
        (b"\x7c\x85\x88\x84", b"\x7c\x01", b"\x7c\x41\x21"),  # Tiandy: the kind changes; an empty fragment
        (b"\x7c\xa5\x88\x84", b"\x7c\x65\x21"),  # the reserved bit is set
        (b"\x7c\x85\xff\xff", b"\x7c\x85\x88\x84", b"\x7c\x45\x21"),  # a start without an end before
        (b"\x7c\x05\xff\xff", b"\x7c\x45\xff", IDR),  # no start at all, then a whole unit
    ],
)
def test_fragments_of_all_makes(payloads):
    nals, depacketizer = take(*payloads)
    assert nals == [IDR]
    assert depacketizer.key


def test_delimiters_and_filler_go_and_messages_stay():
    assert take(b"\x09\xf0", SEI, b"\x0c\xff\xff\x80", IDR)[0] == [SEI, IDR]


def test_known_parameter_sets_are_left_out_of_key_frames(clips):
    sets = clips["plain"].parameter_sets
    nals, depacketizer = take(aggregate(*sets), IDR, sets=sets)
    assert nals == [IDR]
    assert depacketizer.sets.complete


def test_new_parameter_sets_stay_in_front_of_a_frame_that_is_no_key_frame(clips):
    sets = clips["plain"].parameter_sets
    assert take(*sets, SLICE)[0] == [*sets, SLICE]
    assert take(*sets, IDR)[0] == [IDR]


def test_start_codes_inside_a_unit_split_it(clips):
    sps, pps = clips["plain"].parameter_sets
    together = b"\0\0\0\1".join((sps, pps, IDR))
    nals, depacketizer = take(together)
    assert nals == [IDR]
    assert depacketizer.sets.complete
    assert take(b"\0\0\0\1" + IDR)[0] == [IDR]
    assert take(IDR + b"\0\0\1" + IDR)[0] == [IDR, IDR]


def test_once_seen_start_codes_are_looked_for_everywhere():
    hidden = b"\x41\x9a\x02\0\0\1\x41\x1a\x02"
    whole = take(IDR + b"\0\0\1" + IDR, hidden)[0]
    assert whole == [IDR, IDR, b"\x41\x9a\x02", b"\x41\x1a\x02"]
    fragments = take(IDR + b"\0\0\1" + IDR, b"\x5c\x81" + hidden[1:5], b"\x5c\x41" + hidden[5:])[0]
    assert fragments == whole


def test_interleaved_mode_is_counted_and_skipped():
    nals, depacketizer = take(b"\x79\0\1ab", b"\x7d\x85ab", IDR)
    assert nals == [IDR]
    assert depacketizer.skipped == 2


def test_a_recovery_point_is_seen():
    depacketizer = take()[1]
    depacketizer.payload(b"\x06\x05\x01\x00\x06\x01\xc4\x80", 0, 8)
    assert depacketizer.recovery
