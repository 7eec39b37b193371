"""A test stand for alarms: the server as the product runs it, a writer of events, a receiver that misbehaves."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from perishield.bus.spool import Spool
from perishield.evaluation.faults.stand import FaultError, wait_until
from perishield.evaluation.role_process import start_role
from perishield.model.channels import Channel, DeliveryState, Pace, Topic, Webhook
from perishield.model.channels import Route as ChannelRoute
from perishield.store.channels import add_channel
from perishield.store.database import Database, sqlite_url
from perishield.store.delivery_log import count_deliveries

_CAMERAS = 8
_START_S = 60.0
_STOP_S = 15.0


class AlarmStand:
    """`alarms` events at `a_second`; everything ends with the block that opened it."""

    def __init__(
        self, folder: Path, alarms: int, *, a_second: float, data: Path | None = None, database_url: str = ""
    ) -> None:
        self.alarms = alarms
        self.data = data or folder / "data"
        self.starts = 0
        self._folder = folder
        self._url = database_url
        self._a_second = a_second
        self._taken = folder / "taken.jsonl"
        self._server: subprocess.Popen[bytes] | None = None
        self._writer: subprocess.Popen[bytes] | None = None
        self._receiver: subprocess.Popen[bytes] | None = None

    @contextmanager
    def running(self) -> Iterator[AlarmStand]:
        try:
            port = self._receive()
            self.data.mkdir(parents=True, exist_ok=True)
            asyncio.run(self._set_up(port))
            self.start()
            self._write()
            yield self
        finally:
            for process in (self._writer, self._server, self._receiver):
                _end(process)

    def start(self) -> None:
        """Start the server, and wait for its READY. Raises PeriShieldError."""
        config = {
            "data_dir": str(self.data),
            "run_dir": str(self._folder / "run"),
            "media_dir": str(self._folder / "media"),
            "database_url": self._url,
            "port": 0,
            "log_level": "error",
        }
        self._server = start_role("server", config, log=self._folder / "server.log")
        self.starts += 1

    def kill(self) -> None:
        """SIGKILL: no goodbye."""
        if self._server is not None:
            self._server.kill()
            self._server.wait()

    @property
    def alive(self) -> bool:
        return self._server is not None and self._server.poll() is None

    @property
    def written(self) -> bool:
        """Whether every event is in the spool."""
        if self._writer is None or self._writer.poll() is None:
            return False
        if self._writer.returncode:
            raise FaultError(f"the writer of events ended with {self._writer.returncode}")
        return True

    def log(self) -> str:
        try:
            return (self._folder / "server.log").read_text(errors="replace")
        except OSError:
            return ""

    def taken(self) -> int:
        """Different alarms that the receiver has taken."""
        return len({one["alarm"] for one in self._lines()})

    def finish(self, seconds: float) -> dict[str, Any]:
        """Wait until nothing waits any more, and count. Raises FaultError where it takes longer."""
        wait_until(lambda: self.written, seconds, "every event is in the spool")
        began = time.monotonic()
        wait_until(lambda: self.taken() >= self.alarms or not self.alive, seconds, "every alarm arrives")
        if not self.alive:
            raise FaultError(f"the server died: {self.log()[-400:]}")
        # What was taken, but whose answer got lost, is sent once more.
        wait_until(lambda: asyncio.run(self._open()) == 0, seconds, "every delivery is settled")
        settled = time.monotonic() - began
        self._stop()
        spool = Spool(self.data / "spool" / "events.db")
        left = len(spool)
        spool.close()
        counts = asyncio.run(self._counts())
        return {**self.verdict(), "left_in_spool": left, "dead": counts.get("dead", 0), "settled_s": round(settled, 1)}

    def verdict(self) -> dict[str, Any]:
        """What the receiver took, beside what was written."""
        lines = self._lines()
        firsts = [one for one in lines if not one["again"]]
        keys = Counter(one["alarm"] for one in firsts)
        wanted = {f"f{number:06d}" for number in range(self.alarms)}
        by_camera: defaultdict[str, list[str]] = defaultdict(list)
        out_of_order = 0
        for one in firsts:
            before = by_camera[one["camera"]]
            # Events are numbered in the order in which they were written.
            out_of_order += bool(before) and one["alarm"] < before[-1]
            before.append(one["alarm"])
        return {
            "alarms": self.alarms,
            "lost": len(wanted - set(keys)),
            "doubled": sum(count - 1 for count in keys.values()),
            "out_of_order": out_of_order,
            "repeats_recognised": len(lines) - len(firsts),
            "moods": dict(Counter(one["mood"] for one in lines)),
        }

    def _lines(self) -> list[dict[str, Any]]:
        try:
            raw = self._taken.read_text()
        except OSError:
            return []
        return [json.loads(line) for line in raw.splitlines() if line.endswith("}")]

    def _receive(self) -> int:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = int(listener.getsockname()[1])
        module = "perishield.evaluation.faults.alarm_receiver"
        command = [sys.executable, "-m", module, str(port), str(self._taken), "11"]
        self._receiver = subprocess.Popen(command, stdout=subprocess.PIPE)
        if self._receiver.stdout is None:
            raise AssertionError("it is a pipe")
        with self._receiver.stdout as told:
            if told.readline().strip() != b"READY":
                raise FaultError("the receiver did not start")
        return port

    def _write(self) -> None:
        module = "perishield.evaluation.faults.event_writer"
        spool = self.data / "spool" / "events.db"
        command = [sys.executable, "-m", module, str(spool), str(self.alarms), str(_CAMERAS), str(self._a_second)]
        self._writer = subprocess.Popen(command)

    async def _set_up(self, port: int) -> None:
        database = await self._database()
        channel = Channel(
            id="platform",
            name="Platform",
            target=Webhook(url=f"http://127.0.0.1:{port}/alarms", reach="host", timeout_s=1.0),
            route=ChannelRoute(topics=(Topic.RAISED,)),
            pace=Pace(per_minute=100_000, parallel=_CAMERAS, first_retry_s=0.1, most_retry_s=2.0),
        )
        try:
            async with database.write() as session:
                await add_channel(session, channel, {})
        finally:
            await database.close()

    async def _open(self) -> int:
        counts = await self._counts()
        open_states = (DeliveryState.HELD, DeliveryState.WAITING, DeliveryState.LEASED)
        return sum(counts.get(state.value, 0) for state in open_states)

    async def _counts(self) -> dict[str, int]:
        database = await self._database()
        try:
            async with database.read() as session:
                return {state.value: count for _, state, count in await count_deliveries(session)}
        finally:
            await database.close()

    async def _database(self) -> Database:
        return await Database.open(self._url or sqlite_url(self.data / "perishield.db"))

    def _stop(self) -> None:
        process, self._server = self._server, None
        if process is None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise FaultError(f"the server did not end within {_STOP_S:g} s of SIGTERM") from None


def _end(process: subprocess.Popen[bytes] | None) -> None:
    if process is None or process.poll() is not None:
        return
    process.kill()
    process.wait()
