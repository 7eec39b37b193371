"""The footage ledger over index and journal: one camera's spans, all cameras' sums."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec
from sqlalchemy.exc import SQLAlchemyError

from perishield.api.footage import FootageIndex
from perishield.log import Log
from perishield.model.footage import JournalEntry, LedgerSpan
from perishield.model.site import CAMERA_ID
from perishield.recording.index import LONGEST_S, list_segments
from perishield.recording.journal_states import POOLED
from perishield.recording.ledger import AROUND_S, RECORDED, footage_of, ledger, merged_footage, to_seconds
from perishield.recording.ledger_files import JournalView, view_journal
from perishield.store.copies import removed_footage
from perishield.store.coverage import HOUR_S, Mark, coverage_between, first_footage, hour_of, marks, save_coverage
from perishield.store.database import Database
from perishield.store.segments import indexed_cameras
from perishield.streams.layout import RECORDINGS

log = Log("ledger")

_HOURS_AT_ONCE = 24
_MERGE_AFTER_S = 600.0
_MERGED_S = 32 * 86_400.0
_PAUSE_S = 0.1
_LONGEST_HOURS = 1
"""A segment of the hour before may reach into the first one."""

_spans = msgspec.json.Decoder(list[tuple[float, float, bool]])


class LedgerBook:
    """Answers from the index of hours; what is still being written is read from the disk."""

    def __init__(self, database: Database, footage: FootageIndex, data: Path, media: Path) -> None:
        self._database = database
        self._footage = footage
        self._data = data
        self._media = media

    async def spans(self, camera: str, start: float, end: float) -> list[LedgerSpan]:
        """Whole seconds of [start, end), up to now; see `recording.ledger`."""
        now = time.time()
        view = await asyncio.to_thread(view_journal, self._data, start, end, now)
        return await self._spans(camera, start, end, now, view, view.of(camera))

    async def summary(self, cameras: Sequence[str], start: float, end: float) -> dict[str, list[LedgerSpan]]:
        """The same for many cameras, reading the journal once."""
        now = time.time()
        view = await asyncio.to_thread(view_journal, self._data, start, end, now)
        entries = await asyncio.to_thread(view.by_camera)
        alone = [entry for entry in view.entries if not entry.camera]
        found = {}
        for camera in cameras:
            found[camera] = await self._spans(camera, start, end, now, view, entries.get(camera, alone))
        return found

    async def _spans(
        self, camera: str, start: float, end: float, now: float, view: JournalView, entries: list[JournalEntry]
    ) -> list[LedgerSpan]:
        footage = await self.footage(camera, start - AROUND_S, min(end, now) + AROUND_S, now)
        async with self._database.read() as session:
            removed = await removed_footage(session, camera, start, end)
        # What the tiers' retention took lies beyond the recorder's own journal.
        booked = [
            JournalEntry(span.start, 0.0, "tiers", camera, "span", span.detail, span.until, span.reason)
            for span in removed
        ]
        whole = await asyncio.to_thread(
            ledger, footage, [*entries, *booked], camera, start, end, now=now, alive=view.alive
        )
        return to_seconds(whole)

    async def keep_merging(self) -> None:
        """Until cancelled: merge what the last month holds, so that nobody has to wait for it who asks."""
        while True:
            await asyncio.sleep(_MERGE_AFTER_S)
            try:
                async with self._database.read() as session:
                    cameras = await indexed_cameras(session)
                for camera in cameras:
                    now = time.time()
                    if CAMERA_ID.fullmatch(camera):
                        await self._hours_between(camera, now - _MERGED_S, now - HOUR_S, now)
                    await asyncio.sleep(_PAUSE_S)
            except SQLAlchemyError as error:
                log.error("ledger.unmerged", message=str(error))

    async def footage(self, camera: str, start: float, end: float, now: float) -> list[LedgerSpan]:
        """What there is of [start, end), recorded and pooled, each merged; hours are merged once and then kept."""
        found = await self._hours_between(camera, start, end, now)
        if end > now - LONGEST_S and CAMERA_ID.fullmatch(camera):
            fresh = await asyncio.to_thread(
                list_segments, self._media, camera, max(start, now - LONGEST_S), min(end, now + AROUND_S)
            )
            found += footage_of(fresh)
        return _joined(found)

    async def _hours_between(self, camera: str, start: float, end: float, now: float) -> list[LedgerSpan]:
        async with self._database.read() as session:
            oldest = await first_footage(session, camera)
        if oldest is None:
            return []
        first = max(hour_of(start) - _LONGEST_HOURS, hour_of(oldest))
        return await self._hours(camera, first, min(hour_of(end), hour_of(now) + 1), now)

    async def _hours(self, camera: str, first: int, last: int, now: float) -> list[LedgerSpan]:
        async with self._database.read() as session:
            known = (await coverage_between(session, first, last, camera)).get(camera, {})
        missing = [hour for hour in range(first, last + 1) if hour not in known]
        for begin in range(0, len(missing), _HOURS_AT_ONCE):
            known |= await self._merge(camera, missing[begin : begin + _HOURS_AT_ONCE], hour_of(now))
        return [
            LedgerSpan(start, end, RECORDED if recorded else POOLED)
            for hour in sorted(known)
            for start, end, recorded in _spans.decode(known[hour])
        ]

    async def _merge(self, camera: str, hours: list[int], current: int) -> dict[int, bytes]:
        """Merge the segments of these hours and keep what is past; nothing may change them meanwhile."""
        async with self._footage.writing, self._database.write() as session:
            by_hour: dict[int, list[Mark]] = {hour: [] for hour in hours}
            for mark in await marks(session, camera, hours[0], hours[-1]):
                if (hour := hour_of(mark[0])) in by_hour:
                    by_hour[hour].append(mark)
            merged = {hour: msgspec.json.encode(_merged(listed)) for hour, listed in by_hour.items()}
            await save_coverage(session, camera, {hour: spans for hour, spans in merged.items() if hour < current})
        return merged


def _merged(listed: Iterable[Mark]) -> list[tuple[float, float, bool]]:
    kinds: dict[bool, list[tuple[float, float, int, int]]] = {True: [], False: []}
    for start, duration, epoch, stream_time, pool in listed:
        kinds[pool == RECORDINGS].append((start, duration, epoch, stream_time))
    return [
        (span.start, span.end, recorded) for recorded, kind in kinds.items() for span in merged_footage(kind, RECORDED)
    ]


def _joined(spans: Iterable[LedgerSpan]) -> list[LedgerSpan]:
    """Each kind in order, with what adjoins across the hours in one."""
    listed = list(spans)
    joined: list[LedgerSpan] = []
    for state in (RECORDED, POOLED):
        kind = sorted((span.start, span.end - span.start) for span in listed if span.state == state)
        # Each an epoch of its own: only wall-clock time says what adjoins.
        joined += merged_footage(((start, lasts, number, 0) for number, (start, lasts) in enumerate(kind)), state)
    return joined
