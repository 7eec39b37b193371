"""The simulator's odd packaging, undone by the client's depacketizers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perishield.model.media import Codec
from perishield.sources.parameter_sets import ParameterSets
from perishield.sources.rtsp.h264 import H264Depacketizer
from perishield.sources.rtsp.h265 import H265Depacketizer
from perishield.sources.rtsp.packetizer import video_payloads
from perishield.sources.simulator.oddities import PACKAGINGS, nal_units, repackage

HEADS = {
    Codec.H264: {"set": b"\x67", "key": b"\x65\x88", "slice": b"\x41\x9a"},
    Codec.H265: {"set": b"\x42\1", "key": b"\x26\1\x80", "slice": b"\x02\1\x80"},
}
body = st.binary(min_size=3, max_size=4_000).map(lambda data: data.replace(b"\0", b"\x11"))


@given(
    st.sampled_from(list(Codec)), st.lists(st.tuples(st.sampled_from(["key", "slice"]), body), min_size=1, max_size=4)
)
def test_the_units_are_found_in_their_packets(codec, parts):
    nals = [HEADS[codec][kind] + data for kind, data in parts]
    assert nal_units(codec, video_payloads(codec, nals, 1_400)) == nals


@pytest.mark.parametrize("codec", list(Codec))
@pytest.mark.parametrize("packaging", [name for name in PACKAGINGS if name])
@given(data=st.data())
def test_however_it_is_packed_the_same_unit_comes_out(codec, packaging, data):
    sets = [HEADS[codec]["set"] + data.draw(st.binary(min_size=3, max_size=20)).replace(b"\0", b"\1")]
    slices = [HEADS[codec]["key"] + data.draw(body) for _ in range(data.draw(st.integers(1, 3)))]
    ordered = packaging == "donl" and codec is Codec.H265
    known = ParameterSets(codec)
    depacketizer = H264Depacketizer(known) if codec is Codec.H264 else H265Depacketizer(known, ordered=ordered)
    for payload in repackage(codec, [*sets, *slices], packaging):
        depacketizer.payload(payload, 0, len(payload))
    assert depacketizer.key
    unit, size = depacketizer.take()
    assert b"".join(unit) == b"".join(len(nal).to_bytes(4, "big") + nal for nal in slices)
    assert size == sum(len(part) for part in unit)
