"""Sources connect nowhere but where cameras may be: RTSP, what FFmpeg reads, recorders, and the doctor."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from perishield.model.device_reach import DeviceReach
from perishield.model.errors import SourceError
from perishield.model.media import StreamCondition, StreamState
from perishield.model.site import Camera
from perishield.sources.device_http import DeviceHttp
from perishield.sources.doctor.probe import probe
from perishield.sources.open import open_source


class Trap:
    """A server that nobody may knock at."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.knocks = 0


@pytest.fixture
async def trap() -> AsyncIterator[Trap]:
    found = Trap(0)

    def knocked(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        found.knocks += 1
        writer.close()

    server = await asyncio.start_server(knocked, "127.0.0.1", 0)
    found.port = server.sockets[0].getsockname()[1]
    yield found
    server.close()
    await server.wait_closed()


class Deaf:
    """A sink for packets that never come."""

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *_args, **_more: None


async def first_failure(url: str, reach: DeviceReach) -> StreamState:
    failed: asyncio.Future[StreamState] = asyncio.get_running_loop().create_future()

    def on_state(state: StreamState) -> None:
        if state.condition is StreamCondition.FAILED and not failed.done():
            failed.set_result(state)

    sink: Any = Deaf()
    source = open_source(Camera(id="gate", name="Gate", url=url), sink, on_state, reach=reach)
    running = asyncio.create_task(source.run())
    try:
        return await asyncio.wait_for(failed, 20)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


@pytest.mark.parametrize("scheme", ["rtsp", "rtsps", "rtmp", "http"])
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0x7f000001"])
async def test_a_camera_that_is_the_node_itself_is_never_connected_to(trap: Trap, scheme: str, host: str) -> None:
    state = await first_failure(f"{scheme}://{host}:{trap.port}/x", DeviceReach())
    assert state.code == "address_forbidden"
    assert "device_addresses" in state.message
    assert trap.knocks == 0


async def test_what_the_settings_allow_is_connected_to(trap: Trap) -> None:
    state = await first_failure(f"rtsp://127.0.0.1:{trap.port}/x", DeviceReach(allowed=("127.0.0.1",)))
    assert state.code != "address_forbidden"
    assert trap.knocks > 0
    own = DeviceReach(allowed=("127.0.0.1",), own_ports=(trap.port,))
    knocks = trap.knocks
    assert (await first_failure(f"rtsp://127.0.0.1:{trap.port}/x", own)).code == "address_forbidden"
    assert trap.knocks == knocks


async def test_a_camera_that_redirects_to_the_node_is_not_followed(trap: Trap) -> None:
    redirected: list[str] = []

    async def redirect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        target = f"rtsp://127.0.0.1:{trap.port}/inside"
        try:
            while True:
                request = (await reader.readuntil(b"\r\n\r\n")).decode()
                number = next(line for line in request.split("\r\n") if line.lower().startswith("cseq"))
                said = "200 OK" if request.startswith("OPTIONS") else f"302 Found\r\nLocation: {target}"
                writer.write(f"RTSP/1.0 {said}\r\n{number}\r\n\r\n".encode())
                redirected.append(said)
        except asyncio.IncompleteReadError:
            writer.close()

    server = await asyncio.start_server(redirect, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        state = await first_failure(f"rtsp://127.0.0.1:{port}/x", DeviceReach(allowed=(f"127.0.0.1:{port}",)))
    finally:
        server.close()
        await server.wait_closed()
    assert any("302" in said for said in redirected)
    assert (state.code, trap.knocks) == ("address_forbidden", 0)


async def test_a_recorder_that_is_the_node_itself_is_never_connected_to(trap: Trap) -> None:
    http = DeviceHttp(f"http://127.0.0.1:{trap.port}", "admin", "secret", reach=DeviceReach())
    with pytest.raises(SourceError) as refused:
        await http.text("GET", "/")
    await http.close()
    assert refused.value.code == "refused"
    assert trap.knocks == 0


async def test_the_doctor_does_not_knock_either(trap: Trap) -> None:
    camera = Camera(id="gate", name="Gate", url=f"rtsp://localhost:{trap.port}/x")
    examination = await probe(camera, 3.0, allowed=DeviceReach())
    assert [step.code for step in examination.steps][-1] == "tcp_forbidden"
    assert trap.knocks == 0
