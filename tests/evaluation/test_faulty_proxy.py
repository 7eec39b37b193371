"""Each fault of the proxy, seen by a real HTTP client in front of a real HTTP server."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest

from perishield.evaluation.faulty_proxy import Fault, FaultyProxy


class _Echo(BaseHTTPRequestHandler):
    """Answers a body with its length; keeps the connection."""

    protocol_version = "HTTP/1.1"

    def do_PUT(self) -> None:
        size = len(self.rfile.read(int(self.headers["content-length"])))
        body = str(size).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Silence."""


@pytest.fixture
def proxy() -> Iterator[FaultyProxy]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Echo)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        with FaultyProxy("127.0.0.1", server.server_address[1]).running() as running:
            yield running
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def put(proxy: FaultyProxy, size: int, timeout: float = 5) -> httpx.Response:
    with httpx.Client(trust_env=False, timeout=timeout) as client:
        return client.put(f"{proxy.endpoint}/x", content=b"x" * size)


def test_lets_through_what_it_is_given(proxy: FaultyProxy) -> None:
    assert put(proxy, 1_000_000).text == "1000000"
    assert proxy.bytes_up > 1_000_000


def test_answers_503_to_everything_and_the_server_hears_nothing(proxy: FaultyProxy) -> None:
    proxy.mode = Fault.BUSY
    assert put(proxy, 1_000_000).status_code == 503
    assert proxy.refused == 1
    assert proxy.bytes_up == 0


def test_refuses_on_a_connection_that_was_kept(proxy: FaultyProxy) -> None:
    with httpx.Client(trust_env=False, transport=httpx.HTTPTransport(retries=0)) as client:
        assert client.put(f"{proxy.endpoint}/x", content=b"1").text == "1"
        proxy.mode = Fault.BUSY
        with pytest.raises(httpx.TransportError):
            client.put(f"{proxy.endpoint}/x", content=b"1")
        assert client.put(f"{proxy.endpoint}/x", content=b"1").status_code == 503


def test_stalls_until_the_client_gives_up(proxy: FaultyProxy) -> None:
    proxy.mode = Fault.STALL
    with pytest.raises(httpx.TimeoutException):
        put(proxy, 1000, timeout=0.3)
    assert proxy.stalled == 1
    proxy.mode = Fault.PASS
    assert put(proxy, 1000).text == "1000"


def test_drops_in_mid_upload(proxy: FaultyProxy) -> None:
    proxy.mode, proxy.drop_after = Fault.DROP, 200_000
    with pytest.raises(httpx.TransportError):
        put(proxy, 5_000_000)
    assert proxy.dropped == 1
    assert put(proxy, 1000).text == "1000"


def test_delays_every_answer(proxy: FaultyProxy) -> None:
    proxy.mode, proxy.latency_s = Fault.LATENCY, 0.2
    began = time.monotonic()
    assert put(proxy, 10).text == "10"
    assert time.monotonic() - began >= 0.4
