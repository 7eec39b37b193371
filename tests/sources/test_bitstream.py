from __future__ import annotations

import contextlib

from hypothesis import given
from hypothesis import strategies as st

from perishield.model.media import Codec
from perishield.sources.bits import BitstreamError
from perishield.sources.bitstream import split_annexb, split_lengths, split_record
from perishield.streams.codec_config import avcc, hvcc

nal = st.binary(min_size=1, max_size=40).map(lambda data: data.replace(b"\0", b"\x11"))


@given(st.lists(nal, min_size=1, max_size=6), st.sampled_from([b"\0\0\1", b"\0\0\0\1"]))
def test_start_codes_and_lengths_frame_the_same_units(nals, code):
    assert split_annexb(b"".join(code + unit for unit in nals)) == nals
    assert split_lengths(b"".join(len(unit).to_bytes(4, "big") + unit for unit in nals)) == nals


@given(st.binary(max_size=200), st.sampled_from(list(Codec)))
def test_any_bytes_split_or_are_refused(data, codec):
    assert all(split_annexb(data))
    for split in (lambda: split_lengths(data), lambda: split_record(codec, data)):
        with contextlib.suppress(BitstreamError):
            split()


def test_records_give_back_the_sets_that_they_were_made_of(clips):
    plain, hevc = clips["plain"].parameter_sets, clips["hevc"].parameter_sets
    assert split_record(Codec.H264, avcc(plain)) == (4, list(plain))
    assert split_record(Codec.H265, hvcc(hevc)) == (4, list(hevc))
