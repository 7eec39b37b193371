"""Servers that answer anything at all: whatever they say, the source says in turn what is wrong, and goes on."""

from __future__ import annotations

import asyncio

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from perishield.model.errors import SourceError
from perishield.model.site import Camera, Transport
from perishield.sources.rtsp.session import Patience
from perishield.sources.rtsp.source import RtspSource

PATIENCE = Patience(connect_s=2, response_s=0.15, idle_s=0.2, datagram_s=0.15, key_frame_s=0.3, tick_s=0.03)
SDP = "v=0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=control:t1\r\n"

status = st.sampled_from([200] * 40 + [301, 302, 400, 401, 404, 453, 454, 455, 457, 461, 500, 551])
header = st.one_of(
    st.sampled_from(
        [
            "Session: abc;timeout=1",
            "Session: ;timeout=0",
            "Transport: RTP/AVP/TCP;unicast;interleaved=0-1",
            "Transport: RTP/AVP;unicast;client_port=1-2;server_port=9-10;source=255.255.255.255",
            "Transport: RTP/AVP;multicast;destination=239.1.1.1;port=5000-5001",
            "Transport: RTP/AVP;source=nowhere;server_port=0",
            "Content-Base: rtsp://rtsp://::1/x",
            "Location: rtsp://127.0.0.1:1/x",
            "Location: http://127.0.0.1/x",
            "Location: ://",
            'WWW-Authenticate: Digest realm="a", nonce="b", qop="auth-int,auth"',
            "WWW-Authenticate: Digest algorithm=SHA-512",
            "WWW-Authenticate: Basic",
            "Content-Length: 99999999999",
            "Public: OPTIONS,,GET_PARAMETER",
            "CSeq: 0",
        ]
    ),
    st.builds(
        lambda name, value: f"{name}: {value}",
        st.sampled_from(["Session", "Transport", "Content-Base", "Location", "WWW-Authenticate", "Public", "CSeq"]),
        st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\r\n"), max_size=30),
    ),
)
packet = st.builds(
    lambda channel, head, body: b"$" + bytes((channel,)) + len(head + body).to_bytes(2, "big") + head + body,
    st.integers(0, 3),
    st.sampled_from([b"\x80\x60\0\1\0\0\0\1ssrc", b"\x80\xe0\0\2\0\0\0\2ssrc\x65\x88", b"\x80\xc8\0\6ssrc", b""]),
    st.binary(max_size=40),
)
answer = st.tuples(
    status,
    st.lists(header, max_size=4),
    st.sampled_from([SDP] * 5 + ["", SDP * 2, "m=audio 0 RTP/AVP 0", SDP + "m=audio 0 RTP/AVP 8\r\na=control:t2"]),
    st.lists(st.one_of(packet, packet, st.binary(max_size=10)), max_size=4),
)


class Nobody:
    def format(self, video) -> None: ...

    def packet(self, packet) -> None: ...

    def discontinuity(self, reason) -> None: ...

    def rest(self): ...

    def audio_format(self, audio) -> None: ...

    def audio(self, packet) -> None: ...


class Server(asyncio.Protocol):
    """Answers the n-th request with the n-th answer, and is silent when there are no more."""

    def __init__(self, answers) -> None:
        self._answers = answers

    def connection_made(self, transport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        for line in data.split(b"\r\n"):
            if line.lower().startswith(b"cseq:") and self._answers:
                code, headers, body, packets = self._answers.pop(0)
                length = [f"Content-Length: {len(body)}"] if body else []
                head = "\r\n".join([f"RTSP/1.0 {code} Some", line.decode(), *length, *headers]) + "\r\n\r\n"
                self._transport.write(head.encode() + body.encode() + b"".join(packets))


@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(answer, min_size=1, max_size=7),
    st.sampled_from(list(Transport)),
    st.sampled_from([("", ""), ("user", "pass"), ("ü", "ß")]),
)
async def test_whatever_a_server_answers_ends_in_a_sentence(answers, transport, login):
    server = await asyncio.get_running_loop().create_server(lambda: Server(list(answers)), "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        camera = Camera(
            id="c",
            name="c",
            url=f"rtsp://127.0.0.1:{port}/x",
            username=login[0],
            password=login[1],
            transport=transport,
        )
        source = RtspSource(camera, Nobody(), lambda state: None, patience=PATIENCE)
        async with asyncio.timeout(10):
            error = await source._connect()
    assert isinstance(error, SourceError)
    assert error.message.startswith("camera 'c': ")
    assert "pass" not in error.message.replace("password", "")
