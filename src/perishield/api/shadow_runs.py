"""Trials on recordings as jobs: one at work, a few waiting, each in a process of its own that gives way to the rest."""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Any
from uuid import uuid4

from perishield.api.problems import ProblemError, not_found
from perishield.bus.process import encode_config
from perishield.evaluation.shadow_plan import RealAlarm, ShadowPlan
from perishield.evaluation.shadow_worker import RESULT, ShadowOrder, order_for
from perishield.log import Log

log = Log("shadow")

_AT_ONCE = 1
_MOST_WAITING = 4
_MOST_KEPT = 8
_LONGEST_S = 6 * 3600.0
_GRACE_S = 5.0
_MOST_SAID = 2_000


class ShadowState(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


ENDED = frozenset({ShadowState.DONE, ShadowState.FAILED})


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowJob:
    """One trial. Times in Unix seconds. `result`: what `shadow` gave back, once done."""

    id: str
    order: ShadowOrder
    created: float
    state: ShadowState = ShadowState.QUEUED
    progress: float = 0.0
    code: str = ""
    message: str = ""
    result: dict[str, Any] = field(default_factory=dict)


class ShadowRuns:
    """All trials of this server's life. `folder` is theirs alone: what an earlier life left there is deleted.

    `detector`: what the site sees with, unless a trial names a model. `pieces`: of a picture that it looks at again.
    """

    def __init__(self, media: Path, models: Path, folder: Path, detector: str, pieces: int) -> None:
        self.models = models
        self._media = media
        self._folder = folder
        self._detector = detector
        self._pieces = pieces
        self._jobs: dict[str, ShadowJob] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._places = asyncio.Semaphore(_AT_ONCE)
        shutil.rmtree(folder, ignore_errors=True)

    async def add(self, plan: ShadowPlan, real: list[RealAlarm], model: str = "") -> ShadowJob:
        """Raises ProblemError (503, `busy`) while too many wait; OSError where there is no place for its pictures."""
        if len(self._tasks) >= _MOST_WAITING + _AT_ONCE:
            raise ProblemError(
                503,
                f"{_MOST_WAITING} trials are waiting; try again when one is done",
                code="busy",
                why="trials_waiting",
            )
        name = uuid4().hex
        order = order_for(
            plan,
            real,
            media_dir=self._media,
            models_dir=self.models,
            folder=self._folder / name,
            detector=model or self._detector,
            pieces=self._pieces,
        )
        await asyncio.to_thread(order.folder.mkdir, mode=0o750, parents=True)
        job = self._jobs[name] = ShadowJob(id=name, order=order, created=time.time())
        task = self._tasks[name] = asyncio.create_task(self._work(name))
        task.add_done_callback(lambda _: self._tasks.pop(name, None))
        ended = sorted((one for one in self._jobs.values() if one.state in ENDED), key=lambda one: one.created)
        for old in ended[: max(0, len(ended) - _MOST_KEPT)]:
            await self.remove(old.id)
        return job

    def all(self) -> list[ShadowJob]:
        """Newest first."""
        return sorted(self._jobs.values(), key=lambda job: -job.created)

    def get(self, name: str) -> ShadowJob:
        """Raises ProblemError (404)."""
        job = self._jobs.get(name)
        if job is None:
            raise not_found("trial", name[:40])
        return job

    def picture(self, name: str, picture: str) -> Path:
        """Where a picture of a finished trial is. Raises ProblemError (404)."""
        job = self.get(name)
        if picture not in {one["picture"] for one in job.result.get("alarms", ()) if one["picture"]}:
            raise ProblemError(404, "this trial has no such picture")
        return job.order.folder / picture

    async def remove(self, name: str) -> None:
        """End it if it runs, and delete what there is of it. Raises ProblemError (404)."""
        job = self.get(name)
        task = self._tasks.get(name)
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        self._jobs.pop(name, None)
        await asyncio.to_thread(shutil.rmtree, job.order.folder, ignore_errors=True)

    async def close(self) -> None:
        """End what runs; nothing of it is kept."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.to_thread(shutil.rmtree, self._folder, ignore_errors=True)

    async def _work(self, name: str) -> None:
        async with self._places:
            self._change(name, state=ShadowState.RUNNING)
            try:
                async with asyncio.timeout(_LONGEST_S):
                    result = await self._process(name, self._jobs[name].order)
            except TimeoutError:
                result = {"code": "timeout", "message": "the trial took too long and was ended; try a shorter time"}
            except OSError as error:
                result = {"code": "internal", "message": f"the trial could not be started: {error.strerror}"}
        if "message" in result:
            self._change(name, state=ShadowState.FAILED, code=result["code"], message=result["message"])
        else:
            self._change(name, state=ShadowState.DONE, progress=1.0, result=result)
        log.info("shadow.ended", id=name, state=self._jobs[name].state.value, code=self._jobs[name].code)

    async def _process(self, name: str, order: ShadowOrder) -> dict[str, Any]:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "perishield.evaluation.shadow_worker",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            said = asyncio.ensure_future(_tail(process.stderr))
            if process.stdin is not None:
                # A process that died at its start tells why on its way out.
                with suppress(ConnectionError):
                    process.stdin.write(encode_config(order))
                    await process.stdin.drain()
                process.stdin.close()
            while process.stdout is not None and (line := await process.stdout.readline()):
                with suppress(ValueError):
                    self._change(name, progress=min(max(float(line), 0.0), 1.0))
            code, words = await process.wait(), await said
        finally:
            await _end(process)
        try:
            result: dict[str, Any] = json.loads(await asyncio.to_thread((order.folder / RESULT).read_bytes))
        except (OSError, ValueError):
            log.error("shadow.process_failed", id=name, exit=code, message=words)
            return {"code": "internal", "message": "the trial failed; the server's log says more"}
        return result

    def _change(self, name: str, **fields: Any) -> None:
        if name in self._jobs:
            self._jobs[name] = replace(self._jobs[name], **fields)


async def _tail(stream: asyncio.StreamReader | None) -> str:
    """The end of what a process says, read as it comes so that it never waits for a reader."""
    kept = b""
    while stream is not None and (part := await stream.read(4096)):
        kept = (kept + part)[-_MOST_SAID:]
    return kept.decode("utf-8", "replace").strip()


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    with suppress(ProcessLookupError):
        process.terminate()
    try:
        async with asyncio.timeout(_GRACE_S):
            await process.wait()
    except TimeoutError:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
