"""The server process: HTTP and WebSocket, the database, alarms and their clips, the published site."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
import socket
import sys
from collections.abc import AsyncIterator, Coroutine, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import uvicorn

import perishield
from perishield import log as logs
from perishield.alarms.clips import ClipScheduler
from perishield.alarms.intake import Announcement, Intake
from perishield.alarms.keeping import Keeper
from perishield.api.app import create_app
from perishield.api.exports import Exports
from perishield.api.feeds import Feeds
from perishield.api.footage import FootageIndex
from perishield.api.guard import Guard
from perishield.api.holds import HoldPublisher
from perishield.api.keys import load_keys, write_private
from perishield.api.ledger_book import LedgerBook
from perishield.api.live_out import LiveOut
from perishield.api.metrics import Metrics
from perishield.api.passwords import Passwords
from perishield.api.pictures import Pictures
from perishield.api.playback import Playback
from perishield.api.push import Push
from perishield.api.registry import Processes, Streams
from perishield.api.services import Services
from perishield.api.setup_link import FILE_NAME, SetupLink
from perishield.api.signing import Links
from perishield.api.site import SitePublisher
from perishield.api.slots import Slots
from perishield.api.snapshot import Snapshots
from perishield.api.sockets import LARGEST_MESSAGE
from perishield.api.throttle import Throttle
from perishield.api.tokens import Tokens
from perishield.bus import LocalBus
from perishield.bus.process import EXIT_CONFIG, EXIT_PORT_TAKEN, read_config, say_ready, stop_on_signal
from perishield.bus.spool import Spool
from perishield.live.credentials import CredentialBook
from perishield.live.hls import Windows
from perishield.live.hub import LiveHub
from perishield.log import Log, LogFormat
from perishield.model.errors import ConfigError, PeriShieldError, PortTakenError
from perishield.model.rules import rule_from_dict
from perishield.model.site import Camera
from perishield.model.storage import StoragePlan
from perishield.recording.clip import cut_clip
from perishield.recording.storage.library import open_storage
from perishield.recording.storage.received import sweep_incoming
from perishield.store.cameras import add_camera, list_cameras
from perishield.store.database import Database, sqlite_url
from perishield.store.rules import add_rule

log = Log("server")

_GRACE_S = 1
_MACHINE_TOKEN_S = 12 * 3600
_RENEW_S = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Seed:
    """Cameras and rules for a database that has no cameras, as plain data of `Camera` and the rules."""

    cameras: tuple[dict[str, Any], ...] = ()
    rules: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerConfig:
    """`database_url` empty: SQLite in `data_dir`. `public_url` empty: made of host and port. `static`: the console."""

    data_dir: Path
    run_dir: Path
    media_dir: Path
    models_dir: Path | None = None
    host: str = "127.0.0.1"
    port: int = 8480
    public_url: str = ""
    token_minutes: float = 60
    database_url: str = ""
    pre_s: float = 5.0
    post_s: float = 5.0
    rtsp_port: int = 0
    webrtc: bool = False
    ice_servers: tuple[str, ...] = ()
    transcode: bool = False
    pool_minutes: float = 30.0
    sprites_mib: int = 512
    still_decoder: str = ""
    export_hours: float = 72.0
    export_gib: float = 50.0
    min_free_mib: int = 1024
    compare_footage: bool = True
    """False only for a benchmark whose index has more rows than there are files."""
    storage: StoragePlan = field(default_factory=StoragePlan)
    demo: bool = False
    seed: Seed | None = None
    static: Path | None = None
    log_level: str = "info"
    log_format: LogFormat = "text"


@asynccontextmanager
async def assembled(
    config: ServerConfig, bus: LocalBus, address: str, passwords: Passwords | None = None
) -> AsyncIterator[Services]:
    """The server's parts, open and at work; all jobs end on leaving."""
    await asyncio.to_thread(config.data_dir.mkdir, mode=0o750, parents=True, exist_ok=True)
    keys = await asyncio.to_thread(load_keys, config.data_dir / "secret.key")
    database = await Database.open(config.database_url or sqlite_url(config.data_dir / "perishield.db"))
    spool = await asyncio.to_thread(Spool, config.data_dir / "spool" / "events.db")
    push, live = Push(), LiveHub()
    windows = Windows(live, config.media_dir)
    streams, processes = Streams(push), Processes(push)
    footage = FootageIndex(database, config.media_dir)
    ledger = LedgerBook(database, footage, config.data_dir, config.media_dir)
    storage = await open_storage(database, config.media_dir, config.storage)
    await asyncio.to_thread(sweep_incoming, config.media_dir)
    library = storage.library
    playback = Playback(database, library, config.media_dir)
    services = Services(
        database=database,
        bus=bus,
        media=config.media_dir,
        static=config.static or Path(perishield.__file__).with_name("static"),
        tokens=Tokens(keys.tokens, config.token_minutes),
        links=Links(keys.links),
        passwords=passwords or Passwords(),
        throttle=Throttle(),
        setup=SetupLink(config.data_dir / FILE_NAME),
        push=push,
        streams=streams,
        processes=processes,
        live=live,
        live_out=LiveOut(
            run_dir=config.run_dir,
            windows=windows,
            book=CredentialBook(config.data_dir / "restream.json"),
            rtsp_port=config.rtsp_port,
            webrtc=config.webrtc,
            servers=config.ice_servers,
            transcode=config.transcode,
        ),
        site=SitePublisher(database, bus, config.data_dir / "site.json", streams, push),
        snapshots=Snapshots(config.media_dir, database, live, library),
        slots=Slots(),
        footage=footage,
        library=library,
        storage=storage,
        playback=playback,
        ledger=ledger,
        holds=HoldPublisher(database, config.data_dir / "holds.json"),
        keeper=Keeper(database, config.media_dir, footage.kept, pool_s=config.pool_minutes * 60),
        metrics=Metrics(streams, processes, ledger, config.media_dir),
        pictures=Pictures(
            playback,
            config.data_dir / "cache" / "sprites",
            most_bytes=config.sprites_mib << 20,
            hardware=config.still_decoder,
        ),
        exports=Exports(
            playback,
            config.data_dir / "exports",
            keep_s=config.export_hours * 3600,
            most_bytes=int(config.export_gib * (1 << 30)),
            min_free_bytes=config.min_free_mib << 20,
        ),
        demo=config.demo,
    )
    feeds = Feeds(services)
    clips = ClipScheduler(
        database, config.media_dir, cut_clip, feeds.announce, pre_s=config.pre_s, post_s=config.post_s
    )

    def announce(announcement: Announcement) -> None:
        feeds.announce(announcement)
        clips.add(announcement.alarm)
        services.keeper.look_again()

    try:
        if config.seed is not None:
            await sow(database, config.seed)
        await services.site.publish()
        await services.holds.publish()
        link = await services.setup.prepare(database, address)
        if link is not None:
            log.info("setup.link", url=link)
        jobs: dict[str, Coroutine[Any, Any, None]] = {
            "alarms": Intake(spool, database, announce).run(bus),
            "clips": clips.run(),
            "keeper": services.keeper.run(),
            "exports": services.exports.run(),
            "footage": services.footage.run(),
            "storage": storage.worker.run(),
            "ledger": ledger.keep_merging(),
            "live": live.ask_low_delay(bus),
            "token": _keep_token(services.tokens, config.run_dir / "token"),
        }
        if config.compare_footage:
            jobs["footage-compare"] = services.footage.keep_comparing()
        jobs |= {f"feed-{number}": feed for number, feed in enumerate(feeds.jobs())}
        services.jobs.update(asyncio.create_task(job, name=name) for name, job in jobs.items())
        yield services
    finally:
        for job in services.jobs:
            job.cancel()
        await asyncio.gather(*services.jobs, return_exceptions=True)
        await windows.close()
        await services.exports.close()
        await services.pictures.close()
        await database.close()
        await asyncio.to_thread(spool.close)


