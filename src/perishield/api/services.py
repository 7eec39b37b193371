"""Everything that routes and sockets work with, made once by the server role."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path

from starlette.requests import HTTPConnection

from perishield.alarms.keeping import Keeper
from perishield.api.examiner import Examiner
from perishield.api.exports import Exports
from perishield.api.footage import FootageIndex
from perishield.api.holds import HoldPublisher
from perishield.api.ledger_book import LedgerBook
from perishield.api.live_out import LiveOut
from perishield.api.metrics import Metrics
from perishield.api.passwords import Passwords
from perishield.api.pictures import Pictures
from perishield.api.playback import Playback
from perishield.api.push import Push
from perishield.api.registry import Processes, Streams
from perishield.api.setup_link import SetupLink
from perishield.api.signing import Links
from perishield.api.site import SitePublisher
from perishield.api.slots import Slots
from perishield.api.snapshot import Snapshots
from perishield.api.throttle import Throttle
from perishield.api.tokens import Tokens
from perishield.bus import LocalBus
from perishield.live.hub import LiveHub
from perishield.recording.segment_reader import Footage
from perishield.recording.storage.library import Storage
from perishield.store.database import Database


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
    metrics: Metrics
    pictures: Pictures
    exports: Exports
    examiner: Examiner = field(default_factory=Examiner)
    jobs: set[asyncio.Task[None]] = field(default_factory=set)
    """What runs beside the requests; one that ends is a fault."""
    demo: bool = False


def services_of(connection: HTTPConnection) -> Services:
    """The services of the app that serves this request or socket."""
    found: Services = connection.app.state.services
    return found
