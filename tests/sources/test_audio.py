"""Payloads of sound, their configuration, and their time."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perishield.model.media import TIMESCALE, AudioCodec, AudioFormat
from perishield.sources.aac import Bits, audio_format, read_config, read_stream_mux, split_adts, write_config
from perishield.sources.bits import BitstreamError
from perishield.sources.rtsp.audio import payload_for
from perishield.sources.rtsp.audio_clock import AudioClock
from perishield.sources.rtsp.audio_track import AudioTrack
from perishield.sources.rtsp.sdp import Track, parse_sdp
from perishield.sources.sound import frame_ticks, opus_ticks

AAC = Track("audio", 97, encoding="MPEG4-GENERIC", rate=16_000, channels=1, parameters={"config": "1408"})


def access_units(*frames: bytes, sizes: tuple[int, ...] = ()) -> bytes:
    """RFC 3640 in hbr mode."""
    sizes = sizes or tuple(len(frame) for frame in frames)
    return (
        struct.pack(">H", 16 * len(sizes)) + b"".join(struct.pack(">H", size << 3) for size in sizes) + b"".join(frames)
    )


def adts(frame: bytes) -> bytes:
    """Of 16 kHz and one channel, without a checksum."""
    length = len(frame) + 7
    head = bytes((0xFF, 0xF1, 0x60, 0x40 | length >> 11, length >> 3 & 0xFF, (length & 7) << 5 | 0x1F, 0xFC))
    return head + frame


def read(track: Track, *payloads: tuple[bytes, bool]) -> list[bytes]:
    payload = payload_for(track)
    assert payload is not None
    return [frame for data, marker in payloads for frame in payload.frames(b"head" + data, 4, 4 + len(data), marker)]


@pytest.mark.parametrize(
    ("config", "rate", "channels", "samples", "mime"),
    [
        ("1408", 16_000, 1, 1024, "mp4a.40.2"),
        ("1190", 48_000, 2, 1024, "mp4a.40.2"),
        ("140856e500", 16_000, 1, 1024, "mp4a.40.2"),
        ("131056e598", 48_000, 2, 1024, "mp4a.40.2"),
        ("2b118800", 48_000, 2, 1024, "mp4a.40.5"),
        ("eb098800", 48_000, 2, 1024, "mp4a.40.29"),
        ("140c", 16_000, 1, 960, "mp4a.40.2"),
    ],
)
def test_a_configuration_tells_rate_channels_and_frame(
    config: str, rate: int, channels: int, samples: int, mime: str
) -> None:
    found = read_config(bytes.fromhex(config))
    assert (found.rate, found.channels, found.samples) == (rate, channels, samples)
    assert audio_format(bytes.fromhex(config)).mime == mime


@pytest.mark.parametrize("config", ["", "14", "07ff", "f8"])
def test_what_is_no_configuration_of_aac_is_refused(config: str) -> None:
    with pytest.raises(BitstreamError):
        read_config(bytes.fromhex(config))


@given(st.sampled_from([8_000, 16_000, 44_100, 48_000, 11_520]), st.sampled_from([1, 2, 6]))
def test_a_configuration_written_is_read_back(rate: int, channels: int) -> None:
    found = read_config(write_config(rate, channels))
    assert (found.rate, found.channels, found.object_type) == (rate, channels, 2)


@pytest.mark.parametrize(
    ("head", "milliseconds"), [(b"\x78", 20), (b"\x79", 40), (b"\x7b\x03", 60), (b"\xe0", 2.5), (b"\x18", 60)]
)
def test_an_opus_packet_tells_its_length(head: bytes, milliseconds: float) -> None:
    assert opus_ticks(head) == milliseconds * TIMESCALE / 1000
    assert frame_ticks(AudioFormat(AudioCodec.OPUS, 48_000, 2), 80, head) == milliseconds * TIMESCALE / 1000


def test_g711_lasts_as_long_as_it_has_bytes() -> None:
    assert frame_ticks(AudioFormat(AudioCodec.PCMU, 8_000, 1), 160, b"") == 1800
    assert frame_ticks(AudioFormat(AudioCodec.PCMA, 16_000, 2), 640, b"") == 1800


def test_several_frames_in_a_packet_come_apart() -> None:
    assert read(AAC, (access_units(b"one", b"second", b"3rd"), True)) == [b"one", b"second", b"3rd"]


def test_a_frame_in_fragments_comes_together() -> None:
    pieces = [(access_units(part, sizes=(300,)), last) for part, last in ((b"a" * 100, False), (b"b" * 200, True))]
    assert read(AAC, *pieces) == [b"a" * 100 + b"b" * 200]


def test_a_fragment_without_its_rest_is_dropped() -> None:
    payload = payload_for(AAC)
    assert payload is not None
    first = access_units(b"a" * 100, sizes=(300,))
    assert payload.frames(first, 0, len(first), False) == []
    payload.lose()
    whole = access_units(b"whole")
    assert payload.frames(whole, 0, len(whole), True) == [b"whole"]


def test_frames_in_adts_are_unwrapped() -> None:
    assert read(AAC, (access_units(adts(b"\x21raw")), True), (adts(b"\x21one") + adts(b"\x21two"), True)) == [
        b"\x21raw",
        b"\x21one",
        b"\x21two",
    ]
    config, frames = split_adts(adts(b"\x21raw"))
    assert (read_config(config).rate, frames) == (16_000, [b"\x21raw"])


def test_low_bit_rate_mode_has_small_headers() -> None:
    track = Track("audio", 97, encoding="MPEG4-GENERIC", rate=8_000, parameters={"mode": "AAC-lbr", "config": "1588"})
    assert read(track, (b"\x00\x08" + bytes((5 << 2,)) + b"hello", True)) == [b"hello"]


def test_latm_set_up_in_the_description() -> None:
    parameters = {"cpresent": "0", "config": "400024100000"}
    track = Track("audio", 97, encoding="MP4A-LATM", rate=44_100, parameters=parameters)
    payload = payload_for(track)
    assert payload is not None
    assert payload.format is not None
    assert payload.format.rate == 44_100
    assert read(track, (b"\x05hello", True)) == [b"hello"]
    long = b"x" * 300
    assert read(track, (b"\xff\x2d" + long[:100], False), (long[100:], True)) == [long]


def test_latm_with_an_extension_in_its_set_up() -> None:
    """As GStreamer writes it."""
    mux = read_stream_mux(Bits(bytes.fromhex("40002320adca00")))
    found = read_config(mux.config)
    assert (found.rate, found.channels, mux.frames) == (48_000, 2, 1)


def test_latm_set_up_in_band() -> None:
    mux = read_stream_mux(Bits(bytes.fromhex("400024100000")))
    assert (read_config(mux.config).rate, mux.frames) == (44_100, 1)
    # useSameStreamMux 0, then StreamMuxConfig, then a length and a byte, none of them on a byte's boundary.
    value, size = int.from_bytes(bytes.fromhex("400024100000"), "big"), 48
    used = size - _unused()
    bits = f"{0:01b}{value >> (size - used):0{used}b}{2:08b}{0x2122:016b}"
    data = int(bits.ljust(-len(bits) % 8 + len(bits), "0"), 2).to_bytes((len(bits) + 7) // 8, "big")
    track = Track("audio", 97, encoding="MP4A-LATM", rate=44_100)
    assert read(track, (data, True)) == [b"\x21\x22"]


def _unused() -> int:
    bits = Bits(bytes.fromhex("400024100000"))
    read_stream_mux(bits)
    return bits.left


def test_a_track_is_chosen_by_what_we_can_read_and_who_speaks() -> None:
    description = parse_sdp(
        b"m=audio 0 RTP/AVP 8\na=sendonly\na=control:talk\n"
        b"m=audio 0 RTP/AVP 0\na=sendrecv\na=control:both\n"
        b"m=audio 0 RTP/AVP 9\na=control:g722\n"
        b"m=audio 0 RTP/AVP 8\na=recvonly\na=control:heard\n"
    )
    assert [track.control for track in description.sounds if payload_for(track)] == ["heard"]


def packet(number: int, stamp: int, body: bytes, kind: int = 97, source: bytes = b"ssrc") -> bytes:
    return struct.pack("!BBHI", 0x80, 0x80 | kind, number & 0xFFFF, stamp & 0xFFFFFFFF) + source + body


class Heard:
    def __init__(self) -> None:
        self.calls: list[tuple[list[bytes], int, int]] = []
        payload = payload_for(AAC)
        assert payload is not None
        self.track = AudioTrack(97, payload, lambda frames, stamp, lost: self.calls.append((frames, stamp, lost)))

    def take(self, *packets: bytes) -> None:
        for one in packets:
            self.track.packet(one, 0, len(one))


def test_a_lost_packet_is_a_gap_and_counted() -> None:
    heard = Heard()
    heard.take(*(packet(65_534 + number, 1024 * number, access_units(b"frame")) for number in (0, 1, 4, 5)))
    assert [(stamp, lost) for _, stamp, lost in heard.calls] == [(0, 0), (1024, 0), (4096, 2), (5120, 0)]
    assert heard.track.lost == 2


def test_repeated_and_late_packets_are_passed_over() -> None:
    heard = Heard()
    heard.take(*(packet(number, 1024 * number, access_units(b"frame")) for number in (5, 6, 6, 5, 7)))
    assert [stamp for _, stamp, _ in heard.calls] == [5120, 6144, 7168]
    assert heard.track.lost == 0


def test_a_wrong_payload_type_in_the_description_is_found_out() -> None:
    heard = Heard()
    heard.take(*(packet(number, 1024 * number, access_units(b"frame"), kind=100) for number in range(15)))
    assert len(heard.calls) == 6


def test_another_source_is_taken_up_when_it_stays() -> None:
    heard = Heard()
    heard.take(*(packet(number, 1024 * number, access_units(b"frame")) for number in range(3)))
    heard.take(*(packet(900 + n, 1024 * n, access_units(b"frame"), source=b"else") for n in range(12)))
    assert len(heard.calls) == 3 + 3


class Ears:
    """An AudioClock that is fed regular frames of 64 ms."""

    def __init__(self, rate: int) -> None:
        self.clock = AudioClock(rate)
        self.ticks: list[int] = []
        self.stamp = 2**32 - 3000

    def hear(self, count: int, *, step: int = 1024, lost: int = 0, error: float = 0.0) -> None:
        for _ in range(count):
            self.clock.advance(self.stamp & 0xFFFFFFFF, 5760, lost)
            self.clock.align(self.clock.raw + 1000 + error)
            assert self.clock.ticks is not None
            self.ticks.append(self.clock.ticks)
            self.stamp += step


def test_stamps_at_the_told_rate_are_followed_over_their_wrap() -> None:
    ears = Ears(16_000)
    ears.hear(50)
    assert ears.ticks == [1000 + 5760 * index for index in range(50)]


def test_a_wrong_rate_is_learned_by_counting_samples() -> None:
    ears = Ears(16_000)
    ears.hear(60, step=3072)
    assert ears.ticks == [1000 + 5760 * index for index in range(60)]
    assert ears.clock.rate == pytest.approx(48_000)
    ears.stamp += 3072 * 9
    ears.hear(1, step=3072, lost=9)
    assert ears.ticks[-1] - ears.ticks[-2] == 5760 * 10


def test_silence_left_out_is_a_gap() -> None:
    ears = Ears(16_000)
    ears.hear(10)
    ears.stamp += 16_000
    ears.hear(1)
    assert ears.ticks[-1] - ears.ticks[-2] == 5760 + TIMESCALE


def test_stamps_that_stand_still_are_replaced_by_samples() -> None:
    ears = Ears(16_000)
    ears.hear(20, step=0)
    assert ears.ticks == [1000 + 5760 * index for index in range(20)]
    assert ears.clock.jumps == 19


@settings(deadline=None)
@given(st.floats(-TIMESCALE / 3, TIMESCALE / 3), st.sampled_from([1, -1]))
def test_an_error_is_made_up_for_slowly(error: float, sign: int) -> None:
    ears = Ears(16_000)
    ears.hear(5)
    ears.hear(900, error=error)
    steps = [later - earlier for earlier, later in zip(ears.ticks, ears.ticks[1:], strict=False)]
    assert all(5760 * 0.99 < step < 5760 * 1.01 for step in steps)
    assert abs(ears.ticks[-1] - (1000 + error + 5760 * 904)) <= TIMESCALE / 200 + 2
