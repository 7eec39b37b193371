"""The published site: what every worker reads, written anew whenever cameras, rules, tasks or schedules change."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import msgspec

from perishield.api.push import Push
from perishield.api.registry import Streams
from perishield.bus import LocalBus, topics
from perishield.bus.site_file import write_site
from perishield.bus.topics import SiteChanged
from perishield.log import Log
from perishield.model.rules import rule_to_dict
from perishield.model.site import Site
from perishield.store.cameras import list_cameras
from perishield.store.database import Database
from perishield.store.meta import next_site_revision
from perishield.store.rules import list_rules
from perishield.store.schedules import with_hours
from perishield.store.tasks import list_tasks

log = Log("site")


class SitePublisher:
    """Writes site.json and tells the workers; one publication at a time, so that revisions reach the file in order."""

    def __init__(self, database: Database, bus: LocalBus, path: Path, streams: Streams, push: Push) -> None:
        self._database = database
        self._bus = bus
        self._path = path
        self._streams = streams
        self._push = push
        self._one = asyncio.Lock()
        self.site = Site(revision=0, cameras=())
        self.published = 0.0
        """When that was, in Unix seconds."""

    async def publish(self) -> int:
        """Publish what the database holds now, under the next revision."""
        async with self._one:
            async with self._database.write() as session:
                revision = await next_site_revision(session)
                cameras = await list_cameras(session)
                rules = await with_hours(session, await list_rules(session))
                tasks = await with_hours(session, await list_tasks(session))
            site = Site(
                revision=revision,
                cameras=tuple(cameras),
                rules=tuple(rule_to_dict(rule) for rule in rules),
                tasks=tuple(msgspec.to_builtins(task) for task in tasks),
            )
            await asyncio.to_thread(write_site, self._path, site)
            self.site, self.published = site, time.time()
        self._streams.set_cameras(cameras)
        self._bus.publish(topics.SITE, "", SiteChanged(revision))
        self._push.send("site", "", lambda: {"type": "site", "revision": revision})
        log.info("site.published", revision=revision, cameras=len(cameras), rules=len(rules))
        return revision
