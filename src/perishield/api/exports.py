"""Export jobs: bounded in number, kept on disk so that a restart carries on, deleted after a while."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TypeVar
from uuid import uuid4

import msgspec

from perishield.api.export_room import ExportRoom, Shelved
from perishield.api.masked_exports import PLAIN, mask_files
from perishield.api.playback import Playback
from perishield.api.problems import ProblemError, not_found
from perishield.log import Log
from perishield.model.errors import PeriShieldError
from perishield.model.media import SegmentRow
from perishield.model.remarks import Remark, sentence
from perishield.recording.export import CancelledError, ExportedFile, Watch, export, lacks
from perishield.store.privacy import Masks

T = TypeVar("T")
log = Log("exports")

_MOST_WAITING = 32
_AT_ONCE = 2
_SWEEP_EVERY_S = 300.0
_ID = re.compile(r"[0-9a-f]{32}")


class ExportState(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


ENDED = frozenset({ExportState.DONE, ExportState.FAILED, ExportState.CANCELLED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One export, as `job.json` keeps it. Times in Unix seconds; `owner`: the account that asked for it."""

    id: str
    camera: str
    start: float
    end: float
    owner: str
    created: float
    state: ExportState = ExportState.QUEUED
    finished: float = 0.0
    code: str = ""
    message: str = ""
    note: str = ""
    """The remarks in one line; all that jobs of earlier versions have of them."""
    remarks: tuple[Remark, ...] = ()
    files: tuple[ExportedFile, ...] = field(default_factory=tuple)
    alarms: tuple[str, ...] = ()
    """For evidence: whose."""
    owner_name: str = ""
    masked: bool = False
    """For evidence: whoever asked may not see what privacy masks cover."""
    masks: Masks = ()
    """Of plain video: those that were burnt into it, since whoever asked may not see what they cover."""

    def hides(self, masks: Masks) -> bool:
        """Whether it shows nothing of what these masks cover."""
        return all(mask in self.masks for mask in masks)


async def in_thread_to_its_end(watch: Watch, work: Callable[[], T]) -> T:
    """Run it in a thread. Where this is cancelled, the thread ends by its watch and leaves no file behind it."""
    task = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        watch.cancel.set()
        await asyncio.gather(task, return_exceptions=True)
        raise


