"""The targets of a node: opened, each with its own threads, and what is known of its health."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from perishield.log import Log
from perishield.model.errors import StorageError
from perishield.model.storage import StoragePlan, StorageTarget, TargetKind
from perishield.recording.storage.folder_target import FolderTarget
from perishield.recording.storage.target import Space, Target, failure
from perishield.recording.storage.threads import DaemonThreads

log = Log("storage")

T = TypeVar("T")

PARALLEL = 4
"""Copies on their way to one target at a time; each holds at most one part in memory."""
_FIRST_PAUSE_S = 1.0
_LONGEST_PAUSE_S = 300.0

OWN_FAULT = frozenset(("missing", "corrupt"))
"""Codes that speak of one segment and not of the target."""


def open_target(spec: StorageTarget, identity: str = "") -> Target:
    """The target of that description. Raises StorageError where it cannot even be opened."""
    if spec.kind is TargetKind.S3:
        from perishield.recording.storage.s3_target import S3Target

        return S3Target(spec)
    if spec.kind is TargetKind.NVR_HTTP:
        from perishield.recording.storage.nvr_target import NvrTarget

        return NvrTarget(spec)
    return FolderTarget(spec, identity)


@dataclass(slots=True)
class Health:
    """`state`: unknown, ok or failing. `since`: Unix seconds at which it became so; `until`: when it is asked again."""

    state: str = "unknown"
    code: str = ""
    message: str = ""
    since: float = 0.0
    until: float = 0.0
    failures: int = 0
    space: Space = field(default_factory=Space)


class OpenTarget:
    """A target at work. Its blocking calls run in its own threads, so that one that hangs holds up no other."""

    def __init__(self, target: Target) -> None:
        self.spec = target.spec
        self.target = target
        self.health = Health()
        self._threads = DaemonThreads(PARALLEL, f"storage-{self.spec.name}")

    async def call(self, work: Callable[[], T]) -> T:
        """Run it in a thread of this target. Raises StorageError, whatever went wrong."""
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        except StorageError:
            raise
        except Exception as error:
            # What a library never said that it could raise must not end the server: footage waits, the log tells.
            log.exception("storage.crashed", storage=self.spec.name)
            raise failure(
                self.spec, "storage_refused", f"fails in an unforeseen way ({type(error).__name__})"
            ) from error

    async def check(self) -> bool:
        """Ask it how it is, and remember."""
        try:
            self.health.space = await self.call(self.target.check)
        except StorageError as error:
            self.failed(error)
            return False
        self.worked()
        return True

    def worked(self) -> None:
        if self.health.state != "ok":
            log.info("storage.ok", storage=self.spec.name, place=self.spec.place)
            self.health.state, self.health.since = "ok", time.time()
        self.health.code = self.health.message = ""
        self.health.failures, self.health.until = 0, 0.0

    def failed(self, error: StorageError) -> None:
        """Pause before it is asked again: twice as long each time, with some chance in it."""
        health = self.health
        if health.state != "failing" or health.code != error.code:
            log.warning("storage.failing", storage=self.spec.name, code=error.code, message=str(error))
        if health.state != "failing":
            health.state, health.since = "failing", time.time()
        health.code, health.message = error.code, str(error)
        pause = min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2 ** min(health.failures, 12))
        health.failures += 1
        health.until = time.time() + pause * random.uniform(0.75, 1.25)  # noqa: S311

    @property
    def works(self) -> bool:
        return self.health.state != "failing"

    @property
    def paused(self) -> bool:
        return time.time() < self.health.until

    def close(self) -> None:
        self._threads.shutdown()
        self.target.close()


class Targets:
    """All targets of a plan by name, hot ones first. One that cannot be opened is there, failing, with its reason."""

    def __init__(self, plan: StoragePlan, identities: Mapping[str, str] | None = None) -> None:
        self.plan = plan
        self.open: dict[str, OpenTarget] = {}
        self.broken: dict[str, StorageError] = {}
        for spec in sorted(plan.targets, key=lambda spec: ("hot", "warm", "cold").index(spec.tier.value)):
            try:
                self.open[spec.name] = OpenTarget(open_target(spec, (identities or {}).get(spec.name, "")))
            except (StorageError, OSError) as error:
                told = error if isinstance(error, StorageError) else StorageError(f"storage '{spec.name}': {error}")
                self.broken[spec.name] = told
                log.error("storage.unusable", storage=spec.name, message=str(told))

    def working(self) -> set[str]:
        return {name for name, target in self.open.items() if target.works}

    def close(self) -> None:
        for target in self.open.values():
            target.close()