async def sow(database: Database, seed: Seed) -> None:
    """Add cameras and rules where there are no cameras. Raises ConfigError for what is none."""
    try:
        cameras = [msgspec.convert(camera, Camera) for camera in seed.cameras]
    except msgspec.ValidationError as error:
        raise ConfigError(f"seed: {error}") from error
    rules = [rule_from_dict(rule) for rule in seed.rules]
    async with database.write() as session:
        if await list_cameras(session):
            return
        for camera in cameras:
            await add_camera(session, camera)
        for rule in rules:
            await add_rule(session, rule)


async def _keep_token(tokens: Tokens, path: Path) -> None:
    """A viewer's token for the node's own tools on this host, renewed long before it expires."""
    while True:
        await asyncio.to_thread(write_private, path, tokens.issue_machine(_MACHINE_TOKEN_S).encode())
        await asyncio.sleep(_RENEW_S)


class _Listener(uvicorn.Server):
    """uvicorn without its signal handlers: this process has its own, and cleans up after them."""

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        say_ready()


def http_server(services: Services) -> uvicorn.Server:
    """Serves the app on sockets that are handed to its `serve`, and prints READY when it does."""
    return _Listener(
        uvicorn.Config(
            Guard(create_app(services)),
            loop="uvloop",
            http="httptools",
            ws="websockets-sansio",
            ws_max_size=LARGEST_MESSAGE,
            # Video does not shrink, and boxes are too small to be worth it.
            ws_per_message_deflate=False,
            lifespan="off",
            access_log=False,
            log_config=None,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=_GRACE_S,
        )
    )


