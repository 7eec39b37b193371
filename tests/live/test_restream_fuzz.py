"""Whatever a stranger sends to the restream server costs it one connection at most."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from perishield.live.credentials import Credential, CredentialBook, ha1
from perishield.live.hub import LiveHub
from perishield.live.line import Lines
from perishield.live.rtsp.entry import Entry
from perishield.live.rtsp.server import RestreamServer
from perishield.model.errors import ConfigError

WORDS = st.sampled_from(
    [
        b"OPTIONS * RTSP/1.0\r\n",
        b"DESCRIBE rtsp://h/gate RTSP/1.0\r\n",
        b"SETUP rtsp://h/gate/trackID=0 RTSP/1.0\r\n",
        b"PLAY rtsp://[/gate RTSP/1.0\r\n",
        b"TEARDOWN rtsp://h/gate RTSP/1.0\r\n",
        b"CSeq: 1\r\n",
        b"CSeq: \xff\r\n",
        b"Content-Length: 5\r\n",
        b"Content-Length: 99999999\r\n",
        b"Transport: RTP/AVP/TCP;interleaved=999-999\r\n",
        b"Transport: RTP/AVP;client_port=1-99999\r\n",
        b'Authorization: Digest username="x", nc=1, cnonce=, algorithm=SHA-256\r\n',
        b"Authorization: Basic AAAA\r\n",
        b"\r\n",
        b"$\0\0\4abcd",
        b"$\0\xff",
    ]
)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=60)
@given(said=st.lists(st.one_of(WORDS, st.binary(max_size=60)), max_size=12))
def test_a_stranger_harms_nobody(said: list[bytes]) -> None:
    folder = Path(__file__).parent

    async def run() -> None:
        lines = Lines(LiveHub(), folder)
        server = RestreamServer(lines, lambda _: None, lambda _: True, most=4)
        await server.start("127.0.0.1", 0)
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"".join(said))
        writer.write_eof()
        heard = await asyncio.wait_for(reader.read(), 10)
        assert heard == b"" or heard.startswith(b"RTSP/1.0 ")
        assert b"200 OK\r\nContent" not in heard
        writer.close()
        _, after = await asyncio.open_connection("127.0.0.1", server.port)
        after.close()
        await server.close()
        assert server.guests == 0

    asyncio.run(run())


@given(text=st.text(max_size=200), method=st.text(max_size=10), uri=st.text(max_size=30))
def test_an_answer_of_any_kind_opens_nothing(text: str, method: str, uri: str) -> None:
    known = Credential(username="a", md5=ha1("md5", "a", "b"), sha256=ha1("sha256", "a", "b"))
    entry = Entry(lambda name: known if name == "a" else None)
    for start in ("", "Basic ", "Digest ", 'Digest username="a", nonce="x", '):
        assert not entry.admits(start + text, method, uri, "gate")


def test_a_broken_file_of_credentials_is_named(tmp_path: Path) -> None:
    file = tmp_path / "restream.json"
    file.write_text("{")
    with pytest.raises(ConfigError, match=r"restream\.json"):
        CredentialBook(file).all()