class Exports:
    """All export jobs. `folder` holds one folder for each; results go after `keep_s`, or for want of `room`."""

    def __init__(
        self,
        playback: Playback,
        folder: Path,
        *,
        keep_s: float,
        room: ExportRoom,
        min_free_bytes: int,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._playback = playback
        self._folder = folder
        self._keep_s = keep_s
        self._room = room
        room.join(self._shelf)
        self._min_free = min_free_bytes
        self._clock = clock
        self._jobs: dict[str, Job] = {}
        self._watches: dict[str, Watch] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._places = asyncio.Semaphore(_AT_ONCE)

    async def run(self) -> None:
        """Until cancelled: takes up what an earlier run left unfinished, and deletes what is old."""
        for job in await asyncio.to_thread(self._load):
            self._jobs[job.id] = job
            if job.state not in ENDED:
                self._begin(job)
        while True:
            await self.sweep()
            await asyncio.sleep(_SWEEP_EVERY_S)

    async def close(self) -> None:
        """End what runs; it is begun anew at the next start."""
        for watch in self._watches.values():
            watch.cancel.set()
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def add(self, camera: str, start: float, end: float, owner: str, masks: Masks = ()) -> Job:
        """Raises ProblemError (503, `busy`) while too many wait; OSError where the job cannot be kept."""
        job = Job(id=uuid4().hex, camera=camera, start=start, end=end, owner=owner, created=self._clock(), masks=masks)
        return await self.enqueue(job)

    async def enqueue(self, job: Job) -> Job:
        """Errors as above."""
        if len(self._tasks) >= _MOST_WAITING:
            raise ProblemError(
                503,
                f"{_MOST_WAITING} exports are waiting; try again when some are done",
                code="busy",
                why="exports_waiting",
            )
        await asyncio.to_thread(self._store, job)
        self._jobs[job.id] = job
        self._begin(job)
        return job

    def all(self) -> list[tuple[Job, Watch]]:
        """Newest first."""
        return [(job, self._watch(job)) for job in sorted(self._jobs.values(), key=lambda job: -job.created)]

    def get(self, name: str) -> tuple[Job, Watch]:
        """Raises ProblemError (404)."""
        job = self._jobs.get(name)
        if job is None:
            raise not_found("export", name[:40])
        return job, self._watch(job)

    async def remove(self, name: str) -> None:
        """Cancel it if it runs, and delete what there is of it. Raises ProblemError (404)."""
        job, watch = self.get(name)
        task = self._tasks.get(name)
        if task is not None:
            watch.cancel.set()
            if job.state is ExportState.QUEUED:
                task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        del self._jobs[name]
        await asyncio.to_thread(shutil.rmtree, self._folder / name, ignore_errors=True)

    def file(self, name: str, file: str) -> Path:
        """Where a finished file is. Raises ProblemError (404)."""
        job, _ = self.get(name)
        if file not in {one.name for one in job.files}:
            raise ProblemError(404, "this export has no such file")
        return self._folder / name / file

    async def sweep(self) -> None:
        """Delete results that are too old, then the oldest of all kinds until the rest has room."""
        await self._room.tidy()

    def _shelf(self) -> list[Shelved]:
        return [
            Shelved(
                finished=job.finished,
                size=sum(file.size for file in job.files),
                expired=job.finished + self._keep_s <= self._clock(),
                remove=partial(self._expire, job),
            )
            for job in self._jobs.values()
            if job.state in ENDED
        ]

    async def _expire(self, job: Job) -> None:
        # Somebody may have removed it while others went.
        if job.id in self._jobs:
            log.info("export.expired", id=job.id, camera=job.camera)
            await self.remove(job.id)

    def _watch(self, job: Job) -> Watch:
        """A job's progress; that of one that has ended is what is left of it."""
        watch = self._watches.get(job.id)
        if watch is None:
            watch = Watch(bytes=sum(file.size for file in job.files))
            watch.progress = 1.0 if job.state is ExportState.DONE else 0.0
        return watch

    def _begin(self, job: Job) -> None:
        self._watches[job.id] = Watch()
        task = self._tasks[job.id] = asyncio.create_task(self._work(job))
        task.add_done_callback(lambda _: (self._tasks.pop(job.id, None), self._watches.pop(job.id, None)))

    async def _work(self, job: Job) -> None:
        watch = self._watches[job.id]
        async with self._places:
            self._jobs[job.id] = replace(job, state=ExportState.RUNNING)
            ended = await self._outcome(job, watch)
        if ended is not None and job.id in self._jobs:
            self._jobs[job.id] = ended
            log.info("export.ended", id=job.id, camera=job.camera, state=ended.state.value, code=ended.code)
            try:
                await asyncio.to_thread(self._store, ended)
            except OSError as error:
                log.warning("export.not_kept", id=job.id, message=str(error))

    async def _outcome(self, job: Job, watch: Watch) -> Job | None:
        """The job at its end; None where this process ends before it."""
        try:
            files, remarks = await self.produce(job, watch)
        except CancelledError:
            return replace(job, state=ExportState.CANCELLED, finished=self._clock(), code="cancelled")
        except PeriShieldError as error:
            finished = self._clock()
            return replace(job, state=ExportState.FAILED, finished=finished, code=error.code, message=error.message)
        done = replace(job, state=ExportState.DONE, finished=self._clock(), files=tuple(files))
        return replace(done, remarks=tuple(remarks), note=sentence(remarks))

    async def produce(self, job: Job, watch: Watch) -> tuple[list[ExportedFile], Sequence[Remark]]:
        """The job's files in its folder, and what is to be said of them. Raises PeriShieldError."""
        rows = await self._playback.rows(job.camera, job.start, job.end)
        files = await in_thread_to_its_end(watch, partial(self._export, job, rows, watch))
        found = lacks(files, job.start, job.end)
        if job.masks:
            count = len(job.masks)
            text = f"{count} privacy mask(s) burnt in, sound left out"
            found.append(Remark("masks_burnt", text, {"count": count}))
        return files, found

    def _export(self, job: Job, rows: list[SegmentRow], watch: Watch) -> list[ExportedFile]:
        folder = self.folder_of(job)
        plain = Watch(cancel=watch.cancel) if job.masks else watch
        files = export(
            self._playback.footage, job.camera, rows, job.start, job.end, folder, plain, min_free_bytes=self._min_free
        )
        if not job.masks:
            return files
        watch.progress = PLAIN
        return mask_files(folder, files, job.masks, watch)

    def folder_of(self, job: Job) -> Path:
        return self._folder / job.id

    def _store(self, job: Job) -> None:
        folder = self._folder / job.id
        folder.mkdir(mode=0o750, parents=True, exist_ok=True)
        temporary = folder / "job.tmp"
        temporary.write_bytes(msgspec.json.encode(job))
        temporary.replace(folder / "job.json")

    def _load(self) -> list[Job]:
        """What lies in the folder. Files of a job that did not end are removed, and what is no job altogether."""
        jobs = []
        for entry in sorted(os.scandir(self._folder), key=lambda one: one.name) if self._folder.is_dir() else []:
            if not _ID.fullmatch(entry.name):
                continue
            try:
                job = msgspec.json.decode(Path(entry.path, "job.json").read_bytes(), type=Job)
            except (OSError, msgspec.DecodeError) as error:
                log.warning("export.unreadable", id=entry.name, message=str(error))
                shutil.rmtree(entry.path, ignore_errors=True)
                continue
            if job.state not in ENDED:
                job = replace(job, state=ExportState.QUEUED)
                for path in Path(entry.path).iterdir():
                    if path.name != "job.json":
                        path.unlink(missing_ok=True)
            if job.id == entry.name:
                jobs.append(job)
        return jobs
