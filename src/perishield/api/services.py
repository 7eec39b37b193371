"""Everything that routes and sockets work with, made once by the server role."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path

from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from perishield.alarms.keeping import Keeper
from perishield.alarms.outbox import Outbox
from perishield.alarms.site_key import SiteKeys
from perishield.api.evidence_exports import EvidenceExports
from perishield.api.examiner import Examiner
from perishield.api.exports import Exports
from perishield.api.footage import FootageIndex
from perishield.api.health_board import HealthBoard
from perishield.api.holds import HoldPublisher
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
from perishield.api.rule_book import RuleBook
from perishield.api.setup_link import SetupLink
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
from perishield.live.hub import LiveHub
from perishield.model.device_reach import DeviceReach
from perishield.recording.segment_reader import Footage
from perishield.recording.storage.library import Storage
from perishield.store.database import Database
from perishield.vision.model_registry import ModelRegistry


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """The server's parts. `static`: folder of the built console, which may be missing."""

    database: Database
    bus: LocalBus
    media: Path
    static: Path
    tokens: Tokens
    links: Links
    passwords: Passwords
    people: People
    throttle: Throttle
    setup: SetupLink
    push: Push
    streams: Streams
    processes: Processes
    live: LiveHub
    live_out: LiveOut
    site: SitePublisher
    snapshots: Snapshots
    slots: Slots
    footage: FootageIndex
    library: Footage
    storage: Storage
    playback: Playback
    ledger: LedgerBook
    holds: HoldPublisher
    keeper: Keeper
    tracks: TrackBook
    metrics: Metrics
    health: HealthBoard
    pictures: Pictures
    privacy: Privacy
    site_keys: SiteKeys
    evidence_exports: EvidenceExports
    exports: Exports
    models: ModelRegistry
    shadow: ShadowRuns
    outbox: Outbox
    task_book: TaskBook
    device_reach: DeviceReach | None = None
    """Where cameras and recorders may be; None: anywhere."""
    rule_book: RuleBook = field(default_factory=RuleBook)
    examiner: Examiner = field(default_factory=Examiner)
    jobs: set[asyncio.Task[None]] = field(default_factory=set)
    """What runs beside the requests; one that ends is a fault."""
    demo: bool = False


def served_by(services: Services, app: ASGIApp) -> ASGIApp:
    """The app with these services behind every request and socket."""

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        scope.setdefault("state", {})["services"] = services
        await app(scope, receive, send)

    return serve


def services_of(connection: HTTPConnection) -> Services:
    """The services behind this request or socket."""
    found: Services = connection.state.services
    return found
