from __future__ import annotations

import base64

from hypothesis import given
from hypothesis import strategies as st

from perishield.model.media import Codec
from perishield.sources.rtsp.sdp import parse_sdp

CAMERA = b"""v=0
s=a
s=b
c=IN IP4 nonsense
t=now-
a=control:rtsp://10.0.0.1/ch1/
m=video 0 RTP/AVP 96
a=control:trackID=1 \r
a=rtpmap:96 h264/90000   \r
a=fmtp:96
a=fmtp:96 packetization-mode=1; sprop-parameter-sets=Z0LAHtkDxWhAAAADAEAAAAwDxYuS, aMuMsg==;profile-level-id=42C01E
m=audio 0 RTP/AVP 0
a=fmtp:96 sprop-parameter-sets=XXXX
m=nonsense"""


def test_a_careless_camera_is_understood():
    description = parse_sdp(CAMERA)
    video, audio, nonsense = description.tracks
    assert description.control == "rtsp://10.0.0.1/ch1/"
    assert (video.kind, video.payload_type, video.codec, video.control) == ("video", 96, Codec.H264, "trackID=1")
    assert [nal[0] & 31 for nal in video.parameter_sets] == [7, 8]
    assert (audio.kind, audio.codec, audio.parameters) == ("audio", None, {})
    assert (nonsense.kind, nonsense.payload_type) == ("nonsense", -1)


def test_h265_sets_come_from_three_attributes_and_start_codes_are_taken_off():
    sets = {name: base64.b64encode(b"\0\0\0\1" + bytes((kind << 1, 1, 7))).decode() for name, kind in
            (("vps", 32), ("sps", 33), ("pps", 34))}  # fmt: skip
    text = "m=video 0 RTP/AVP 98\na=rtpmap:98 H265/90000\na=fmtp:98 sprop-max-don-diff=2;" + ";".join(
        f"sprop-{name}={value}" for name, value in sets.items()
    )
    (track,) = parse_sdp(text.encode()).videos
    assert [(nal[0] >> 1) & 63 for nal in track.parameter_sets] == [32, 33, 34]
    assert track.ordered


def test_a_track_that_we_can_read_comes_first_and_back_channels_last():
    text = b"""m=video 0 RTP/AVP 26
m=video 0 RTP/AVP 97
a=rtpmap:97 H265/90000
a=sendonly
m=video 0 RTP/AVP 96
a=rtpmap:96 H264/90000
"""
    assert [track.payload_type for track in parse_sdp(text).videos] == [96, 26]
    everything = text.replace(b"m=", b"a=sendonly\nm=") + b"a=sendonly\n"
    assert len(parse_sdp(everything).videos) == 3


def test_a_dynamic_type_without_a_name_is_taken_for_h264():
    assert parse_sdp(b"m=video 0 RTP/AVP 96").videos[0].codec is Codec.H264


@given(st.binary(max_size=400))
def test_any_bytes_are_some_description(body):
    for track in parse_sdp(body).tracks + parse_sdp(CAMERA + b"\na=" + body).tracks:
        assert isinstance(track.parameter_sets, list)
        assert isinstance(track.ordered, bool)
        assert -1 <= track.payload_type < 128
        assert track.rate > 0