def listen(host: str, port: int) -> socket.socket:
    """A listening socket. Raises PortTakenError, or ConfigError for an address that this host does not have."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=512)
    except OSError as error:
        if error.errno in (errno.EADDRINUSE, errno.EACCES):
            raise PortTakenError(
                f"{host}:{port}: {os.strerror(error.errno)}; end what uses it or set another port by [server] port",
                port=port,
            ) from error
        raise ConfigError(f"[server] host {host!r}: {error.strerror or error}; use an address of this host") from error


def address_of(config: ServerConfig, listener: socket.socket) -> str:
    """How browsers reach the console."""
    if config.public_url:
        return config.public_url.rstrip("/")
    host = "127.0.0.1" if config.host in ("", "0.0.0.0", "::") else config.host  # noqa: S104
    shown = f"[{host}]" if ":" in host else host
    return f"http://{shown}:{listener.getsockname()[1]}"


async def serve(config: ServerConfig) -> int:
    """Serve until told to stop. Returns the exit code: 1 when a part of the server failed."""
    stop = stop_on_signal()
    with contextlib.closing(listen(config.host, config.port)) as listener:
        address = address_of(config, listener)
        bus = await LocalBus.open(config.run_dir, "server")
        try:
            async with assembled(config, bus, address) as services:
                server = http_server(services)
                log.info("server.listening", url=address)
                serving = asyncio.create_task(server.serve([listener]))
                stopping = asyncio.create_task(stop.wait())
                done, _ = await asyncio.wait({serving, stopping, *services.jobs}, return_when=asyncio.FIRST_COMPLETED)
                server.should_exit = True
                await serving
                stopping.cancel()
                return 0 if stop.is_set() else _report(done)
        finally:
            await bus.close()


def _report(ended: set[asyncio.Task[Any]]) -> int:
    for task in ended:
        error = None if task.cancelled() else task.exception()
        log.error("server.part_failed", part=task.get_name(), message=repr(error) if error else "ended by itself")
    return 1


def main() -> int:
    import uvloop

    logs.configure()
    try:
        config = read_config(ServerConfig)
        logs.configure(config.log_level, config.log_format)
        _borrow_handlers()
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(serve(config))
    except PortTakenError as error:
        log.error("server.failed", code=error.code, message=str(error))
        return EXIT_PORT_TAKEN
    except PeriShieldError as error:
        log.error("server.failed", code=error.code, message=str(error))
        return EXIT_CONFIG if isinstance(error, ConfigError) else 1


def _borrow_handlers() -> None:
    """Warnings of the HTTP server belong in the same log."""
    for name in ("uvicorn", "alembic", "sqlalchemy"):
        logger = logging.getLogger(name)
        logger.handlers[:] = logging.getLogger("perishield").handlers
        logger.setLevel(logging.WARNING)
        logger.propagate = False


if __name__ == "__main__":
    sys.exit(main())
