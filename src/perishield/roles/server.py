"""The server process: HTTP and WebSocket, the database, alarms and their clips, the published site."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import sys
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import perishield
from perishield import log as logs
from perishield.alarms.clips import ClipScheduler, evidence_path
from perishield.alarms.escalation import Escalation
from perishield.alarms.evidence import EvidenceIntake
from perishield.alarms.intake import Announcement, Intake
from perishield.alarms.keeping import Keeper
from perishield.alarms.outbox import Outbox, owner_of
from perishield.alarms.playback_push import PlaybackPush
from perishield.alarms.retention import AlarmRetention
from perishield.alarms.site_key import SiteKeys
from perishield.api.alarm_links import AlarmLinks
from perishield.api.delivery_figures import DeliveryFigures
from perishield.api.evidence_exports import EvidenceExports
from perishield.api.examiner import Examiner
from perishield.api.export_room import ExportRoom
from perishield.api.exports import Exports
from perishield.api.feeds import Feeds
from perishield.api.footage import FootageIndex
from perishield.api.health_board import HealthBoard
from perishield.api.holds import HoldPublisher
from perishield.api.keys import load_keys, write_private
from perishield.api.ledger_book import LedgerBook
from perishield.api.live_out import LiveOut
from perishield.api.metrics import Metrics
from perishield.api.passwords import Passwords
from perishield.api.people import People
from perishield.api.pictures import Pictures
from perishield.api.playback import Playback
from perishield.api.privacy import Privacy
from perishield.api.push import Push
from perishield.api.registry import Processes, Streams
from perishield.api.services import Services
from perishield.api.setup_link import FILE_NAME, SetupLink
from perishield.api.shadow_runs import ShadowRuns
from perishield.api.signing import Links
from perishield.api.site import SitePublisher
from perishield.api.slots import Slots
from perishield.api.snapshot import Snapshots
from perishield.api.task_book import TaskBook
from perishield.api.throttle import Throttle
from perishield.api.tokens import Tokens
from perishield.api.track_book import TrackBook
from perishield.bus import LocalBus
from perishield.bus.process import EXIT_CONFIG, EXIT_PORT_TAKEN, read_config, stop_on_signal
from perishield.bus.spool import Spool
from perishield.live.credentials import CredentialBook
from perishield.live.hls import Windows
from perishield.live.hub import LiveHub
from perishield.live.masks_file import MASKS
from perishield.log import Log
from perishield.model.errors import ConfigError, PeriShieldError, PortTakenError
from perishield.recording.clip import cut_clip
from perishield.recording.storage.library import open_storage
from perishield.recording.storage.received import sweep_incoming
from perishield.roles.server_config import ServerConfig
from perishield.roles.server_seed import sow
from perishield.roles.server_socket import http_server, listen
from perishield.store.database import Database, sqlite_url
from perishield.store.groups import group_members
from perishield.store.sealing import KEY_FILE, Keyring
from perishield.vision.model_registry import ModelRegistry

log = Log("server")

_MACHINE_TOKEN_S = 12 * 3600
_RENEW_S = 3600.0


@asynccontextmanager
async def assembled(
    config: ServerConfig, bus: LocalBus, address: str, passwords: Passwords | None = None
) -> AsyncIterator[Services]:
    """The server's parts, open and at work; all jobs end on leaving."""
    await asyncio.to_thread(config.data_dir.mkdir, mode=0o750, parents=True, exist_ok=True)
    keys = await asyncio.to_thread(load_keys, config.data_dir / "secret.key")
    keyring = Keyring(config.data_dir / KEY_FILE, config.secret_keys)
    database = await Database.open(config.database_url or sqlite_url(config.data_dir / "perishield.db"), keyring)
    try:
        await database.seal()
    except ConfigError:
        await database.close()
        raise
    spool = await asyncio.to_thread(Spool, config.data_dir / "spool" / "events.db")
    push, live = Push(), LiveHub()
    windows = Windows(live, config.media_dir)
    room = ExportRoom(int(config.export_gib * (1 << 30)))
    streams, processes = Streams(push), Processes(push)
    footage = FootageIndex(database, config.media_dir)
    ledger = LedgerBook(database, footage, config.data_dir, config.media_dir)
    storage = await open_storage(database, config.media_dir, config.storage)
    await asyncio.to_thread(sweep_incoming, config.media_dir)
    library = storage.library
    health = HealthBoard(database, push)
    playback = Playback(database, library, config.media_dir)
    privacy = Privacy(
        database,
        config.media_dir,
        config.data_dir / "cache" / "masked",
        video=config.masked_video,
        export_s=config.masked_minutes * 60,
        published=config.run_dir / MASKS if config.masked_live else None,
    )
    site_keys = SiteKeys(config.data_dir)
    links = Links(keys.links)
    site = SitePublisher(database, bus, config.data_dir / "site.json", streams, push)
    outbox = Outbox(
        database,
        config.media_dir,
        AlarmLinks(links, address, public=bool(config.public_url)),
        owner_of(config.data_dir),
        groups=group_members,
    )
    services = Services(
        database=database,
        bus=bus,
        media=config.media_dir,
        static=config.static or Path(perishield.__file__).with_name("static"),
        tokens=Tokens(keys.tokens, config.accounts.access_minutes),
        links=links,
        passwords=passwords or Passwords(),
        people=await People.ready(database, config.accounts, address),
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
            masked=config.masked_live,
        ),
        site=site,
        snapshots=Snapshots(config.media_dir, database, live, library),
        slots=Slots(),
        footage=footage,
        library=library,
        storage=storage,
        playback=playback,
        ledger=ledger,
        holds=HoldPublisher(database, config.data_dir / "holds.json"),
        keeper=Keeper(database, config.media_dir, footage.kept, pool_s=config.pool_minutes * 60),
        tracks=TrackBook(database, config.track_days),
        metrics=Metrics(streams, processes, ledger, config.media_dir, health, DeliveryFigures(database, outbox)),
        health=health,
        models=ModelRegistry(config.models_dir or config.data_dir / "models"),
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
            room=room,
            min_free_bytes=config.min_free_mib << 20,
        ),
        privacy=privacy,
        site_keys=site_keys,
        evidence_exports=EvidenceExports(
            playback,
            config.data_dir / "evidence_exports",
            database=database,
            media=config.media_dir,
            keys=site_keys,
            privacy=privacy,
            site=config.site_name,
            keep_s=config.export_hours * 3600,
            room=room,
            min_free_bytes=config.min_free_mib << 20,
        ),
        shadow=ShadowRuns(
            config.media_dir,
            config.models_dir or config.data_dir / "models",
            config.data_dir / "cache" / "shadow",
            config.detector,
            config.pieces,
        ),
        demo=config.demo,
        outbox=outbox,
        task_book=TaskBook(site, streams, processes, push),
        examiner=Examiner(config.device_reach),
        device_reach=config.device_reach,
    )
    feeds = Feeds(services)
    evidence = EvidenceIntake(database, config.media_dir)
    retention = AlarmRetention(database, config.media_dir, site_keys, keep_days=config.alarm_days)

    def clip_ready(announcement: Announcement) -> None:
        feeds.announce(announcement)
        outbox.wake()
        evidence.add(announcement.alarm)

    pushed = PlaybackPush(
        database,
        config.media_dir,
        evidence_path,
        clip_ready,
        pre_s=config.pre_s,
        post_s=config.post_s,
        on_clip=[outbox.clip],
        reach=config.device_reach,
    )
    clips = ClipScheduler(
        database,
        config.media_dir,
        cut_clip,
        clip_ready,
        pre_s=config.pre_s,
        post_s=config.post_s,
        on_clip=[outbox.clip],
        elsewhere=pushed.take,
    )

    def escalated(announcement: Announcement) -> None:
        feeds.announce(announcement)
        outbox.wake()

    def announce(announcement: Announcement) -> None:
        feeds.announce(announcement)
        outbox.wake()
        clips.add(announcement.alarm)
        evidence.add(announcement.alarm)
        services.keeper.look_again()

    try:
        if config.seed is not None:
            await sow(database, config.seed)
        await privacy.load()
        await services.site.publish()
        await services.holds.publish()
        link = await services.setup.prepare(database, address)
        if link is not None:
            log.info("setup.link", url=link)
        jobs: dict[str, Coroutine[Any, Any, None]] = {
            "alarms": Intake(spool, database, announce, [outbox.raised], grouping=config.grouping).run(bus),
            "escalation": Escalation(database, escalated, on_change=outbox.updated).run(),
            "clips": clips.run(),
            "evidence": evidence.run(),
            "alarm-retention": retention.run(),
            "evidence-exports": services.evidence_exports.run(),
            "outbox": outbox.run(),
            "playback-push": pushed.run(),
            "keeper": services.keeper.run(),
            "tracks": services.tracks.run(),
            "exports": services.exports.run(),
            "footage": services.footage.run(),
            "storage": storage.worker.run(),
            "ledger": ledger.keep_merging(),
            "live": live.ask_low_delay(bus),
            "people": services.people.run(),
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
        await services.evidence_exports.close()
        await privacy.close()
        await services.shadow.close()
        await services.pictures.close()
        await database.close()
        await asyncio.to_thread(spool.close)


async def _keep_token(tokens: Tokens, path: Path) -> None:
    """A viewer's token for the node's own tools on this host, renewed long before it expires."""
    while True:
        await asyncio.to_thread(write_private, path, tokens.issue_machine(_MACHINE_TOKEN_S).encode())
        await asyncio.sleep(_RENEW_S)


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
