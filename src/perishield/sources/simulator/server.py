"""The camera farm's door: listens, and keeps the clips on the air."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from perishield.model.errors import PortTakenError
from perishield.sources.simulator.client import SimulatorClient
from perishield.sources.simulator.clip import SimulatorClip
from perishield.sources.simulator.datagrams import Datagrams
from perishield.sources.simulator.faults import Faults
from perishield.sources.simulator.gatekeeper import Gatekeeper, Scheme
from perishield.sources.simulator.timeline import Timeline


class Simulator:
    """Serves `rtsp://host:port/<name>` for every clip; whatever follows a `?` makes no difference, so that one clip can
    stand for many cameras; `?fault=` asks for faults by name (`faults.NAMED`), for that client alone.

    `schemes` are the authentication schemes offered where a user or password is set. `faults` may be replaced while it
    runs and then holds for new connections. With `tls` the addresses are rtsps://.
    """

    def __init__(
        self,
        clips: Mapping[str, SimulatorClip],
        host: str = "127.0.0.1",
        port: int = 0,
        username: str = "",
        password: str = "",
        *,
        schemes: tuple[Scheme, ...] = ("md5-qop", "basic"),
        faults: Faults | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.faults = faults or Faults()
        self._tls = tls
        self._datagrams: Datagrams | None = None
        self.clients: set[SimulatorClient] = set()
        self._clips = dict(clips)
        self._host = host
        self._port = port
        self._username = username
        self._password = password
        self._schemes = schemes
        self._timelines: dict[str, Timeline] = {}
        self._server: asyncio.Server | None = None
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def port(self) -> int:
        """The port listened on, once started."""
        return self._port

    @property
    def urls(self) -> list[str]:
        scheme = "rtsps" if self._tls is not None else "rtsp"
        return [f"{scheme}://{self._host}:{self._port}/{name}" for name in self._clips]

    async def start(self) -> None:
        """Put the clips on the air and listen. Raises PortTakenError."""
        loop = asyncio.get_running_loop()
        try:
            self._server = await loop.create_server(self._client, self._host, self._port, backlog=512, ssl=self._tls)
        except OSError as error:
            raise PortTakenError(
                f"cannot listen on {self._host}:{self._port} ({error.strerror}): choose another port"
            ) from None
        address = self._server.sockets[0].getsockname()
        self._port = address[1]
        self._datagrams = Datagrams(address[0])
        for name, clip in self._clips.items():
            timeline = self._timelines[name] = Timeline(clip)
            self._tasks.append(asyncio.create_task(timeline.run()))
            if timeline.sound is not None:
                self._tasks.append(asyncio.create_task(timeline.sound.run()))

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()
        self.drop_clients()
        if self._datagrams is not None:
            self._datagrams.close()
        if self._server is not None:
            await self._server.wait_closed()

    def drop_clients(self) -> None:
        """Break off every connection, as a power cut would."""
        for client in tuple(self.clients):
            client.close()

    def loop_started(self, name: str, number: int) -> float:
        """Unix seconds at which the first frame of the clip's loop `number` (from 0) is or was due."""
        return self._timelines[name].loop_started(number)

    def _client(self) -> SimulatorClient:
        if self._datagrams is None:
            raise RuntimeError("not started")
        return SimulatorClient(
            self._timelines,
            lambda: self.faults,
            self._gatekeeper,
            self._register,
            self._datagrams,
            lambda: sum(client.playing for client in self.clients),
        )

    def _gatekeeper(self) -> Gatekeeper:
        return Gatekeeper(self._username, self._password, self._schemes, self.faults.rotate_nonce_after)

    def _register(self, client: SimulatorClient, connected: bool) -> None:
        if connected:
            self.clients.add(client)
        else:
            self.clients.discard(client)


def clip_names(files: Iterable[Path]) -> dict[str, Path]:
    """A name for each file: its stem, numbered where several share one."""
    names: dict[str, Path] = {}
    for file in files:
        name, number = file.stem, 1
        while name in names:
            number += 1
            name = f"{file.stem}-{number}"
        names[name] = file
    return names


async def simulate(
    files: Iterable[str | Path],
    host: str = "127.0.0.1",
    port: int = 8554,
    *,
    username: str = "",
    password: str = "",
    faults: Faults | None = None,
    tls: ssl.SSLContext | None = None,
    announce: Callable[[str], None] = print,
) -> None:
    """Serve files until cancelled, announcing one address a line. Raises SourceError and PortTakenError."""
    clips = {
        name: await asyncio.to_thread(SimulatorClip.load, path)
        for name, path in clip_names(Path(file) for file in files).items()
    }
    simulator = Simulator(clips, host, port, username, password, faults=faults, tls=tls)
    await simulator.start()
    try:
        for url in simulator.urls:
            announce(url)
        await asyncio.get_running_loop().create_future()
    finally:
        await simulator.close()
