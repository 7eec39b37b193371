from __future__ import annotations

import pytest

from perishield.model.media import Codec
from perishield.sources.parameter_sets import ParameterSets
from perishield.sources.rtsp.h265 import H265Depacketizer

IDR, SLICE, SEI = b"\x26\x01\xaf\x09\x21", b"\x02\x01\xd0\x09\x05", b"\x4e\x01\x05\x01\x00\x80"


def take(*payloads: bytes, ordered: bool = False) -> tuple[list[bytes], H265Depacketizer]:
    depacketizer = H265Depacketizer(ParameterSets(Codec.H265), ordered=ordered)
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


@pytest.mark.parametrize(
    "payloads",
    [
        (IDR,),
        (b"\x62\x01\x93\xaf\x09", b"\x62\x01\x53\x21"),
        (b"\x62\x01\xd3\xaf\x09\x21",),
        (b"\x62\x01\x93\xff\xff", b"\x62\x01\x93\xaf\x09", b"\x62\x01\x13", b"\x62\x01\x53\x21"),
        (b"\x62\x01\x13\xff\xff", IDR),
        (b"\x60\x01\0\5" + IDR + b"\0\0",),
        (b"\x46\x01\x50", IDR),
    ],
)
def test_every_packaging_gives_the_same_unit(payloads):
    nals, depacketizer = take(*payloads)
    assert nals == [IDR]
    assert depacketizer.key


def test_decoding_order_numbers_are_taken_out():
    assert take(IDR[:2] + b"\0\7" + IDR[2:], ordered=True)[0] == [IDR]
    assert take(b"\x62\x01\x93\0\7\xaf\x09", b"\x62\x01\x53\x21", ordered=True)[0] == [IDR]
    both = b"\x60\x01" + b"\0\7" + b"\0\6" + SEI + b"\1" + b"\0\5" + IDR
    assert take(both, ordered=True)[0] == [SEI, IDR]


def test_parameter_sets_are_collected(clips):
    sets = clips["hevc"].parameter_sets
    packet = b"\x60\x01" + b"".join(len(nal).to_bytes(2, "big") + nal for nal in sets)
    nals, depacketizer = take(packet, IDR)
    assert nals == [IDR]
    assert depacketizer.sets.complete
    assert take(packet, SLICE)[0] == [*sets, SLICE]


def test_kind_zero_is_a_slice_like_any_other():
    assert take(b"\0\x01\xd0\x09")[0] == [b"\0\x01\xd0\x09"]


def test_payload_content_information_is_counted_and_skipped():
    nals, depacketizer = take(b"\x64\x01\1\2\3", IDR)
    assert nals == [IDR]
    assert depacketizer.skipped == 1


def test_start_codes_inside_a_unit_split_it(clips):
    nals, depacketizer = take(b"\0\0\0\1".join((*clips["hevc"].parameter_sets, IDR)))
    assert nals == [IDR]
    assert depacketizer.sets.complete
