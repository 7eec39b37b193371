"""A recorder that answers anything at all: our client says what is wrong, and never fails in another way."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from perishield.model.errors import StorageError
from perishield.model.media import SegmentRow
from perishield.model.storage import StorageTarget, TargetKind, Tier
from perishield.recording.storage.nvr_target import NvrTarget

ROW = SegmentRow(
    camera="gate",
    pool="recordings",
    path="recordings/gate/2026-09-21/14/1790000000.mp4",
    epoch=1,
    start=1_790_000_000.0,
    duration=10.0,
    size=100,
    frames=1,
    stream_time=0,
    codec="h264",
    mime="",
    width=1,
    height=1,
    init_length=1,
    keyframes=(),
    complete=True,
)


class Source:
    size = 100

    def pieces(self) -> Iterator[bytes]:
        yield b"x" * 100


def silent(size: int) -> None:
    """No pace."""


@contextmanager
def answering(data: bytes) -> Iterator[NvrTarget]:
    """A target at whose address every connection gets these bytes, once its request has come."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    connection.settimeout(5)
                    try:
                        connection.recv(65536)
                        connection.sendall(data)
                        connection.shutdown(socket.SHUT_WR)
                        while connection.recv(65536):
                            pass
                    except OSError:
                        continue

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        spec = StorageTarget(
            name="hq",
            kind=TargetKind.NVR_HTTP,
            tier=Tier.HOT,
            url=f"http://127.0.0.1:{listener.getsockname()[1]}/api/video",
            key="secret-key",
            timeout_s=2.0,
        )
        try:
            with closing(NvrTarget(spec)) as target:
                yield target
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(10)


CALLS: list[Callable[[NvrTarget], Any]] = [
    lambda target: target.check(),
    lambda target: target.put(ROW, Source(), "ab" * 32, silent),
    lambda target: b"".join(target.pieces(ROW)),
    lambda target: target.read(ROW, 10, 20),
    lambda target: target.size(ROW),
    lambda target: target.link(ROW, 60),
]


def http(status: str, body: bytes, *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"content-length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.one_of(
        st.binary(max_size=300),
        st.builds(
            http,
            st.sampled_from(["200 OK", "201 Created", "206 Partial", "302 Found", "404 No", "422 Bad", "500 Oh"]),
            st.one_of(
                st.binary(max_size=100),
                st.sampled_from(
                    [b"[]", b"3", b'{"items": 3}', b'{"items": [3]}', b'{"items":[{"name":7}]}', b"[" * 9000]
                ),
            ),
            st.sampled_from(["x: y", "location: file:///etc/passwd", "content-encoding: gzip", "content-length: x"]),
        ),
    ),
    st.sampled_from(CALLS),
)
@example(http("200 OK", b'{"sha256": "cd"}'), CALLS[1])
@example(b"HTTP/1.1 200 OK\r\ncontent-length: many\r\n\r\n", CALLS[4])
def test_any_answer_ends_in_a_result_or_in_an_error_of_storage(answer: bytes, call: Callable[[NvrTarget], Any]) -> None:
    said = "'hq'"
    with answering(answer) as target:
        try:
            call(target)
        except StorageError as error:
            said = str(error)
    assert "'hq'" in said
    assert "secret-key" not in said


def test_an_endless_answer_is_not_swallowed_whole() -> None:
    body = b'{"items": [' + b"1," * (2 << 20)
    with answering(http("200 OK", body)) as target, pytest.raises(StorageError) as error:
        target.check()
    assert error.value.code == "storage_refused"


def test_a_hash_that_is_not_ours_counts_as_damage() -> None:
    with answering(http("201 Created", b'{"sha256": "cd"}')) as target, pytest.raises(StorageError) as error:
        target.put(ROW, Source(), "ab" * 32, silent)
    assert error.value.code == "corrupt"


def test_a_recorder_without_ranges_is_not_read_wrongly() -> None:
    with answering(http("200 OK", b"x" * 100)) as target, pytest.raises(StorageError, match="ranges"):
        target.read(ROW, 10, 20)
