"""Keeps a node's processes alive: what dies is started again with back-off, and said; a stop ends all cleanly."""

from __future__ import annotations

import asyncio
import ctypes
import signal
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from perishield.bus import LocalBus, topics
from perishield.bus.process import FATAL_EXITS, READY, encode_config
from perishield.bus.topics import ProcessState
from perishield.log import Log

log = Log("node")

FIRST_PAUSE_S = 0.2
LONGEST_PAUSE_S = 10.0
STABLE_AFTER_S = 30.0
PATIENCE_S = 5.0
"""How long a process may take to end before it is killed."""
TELL_EVERY_S = 5.0

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, slots=True)
class ProcessSpec:
    """A process of the node: `python -m module`, with `config` (a dataclass or plain data) on its stdin."""

    name: str
    module: str
    config: object


class Supervisor:
    """Runs processes until `stop` is called or one ends in a way that starting again cannot mend."""

    def __init__(
        self, specs: Sequence[ProcessSpec], bus: LocalBus, on_state: Callable[[ProcessState], None] | None = None
    ) -> None:
        self.states: dict[str, ProcessState] = {}
        self.exit_code = 0
        self._specs = specs
        self._bus = bus
        self._on_state = on_state
        self._stop = asyncio.Event()
        self._ready = {spec.name: asyncio.Event() for spec in specs}

    def stop(self) -> None:
        self._stop.set()

    async def ready(self) -> bool:
        """Wait until every process serves; False when the node stops before that."""
        stopping = asyncio.create_task(self._stop.wait())
        try:
            for event in self._ready.values():
                serving = asyncio.create_task(event.wait())
                await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
                serving.cancel()
                if self._stop.is_set():
                    return False
        finally:
            stopping.cancel()
        return True

    async def run(self) -> int:
        """Returns the exit code for the node: 0 after a stop, else that of the process which could not go on."""
        telling = asyncio.create_task(self._tell())
        try:
            await asyncio.gather(*(self._keep(spec) for spec in self._specs))
        finally:
            telling.cancel()
        return self.exit_code

    async def _tell(self) -> None:
        # Repeated, because a server that starts later must learn of processes that never changed.
        while True:
            for state in self.states.values():
                self._bus.publish(topics.PROCESSES, state.name, state)
            await asyncio.sleep(TELL_EVERY_S)

    def _note(self, name: str, state: str, *, restarts: int, pid: int = 0, message: str = "") -> None:
        told = ProcessState(name=name, state=state, since=time.time(), restarts=restarts, pid=pid, message=message)
        self.states[name] = told
        self._bus.publish(topics.PROCESSES, name, told)
        if self._on_state is not None:
            self._on_state(told)

    async def _keep(self, spec: ProcessSpec) -> None:
        pause, restarts = FIRST_PAUSE_S, 0
        while not self._stop.is_set():
            began = time.monotonic()
            try:
                code = await self._once(spec, restarts)
            except OSError as error:
                code = 1
                log.error("process.unstartable", process=spec.name, message=str(error))
            if self._stop.is_set():
                break
            reason = _reason(code)
            if code in FATAL_EXITS and not self._ready[spec.name].is_set():
                log.error("process.failed", process=spec.name, message=f"{reason}; the node stops")
                self._note(spec.name, "stopped", restarts=restarts, message=reason)
                self.exit_code = code
                self._stop.set()
                return
            pause = FIRST_PAUSE_S if time.monotonic() - began > STABLE_AFTER_S else pause
            restarts += 1
            log.warning("process.died", process=spec.name, message=reason, restart_in_s=pause, restarts=restarts)
            self._note(spec.name, "restarting", restarts=restarts, message=reason)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), pause)
            pause = min(pause * 2, LONGEST_PAUSE_S)
        self._note(spec.name, "stopped", restarts=restarts)

    async def _once(self, spec: ProcessSpec, restarts: int) -> int:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            spec.module,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            # A Ctrl-C in the terminal is ours to pass on, in order.
            start_new_session=True,
            preexec_fn=_die_with_parent,
        )
        stopping = asyncio.create_task(self._stop.wait())
        reading = asyncio.create_task(self._listen(spec, process, restarts))
        ended = asyncio.create_task(process.wait())
        try:
            await asyncio.wait({stopping, ended}, return_when=asyncio.FIRST_COMPLETED)
            if not ended.done():
                await self._end(spec.name, process, ended)
        except asyncio.CancelledError:
            process.kill()
            raise
        finally:
            stopping.cancel()
            reading.cancel()
        return await ended

    async def _listen(self, spec: ProcessSpec, process: asyncio.subprocess.Process, restarts: int) -> None:
        if process.stdin is None or process.stdout is None:
            raise RuntimeError(f"{spec.name} was started without pipes")
        with suppress(BrokenPipeError, ConnectionResetError):
            process.stdin.write(encode_config(spec.config))
            await process.stdin.drain()
            process.stdin.close()
        began = time.monotonic()
        async for line in process.stdout:
            if line.decode(errors="replace").strip() == READY:
                log.info("process.ready", process=spec.name, pid=process.pid, s=time.monotonic() - began)
                self._note(spec.name, "running", restarts=restarts, pid=process.pid)
                self._ready[spec.name].set()

    async def _end(self, name: str, process: asyncio.subprocess.Process, ended: asyncio.Task[int]) -> None:
        with suppress(ProcessLookupError):
            process.terminate()
        done, _ = await asyncio.wait({ended}, timeout=PATIENCE_S)
        if not done:
            log.warning("process.killed", process=name, message=f"did not end within {PATIENCE_S:g} s")
            with suppress(ProcessLookupError):
                process.kill()


def _die_with_parent() -> None:
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _reason(code: int) -> str:
    if code >= 0:
        return f"ended with exit code {code}"
    try:
        return f"killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"killed by signal {-code}"
