from __future__ import annotations

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perishield.model.media import Codec
from perishield.sources.bits import BitstreamError
from perishield.sources.bitstream import split_record
from perishield.sources.parameter_sets import ParameterSets
from perishield.sources.sps_h264 import read_sps as read_h264
from perishield.sources.sps_h265 import read_sps as read_h265


def sets_of(path, codec):
    with av.open(str(path)) as container:
        return split_record(codec, container.streams.video[0].codec_context.extradata)[1]


@pytest.mark.parametrize(("width", "height"), [(176, 144), (1920, 1080), (642, 362)])
@pytest.mark.parametrize("codec", list(Codec))
def test_size_is_the_displayed_one(make_clip, tmp_path, codec, width, height):
    encoder = "libx264" if codec is Codec.H264 else "libx265"
    options = {"preset": "ultrafast"} | (
        {} if codec is Codec.H264 else {"x265-params": "log-level=none:pools=1:bframes=0"}
    )
    path = make_clip(tmp_path / "one.mp4", encoder, options, width=width, height=height, frames=3)
    sets = ParameterSets(codec)
    for nal in sets_of(path, codec):
        sets.offer(nal)
    assert sets.complete
    video = sets.format()
    assert (video.width, video.height) == (width, height)


def test_codec_strings_follow_the_rfc(clips):
    sps = clips["plain"].parameter_sets[0]
    assert read_h264(sps).mime == f"avc1.{sps[1]:02x}{sps[2]:02x}{sps[3]:02x}"
    assert read_h265(clips["hevc"].parameter_sets[1]).mime.startswith("hvc1.1.6.L")


def test_reorder_depth_comes_from_the_stream(clips):
    assert read_h264(clips["plain"].parameter_sets[0]).reorder == 0
    assert read_h264(clips["reordered"].parameter_sets[0]).reorder >= 1
    assert read_h265(clips["hevc"].parameter_sets[1]).reorder == 0
    assert read_h265(clips["hevc_open"].parameter_sets[1]).reorder >= 1
    assert read_h264(clips["plain"].parameter_sets[0]).frame_ticks == 3600


def test_a_repeated_set_is_nothing_new_and_a_changed_one_is(clips):
    sets = ParameterSets(Codec.H264)
    assert [sets.offer(nal) for nal in clips["plain"].parameter_sets] == [True, True]
    sets.format()
    assert [sets.offer(nal + b"\0\0") for nal in clips["plain"].parameter_sets] == [False, False]
    assert not sets.changed
    assert sets.offer(clips["reordered"].parameter_sets[0])
    assert sets.changed


def test_nothing_is_complete_without_all_kinds(clips):
    sets = ParameterSets(Codec.H265)
    for nal in clips["hevc"].parameter_sets[1:]:
        sets.offer(nal)
    assert not sets.complete
    with pytest.raises(BitstreamError):
        sets.format()


@given(st.sampled_from(list(Codec)), st.lists(st.binary(max_size=60), max_size=30))
def test_any_bytes_are_taken_or_left(codec, nals):
    sets = ParameterSets(codec)
    for nal in nals:
        sets.offer(nal)
    if sets.complete:
        sets.format()


@given(st.binary(max_size=80))
def test_broken_sequence_sets_are_refused_by_one_error(tail):
    for read, head in ((read_h264, b"\x67\x64\0\x1f"), (read_h265, b"\x42\1\1\1\x60\0\0\3\0\x90\0\0\3\0\0\3")):
        try:
            sequence = read(head + tail)
        except BitstreamError:
            continue
        assert 0 < sequence.width <= 16_384
