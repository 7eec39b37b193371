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


def test_of_several_payload_types_the_one_that_we_can_read_counts():
    text = b"m=video 0 RTP/AVP 35 99 97\na=rtpmap:35 JPEG2000/90000\na=rtpmap:99\tH265/90000\na=fmtp:99 a=1"
    (track,) = parse_sdp(text).videos
    assert (track.payload_type, track.codec, track.parameters) == (99, Codec.H265, {"a": "1"})


def test_settings_in_the_wrong_section_find_their_payload_type():
    text = b"m=video 0 RTP/AVP 96\na=rtpmap:96 H264/90000\nm=audio 0 RTP/AVP 8\na=fmtp:96 profile-level-id=42C01E"
    video, audio = parse_sdp(text).tracks
    assert video.parameters == {"profile-level-id": "42C01E"}
    assert (audio.encoding, audio.rate, audio.channels, audio.parameters) == ("PCMA", 8_000, 1, {})


def test_attributes_of_the_session_that_come_late_spoil_no_track():
    text = b"m=video 0 RTP/AVP 96\na=control:track1\na=rtpmap:96 H264/90000\na=range:npt=0-\na=control:*"
    assert parse_sdp(text).videos[0].control == "track1"


def test_a_section_with_a_nonsense_list_of_types_still_has_its_map():
    (track,) = parse_sdp(b"m=video 0 RTP/AVP H264\na=rtpmap:96 H264/90000").videos
    assert (track.payload_type, track.codec) == (96, Codec.H264)


line = st.one_of(
    st.builds(
        lambda name, number, rest: f"a={name}:{number} {rest}",
        st.sampled_from(["rtpmap", "fmtp", "control", "framerate"]),
        st.one_of(st.integers(-1, 300), st.text(max_size=4)),
        st.one_of(st.sampled_from(["H264/90000", "h265/0", "/", "a=b;;=c", "PCMA/8000/2"]), st.text(max_size=20)),
    ),
    st.builds(
        lambda kind, types: f"m={kind} 0 RTP/AVP {types}",
        st.sampled_from(["video", "audio", "application", ""]),
        st.one_of(st.sampled_from(["96", "96 97", "0", "smart/1/90000", "²", "9" * 400]), st.text(max_size=12)),
    ),
    st.sampled_from(["a=sendonly", "a=control:*", "v=0", "t=now-", "=", "a=", "m="]),
)


@given(st.lists(line, max_size=20))
def test_lines_in_any_order_are_some_description(lines):
    for track in parse_sdp("\r\n".join(lines).encode()).tracks:
        assert -1 <= track.payload_type < 128
        assert 0 < track.rate <= 10_000_000
        assert 0 <= track.channels < 256
        assert isinstance(track.parameter_sets, list)
