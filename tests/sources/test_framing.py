from __future__ import annotations

import contextlib
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perishield.model.errors import SourceError
from perishield.sources.rtsp.framing import Framer, Message

RTP = b"\x80" + b"r" * 20


def packet(channel: int, body: bytes) -> bytes:
    return b"$" + bytes((channel,)) + len(body).to_bytes(2, "big") + body


class Heard:
    def __init__(self, channels: tuple[int, int] | None = (0, 1)) -> None:
        self.all: list[object] = []
        self.desyncs = 0
        self.framer = Framer(self.all.append)
        if channels:
            self.framer.attach(channels, self._take("rtp"), self._take("rtcp"), self._desync)

    def _take(self, name):
        return lambda data, start, end: self.all.append((name, data[start:end]))

    def _desync(self):
        self.desyncs += 1

    def feed(self, data: bytes, cuts: list[int]) -> list[object]:
        places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
        for begin, end in itertools.pairwise(places):
            self.framer.feed(memoryview(data)[begin:end])
        return self.all


STREAM = (
    b"RTSP/1.0 200 OK\r\nCSeq: 3 \r\nPUBLIC:a\r\nContent-Length: 4\r\n\r\n$$$$"
    + packet(0, RTP)
    + packet(9, b"stray")
    + packet(1, b"report")
    + b"\r\n"
    + packet(0, b"")
    + b"OPTIONS rtsp://x RTSP/1.0\r\nCSeq: 7\r\n\r\n"
    + packet(0, RTP * 9)
)


@given(st.lists(st.integers(0, len(STREAM)), max_size=12))
def test_where_the_network_cuts_makes_no_difference(cuts):
    answer, first, report, empty, request, last = Heard().feed(STREAM, cuts)
    assert isinstance(answer, Message)
    assert (answer.status, answer.reason, answer.header("cseq"), answer.body) == (200, "OK", "3", b"$$$$")
    assert (first, report) == (("rtp", RTP), ("rtcp", b"report"))
    assert (empty, last) == (("rtp", b""), ("rtp", RTP * 9))
    assert isinstance(request, Message)
    assert (request.method, request.header("cseq")) == ("OPTIONS", "7")


@given(
    st.binary(min_size=1, max_size=30).filter(lambda junk: b"$" not in junk and b"R" not in junk), st.integers(0, 60)
)
def test_packets_after_garbage_are_found_again(junk, cut):
    heard = Heard()
    stream = packet(0, RTP) + b"\xfe" + junk + packet(0, RTP) + packet(0, RTP)
    assert heard.feed(stream, [cut]).count(("rtp", RTP)) == 3
    assert heard.desyncs == 1


def test_garbage_again_and_again_is_given_up():
    heard = Heard()
    with pytest.raises(SourceError):
        heard.feed((b"\xfe" + packet(0, RTP)) * 20, [])


@pytest.mark.parametrize("length", [b"", b"Content-Length: 4\r\n", b"Content-Length: many\r\n"])
def test_a_description_whose_length_is_wrong_or_untold_does_no_harm(length):
    heard = Heard(None)
    sdp = b"v=0\r\nm=video 0 RTP/AVP 96\r\n"
    first, second = heard.feed(b"RTSP/1.0 200 OK\r\n" + length + b"\r\n" + sdp + b"RTSP/1.0 454 No\r\n\r\n", [])
    assert (first.status, second.status) == (200, 454)
    assert first.body == (b"v=0\r" if b"4" in length else sdp)


def test_bare_line_feeds_end_a_head():
    (message,) = Heard().feed(b"RTSP/1.0 404 Not Found\nCSeq: 1\n\n", [])
    assert message.status == 404


@pytest.mark.parametrize("data", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"SSH-2.0-OpenSSH\r\n", b"\x16\x03\x01\x02"])
def test_another_protocol_is_not_a_video(data):
    with pytest.raises(SourceError) as caught:
        Heard(None).feed(data, [])
    assert caught.value.code == "not_a_video"


@pytest.mark.parametrize(
    "data",
    [
        b"RTSP/1.0 OK\r\n\r\n",
        b"RTSP/1.0 200 OK\r\n" + b"x: y\r\n" * 20_000,
        b"RTSP/1.0 200 OK\r\nContent-Length: 999999999\r\n\r\n",
    ],
)
def test_impossible_answers_are_refused(data):
    with pytest.raises(SourceError) as caught:
        Heard(None).feed(data, [])
    assert caught.value.code == "protocol"


piece = st.one_of(
    st.binary(max_size=40),
    st.sampled_from(
        [b"$", b"\r\n", b"RTSP/1.0 200 OK\r\n\r\n", b"RTSP/", b"OPTIONS x\r\n\r\n", packet(0, RTP), b"$\0\0\3"]
    ),
)


@given(st.lists(piece, max_size=20), st.booleans())
def test_any_bytes_are_heard_or_refused(pieces, attached):
    heard = Heard((0, 1) if attached else None)
    with contextlib.suppress(SourceError):
        for data in pieces:
            heard.framer.feed(data)
