"""The supervisor: restarts, back-off, fatal ends, clean stops. With real processes."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from perishield.bus import LocalBus, topics
from perishield.bus.topics import ProcessState
from perishield.roles.supervisor import ProcessSpec, Supervisor

SERVING = """
import json, signal, sys, time
config = json.load(sys.stdin)
print("READY", flush=True)
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
while True:
    time.sleep(0.05)
"""
STUBBORN = SERVING.replace("lambda *_: sys.exit(0)", "signal.SIG_IGN")
FATAL = "import sys; sys.exit(4)"
ECHO = """
import json, pathlib, sys, time
config = json.load(sys.stdin)
pathlib.Path(config["out"]).write_text(json.dumps(config))
print("READY", flush=True)
time.sleep(60)
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], str]:
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    def write(name: str, text: str) -> str:
        (tmp_path / f"{name}.py").write_text(text)
        return name

    return write


@pytest.fixture
async def bus(tmp_path: Path) -> AsyncIterator[LocalBus]:
    bus = await LocalBus.open(tmp_path / "run", "node")
    yield bus
    await bus.close()


async def until(condition: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "not within the time"
        await asyncio.sleep(0.02)


async def test_a_killed_process_comes_back_and_is_reported(bus: LocalBus, module: Callable[[str, str], str]) -> None:
    told: list[ProcessState] = []
    supervisor = Supervisor([ProcessSpec("one", module("one", SERVING), {})], bus, told.append)
    running = asyncio.create_task(supervisor.run())
    assert await supervisor.ready()
    first = supervisor.states["one"].pid
    os.kill(first, signal.SIGKILL)
    await until(lambda: supervisor.states["one"].pid not in {0, first})
    assert [state.state for state in told] == ["running", "restarting", "running"]
    assert told[1].message == "killed by SIGKILL"
    assert told[2].restarts == 1
    supervisor.stop()
    assert await running == 0
    assert supervisor.states["one"].state == "stopped"


async def test_the_others_go_on_while_one_dies(bus: LocalBus, module: Callable[[str, str], str]) -> None:
    specs = [ProcessSpec("a", module("a", SERVING), {}), ProcessSpec("b", module("b", SERVING), {})]
    supervisor = Supervisor(specs, bus)
    running = asyncio.create_task(supervisor.run())
    assert await supervisor.ready()
    kept = supervisor.states["b"].pid
    os.kill(supervisor.states["a"].pid, signal.SIGKILL)
    await until(lambda: supervisor.states["a"].restarts == 1 and supervisor.states["a"].state == "running")
    assert supervisor.states["b"].pid == kept
    supervisor.stop()
    await running


async def test_a_fatal_end_before_serving_stops_the_node(bus: LocalBus, module: Callable[[str, str], str]) -> None:
    specs = [ProcessSpec("server", module("server", FATAL), {}), ProcessSpec("other", module("other", SERVING), {})]
    supervisor = Supervisor(specs, bus)
    running = asyncio.create_task(supervisor.run())
    assert not await supervisor.ready()
    assert await running == 4


async def test_a_process_that_will_not_end_is_killed(
    bus: LocalBus, module: Callable[[str, str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("perishield.roles.supervisor.PATIENCE_S", 0.3)
    supervisor = Supervisor([ProcessSpec("stubborn", module("stubborn", STUBBORN), {})], bus)
    running = asyncio.create_task(supervisor.run())
    assert await supervisor.ready()
    pid = supervisor.states["stubborn"].pid
    supervisor.stop()
    assert await running == 0
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_the_configuration_arrives_on_stdin(
    bus: LocalBus, module: Callable[[str, str], str], tmp_path: Path
) -> None:
    out = tmp_path / "out.json"
    supervisor = Supervisor([ProcessSpec("echo", module("echo", ECHO), {"out": out, "name": "大门"})], bus)
    running = asyncio.create_task(supervisor.run())
    assert await supervisor.ready()
    assert "大门" in out.read_text() or "\\u5927" in out.read_text()
    supervisor.stop()
    await running


async def test_a_listener_who_comes_late_still_learns_the_state(
    bus: LocalBus, module: Callable[[str, str], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("perishield.roles.supervisor.TELL_EVERY_S", 0.1)
    supervisor = Supervisor([ProcessSpec("one", module("one", SERVING), {})], bus)
    running = asyncio.create_task(supervisor.run())
    assert await supervisor.ready()
    server = await LocalBus.open(tmp_path / "run", "server")
    async with server.subscribe(topics.PROCESSES) as sub:
        _, state = await asyncio.wait_for(sub.get(), 10)
    assert (state.name, state.state) == ("one", "running")
    await server.close()
    supervisor.stop()
    await running
